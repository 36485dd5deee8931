//! One window, end to end: plan, seal, journal, put, commit.
//!
//! The protocol decides each next step (`protocol.rs`); this file carries it out.
//! Everything that a crash must not lose is in the ledger before the next step
//! begins, so that any worker can go on from there.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::account::AccountId;
use crate::archive::{ArchiveError, Sealed};
use crate::capture::{CaptureError, Captured};
use crate::clock::Clock;
use crate::failpoint::around;
use crate::ledger::{
    Account, Claim, Failure, Lease, Ledger, LedgerError, NewWindow, OpenWindow, SealOutcome, Trouble,
};
use crate::pipeline::{Begin, ObjectError, Objects, ReadAhead};
use crate::protocol::{
    Attempt, Effect, Event, Hold, Setback, Stop, Task, Tokens, backoff, decide, next_task,
};
use crate::schedule::{Calendar, Schedule, ScheduleError, ZoneError};
use crate::source::{Source, SourceError};
use crate::store::{Object, OpenError, Outcome, PutError, Receipt, deliver};
use crate::store_cache::StoreCache;
use crate::telemetry::Metrics;
use crate::window::Window;
use crate::zones::Zones;

/// Why an export could not go on. The account is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger failed, or the lease is lost.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger has gone back.
    #[error("{}", CaptureError::LedgerRewound)]
    LedgerRewound,
    /// An object could not be made.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The destination cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The account's zone is not known any more.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The account's schedule does not parse any more.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A part of the worker failed.
    #[error("the worker: {0}")]
    Internal(String),
}

impl From<CaptureError> for ExportError {
    fn from(error: CaptureError) -> Self {
        match error {
            CaptureError::Ledger(error) => Self::Ledger(error),
            CaptureError::Source(error) => Self::Source(error),
            CaptureError::LedgerRewound => Self::LedgerRewound,
        }
    }
}

impl From<ObjectError> for ExportError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Source(error) => Self::Source(error),
            ObjectError::Archive(error) => Self::Archive(error),
            ObjectError::Task(_) | ObjectError::Gone => Self::Internal(error.to_string()),
        }
    }
}

impl ExportError {
    /// The kind in the metrics and in listings.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ledger(LedgerError::LeaseLost(_)) => "lease_lost",
            Self::Ledger(_) => "ledger",
            Self::Source(SourceError::Rewound(_)) => "source_rewound",
            Self::LedgerRewound => "ledger_rewound",
            Self::Source(_) => "source",
            Self::Archive(_) | Self::Internal(_) => "internal",
            Self::Open(_) => "misconfigured",
            Self::Zone(_) | Self::Schedule(_) => "schedule",
        }
    }
}

impl ExportError {
    /// What it is to the protocol.
    fn event(&self) -> Event<Delivering> {
        match self {
            Self::Ledger(LedgerError::LeaseLost(_)) => Event::LeaseLost,
            Self::Ledger(LedgerError::Changed(_)) => Event::Changed,
            Self::Ledger(_) => Event::LedgerFailed,
            Self::Source(SourceError::Rewound(_)) => Event::Rewound,
            Self::Open(_) => Event::Failed(Setback::NeedsCustomer),
            _ => Event::Failed(Setback::Transient(None)),
        }
    }
}

/// How an export ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Everything that was due is delivered.
    Done,
    /// Something must be tried again later.
    Later,
    /// A person must look.
    Held,
    /// The worker is stopping; the next one goes on.
    Drained,
}

/// The waits between attempts.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
}

/// What exports need, shared by all of them.
pub struct Exporter {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The source.
    pub source: Arc<dyn Source>,
    /// Open stores.
    pub stores: StoreCache,
    /// Time zones.
    pub zones: Zones,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The waits between attempts.
    pub waits: Waits,
    /// What bounds the objects that are made ahead, of all exports together.
    pub read_ahead: ReadAhead,
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
    /// Exports what is due for a claimed account, and gives it back.
    ///
    /// # Errors
    /// When something other than the destination failed.
    pub async fn export(&self, claim: &Claim, captured: Option<&Captured>) -> Result<Finish, ExportError> {
        let finish = match self.work(claim, captured).await {
            Ok(finish) => Ok(finish),
            Err(error) => self.interrupted(claim, error).await,
        };
        if let Err(ExportError::Ledger(error)) = &finish
            && !matches!(error, LedgerError::LeaseLost(_))
        {
            // A ledger that fails cannot remember a wait: keep the lease for one.
            tokio::time::sleep(self.waits.first).await;
        }
        around!("release", self.ledger.release(&claim.lease)).await?;
        finish
    }

