//! What is so with accounts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{PAGE, States};
use crate::destinations::fix::fix_for;
use crate::ledger::{
    Account, AccountFilter, AccountPage, Circumstances, Health, JudgedAccount, Ledger, Result, TroubleKind,
};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::expiry::Ending;
use auditferry_core::model::notification::{Audience, Detail, Topic};
use auditferry_core::protocol::notify::Fact;

/// How long before its end an add-on is told, and again.
const ADDON_DAYS: [i32; 3] = [1, 7, 30];

/// What passes by itself is told when it has lasted for as long.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

/// Which health is told of an account. That no worker takes it is told once for all.
const TOLD: [Health; 4] = [Health::Held, Health::ClockAhead, Health::Suspended, Health::Retrying];

/// In which health an account may be behind for days.
const BEHIND: [Health; 7] = [
    Health::Held,
    Health::ClockAhead,
    Health::Suspended,
    Health::Retrying,
    Health::Paused,
    Health::NoDestination,
    Health::Unattended,
];

/// What is so with an account.
#[derive(Default)]
pub(super) struct Facts {
    /// For the operator.
    pub(super) operator: Vec<Fact>,
    /// For its own people.
    pub(super) contacts: Vec<Fact>,
    /// Up to when its records are delivered.
    pub(super) progress: Option<Timestamp>,
    /// Whether somebody has stopped it.
    pub(super) stopped: bool,
    trouble: Option<(TroubleKind, String)>,
    addon_ends: Option<Timestamp>,
    deleted_from: Option<Timestamp>,
    credentials_end: Option<Timestamp>,
    ended: bool,
    deleted: bool,
}

fn fact(topic: Topic, level: u8, since: Option<Timestamp>, patience: SignedDuration) -> Fact {
    Fact { topic, level, since, patience }
}

impl Facts {
    fn of(account: &Account) -> Self {
        let trouble = account.trouble.as_ref().map(|trouble| (trouble.kind.clone(), trouble.message.clone()));
        Self { progress: Some(account.watermark.at), trouble, ..Self::default() }
    }

    fn failing(judged: &JudgedAccount) -> Self {
        let JudgedAccount { account, health, since } = judged;
        let mut facts = Self::of(account);
        let customers = account.denied.is_some()
            && matches!(&facts.trouble, Some((TroubleKind::Put(kind), _)) if kind.needs_customer());
        let level = match health {
            Health::Held => 3,
            Health::Suspended => 2,
            _ => 1,
        };
        let passes = *health == Health::Retrying && account.denied.is_none();
        let patience = if passes { PATIENCE } else { SignedDuration::ZERO };
        facts.operator.push(fact(Topic::Export, level, *since, patience));
        if customers && *health != Health::Held {
            facts.contacts.push(fact(Topic::Export, level, *since, patience));
        }
        facts
    }

    /// What a person needs to know of it.
    pub(super) async fn detail(
        &self,
        ledger: &dyn Ledger,
        account: &AccountId,
        topic: Topic,
        audience: &Audience,
    ) -> Result<Detail> {
        let destination = ledger.destination(account).await?;
        let bucket = destination.as_ref().map(|destination| destination.bucket().to_owned());
        let mut detail = Detail { bucket, ..Detail::default() };
        match topic {
            Topic::Export => {
                let Some((kind, message)) = &self.trouble else { return Ok(detail) };
                detail.kind = Some(kind.to_string());
                if *audience == Audience::Operator {
                    detail.message = Some(message.clone());
                    detail.fix = Some(fix_for(kind, message, destination.as_ref()));
                }
            }
            Topic::Credentials => {
                detail.ends_at = self.credentials_end;
                detail.kind = self.ended.then(|| "ended".to_owned());
            }
            Topic::Retention => {
                detail.ends_at = self.deleted_from;
                detail.kind = self.deleted.then(|| "ended".to_owned());
            }
            _ => detail.ends_at = self.addon_ends,
        }
        Ok(detail)
    }
}

/// What is so with every account (for the operator, with how long the source keeps its rows) of which something is told or was told.
pub(super) async fn facts(
    ledger: &dyn Ledger,
    (operator, retention): (bool, Option<SignedDuration>),
    contacts: &BTreeSet<&AccountId>,
    states: &States,
    now: Timestamp,
) -> Result<BTreeMap<AccountId, Facts>> {
    let mut all = BTreeMap::new();
    // For people of some accounts the others need not be read.
    let only = (!operator).then(|| contacts.iter().map(|account| (*account).clone()).collect());
    let failing = AccountFilter { health: TOLD.to_vec(), only: only.clone(), ..AccountFilter::default() };
    each(ledger, failing, now, |judged| {
        all.insert(judged.account.id.clone(), Facts::failing(&judged));
    })
    .await?;
    if operator {
        addons(ledger, &mut all, now).await?;
        if let Some(retention) = retention {
            deletions(ledger, &mut all, retention, now).await?;
        }
    }
    credentials(ledger, &mut all, now).await?;
    // What was told, and is not so now: is it over, or has somebody stopped it?
    let known = states.values().filter_map(|state| state.account.clone());
    let rest: BTreeSet<AccountId> = known.filter(|account| !all.contains_key(account)).collect();
    let rest: Vec<AccountId> = rest.into_iter().collect();
    for ids in rest.chunks(PAGE as usize) {
        let filter = AccountFilter { only: Some(ids.to_vec()), ..AccountFilter::default() };
        each(ledger, filter, now, |judged| {
            let stopped = matches!(
                judged.health,
                Health::Disabled | Health::Paused | Health::NoDestination | Health::Expired
            );
            all.insert(judged.account.id.clone(), Facts { stopped, ..Facts::of(&judged.account) });
        })
        .await?;
    }
    Ok(all)
}

