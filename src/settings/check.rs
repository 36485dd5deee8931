//! What settings must hold besides their types, some of them together.

use std::time::Duration;

use super::{Settings, SettingsError, SourceKind};
use crate::base::database::Kind;
use auditferry_core::model::format::Siem;
use auditferry_core::model::schedule::Schedule;

/// The longest spread: half the time between two slots of the default schedule.
const MAX_SPREAD: Duration = Duration::from_secs(2 * 3600);

impl Settings {
    /// Refuses values that cannot work, alone or together.
    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        if self.worker.concurrency == 0 {
            return invalid("worker.concurrency", "it is 0; write at least 1".into());
        }
        if self.worker.lease.0 <= self.put.timeout.0 {
            return invalid(
                "worker.lease",
                "it is not longer than put.timeout, so an account could pass on in the middle of a put; \
                 make it at least twice as long"
                    .into(),
            );
        }
        if self.schedule.spread > MAX_SPREAD {
            return invalid("schedule.spread", "it is more than 2h; write \"0s\" to \"2h\"".into());
        }
        if self.ledger.max_connections == 0 || self.source.max_connections == 0 {
            return invalid("ledger.max_connections", "it is 0; write at least 1, for the source too".into());
        }
        let ring = &self.keys.ring;
        if let Some(twice) =
            ring.iter().enumerate().find(|(at, key)| ring[..*at].iter().any(|k| k.id == key.id))
        {
            return invalid(
                "keys.ring",
                format!("key {} is there twice; give each an id of its own", twice.1.id),
            );
        }
        let listen = &self.http.listen;
        if !listen.is_empty() && listen.parse::<std::net::SocketAddr>().is_err() {
            return invalid(
                "http.listen",
                format!("{listen:?} is not ADDRESS:PORT; write it like 127.0.0.1:9464"),
            );
        }
        self.api.validate()?;
        self.portal.validate()?;
        self.downloads.validate()?;
        self.traces.validate()?;
        if let Err(problem) = self.log.filter() {
            return invalid("log.level", problem);
        }
        if let Err(refusal) = self.export.format.check() {
            let key = if refusal.field == Some("source") { "export.source" } else { "export" };
            return invalid(key, refusal.to_string());
        }
        if self.export.format.siem != Siem::None {
            let name = self.export.format.siem;
            return invalid(
                "export.siem",
                format!(
                    "{name} is chosen for one export: write it there, or with `auditferry account set --siem {name}`"
                ),
            );
        }
        if let Err(error) = Schedule::parse(&self.export.schedule) {
            return invalid("export.schedule", error.to_string());
        }
        for (key, url) in [("ledger.url", &self.ledger.url), ("source.url", self.source_url())] {
            if let Err(problem) = Kind::of(url) {
                return invalid(key, problem);
            }
        }
        let table = self.source.kind == SourceKind::Table;
        if table && Kind::of(self.source_url()) != Ok(Kind::Postgres) {
            return invalid(
                "source.url",
                "a table of your own is read on PostgreSQL; write postgres://USER:PASSWORD@HOST/DATABASE"
                    .into(),
            );
        }
        let share = self.safety.max_share;
        if !(0.0..=1.0).contains(&share) {
            return invalid(
                "safety.max_share",
                format!("it is {share}; write a share from 0 to 1, such as 0.2"),
            );
        }
        self.aws.validate()?;
        self.email.validate()?;
        if table && self.audit.self_records {
            return invalid(
                "audit.self_records",
                "source.kind is \"table\", a table of your own, of which we only read; set it to false, and see \
                 `auditferry changes ls` instead"
                    .into(),
            );
        }
        self.source.table.validate(table)
    }
}
