//! Records from a file of JSON lines or CSV, with the six field names.

use std::io::BufRead;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use auditferry_core::model::record::{FIELDS, Record, allowed_instants};
use auditferry_core::text::one_line::one_line;

/// Longest line that is read, in bytes: a record with a description of some MiB.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// Longest part of a file that an error shows.
const MAX_SHOWN_CHARS: usize = 200;

/// The first record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ImportError {
    /// Counted from 1.
    pub line: u64,
    /// The field, its problem and the fix.
    pub problem: String,
}

/// The forms of file that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileForm {
    /// One JSON object per line.
    JsonLines,
    /// Comma-separated values with a header.
    Csv,
}

/// A record as a file has it: texts that are still to be checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "Date")]
    date: String,
    #[serde(rename = "Email", deserialize_with = "text_or_null")]
    email: String,
    #[serde(rename = "Action", deserialize_with = "text_or_null")]
    action: String,
    #[serde(rename = "Action ID", default)]
    action_id: Option<String>,
    #[serde(rename = "Description", deserialize_with = "text_or_null")]
    description: String,
    #[serde(rename = "IP Address", default)]
    ip_address: Option<String>,
}

/// A field that must be there, and may be `null`: so our own objects have an absent one.
fn text_or_null<'de, D: Deserializer<'de>>(field: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(field)?.unwrap_or_default())
}

impl Raw {
    fn checked(self) -> Result<Record, String> {
        let occurred_at: Timestamp = self.date.parse().map_err(|_| {
            let date = one_line(&self.date, MAX_SHOWN_CHARS);
            format!("Date: {date:?} is not an instant; write it like 2026-11-21T09:30:00.123+05:30")
        })?;
        if !allowed_instants().contains(&occurred_at) {
            return Err(format!("Date: {occurred_at} is outside the years 0001 to 9999"));
        }
        let texts = [
            ("Email", Some(&self.email)),
            ("Action", Some(&self.action)),
            ("Action ID", self.action_id.as_ref()),
            ("Description", Some(&self.description)),
            ("IP Address", self.ip_address.as_ref()),
        ];
        for (field, text) in texts {
            if text.is_some_and(|text| text.contains('\0')) {
                return Err(format!("{field}: it holds U+0000, which databases refuse; remove it"));
            }
        }
        Ok(Record {
            occurred_at,
            email: self.email,
            action: self.action,
            action_id: self.action_id,
            description: self.description,
            ip_address: self.ip_address,
        })
    }
}

/// Reads the records of a file, one after the other. After an error there is no next.
///
/// # Errors
/// Of the first item: when a CSV's header is not the six names.
pub fn records<'r>(
    form: FileForm,
    input: impl BufRead + 'r,
) -> Box<dyn Iterator<Item = Result<Record, ImportError>> + 'r> {
    match form {
        FileForm::JsonLines => Box::new(json_lines(input)),
        FileForm::Csv => Box::new(csv_rows(input)),
    }
}

fn json_lines(mut input: impl BufRead) -> impl Iterator<Item = Result<Record, ImportError>> {
    use std::io::Read as _;
    let mut line = 0;
    std::iter::from_fn(move || {
        loop {
            line += 1;
            let refuse = |problem: String| Some(Err(ImportError { line, problem }));
            let mut bytes = Vec::new();
            match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(read) if read as u64 == MAX_LINE => {
                    return refuse(format!(
                        "it is longer than {MAX_LINE} bytes; is this a file of JSON lines?"
                    ));
                }
                Ok(_) => {}
                Err(error) => return refuse(error.to_string()),
            }
            let text = match std::str::from_utf8(&bytes) {
                Ok(text) => text.trim(),
                Err(error) => return refuse(not_utf8(error.valid_up_to())),
            };
            if text.is_empty() {
                continue;
            }
            let raw = serde_json::from_str::<Raw>(text).map_err(|error| json_problem(&error));
            return Some(raw.and_then(Raw::checked).map_err(|problem| ImportError { line, problem }));
        }
    })
}