    async fn work(&self, claim: &Claim, captured: Option<&Captured>) -> Result<Finish, ExportError> {
        let id = &claim.account.id;
        if claim.account.open_window.is_none() && !self.plan(claim, captured).await? {
            return Ok(Finish::Done);
        }
        let mut newest = claim.account.destination_version;
        while let Some(open) = self.ledger.open_window(id).await? {
            let moved = newest.is_some_and(|version| version != open.window.destination_version);
            if next_task(moved, open.doubtful, false) == Task::Repoint {
                self.ledger.repoint(&claim.lease, open.window.number).await?;
                // It goes to the newest as of now, which may be newer than the claim.
                newest = None;
                continue;
            }
            let stopped = match self.deliver_window(claim, &open).await {
                Err(ExportError::Open(_)) if moved => Some(Stop::Later(Setback::NeedsCustomer)),
                other => other?,
            };
            return match stopped {
                Some(Stop::Later(Setback::NeedsCustomer))
                    if next_task(moved, open.doubtful, true) == Task::Repoint =>
                {
                    self.ledger.repoint(&claim.lease, open.window.number).await?;
                    newest = None;
                    continue;
                }
                Some(Stop::Closed | Stop::Afresh) => Ok(Finish::Done),
                Some(Stop::Later(_)) => Ok(Finish::Later),
                Some(Stop::Held(_)) => Ok(Finish::Held),
                None => Ok(Finish::Drained),
            };
        }
        Ok(Finish::Done)
    }

    /// Stores the window of the newest slot that has come. False: none has.
    async fn plan(&self, claim: &Claim, captured: Option<&Captured>) -> Result<bool, ExportError> {
        let account = &claim.account;
        let zone = self.zones.find(&account.zone)?;
        let schedule = Schedule::parse(&account.schedule)?;
        let calendar = Calendar { schedule: &schedule, zone: &zone, addon: &account.addon };
        let now = self.clock.now();
        let (Some(due), Some(captured)) = (calendar.due(account.last_slot, now), captured) else {
            let next = calendar.next_after(account.last_slot.max(now));
            self.ledger.postpone(&claim.lease, next, None).await?;
            return Ok(false);
        };
        for bound in account.watermark.bounds() {
            self.source.recognise(bound).await?;
        }
        self.source.check_order(&account.watermark.bound, &captured.bound)?;
        let new = NewWindow {
            slot: due.slot,
            hi: captured.bound.clone(),
            to: captured.at,
            until: due.until,
            next_slot: calendar.next_after(due.slot),
        };
        around!("plan", self.ledger.plan(&claim.lease, &new)).await?;
        Ok(true)
    }

