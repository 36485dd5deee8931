//! What a window says of all its records, and the id that a record keeps for ever.

use std::io::Write as _;

use crate::model::record::{RecordKey, RecordRef};
use crate::model::window::Window;

/// What the standard formats name as the product behind a vendor.
pub(super) const PRODUCT: &str = "Audit Log";

/// What is the same for all records of a window.
#[derive(Debug, Clone)]
pub struct About {
    /// The account's id.
    pub account: String,
    /// The account as it stands in ids of records: as in keys, so without `:`.
    pub encoded: String,
    /// The window's number.
    pub window: u64,
    /// Whose records they are.
    pub source: String,
    /// The version of the content.
    pub version: u32,
    /// Whether window and source are wanted in each record.
    pub envelope: bool,
}

impl About {
    /// What a window says.
    #[must_use]
    pub fn of(window: &Window) -> Self {
        Self {
            account: window.account.to_string(),
            encoded: window.account.encoded().to_string(),
            window: window.number,
            source: window.format.source.clone(),
            version: window.content_version,
            envelope: window.format.envelope,
        }
    }

    /// Writes a record's id: `<account>:<key in the source>:<microseconds since 1970>`.
    ///
    /// Two records of one source never share it, and a record keeps it in every object, replay and generation. The time
    /// is in it because a source that went back, as a standby does after a failover, gives its numbers a second time.
    /// `text` writes the key, if that is a text, as the format needs it.
    pub(super) fn write_id(
        &self,
        record: &RecordRef<'_>,
        out: &mut Vec<u8>,
        text: impl Fn(&str, &mut Vec<u8>),
    ) {
        out.extend_from_slice(self.encoded.as_bytes());
        out.push(b':');
        match record.key {
            RecordKey::Unknown => {}
            RecordKey::Number(number) => write_number(number, out),
            RecordKey::Text(key) => text(key, out),
        }
        out.push(b':');
        write_number(record.occurred_at.as_microsecond(), out);
    }
}

/// A number in decimal.
pub(super) fn write_number(number: i64, out: &mut Vec<u8>) {
    // It cannot fail: a Vec takes everything.
    let _ = write!(out, "{number}");
}
