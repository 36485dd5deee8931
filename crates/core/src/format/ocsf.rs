//! `ocsf`: the Open Cybersecurity Schema Framework, version 1.8.0, class API Activity (6003).
//!
//! | ours | OCSF |
//! |---|---|
//! | Date | `time` (milliseconds), `timezone_offset` (minutes), `metadata.original_time` |
//! | Email | `actor.user.name`, and `actor.user.email_addr` where it is an address; without one `actor.app_name`, the source |
//! | Action | `api.operation`, `activity_name`; without one `unknown` |
//! | Action ID | `metadata.event_code` |
//! | Description | `message` |
//! | IP Address | `src_endpoint.ip`; what is no address `src_endpoint.name`; without one that name is `unknown` |
//! | id | `metadata.uid` |
//! | account | `metadata.tenant_uid` |
//! | window, source (`envelope`) | `unmapped.window`, `unmapped.source` |
//!
//! Fixed, by <https://schema.ocsf.io/1.8.0/classes/api_activity>: `category_uid` 6, `class_uid` 6003, `activity_id` 99 with the
//! source's own name of it, `type_uid` 600399 (class times 100 and activity), `severity_id` 1. `status_id` is 0, unknown: a
//! record does not say how an action ended. What is required there and absent here is `unknown`.

use jiff::tz::TimeZone;

use super::about::{About, PRODUCT, write_number};
use super::json_text::{write_escaped, write_member, write_string};
use super::time::{TimeWriter, millis};
use super::value::{is_address, is_ip};
use crate::model::record::RecordRef;

/// The columns of a Parquet file of these events, with the types that OCSF gives them: `integer_t`, `long_t`,
/// `timestamp_t` and `string_t`. Once released it stays: another set of columns is another content version.
pub const COLUMNS: &str = "message ocsf_api_activity {
    REQUIRED INT32 category_uid;
    REQUIRED INT32 class_uid;
    REQUIRED INT32 activity_id;
    REQUIRED INT64 type_uid;
    REQUIRED INT32 severity_id;
    REQUIRED INT32 status_id;
    REQUIRED INT64 time;
    REQUIRED INT32 timezone_offset;
    OPTIONAL BINARY activity_name (STRING);
    OPTIONAL group actor {
        OPTIONAL BINARY app_name (STRING);
        OPTIONAL group user { OPTIONAL BINARY name (STRING); OPTIONAL BINARY email_addr (STRING); }
    }
    OPTIONAL group api { OPTIONAL BINARY operation (STRING); }
    OPTIONAL BINARY message (STRING);
    OPTIONAL group src_endpoint { OPTIONAL BINARY ip (STRING); OPTIONAL BINARY name (STRING); }
    OPTIONAL group metadata {
        OPTIONAL BINARY version (STRING);
        OPTIONAL group product { OPTIONAL BINARY name (STRING); OPTIONAL BINARY vendor_name (STRING); }
        OPTIONAL BINARY uid (STRING);
        OPTIONAL BINARY tenant_uid (STRING);
        OPTIONAL BINARY event_code (STRING);
        OPTIONAL BINARY original_time (STRING);
    }
    OPTIONAL group unmapped { OPTIONAL INT64 window; OPTIONAL BINARY source (STRING); }
}";

/// Writes records as events of OCSF.
#[derive(Debug, Clone)]
pub struct OcsfWriter {
    time: TimeWriter,
    about: About,
    /// From `metadata` to its `uid`.
    metadata: Vec<u8>,
    /// From `tenant_uid` on, what ends each record.
    end: Vec<u8>,
}

impl OcsfWriter {
    /// A writer of times in `zone`.
    #[must_use]
    pub fn new(about: About, zone: TimeZone) -> Self {
        let mut metadata = br#","metadata":{"version":"1.8.0","product":{"name":"#.to_vec();
        write_string(PRODUCT, &mut metadata);
        write_member(br#","vendor_name":"#, &about.source, &mut metadata);
        metadata.extend_from_slice(br#"},"uid":""#);
        let mut end = Vec::new();
        if about.envelope {
            end.extend_from_slice(br#","unmapped":{"window":"#);
            end.extend_from_slice(about.window.to_string().as_bytes());
            write_member(br#","source":"#, &about.source, &mut end);
            end.push(b'}');
        }
        end.push(b'}');
        Self { time: TimeWriter::new(zone), about, metadata, end }
    }

    /// Appends a record as one JSON object, without a newline.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        let [email, action, action_id, description, ip_address] = record.texts();
        out.extend_from_slice(
            br#"{"category_uid":6,"class_uid":6003,"activity_id":99,"type_uid":600399,"severity_id":1,"status_id":0,"time":"#,
        );
        write_number(millis(record.occurred_at), out);
        out.extend_from_slice(br#","timezone_offset":"#);
        write_number(self.time.offset_minutes(record.occurred_at), out);
        let action = if action.is_empty() { "unknown" } else { action };
        write_member(br#","activity_name":"#, action, out);
        out.extend_from_slice(br#","actor":"#);
        if email.is_empty() {
            write_member(br#"{"app_name":"#, &self.about.source, out);
        } else {
            write_member(br#"{"user":{"name":"#, email, out);
            if is_address(email) {
                write_member(br#","email_addr":"#, email, out);
            }
            out.push(b'}');
        }
        write_member(br#"},"api":{"operation":"#, action, out);
        out.push(b'}');
        if !description.is_empty() {
            write_member(br#","message":"#, description, out);
        }
        let (name, host): (&[u8], _) = match ip_address {
            "" => (br#","src_endpoint":{"name":"#, "unknown"),
            ip if is_ip(ip) => (br#","src_endpoint":{"ip":"#, ip),
            host => (br#","src_endpoint":{"name":"#, host),
        };
        write_member(name, host, out);
        out.push(b'}');
        out.extend_from_slice(&self.metadata);
        self.about.write_id(record, out, write_escaped);
        write_member(br#"","tenant_uid":"#, &self.about.account, out);
        if !action_id.is_empty() {
            write_member(br#","event_code":"#, action_id, out);
        }
        out.extend_from_slice(br#","original_time":""#);
        self.time.write(record.occurred_at, out);
        out.extend_from_slice(br#""}"#);
        out.extend_from_slice(&self.end);
    }
}
