//! The ledger: our own memory of accounts, windows, deliveries, attempts and
//! leases, on SQLite or Postgres.
//!
//! Every step of the protocol is one transaction here, fenced by the epoch of
//! the lease. The statements are written once, in `ledger/sql`, and compiled
//! for each of the two databases; only leases and connections differ.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::base::database::SchemaState;
use crate::secrets::keys::{SealedSecret, Wrapped};
use crate::store::Receipt;
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::{Destination, SealedId};
use auditferry_core::model::window::{Bound, Cursor, Mark, ObjectKey, RecordSet, Watermark, Window};
use auditferry_core::protocol::{Attempt, Denied, Hold};
use auditferry_core::refusal::{Refusal, RefusalCode};

mod account;
mod change;
mod group;
mod history;
mod postgres;
mod proof;
mod replay;
mod sqlite;
mod trouble;

pub use account::{Account, ExportOptions, Pause};
pub use change::{Change, ChangeFilter, FieldChange};
pub use history::{
    AttemptRow, DeliveryFilter, DeliveryRow, Gap, Gauges, Signs, SkippedRecord, StateGauge, WindowRow,
};
pub use proof::{AwaitedProof, NewProof, Proof, TokenHash};
pub use replay::{NewReplay, PastObject, PastWindow, Replay, ReplayRow, ReplayedObject};
pub use trouble::{Trouble, TroubleKind};

/// What an operation of the ledger could not do.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another worker has taken the account over; stop working on it.
    #[error("the lease of account {0} has passed to another worker")]
    LeaseLost(AccountId),
    /// The account was changed by somebody since it was claimed; look at it again.
    #[error("account {0} was changed meanwhile")]
    Changed(AccountId),
    /// There is no such account.
    #[error("account {0}: there is none with this id; `auditferry account ls` shows all")]
    NoAccount(String),
    /// An account of this id exists.
    #[error("account {0}: it exists already; change it with `auditferry account set`")]
    AccountExists(AccountId),
    /// A window of this slot is there already, of before the clock was set right.
    #[error("account {0}: a window of the slot {1} is there already")]
    SlotTaken(AccountId, Timestamp),
    /// The request contradicts the account's state.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ledger was written by a newer binary.
    #[error(
        "the ledger's schema is newer than this binary (migration {0} is unknown to it); \
         run the version of auditferry that wrote it, or a newer one"
    )]
    Newer(i64),
    /// The ledger's schema is older than this binary.
    #[error(
        "the ledger's schema is not current; run `auditferry migrate` (the worker, and a command that changes something, \
         does it by itself while ledger.migrate is true)"
    )]
    Outdated,
    /// Another worker runs on the same SQLite file.
    #[error(
        "{0} is in use by another worker; SQLite serves one worker at a time: \
         stop the other, or use PostgreSQL for several"
    )]
    InUse(String),
    /// The address of the ledger cannot be used.
    #[error("ledger.url: {0}")]
    Url(String),
    /// The database failed.
    #[error("the ledger's database: {}", crate::base::database::words(.0))]
    Database(#[from] sqlx::Error),
    /// The transaction failed in which this step was done with those of other accounts.
    #[error("{0}")]
    Together(Arc<LedgerError>),
    /// What is stored is not what this version stores.
    #[error("the ledger holds what cannot be: {0}; was a row changed by hand?")]
    Stored(String),
    /// The part of the worker that asks the database has ended.
    #[error("the ledger's tasks have ended; the worker is shutting down")]
    Stopped,
    /// A migration failed.
    #[error("migrating the ledger: {}", crate::base::database::migration_words(.0))]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl LedgerError {
    /// Whether the request or the settings are wrong, rather than the database away.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Changed(_)
            | Self::NoAccount(_)
            | Self::AccountExists(_)
            | Self::SlotTaken(..)
            | Self::Refused(_)
            | Self::Newer(_)
            | Self::Outdated
            | Self::InUse(_)
            | Self::Url(_) => true,
            Self::LeaseLost(_) | Self::Database(_) | Self::Migrate(_) | Self::Stored(_) | Self::Stopped => {
                false
            }
            Self::Together(error) => error.is_usage(),
        }
    }

    /// A stable word for a program.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::LeaseLost(_) => "lease_lost",
            Self::Changed(_) => RefusalCode::ChangedMeanwhile.as_str(),
            Self::NoAccount(_) => "no_such_account",
            Self::AccountExists(_) => "account_exists",
            Self::SlotTaken(..) => "slot_taken",
            Self::Refused(refusal) => refusal.code.as_str(),
            Self::Newer(_) => "ledger_newer",
            Self::Outdated => "ledger_outdated",
            Self::InUse(_) => "ledger_in_use",
            Self::Url(_) => "ledger_url",
            Self::Database(_) => "ledger_database",
            Self::Stored(_) => "ledger_content",
            Self::Stopped => "ledger_stopped",
            Self::Together(error) => error.code(),
            Self::Migrate(_) => "ledger_migration",
        }
    }
}