    /// Carries out the protocol for one window. None: the worker is stopping.
    async fn deliver_window(&self, claim: &Claim, open: &OpenWindow) -> Result<Option<Stop>, ExportError> {
        let window = Arc::new(open.window.clone());
        // A source that has gone back since the window was planned would give another set.
        for bound in window.set.bounds() {
            self.source.recognise(bound).await?;
        }
        let zone = self.zones.find(&window.zone)?.rules().clone();
        let store = self.stores.open(&window, &open.destination).await?;
        let mut objects = None;
        let mut ordinal = open.ordinal;
        let mut exhausted = open.exhausted;
        let mut effect: Effect<Delivering> = decide(Event::Resumed);
        loop {
            if effect.begins_work() && self.draining.is_cancelled() {
                return Ok(None);
            }
            let event = match effect {
                Effect::Seal if exhausted => Event::Exhausted,
                Effect::Seal => {
                    let begin = || {
                        let (window, zone) = (Arc::clone(&window), zone.clone());
                        let begin = Begin { window, zone, ordinal, cursor: open.cursor.clone() };
                        Objects::begin(Arc::clone(&self.source), begin, self.read_ahead.clone())
                    };
                    self.seal(&claim.lease, &window, objects.get_or_insert_with(begin)).await?
                }
                Effect::Journal(sealed) => self.journal(&claim.lease, &window, sealed).await?,
                Effect::Put(sealed, attempt) => self.put(claim, &*store, &window, &sealed, attempt).await?,
                Effect::Commit(receipt) => {
                    let commit = self.ledger.commit(&claim.lease, receipt, self.clock.now());
                    let last = around!("commit", commit).await?;
                    ordinal += 1;
                    exhausted = last;
                    Event::Committed { last }
                }
                Effect::Close => {
                    let close = self.ledger.close(&claim.lease, window.number, self.clock.now());
                    around!("close", close).await?;
                    Event::Committed { last: true }
                }
                Effect::Stop(stop) => return self.stop(claim, &window, stop).await.map(Some),
            };
            effect = decide(event);
        }
    }

    /// Takes the next object of the window, and stores what it is.
    async fn seal(
        &self,
        lease: &Lease,
        window: &Window,
        objects: &mut Objects,
    ) -> Result<Event<Delivering>, ExportError> {
        let Some(sealed) = objects.next().await? else { return Ok(Event::Exhausted) };
        let seal = self.ledger.seal(lease, window.number, &sealed.facts, self.clock.now());
        match around!("seal", seal).await? {
            SealOutcome::Stored => Ok(Event::Sealed(sealed)),
            SealOutcome::Differs => Ok(Event::Differs),
        }
    }

    async fn journal(
        &self,
        lease: &Lease,
        window: &Window,
        sealed: Sealed,
    ) -> Result<Event<Delivering>, ExportError> {
        let now = self.clock.now();
        let journal = self.ledger.journal(lease, window.number, &sealed.facts, &self.owner, now);
        let attempt = around!("journal", journal).await?;
        Ok(Event::Journaled(sealed, attempt))
    }

    async fn put(
        &self,
        claim: &Claim,
        store: &dyn crate::store::Store,
        window: &Window,
        sealed: &Sealed,
        attempt: Attempt,
    ) -> Result<Event<Delivering>, ExportError> {
        let object = Object {
            key: sealed.facts.key.clone(),
            body: sealed.body.clone(),
            content_type: sealed.content_type,
            metadata: sealed.metadata.clone(),
        };
        let started = std::time::Instant::now();
        let outcome = deliver(store, attempt, &object).await;
        self.metrics.put_seconds.observe(started.elapsed().as_secs_f64());
        match outcome {
            Outcome::Delivered(receipt) => {
                let facts = &sealed.facts;
                self.metrics.objects.inc();
                self.metrics.records.inc_by(facts.records);
                self.metrics.bytes.inc_by(facts.object_bytes);
                tracing::info!(account = %window.account, slot = %window.slot, key = %facts.key,
                    records = facts.records, bytes = facts.object_bytes, "delivered");
                Ok(Event::Delivered(receipt))
            }
            Outcome::Foreign(attempt, error) => {
                self.fail(claim, window, sealed, &attempt, &error, "foreign_object").await?;
                Ok(Event::Foreign)
            }
            Outcome::Failed(attempt, error) => {
                self.fail(claim, window, sealed, &attempt, &error, error.kind.as_str()).await?;
                let setback = if error.kind.needs_customer() {
                    self.stores.forget(&window.account);
                    Setback::NeedsCustomer
                } else {
                    Setback::Transient(error.retry_after)
                };
                Ok(Event::Failed(setback))
            }
        }
    }

