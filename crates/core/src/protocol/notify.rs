//! When people are told that something fails, lasts and is over: at once, then less and less often, and
//! never more than once within a pause.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::notification::{Change, Topic};

/// How long nothing more is told of an account.
pub const ACCOUNT_PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// How long nothing more is told of one topic of the installation. Shorter: it concerns all accounts.
pub const INSTALLATION_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// The time from one telling to the next, while it lasts; the last one goes on.
const REPEATS: [SignedDuration; 3] =
    [SignedDuration::from_hours(24), SignedDuration::from_hours(3 * 24), SignedDuration::from_hours(7 * 24)];

/// Something that is so now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub topic: Topic,
    /// How bad, or how near: more is worse.
    pub level: u8,
    /// Since when, as far as that is known.
    pub since: Option<Timestamp>,
    /// For how long it must last before it is told: what passes by itself is no news.
    pub patience: SignedDuration,
}

/// One look at a subject: an account, or a part of the installation.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What is so now.
    pub facts: &'a [Fact],
    /// How far the account is. That nothing fails is no proof: a destination that was just replaced has not
    /// failed yet. The failure is over when the account has come further.
    pub progress: Option<Timestamp>,
    /// Whether somebody has stopped it, so that what failed is neither so nor over.
    pub stopped: bool,
    /// How long nothing more is told of the subject.
    pub pause: SignedDuration,
    /// The instant.
    pub now: Timestamp,
}

/// What is known of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Since when.
    pub since: Timestamp,
    /// How far the account was when it was last so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Timestamp>,
    /// What was told of it; none: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// What was told of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When last.
    pub at: Timestamp,
    /// The level that was told.
    pub level: u8,
    /// How many times.
    pub times: u32,
}

/// What is remembered of a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoticeState {
    /// When something was told of it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// What is or was so.
    pub topics: BTreeMap<Topic, Known>,
}

impl NoticeState {
    fn is_pausing(&self, pause: SignedDuration, now: Timestamp) -> bool {
        // A telling that lies far ahead was made by a wrong clock.
        self.told_at.is_some_and(|at| now.duration_since(at).abs() < pause)
    }

    /// Whether nothing needs to be remembered any more.
    #[must_use]
    pub fn is_spent(&self, pause: SignedDuration, now: Timestamp) -> bool {
        self.topics.is_empty() && !self.is_pausing(pause, now)
    }
}

/// What is to be told of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// What it is about.
    pub topic: Topic,
    /// What became of it.
    pub change: Change,
    /// Since when it is so, or was.
    pub since: Timestamp,
}

/// What to tell of a subject now, and what to remember with it.
#[must_use]
pub fn decide(state: &NoticeState, look: Look<'_>) -> (NoticeState, Vec<News>) {
    let mut after = state.clone();
    for fact in look.facts {
        let known = after.topics.entry(fact.topic).or_insert_with(|| Known {
            since: fact.since.unwrap_or(look.now).min(look.now),
            progress: None,
            told: None,
        });
        known.progress = look.progress;
    }
    let is_so = |topic: Topic| look.facts.iter().any(|fact| fact.topic == topic);
    after.topics.retain(|topic, known| {
        is_so(*topic) || (known.told.is_some() && topic.tells_recovery() && !look.stopped)
    });
    if after.is_pausing(look.pause, look.now) {
        return (after, Vec::new());
    }
    let mut news = Vec::new();
    for (topic, known) in &after.topics {
        let fact = look.facts.iter().find(|fact| fact.topic == *topic);
        let change = match fact {
            Some(fact) => change(known, fact, look.now),
            None => is_over(known, look.progress).then_some(Change::Recovered),
        };
        news.extend(change.map(|change| News { topic: *topic, change, since: known.since }));
    }
    for told in &news {
        after.told_at = Some(look.now);
        let level = look.facts.iter().find(|fact| fact.topic == told.topic).map(|fact| fact.level);
        match (level, after.topics.get_mut(&told.topic)) {
            (Some(level), Some(known)) => {
                let times = known.told.as_ref().map_or(0, |told| told.times).saturating_add(1);
                known.told = Some(Told { at: look.now, level, times });
            }
            _ => {
                after.topics.remove(&told.topic);
            }
        }
    }
    (after, news)
}

/// What there is to tell of something that is so.
fn change(known: &Known, fact: &Fact, now: Timestamp) -> Option<Change> {
    let Some(told) = &known.told else {
        return (now.duration_since(known.since) >= fact.patience).then_some(Change::Began);
    };
    if fact.level > told.level {
        return Some(Change::Worsened);
    }
    let passed = usize::try_from(told.times).unwrap_or(usize::MAX).saturating_sub(1);
    let wait = REPEATS[passed.min(REPEATS.len() - 1)];
    (fact.topic.repeats() && now.duration_since(told.at).abs() >= wait).then_some(Change::Reminder)
}

/// Whether something that is not so any more is over.
fn is_over(known: &Known, progress: Option<Timestamp>) -> bool {
    known.progress.is_none() || known.progress != progress
}

/// When a message is tried again after so many tries that failed; none: it is given up. Over a day in all,
/// as the specification Standard Webhooks asks ("Retry schedule").
#[must_use]
pub fn retry_after(tries: u32) -> Option<SignedDuration> {
    const WAITS: [SignedDuration; 7] = [
        SignedDuration::from_secs(5),
        SignedDuration::from_mins(5),
        SignedDuration::from_mins(30),
        SignedDuration::from_hours(2),
        SignedDuration::from_hours(5),
        SignedDuration::from_hours(10),
        SignedDuration::from_hours(10),
    ];
    let passed = usize::try_from(tries).unwrap_or(usize::MAX).saturating_sub(1);
    WAITS.get(passed).copied()
}

#[cfg(test)]
mod tests;
