//! `udm`: the Unified Data Model of Google Security Operations.
//!
//! | ours | UDM |
//! |---|---|
//! | Date | `metadata.event_timestamp` in UTC |
//! | Email | `principal.user.userid`, and `principal.user.email_addresses` where it is an address |
//! | Action | `metadata.product_event_type` |
//! | Action ID | `security_result.rule_id` |
//! | Description | `metadata.description` |
//! | IP Address | `principal.ip`; what is no address `principal.hostname` |
//! | id | `metadata.product_log_id` |
//! | account | `target.resource_ancestors.name` |
//! | window, source (`envelope`) | `additional.window`, `additional.source` |
//!
//! By <https://cloud.google.com/chronicle/docs/reference/udm-field-list>. `metadata.event_type` is GENERIC_EVENT, the only
//! one that asks for no field that a record may lack; the vendor is the source. There is no `security_result.action`: a record does not
//! say how an action ended.

use jiff::tz::TimeZone;

use super::about::{About, PRODUCT};
use super::json_text::{write_escaped, write_member, write_string};
use super::time::TimeWriter;
use super::value::{is_address, is_ip};
use crate::model::record::RecordRef;

/// Writes records as events of UDM.
#[derive(Debug, Clone)]
pub struct UdmWriter {
    time: TimeWriter,
    about: About,
    /// From behind the time to the `product_log_id`.
    metadata: Vec<u8>,
    /// From `target` on, what ends each record.
    end: Vec<u8>,
}

impl UdmWriter {
    /// A writer; all its times are in UTC.
    #[must_use]
    pub fn new(about: About) -> Self {
        let mut metadata = br#"","event_type":"GENERIC_EVENT","vendor_name":"#.to_vec();
        write_string(&about.source, &mut metadata);
        write_member(br#","product_name":"#, PRODUCT, &mut metadata);
        metadata.extend_from_slice(br#","product_log_id":""#);
        let mut end = Vec::new();
        write_member(br#","target":{"resource_ancestors":[{"name":"#, &about.account, &mut end);
        end.extend_from_slice(b"}]}");
        if about.envelope {
            write_member(br#","additional":{"window":"#, &about.window.to_string(), &mut end);
            write_member(br#","source":"#, &about.source, &mut end);
            end.push(b'}');
        }
        end.push(b'}');
        Self { time: TimeWriter::new(TimeZone::UTC), about, metadata, end }
    }

    /// Appends a record as one JSON object, without a newline.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        let [email, action, action_id, description, ip_address] = record.texts();
        out.extend_from_slice(br#"{"metadata":{"event_timestamp":""#);
        self.time.write_utc(record.occurred_at, out);
        out.extend_from_slice(&self.metadata);
        self.about.write_id(record, out, write_escaped);
        out.push(b'"');
        if !action.is_empty() {
            write_member(br#","product_event_type":"#, action, out);
        }
        if !description.is_empty() {
            write_member(br#","description":"#, description, out);
        }
        out.push(b'}');
        if !(email.is_empty() && ip_address.is_empty()) {
            out.extend_from_slice(br#","principal":{"#);
            if !email.is_empty() {
                write_member(br#""user":{"userid":"#, email, out);
                if is_address(email) {
                    write_member(br#","email_addresses":["#, email, out);
                    out.push(b']');
                }
                out.extend_from_slice(if ip_address.is_empty() { b"}" } else { b"}," });
            }
            if is_ip(ip_address) {
                write_member(br#""ip":["#, ip_address, out);
                out.push(b']');
            } else if !ip_address.is_empty() {
                write_member(br#""hostname":"#, ip_address, out);
            }
            out.push(b'}');
        }
        if !action_id.is_empty() {
            write_member(br#","security_result":[{"rule_id":"#, action_id, out);
            out.extend_from_slice(b"}]");
        }
        out.extend_from_slice(&self.end);
    }
}
