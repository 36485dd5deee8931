//! What is put again on an operator's word, beside what workers deliver.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::FieldChange;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::object_key::{ObjectKey, slot_name};
use auditferry_core::model::window::Window;

/// A window with objects that were delivered.
#[derive(Debug, Clone)]
pub struct PastWindow {
    /// As it was planned.
    pub window: Window,
    /// Whether a worker still delivers it.
    pub open: bool,
    /// What was delivered of it, in order.
    pub objects: Vec<PastObject>,
}

/// An object that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastObject {
    /// Its place within the window, counted from 1.
    pub ordinal: u32,
    /// The key under which it was delivered.
    pub key: ObjectKey,
    /// Records in it.
    pub records: u64,
    /// SHA-256 of the uncompressed content.
    pub content_sha256: String,
    /// Where it ends.
    pub cursor: Option<Cursor>,
}

/// A replay about to begin.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// Whether its objects get names of their own.
    pub as_new: bool,
    /// The first slot.
    pub from: Timestamp,
    /// The last slot.
    pub to: Timestamp,
    /// Where it goes.
    pub destination_version: u64,
    /// When it begins.
    pub at: Timestamp,
    /// One with names of their own that was begun at or after this instant, for the same
    /// slots and destination, and has not finished, is gone on with instead.
    pub go_on_since: Timestamp,
}

impl NewReplay {
    /// What the log of changes tells of it.
    pub(super) fn facts(&self, number: u64) -> Vec<FieldChange> {
        let fields = [
            ("replay", json!(number)),
            ("from", json!(slot_name(self.from))),
            ("to", json!(slot_name(self.to))),
            ("as_new", json!(self.as_new)),
            ("destination_version", json!(self.destination_version)),
        ];
        let told =
            |(field, to): (&str, Value)| FieldChange { field: field.to_owned(), from: Value::Null, to };
        fields.into_iter().map(told).collect()
    }
}

/// A replay under way.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Whose objects.
    pub account: AccountId,
    /// 1, 2, 3 … per account.
    pub number: u64,
    /// What an earlier command has put of it, or has tried to.
    pub earlier: Vec<ReplayedObject>,
}

/// An object of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedObject {
    /// The window's number.
    pub window: u64,
    /// The object's place within the window.
    pub ordinal: u32,
    /// The name under which it is put.
    pub key: ObjectKey,
    /// Whether a put of it has an unknown outcome.
    pub doubtful: bool,
    /// `restored`, `created`, `exists`, or the kind of an error; absent: unknown.
    pub outcome: Option<String>,
}

impl ReplayedObject {
    /// Outcomes after which the object is in the bucket.
    const THERE: [&str; 3] = ["restored", "created", "exists"];

    /// Whether it is known to be in the bucket.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.outcome.as_deref().is_some_and(|outcome| Self::THERE.contains(&outcome))
    }
}

/// An object of a replay, in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplayRow {
    /// Whose object.
    pub account: AccountId,
    /// The replay's number.
    pub replay: u64,
    /// Who asked for it: a user of the operating system.
    pub operator: String,
    /// The window's number.
    pub window: u64,
    /// The object's place within the window.
    pub ordinal: u32,
    /// The name under which it was delivered.
    pub key: String,
    /// The name under which it was put again.
    pub put_as: String,
    /// The version of the destination that got it.
    pub destination_version: u64,
    /// When it was stored, before it was put.
    pub started_at: Timestamp,
    /// When its outcome was stored.
    pub finished_at: Option<Timestamp>,
    /// `restored`, `created`, `exists`, or the kind of an error; absent: unknown.
    pub outcome: Option<String>,
    /// The store's words.
    pub message: Option<String>,
}

impl ReplayRow {
    /// Where a listing goes on after it.
    #[must_use]
    pub fn cursor(&self) -> ReplayCursor {
        ReplayCursor {
            started_at: self.started_at,
            account: self.account.clone(),
            replay: self.replay,
            window: self.window,
            ordinal: self.ordinal,
        }
    }
}

/// An object of a replay as the place where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayCursor {
    /// When it was stored.
    pub started_at: Timestamp,
    /// Whose it is.
    pub account: AccountId,
    /// The replay's number.
    pub replay: u64,
    /// The window's number.
    pub window: u64,
    /// The object's place within the window.
    pub ordinal: u32,
}

/// Which objects of replays are listed.
#[derive(Debug, Clone, Default)]
pub struct ReplayFilter {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only of one object, by either of its names, or by a name of a file.
    pub key: Option<String>,
    /// Only those after this one.
    pub after: Option<ReplayCursor>,
    /// At most so many.
    pub limit: u32,
}
