//! `asim`: the Advanced Security Information Model of Microsoft Sentinel, schema AuditEvent 0.1.2.
//!
//! | ours | ASIM |
//! |---|---|
//! | Date | `TimeGenerated`, `EventStartTime`, `EventEndTime` in UTC |
//! | Email | `ActorUsername`; `ActorUsernameType` is UPN where it is an address, or else Simple |
//! | Action | `Operation`, `EventOriginalType` |
//! | Action ID | `EventOriginalSubType` |
//! | Description | `EventMessage` |
//! | IP Address | `SrcIpAddr`; what is no address `SrcHostname` |
//! | id | `EventOriginalUid` |
//! | account | `ActorScope` |
//! | window, source (`envelope`) | `AdditionalFields.Window`, `AdditionalFields.Source` |
//!
//! By <https://learn.microsoft.com/azure/sentinel/normalization-schema-audit>: `EventType` Other, `EventCount` 1,
//! `EventSeverity` Informational, `Dvc` the product for a cloud service without a device. `EventResult` is NA: a record
//! does not say how an action ended. It does not name the `Object` either, which the schema wants; it is left out rather
//! than invented.

use jiff::tz::TimeZone;

use super::about::{About, PRODUCT};
use super::json_text::{write_escaped, write_member, write_string};
use super::time::TimeWriter;
use super::value::{is_address, is_ip};
use crate::model::record::RecordRef;

/// Writes records as rows of ASIM.
#[derive(Debug, Clone)]
pub struct AsimWriter {
    time: TimeWriter,
    about: About,
    /// From behind the times to `EventOriginalUid`.
    fixed: Vec<u8>,
    /// What ends each record.
    end: Vec<u8>,
}

impl AsimWriter {
    /// A writer; all its times are in UTC.
    #[must_use]
    pub fn new(about: About) -> Self {
        let mut fixed = br#"","EventCount":1,"EventType":"Other","EventResult":"NA","EventSeverity":"Informational","EventSchema":"AuditEvent","EventSchemaVersion":"0.1.2","EventVendor":"#.to_vec();
        write_string(&about.source, &mut fixed);
        write_member(br#","EventProduct":"#, PRODUCT, &mut fixed);
        write_member(br#","Dvc":"#, PRODUCT, &mut fixed);
        write_member(br#","ActorScope":"#, &about.account, &mut fixed);
        fixed.extend_from_slice(br#","EventOriginalUid":""#);
        let mut end = Vec::new();
        if about.envelope {
            end.extend_from_slice(br#","AdditionalFields":{"Window":"#);
            end.extend_from_slice(about.window.to_string().as_bytes());
            write_member(br#","Source":"#, &about.source, &mut end);
            end.push(b'}');
        }
        end.push(b'}');
        Self { time: TimeWriter::new(TimeZone::UTC), about, fixed, end }
    }

    /// Appends a record as one JSON object, without a newline.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        let [email, action, action_id, description, ip_address] = record.texts();
        for name in
            [br#"{"TimeGenerated":""#.as_slice(), br#"","EventStartTime":""#, br#"","EventEndTime":""#]
        {
            out.extend_from_slice(name);
            self.time.write_utc(record.occurred_at, out);
        }
        out.extend_from_slice(&self.fixed);
        self.about.write_id(record, out, write_escaped);
        out.push(b'"');
        if !action.is_empty() {
            write_member(br#","Operation":"#, action, out);
            write_member(br#","EventOriginalType":"#, action, out);
        }
        if !action_id.is_empty() {
            write_member(br#","EventOriginalSubType":"#, action_id, out);
        }
        if !description.is_empty() {
            write_member(br#","EventMessage":"#, description, out);
        }
        if !email.is_empty() {
            write_member(br#","ActorUsername":"#, email, out);
            let kind: &[u8] = if is_address(email) {
                br#","ActorUsernameType":"UPN""#
            } else {
                br#","ActorUsernameType":"Simple""#
            };
            out.extend_from_slice(kind);
        }
        if is_ip(ip_address) {
            write_member(br#","SrcIpAddr":"#, ip_address, out);
        } else if !ip_address.is_empty() {
            write_member(br#","SrcHostname":"#, ip_address, out);
        }
        out.extend_from_slice(&self.end);
    }
}
