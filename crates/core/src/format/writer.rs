//! What writes the records of a window: chosen by the content version and the record format that are stored
//! with the window, so that one that another version of auditferry planned keeps its bytes.
//!
//! A version that was released never changes. Another way to write a record is a new version: a
//! module beside `json.rs` or a choice in it, a variant and a number here, and a folder beside
//! `tests/pure/golden/content-1`. Then [`CONTENT_VERSION`] counts up, and new windows get it whose format needs it.
//!
//! [`CONTENT_VERSION`]: crate::model::record::CONTENT_VERSION

use jiff::tz::TimeZone;

use crate::format::about::About;
use crate::format::asim::AsimWriter;
use crate::format::cef::CefWriter;
use crate::format::cim::CimWriter;
use crate::format::cut::Cutter;
use crate::format::ecs::EcsWriter;
use crate::format::fields::{FieldsWriter, Names};
use crate::format::json::{Empty, JsonWriter};
use crate::format::leef::LeefWriter;
use crate::format::ocsf::OcsfWriter;
use crate::format::udm::UdmWriter;
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
    /// Version 3: one of the record formats, of values that are cut when they are too long.
    V3(Cutter, Box<Third>),
}

/// The record formats of version 3.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the variants are those of RecordFormat")]
pub enum Third {
    Fields(FieldsWriter),
    Ocsf(OcsfWriter),
    Ecs(EcsWriter),
    Cef(CefWriter),
    Leef(LeefWriter),
    Udm(UdmWriter),
    Asim(AsimWriter),
    Cim(CimWriter),
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
        let about = About::of(window);
        let writer = match format.record_format {
            RecordFormat::Display => {
                Third::Fields(FieldsWriter::new(about, zone, Names::DISPLAY, format.absent))
            }
            RecordFormat::SnakeCase => {
                Third::Fields(FieldsWriter::new(about, zone, Names::SNAKE_CASE, format.absent))
            }
            RecordFormat::Ocsf => Third::Ocsf(OcsfWriter::new(about, zone)),
            RecordFormat::Ecs => Third::Ecs(EcsWriter::new(about, zone)),
            RecordFormat::Cef => Third::Cef(CefWriter::new(about)),
            RecordFormat::Leef => Third::Leef(LeefWriter::new(about, zone)),
            RecordFormat::Udm => Third::Udm(UdmWriter::new(about)),
            RecordFormat::Asim => Third::Asim(AsimWriter::new(about)),
            RecordFormat::Cim => Third::Cim(CimWriter::new(about)),
        };
        Self::V3(Cutter::new(format.max_field_bytes), Box::new(writer))
    }

    /// Appends a record, without what stands between records. How many of its values were cut.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) -> u64 {
        match self {
            Self::V1(json) | Self::V2(json) => {
                json.write(record, out);
                0
            }
            Self::V3(cutter, writer) => {
                let (record, cut) = cutter.cut(record);
                match &mut **writer {
                    Third::Fields(writer) => writer.write(&record, out),
                    Third::Ocsf(writer) => writer.write(&record, out),
                    Third::Ecs(writer) => writer.write(&record, out),
                    Third::Cef(writer) => writer.write(&record, out),
                    Third::Leef(writer) => writer.write(&record, out),
                    Third::Udm(writer) => writer.write(&record, out),
                    Third::Asim(writer) => writer.write(&record, out),
                    Third::Cim(writer) => writer.write(&record, out),
                }
                cut
            }
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
