//! Records become objects: lines of JSON, wrapped, hashed. The same window
//! always gives the same bytes.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::format::ocsf::COLUMNS;
use crate::format::writer::Writer;
use crate::model::bound::Cursor;
use crate::model::format::{EmptyWindows, Layout, MAX_WHOLE};
use crate::model::object_key::{ObjectKey, slot_name};
use crate::model::record::RecordRef;
use crate::model::window::Window;
use crate::text::hex::hex;

mod columns;
mod container;
mod deflate;
mod zstandard;

use container::{Body, Coding, Content};
pub use deflate::swiftly;
use deflate::{Piece, deflate, dictionary};
pub use zstandard::frame;

/// Content of one piece: large enough that its ends cost nothing, small enough that some of
/// them are no memory. With another size the same content gives another zip.
const PIECE: usize = 1 << 20;

/// Least that is reserved for content that may be large. Above 32 MiB glibc always maps an
/// allocation by itself: only what is written to is memory, and all of it goes back at once.
/// What is smaller comes from an arena, once a larger one was freed, and stays there.
pub const MAPPED: usize = 33 << 20;

/// The metadata that holds the SHA-256 of an object's uncompressed content.
pub const CONTENT_SHA256: &str = "auditferry-sha256";

/// What is stored of a sealed object, before it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFacts {
    /// Its place within the window, counted from 1.
    pub ordinal: u32,
    /// The key under which it is put.
    pub key: ObjectKey,
    /// How many records it holds.
    pub records: u64,
    /// SHA-256 of the uncompressed content, in hexadecimal.
    pub content_sha256: String,
    /// Bytes of the uncompressed content.
    pub content_bytes: u64,
    /// SHA-256 of the object, in hexadecimal.
    pub object_sha256: String,
    /// Bytes of the object.
    pub object_bytes: u64,
    /// Where it ends; absent for an object without records.
    pub cursor: Option<Cursor>,
    /// Whether it ends the window.
    pub last: bool,
}

/// A sealed object: its bytes, and what the ledger stores of it.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// What the ledger stores.
    pub facts: SealedFacts,
    /// The object's bytes.
    pub body: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// What the store keeps beside the object.
    pub metadata: Vec<(&'static str, String)>,
}

/// Why an object could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The wrapping failed.
    #[error("wrapping {key}: {source}")]
    Wrap {
        /// The object's name.
        key: ObjectKey,
        /// What went wrong.
        source: io::Error,
    },
}

/// Collects the records of one object until it is full. Its content leaves it in pieces,
/// which are wrapped elsewhere and come back in their order.
pub struct ObjectBuilder {
    window: Arc<Window>,
    ordinal: u32,
    key: ObjectKey,
    writer: Writer,
    /// The content that is in no piece yet.
    content: Vec<u8>,
    /// How much of it is in the checksums.
    summed: usize,
    /// Whether it all becomes one piece.
    whole: bool,
    /// The end of the last piece.
    before: Vec<u8>,
    /// Of the content that is in pieces.
    cut: u64,
    sha256: Sha256,
    crc32: crc32fast::Hasher,
    records: u64,
    /// How many values were cut.
    cut_values: u64,
    body: Body,
}

/// What became of a record that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is in the object.
    Taken,
    /// The object is full; the record belongs to the next.
    Full,
}

/// A part of an object's content that is not wrapped yet.
#[derive(Debug)]
pub struct RawPiece {
    piece: Piece,
    coding: Coding,
}

/// A part of an object's content, ready for its place in the object.
#[derive(Debug)]
pub struct PackedPiece(Vec<u8>);

impl RawPiece {
    /// Compresses it, when the object is to be compressed: some milliseconds of work.
    ///
    /// # Errors
    /// When that fails.
    pub fn pack(self) -> io::Result<PackedPiece> {
        self.pack_and_leave().map(|(wrapped, _)| wrapped)
    }

    /// [`RawPiece::pack`], and the memory that its content was in, to be used again.
    pub fn pack_and_leave(self) -> io::Result<(PackedPiece, Vec<u8>)> {
        let packed = match self.coding {
            Coding::Stored => return Ok((PackedPiece(self.piece.bytes), Vec::new())),
            Coding::Deflate => deflate(&self.piece)?,
            Coding::Zstd => frame(&self.piece.bytes, self.piece.level)?,
            Coding::Columns => columns::parquet(&self.piece.bytes, COLUMNS, self.piece.level)?,
        };
        Ok((PackedPiece(packed), self.piece.bytes))
    }

