//! Capturing a bound, with the mark by which source and ledger recognise each other.
//!
//! The ledger counts a mark before it is left in the source. So a source without a
//! mark that a bound carries has gone back, and a source with a mark that the ledger
//! has not counted tells that the ledger has.

use jiff::Timestamp;

use crate::clock::Clock;
use crate::ledger::{Ledger, LedgerError, Trouble};
use crate::protocol::Hold;
use crate::source::{Source, SourceError};
use crate::window::Bound;

/// A bound, captured after the slots that it serves have come.
#[derive(Debug, Clone)]
pub struct Captured {
    /// What had finished committing.
    pub bound: Bound,
    /// When it was captured.
    pub at: Timestamp,
}

/// Why nothing was captured.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger was restored from an older backup; all its accounts are held now.
    #[error("{}. All accounts are held: see `auditferry account rewind`", Hold::LedgerRewound.explanation())]
    LedgerRewound,
}

/// Captures what has finished committing now.
///
/// # Errors
/// When a database fails, or the ledger has gone back.
pub async fn capture(
    ledger: &dyn Ledger,
    source: &dyn Source,
    clock: &dyn Clock,
) -> Result<Captured, CaptureError> {
    // In this order: another worker may count and leave a mark in between.
    let newest = source.newest_mark(&ledger.id().await?).await?;
    let mark = ledger.next_mark().await?;
    let at = clock.now();
    if mark.number <= newest {
        let kind = Hold::LedgerRewound;
        let trouble = Trouble { kind: kind.as_str().to_owned(), message: kind.explanation().to_owned(), at };
        ledger.went_back(newest, &trouble).await?;
        return Err(CaptureError::LedgerRewound);
    }
    Ok(Captured { bound: source.capture(&mark).await?, at })
}
