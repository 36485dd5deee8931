//! Records become lines of JSON: the hottest path, so it allocates nothing per record.

use jiff::tz::TimeZone;

use super::json_text::write_string;
use super::time::TimeWriter;
use crate::model::record::RecordRef;

/// Writes records as JSON objects with the names that people read, with times in one zone.
#[derive(Debug, Clone)]
pub struct JsonWriter {
    time: TimeWriter,
    empty: Empty,
}

/// What an empty text is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// `""`: content version 1.
    Text,
    /// `null`, as an absent one: content version 2.
    Null,
}

impl JsonWriter {
    /// A writer of times in `zone`.
    #[must_use]
    pub fn new(zone: TimeZone, empty: Empty) -> Self {
        Self { time: TimeWriter::new(zone), empty }
    }

    /// Appends a record as one JSON object, without a newline.
    ///
    /// Raw UTF-8, but U+0085, U+2028 and U+2029 are escaped: readers of lines
    /// split at them.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"Date":""#);
        self.time.write(record.occurred_at, out);
        out.extend_from_slice(br#"","Email":"#);
        self.write_text(Some(record.email), out);
        out.extend_from_slice(br#","Action":"#);
        self.write_text(Some(record.action), out);
        out.extend_from_slice(br#","Action ID":"#);
        self.write_text(record.action_id, out);
        out.extend_from_slice(br#","Description":"#);
        self.write_text(Some(record.description), out);
        out.extend_from_slice(br#","IP Address":"#);
        self.write_text(record.ip_address, out);
        out.push(b'}');
    }

    fn write_text(&self, text: Option<&str>, out: &mut Vec<u8>) {
        match text {
            None => out.extend_from_slice(b"null"),
            Some("") if self.empty == Empty::Null => out.extend_from_slice(b"null"),
            Some(text) => write_string(text, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::record::Record;

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
        line_with(record, zone, Empty::Null)
    }

    fn line_with(record: &Record, zone: &str, empty: Empty) -> String {
        let mut out = Vec::new();
        JsonWriter::new(TimeZone::get(zone).expect("zone"), empty).write(&record.borrow(), &mut out);
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
    fn an_empty_text_is_null_like_an_absent_one_and_in_version_1_stays_empty() {
        let at: Timestamp = "2026-11-21T04:00:00Z".parse().expect("instant");
        let nothing = |optional: Option<String>| Record {
            occurred_at: at,
            email: String::new(),
            action: String::new(),
            action_id: optional.clone(),
            description: String::new(),
            ip_address: optional,
        };
        let fields = |value: &str, optional: &str| {
            format!(
                r#"{{"Date":"2026-11-21T04:00:00.000+00:00","Email":{value},"Action":{value},"Action ID":{optional},"Description":{value},"IP Address":{optional}}}"#
            )
        };
        for optional in [None, Some(String::new())] {
            let record = nothing(optional.clone());
            assert_eq!(line_with(&record, "UTC", Empty::Null), fields("null", "null"));
            let old = if optional.is_some() { r#""""# } else { "null" };
            assert_eq!(line_with(&record, "UTC", Empty::Text), fields(r#""""#, old));
        }
    }

    #[test]
    fn offsets_of_every_kind_are_minutes() {
        assert!(line(&record(), "America/New_York").contains("2026-11-20T23:00:00.123-05:00"));
        assert!(line(&record(), "UTC").contains("T04:00:00.123+00:00"));
        let old = Record { occurred_at: "1850-01-01T00:00:00Z".parse().expect("instant"), ..record() };
        // New York kept local mean time, -4:56:02, until 1883.
        assert!(line(&old, "America/New_York").contains("1849-12-31T19:04:00.000-04:56"));
    }
}
