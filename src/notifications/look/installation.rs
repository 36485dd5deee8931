//! What is so with the installation: its workers, their clocks and chores.

use jiff::{SignedDuration, Timestamp};

use super::{Absence, Onlooker, States, item, notice, tell_part};
use crate::ledger::{
    AccountFilter, AccountOrder, AccountPage, Circumstances, Health, Ledger, Result, StoredState,
};
use auditferry_core::model::notification::{Audience, Change, Detail, Topic};
use auditferry_core::model::worker::{KnownWorker, LastWorker, Presence};
use auditferry_core::protocol::notify::{Fact, INSTALLATION_PAUSE, News, NoticeState};

/// A restart is no news.
const RESTART: SignedDuration = SignedDuration::from_mins(5);

/// How long a slot may wait for a worker.
const BACKLOG: SignedDuration = SignedDuration::from_mins(15);

/// How far a clock may be off. From an hour on, its worker takes nothing.
const SKEW_SECONDS: u64 = 60;

/// How long a chore may fail.
const CHORE: SignedDuration = SignedDuration::from_hours(1);

fn fact(topic: Topic, since: Option<Timestamp>, patience: SignedDuration) -> Fact {
    Fact { topic, level: 1, since, patience }
}

fn message(text: String) -> Detail {
    Detail { message: Some(text), ..Detail::default() }
}

/// Tells the operator of each part.
pub(super) async fn tell(
    ledger: &dyn Ledger,
    states: &mut States,
    who: Onlooker,
    now: Timestamp,
) -> Result<()> {
    let workers = ledger.workers().await?;
    // What is remembered of a telling lasts as long as this may be told.
    let (absence, gone) = match who {
        // Its own sign of life may be on its way still.
        Onlooker::Worker(absence) => (absence, None),
        Onlooker::Other => (None, gone(&workers)),
    };
    match absence.filter(|absence| now.duration_since(absence.until) < INSTALLATION_PAUSE) {
        Some(absence) if !states.contains_key("operator/workers") => came_back(ledger, absence, now).await?,
        _ => tell_part(ledger, states, "workers", gone, now).await?,
    }
    let alive: Vec<&KnownWorker> = workers.iter().filter(|worker| worker.is_alive()).collect();
    tell_part(ledger, states, "backlog", backlog(ledger, now).await?, now).await?;
    tell_part(ledger, states, "clock", clock(&alive), now).await?;
    tell_part(ledger, states, "chores", chores(&alive), now).await
}

/// Since when no worker runs that nobody expects to come again.
pub(super) fn absent_since(workers: &[KnownWorker]) -> Option<Timestamp> {
    match Presence::of(workers) {
        Presence::Gone(LastWorker::Stopped { at, .. }) => Some(at),
        Presence::Gone(LastWorker::Silent { since, .. }) => Some(since),
        Presence::Gone(LastWorker::Never) | Presence::Running(_) | Presence::Visits { .. } => None,
    }
}

fn gone(workers: &[KnownWorker]) -> Option<(Fact, Detail)> {
    Some((fact(Topic::Workers, Some(absent_since(workers)?), RESTART), Detail::default()))
}

/// Nobody was there to tell that no worker ran: whoever comes tells it.
async fn came_back(ledger: &dyn Ledger, absence: Absence, now: Timestamp) -> Result<()> {
    if absence.until.duration_since(absence.since) < RESTART {
        return Ok(());
    }
    let state = NoticeState { told_at: Some(now), ..NoticeState::default() };
    let moved = StoredState { subject: "operator/workers".to_owned(), account: None, state, revision: 0 };
    let news = News { topic: Topic::Workers, change: Change::Recovered, since: absence.since };
    let told = notice(vec![item(None, news, Detail::default())], 0, now);
    ledger.queue(&[moved], Some((&Audience::Operator, &told))).await?;
    Ok(())
}

/// Accounts that are due, and that no worker takes.
async fn backlog(ledger: &dyn Ledger, now: Timestamp) -> Result<Option<(Fact, Detail)>> {
    let around = Circumstances { now, no_worker: false };
    let (health, order) = (vec![Health::Unattended], AccountOrder::Oldest);
    let filter = AccountFilter { health, order, ..AccountFilter::default() };
    let number = ledger.count_accounts(around, &filter).await?;
    let page = AccountPage { filter, after: None, limit: 1 };
    let oldest = ledger.judged_accounts(around, &page).await?.pop();
    Ok(oldest.map(|oldest| {
        let detail =
            message(format!("accounts that wait: {number}, the first of them {}", oldest.account.id));
        (fact(Topic::Backlog, oldest.since, BACKLOG), detail)
    }))
}

fn clock(alive: &[&KnownWorker]) -> Option<(Fact, Detail)> {
    let ahead = |worker: &KnownWorker| worker.sign.report.clock_ahead_seconds;
    let worst = alive.iter().max_by_key(|worker| ahead(worker).unsigned_abs())?;
    (ahead(worst).unsigned_abs() > SKEW_SECONDS).then(|| {
        let detail = message(format!("worker {}: its clock is {} s ahead", worst.sign.id, ahead(worst)));
        (fact(Topic::Clock, None, RESTART), detail)
    })
}

fn chores(alive: &[&KnownWorker]) -> Option<(Fact, Detail)> {
    let failing = alive.iter().flat_map(|worker| {
        let chores = worker.sign.report.chores.iter();
        chores.filter_map(move |chore| Some((chore.failing_since?, worker, chore)))
    });
    let (since, worker, chore) = failing.min_by_key(|(since, ..)| *since)?;
    let why = chore.error.as_deref().unwrap_or_default();
    let detail = message(format!("worker {}, {}: {why}", worker.sign.id, chore.name));
    Some((fact(Topic::Chores, Some(since), CHORE), detail))
}
