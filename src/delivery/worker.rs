//! The worker: waits for the next slot of any account, takes what is due, and
//! drains when it is told to stop.
//!
//! It holds no state that matters: everything is in the ledger, so any number of
//! workers can run, and one that dies loses nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::base::failpoint::with_failpoints;
use crate::chores::{ChoreContext, Chores};
use crate::delivery::capture::{Captured, capture};
use crate::delivery::export::{ExportError, Exporter, Finish};
use crate::delivery::heartbeat::Heartbeat;
use crate::delivery::places::Places;
use crate::destinations::fix::fix;
use crate::ledger::{Claim, Lease};
use crate::notifications::look::Absence;
use crate::notifications::sender::Sender;
use crate::observe::activity::Activity;
use crate::observe::claim_health::ClaimHealth;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::worker::{WaitsFor, WorkerMode};
use auditferry_core::protocol::admission::{Admission, ClaimRequest, RecentClaims};
use auditferry_core::protocol::{ClockState, clock_state};

mod planning;
mod signs;
mod exports;
mod timer;

use self::signs::activity;
use self::timer::{Timer, over, timer};

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At most this many exports at the same time.
    pub concurrency: usize,
    /// At most this many of them to one endpoint.
    pub per_endpoint: usize,
    /// How often the ledger is asked even though no slot has come.
    pub poll_interval: Duration,
    /// How long a lease lasts after it was taken or renewed.
    pub lease: Duration,
    /// How long to wait for the puts in flight when stopping.
    pub drain_timeout: Duration,
}

/// When a worker ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Never: it runs until it is stopped.
    Forever,
    /// When nothing is due any more.
    UntilIdle,
}

/// How long to wait for a due account that another worker holds.
const SPIN_PAUSE: Duration = Duration::from_millis(50);

/// How long places may stay free while many accounts wait, so that several are claimed at once.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long not to look for accounts of other endpoints, while all that wait are for full ones.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Takes due accounts and exports them.
pub struct Worker {
    exporter: Arc<Exporter>,
    limits: Limits,
    tasks: JoinSet<Result<Finish, ExportError>>,
    /// The lease of each task, which one that panics cannot return.
    running: HashMap<Id, Lease>,
    failed: BTreeSet<AccountId>,
    /// What it says of itself.
    activity: Arc<Activity>,
    /// Ends [`PATIENCE`] after the last claim.
    patience: Timer,
    /// Ends [`SECOND_LOOK`] after the last claim that found all there were.
    second_look: Timer,
    heartbeat: Heartbeat,
    places: Places,
    planning: JoinSet<Result<usize, ExportError>>,
    /// Ends [`PLANNED_FIRST`] after the planning has begun, or with it. The places are held.
    planned_first: Timer,
    /// Whether the last planning failed: then no export waits for the next one.
    planning_failed: bool,
    /// Whether a warning was logged that the clock differs.
    clock_is_off: bool,
    /// Whether changes become records.
    self_records: bool,
    sender: Option<Arc<Sender>>,
    retention: Option<SignedDuration>,
    /// Why planning ended unexpectedly, if it did.
    planning_broke: Option<String>,
}

impl Worker {
    /// A worker that has not started. Call it within a tokio runtime.
    #[must_use]
    pub fn new(exporter: Arc<Exporter>, limits: Limits) -> Self {
        let heartbeat = Heartbeat::start(exporter.ledger.clone(), limits.lease);
        let places = Places::new(Admission::new(limits.concurrency, limits.per_endpoint));
        let (tasks, failed) = (JoinSet::new(), BTreeSet::new());
        let planning = JoinSet::new();
        let activity = activity(&exporter, Arc::default());
        Self {
            exporter,
            limits,
            tasks,
            running: HashMap::new(),
            failed,
            activity,
            patience: None,
            second_look: None,
            heartbeat,
            places,
            planning,
            planned_first: None,
            planning_failed: false,
            clock_is_off: false,
            self_records: false,
            sender: None,
            retention: None,
            planning_broke: None,
        }
    }

    /// Whether changes of accounts become records of their own audit logs; by default they do not.
    #[must_use]
    pub fn with_self_records(self, self_records: bool) -> Self {
        Self { self_records, ..self }
    }

    /// What sends notifications; without it, none is sent.
    #[must_use]
    pub fn with_sender(self, sender: Arc<Sender>) -> Self {
        Self { sender: Some(sender), ..self }
    }

    /// How long the source keeps its rows, if it deletes them.
    #[must_use]
    pub fn with_retention(self, retention: Option<SignedDuration>) -> Self {
        Self { retention, ..self }
    }

