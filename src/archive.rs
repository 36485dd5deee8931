//! Records become objects: lines of JSON, wrapped, hashed. The same window
//! always gives the same bytes.

use std::io::{Cursor as Buffer, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use sha2::{Digest as _, Sha256};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::record::Record;
use crate::window::{Container, Cursor, EmptyWindows, Layout, ObjectKey, Window, slot_name};

/// The metadata that holds the SHA-256 of an object's uncompressed content.
pub const CONTENT_SHA256: &str = "auditferry-sha256";

/// What is stored of a sealed object, before it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFacts {
    /// Its place within the window, counted from 1.
    pub ordinal: u32,
    /// Its name.
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
        source: std::io::Error,
    },
}

/// Collects the records of one object until it is full.
pub struct ObjectBuilder {
    window: Arc<Window>,
    zone: TimeZone,
    ordinal: u32,
    content: Vec<u8>,
    line: Vec<u8>,
    records: u64,
    cursor: Option<Cursor>,
}

/// What became of a record that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is in the object.
    Taken,
    /// The object is full; the record belongs to the next.
    Full,
}

impl ObjectBuilder {
    /// Begins the `ordinal`-th object of a window, whose records end at `cursor` so far.
    #[must_use]
    pub fn new(window: Arc<Window>, zone: TimeZone, ordinal: u32, cursor: Option<Cursor>) -> Self {
        Self { window, zone, ordinal, content: Vec::new(), line: Vec::new(), records: 0, cursor }
    }

    /// Adds a record, unless that would take the object over a limit. A record that
    /// is over the limit by itself gets an object of its own.
    pub fn offer(&mut self, cursor: &Cursor, record: &Record) -> Offer {
        let format = &self.window.format;
        self.line.clear();
        record.write_json(&self.zone, &mut self.line);
        let bytes = self.content.len() + self.line.len() + 4;
        let full = self.records >= format.max_records || bytes as u64 > format.max_bytes;
        if self.records > 0 && full {
            return Offer::Full;
        }
        match (format.layout, self.records) {
            (Layout::Lines, _) => {}
            (Layout::Array, 0) => self.content.extend_from_slice(b"[\n"),
            (Layout::Array, _) => self.content.extend_from_slice(b",\n"),
        }
        self.content.extend_from_slice(&self.line);
        if format.layout == Layout::Lines {
            self.content.push(b'\n');
        }
        self.records += 1;
        self.cursor = Some(cursor.clone());
        Offer::Taken
    }

    /// Whether nothing is in it and nothing should be put.
    #[must_use]
    pub fn is_void(&self) -> bool {
        let wanted = self.ordinal == 1 && self.window.format.empty_windows == EmptyWindows::Object;
        self.records == 0 && !wanted
    }

    /// Wraps and hashes what was collected. `last`: the window holds no record after it.
    ///
    /// # Errors
    /// When the wrapping fails.
    pub fn seal(self, last: bool) -> Result<Sealed, ArchiveError> {
        let key = self.window.key(self.ordinal);
        self.seal_as(key, last)
    }

    /// [`ObjectBuilder::seal`] under a name that is not the object's own.
    ///
    /// # Errors
    /// As [`ObjectBuilder::seal`].
    pub fn seal_as(mut self, key: ObjectKey, last: bool) -> Result<Sealed, ArchiveError> {
        if self.window.format.layout == Layout::Array {
            self.content.extend_from_slice(if self.records == 0 { b"[]\n".as_slice() } else { b"\n]\n" });
        }
        let content_sha256 = hex(&Sha256::digest(&self.content));
        let content_bytes = self.content.len() as u64;
        let body = wrap(&self.window, &key, self.content)
            .map_err(|source| ArchiveError::Wrap { key: key.clone(), source })?;
        let metadata = vec![
            (CONTENT_SHA256, content_sha256.clone()),
            ("auditferry-records", self.records.to_string()),
            ("auditferry-window-from", slot_name(self.window.from)),
            ("auditferry-window-to", slot_name(self.window.to)),
            ("auditferry-content-version", self.window.content_version.to_string()),
        ];
        let facts = SealedFacts {
            ordinal: self.ordinal,
            key,
            records: self.records,
            content_sha256,
            content_bytes,
            object_sha256: hex(&Sha256::digest(&body)),
            object_bytes: body.len() as u64,
            cursor: self.cursor,
            last,
        };
        Ok(Sealed { facts, body, content_type: self.window.format.content_type(), metadata })
    }
}

fn wrap(window: &Window, key: &ObjectKey, content: Vec<u8>) -> std::io::Result<Bytes> {
    let level = window.format.compression.min(9);
    match window.format.container {
        Container::None => Ok(content.into()),
        Container::Gzip => {
            // RFC 1952 stores the time in 32 bits; 0 means that there is none.
            let time = u32::try_from(window.slot.as_second()).unwrap_or(0);
            let mut gzip = GzBuilder::new().mtime(time).write(Vec::new(), Compression::new(level));
            gzip.write_all(&content)?;
            Ok(gzip.finish()?.into())
        }
        Container::Zip => {
            // The zip crate refuses level 0 of deflate; as `zip -0` does, it stores the entry.
            let options = match level {
                0 => SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
                _ => SimpleFileOptions::default().compression_level(Some(i64::from(level))),
            };
            let options = options.last_modified_time(zip_time(window.slot)).unix_permissions(0o644);
            let mut zip = ZipWriter::new(Buffer::new(Vec::new()));
            zip.start_file(key.entry_name(), options)?;
            zip.write_all(&content)?;
            Ok(zip.finish()?.into_inner().into())
        }
    }
}

/// The slot in UTC: DOS times have no zone, and count from 1980 in steps of two seconds.
fn zip_time(slot: Timestamp) -> zip::DateTime {
    let at = Offset::UTC.to_datetime(slot);
    let part = |value: i8| u8::try_from(value).unwrap_or(0);
    zip::DateTime::from_date_and_time(
        u16::try_from(at.year()).unwrap_or(0),
        part(at.month()),
        part(at.day()),
        part(at.hour()),
        part(at.minute()),
        part(at.second()),
    )
    .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
