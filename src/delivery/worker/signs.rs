//! What a worker says of itself, and its last word.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use crate::base::host::host_name;
use crate::delivery::export::Exporter;
use crate::observe::activity::Activity;
use crate::observe::claim_health::ClaimHealth;
use auditferry_core::model::worker::{ACCOUNTS_NAMED, WaitsFor};

/// How long the ledger may take to hear that the worker ends.
const SIGN_OFF: Duration = Duration::from_secs(2);

impl Worker {
    /// Says what it does, for the next sign of life.
    pub(super) fn report(&self, waits_for: WaitsFor) {
        let named = self.running.values().take(ACCOUNTS_NAMED).map(|lease| lease.account.to_string());
        let accounts: Vec<String> = named.collect();
        let mut begins = false;
        self.activity.update(|report| {
            begins = report.waits_for == WaitsFor::Nothing;
            report.exports = self.running.len() as u64;
            report.accounts = accounts;
            report.planning = !self.planning.is_empty();
            report.waits_for = waits_for;
        });
        if begins {
            self.activity.tell();
        }
    }

    /// Says that it has ended. Failing is no harm: its silence says so in a minute.
    pub(super) async fn sign_off(&self) {
        let said = tokio::time::timeout(SIGN_OFF, self.exporter.ledger.sign_off(self.activity.id())).await;
        if !matches!(said, Ok(Ok(()))) {
            tracing::debug!("the ledger was not told that this worker ends");
        }
    }
}

pub(super) fn activity(exporter: &Exporter, claims: Arc<ClaimHealth>) -> Arc<Activity> {
    Arc::new(Activity::new(exporter.owner.clone(), host_name(), exporter.clock.now(), claims))
}