    /// Stores a failed attempt with the instant of the next one, and logs it.
    async fn fail(
        &self,
        claim: &Claim,
        window: &Window,
        sealed: &Sealed,
        attempt: &Attempt,
        error: &PutError,
        kind: &'static str,
    ) -> Result<(), ExportError> {
        let now = self.clock.now();
        let retry_at = if error.kind.needs_customer() {
            self.next_regular_slot(&claim.account, now)
        } else {
            self.after_a_wait(&claim.account, now, error.retry_after)
        };
        self.metrics.failed(kind);
        tracing::warn!(account = %window.account, slot = %window.slot, key = %sealed.facts.key,
            attempt = attempt.number, kind, error = %error, retry_at = %retry_at, "put failed");
        let doubtful = error.kind.answer().leaves_doubt();
        let failure = Failure { kind, message: error.to_string(), doubtful, at: now, retry_at };
        Ok(around!("fail", self.ledger.fail(&claim.lease, attempt, &failure)).await?)
    }

    async fn stop(&self, claim: &Claim, window: &Window, stop: Stop) -> Result<Stop, ExportError> {
        match stop {
            Stop::Closed => {
                self.metrics.windows.inc();
                let late = self.clock.now().duration_since(window.slot).as_secs_f64();
                self.metrics.lateness.observe(late.max(0.0));
            }
            Stop::Later(_) | Stop::Afresh => {}
            Stop::Held(hold) => self.hold(claim, hold, hold.explanation().to_owned()).await?,
        }
        Ok(stop)
    }

    async fn hold(&self, claim: &Claim, hold: Hold, message: String) -> Result<(), ExportError> {
        tracing::error!(account = %claim.account.id, hold = hold.as_str(), message, "account held");
        let trouble = Trouble { kind: hold.as_str().to_owned(), message, at: self.clock.now() };
        Ok(self.ledger.hold(&claim.lease, hold, trouble).await?)
    }

    /// Something other than a put failed.
    async fn interrupted(&self, claim: &Claim, error: ExportError) -> Result<Finish, ExportError> {
        match decide::<Delivering>(error.event()) {
            Effect::Stop(Stop::Held(hold)) => {
                self.metrics.failed(error.kind());
                self.hold(claim, hold, error.to_string()).await?;
                Ok(Finish::Held)
            }
            Effect::Stop(Stop::Later(_)) => self.set_back(claim, error).await,
            _ if matches!(error, ExportError::Ledger(LedgerError::Changed(_))) => Ok(Finish::Done),
            _ => Err(error),
        }
    }

    /// Remembers where support looks what went wrong, and waits.
    async fn set_back(&self, claim: &Claim, error: ExportError) -> Result<Finish, ExportError> {
        self.metrics.failed(error.kind());
        let now = self.clock.now();
        let retry_at = match error {
            ExportError::Open(_) => {
                self.stores.forget(&claim.account.id);
                self.next_regular_slot(&claim.account, now)
            }
            _ => self.after_a_wait(&claim.account, now, None),
        };
        tracing::warn!(account = %claim.account.id, kind = error.kind(), error = %error,
            retry_at = %retry_at, "export failed");
        let trouble = Trouble { kind: error.kind().to_owned(), message: error.to_string(), at: now };
        let next_slot = self.ledger.account(&claim.account.id).await?.next_slot;
        self.ledger.postpone(&claim.lease, next_slot, Some((trouble, retry_at))).await?;
        Ok(Finish::Later)
    }

    fn after_a_wait(&self, account: &Account, now: Timestamp, asked: Option<Duration>) -> Timestamp {
        let failures = account.failures.saturating_add(1);
        let wait = backoff(failures, self.waits.first, self.waits.longest, asked, spread(&account.id));
        now.checked_add(wait).unwrap_or(now)
    }

    fn next_regular_slot(&self, account: &Account, now: Timestamp) -> Timestamp {
        let zone = self.zones.find(&account.zone);
        let schedule = Schedule::parse(&account.schedule);
        match (zone, schedule) {
            (Ok(zone), Ok(schedule)) => schedule.next_after(zone.rules(), now),
            _ => None,
        }
        .unwrap_or_else(|| self.after_a_wait(account, now, None))
    }
}

/// 0 to 1, always the same for an account: nothing here needs chance.
fn spread(id: &AccountId) -> f64 {
    let sum = id.as_str().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    f64::from(sum % 1000) / 1000.0
}
