//! `cef`: the Common Event Format of ArcSight, version 0, one line for each record.
//!
//! | ours | CEF |
//! |---|---|
//! | Date | `rt`, in milliseconds since 1970 |
//! | Email | `suser` |
//! | Action | the header's name, and `act` |
//! | Action ID | the header's class id; without one the Action |
//! | Description | `msg` |
//! | IP Address | `src` (IPv4), `c6a2` (IPv6); what is no address `shost` |
//! | id | `externalId` |
//! | account | `cs1` |
//! | window, source (`envelope`) | `cn1`, `cs2` |
//!
//! By "Micro Focus Security ArcSight Common Event Format", version 26. The vendor is the source, the severity 1. What the header
//! needs and a record lacks is `unknown`. There is no `outcome`: a record does not say it.
//!
//! Escapes, header and extension apart: in the header `\` and `|`, in the extension `\` and `=`, and newlines as `\n` and
//! `\r`. The header may hold no newline: there it is a space. Other signs at which readers split lines (U+0085, U+2028,
//! U+2029 and some of ASCII) have no escape in CEF: in the extension they are `\n`. Readers take the spaces at the end of a
//! value away.

use std::net::IpAddr;

use super::about::{About, PRODUCT, write_number};
use super::time::millis;
use super::value::{is_line_end, write_replaced};
use crate::model::record::RecordRef;

/// Writes records as lines of CEF.
#[derive(Debug, Clone)]
pub struct CefWriter {
    about: About,
    /// `CEF:0|vendor|product|version|`.
    begin: Vec<u8>,
    /// What ends each record.
    end: Vec<u8>,
}

impl CefWriter {
    /// A writer; its times have no zone.
    #[must_use]
    pub fn new(about: About) -> Self {
        let mut begin = b"CEF:0|".to_vec();
        write_header(&about.source, &mut begin);
        begin.extend_from_slice(format!("|{PRODUCT}|{}|", about.version).as_bytes());
        let mut end = Vec::new();
        write_pair(b" cs1Label=Account cs1=", &about.account, &mut end);
        if about.envelope {
            write_pair(b" cn1Label=Window cn1=", &about.window.to_string(), &mut end);
            write_pair(b" cs2Label=Source cs2=", &about.source, &mut end);
        }
        Self { about, begin, end }
    }

    /// Appends a record as one line, without a newline.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        let [email, action, action_id, description, ip_address] = record.texts();
        out.extend_from_slice(&self.begin);
        let name = if action.is_empty() { "unknown" } else { action };
        write_header(if action_id.is_empty() { name } else { action_id }, out);
        out.push(b'|');
        write_header(name, out);
        out.extend_from_slice(b"|1|rt=");
        write_number(millis(record.occurred_at), out);
        if !email.is_empty() {
            write_pair(b" suser=", email, out);
        }
        if !action.is_empty() {
            write_pair(b" act=", action, out);
        }
        if !ip_address.is_empty() {
            let name: &[u8] = match ip_address.parse() {
                Ok(IpAddr::V4(_)) => b" src=",
                Ok(IpAddr::V6(_)) => b" c6a2Label=Source IPv6 Address c6a2=",
                Err(_) => b" shost=",
            };
            write_pair(name, ip_address, out);
        }
        out.extend_from_slice(b" externalId=");
        self.about.write_id(record, out, write_value);
        if !description.is_empty() {
            write_pair(b" msg=", description, out);
        }
        out.extend_from_slice(&self.end);
    }
}

fn write_pair(name: &[u8], value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    write_value(value, out);
}

/// A value of the extension.
fn write_value(text: &str, out: &mut Vec<u8>) {
    write_replaced(text, out, |sign| match sign {
        '\\' => Some(b"\\\\"),
        '=' => Some(b"\\="),
        '\r' => Some(b"\\r"),
        _ if is_line_end(sign) => Some(b"\\n"),
        _ => None,
    });
}

/// A part of the header.
fn write_header(text: &str, out: &mut Vec<u8>) {
    write_replaced(text, out, |sign| match sign {
        '\\' => Some(b"\\\\"),
        '|' => Some(b"\\|"),
        _ if is_line_end(sign) => Some(b" "),
        _ => None,
    });
}