fn not_utf8(at: usize) -> String {
    format!("byte {} is not UTF-8; convert the file to UTF-8", at + 1)
}

/// Serde's words, without the line, which is always 1 here.
fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let problem = one_line(text.split(" at line ").next().unwrap_or(&text), MAX_SHOWN_CHARS);
    if error.is_data() {
        format!("{problem} (column {}); the fields are {}", error.column(), FIELDS.join(", "))
    } else {
        format!("column {}: it is not a JSON object ({problem})", error.column())
    }
}

fn csv_rows<'r>(input: impl BufRead + 'r) -> impl Iterator<Item = Result<Record, ImportError>> + 'r {
    let mut reader = csv::ReaderBuilder::new().from_reader(input);
    let problem = match reader.byte_headers() {
        Ok(headers) => {
            let names: Vec<String> =
                headers.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            header_problem(&names)
        }
        Err(error) => Some(error.to_string()),
    };
    let mut header_error = problem.map(|problem| ImportError { line: 1, problem });
    let mut rows = reader.into_byte_records();
    let mut failed = false;
    std::iter::from_fn(move || {
        if let Some(error) = header_error.take() {
            failed = true;
            return Some(Err(error));
        }
        if failed {
            return None;
        }
        let row = match rows.next()? {
            Ok(row) => row,
            Err(error) => {
                failed = true;
                let line = error.position().map_or(0, csv::Position::line);
                return Some(Err(ImportError { line, problem: csv_problem(&error) }));
            }
        };
        let line = row.position().map_or(0, csv::Position::line);
        let headers = rows.reader_mut().byte_headers().cloned();
        let record =
            headers.map_err(|error| error.to_string()).and_then(|headers| csv_record(&row, &headers));
        Some(record.map_err(|problem| ImportError { line, problem }))
    })
}

fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields, the header has {expected_len}; quote fields that hold a comma")
        }
        _ => error.to_string(),
    }
}

fn csv_record(row: &csv::ByteRecord, headers: &csv::ByteRecord) -> Result<Record, String> {
    let mut texts: [Option<String>; 6] = Default::default();
    for (name, value) in headers.iter().zip(row) {
        let Some(place) = FIELDS.iter().position(|field| field.as_bytes() == name.trim_ascii()) else {
            continue;
        };
        let text = std::str::from_utf8(value)
            .map_err(|error| format!("{}: {}", FIELDS[place], not_utf8(error.valid_up_to())))?;
        texts[place] = Some(text.to_owned());
    }
    let [date, email, action, action_id, description, ip_address] = texts;
    // CSV cannot tell an absent text from an empty one.
    let absent_if_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    Raw {
        date: date.unwrap_or_default(),
        email: email.unwrap_or_default(),
        action: action.unwrap_or_default(),
        action_id: absent_if_empty(action_id),
        description: description.unwrap_or_default(),
        ip_address: absent_if_empty(ip_address),
    }
    .checked()
}