    /// How much content it is, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.piece.bytes.len()
    }

    /// Whether it is nothing but the end.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.piece.bytes.is_empty()
    }
}

impl ObjectBuilder {
    /// Begins the `ordinal`-th object of a window, which `writer` writes.
    #[must_use]
    pub fn new(window: Arc<Window>, writer: Writer, ordinal: u32) -> Self {
        let key = window.key(ordinal);
        Self::named(window, writer, ordinal, key)
    }

    /// [`ObjectBuilder::new`] under a name that is not the object's own.
    #[must_use]
    pub fn named(window: Arc<Window>, writer: Writer, ordinal: u32, key: ObjectKey) -> Self {
        let body = Body::begin(&window, key.entry_name(window.format.entry_ending()));
        let whole = match body.coding() {
            Coding::Stored => false,
            Coding::Deflate => window.format.max_bytes <= MAX_WHOLE,
            // `Format::check` lets no more in than is whole.
            Coding::Zstd | Coding::Columns => true,
        };
        Self {
            window,
            ordinal,
            key,
            writer,
            content: Vec::new(),
            summed: 0,
            whole,
            before: Vec::new(),
            cut: 0,
            sha256: Sha256::new(),
            crc32: crc32fast::Hasher::new(),
            records: 0,
            cut_values: 0,
            body,
        }
    }

    /// Adds a record, unless that would take the object over a limit. A record that
    /// is over the limit by itself gets an object of its own.
    pub fn offer(&mut self, record: &RecordRef<'_>) -> Offer {
        let format = &self.window.format;
        if self.records > 0 && self.records >= format.max_records {
            return Offer::Full;
        }
        let before = self.content.len();
        match (format.layout, self.records) {
            (Layout::Lines, _) => {}
            (Layout::Array, 0) => self.content.extend_from_slice(b"[\n"),
            (Layout::Array, _) => self.content.extend_from_slice(b",\n"),
        }
        let begin = self.content.len();
        let cut_values = self.writer.write(record, &mut self.content);
        let line = self.content.len() - begin;
        // Four more: what stands before a line, and the end of an array.
        let bytes = self.cut + (before + line + 4) as u64;
        if self.records > 0 && bytes > format.max_bytes {
            self.content.truncate(before);
            return Offer::Full;
        }
        if format.layout == Layout::Lines {
            self.content.push(b'\n');
        }
        self.records += 1;
        self.cut_values += cut_values;
        Offer::Taken
    }

