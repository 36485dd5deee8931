//! An object rebuilt from the source, and compared with the one that was delivered.

use std::sync::Arc;

use super::{ReplayOutcome, Replayer};
use crate::ledger::PastObject;
use crate::operations::admin::AdminError;
use crate::source::SourceError;
use crate::source::reader::RecordReader;
use auditferry_core::archive::{ArchiveError, ObjectBuilder, Offer, PackedPiece, RawPiece, Sealed};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::model::window::Window;

/// An object that was rebuilt, or why it was not.
pub(super) type Rebuilt = Result<Sealed, (ReplayOutcome, String)>;

impl Replayer<'_> {
    /// Reads the records of an object again, and compares them with what was delivered.
    pub(super) async fn rebuild(
        &self,
        window: &Arc<Window>,
        object: &PastObject,
        before: Option<Cursor>,
        key: ObjectKey,
    ) -> Result<Rebuilt, AdminError> {
        let zone = match self.admin.zones.find(&window.zone) {
            Ok(zone) => zone.rules().clone(),
            Err(error) => return Ok(Err((ReplayOutcome::Differs, error.to_string()))),
        };
        let writer = match Writer::of(window, zone) {
            Ok(writer) => writer,
            Err(error) => return Ok(Err((ReplayOutcome::Differs, error.to_string()))),
        };
        let mut reader = RecordReader::new(&*self.admin.source, window, before.clone());
        let mut builder = ObjectBuilder::named(Arc::clone(window), writer, object.ordinal, key);
        let mut taken = before;
        let mut met_end = object.records == 0;
        while !met_end {
            let (cursor, record) = match reader.peek().await {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error @ SourceError::Database(_)) => return Err(error.into()),
                Err(error) => return Ok(Err((ReplayOutcome::Missing, error.to_string()))),
            };
            let ends = object.cursor.as_ref() == Some(cursor);
            if builder.offer(&record.borrow().keyed(cursor.key())) == Offer::Full {
                break;
            }
            met_end = ends;
            taken = Some(cursor.clone());
            reader.advance();
            if let Some(piece) = builder.cut() {
                match wrapped(piece).await {
                    Ok(piece) => builder.append(piece),
                    Err(error) => return Ok(Err((ReplayOutcome::Failed, error))),
                }
            }
        }
        match seal(builder, taken).await {
            Ok(sealed) => Ok(compared(object, sealed, met_end)),
            Err(error) => Ok(Err((ReplayOutcome::Failed, error))),
        }
    }
}

/// Compresses a piece, on a thread for blocking work.
async fn wrapped(piece: RawPiece) -> Result<PackedPiece, String> {
    let piece = tokio::task::spawn_blocking(|| piece.pack()).await.map_err(|error| error.to_string())?;
    piece.map_err(|error| error.to_string())
}

/// Compresses what is left, and seals the object.
async fn seal(builder: ObjectBuilder, cursor: Option<Cursor>) -> Result<Sealed, String> {
    let (piece, mut unsealed) = builder.finish(cursor, false);
    let seal = move || -> Result<Sealed, ArchiveError> {
        let piece = piece.pack().map_err(|error| unsealed.failed(error))?;
        unsealed.append(piece);
        unsealed.seal()
    };
    let sealed = tokio::task::spawn_blocking(seal).await.map_err(|error| error.to_string())?;
    sealed.map_err(|error| error.to_string())
}

/// Whether a rebuilt object is the one that was delivered. Other bytes never get its name.
fn compared(object: &PastObject, sealed: Sealed, met_end: bool) -> Rebuilt {
    let facts = &sealed.facts;
    if facts.records < object.records {
        let message = format!(
            "the source holds {} of its {} records; were the others removed?",
            facts.records, object.records
        );
        return Err((ReplayOutcome::Missing, message));
    }
    if !met_end {
        return Err((ReplayOutcome::Missing, "its last record is not in the source any more".to_owned()));
    }
    if facts.content_sha256 != object.content_sha256 {
        let message = format!(
            "its content has the SHA-256 {} now and had {} when it was delivered: rows or the time zone's \
             rules have changed; it is not put",
            facts.content_sha256, object.content_sha256
        );
        return Err((ReplayOutcome::Differs, message));
    }
    Ok(sealed)
}
