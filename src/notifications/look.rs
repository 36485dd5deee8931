//! Looks at everything, decides who is told what, and queues it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

mod accounts;
mod installation;

use crate::ledger::{Ledger, Result, StoredState};
use accounts::Facts;

use auditferry_core::model::account::AccountId;
use auditferry_core::model::notification::{Audience, Change, Detail, Item, Notice, Topic};
use auditferry_core::protocol::notify::{
    ACCOUNT_PAUSE, Fact, INSTALLATION_PAUSE, Look, News, NoticeState, decide,
};
use installation::absent_since;

/// How often somebody looks, whoever of the workers it is.
const EVERY: Duration = Duration::from_secs(60);

/// How many states or accounts are read at once.
const PAGE: u32 = 500;

/// Most accounts of which one notice tells; the next look tells of more.
const MOST_TOLD: usize = 2_000;

/// Most things that a notice lists, and does not only count.
const LISTED: usize = 20;

/// That no worker ran before one came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// Since when.
    pub since: Timestamp,
    /// When somebody came.
    pub until: Timestamp,
}

impl Absence {
    /// What a worker finds that has given no sign of life yet.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn before(ledger: &dyn Ledger) -> Result<Option<Self>> {
        let since = absent_since(&ledger.workers().await?);
        let until = ledger.now().await?;
        Ok(since.map(|since| Self { since, until }))
    }
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onlooker {
    /// A worker, so that one runs; before it none may have.
    Worker(Option<Absence>),
    /// Another process, such as one that serves the API.
    Other,
}

/// What the ledger remembers, by subject.
type States = BTreeMap<String, StoredState>;

/// A subject: a part of the installation, or an account as one audience hears of it.
struct Subject<'a> {
    name: String,
    account: Option<&'a AccountId>,
    facts: &'a [Fact],
    progress: Option<Timestamp>,
    stopped: bool,
    pause: SignedDuration,
}

impl<'a> Subject<'a> {
    /// An account, as an audience of this name hears of it.
    fn account(audience: &str, account: &'a AccountId, known: &Facts, facts: &'a [Fact]) -> Self {
        Self {
            name: format!("{audience}/account/{account}"),
            account: Some(account),
            facts,
            progress: known.progress,
            stopped: known.stopped,
            pause: ACCOUNT_PAUSE,
        }
    }
}

/// Looks, unless somebody has just looked. `retention`: how long the source keeps its rows, if it deletes them.
///
/// # Errors
/// When the ledger fails. What was queued before stays queued.
pub async fn look(ledger: &dyn Ledger, who: Onlooker, retention: Option<SignedDuration>) -> Result<()> {
    let audiences = ledger.audiences().await?;
    if audiences.is_empty() || !ledger.take_turn("notifications", EVERY).await? {
        return Ok(());
    }
    let now = ledger.now().await?;
    let mut states = states(ledger).await?;
    let operator = audiences.contains(&Audience::Operator);
    let contacts: BTreeSet<&AccountId> = audiences.iter().filter_map(Audience::account).collect();
    if operator {
        installation::tell(ledger, &mut states, who, now).await?;
    }
    let facts = accounts::facts(ledger, (operator, retention), &contacts, &states, now).await?;
    if operator {
        tell_operator(ledger, &states, &facts, now).await?;
    }
    for (account, facts) in &facts {
        if contacts.contains(account) {
            tell_contacts(ledger, &states, account, facts, now).await?;
        }
    }
    Ok(())
}

/// How long nothing more is told of refused changes: a job may try the same file each minute.
const REFUSALS_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Tells the operator that a change was refused which would have stopped many accounts, once a day.
///
/// # Errors
/// When the ledger fails.
pub async fn tell_refused(ledger: &dyn Ledger, why: &str) -> Result<()> {
    let audiences = ledger.audiences().await?;
    if !audiences.contains(&Audience::Operator)
        || !ledger.take_turn("refused changes", REFUSALS_PAUSE).await?
    {
        return Ok(());
    }
    let now = ledger.now().await?;
    let news = News { topic: Topic::Sweep, change: Change::Began, since: now };
    let detail = Detail { message: Some(why.to_owned()), ..Detail::default() };
    ledger.queue(&[], Some((&Audience::Operator, &notice(vec![item(None, news, detail)], 0, now)))).await?;
    Ok(())
}

/// Everything that is remembered.
async fn states(ledger: &dyn Ledger) -> Result<States> {
    let mut states = States::new();
    loop {
        let after = states.last_key_value().map(|(subject, _)| subject.clone());
        let page = ledger.notice_states(after.as_deref(), PAGE).await?;
        if page.is_empty() {
            return Ok(states);
        }
        states.extend(page.into_iter().map(|state| (state.subject.clone(), state)));
    }
}

