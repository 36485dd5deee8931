//! What a worker says of itself: gathered here by its parts, and told to the ledger from time to time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::observe::claim_health::ClaimHealth;
use auditferry_core::model::worker::{ChoreReport, SignOfLife, WaitsFor, WorkerReport};

/// What a worker does, as it says itself.
#[derive(Debug)]
pub struct Activity {
    id: String,
    host: String,
    since: Timestamp,
    claims: Arc<ClaimHealth>,
    report: Mutex<WorkerReport>,
    news: Notify,
}

impl Activity {
    /// A worker that has just begun. `id`: its name in leases and attempts.
    #[must_use]
    pub fn new(id: String, host: String, since: Timestamp, claims: Arc<ClaimHealth>) -> Self {
        Self { id, host, since, claims, report: Mutex::default(), news: Notify::new() }
    }

    /// How its claims go.
    #[must_use]
    pub fn claims(&self) -> &ClaimHealth {
        &self.claims
    }

    /// Changes what it says of itself.
    pub fn update(&self, change: impl FnOnce(&mut WorkerReport)) {
        change(&mut self.lock());
    }

    /// Stores how a chore goes. One that begins to fail, or works again, is told at once.
    pub fn note_chore(&self, chore: ChoreReport) {
        let mut report = self.lock();
        let at = report.chores.binary_search_by(|other| other.name.cmp(&chore.name));
        let news = match at {
            Ok(at) => {
                let before = std::mem::replace(&mut report.chores[at], chore);
                before.failing_since != report.chores[at].failing_since
            }
            Err(at) => {
                report.chores.insert(at, chore);
                true
            }
        };
        drop(report);
        if news {
            self.tell();
        }
    }

    /// Has the next sign of life come soon.
    pub fn tell(&self) {
        self.news.notify_one();
    }

    /// Waits for news.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// A sign of life, as of now.
    #[must_use]
    pub fn sign(&self) -> SignOfLife {
        let mut report = self.lock().clone();
        report.problem = self.claims.problem();
        if report.problem.is_some() {
            report.waits_for = WaitsFor::Problem;
        }
        SignOfLife {
            id: self.id.clone(),
            host: self.host.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since,
            report,
        }
    }

    /// The worker's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn lock(&self) -> MutexGuard<'_, WorkerReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