    /// Where the worker reports how its claims go, for `/readyz`.
    #[must_use]
    pub fn with_claim_health(self, claims: Arc<ClaimHealth>) -> Self {
        Self { activity: activity(&self.exporter, claims), ..self }
    }

    /// Works until `stop` is cancelled or, in [`Mode::UntilIdle`], until nothing is
    /// due; then drains. Returns the accounts whose export failed.
    ///
    /// # Errors
    /// In [`Mode::UntilIdle`], when the ledger or the source cannot be used, or the worker is broken.
    pub async fn run(
        mut self,
        mode: Mode,
        stop: CancellationToken,
    ) -> Result<BTreeSet<AccountId>, ExportError> {
        let Exporter { ledger, source, clock, metrics, .. } = &*self.exporter;
        let context = ChoreContext {
            ledger: Arc::clone(ledger),
            source: Arc::clone(source),
            clock: Arc::clone(clock),
            metrics: Arc::clone(metrics),
            activity: Arc::clone(&self.activity),
            sender: self.sender.clone(),
            absence: Absence::before(&**ledger).await.ok().flatten(),
            retention: self.retention,
        };
        let chores = match mode {
            Mode::UntilIdle => {
                self.activity.update(|report| report.mode = WorkerMode::UntilIdle);
                self.exporter.ledger.retry_now().await?;
                // Before the first bound, so that a change is in its window.
                Chores::once(&context, self.self_records).await
            }
            Mode::Forever => Chores::start(&context, self.self_records, self.limits.poll_interval),
        };
        while !stop.is_cancelled() {
            self.activity.claims().begin();
            let taken = self.claim_due().await;
            self.activity.claims().end(taken.as_ref().err().map(ToString::to_string));
            match taken {
                Ok(0) if mode == Mode::UntilIdle && self.is_idle().await? => break,
                Ok(0) => self.wait(mode, &stop).await,
                Ok(_) => {}
                Err(error) if mode == Mode::UntilIdle => return Err(error),
                Err(error) => {
                    self.exporter.metrics.failed(error.kind().as_str());
                    tracing::error!(kind = error.kind().as_str(), error = %error, fix = fix(&error.kind()),
                        "the accounts that are due cannot be claimed");
                    self.pause(&stop).await;
                }
            }
            while let Some(done) = self.tasks.try_join_next_with_id() {
                self.export_ended(done).await;
            }
            while let Some(done) = self.planning.try_join_next() {
                self.planning_ended(done);
            }
        }
        if stop.is_cancelled() {
            self.exporter.draining.cancel();
        }
        self.report(WaitsFor::Drain);
        self.activity.tell();
        self.drain().await;
        if mode == Mode::UntilIdle {
            Chores::tell(&context).await;
        }
        // No sign of life may come after the last word.
        drop(chores);
        self.sign_off().await;
        match self.planning_broke {
            Some(problem) if mode == Mode::UntilIdle => Err(ExportError::Internal(problem)),
            _ => Ok(self.failed),
        }
    }

    /// Whether nothing runs and nothing is due. A claim passes over an account whose row
    /// somebody holds for a moment, so that the ledger is asked once more.
    async fn is_idle(&self) -> Result<bool, ExportError> {
        if !self.tasks.is_empty() || !self.planning.is_empty() {
            return Ok(false);
        }
        let due = self.exporter.ledger.next_due(&[]).await?;
        Ok(due.is_none_or(|at| at > self.exporter.clock.now()))
    }

    /// Compares this worker's clock with the ledger database's. Safety does not depend on it, but a worker
    /// whose clock is days ahead names windows after slots that have not come yet.
    async fn check_clock(&mut self) -> Result<(), ExportError> {
        let Exporter { ledger, clock, metrics, .. } = &*self.exporter;
        if !clock.is_real() {
            return Ok(());
        }
        let ahead = clock.now().duration_since(ledger.now().await?);
        metrics.clock_skew.set(ahead.as_secs());
        self.activity.update(|report| report.clock_ahead_seconds = ahead.as_secs());
        let state = clock_state(ahead);
        let told = std::mem::replace(&mut self.clock_is_off, state != ClockState::Right);
        match state {
            ClockState::Wrong => Err(ExportError::Clock(ahead)),
            ClockState::Off if !told => {
                tracing::warn!(
                    seconds_ahead = ahead.as_secs(),
                    "this worker's clock differs from the clock of \
                    the ledger's database; slots come by this one"
                );
                Ok(())
            }
            ClockState::Off | ClockState::Right => Ok(()),
        }
    }

    /// What to claim now, if anything.
    fn wanted(&self) -> ClaimRequest {
        self.places.look().next_claim(self.recent())
    }

