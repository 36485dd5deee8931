//! What a person looks for in an account's records: a span of time, filters, and a place from which a page goes on.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::record::{RecordRef, allowed_instants};

mod parse;
mod problem;

pub use parse::{PRESETS, Preset, RawQuery};
pub use problem::{Field, FieldProblem, Problem};

/// How many days a view spans at most.
pub const MOST_DAYS: i32 = 93;

/// The sizes that a page can have.
pub const SIZES: [u32; 3] = [20, 50, 200];

/// Longest text of a filter, in characters.
pub const MAX_TEXT_CHARS: usize = 200;

/// Where a record stands in the order of time: opaque, made and read by its source alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(pub String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is wanted, whatever the case of its letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// All of it.
    Exact(String),
    /// How it begins.
    Prefix(String),
}

impl Wanted {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => text.to_lowercase() == wanted.to_lowercase(),
            Self::Prefix(wanted) => text.to_lowercase().starts_with(&wanted.to_lowercase()),
        }
    }
}

/// Which records are wanted. What is absent is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFilter {
    /// Who did it, by email.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Wanted>,
    /// What was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The vendor's id of the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    /// From where it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<Wanted>,
    /// What stands somewhere in the description, email, action or action id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl RecordFilter {
    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a record is wanted.
    #[must_use]
    pub fn matches(&self, record: &RecordRef<'_>) -> bool {
        let is = |wanted: &Option<String>, text: Option<&str>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| text.is_some_and(|text| Wanted::Exact(wanted.clone()).matches(text)))
        };
        let fits = |wanted: &Option<Wanted>, text: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| text.is_some_and(|text| wanted.matches(text)))
        };
        let holds = |text: &str| {
            let text = text.to_lowercase();
            [Some(record.description), Some(record.email), Some(record.action), record.action_id]
                .into_iter()
                .flatten()
                .any(|field| field.to_lowercase().contains(&text))
        };
        fits(&self.user, Some(record.email))
            && is(&self.action, Some(record.action))
            && is(&self.action_id, record.action_id)
            && fits(&self.ip, record.ip_address)
            && self.text.as_deref().is_none_or(holds)
    }
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSpan {
    /// From this instant on.
    pub from: Timestamp,
    /// Before this instant.
    pub to: Timestamp,
}

impl TimeSpan {
    /// From an instant on, without an end: with what has occurred after now by a clock that is ahead.
    #[must_use]
    pub fn since(from: Timestamp) -> Self {
        Self { from, to: allowed_instants().end }
    }

    /// All that a record can have.
    #[must_use]
    pub fn ever() -> Self {
        Self::since(allowed_instants().start)
    }

    /// Whether an instant lies in it.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// Which page of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Turn {
    /// The newest ones.
    #[default]
    First,
    /// Those that are older than the one at this place.
    Older(Place),
    /// Those that are newer than the one at this place, the nearest of them.
    Newer(Place),
}

/// What a person looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordQuery {
    /// When it happened.
    pub span: TimeSpan,
    /// What it is.
    pub filter: RecordFilter,
    /// Which page.
    pub turn: Turn,
    /// How many records are on it.
    pub size: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Record;

    fn record() -> Record {
        Record {
            occurred_at: "2026-11-21T04:00:00Z".parse().expect("instant"),
            email: "Ana@acme.example".into(),
            action: "Login".into(),
            action_id: Some("usr_7".into()),
            description: "Signed in with 100 % success".into(),
            ip_address: Some("192.0.2.14".into()),
        }
    }

    fn matches(filter: &RecordFilter) -> bool {
        filter.matches(&record().borrow())
    }

    #[test]
    fn each_filter_looks_at_its_own_field() {
        let some = |text: &str| Some(text.to_owned());
        let exact = |text: &str| Some(Wanted::Exact(text.to_owned()));
        let prefix = |text: &str| Some(Wanted::Prefix(text.to_owned()));
        assert!(matches(&RecordFilter::default()) && RecordFilter::default().is_empty());
        assert!(matches(&RecordFilter { user: exact("ana@ACME.example"), ..Default::default() }));
        assert!(!matches(&RecordFilter { user: exact("ana"), ..Default::default() }));
        assert!(matches(&RecordFilter { user: prefix("ana@"), ..Default::default() }));
        assert!(!matches(&RecordFilter { user: prefix("acme"), ..Default::default() }));
        assert!(matches(&RecordFilter { action: some("login"), ..Default::default() }));
        assert!(!matches(&RecordFilter { action: some("log"), ..Default::default() }));
        assert!(matches(&RecordFilter { action_id: some("USR_7"), ..Default::default() }));
        assert!(matches(&RecordFilter { ip: prefix("192.0.2."), ..Default::default() }));
        assert!(!matches(&RecordFilter { ip: exact("192.0.2.1"), ..Default::default() }));
        for text in ["100 %", "ACME", "login", "usr"] {
            assert!(matches(&RecordFilter { text: some(text), ..Default::default() }), "{text}");
        }
        assert!(!matches(&RecordFilter { text: some("192.0.2"), ..Default::default() }));
    }

    #[test]
    fn what_is_absent_matches_no_filter_of_it() {
        let bare = Record { action_id: None, ip_address: None, ..record() };
        let filter = RecordFilter { action_id: Some(String::new()), ..Default::default() };
        assert!(!filter.matches(&bare.borrow()));
        let filter = RecordFilter { ip: Some(Wanted::Prefix(String::new())), ..Default::default() };
        assert!(!filter.matches(&bare.borrow()));
    }
}
