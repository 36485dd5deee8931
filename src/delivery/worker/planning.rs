//! Planning ahead: windows for all that wait for a place, beside the deliveries that have begun.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use super::Worker;
use super::timer::timer;
use crate::delivery::export::ExportError;
use crate::destinations::fix::fix;
use crate::ledger::TroubleKind;

/// At most this many accounts are planned in one transaction.
const PLANNED_TOGETHER: u32 = 500;

/// How many tasks plan at the same time: one waits for the database while the other handles an answer.
const PLANNERS: usize = 2;

/// For how long no further export begins while the accounts that wait get their windows. A window ends where
/// its bound was captured: soon after its slot, however many share it.
const PLANNED_FIRST: Duration = Duration::from_secs(5);

impl Worker {
    /// Lets exports begin again: all that wait have their windows, or planning takes too long.
    pub(super) fn resume_admission(&mut self) {
        self.planned_first = None;
        self.places.look().hold(false);
    }

    /// Takes note of how planning ended.
    pub(super) fn planning_ended(&mut self, done: Result<Result<usize, ExportError>, JoinError>) {
        self.planning_failed = !matches!(done, Ok(Ok(_)));
        if self.planning.is_empty() {
            self.resume_admission();
        }
        match done {
            Ok(Ok(planned)) => tracing::debug!(planned, "planned ahead"),
            Ok(Err(error)) => {
                self.exporter.metrics.failed(error.kind().as_str());
                tracing::error!(kind = error.kind().as_str(), error = %error, fix = fix(&error.kind()),
                    "windows could not be planned ahead; each is planned when its account is claimed");
            }
            Err(error) => {
                let problem = format!("planning ended unexpectedly: {error}");
                self.exporter.metrics.failed(TroubleKind::Internal.as_str());
                tracing::error!(
                    kind = TroubleKind::Internal.as_str(),
                    problem,
                    "its accounts wait for the end of their leases"
                );
                self.planning_broke = Some(problem);
            }
        }
    }

    /// Plans for all that wait for a place, beside the deliveries that have begun.
    pub(super) fn plan_ahead(&mut self) {
        if self.planning.is_empty() && !self.planning_failed {
            self.planned_first = timer(PLANNED_FIRST);
            self.places.look().hold(true);
        }
        while self.planning.len() < PLANNERS {
            let (exporter, lease) = (Arc::clone(&self.exporter), self.limits.lease);
            self.planning.spawn(async move {
                let mut planned = 0;
                while !exporter.draining.is_cancelled() {
                    let more = exporter.plan_ahead(lease, PLANNED_TOGETHER).await?;
                    planned += more;
                    if more < PLANNED_TOGETHER as usize {
                        break;
                    }
                }
                Ok(planned)
            });
        }
    }
}