    /// How many records it still takes, if they are small.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.window.format.max_records.saturating_sub(self.records)
    }

    /// How many bytes of content it still takes.
    #[must_use]
    pub fn room_bytes(&self) -> u64 {
        self.window.format.max_bytes.saturating_sub(self.content_bytes())
    }

    /// The mean size of its records, in bytes; 0 when it has none.
    #[must_use]
    pub fn mean(&self) -> u64 {
        self.content_bytes().checked_div(self.records).unwrap_or(0)
    }

    fn content_bytes(&self) -> u64 {
        self.cut + self.content.len() as u64
    }

    /// A piece of it could not be wrapped.
    #[must_use]
    pub fn failed(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Wrap { key: self.key.clone(), source }
    }

    /// Whether nothing is in it and nothing should be put.
    #[must_use]
    pub fn is_void(&self) -> bool {
        let wanted = self.ordinal == 1 && self.window.format.empty_windows == EmptyWindows::Object;
        self.records == 0 && !wanted
    }

    /// What is to be done whenever [`ObjectBuilder::must_cut`]: the next piece, if the object
    /// has several.
    pub fn cut(&mut self) -> Option<RawPiece> {
        if self.must_cut() {
            self.sum();
        }
        (!self.whole && self.content.len() >= PIECE).then(|| self.take(false))
    }

    /// Whether as much content as a piece has come since the last [`ObjectBuilder::cut`].
    #[must_use]
    pub fn must_cut(&self) -> bool {
        self.content.len() - self.summed >= PIECE
    }

    /// How much content it keeps until it is finished, in bytes; none when it leaves in pieces.
    #[must_use]
    pub fn kept_bytes(&self) -> Option<u64> {
        self.whole.then_some(self.content.len() as u64)
    }

    /// Makes room for all the content that it may get: growing bit by bit would need it twice.
    /// In `memory`, if that is large enough.
    pub fn reserve(&mut self, mut memory: Vec<u8>) {
        let room = usize::try_from(self.room_bytes()).unwrap_or(0);
        memory.clear();
        // A record is written before it is seen that it does not fit.
        memory.reserve_exact((self.content.len() + room + PIECE / 16).max(MAPPED));
        memory.extend_from_slice(&self.content);
        self.content = memory;
    }

    /// Takes the newest content into the checksums.
    fn sum(&mut self) {
        let new = self.content.get(self.summed..).unwrap_or_default();
        self.sha256.update(new);
        self.crc32.update(new);
        self.summed = self.content.len();
    }

    /// Adds the next wrapped piece.
    pub fn append(&mut self, piece: PackedPiece) {
        self.body.append(piece.0);
    }

    fn take(&mut self, last: bool) -> RawPiece {
        self.sum();
        self.summed = 0;
        // The next piece is about as large.
        let next = if last { Vec::new() } else { Vec::with_capacity(PIECE + PIECE / 16) };
        let bytes = std::mem::replace(&mut self.content, next);
        self.cut += bytes.len() as u64;
        let level = self.window.format.compression;
        let following = if last { Vec::new() } else { dictionary(&bytes) };
        let before = std::mem::replace(&mut self.before, following);
        RawPiece { piece: Piece { bytes, before, level, last }, coding: self.body.coding() }
    }

    /// Ends the content. The last piece and the object that waits for its pieces. `last`:
    /// the window holds no record after it; `cursor`: where it ends.
    #[must_use]
    pub fn finish(mut self, cursor: Option<Cursor>, last: bool) -> (RawPiece, Unsealed) {
        if self.window.format.layout == Layout::Array {
            self.content.extend_from_slice(if self.records == 0 { b"[]\n".as_slice() } else { b"\n]\n" });
        }
        let piece = self.take(true);
        let unsealed = Unsealed {
            ordinal: self.ordinal,
            key: self.key,
            content_sha256: hex(&self.sha256.finalize()),
            content: Content { crc32: self.crc32.finalize(), bytes: self.cut },
            window: self.window,
            records: self.records,
            cut_values: self.cut_values,
            body: self.body,
            cursor,
            last,
        };
        (piece, unsealed)
    }
}

/// An object whose content is complete, and that waits for its wrapped pieces.
pub struct Unsealed {
    window: Arc<Window>,
    ordinal: u32,
    key: ObjectKey,
    content: Content,
    content_sha256: String,
    records: u64,
    cut_values: u64,
    body: Body,
    cursor: Option<Cursor>,
    last: bool,
}

impl Unsealed {
    /// Adds the next wrapped piece.
    pub fn append(&mut self, piece: PackedPiece) {
        self.body.append(piece.0);
    }

    /// A piece of it could not be wrapped.
    #[must_use]
    pub fn failed(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Wrap { key: self.key.clone(), source }
    }

    /// Its bytes so far.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// Ends and hashes the object, once all its pieces are in it.
    ///
    /// # Errors
    /// When the wrapping fails.
    pub fn seal(self) -> Result<Sealed, ArchiveError> {
        let key = self.key;
        let body =
            self.body.end(self.content).map_err(|source| ArchiveError::Wrap { key: key.clone(), source })?;
        let mut metadata = vec![
            (CONTENT_SHA256, self.content_sha256.clone()),
            ("auditferry-records", self.records.to_string()),
            ("auditferry-window-from", slot_name(self.window.from)),
            ("auditferry-window-to", slot_name(self.window.to)),
            ("auditferry-content-version", self.window.content_version.to_string()),
        ];
        if self.window.format.max_field_bytes > 0 {
            metadata.push(("auditferry-truncated-values", self.cut_values.to_string()));
        }
        let facts = SealedFacts {
            ordinal: self.ordinal,
            key,
            records: self.records,
            content_sha256: self.content_sha256,
            content_bytes: self.content.bytes,
            object_sha256: hex(&Sha256::digest(&body)),
            object_bytes: body.len() as u64,
            cursor: self.cursor,
            last: self.last,
        };
        Ok(Sealed { facts, body: body.into(), content_type: self.window.format.content_type(), metadata })
    }
}