    fn recent(&self) -> RecentClaims {
        RecentClaims { any: self.patience.is_some(), others: self.second_look.is_some() }
    }

    /// Claims due accounts and starts their exports; returns how many.
    async fn claim_due(&mut self) -> Result<usize, ExportError> {
        let asked = self.wanted();
        let wanted = asked.accounts;
        if wanted == 0 {
            return Ok(0);
        }
        self.patience = timer(PATIENCE);
        self.check_clock().await?;
        let exporter = &self.exporter;
        let now = exporter.clock.now();
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX);
        let claim = exporter.ledger.claim(&exporter.owner, now, self.limits.lease, limit, &asked.excluded);
        let claims = with_failpoints!("claim", claim).await?;
        let found_all = self.places.look().record_claim(asked, claims.len());
        if found_all {
            self.second_look = timer(SECOND_LOOK);
        }
        // More may wait for a place, and some of them for their windows.
        let unplanned = claims.iter().any(|claim| claim.account.open_window.is_none());
        let plan_ahead = unplanned && claims.len() >= wanted;
        let (mut begin, mut too_many) = (Vec::new(), Vec::new());
        for claim in claims {
            match self.places.admit(&claim.account.endpoint) {
                Some(place) => begin.push((claim, place)),
                None => too_many.push(claim.lease),
            }
        }
        if !too_many.is_empty() {
            self.give_back(&too_many).await;
        }
        if begin.is_empty() {
            return Ok(0);
        }
        let captured = match self.capture(begin.iter().map(|(claim, _)| claim)).await {
            Ok(captured) => captured,
            Err(error) => {
                let leases: Vec<Lease> = begin.into_iter().map(|(claim, _)| claim.lease).collect();
                self.give_back(&leases).await;
                return Err(error);
            }
        };
        let taken = begin.len();
        for (claim, place) in begin {
            self.start(claim, captured.clone(), place);
        }
        if plan_ahead {
            self.plan_ahead();
        }
        Ok(taken)
    }

    /// Captures one bound for all accounts of a batch that begin a window, after their slots have come.
    async fn capture(
        &self,
        mut claims: impl Iterator<Item = &Claim>,
    ) -> Result<Option<Captured>, ExportError> {
        if claims.all(|claim| claim.account.open_window.is_some()) {
            return Ok(None);
        }
        let Exporter { ledger, source, clock, .. } = &*self.exporter;
        Ok(Some(capture(&**ledger, &**source, &**clock).await?))
    }

    /// Waits for the next slot, the next poll, a free place, or the stop.
    async fn wait(&mut self, mode: Mode, stop: &CancellationToken) {
        let wanted = self.wanted();
        // An idle worker waits for its next poll, and not for a timer that changes nothing.
        let (recent, places) = (self.recent(), &self.places);
        let changes = |recent| places.look().next_claim(recent) != wanted;
        let patient = recent.any && changes(RecentClaims { any: false, ..recent });
        let settled = recent.others && changes(RecentClaims { others: false, ..recent });
        let wake = if wanted.accounts > 0 { Some(self.next_wake(&wanted.excluded).await) } else { None };
        self.report(wake.map_or(WaitsFor::Place, |until| WaitsFor::Slot { until }));
        let clock = Arc::clone(&self.exporter.clock);
        let woken = async {
            match wake {
                Some(wake) => clock.sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        let until_idle = mode == Mode::UntilIdle;
        tokio::select! {
            () = stop.cancelled() => {}
            Some(done) = self.tasks.join_next_with_id() => self.export_ended(done).await,
            Some(done) = self.planning.join_next() => self.planning_ended(done),
            () = over(&mut self.planned_first) => self.resume_admission(),
            () = over(&mut self.patience), if patient => self.patience = None,
            () = over(&mut self.second_look), if settled => self.second_look = None,
            () = woken, if !until_idle => {}
            () = tokio::time::sleep(self.limits.poll_interval), if wake.is_some() && !until_idle => {}
            () = tokio::time::sleep(SPIN_PAUSE), if until_idle => {}
        }
    }

    async fn next_wake(&self, excluded: &[String]) -> Timestamp {
        let now = self.exporter.clock.now();
        let latest = now.checked_add(self.limits.poll_interval).unwrap_or(now);
        match self.exporter.ledger.next_due(excluded).await {
            // Due, but another worker's or just given back: do not spin on it.
            Ok(Some(at)) if at <= now => now.checked_add(SPIN_PAUSE).unwrap_or(now),
            Ok(Some(at)) => at.min(latest),
            Ok(None) | Err(_) => latest,
        }
    }

    async fn pause(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(self.limits.poll_interval) => {}
        }
    }
}
