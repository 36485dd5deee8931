//! The record formats of our own fields, `display` and `snake_case`, in content version 3: as version 2, and what a
//! format asks for besides.

use jiff::tz::TimeZone;

use super::about::About;
use super::json_text::{write_escaped, write_member, write_string};
use super::time::TimeWriter;
use crate::model::format::Absent;
use crate::model::record::RecordRef;

/// What the fields are called, in the order in which they are written.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// How a record begins, up to the time.
    begin: &'static [u8],
    /// What stands before each text.
    texts: [&'static [u8]; 5],
    /// What stands before the values of the envelope: id, account, window, source.
    envelope: [&'static [u8]; 4],
}

impl Names {
    /// What people read: `Action ID`.
    pub const DISPLAY: Self = Self {
        begin: br#"{"Date":""#,
        texts: [
            br#","Email":"#,
            br#","Action":"#,
            br#","Action ID":"#,
            br#","Description":"#,
            br#","IP Address":"#,
        ],
        envelope: [br#","Record ID":""#, br#"","Account":"#, br#","Window":"#, br#","Source":"#],
    };
    /// What programs take as a name: `action_id`.
    pub const SNAKE_CASE: Self = Self {
        begin: br#"{"date":""#,
        texts: [
            br#","email":"#,
            br#","action":"#,
            br#","action_id":"#,
            br#","description":"#,
            br#","ip_address":"#,
        ],
        envelope: [br#","record_id":""#, br#"","account":"#, br#","window":"#, br#","source":"#],
    };
}

/// Writes records as JSON objects of our own fields.
#[derive(Debug, Clone)]
pub struct FieldsWriter {
    time: TimeWriter,
    names: Names,
    absent: Absent,
    about: About,
    /// What stands behind the id: the rest of the envelope.
    end: Vec<u8>,
}

impl FieldsWriter {
    /// A writer of times in `zone`.
    #[must_use]
    pub fn new(about: About, zone: TimeZone, names: Names, absent: Absent) -> Self {
        let [_, account, window, source] = names.envelope;
        let mut end = Vec::new();
        if about.envelope {
            write_member(account, &about.account, &mut end);
            end.extend_from_slice(window);
            end.extend_from_slice(about.window.to_string().as_bytes());
            write_member(source, &about.source, &mut end);
        }
        end.push(b'}');
        Self { time: TimeWriter::new(zone), names, absent, about, end }
    }

    /// Appends a record as one JSON object, without a newline. An empty text is as good as none.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.names.begin);
        self.time.write(record.occurred_at, out);
        out.push(b'"');
        for (name, text) in self.names.texts.into_iter().zip(record.texts()) {
            if !text.is_empty() {
                out.extend_from_slice(name);
                write_string(text, out);
            } else if self.absent == Absent::Null {
                out.extend_from_slice(name);
                out.extend_from_slice(b"null");
            }
        }
        if self.about.envelope {
            out.extend_from_slice(self.names.envelope[0]);
            self.about.write_id(record, out, write_escaped);
        }
        out.extend_from_slice(&self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::json::{Empty, JsonWriter};
    use crate::model::record::RecordKey;
    use crate::model::window::tests::window;

    const RECORD: RecordRef<'_> = RecordRef {
        key: RecordKey::Text("a\"b"),
        occurred_at: jiff::Timestamp::constant(1_796_000_000, 123_900_000),
        email: "",
        action: "login",
        action_id: None,
        description: "said \"hi\"\n",
        ip_address: Some("2001:db8::1"),
    };

    fn line(names: Names, absent: Absent) -> String {
        line_with(false, names, absent)
    }

    fn line_with(envelope: bool, names: Names, absent: Absent) -> String {
        let mut out = Vec::new();
        let about = About { envelope, ..About::of(&window(None)) };
        FieldsWriter::new(about, TimeZone::UTC, names, absent).write(&RECORD, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn with_null_it_is_what_version_2_writes() {
        let mut out = Vec::new();
        JsonWriter::new(TimeZone::UTC, Empty::Null).write(&RECORD, &mut out);
        assert_eq!(line(Names::DISPLAY, Absent::Null).as_bytes(), out);
    }

    #[test]
    fn what_is_absent_can_be_left_out_and_names_can_be_for_programs() {
        assert_eq!(
            line(Names::SNAKE_CASE, Absent::Omit),
            r#"{"date":"2026-11-30T00:53:20.123+00:00","action":"login","description":"said \"hi\"\n","ip_address":"2001:db8::1"}"#
        );
        assert_eq!(
            line(Names::SNAKE_CASE, Absent::Null),
            r#"{"date":"2026-11-30T00:53:20.123+00:00","email":null,"action":"login","action_id":null,"description":"said \"hi\"\n","ip_address":"2001:db8::1"}"#
        );
        let enveloped = line_with(true, Names::SNAKE_CASE, Absent::Omit);
        let end = r#","record_id":"acme.20corp:a\"b:1796000000123900","account":"acme corp","window":3,"source":"auditferry"}"#;
        assert!(enveloped.ends_with(end), "{enveloped}");
        assert!(line(Names::DISPLAY, Absent::Omit).ends_with(r#","IP Address":"2001:db8::1"}"#));
    }
}