/// What is remembered of a subject from now on, if that changes, and what is told of it.
fn judged(states: &States, subject: &Subject<'_>, now: Timestamp) -> (Option<StoredState>, Vec<News>) {
    let nothing = NoticeState::default();
    let stored = states.get(&subject.name);
    let before = stored.map_or(&nothing, |stored| &stored.state);
    let look = Look {
        facts: subject.facts,
        progress: subject.progress,
        stopped: subject.stopped,
        pause: subject.pause,
        now,
    };
    let (mut after, news) = decide(before, look);
    if after.is_spent(subject.pause, now) {
        after = NoticeState::default();
    }
    let moved = (after != *before).then(|| StoredState {
        subject: subject.name.clone(),
        account: subject.account.cloned(),
        state: after,
        revision: stored.map_or(0, |stored| stored.revision),
    });
    (moved, news)
}

/// A notice that nobody has seen yet.
fn notice(items: Vec<Item>, more: usize, now: Timestamp) -> Notice {
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    Notice { id: format!("msg_{}", Uuid::new_v4().simple()), at: now, test: false, items, more }
}

fn item(account: Option<&AccountId>, news: News, detail: Detail) -> Item {
    Item { account: account.cloned(), topic: news.topic, change: news.change, since: news.since, detail }
}

/// Tells the operator of accounts, of many at once: a notice for each would be one that nobody reads.
async fn tell_operator(
    ledger: &dyn Ledger,
    states: &States,
    facts: &BTreeMap<AccountId, Facts>,
    now: Timestamp,
) -> Result<()> {
    let (mut moved, mut told, mut quiet) = (Vec::new(), Vec::new(), Vec::new());
    for (account, facts) in facts {
        let subject = Subject::account("operator", account, facts, &facts.operator);
        match judged(states, &subject, now) {
            (Some(state), news) if news.is_empty() => quiet.push(state),
            (Some(state), news) if moved.len() < MOST_TOLD => {
                moved.push(state);
                told.extend(news.into_iter().map(|news| (account, facts, news)));
            }
            _ => {}
        }
    }
    for states in quiet.chunks(MOST_TOLD) {
        ledger.queue(states, None).await?;
    }
    if told.is_empty() {
        return Ok(());
    }
    // What is over comes last, where not all of it is listed.
    told.sort_by_key(|(_, _, news)| news.change == Change::Recovered);
    let more = told.len().saturating_sub(LISTED);
    let mut items = Vec::new();
    for (account, facts, news) in told.into_iter().take(LISTED) {
        let detail = facts.detail(ledger, account, news.topic, &Audience::Operator).await?;
        items.push(item(Some(account), news, detail));
    }
    ledger.queue(&moved, Some((&Audience::Operator, &notice(items, more, now)))).await?;
    Ok(())
}

/// Tells an account's own people.
async fn tell_contacts(
    ledger: &dyn Ledger,
    states: &States,
    account: &AccountId,
    facts: &Facts,
    now: Timestamp,
) -> Result<()> {
    let subject = Subject::account("contacts", account, facts, &facts.contacts);
    let (Some(moved), news) = judged(states, &subject, now) else { return Ok(()) };
    let audience = Audience::Contacts(account.clone());
    let mut items = Vec::new();
    for news in news {
        let detail = facts.detail(ledger, account, news.topic, &audience).await?;
        items.push(item(Some(account), news, detail));
    }
    let told = notice(items, 0, now);
    ledger.queue(&[moved], Some((&audience, &told)).filter(|_| !told.items.is_empty())).await?;
    Ok(())
}

/// Tells the operator of one part of the installation.
async fn tell_part(
    ledger: &dyn Ledger,
    states: &mut States,
    name: &str,
    fact: Option<(Fact, Detail)>,
    now: Timestamp,
) -> Result<()> {
    let (facts, detail) = fact.map_or_else(Default::default, |(fact, detail)| (vec![fact], detail));
    let subject = Subject {
        name: format!("operator/{name}"),
        account: None,
        facts: &facts,
        progress: None,
        stopped: false,
        pause: INSTALLATION_PAUSE,
    };
    let (Some(moved), news) = judged(states, &subject, now) else { return Ok(()) };
    let items: Vec<Item> = news.into_iter().map(|news| item(None, news, detail.clone())).collect();
    let told = notice(items, 0, now);
    let told = Some((&Audience::Operator, &told)).filter(|(_, told)| !told.items.is_empty());
    ledger.queue(&[moved], told).await?;
    Ok(())
}
