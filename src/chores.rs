//! What a worker does beside its exports. Each chore has a period of its own and fails on its own, and no
//! slot waits for one.

pub(crate) mod holder_watch;
pub(crate) mod reminder;
pub(crate) mod self_records;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use crate::base::clock::Clock;
use crate::base::failpoint;
use crate::chores::holder_watch::HolderWatch;
use crate::chores::reminder::remind;
use crate::chores::self_records::publish_changes;
use crate::ledger::{Ledger, LedgerError, TroubleKind};
use crate::notifications::look::{Absence, Onlooker, look};
use crate::notifications::outbox::send_due;
use crate::notifications::sender::Sender;
use crate::observe::activity::Activity;
use crate::observe::telemetry::Metrics;
use crate::source::{Source, SourceError};
use auditferry_core::model::worker::{ChoreReport, SIGN_EVERY};
use auditferry_core::protocol::is_clock_ahead;

/// A mark is removed from the source when it is this much older than the oldest watermark, and this old by
/// the source's own clock as well: a worker's may be wrong.
const MARKS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// For how long it can be seen what was told.
const NOTICES_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// For how long it can be seen that a session has ended.
const SESSIONS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The least time between two signs of life.
const NEWS_PAUSE: Duration = Duration::from_secs(1);

/// What chores work with.
#[derive(Clone)]
pub(crate) struct ChoreContext {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) activity: Arc<Activity>,
    /// Sends notifications; none: this worker sends none.
    pub(crate) sender: Option<Arc<Sender>>,
    /// That no worker ran before this one.
    pub(crate) absence: Option<Absence>,
    /// How long the source keeps its rows, if it deletes them.
    pub(crate) retention: Option<SignedDuration>,
}

/// Why a chore could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChoreError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl ChoreError {
    /// The kind in the metrics.
    fn kind(&self) -> TroubleKind {
        match self {
            Self::Ledger(_) => TroubleKind::Ledger,
            Self::Source(_) => TroubleKind::Source,
        }
    }
}

/// A chore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chore {
    /// Warns of credentials that end soon.
    WarnOfEndingCredentials,
    /// Removes marks from the source that no watermark needs any more.
    RemoveOldMarks,
    /// Looks for a transaction of the source that has been open for so long that records wait for it.
    WatchHolder,
    /// Writes changes of accounts into the accounts' own audit logs.
    PublishChanges,
    /// Deletes changes that are not to become records.
    DiscardOutbox,
    /// Forgets workers that are gone for long.
    ForgetWorkers,
    /// Forgets requests of the API that cannot come again, its old jobs, sessions that have ended, and notices that were told
    /// long ago.
    ForgetRequests,
    /// Decides who is told what.
    QueueNotifications,
    /// Sends what is to be told.
    SendNotifications,
}

/// What tells people.
const TELLING: [Chore; 2] = [Chore::QueueNotifications, Chore::SendNotifications];

impl Chore {
    fn name(self) -> &'static str {
        match self {
            Self::WarnOfEndingCredentials => "warn of ending credentials",
            Self::RemoveOldMarks => "remove old marks",
            Self::WatchHolder => "watch for open transactions",
            Self::PublishChanges => "publish changes",
            Self::DiscardOutbox => "discard outbox",
            Self::ForgetWorkers => "forget old workers",
            Self::ForgetRequests => "forget old requests",
            Self::QueueNotifications => "queue notifications",
            Self::SendNotifications => "send notifications",
        }
    }

    /// How long after its last run it runs again; none: each time that the worker looks.
    fn period(self) -> Option<SignedDuration> {
        match self {
            Self::PublishChanges | Self::WatchHolder | Self::QueueNotifications | Self::SendNotifications => {
                None
            }
            Self::WarnOfEndingCredentials
            | Self::RemoveOldMarks
            | Self::DiscardOutbox
            | Self::ForgetWorkers
            | Self::ForgetRequests => Some(SignedDuration::from_hours(1)),
        }
    }

    async fn run(self, context: &ChoreContext, watch: &mut HolderWatch) -> Result<(), ChoreError> {
        let ChoreContext { ledger, source, clock, metrics, .. } = context;
        let now = clock.now();
        match self {
            Self::WarnOfEndingCredentials => remind(&**ledger, now).await?,
            Self::RemoveOldMarks => {
                let gauges = ledger.gauges(now).await?;
                let oldest = gauges.states.iter().filter_map(|state| state.oldest_watermark).min();
                let newest = ledger.newest_watermark().await?;
                if newest.is_some_and(|at| is_clock_ahead(at.duration_since(now))) {
                    // It was captured while a clock was ahead, so its mark's age is not known.
                    return Ok(());
                }
                if let Some(before) = oldest.and_then(|at| at.checked_sub(MARKS_KEPT).ok()) {
                    source.forget_marks(&ledger.id().await?, before, MARKS_KEPT).await?;
                }
            }
            Self::WatchHolder => {
                let holder = source.holder().await?;
                metrics.held_back.set(watch.update(holder.as_ref(), clock.now()));
            }
            Self::PublishChanges => publish_changes(&**ledger, &**source).await?,
            Self::DiscardOutbox => ledger.discard_outbox().await?,
            Self::ForgetWorkers => ledger.forget_workers().await?,
            Self::ForgetRequests => {
                ledger.forget_requests().await?;
                ledger.forget_jobs().await?;
                let before = now.checked_sub(SESSIONS_KEPT).unwrap_or(now);
                ledger.forget_sessions(before).await?;
                ledger.forget_portal_sessions(before).await?;
                ledger.forget_notices(now.checked_sub(NOTICES_KEPT).unwrap_or(now)).await?;
            }
            Self::QueueNotifications => {
                look(&**ledger, Onlooker::Worker(context.absence), context.retention).await?;
            }
            Self::SendNotifications => {
                if let Some(sender) = &context.sender {
                    send_due(&**ledger, sender).await?;
                }
            }
        }
        Ok(())
    }
}

