//! One look: how all accounts are, what waits, what ends soon, and who works.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::admin::{Admin, AdminError};
use super::explanation::error_of;
use super::workers::presence_words;
use crate::ledger::{
    AccountFilter, AccountOrder, AccountPage, Circumstances, CredentialsEnd, Health, JudgedAccount,
};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::worker::{ChoreReport, KnownWorker, Presence, WaitsFor};

/// How long before its end an add-on or a credential is shown.
const ENDING_WITHIN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many accounts of each list are shown.
pub const LISTED: u32 = 20;

/// How many of the next slots are shown.
const SLOTS: u32 = 5;

/// Everything that `auditferry status` tells.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Status {
    /// When it was asked.
    pub at: Timestamp,
    /// That no worker runs, if that is so, and since when.
    pub no_worker: Option<String>,
    /// The workers, the one that was heard of last first.
    pub workers: Vec<WorkerStatus>,
    /// How many accounts are of each health, the worst first.
    pub accounts: Vec<HealthCount>,
    /// The oldest slot that is not delivered although its time has come.
    pub oldest_undelivered: Option<Undelivered>,
    /// When accounts are due next, and how many.
    pub next_slots: Vec<BusySlot>,
    /// Accounts whose export does not run although it should, those first that fail for the longest.
    pub failing: Part<FailingAccount>,
    /// Add-ons that end within 30 days, and credentials that do or have ended.
    pub ending: Part<EndingSoon>,
    /// Chores of workers that fail.
    pub failing_chores: Vec<FailingChore>,
}

/// The first of many.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Part<T> {
    /// How many there are.
    pub total: u64,
    /// The first of them.
    pub first: Vec<T>,
}

/// How many accounts are of one health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HealthCount {
    /// The health.
    pub health: Health,
    /// How many accounts.
    pub accounts: u64,
}

/// What waits for the longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Undelivered {
    /// Whose.
    pub account: AccountId,
    /// The slot.
    pub slot: Timestamp,
    /// The time of its oldest record that waits; absent when the source is away or none waits.
    pub oldest_record: Option<Timestamp>,
}

/// An instant at which accounts are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BusySlot {
    /// When.
    pub at: Timestamp,
    /// How many accounts.
    pub accounts: u64,
}

/// An account whose export does not run, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FailingAccount {
    /// Which.
    pub account: AccountId,
    /// Its health.
    pub health: Health,
    /// Since when, as far as that is known.
    pub since: Option<Timestamp>,
    /// The kind of what went wrong last.
    pub error: Option<String>,
    /// What went wrong last.
    pub reason: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
}

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// The add-on: no export after that.
    AddOn,
    /// The credentials of the destination: every put is refused after that.
    Credentials,
}

/// What ends soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EndingSoon {
    /// Whose.
    pub account: AccountId,
    /// What.
    pub what: Ends,
    /// When.
    pub at: Timestamp,
}

/// A worker, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkerStatus {
    /// Its name in leases and attempts.
    pub id: String,
    /// The host that it runs on.
    pub host: String,
    /// The version of the program.
    pub version: String,
    /// When it started, by its own clock.
    pub since: Timestamp,
    /// When it was heard of last, by the ledger's database.
    pub seen_at: Timestamp,
    /// `running`, `ended`, or `silent`: it was killed or does not reach the ledger.
    pub state: WorkerState,
    /// How many accounts it exports.
    pub exports: u64,
    /// Some of them.
    pub accounts: Vec<String>,
    /// How many accounts it holds by its leases.
    pub leases: u64,
    /// Whether it plans the windows of many accounts.
    pub planning: bool,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Why it cannot take what is due.
    pub problem: Option<String>,
    /// By how many seconds its clock is ahead of the ledger's database; negative: behind.
    pub clock_ahead_seconds: i64,
    /// How its chores go.
    pub chores: Vec<ChoreReport>,
}

/// Whether a worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// It gives signs of life.
    Running,
    /// It has ended as it should.
    Ended,
    /// It has not been heard of for a minute.
    Silent,
}

impl WorkerState {
    /// The name in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Silent => "silent",
        }
    }
}

/// A chore that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FailingChore {
    /// The worker.
    pub worker: String,
    /// The chore.
    pub chore: String,
    /// Since when.
    pub since: Timestamp,
    /// Why it failed last.
    pub error: String,
}

impl WorkerStatus {
    fn of(worker: KnownWorker, leases: &[(String, u64)]) -> Self {
        let state = match worker.ended_at {
            Some(_) => WorkerState::Ended,
            None if worker.is_alive() => WorkerState::Running,
            None => WorkerState::Silent,
        };
        let held = leases.iter().find(|(owner, _)| *owner == worker.sign.id);
        let KnownWorker { sign, seen_at, .. } = worker;
        let report = sign.report;
        Self {
            leases: held.map_or(0, |(_, accounts)| *accounts),
            id: sign.id,
            host: sign.host,
            version: sign.version,
            since: sign.since,
            seen_at,
            state,
            exports: report.exports,
            accounts: report.accounts,
            planning: report.planning,
            waits_for: report.waits_for,
            problem: report.problem,
            clock_ahead_seconds: report.clock_ahead_seconds,
            chores: report.chores,
        }
    }
}

