//! One window, end to end: plan, seal, journal, put, commit.
//!
//! The protocol decides each next step (`protocol.rs`); this file carries it out.
//! Everything that a crash must not lose is in the ledger before the next step
//! begins, so that any worker can go on from there.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::database::is_forbidden;
use crate::base::failpoint::with_failpoints;
use crate::base::zones::Zones;
use crate::delivery::capture::{CaptureError, Captured, Confirmations};
use crate::delivery::heartbeat::Kept;
use crate::delivery::pipeline::{Begin, ObjectError, Objects, ReadAhead};
use crate::delivery::places::Place;
use crate::destinations::cache::StoreCache;
use crate::destinations::fix::fix;
use crate::destinations::probe::{ProbeFailure, probe};
use crate::ledger::{
    Account, Blame, Claim, Failure, Lease, Ledger, LedgerError, OpenWindow, SealOutcome, Trouble,
    TroubleKind, Wait,
};
use crate::observe::telemetry::Metrics;
use crate::source::{Source, SourceError};
use crate::store::OpenError;
use auditferry_core::archive::{ArchiveError, Sealed};
use auditferry_core::format::writer::{UnknownVersion, Writer};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::instant::span_text;
use auditferry_core::model::schedule::{Schedule, ScheduleError, ZoneError};
use auditferry_core::model::window::Window;
use auditferry_core::protocol::admission::Pace;
use auditferry_core::protocol::{
    Attempt, Denied, Effect, Event, Hold, Setback, Stop, Task, Tokens, backoff, decide, next_task,
};
use auditferry_core::store::{Object, Outcome, PutError, PutErrorKind, Receipt, deliver};

mod plan;

