//! Records as a file that somebody downloads.

use jiff::tz::TimeZone;

use super::csv::CsvWriter;
use super::json::{Empty, JsonWriter};
use crate::model::download::FileFormat;
use crate::model::record::RecordRef;

/// Writes the records of a file, one after the other.
#[derive(Debug, Clone)]
pub struct FileWriter {
    kind: Kind,
    empty: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    Csv(CsvWriter),
    /// An array, with one record a line, as objects with the layout `array` have it.
    Json(JsonWriter),
    /// One record a line.
    Ndjson(JsonWriter),
}

impl FileWriter {
    /// A writer of times in `zone`.
    #[must_use]
    pub fn new(format: FileFormat, zone: TimeZone) -> Self {
        let json = |zone| JsonWriter::new(zone, Empty::Null);
        let kind = match format {
            FileFormat::Csv => Kind::Csv(CsvWriter::new(zone)),
            FileFormat::Json => Kind::Json(json(zone)),
            FileFormat::Ndjson => Kind::Ndjson(json(zone)),
        };
        Self { kind, empty: true }
    }

    /// What stands before the first record.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Csv(csv) => csv.begin(out),
            Kind::Json(_) => out.push(b'['),
            Kind::Ndjson(_) => {}
        }
    }

    /// Appends a record.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        match &mut self.kind {
            Kind::Csv(csv) => csv.write(record, out),
            Kind::Json(json) => {
                out.extend_from_slice(if self.empty { b"\n" } else { b",\n" });
                json.write(record, out);
            }
            Kind::Ndjson(json) => {
                json.write(record, out);
                out.push(b'\n');
            }
        }
        self.empty = false;
    }

    /// What stands behind the last record.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Json(_) if self.empty => out.extend_from_slice(b"]\n"),
            Kind::Json(_) => out.extend_from_slice(b"\n]\n"),
            Kind::Csv(_) | Kind::Ndjson(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::RecordKey;

    fn file(format: FileFormat, records: usize) -> String {
        let mut writer = FileWriter::new(format, TimeZone::UTC);
        let mut out = Vec::new();
        writer.begin(&mut out);
        for number in 0..records {
            let email = format!("{number}@acme.example");
            let record = RecordRef {
                key: RecordKey::Unknown,
                occurred_at: "2026-11-21T04:00:00Z".parse().expect("instant"),
                email: &email,
                action: "login",
                action_id: None,
                description: "",
                ip_address: None,
            };
            writer.write(&record, &mut out);
        }
        writer.end(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn json_is_json_with_any_number_of_records() {
        for records in [0, 1, 2, 5] {
            let array: Vec<serde_json::Value> =
                serde_json::from_str(&file(FileFormat::Json, records)).expect("JSON");
            assert_eq!(array.len(), records);
            let text = file(FileFormat::Ndjson, records);
            let lines: Vec<serde_json::Value> =
                text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            assert_eq!(lines, array);
            assert_eq!(file(FileFormat::Csv, records).matches("\r\n").count(), records + 1);
        }
    }
}
