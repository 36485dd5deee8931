//! What a source says has finished, and the sets of records between two such bounds.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::record::RecordKey;

/// What a source says has *finished* committing: opaque, storable, made and
/// compared by its source alone. The set of records between two bounds is
/// closed: reading it twice gives the same records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bound(pub String);

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a ledger leaves in a source with each bound that it captures, so that the
/// source can recognise the bound later. A ledger counts its marks before it leaves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which ledger.
    pub ledger: String,
    /// 1, 2, 3 … per ledger.
    pub number: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ledger, self.number)
    }
}

impl Mark {
    /// Reads a mark as it is displayed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (ledger, number) = text.rsplit_once('/')?;
        Some(Self { ledger: ledger.to_owned(), number: number.parse().ok()? })
    }
}

/// Where a reader stands within a closed set: opaque, storable, made by its source alone. It ends with the key of the
/// record at which it stands, behind its first `:` if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

impl Cursor {
    /// The key of the record at which it stands.
    #[must_use]
    pub fn key(&self) -> RecordKey<'_> {
        RecordKey::Text(self.0.split_once(':').map_or(&self.0, |(_, key)| key))
    }
}

/// The bound up to which an account's records have been delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Everything up to here is delivered.
    pub bound: Bound,
    /// When that bound was captured.
    pub at: Timestamp,
    /// Records above the bound that are delivered already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
    /// The instant from which the customer asked for records, until the first window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// What the last window of an add-on leaves: delivered were the records up to
/// `bound` that occurred before `before`; those after it stay for the day on
/// which the add-on is enabled again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// Up to this bound …
    pub bound: Bound,
    /// … what occurred before this instant is delivered.
    pub before: Timestamp,
}

/// The closed set of records of one window: those in `(lo, hi]` that pass the filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// Records up to here belong to earlier windows.
    pub lo: Bound,
    /// Records after here belong to later windows.
    pub hi: Bound,
    /// Only what occurred at or after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only what occurred before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Without these, which an earlier window delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
    /// Without the records of these keys, which cannot be exported and which a person chose to
    /// skip. As the source's error names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

impl RecordSet {
    /// The records between two bounds, all of them.
    #[must_use]
    pub fn between(lo: Bound, hi: Bound) -> Self {
        Self { lo, hi, since: None, until: None, ahead: None, skipped: Vec::new() }
    }

    /// Whether it holds everything that was committed between its bounds.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.ahead.is_none() && self.skipped.is_empty()
    }

    /// The bounds that the source must still recognise, so that the set is what it was.
    pub fn bounds(&self) -> impl Iterator<Item = &Bound> {
        [&self.lo, &self.hi].into_iter().chain(self.ahead.as_ref().map(|ahead| &ahead.bound))
    }
}

impl Watermark {
    /// The bounds that the source must still recognise, so that nothing is passed over.
    pub fn bounds(&self) -> impl Iterator<Item = &Bound> {
        std::iter::once(&self.bound).chain(self.ahead.as_ref().map(|ahead| &ahead.bound))
    }
}
