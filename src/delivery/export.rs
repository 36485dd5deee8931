//! The export of one account, end to end: plan, then seal, journal, put and commit its window.
//!
//! The protocol decides each next step (`protocol.rs`); `window.rs` carries it out.
//! Everything that a crash must not lose is in the ledger before the next step
//! begins, so that any worker can go on from there.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::failpoint::with_failpoints;
use crate::base::zones::Zones;
use crate::delivery::capture::{Captured, Confirmations};
use crate::delivery::heartbeat::LeaseGuard;
use crate::delivery::pipeline::ReadAhead;
use crate::delivery::places::Place;
use crate::destinations::cache::StoreCache;
use crate::destinations::probe::{ProbeFailure, probe};
use crate::ledger::{Blame, Claim, Lease, Ledger, LedgerError, Trouble, TroubleKind, Wait};
use crate::observe::telemetry::Metrics;
use crate::source::Source;
use auditferry_core::archive::Sealed;
use auditferry_core::protocol::{Attempt, Setback, Stop, Task, Tokens, next_task};
use auditferry_core::store::Receipt;

mod error;
mod plan;
mod window;
mod setback;

pub use self::error::ExportError;

/// How an export ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Everything that was due is delivered.
    Done,
    /// It failed, and is tried again later.
    Later,
    /// The account is held: a person must look.
    Held,
    /// The worker is stopping; the next one continues.
    Drained,
    /// Others wait for the place: it continues when its turn comes again.
    Yielded,
}

/// Where the delivery of a window came to an end.
enum Ended {
    /// The protocol says so.
    Stopped(Stop),
    /// The worker is stopping.
    Drained,
    /// Others wait.
    Yielded,
}

/// The waits between attempts.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// After the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
    /// For how long a destination may refuse before its account is suspended.
    pub suspend_after: Duration,
}

/// What exports need, shared by all of them.
pub struct Exporter {
    /// Where windows and attempts are stored.
    pub ledger: Arc<dyn Ledger>,
    /// Where records are read.
    pub source: Arc<dyn Source>,
    /// Open stores.
    pub stores: StoreCache,
    /// The time zones that accounts can have.
    pub zones: Zones,
    /// What slots and waits go by.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The waits between attempts.
    pub waits: Waits,
    /// Over how long the deliveries of one slot are spread.
    pub spread: Duration,
    /// What bounds the objects that are made ahead, of all exports together.
    pub read_ahead: ReadAhead,
    /// What confirms windows before anything of them is put.
    pub confirmations: Confirmations,
    /// This worker's name in leases and attempts.
    pub owner: String,
    /// Cancelled when the worker is stopping: no new put begins.
    pub draining: CancellationToken,
}

/// What the protocol's steps hand on.
#[derive(Debug)]
struct Delivering;

impl Tokens for Delivering {
    type Sealed = Sealed;
    type Attempt = Attempt;
    type Receipt = Receipt;
}

impl Exporter {
    /// Exports what is due for a claimed account while its lease is kept, and gives it back.
    ///
    /// # Errors
    /// When something other than the destination failed.
    pub(crate) async fn export(
        &self,
        claim: &Claim,
        captured: Option<&Captured>,
        place: &Place,
        guard: LeaseGuard,
    ) -> Result<Finish, ExportError> {
        let finish = tokio::select! {
            biased;
            finish = self.export_or_set_back(claim, captured, place) => finish,
            // Wherever it stands: the other worker continues from there, as after a crash.
            () = guard.lost() => Err(LedgerError::LeaseLost(claim.account.id.clone()).into()),
        };
        if let Err(ExportError::Ledger(error)) = &finish
            && !matches!(error, LedgerError::LeaseLost(_))
        {
            // A ledger that fails cannot remember a wait: keep the lease for one.
            tokio::time::sleep(self.waits.first).await;
        }
        // First: a lease that was given back would be taken for a lost one.
        drop(guard);
        with_failpoints!("release", self.ledger.release(&claim.lease)).await?;
        finish
    }

