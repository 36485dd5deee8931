//! A record: one audit event, and how it is written as a line of JSON.

use std::io::Write as _;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// The six field names, in the order in which they are written.
pub const FIELDS: [&str; 6] = ["Date", "Email", "Action", "Action ID", "Description", "IP Address"];

/// Version of the line format, stored with each window so that a window
/// planned by an older binary keeps its bytes.
pub const CONTENT_VERSION: u32 = 1;

/// One audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub email: String,
    /// What was done.
    pub action: String,
    /// The vendor's id of the action.
    pub action_id: Option<String>,
    /// What a person reads about it.
    pub description: String,
    /// From where it was done.
    pub ip_address: Option<String>,
}

impl Record {
    /// Appends the record as one JSON object, without a newline.
    ///
    /// Raw UTF-8, but U+0085, U+2028 and U+2029 are escaped: readers of lines
    /// split at them.
    pub fn write_json(&self, zone: &TimeZone, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"Date":""#);
        write_date(self.occurred_at, zone, out);
        out.extend_from_slice(br#"","Email":"#);
        write_text(&self.email, out);
        out.extend_from_slice(br#","Action":"#);
        write_text(&self.action, out);
        out.extend_from_slice(br#","Action ID":"#);
        write_optional(self.action_id.as_deref(), out);
        out.extend_from_slice(br#","Description":"#);
        write_text(&self.description, out);
        out.extend_from_slice(br#","IP Address":"#);
        write_optional(self.ip_address.as_deref(), out);
        out.push(b'}');
    }
}

/// RFC 3339 with milliseconds (cut, not rounded) and the zone's offset.
///
/// RFC 3339 knows no seconds in offsets, which zones had before they were
/// standardised: the offset is rounded to minutes and the local time with it,
/// so that the instant stays exact.
fn write_date(at: Timestamp, zone: &TimeZone, out: &mut Vec<u8>) {
    let exact = zone.to_offset(at).seconds();
    let minutes = (f64::from(exact) / 60.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "an offset is under 26 hours")]
    let offset = Offset::from_seconds(minutes as i32 * 60).unwrap_or(Offset::UTC);
    let local = offset.to_datetime(at);
    let sign = if offset.is_negative() { '-' } else { '+' };
    let shift = offset.seconds().abs() / 60;
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{sign}{:02}:{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second(),
        local.subsec_nanosecond() / 1_000_000,
        shift / 60,
        shift % 60,
    );
}

fn write_optional(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => write_text(text, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// JSON string (RFC 8259, section 7), with the three line separators escaped.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let (escape, length): (&[u8], usize) = match byte {
            b'"' => (b"\\\"", 1),
            b'\\' => (b"\\\\", 1),
            b'\n' => (b"\\n", 1),
            b'\r' => (b"\\r", 1),
            b'\t' => (b"\\t", 1),
            0x08 => (b"\\b", 1),
            0x0c => (b"\\f", 1),
            0x00..=0x1f => (b"", 1),
            0xc2 if bytes.get(at + 1) == Some(&0x85) => (b"\\u0085", 2),
            0xe2 if bytes.get(at + 1..at + 3) == Some(&[0x80, 0xa8]) => (b"\\u2028", 3),
            0xe2 if bytes.get(at + 1..at + 3) == Some(&[0x80, 0xa9]) => (b"\\u2029", 3),
            _ => {
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(&bytes[copied..at]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.extend_from_slice(escape);
        }
        at += length;
        copied = at;
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

/// Earliest and latest instants that a record may carry: four-digit years in every zone.
#[must_use]
pub fn allowed_instants() -> std::ops::Range<Timestamp> {
    let day = SignedDuration::from_hours(48);
    let first = Timestamp::constant(-62_135_596_800, 0);
    let last = Timestamp::constant(253_402_207_200, 0);
    first + day..last - day
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> Record {
        Record {
            occurred_at: "2026-11-21T04:00:00.1239Z".parse().expect("instant"),
            email: "ana@acme.example".into(),
            action: "login".into(),
            action_id: None,
            description: "said \"hi\"\n\u{2028}\u{2029}\u{85}\u{1}\t\\ 🦀 é".into(),
            ip_address: Some("2001:db8::1".into()),
        }
    }

    fn line(record: &Record, zone: &str) -> String {
        let mut out = Vec::new();
        record.write_json(&TimeZone::get(zone).expect("zone"), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_line_has_the_six_fields_in_order() {
        assert_eq!(
            line(&record(), "Asia/Kolkata"),
            concat!(
                r#"{"Date":"2026-11-21T09:30:00.123+05:30","Email":"ana@acme.example","#,
                r#""Action":"login","Action ID":null,"Description":"said \"hi\"\n\u2028\u2029"#,
                r#"\u0085\u0001\t\\ 🦀 é","IP Address":"2001:db8::1"}"#
            )
        );
    }

    #[test]
    fn offsets_of_every_kind_are_minutes() {
        assert!(line(&record(), "America/New_York").contains("2026-11-20T23:00:00.123-05:00"));
        assert!(line(&record(), "UTC").contains("T04:00:00.123+00:00"));
        let old = Record { occurred_at: "1850-01-01T00:00:00Z".parse().expect("instant"), ..record() };
        // New York kept local mean time, -4:56:02, until 1883.
        assert!(line(&old, "America/New_York").contains("1849-12-31T19:04:00.000-04:56"));
    }

    proptest! {
        #[test]
        fn any_text_reads_back_with_serde_json(text in any::<String>()) {
            let record = Record { description: text.clone(), email: text.clone(), action_id: Some(text.clone()), ..record() };
            let line = line(&record, "UTC");
            let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            prop_assert_eq!(value["Description"].as_str(), Some(text.as_str()));
            prop_assert_eq!(value["Email"].as_str(), Some(text.as_str()));
            prop_assert_eq!(value["Action ID"].as_str(), Some(text.as_str()));
            let separators = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
            prop_assert!(!line.contains(separators));
        }

        #[test]
        fn any_date_reads_back_to_the_millisecond(ms in -62_000_000_000_000_i64..253_000_000_000_000) {
            let at = Timestamp::from_millisecond(ms).expect("instant");
            for zone in ["Asia/Kolkata", "America/New_York", "Africa/Monrovia", "Australia/Lord_Howe"] {
                let mut out = Vec::new();
                write_date(at, &TimeZone::get(zone).expect("zone"), &mut out);
                let text = String::from_utf8(out).expect("UTF-8");
                prop_assert_eq!(text.parse::<Timestamp>().expect("RFC 3339"), at);
            }
        }
    }
}
