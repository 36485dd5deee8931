//! What writes the records of a window: chosen by the content version and the record format that are stored
//! with the window, so that one that another version of auditferry planned keeps its bytes.
//!
//! A version that was released never changes. Another way to write a record is a new version: a
//! module beside `json.rs` or a choice in it, a variant and a number here, and a folder beside
//! `tests/pure/golden/content-1`. Then [`CONTENT_VERSION`] counts up, and new windows get it whose format needs it.
//!
//! [`CONTENT_VERSION`]: crate::model::record::CONTENT_VERSION

use jiff::tz::TimeZone;

use crate::format::fields::{FieldsWriter, Names};
use crate::format::json::{Empty, JsonWriter};
use crate::model::account::AccountId;
use crate::model::format::RecordFormat;
use crate::model::record::RecordRef;
use crate::model::window::Window;

/// A writer of one content version and record format.
#[derive(Debug, Clone)]
pub enum Writer {
    /// Version 1: an empty text is `""`.
    V1(JsonWriter),
    /// Version 2: an empty text is `null`.
    V2(JsonWriter),
    /// Version 3 of our own fields.
    Fields(FieldsWriter),
}

/// A window whose content version this program does not know. Nothing of it may be made: a put
/// that was attempted may have created other bytes.
#[derive(Debug, thiserror::Error)]
#[error(
    "window {number} of account {account} was written by a newer auditferry: its content version is {version}, \
     which this one cannot write; run that version, or a newer one"
)]
pub struct UnknownVersion {
    account: AccountId,
    number: u64,
    version: u32,
}

impl Writer {
    /// The writer of a window, with times in `zone`.
    ///
    /// # Errors
    /// When the window is of a version that this program does not know.
    pub fn of(window: &Window, zone: TimeZone) -> Result<Self, UnknownVersion> {
        match window.content_version {
            1 => Ok(Self::V1(JsonWriter::new(zone, Empty::Text))),
            2 => Ok(Self::V2(JsonWriter::new(zone, Empty::Null))),
            3 => Ok(Self::third(window, zone)),
            version => {
                Err(UnknownVersion { account: window.account.clone(), number: window.number, version })
            }
        }
    }

    fn third(window: &Window, zone: TimeZone) -> Self {
        let format = &window.format;
        let fields = |names| Self::Fields(FieldsWriter::new(zone, names, format.absent));
        match format.record_format {
            RecordFormat::Display => fields(Names::DISPLAY),
            RecordFormat::SnakeCase => fields(Names::SNAKE_CASE),
        }
    }

    /// Appends a record, without what stands between records.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        match self {
            Self::V1(json) | Self::V2(json) => json.write(record, out),
            Self::Fields(fields) => fields.write(record, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::CONTENT_VERSION;
    use crate::model::window::tests::window;

    #[test]
    fn every_version_so_far_has_a_writer_and_no_other() {
        let of = |version| Writer::of(&Window { content_version: version, ..window(None) }, TimeZone::UTC);
        for version in 1..=CONTENT_VERSION {
            assert!(of(version).is_ok(), "{version}");
        }
        for version in [0, CONTENT_VERSION + 1, u32::MAX] {
            let refused = of(version).expect_err("refused").to_string();
            assert!(refused.contains("window 3 of account acme corp"), "{refused}");
            assert!(refused.contains(&format!("content version is {version}")), "{refused}");
        }
    }
}