fn header_problem(names: &[String]) -> Option<String> {
    let missing: Vec<&str> =
        FIELDS.into_iter().filter(|field| !names.iter().any(|name| name.trim() == *field)).collect();
    if !missing.is_empty() {
        return Some(format!("the header lacks {}; it must name {}", missing.join(", "), FIELDS.join(", ")));
    }
    let extra = names.iter().find(|name| !FIELDS.contains(&name.trim()))?;
    let extra = one_line(extra, MAX_SHOWN_CHARS);
    Some(format!("the header names {extra:?}, which is no field; the fields are {}", FIELDS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"Date":"2026-11-21T09:30:00.123+05:30","Email":"a@b","Action":"login","Action ID":null,"Description":"x"}"#;

    fn read(form: FileForm, text: &[u8]) -> Result<Vec<Record>, ImportError> {
        records(form, text).collect()
    }

    fn problem(form: FileForm, text: &[u8]) -> String {
        read(form, text).expect_err("refused").to_string()
    }

    #[test]
    fn json_lines_are_read() {
        let records = read(FileForm::JsonLines, format!("{LINE}\n\n{LINE}").as_bytes()).expect("records");
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].occurred_at.to_string(), "2026-11-21T04:00:00.123Z");
        assert_eq!((records[0].action_id.as_deref(), records[0].ip_address.as_deref()), (None, None));
    }

    /// So that an object of ours can be imported again.
    #[test]
    fn an_absent_text_is_null_or_empty_and_its_field_is_there() {
        for absent in ["null", "\"\""] {
            let line = LINE.replace("\"a@b\"", absent).replace("\"login\"", absent).replace("\"x\"", absent);
            let records = read(FileForm::JsonLines, line.as_bytes()).expect("a record");
            let Record { email, action, description, .. } = &records[0];
            assert_eq!([email, action, description], [""; 3]);
        }
        for field in ["Email", "Action", "Description"] {
            let text = LINE.replace(&format!("\"{field}\":"), "\"IP Address\":");
            assert!(
                problem(FileForm::JsonLines, text.as_bytes()).contains(&format!("missing field `{field}`"))
            );
        }
    }

    #[test]
    fn csv_is_read_with_its_columns_in_any_order() {
        let text = "Email,Date,Action,Action ID,IP Address,Description\n\
                    a@b,2026-11-21T04:00:00Z,login,7,,\"two\nlines, quoted\"\n";
        let records = read(FileForm::Csv, text.as_bytes()).expect("records");
        assert_eq!(records[0].description, "two\nlines, quoted");
        assert_eq!((records[0].action_id.as_deref(), records[0].ip_address.as_deref()), (Some("7"), None));
    }

    #[test]
    fn the_first_bad_line_and_field_are_named() {
        let bad_date = LINE.replace("2026-11-21T09", "2026-11-31T09");
        let text = format!("{LINE}\n{bad_date}\n");
        let error = problem(FileForm::JsonLines, text.as_bytes());
        assert!(error.starts_with("line 2: Date: ") && error.contains("write it like"), "{error}");
        let missing = problem(FileForm::JsonLines, br#"{"Date":"2026-11-21T04:00:00Z"}"#);
        assert!(missing.contains("line 1: missing field `Email`"), "{missing}");
        assert!(
            problem(FileForm::JsonLines, LINE.replace("Email", "EMail").as_bytes())
                .contains("unknown field `EMail`")
        );
        assert!(problem(FileForm::JsonLines, b"[1]").contains("line 1"));
        assert!(
            problem(FileForm::JsonLines, LINE.replace("\"x\"", "\"\\u0000\"").as_bytes())
                .contains("Description: it holds U+0000")
        );
    }

    #[test]
    fn what_is_not_utf8_is_named_by_line_and_byte() {
        let mut text = format!("{LINE}\n").into_bytes();
        text.extend_from_slice(b"{\"Date\":\"\xff\"}");
        assert!(problem(FileForm::JsonLines, &text).starts_with("line 2: byte 10 is not UTF-8"));
        let csv = b"Date,Email,Action,Action ID,Description,IP Address\n2026-11-21T04:00:00Z,\xff,a,,d,\n";
        assert!(problem(FileForm::Csv, csv).contains("line 2: Email: byte 1 is not UTF-8"));
    }

    #[test]
    fn a_csv_with_another_header_is_refused() {
        assert!(problem(FileForm::Csv, b"Date,Email\n").contains("lacks Action, Action ID"));
        let extra = b"Date,Email,Action,Action ID,Description,IP Address,Host\n";
        assert!(problem(FileForm::Csv, extra).contains("\"Host\""));
        let short = b"Date,Email,Action,Action ID,Description,IP Address\n2026-11-21T04:00:00Z,a\n";
        assert!(problem(FileForm::Csv, short).contains("has 2 fields"));
    }
}
