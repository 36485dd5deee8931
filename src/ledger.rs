//! The ledger: our own memory of accounts, windows, deliveries, attempts and
//! leases, on SQLite or Postgres.
//!
//! Every step of the protocol is one transaction here, fenced by the epoch of
//! the lease. The statements are written once, in `ledger/sql`, and compiled
//! for each of the two databases; only leases and connections differ.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::base::database::{Connect, Kind, SchemaState};
use auditferry_core::model::bound::{Mark, RecordSet, Watermark};

mod access;
mod account;
mod accounts;
mod change;
mod delivery;
mod downloads;
mod error;
mod group;
mod health;
mod history;
mod jobs;
mod notifications;
mod portal;
mod postgres;
mod proof;
mod replay;
mod secrets;
mod sessions;
mod slots;
mod sqlite;
mod trouble;
mod workers;

pub use access::{Access, Begun, REQUESTS_KEPT, Sha256, StoredAnswer};
pub use account::{Account, ExportOptions, Pause};
pub use accounts::{Accounts, BadRecord, Edit, NewSkip};
pub use change::{Change, ChangeFilter, FieldChange};
pub use delivery::{Blame, Claim, Delivery, Failure, Lease, NewWindow, OpenWindow, SealOutcome, Wait};
pub use downloads::{
    DOWNLOAD_ALIVE_WITHIN, DOWNLOAD_MAIL_LEASE, DOWNLOAD_SIGN_EVERY, Downloads, DueMail, Making,
};
pub use error::{LedgerError, Result};
pub use health::{
    AccountCursor, AccountFilter, AccountOrder, AccountPage, Circumstances, Health, JudgedAccount, health,
    since,
};
pub use history::{
    AttemptRow, DeliveryCursor, DeliveryFilter, DeliveryRow, Gap, Gauges, History, Signs, SkippedRecord,
    StateGauge, WindowRow,
};
pub use jobs::{JobBegun, JobFilter, Jobs};
pub use notifications::{ChannelSecret, ClaimedNotice, NoticeRow, Notifications, Sent, StoredState};
pub use portal::Portal;
pub use proof::{AwaitedProof, NewProof, Proof, TokenHash};
pub use replay::{
    NewReplay, PastObject, PastWindow, Replay, ReplayCursor, ReplayFilter, ReplayRow, ReplayedObject,
};
pub use secrets::{CredentialsEnd, HeldSecret, KeyUse, Secrets};
pub use sessions::Sessions;
pub use slots::{SlotRange, SlotWindow, WindowState};
pub use trouble::{Trouble, TroubleKind};
pub use workers::Workers;

/// A ledger: what every part of the program may ask of it, split by who asks.
#[async_trait]
pub trait Ledger:
    Accounts
    + Secrets
    + Delivery
    + History
    + Workers
    + Access
    + Sessions
    + Portal
    + Notifications
    + Jobs
    + Downloads
{
    /// Brings the schema up to date; safe with several starting at once.
    async fn migrate(&self) -> Result<()>;
    /// Whether the database answers and its schema is current.
    async fn check(&self) -> Result<()>;
    /// The time by the database's clock.
    async fn now(&self) -> Result<Timestamp>;
    /// Who this ledger is; a restored backup is the same one.
    async fn id(&self) -> Result<String>;
    /// The next mark to leave in a source, counted before it is left.
    async fn next_mark(&self) -> Result<Mark>;
    /// The source holds a mark that this ledger has not counted: holds every account, and
    /// goes on counting after it.
    async fn mark_ledger_rewound(&self, newest: u64, trouble: &Trouble) -> Result<()>;
}

/// Opens the ledger at a URL, `sqlite:PATH` or `postgres://…`.
/// `exclusive`: this process is the worker, which SQLite allows once.
///
/// # Errors
/// When the URL is of no known kind or the database cannot be opened.
pub async fn open(url: &str, connect: impl Into<Connect>, exclusive: bool) -> Result<Arc<dyn Ledger>> {
    match Kind::of(url).map_err(LedgerError::Url)? {
        Kind::Postgres => Ok(Arc::new(postgres::PostgresLedger::open(url, connect.into())?)),
        Kind::Sqlite => Ok(Arc::new(sqlite::SqliteLedger::open(url, exclusive).await?)),
    }
}

/// The set of records that a window gets from a watermark.
fn record_set(watermark: &Watermark, new: &NewWindow) -> RecordSet {
    RecordSet {
        since: watermark.since,
        until: new.until,
        ahead: watermark.ahead.clone(),
        ..RecordSet::between(watermark.bound.clone(), new.hi.clone())
    }
}

fn schema_result(state: SchemaState) -> Result<()> {
    match state {
        SchemaState::Current => Ok(()),
        SchemaState::Outdated => Err(LedgerError::Outdated),
        SchemaState::Newer(version) => Err(LedgerError::Newer(version)),
    }
}