fn failing_chores(workers: &[WorkerStatus]) -> Vec<FailingChore> {
    let running = workers.iter().filter(|worker| worker.state == WorkerState::Running);
    running
        .flat_map(|worker| {
            worker.chores.iter().filter_map(|chore| {
                Some(FailingChore {
                    worker: worker.id.clone(),
                    chore: chore.name.clone(),
                    since: chore.failing_since?,
                    error: chore.error.clone().unwrap_or_default(),
                })
            })
        })
        .collect()
}

impl Admin {
    /// One look at everything.
    ///
    /// # Errors
    /// When the ledger fails. A source that is away leaves out what it would have told.
    pub async fn status(&self) -> Result<Status, AdminError> {
        let now = self.clock.now();
        let known = self.ledger.workers().await?;
        let presence = Presence::of(&known);
        let around = Circumstances { now, no_worker: presence.is_gone() };
        let leases = self.ledger.leases().await?;
        let workers: Vec<_> = known.into_iter().map(|worker| WorkerStatus::of(worker, &leases)).collect();
        let count = |(health, accounts)| HealthCount { health, accounts };
        let slot = |(at, accounts)| BusySlot { at, accounts };
        Ok(Status {
            at: now,
            no_worker: presence_words(&presence, now),
            accounts: self.ledger.health_counts(around).await?.into_iter().map(count).collect(),
            oldest_undelivered: self.oldest_undelivered(now).await?,
            next_slots: self.ledger.next_slots(now, SLOTS).await?.into_iter().map(slot).collect(),
            failing: self.failing(now).await?,
            ending: self.ending(now).await?,
            failing_chores: failing_chores(&workers),
            workers,
        })
    }

    async fn oldest_undelivered(&self, now: Timestamp) -> Result<Option<Undelivered>, AdminError> {
        let Some((account, slot)) = self.ledger.oldest_undelivered(now).await? else { return Ok(None) };
        let watermark = self.ledger.account(&account).await?.watermark;
        let waiting = self.source.waiting(&account, &watermark).await.ok();
        let oldest_record = waiting.and_then(|waiting| waiting.oldest);
        Ok(Some(Undelivered { account, slot, oldest_record }))
    }

    /// Each for a reason of its own: that no worker runs is said once, and not by every account.
    async fn failing(&self, now: Timestamp) -> Result<Part<FailingAccount>, AdminError> {
        let around = Circumstances { now, no_worker: false };
        let filter = AccountFilter { order: AccountOrder::Oldest, ..AccountFilter::failing() };
        let total = self.ledger.count_accounts(around, &filter).await?;
        let page = AccountPage { filter, after: None, limit: LISTED };
        let mut first = Vec::new();
        for JudgedAccount { account, health, since } in self.ledger.judged_accounts(around, &page).await? {
            let destination = self.ledger.destination(&account.id).await?;
            let error = error_of(&account, destination.as_ref());
            first.push(FailingAccount {
                account: account.id,
                health,
                since,
                error: error.as_ref().map(|error| error.kind.clone()),
                reason: error.as_ref().map(|error| error.message.clone()),
                fix: error.map(|error| error.fix),
            });
        }
        Ok(Part { total, first })
    }

    async fn ending(&self, now: Timestamp) -> Result<Part<EndingSoon>, AdminError> {
        let around = Circumstances { now, no_worker: false };
        let filter = AccountFilter { ending_within: Some(ENDING_WITHIN), ..AccountFilter::default() };
        let addons = self.ledger.count_accounts(around, &filter).await?;
        let before = now.checked_add(ENDING_WITHIN).unwrap_or(Timestamp::MAX);
        let credentials = self.ledger.count_credentials_ending(before).await?;
        let page = AccountPage { filter, after: None, limit: LISTED };
        let mut first: Vec<EndingSoon> = Vec::new();
        for judged in self.ledger.judged_accounts(around, &page).await? {
            let Some(at) = judged.account.addon.until else { continue };
            first.push(EndingSoon { account: judged.account.id, what: Ends::AddOn, at });
        }
        let ends = self.ledger.credentials_ending(before, None, LISTED).await?;
        let ending = |CredentialsEnd { account, at, .. }| EndingSoon { account, what: Ends::Credentials, at };
        first.extend(ends.into_iter().map(ending));
        first.sort_by_key(|ending| ending.at);
        Ok(Part { total: addons + credentials, first })
    }
}