/// Goes through the accounts that a filter takes, page by page.
async fn each(
    ledger: &dyn Ledger,
    filter: AccountFilter,
    now: Timestamp,
    mut take: impl FnMut(JudgedAccount),
) -> Result<()> {
    let around = Circumstances { now, no_worker: false };
    let mut page = AccountPage { filter, after: None, limit: PAGE };
    loop {
        let judged = ledger.judged_accounts(around, &page).await?;
        let Some(last) = judged.last() else { return Ok(()) };
        page.after = Some(last.cursor());
        judged.into_iter().for_each(&mut take);
    }
}

/// Add-ons that end.
async fn addons(ledger: &dyn Ledger, all: &mut BTreeMap<AccountId, Facts>, now: Timestamp) -> Result<()> {
    let day = SignedDuration::from_hours(24);
    let ending_within = Some(day * 30);
    each(ledger, AccountFilter { ending_within, ..AccountFilter::default() }, now, |judged| {
        let Some(until) = judged.account.addon.until else { return };
        let level = ADDON_DAYS.iter().rev().filter(|days| until.duration_since(now) <= day * **days);
        let level = u8::try_from(level.count()).unwrap_or(u8::MAX);
        let facts = all.entry(judged.account.id.clone()).or_insert_with(|| Facts::of(&judged.account));
        facts.addon_ends = Some(until);
        facts.operator.push(fact(Topic::Addon, level, None, SignedDuration::ZERO));
    })
    .await
}

/// Records that the source deletes soon and that are not exported.
async fn deletions(
    ledger: &dyn Ledger,
    all: &mut BTreeMap<AccountId, Facts>,
    retention: SignedDuration,
    now: Timestamp,
) -> Result<()> {
    let behind = AccountFilter { health: BEHIND.to_vec(), ..AccountFilter::default() };
    each(ledger, behind, now, |judged| {
        let exported = judged.account.watermark.at;
        let level = nearness(now.duration_since(exported), retention);
        let Some(from) = exported.checked_add(retention).ok().filter(|_| level > 0) else { return };
        let facts = all.entry(judged.account.id.clone()).or_insert_with(|| Facts::of(&judged.account));
        facts.deleted_from = Some(from);
        facts.deleted = from <= now;
        facts.operator.push(fact(Topic::Retention, level, None, SignedDuration::ZERO));
    })
    .await
}

/// How near records of an age are to being deleted: 0 not yet, 1 from three quarters on, 2 from nine tenths on, 3
/// when it has begun.
fn nearness(age: SignedDuration, retention: SignedDuration) -> u8 {
    let parts = [(3, 4), (9, 10), (1, 1)];
    let passed = |(part, whole): &(i32, i32)| age >= retention / *whole * *part;
    u8::try_from(parts.iter().filter(|part| passed(part)).count()).unwrap_or(u8::MAX)
}

/// Credentials that end, or have ended.
async fn credentials(
    ledger: &dyn Ledger,
    all: &mut BTreeMap<AccountId, Facts>,
    now: Timestamp,
) -> Result<()> {
    let before = now.checked_add(Ending::NOTICE).unwrap_or(Timestamp::MAX);
    let mut after = None;
    loop {
        let page = ledger.credentials_ending(before, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.account.clone());
        for ends in page {
            let Some(ending) = Ending::of(ends.at, now) else { continue };
            if !all.contains_key(&ends.account) {
                let account = ledger.account(&ends.account).await?;
                all.insert(ends.account.clone(), Facts::of(&account));
            }
            let Some(facts) = all.get_mut(&ends.account) else { continue };
            let nearer = Ending::ALL.iter().rev().position(|one| *one == ending).unwrap_or_default();
            let level = u8::try_from(nearer + 1).unwrap_or(u8::MAX);
            facts.credentials_end = Some(ends.at);
            facts.ended = ending == Ending::Ended;
            let fact = fact(Topic::Credentials, level, None, SignedDuration::ZERO);
            facts.operator.push(fact.clone());
            facts.contacts.push(fact);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deleted_soon_is_told_in_three_steps() {
        let day = SignedDuration::from_hours(24);
        let at = |days: i32| nearness(day * days, day * 100);
        assert_eq!([74, 75, 89, 90, 99, 100, 500].map(at), [0, 1, 1, 2, 2, 3, 3]);
    }
}