/// Why an export could not go on. The account is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger failed, or the lease is lost.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// This worker's clock cannot be right.
    #[error(
        "this worker's clock is {} {} the clock of the ledger's database; it takes nothing until they agree \
         within an hour: set the clocks of both hosts (NTP)",
        span_text(*.0),
        if .0.is_negative() { "behind" } else { "ahead of" }
    )]
    Clock(SignedDuration),
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
    /// The window is of a version of auditferry that this one does not know.
    #[error(transparent)]
    ContentVersion(#[from] UnknownVersion),
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
    pub fn kind(&self) -> TroubleKind {
        match self {
            Self::Ledger(LedgerError::LeaseLost(_)) => TroubleKind::LeaseLost,
            Self::Ledger(_) => TroubleKind::Ledger,
            Self::Source(SourceError::Rewound(_)) => TroubleKind::Held(Hold::SourceRewound),
            Self::Clock(_) => TroubleKind::Put(PutErrorKind::Clock),
            Self::Source(SourceError::Rewritten(_)) => TroubleKind::Held(Hold::SourceRewritten),
            Self::Source(SourceError::Table(_) | SourceError::Unfit(_) | SourceError::Account { .. }) => {
                TroubleKind::SourceSettings
            }
            Self::Source(SourceError::Database(error)) if is_forbidden(error) => TroubleKind::SourceSettings,
            Self::Source(SourceError::BadRecord { .. }) => TroubleKind::Held(Hold::BadRecord),
            Self::LedgerRewound => TroubleKind::Held(Hold::LedgerRewound),
            Self::Source(_) => TroubleKind::Source,
            Self::Archive(_) | Self::Internal(_) => TroubleKind::Internal,
            Self::Open(error) if error.passes() => TroubleKind::Keys,
            Self::Open(_) => TroubleKind::Put(PutErrorKind::Misconfigured),
            Self::Zone(_) | Self::Schedule(_) => TroubleKind::Schedule,
            Self::ContentVersion(_) => TroubleKind::ContentVersion,
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
            Self::Source(SourceError::Rewritten(_)) => Event::Rewritten,
            Self::Source(SourceError::BadRecord { .. }) => Event::BadRecord,
            Self::Open(error) if !error.passes() => Event::Failed(Setback::NeedsCustomer),
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
    /// Others wait: it goes on when it is its turn again.
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
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
    /// For how long the customer's side may refuse before it is only probed.
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
        kept: Kept,
    ) -> Result<Finish, ExportError> {
        let finish = tokio::select! {
            biased;
            finish = self.export_or_set_back(claim, captured, place) => finish,
            // Wherever it stands: the other worker goes on from there, as after a crash.
            () = kept.lost() => Err(LedgerError::LeaseLost(claim.account.id.clone()).into()),
        };
        if let Err(ExportError::Ledger(error)) = &finish
            && !matches!(error, LedgerError::LeaseLost(_))
        {
            // A ledger that fails cannot remember a wait: keep the lease for one.
            tokio::time::sleep(self.waits.first).await;
        }
        // First: a lease that was given back would be taken for a lost one.
        drop(kept);
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
            let confirmed = open.doubtful || !repointed && self.confirmations.know(&open.window.set.hi);
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
                Ended::Stopped(Stop::Closed | Stop::Afresh) => Ok(Finish::Done),
                Ended::Stopped(Stop::Later(_)) => Ok(Finish::Later),
                Ended::Stopped(Stop::Held(_)) => Ok(Finish::Held),
                Ended::Drained => Ok(Finish::Drained),
                Ended::Yielded => Ok(Finish::Yielded),
            };
        }
        Ok(Finish::Done)
    }

    /// Asks the destination of a suspended account with an object of no bytes: nothing is
    /// read for it. Whether it goes on.
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

    /// Carries out the protocol for one window. `confirmed`: whether a mark was counted since the
    /// window was stored and given its destination; before an attempt, one always was.
    async fn deliver_window(
        &self,
        claim: &Claim,
        open: &OpenWindow,
        place: &Place,
        mut confirmed: bool,
    ) -> Result<Ended, ExportError> {
        let window = Arc::new(open.window.clone());
        let span = tracing::Span::current();
        span.record("window", window.number).record("slot", tracing::field::display(window.slot));
        let turn = self.read_ahead.turn().await;
        self.source.recognise_set(&window.account, &window.set).await?;
        drop(turn);
        let writer = Writer::of(&window, self.zones.find(&window.zone)?.rules().clone())?;
        // Not before there is an object: most of the windows of one instant may be empty.
        let store = OnceCell::new();
        let opened = || store.get_or_try_init(|| self.stores.open(open));
        let mut objects = None;
        let mut ordinal = open.ordinal;
        let mut exhausted = open.exhausted;
        // Of an object that was attempted, records must be there again.
        let mut attempted = open.attempted;
        let mut effect: Effect<Delivering> = decide(Event::Resumed);
        loop {
            if effect.begins_work() && self.draining.is_cancelled() {
                return Ok(Ended::Drained);
            }
            // The ledger has stored its new place in the queue with the last object.
            if matches!(effect, Effect::Seal) && ordinal > open.ordinal && place.makes_way() {
                return Ok(Ended::Yielded);
            }
            let event = match effect {
                Effect::Seal if exhausted => Event::Exhausted,
                Effect::Seal => {
                    let begin = || {
                        let (window, writer) = (Arc::clone(&window), writer.clone());
                        let (key, cursor) = (open.key.clone(), open.cursor.clone());
                        let begin = Begin { window, writer, ordinal, key, cursor };
                        Objects::begin(Arc::clone(&self.source), begin, self.read_ahead.clone())
                    };
                    let objects = objects.get_or_insert_with(begin);
                    let event = self.seal(&claim.lease, &window, objects, confirmed).await?;
                    confirmed |= matches!(event, Event::Sealed(_));
                    match event {
                        Event::Exhausted if attempted => Event::Differs,
                        event => {
                            attempted = false;
                            event
                        }
                    }
                }
                Effect::Journal(sealed) => {
                    // An attempt that cannot be made is none.
                    opened().await?;
                    self.journal(&claim.lease, &window, sealed).await?
                }
                Effect::Put(sealed, attempt) => {
                    let answer = self.put(&**opened().await?, &sealed, attempt, place).await;
                    self.judge(claim, &window, &sealed, answer).await?
                }
                Effect::Commit(receipt) => {
                    let commit = self.ledger.commit(&claim.lease, receipt, self.clock.now());
                    let last = with_failpoints!("commit", commit).await?;
                    ordinal += 1;
                    exhausted = last;
                    Event::Committed { last }
                }
                Effect::Close => {
                    let close = self.ledger.close(&claim.lease, window.number, self.clock.now());
                    with_failpoints!("close", close).await?;
                    Event::Committed { last: true }
                }
                Effect::Stop(stop) => {
                    return self.stop(claim, &window, stop).await.map(Ended::Stopped);
                }
            };
            effect = decide(event);
        }
    }

    /// Takes the next object of the window, and stores what it is. Meanwhile the window is
    /// confirmed, unless it is: one that holds no record never needs it.
    async fn seal(
        &self,
        lease: &Lease,
        window: &Window,
        objects: &mut Objects,
        confirmed: bool,
    ) -> Result<Event<Delivering>, ExportError> {
        let Some(sealed) = objects.next().await? else { return Ok(Event::Exhausted) };
        let facts = &sealed.facts;
        tracing::debug!(key = %facts.key, records = facts.records, content_bytes = facts.content_bytes,
            object_bytes = facts.object_bytes, "object is built");
        let seal = async {
            let seal = self.ledger.seal(lease, window.number, &sealed.facts, self.clock.now());
            Ok::<_, ExportError>(with_failpoints!("seal", seal).await?)
        };
        let confirm = async { if confirmed { Ok(()) } else { self.confirm().await } };
        match tokio::try_join!(seal, confirm)?.0 {
            SealOutcome::Stored => Ok(Event::Sealed(sealed)),
            SealOutcome::Differs => Ok(Event::Differs),
        }
    }

    /// Confirms the windows that are stored by now.
    async fn confirm(&self) -> Result<(), ExportError> {
        Ok(self.confirmations.confirm(&*self.ledger, &*self.source, &*self.clock).await?)
    }

    async fn journal(
        &self,
        lease: &Lease,
        window: &Window,
        sealed: Sealed,
    ) -> Result<Event<Delivering>, ExportError> {
        let now = self.clock.now();
        let journal = self.ledger.journal(lease, window.number, &sealed.facts, &self.owner, now);
        let attempt = with_failpoints!("journal", journal).await?;
        tracing::Span::current().record("attempt", attempt.number);
        Ok(Event::Journaled(sealed, attempt))
    }

    async fn put(
        &self,
        store: &dyn auditferry_core::store::Store,
        sealed: &Sealed,
        attempt: Attempt,
        place: &Place,
    ) -> Outcome {
        let object = Object {
            key: sealed.facts.key.clone(),
            body: sealed.body.clone(),
            content_type: sealed.content_type,
            metadata: sealed.metadata.clone(),
        };
        let started = std::time::Instant::now();
        let outcome = deliver(store, attempt, &object).await;
        self.metrics.put_seconds.observe(started.elapsed().as_secs_f64());
        place.answered(match &outcome {
            Outcome::Failed(_, error) if error.kind.is_slow() => Pace::Slow,
            _ => Pace::Kept,
        });
        outcome
    }

    /// Remembers what became of an attempt, and says so to the protocol.
    async fn judge(
        &self,
        claim: &Claim,
        window: &Window,
        sealed: &Sealed,
        outcome: Outcome,
    ) -> Result<Event<Delivering>, ExportError> {
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
                self.fail(claim, window, sealed, &attempt, &error, TroubleKind::Held(Hold::ForeignObject))
                    .await?;
                Ok(Event::Foreign)
            }
            Outcome::Failed(attempt, error) => {
                self.fail(claim, window, sealed, &attempt, &error, TroubleKind::Put(error.kind)).await?;
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
        kind: TroubleKind,
    ) -> Result<(), ExportError> {
        let now = self.clock.now();
        let (retry_at, blame) = if error.kind.needs_customer() {
            (self.next_regular_slot(&claim.account, now), self.customer())
        } else {
            (self.after_a_wait(&claim.account, now, error.retry_after), Blame::Nobody)
        };
        self.metrics.failed(kind.as_str());
        tracing::warn!(account = %window.account, slot = %window.slot, key = %sealed.facts.key,
            attempt = attempt.number, kind = kind.as_str(), error = %error,
            fix = fix(&kind), retry_at = %retry_at, "put failed");
        let doubtful = error.kind.answer().leaves_doubt();
        let (message, request_id) = (error.to_string(), error.request_id.clone());
        let failure = Failure { kind, message, request_id, doubtful, at: now, retry_at, blame };
        let denied = with_failpoints!("fail", self.ledger.fail(&claim.lease, attempt, &failure)).await?;
        tell_suspension(&claim.account, denied);
        Ok(())
    }

    fn customer(&self) -> Blame {
        Blame::Customer { suspend_after: self.waits.suspend_after }
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
        tracing::error!(account = %claim.account.id, hold = hold.as_str(), problem = message, "account held");
        let trouble = Trouble { kind: TroubleKind::Held(hold), message, at: self.clock.now() };
        Ok(with_failpoints!("hold", self.ledger.hold(&claim.lease, hold, trouble)).await?)
    }

    async fn repoint(&self, lease: &Lease, window: u64) -> Result<(), LedgerError> {
        with_failpoints!("repoint", self.ledger.repoint(lease, window)).await
    }

    async fn set_next_slot(&self, lease: &Lease, next_slot: Option<Timestamp>) -> Result<(), LedgerError> {
        with_failpoints!("postpone", self.ledger.set_next_slot(lease, next_slot)).await
    }

    async fn postpone(&self, lease: &Lease, wait: Wait) -> Result<Option<Denied<Timestamp>>, LedgerError> {
        with_failpoints!("postpone", self.ledger.postpone(lease, wait)).await
    }

    /// Something other than a put failed.
    async fn interrupted(&self, claim: &Claim, error: ExportError) -> Result<Finish, ExportError> {
        match decide::<Delivering>(error.event()) {
            Effect::Stop(Stop::Held(hold)) => {
                self.metrics.failed(error.kind().as_str());
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
        self.metrics.failed(error.kind().as_str());
        let now = self.clock.now();
        let (retry_at, blame) = match error {
            ExportError::Open(ref problem) if !problem.passes() => {
                self.stores.forget(&claim.account.id);
                (self.next_regular_slot(&claim.account, now), self.customer())
            }
            _ => (self.after_a_wait(&claim.account, now, None), Blame::Nobody),
        };
        tracing::warn!(account = %claim.account.id, kind = error.kind().as_str(), error = %error,
            fix = fix(&error.kind()), retry_at = %retry_at, "export failed");
        let trouble = Trouble { kind: error.kind(), message: error.to_string(), at: now };
        let denied = self.postpone(&claim.lease, Wait { trouble, retry_at, blame }).await?;
        tell_suspension(&claim.account, denied);
        Ok(Finish::Later)
    }

    fn after_a_wait(&self, account: &Account, now: Timestamp, asked: Option<Duration>) -> Timestamp {
        let failures = account.failures.saturating_add(1);
        let wait = backoff(failures, self.waits.first, self.waits.longest, asked, fraction(&account.id));
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

/// Logs that an account has just been suspended.
fn tell_suspension(at_claim: &Account, denied: Option<Denied<Timestamp>>) {
    if let Some(Denied { since, suspended_at: Some(_) }) = denied
        && !at_claim.is_suspended()
    {
        tracing::error!(account = %at_claim.id, since = %since, "account suspended: its destination has \
            refused everything since then; it is probed at each slot, and goes on when a probe succeeds");
    }
}

/// 0 to 1, always the same for an account: nothing here needs chance.
fn fraction(id: &AccountId) -> f64 {
    let sum = id.as_str().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    f64::from(sum % 1000) / 1000.0
}
