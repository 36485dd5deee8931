//! The exports of a worker that are under way: how each begins and ends, and what becomes of them at the stop.

use std::sync::Arc;

use tokio::task::{Id, JoinError};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::Worker;
use crate::delivery::capture::Captured;
use crate::delivery::export::{ExportError, Finish};
use crate::delivery::places::Place;
use crate::destinations::fix::fix;
use crate::ledger::{Claim, Lease, LedgerError, TroubleKind};

impl Worker {
    pub(super) fn start(&mut self, claim: Claim, captured: Option<Captured>, place: Place) {
        let exporter = Arc::clone(&self.exporter);
        let guard = self.heartbeat.keep(&claim.lease);
        let lease = claim.lease.clone();
        // For lines of level debug: those of level info name their account and slot themselves.
        let span = tracing::debug_span!("export", account = %claim.account.id, window = Empty, slot = Empty,
            attempt = Empty);
        let export = async move { exporter.export(&claim, captured.as_ref(), &place, guard).await };
        let task = self.tasks.spawn(export.instrument(span));
        self.running.insert(task.id(), lease);
    }

    /// Takes note of how an export ended. One that panicked has failed like any other.
    pub(super) async fn export_ended(&mut self, done: Result<(Id, Result<Finish, ExportError>), JoinError>) {
        let id = done.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(lease) = self.running.remove(&id) else { return };
        let account = lease.account.clone();
        self.step_ended(done.as_ref().ok().map(|(_, finish)| finish));
        match done {
            Ok((_, Ok(Finish::Done))) => {
                self.failed.remove(&account);
            }
            Ok((_, Ok(Finish::Later | Finish::Held))) => {
                self.failed.insert(account);
            }
            Ok((_, Ok(Finish::Drained | Finish::Yielded))) => {}
            Ok((_, Err(error))) => {
                self.exporter.metrics.failed(error.kind().as_str());
                if matches!(error, ExportError::Ledger(LedgerError::LeaseLost(_))) {
                    tracing::info!(account = %account, "another worker has taken the account over");
                } else {
                    tracing::error!(account = %account, kind = error.kind().as_str(), error = %error,
                        fix = fix(&error.kind()), "export failed");
                    self.failed.insert(account);
                }
            }
            // Given up when the drain takes too long; its lease is given back there.
            Err(error) if error.is_cancelled() => {}
            Err(error) => {
                self.exporter.metrics.failed(TroubleKind::Internal.as_str());
                tracing::error!(account = %account, kind = TroubleKind::Internal.as_str(), error = %error,
                    "an export ended unexpectedly: a defect of auditferry; please report it with this log");
                self.failed.insert(account);
                self.give_back(&[lease]).await;
            }
        }
    }

    /// Reports for `/readyz` whether the ledger stored the export's last step.
    fn step_ended(&self, finish: Option<&Result<Finish, ExportError>>) {
        match finish {
            Some(Ok(_)) => self.activity.claims().step_stored(),
            Some(Err(error @ ExportError::Ledger(LedgerError::Database(_) | LedgerError::Together(_)))) => {
                self.activity.claims().step_failed(error.to_string());
            }
            Some(Err(_)) | None => {}
        }
    }

    /// Lets the puts in flight end, and nothing begin. What is not done in time is given
    /// up, and its accounts are given back, so that nobody waits for their leases to end.
    pub(super) async fn drain(&mut self) {
        let planning = async { while self.planning.join_next().await.is_some() {} };
        if tokio::time::timeout(self.limits.drain_timeout, planning).await.is_err() {
            tracing::warn!(
                "planning did not end within drain_timeout; its accounts wait until their leases expire"
            );
        }
        let deadline = tokio::time::sleep(self.limits.drain_timeout);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                done = self.tasks.join_next_with_id() => match done {
                    Some(done) => self.export_ended(done).await,
                    None => return,
                },
                () = &mut deadline => {
                    tracing::warn!(exports = self.tasks.len(), "drain_timeout is over; what was in flight is \
                        tried again by the next worker");
                    let leases = self.heartbeat.leases();
                    self.tasks.shutdown().await;
                    self.give_back(&leases).await;
                    return;
                }
            }
        }
    }

    /// Releases leases, so that another worker can take the accounts at once. A failure does no harm: the
    /// leases expire.
    pub(super) async fn give_back(&self, leases: &[Lease]) {
        if let Err(error) = self.exporter.ledger.release_all(leases).await {
            tracing::warn!(leases = leases.len(), error = %error, "leases could not be released; their accounts wait until they expire");
        }
    }
}
