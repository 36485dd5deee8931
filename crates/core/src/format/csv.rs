//! Records as CSV for spreadsheets: RFC 4180, with a mark before each cell that a spreadsheet would run as a formula.

use jiff::tz::TimeZone;

use super::time::TimeWriter;
use crate::model::record::{FIELDS, RecordRef};

/// What tells programs that a text is UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Writes records as lines of CSV, with times in one zone.
#[derive(Debug, Clone)]
pub struct CsvWriter {
    time: TimeWriter,
}

impl CsvWriter {
    /// A writer of times in `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self { time: TimeWriter::new(zone) }
    }

    /// Begins a file, with the names of the fields.
    pub fn begin(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(BYTE_ORDER_MARK);
        out.extend_from_slice(FIELDS.join(",").as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Appends a record as one line.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        self.time.write(record.occurred_at, out);
        let texts = [
            Some(record.email),
            Some(record.action),
            record.action_id,
            Some(record.description),
            record.ip_address,
        ];
        for text in texts {
            out.push(b',');
            write_cell(text.unwrap_or_default(), out);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// A cell. What a spreadsheet would run gets a quotation mark `'` before it: ASVS 5.0, 1.2.10.
fn write_cell(text: &str, out: &mut Vec<u8>) {
    let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ');
    let quote = |out: &mut Vec<u8>| {
        if quoted {
            out.push(b'"');
        }
    };
    quote(out);
    if runs {
        out.push(b'\'');
    }
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    quote(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::RecordKey;
    use proptest::prelude::*;

    fn cell(text: &str) -> String {
        let mut out = Vec::new();
        write_cell(text, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_cell_that_would_run_is_marked() {
        assert_eq!(cell("=cmd|'/c calc'!A1"), "'=cmd|'/c calc'!A1");
        assert_eq!(cell("+1"), "'+1");
        assert_eq!(cell("-1"), "'-1");
        assert_eq!(cell("@sum"), "'@sum");
        assert_eq!(cell("\tx"), "'\tx");
        assert_eq!(cell("\rx"), "\"'\rx\"");
        assert_eq!(cell("=HYPERLINK(\"x\",\"y\")"), "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"");
        assert_eq!(cell("a=b"), "a=b");
    }

    #[test]
    fn a_file_has_a_mark_names_and_lines() {
        let mut writer = CsvWriter::new(TimeZone::get("Asia/Kolkata").expect("zone"));
        let mut out = Vec::new();
        writer.begin(&mut out);
        let record = RecordRef {
            key: RecordKey::Unknown,
            occurred_at: "2026-11-21T04:00:00.1239Z".parse().expect("instant"),
            email: "ana@acme.example",
            action: "login",
            action_id: None,
            description: "said \"hi\",\nthen left",
            ip_address: Some("2001:db8::1"),
        };
        writer.write(&record, &mut out);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "\u{feff}Date,Email,Action,Action ID,Description,IP Address\r\n\
             2026-11-21T09:30:00.123+05:30,ana@acme.example,login,,\"said \"\"hi\"\",\nthen left\",2001:db8::1\r\n"
        );
    }

    proptest! {
        /// Read by the rules of RFC 4180 a cell is what went in, and none begins with what runs.
        #[test]
        fn a_cell_reads_back(text in any::<String>(), begin in "[=+@,\" \r\n\t-]{0,3}") {
            let text = format!("{begin}{text}");
            let written = cell(&text);
            let read = match written.strip_prefix('"') {
                Some(rest) => rest.strip_suffix('"').expect("it is closed").replace("\"\"", "\""),
                None => {
                    prop_assert!(!written.contains([',', '"', '\r', '\n']));
                    written
                }
            };
            prop_assert!(!read.starts_with(['=', '+', '-', '@', '\t', '\r']));
            let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
            prop_assert_eq!(read.strip_prefix('\'').filter(|_| runs).unwrap_or(&read), text);
        }
    }
}
