//! What the ledger tells about the past, and about all accounts together.

use super::{
    AccountFilter, AccountPage, Change, ChangeFilter, Circumstances, Health, JudgedAccount, NewReplay,
    PastWindow, Replay, ReplayFilter, ReplayRow, ReplayedObject, Result, SlotRange, SlotWindow,
};
use async_trait::async_trait;
use auditferry_core::model::actor::By;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use auditferry_core::model::account::AccountId;
use auditferry_core::model::expiry::Ending;

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Of one account only.
    pub account: Option<AccountId>,
    /// With this key only, or with a key that ends in this name of a file.
    pub key: Option<String>,
    /// Of one window only; of one account.
    pub window: Option<u64>,
    /// Only those that are not delivered yet, the oldest first; otherwise the newest come first.
    pub undelivered: bool,
    /// After this one, in the order in which they come.
    pub after: Option<DeliveryCursor>,
    /// At most so many.
    pub limit: u32,
}

/// A place in a listing of deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct DeliveryCursor {
    /// When the object was sealed.
    pub sealed_at: Timestamp,
    /// Whose it is.
    pub account: AccountId,
    /// Its window.
    pub window: u64,
    /// Its place within the window.
    pub ordinal: u32,
}

impl DeliveryRow {
    /// Its place in a listing.
    #[must_use]
    pub fn cursor(&self) -> DeliveryCursor {
        let Self { sealed_at, account, window, ordinal, .. } = self;
        DeliveryCursor { sealed_at: *sealed_at, account: account.clone(), window: *window, ordinal: *ordinal }
    }
}

/// What shows whether workers look at an account. Nothing is stored for it: each step of a
/// delivery leaves its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signs {
    /// Whether a worker has it now, or a person has changed it since an instant.
    pub attended: bool,
    /// When a worker planned, sealed, put or closed something of it last.
    pub looked_at: Option<Timestamp>,
}

/// One object in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeliveryRow {
    /// Whose records.
    pub account: AccountId,
    /// The window's number.
    pub window: u64,
    /// The object's place within the window.
    pub ordinal: u32,
    /// The slot that names it.
    pub slot: Timestamp,
    /// Its key in the bucket, with the prefix.
    pub key: String,
    /// `sealed` or `delivered`.
    pub state: String,
    /// Records in it.
    pub records: u64,
    /// Bytes of the uncompressed content.
    pub content_bytes: u64,
    /// SHA-256 of the uncompressed content.
    pub content_sha256: String,
    /// Bytes of the object.
    pub object_bytes: u64,
    /// SHA-256 of the object.
    pub object_sha256: String,
    /// How often it was put.
    pub attempts: u32,
    /// When it was sealed.
    pub sealed_at: Timestamp,
    /// When its receipt was stored.
    pub delivered_at: Option<Timestamp>,
    /// The kind of its last error.
    pub error_kind: Option<String>,
    /// Its last error.
    pub error: Option<String>,
}

/// One window in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WindowRow {
    /// Whose records.
    pub account: AccountId,
    /// Counted from 1.
    pub window: u64,
    /// The instant that names it; of a gap: when it was left.
    pub slot: Timestamp,
    /// When its lower bound was captured.
    pub from: Timestamp,
    /// When its upper bound was captured.
    pub to: Timestamp,
    /// `open`, `delivered`, `skipped` (a gap: never delivered, on an operator's word) or
    /// `abandoned` (given up by a rewind).
    pub state: String,
    /// Delivered objects.
    pub objects: u64,
    /// Records in them.
    pub records: u64,
    /// Records that it holds and that are never exported, on an operator's word.
    pub skipped: Vec<SkippedRecord>,
    /// How many those are; of a gap: how many there were when it was left, if they were counted.
    pub left_out: Option<u64>,
}

/// Records that are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When.
    pub slot: Timestamp,
    /// How many, if they were counted.
    pub left_out: Option<u64>,
}

/// A record that cannot be exported, and that a person chose to leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SkippedRecord {
    /// Its key in the source.
    pub key: String,
    /// Why it could not be exported.
    pub problem: String,
    /// Why it may be left out.
    pub reason: String,
    /// When that was decided.
    pub at: Timestamp,
    /// By whom: a user of the operating system.
    pub by: String,
}

/// One attempt to put an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttemptRow {
    /// Counted from 1.
    pub number: u32,
    /// Which worker made it.
    pub worker: String,
    /// When it was stored, before it was made.
    pub started_at: Timestamp,
    /// When its outcome was stored; absent: the worker stopped in between.
    pub finished_at: Option<Timestamp>,
    /// `delivered`, or the kind of the error; absent: unknown.
    pub outcome: Option<String>,
    /// The store's words.
    pub message: Option<String>,
    /// The version of the object that it has put: an `ETag` or a generation.
    pub version: Option<String>,
    /// The store's id of the request, for its support.
    pub request_id: Option<String>,
}

