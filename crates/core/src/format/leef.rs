//! `leef`: the Log Event Extended Format of IBM QRadar, version 2.0, with tabs (`x09`) between attributes, one line for each record.
//!
//! | ours | LEEF |
//! |---|---|
//! | Date | `devTime`, as `devTimeFormat` says |
//! | Email | `usrName` |
//! | Action | `action` |
//! | Action ID | the header's event id; without one the Action, without both `unknown` |
//! | Description | `msg` |
//! | IP Address | `src`; what is no address `identHostName` |
//! | id | `recordId` |
//! | account | `accountName` |
//! | window, source (`envelope`) | `window`, `source` |
//!
//! By <https://www.ibm.com/docs/en/dsm?topic=overview-leef-event-components>. The vendor is the source. There is no `outcome`: a
//! record does not say it.
//!
//! LEEF has no escapes. What would part values, a tab or a sign at which readers split lines, is a space, and a `|` in the
//! header `_`.

use jiff::tz::TimeZone;

use super::about::{About, PRODUCT};
use super::time::TimeWriter;
use super::value::{is_ip, is_line_end, write_replaced};
use crate::model::record::RecordRef;

/// Writes records as lines of LEEF.
#[derive(Debug, Clone)]
pub struct LeefWriter {
    time: TimeWriter,
    about: About,
    /// `LEEF:2.0|vendor|product|version|`.
    begin: Vec<u8>,
    /// What ends each record.
    end: Vec<u8>,
}

impl LeefWriter {
    /// A writer of times in `zone`.
    #[must_use]
    pub fn new(about: About, zone: TimeZone) -> Self {
        let mut begin = b"LEEF:2.0|".to_vec();
        write_header(&about.source, &mut begin);
        begin.extend_from_slice(format!("|{PRODUCT}|{}|", about.version).as_bytes());
        let mut end = Vec::new();
        write_pair(b"\taccountName=", &about.account, &mut end);
        if about.envelope {
            write_pair(b"\twindow=", &about.window.to_string(), &mut end);
            write_pair(b"\tsource=", &about.source, &mut end);
        }
        Self { time: TimeWriter::new(zone), about, begin, end }
    }

    /// Appends a record as one line, without a newline.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        let [email, action, action_id, description, ip_address] = record.texts();
        out.extend_from_slice(&self.begin);
        let event = [action_id, action].into_iter().find(|text| !text.is_empty()).unwrap_or("unknown");
        write_header(event, out);
        out.extend_from_slice(b"|x09|devTime=");
        self.time.write(record.occurred_at, out);
        // As Java's SimpleDateFormat reads it.
        out.extend_from_slice(b"\tdevTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
        if !email.is_empty() {
            write_pair(b"\tusrName=", email, out);
        }
        if !action.is_empty() {
            write_pair(b"\taction=", action, out);
        }
        if !ip_address.is_empty() {
            let name: &[u8] = if is_ip(ip_address) { b"\tsrc=" } else { b"\tidentHostName=" };
            write_pair(name, ip_address, out);
        }
        out.extend_from_slice(b"\trecordId=");
        self.about.write_id(record, out, write_value);
        out.extend_from_slice(&self.end);
        if !description.is_empty() {
            write_pair(b"\tmsg=", description, out);
        }
    }
}

fn write_pair(name: &[u8], value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    write_value(value, out);
}

/// The value of an attribute.
fn write_value(text: &str, out: &mut Vec<u8>) {
    write_replaced(text, out, |sign| (sign == '\t' || is_line_end(sign)).then_some(b" "));
}

/// A part of the header.
fn write_header(text: &str, out: &mut Vec<u8>) {
    write_replaced(text, out, |sign| match sign {
        '|' => Some(b"_"),
        _ if sign == '\t' || is_line_end(sign) => Some(b" "),
        _ => None,
    });
}
