//! `cim`: the data model Change of Splunk's Common Information Model.
//!
//! | ours | CIM |
//! |---|---|
//! | Date | `_time`, in seconds since 1970 with milliseconds |
//! | Email | `user` |
//! | Action | `command` |
//! | Action ID | `object_id` |
//! | Description | `result` |
//! | IP Address | `src` |
//! | id | `id` |
//! | account | `vendor_account` |
//! | window, source (`envelope`) | `window`, `vendor_source` |
//!
//! By <https://docs.splunk.com/Documentation/CIM/latest/User/Change>. `vendor_product` is the source. `action` and `status`
//! have closed lists of words and are left out: a record does not say them.

use super::about::About;
use super::json_text::{write_escaped, write_member};
use super::time::millis;
use crate::model::record::RecordRef;

/// Writes records as events of CIM.
#[derive(Debug, Clone)]
pub struct CimWriter {
    about: About,
    /// What ends each record.
    end: Vec<u8>,
}

impl CimWriter {
    /// A writer; its times have no zone.
    #[must_use]
    pub fn new(about: About) -> Self {
        let mut end = Vec::new();
        write_member(br#","vendor_account":"#, &about.account, &mut end);
        write_member(br#","vendor_product":"#, &about.source, &mut end);
        if about.envelope {
            end.extend_from_slice(br#","window":"#);
            end.extend_from_slice(about.window.to_string().as_bytes());
            write_member(br#","vendor_source":"#, &about.source, &mut end);
        }
        end.push(b'}');
        Self { about, end }
    }

    /// Appends a record as one JSON object, without a newline.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"_time":"#);
        write_seconds(millis(record.occurred_at), out);
        out.extend_from_slice(br#","id":""#);
        self.about.write_id(record, out, write_escaped);
        out.push(b'"');
        let names: [&[u8]; 5] =
            [br#","user":"#, br#","command":"#, br#","object_id":"#, br#","result":"#, br#","src":"#];
        for (name, text) in names.into_iter().zip(record.texts()) {
            if !text.is_empty() {
                write_member(name, text, out);
            }
        }
        out.extend_from_slice(&self.end);
    }
}

/// Seconds with three decimals.
fn write_seconds(millis: i64, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    // It cannot fail: a Vec takes everything.
    let _ = write!(out, "{sign}{}.{:03}", millis / 1000, millis % 1000);
}
