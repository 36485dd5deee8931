//! `ecs`: the Elastic Common Schema, version 9.4.
//!
//! | ours | ECS |
//! |---|---|
//! | Date | `@timestamp` in UTC, `event.timezone` |
//! | Email | `user.name`, `related.user`, and `user.email` where it is an address |
//! | Action | `event.action` |
//! | Action ID | `event.code` |
//! | Description | `message` |
//! | IP Address | `source.address`, and `source.ip`, `related.ip` where it is an address |
//! | id | `event.id` |
//! | account | `organization.id` |
//! | window, source (`envelope`) | `labels.window`, `labels.source` |
//!
//! Fixed, by <https://www.elastic.co/docs/reference/ecs/ecs-event>: `event.kind` event, `event.category` [configuration],
//! `event.type` [info]; `event.provider` is the source. There is no `event.outcome`: a record does not say it, and ECS
//! leaves it out of events of the type info.

use jiff::tz::TimeZone;

use super::about::About;
use super::json_text::{write_escaped, write_member, write_string};
use super::time::TimeWriter;
use super::value::{is_address, is_ip};
use crate::model::record::RecordRef;

/// Writes records as documents of ECS.
#[derive(Debug, Clone)]
pub struct EcsWriter {
    time: TimeWriter,
    about: About,
    /// From `ecs` to the `id` of `event`.
    event: Vec<u8>,
    /// From `organization` on, what ends each record.
    end: Vec<u8>,
}

impl EcsWriter {
    /// A writer of times in UTC, with the offset of `zone` beside them.
    #[must_use]
    pub fn new(about: About, zone: TimeZone) -> Self {
        let mut event =
            br#"","ecs":{"version":"9.4.0"},"event":{"kind":"event","category":["configuration"],"type":["info"],"provider":"#
                .to_vec();
        write_string(&about.source, &mut event);
        event.extend_from_slice(br#","id":""#);
        let mut end = Vec::new();
        write_member(br#","organization":{"id":"#, &about.account, &mut end);
        end.push(b'}');
        if about.envelope {
            // Labels are keywords.
            write_member(br#","labels":{"window":"#, &about.window.to_string(), &mut end);
            write_member(br#","source":"#, &about.source, &mut end);
            end.push(b'}');
        }
        end.push(b'}');
        Self { time: TimeWriter::new(zone), about, event, end }
    }

    /// Appends a record as one JSON object, without a newline.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        let [email, action, action_id, description, ip_address] = record.texts();
        out.extend_from_slice(br#"{"@timestamp":""#);
        self.time.write_utc(record.occurred_at, out);
        out.extend_from_slice(&self.event);
        self.about.write_id(record, out, write_escaped);
        out.extend_from_slice(br#"","timezone":""#);
        self.time.write_offset(record.occurred_at, out);
        out.push(b'"');
        if !action.is_empty() {
            write_member(br#","action":"#, action, out);
        }
        if !action_id.is_empty() {
            write_member(br#","code":"#, action_id, out);
        }
        out.push(b'}');
        if !description.is_empty() {
            write_member(br#","message":"#, description, out);
        }
        let ip = is_ip(ip_address);
        if !email.is_empty() {
            write_member(br#","user":{"name":"#, email, out);
            if is_address(email) {
                write_member(br#","email":"#, email, out);
            }
            write_member(br#"},"related":{"user":["#, email, out);
            if ip {
                write_member(br#"],"ip":["#, ip_address, out);
            }
            out.extend_from_slice(b"]}");
        } else if ip {
            write_member(br#","related":{"ip":["#, ip_address, out);
            out.extend_from_slice(b"]}");
        }
        if !ip_address.is_empty() {
            write_member(br#","source":{"address":"#, ip_address, out);
            if ip {
                write_member(br#","ip":"#, ip_address, out);
            }
            out.push(b'}');
        }
        out.extend_from_slice(&self.end);
    }
}