/// What the ledger's operations give.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// The right to work on an account, for a while. Losing it never harms: every
/// write is fenced by its epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose work.
    pub account: AccountId,
    /// Grows with each lease of the account, by a random step: a ledger that has gone back gives none
    /// that somebody holds already.
    pub epoch: i64,
    /// Counts the changes that people made to the account, as of the claim.
    pub revision: i64,
    /// For how long each renewal lasts, by the database's clock.
    pub ttl: Duration,
}

/// An account taken up by a worker.
#[derive(Debug)]
pub struct Claim {
    /// The right to work on it.
    pub lease: Lease,
    /// The account as it stood at the claim.
    pub account: Account,
}

/// The window in delivery and how far it has come.
#[derive(Debug)]
pub struct OpenWindow {
    /// The window as it was planned.
    pub window: Window,
    /// Where its objects go.
    pub destination: Destination,
    /// When its credentials end, as far as that was known.
    pub credentials_end: Option<Timestamp>,
    /// The object in delivery, counted from 1.
    pub ordinal: u32,
    /// The name under which that was sealed, if it was. An attempt may have created it, and names
    /// once had another form.
    pub key: Option<ObjectKey>,
    /// Where the last delivered object ended.
    pub cursor: Option<Cursor>,
    /// Whether the last object that was delivered ended the window.
    pub exhausted: bool,
    /// Whether an attempt for the object in delivery has an unknown outcome.
    pub doubtful: bool,
    /// Whether an attempt was made for the object in delivery, where it goes now.
    pub attempted: bool,
}

/// A window about to be planned.
#[derive(Debug, Clone)]
pub struct NewWindow {
    /// The instant that names it.
    pub slot: Timestamp,
    /// Its upper bound.
    pub hi: Bound,
    /// When that was captured.
    pub to: Timestamp,
    /// Only what occurred before, for the last window of an add-on.
    pub until: Option<Timestamp>,
    /// The slot after this one.
    pub next_slot: Option<Timestamp>,
    /// When its delivery may begin; absent: with its slot.
    pub begins: Option<Timestamp>,
}

/// Whether a sealed object is the one that was sealed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealOutcome {
    /// Stored; no attempt was made with other content.
    Stored,
    /// An attempt was made with other content: fail closed.
    Differs,
}

/// Who can mend a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// It passes by itself.
    Nobody,
    /// The customer; an account that was refused for so long is suspended.
    Customer {
        /// How long.
        suspend_after: Duration,
    },
}

/// Why an account waits, and until when.
#[derive(Debug, Clone)]
pub struct Wait {
    /// What went wrong.
    pub trouble: Trouble,
    /// When to try again.
    pub retry_at: Timestamp,
    /// Who can mend it.
    pub blame: Blame,
}

/// How a failed attempt is remembered.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What it was.
    pub kind: TroubleKind,
    /// What happened, without secrets.
    pub message: String,
    /// Whether the object may have been created all the same.
    pub doubtful: bool,
    /// When it happened.
    pub at: Timestamp,
    /// When to try again.
    pub retry_at: Timestamp,
    /// Who can mend it.
    pub blame: Blame,
}

/// A sealed secret, and where it belongs.
#[derive(Debug)]
pub struct HeldSecret {
    /// Whose destination.
    pub account: AccountId,
    /// The destination.
    pub destination: Destination,
    /// The secret.
    pub secret: SealedSecret,
}