/// A chore, and how its last run went.
struct ScheduledChore {
    chore: Chore,
    /// Between two looks.
    pause: Duration,
    begun: Option<Timestamp>,
    done: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    watch: HolderWatch,
}

impl ScheduledChore {
    fn new(chore: Chore, pause: Duration) -> Self {
        Self { chore, pause, begun: None, done: None, failing_since: None, watch: HolderWatch::default() }
    }

    /// Runs the chore if it is due. A failure does no harm: it is logged once, and the chore is tried again.
    async fn run_if_due(&mut self, context: &ChoreContext) {
        let now = context.clock.now();
        let waits = |period: SignedDuration| {
            self.begun.is_some_and(|at| now.duration_since(at).abs() < period) && self.failing_since.is_none()
        };
        if self.chore.period().is_some_and(waits) {
            return;
        }
        self.begun = Some(now);
        let done = self.chore.run(context, &mut self.watch).await;
        let failed_before = self.failing_since.is_some();
        match &done {
            Ok(()) => (self.done, self.failing_since) = (Some(now), None),
            Err(_) => self.failing_since = self.failing_since.or(Some(now)),
        }
        context.activity.note_chore(self.report(done.as_ref().err()));
        match done {
            Err(error) if !failed_before => {
                context.metrics.failed(error.kind().as_str());
                tracing::warn!(chore = self.chore.name(), kind = error.kind().as_str(), error = %error,
                    "a chore failed; it is tried again, and its next success is logged");
            }
            Ok(()) if failed_before => tracing::info!(chore = self.chore.name(), "the chore works again"),
            Ok(()) | Err(_) => {}
        }
    }

    /// How it goes, for the worker's signs of life.
    fn report(&self, error: Option<&ChoreError>) -> ChoreReport {
        let pause = SignedDuration::try_from(self.pause).unwrap_or(SignedDuration::MAX);
        ChoreReport {
            name: self.chore.name().to_owned(),
            period_seconds: self.chore.period().unwrap_or(pause).as_secs().unsigned_abs(),
            last_run: self.begun,
            last_success: self.done,
            failing_since: self.failing_since,
            error: error.map(ToString::to_string),
        }
    }
}

fn scheduled(self_records: bool, pause: Duration) -> Vec<ScheduledChore> {
    let changes = if self_records { Chore::PublishChanges } else { Chore::DiscardOutbox };
    let chores = [
        changes,
        Chore::WarnOfEndingCredentials,
        Chore::RemoveOldMarks,
        Chore::WatchHolder,
        Chore::ForgetWorkers,
        Chore::ForgetRequests,
        Chore::QueueNotifications,
        Chore::SendNotifications,
    ];
    chores.map(|chore| ScheduledChore::new(chore, pause)).into()
}

/// The chores of a worker; they end when it is dropped.
pub(crate) struct Chores {
    _tasks: JoinSet<()>,
}

impl Chores {
    /// Runs each of them when it is due, until the returned value is dropped. `pause`: how often to look.
    pub(crate) fn start(context: &ChoreContext, self_records: bool, pause: Duration) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(give_signs(context.clone()));
        for mut chore in scheduled(self_records, pause) {
            let context = context.clone();
            tasks.spawn(async move {
                loop {
                    chore.run_if_due(&context).await;
                    tokio::time::sleep(pause).await;
                }
            });
        }
        Self { _tasks: tasks }
    }

    /// Does each of them once, for a run that ends with what is due; signs of life go on.
    pub(crate) async fn once(context: &ChoreContext, self_records: bool) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(give_signs(context.clone()));
        for mut chore in scheduled(self_records, Duration::ZERO) {
            if !TELLING.contains(&chore.chore) {
                chore.run_if_due(context).await;
            }
        }
        Self { _tasks: tasks }
    }

    /// Tells what such a run has seen, at its end.
    pub(crate) async fn tell(context: &ChoreContext) {
        for chore in TELLING {
            ScheduledChore::new(chore, Duration::ZERO).run_if_due(context).await;
        }
    }
}

/// Gives a sign of life now and then, and soon after there is news. Each is independent of the chores, so
/// that one which hangs is seen.
async fn give_signs(context: ChoreContext) {
    let mut failing = false;
    loop {
        if !failpoint::stands_still() {
            let done = context.ledger.sign_of_life(&context.activity.sign()).await;
            if let (Err(error), false) = (&done, failing) {
                tracing::warn!(error = %error, "the ledger does not take a sign of life; it is tried again");
            }
            failing = done.is_err();
        }
        tokio::time::sleep(NEWS_PAUSE).await;
        let _ = tokio::time::timeout(SIGN_EVERY.unsigned_abs(), context.activity.news()).await;
    }
}