    async fn export_or_set_back(
        &self,
        claim: &Claim,
        captured: Option<&Captured>,
        place: &Place,
    ) -> Result<Finish, ExportError> {
        match self.work(claim, captured, place).await {
            Ok(finish) => Ok(finish),
            Err(error) => self.interrupted(claim, error).await,
        }
    }

    async fn work(
        &self,
        claim: &Claim,
        captured: Option<&Captured>,
        place: &Place,
    ) -> Result<Finish, ExportError> {
        let id = &claim.account.id;
        if claim.account.is_suspended() && !self.probe(claim).await? {
            return Ok(Finish::Later);
        }
        if claim.account.open_window.is_none() && !self.plan(claim, captured).await? {
            return Ok(Finish::Done);
        }
        let mut newest = claim.account.destination_version;
        let mut repointed = false;
        while let Some(open) = self.ledger.open_window(id).await? {
            let moved = newest.is_some_and(|version| version != open.window.destination_version);
            if next_task(moved, open.doubtful, false) == Task::Repoint {
                self.repoint(&claim.lease, open.window.number).await?;
                // It goes to the newest as of now, which may be newer than the claim.
                newest = None;
                repointed = true;
                continue;
            }
            let confirmed =
                open.doubtful || !repointed && self.confirmations.is_confirmed(&open.window.set.hi);
            let ended = match self.deliver_window(claim, &open, place, confirmed).await {
                Err(ExportError::Open(error)) if moved && !error.passes() => {
                    Ended::Stopped(Stop::Later(Setback::NeedsCustomer))
                }
                other => other?,
            };
            return match ended {
                Ended::Stopped(Stop::Later(Setback::NeedsCustomer))
                    if next_task(moved, open.doubtful, true) == Task::Repoint =>
                {
                    self.repoint(&claim.lease, open.window.number).await?;
                    newest = None;
                    repointed = true;
                    continue;
                }
                Ended::Stopped(Stop::Closed | Stop::Reload) => Ok(Finish::Done),
                Ended::Stopped(Stop::Later(_)) => Ok(Finish::Later),
                Ended::Stopped(Stop::Held(_)) => Ok(Finish::Held),
                Ended::Drained => Ok(Finish::Drained),
                Ended::Yielded => Ok(Finish::Yielded),
            };
        }
        Ok(Finish::Done)
    }

    /// Puts an empty object to see whether a suspended account's destination works again; the source is
    /// not read. Returns whether it does.
    async fn probe(&self, claim: &Claim) -> Result<bool, ExportError> {
        let id = &claim.account.id;
        let Some(destination) = self.ledger.destination(id).await? else { return Ok(false) };
        let ProbeFailure { kind, message, fix } = match probe(&self.stores, id, &destination).await {
            Ok(_) => {
                with_failpoints!("resume", self.ledger.end_suspension(&claim.lease)).await?;
                tracing::info!(account = %id, "the probe has succeeded: the account is not suspended any more");
                return Ok(true);
            }
            Err(failure) => failure,
        };
        self.metrics.failed(kind.as_str());
        let now = self.clock.now();
        let retry_at = self.next_regular_slot(&claim.account, now);
        tracing::warn!(account = %id, kind = kind.as_str(), error = message, fix, retry_at = %retry_at,
            "the probe of a suspended account failed");
        let trouble = Trouble { kind: TroubleKind::Put(kind), message, at: now };
        let wait = Wait { trouble, retry_at, blame: Blame::Nobody };
        self.postpone(&claim.lease, wait).await?;
        Ok(false)
    }

    async fn repoint(&self, lease: &Lease, window: u64) -> Result<(), LedgerError> {
        with_failpoints!("repoint", self.ledger.repoint(lease, window)).await
    }

    async fn set_next_slot(&self, lease: &Lease, next_slot: Option<Timestamp>) -> Result<(), LedgerError> {
        with_failpoints!("postpone", self.ledger.set_next_slot(lease, next_slot)).await
    }
}