/// Numbers over all accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gauges {
    /// For each state: how many accounts, and the oldest watermark and the oldest
    /// overdue slot among them.
    pub states: Vec<StateGauge>,
    /// For each threshold: how many accounts' credentials end within it.
    pub credentials: Vec<(Ending, u64)>,
}

/// Numbers of the accounts in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateGauge {
    /// `active`, `retrying`, `suspended`, `held`, `paused`, `expired`, `disabled` or
    /// `no_destination`.
    pub state: String,
    /// How many accounts.
    pub accounts: u64,
    /// The oldest instant at which a watermark of theirs was captured.
    pub oldest_watermark: Option<Timestamp>,
    /// The oldest slot that has come and is not delivered.
    pub oldest_undelivered: Option<Timestamp>,
}

/// What listings, metrics and replays ask for.
#[async_trait]
pub trait History: Send + Sync {
    /// When the newest watermark of all accounts was captured, by the clock of its worker.
    async fn newest_watermark(&self) -> Result<Option<Timestamp>>;
    /// What shows whether workers look at an account.
    async fn signs(&self, account: &AccountId, changed_since: Timestamp) -> Result<Signs>;
    /// The history of objects, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>>;
    /// The history of an account's windows, newest first, with those that were skipped or
    /// given up.
    async fn windows(&self, account: &AccountId, before: Option<u64>, limit: u32) -> Result<Vec<WindowRow>>;
    /// The windows whose slots are in a range.
    async fn slot_windows(&self, range: &SlotRange) -> Result<Vec<SlotWindow>>;
    /// The attempts of one object.
    async fn attempts(&self, account: &AccountId, key: &str) -> Result<Vec<AttemptRow>>;
    /// Windows with slots in a range that were not skipped, in the order of their numbers,
    /// after one of them.
    async fn past_windows(
        &self,
        account: &AccountId,
        slots: (Timestamp, Timestamp),
        after: u64,
        limit: u32,
    ) -> Result<Vec<PastWindow>>;
    /// Begins to put delivered objects again, or goes on with that. Nothing that workers
    /// read changes.
    async fn begin_replay(&self, by: &By, account: &AccountId, new: &NewReplay) -> Result<Replay>;
    /// Stores that an object of a replay is about to be put. Refused when another command
    /// has got ahead with it.
    async fn journal_replayed(&self, replay: &Replay, object: &ReplayedObject, at: Timestamp) -> Result<()>;
    /// Stores what became of it.
    async fn finish_replayed(
        &self,
        replay: &Replay,
        object: &ReplayedObject,
        message: Option<&str>,
        at: Timestamp,
    ) -> Result<()>;
    /// Stores that nothing of a replay needs another try.
    async fn finish_replay(&self, replay: &Replay, at: Timestamp) -> Result<()>;
    /// Objects of replays, newest first.
    async fn replays(&self, filter: &ReplayFilter) -> Result<Vec<ReplayRow>>;
    /// What people changed, newest first. Every operation that changes an account, its
    /// destination or a sealed secret's key stores it in its own transaction.
    async fn changes(&self, filter: &ChangeFilter) -> Result<Vec<Change>>;
    /// The oldest changes that no worker has looked at yet.
    async fn pending_changes(&self, limit: u32) -> Result<Vec<Change>>;
    /// Stores that changes, by their numbers, have become records.
    async fn mark_published(&self, numbers: &[u64]) -> Result<()>;
    /// Stores that nobody wants the changes so far as records.
    async fn discard_outbox(&self) -> Result<()>;
    /// A page of accounts with their health.
    async fn judged_accounts(&self, around: Circumstances, page: &AccountPage) -> Result<Vec<JudgedAccount>>;
    /// How many accounts a filter takes.
    async fn count_accounts(&self, around: Circumstances, filter: &AccountFilter) -> Result<u64>;
    /// How many accounts are of each health, the worst first; those that nobody has are left out.
    async fn health_counts(&self, around: Circumstances) -> Result<Vec<(Health, u64)>>;
    /// The next instants at which accounts are due, and how many are.
    async fn next_slots(&self, after: Timestamp, limit: u32) -> Result<Vec<(Timestamp, u64)>>;
    /// The account whose slot is not delivered for the longest, and that slot: of those that may start.
    async fn oldest_undelivered(&self, now: Timestamp) -> Result<Option<(AccountId, Timestamp)>>;
    /// How many accounts each worker holds now, by the worker's name.
    async fn leases(&self) -> Result<Vec<(String, u64)>>;
    /// What the metrics show of all accounts together.
    async fn gauges(&self, now: Timestamp) -> Result<Gauges>;
}