/// The end of the credentials of an account's destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsEnd {
    /// Whose.
    pub account: AccountId,
    /// The destination's version.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// At how many days before it somebody was warned last.
    pub warned: Option<u32>,
}

/// How many secrets a key sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key's id.
    pub key: String,
    /// How many.
    pub secrets: u64,
}

/// A record of the source that cannot be exported as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Its key in the source.
    pub key: String,
    /// Why.
    pub problem: String,
}

/// Records that a person chose not to export.
#[derive(Debug, Clone)]
pub struct NewSkip {
    /// The window in delivery, which holds them.
    pub window: u64,
    /// Which records.
    pub records: Vec<BadRecord>,
    /// Why they may be left out.
    pub reason: String,
}

/// What an edit of an account may do; the closure sees the row under lock.
pub type Edit<'a> = &'a mut (dyn FnMut(&mut Account) -> Result<()> + Send);

/// The operations that every ledger has.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Brings the schema up to date; safe with several starting at once.
    async fn migrate(&self) -> Result<()>;
    /// Whether the database answers and its schema is current.
    async fn check(&self) -> Result<()>;

    /// Stores a new account.
    async fn add_account(&self, by: &By, account: &Account) -> Result<()>;
    /// One account.
    async fn account(&self, id: &AccountId) -> Result<Account>;
    /// Accounts in the order of ids, after one of them.
    async fn accounts(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>>;
    /// Changes an account under lock; nothing is stored when the edit refuses.
    async fn edit_account(&self, by: &By, id: &AccountId, edit: Edit<'_>) -> Result<Account>;
    /// Removes an account and its history.
    async fn remove_account(&self, by: &By, id: &AccountId) -> Result<()>;
    /// Sets or replaces the account's one destination, with its sealed secrets; returns its
    /// version. The secrets of the one before are kept for as long as a window goes there, and
    /// what was proved of it counts for one at the same place. Refused when it needs a proof that
    /// was not given; a proof that is awaited is awaited no more.
    async fn set_destination(
        &self,
        by: &By,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
    ) -> Result<u64>;
    /// The account's destination, if it has one.
    async fn destination(&self, id: &AccountId) -> Result<Option<Destination>>;
    /// When the credentials of the account's destination end, if that is known.
    async fn credentials_end(&self, id: &AccountId) -> Result<Option<Timestamp>>;
    /// Stores when the credentials of a version of the account's destination end, as they
    /// say themselves. What the destination says counts when it is earlier.
    async fn note_credentials_end(&self, id: &AccountId, version: u64, end: Option<Timestamp>) -> Result<()>;
    /// Credentials of destinations in use that end before an instant, in the order of
    /// accounts, after one of them. Those of disabled add-ons are left out.
    async fn credentials_ending(
        &self,
        before: Timestamp,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<CredentialsEnd>>;
    /// Stores that somebody is warned of an end now, at so many days before it. Returns
    /// whether nobody has been, so that of several workers one warns.
    async fn note_warned(&self, ending: &CredentialsEnd, days: u32) -> Result<bool>;
    /// When the owner of the destination in force proved it theirs.
    async fn proved_at(&self, id: &AccountId) -> Result<Option<Timestamp>>;
    /// Lets a destination wait until its owner has proved it theirs, in the place of one that
    /// waits; the one in force stays. Returns its version.
    async fn await_proof(
        &self,
        by: &By,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
        proof: &NewProof,
    ) -> Result<u64>;
    /// The destination that waits.
    async fn awaited_proof(&self, id: &AccountId) -> Result<Option<AwaitedProof>>;
    /// Puts the destination that waits in force, if this is its token. Each wrong one counts.
    async fn prove(&self, by: &By, id: &AccountId, token: &TokenHash, now: Timestamp) -> Result<Proof>;
    /// Forgets the destination that waits; returns whether one did.
    async fn withdraw_proof(&self, by: &By, id: &AccountId) -> Result<bool>;
    /// What the trust policies of the account's roles ask for, if it was made.
    async fn external_id(&self, id: &AccountId) -> Result<Option<String>>;
    /// The same; `new` becomes it when there is none yet.
    async fn make_external_id(&self, by: &By, id: &AccountId, new: &str) -> Result<String>;
    /// A sealed secret of the account.
    async fn sealed_secret(&self, account: &AccountId, id: &SealedId) -> Result<Option<SealedSecret>>;
    /// Sealed secrets in the order of accounts and ids, after one of them; `not_with`: only
    /// those that another key sealed.
    async fn sealed_secrets(
        &self,
        after: Option<&(AccountId, SealedId)>,
        not_with: Option<&str>,
        limit: u32,
    ) -> Result<Vec<HeldSecret>>;
    /// Replaces a wrapped data key, if it still is the one that was read; returns whether it was.
    async fn rewrap(
        &self,
        by: &By,
        account: &AccountId,
        id: &SealedId,
        from: &Wrapped,
        to: &Wrapped,
    ) -> Result<bool>;
    /// The keys that sealed anything, in the order of ids.
    async fn key_uses(&self) -> Result<Vec<KeyUse>>;
    /// Moves the watermark forward without delivering, as a window of its own in
    /// the history, and applies an edit in the same transaction.
    async fn skip_to(
        &self,
        by: &By,
        id: &AccountId,
        watermark: &Watermark,
        gap: Gap,
        edit: Edit<'_>,
    ) -> Result<Account>;

    /// Leaves records of the window in delivery out, and lets the account go on, which is held
    /// because of them. Refused as [`LedgerError::Changed`] when it is not held for that any more.
    async fn skip_records(&self, by: &By, id: &AccountId, skip: &NewSkip) -> Result<Account>;

    /// Where the account's watermark stands, and where it stood before each of its newest
    /// `limit` windows, newest first.
    async fn watermarks(&self, id: &AccountId, limit: u32) -> Result<Vec<Watermark>>;
    /// Begins a new generation at a watermark: gives up the window in delivery and ends a
    /// hold. The edit sees the account before that, and may refuse.
    async fn rewind(&self, by: &By, id: &AccountId, watermark: &Watermark, edit: Edit<'_>)
    -> Result<Account>;

    /// The time by the database's clock.
    async fn now(&self) -> Result<Timestamp>;
    /// Who this ledger is; a restored backup is the same one.
    async fn id(&self) -> Result<String>;
    /// The next mark to leave in a source, counted before it is left.
    async fn next_mark(&self) -> Result<Mark>;
    /// The source holds a mark that this ledger has not counted: holds every account, and
    /// goes on counting after it.
    async fn went_back(&self, newest: u64, trouble: &Trouble) -> Result<()>;

    /// Takes up to `limit` accounts that are due at `now` and that nobody works on, the
    /// longest due first; passes over those that go to one of the `full` endpoints.
    async fn claim(
        &self,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
        full: &[String],
    ) -> Result<Vec<Claim>>;
    /// The same for accounts that have no open window and are not suspended.
    async fn claim_unplanned(
        &self,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<Claim>>;
    /// When the next account is due that nobody works on, passing over as a claim does.
    async fn next_due(&self, full: &[String]) -> Result<Option<Timestamp>>;
    /// Forgets all waits after failures, so that everything undelivered is due now.
    async fn retry_now(&self) -> Result<()>;
    /// Makes leases last for their time from now on; returns those that are lost.
    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>>;
    /// Gives an account back.
    async fn release(&self, lease: &Lease) -> Result<()>;
    /// Gives several accounts back, in one transaction.
    async fn release_all(&self, leases: &[Lease]) -> Result<()>;
    /// Stores the next slot of an account for which nothing is to be done now, unless a person has
    /// changed the account since the claim.
    async fn set_next_slot(&self, lease: &Lease, next_slot: Option<Timestamp>) -> Result<()>;
    /// Stores what an account waits for after a failure; its slot stays as it is. Returns whether the
    /// customer's side refuses it now.
    async fn postpone(&self, lease: &Lease, wait: Wait) -> Result<Option<Denied<Timestamp>>>;
    /// The probe of a suspended account has succeeded: it goes on.
    async fn end_suspension(&self, lease: &Lease) -> Result<()>;

    /// Protocol, step 1: stores a window before anything is read. Refused as
    /// [`LedgerError::Changed`] when somebody has changed the account since the claim.
    async fn plan(&self, lease: &Lease, new: &NewWindow) -> Result<()>;
    /// The same for several accounts in one transaction; each is refused by itself.
    async fn plan_all(&self, plans: &[(Lease, NewWindow)]) -> Result<Vec<Result<()>>>;
    /// The account's open window, as far as it has come.
    async fn open_window(&self, id: &AccountId) -> Result<Option<OpenWindow>>;
    /// Lets an open window go to the account's newest destination, when none of its
    /// undelivered objects can be in the old one, or when the old one is given up.
    async fn repoint(&self, lease: &Lease, window: u64) -> Result<()>;
    /// Protocol, step 2: stores what an object is before it is put.
    async fn seal(
        &self,
        lease: &Lease,
        window: u64,
        facts: &SealedFacts,
        at: Timestamp,
    ) -> Result<SealOutcome>;
    /// Protocol, step 3: stores an attempt before it is made, and renews the lease.
    /// Refused as [`LedgerError::Changed`] once the account may not export any more.
    async fn journal(
        &self,
        lease: &Lease,
        window: u64,
        facts: &SealedFacts,
        owner: &str,
        at: Timestamp,
    ) -> Result<Attempt>;
    /// Protocol, step 4: stores how an attempt failed. Returns whether the customer's side
    /// refuses the account now.
    async fn fail(
        &self,
        lease: &Lease,
        attempt: &Attempt,
        failure: &Failure,
    ) -> Result<Option<Denied<Timestamp>>>;
    /// Protocol, step 5: stores the receipt; with the window's last object, closes
    /// the window and moves the watermark. Returns whether it did.
    async fn commit(&self, lease: &Lease, receipt: Receipt, at: Timestamp) -> Result<bool>;
    /// Closes a window that holds no (further) record, and moves the watermark.
    async fn close(&self, lease: &Lease, window: u64, at: Timestamp) -> Result<()>;
    /// Stops an account until a person has looked.
    async fn hold(&self, lease: &Lease, hold: Hold, trouble: Trouble) -> Result<()>;

    /// When the newest watermark of all accounts was captured, by the clock of its worker.
    async fn newest_watermark(&self) -> Result<Option<Timestamp>>;
    /// What shows whether workers look at an account.
    async fn signs(&self, account: &AccountId, changed_since: Timestamp) -> Result<Signs>;
    /// The accounts that a worker has now, or that a person has changed since an instant.
    async fn attended(&self, changed_since: Timestamp) -> Result<HashSet<AccountId>>;
    /// The history of objects, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>>;
    /// The history of an account's windows, newest first, with those that were skipped or
    /// given up.
    async fn windows(&self, account: &AccountId, limit: u32) -> Result<Vec<WindowRow>>;
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
    /// Objects of replays, newest first: of all accounts or one, and of one object by
    /// either of its names.
    async fn replays(
        &self,
        account: Option<&AccountId>,
        key: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ReplayRow>>;
    /// What people changed, newest first. Every operation that changes an account, its
    /// destination or a sealed secret's key stores it in its own transaction.
    async fn changes(&self, filter: &ChangeFilter) -> Result<Vec<Change>>;
    /// The oldest changes that no worker has looked at yet.
    async fn untold_changes(&self, limit: u32) -> Result<Vec<Change>>;
    /// Stores that changes, by their numbers, have become records.
    async fn changes_told(&self, numbers: &[u64]) -> Result<()>;
    /// Stores that nobody wants the changes so far as records.
    async fn leave_changes_untold(&self) -> Result<()>;
    /// What the metrics show of all accounts together.
    async fn gauges(&self, now: Timestamp) -> Result<Gauges>;
}

/// Opens the ledger at a URL, `sqlite:PATH` or `postgres://…`.
/// `exclusive`: this process is the worker, which SQLite allows once.
///
/// # Errors
/// When the URL is of no known kind or the database cannot be opened.
pub async fn open(url: &str, max_connections: u32, exclusive: bool) -> Result<Arc<dyn Ledger>> {
    match crate::base::database::Kind::of(url).map_err(LedgerError::Url)? {
        crate::base::database::Kind::Postgres => {
            Ok(Arc::new(postgres::PostgresLedger::open(url, max_connections)?))
        }
        crate::base::database::Kind::Sqlite => {
            Ok(Arc::new(sqlite::SqliteLedger::open(url, exclusive).await?))
        }
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
