//! What workers ask of the ledger: leases, and the steps of the protocol.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Account, Result, Trouble, TroubleKind};
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Cursor};
use auditferry_core::model::destination::Destination;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::model::window::Window;
use auditferry_core::protocol::{Attempt, Denied, Hold};
use auditferry_core::store::Receipt;

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

/// Who can fix a failure.
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
    /// Who can fix it.
    pub blame: Blame,
}

/// How a failed attempt is remembered.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What it was.
    pub kind: TroubleKind,
    /// What happened, without secrets.
    pub message: String,
    /// The store's id of the request, if it answered.
    pub request_id: Option<String>,
    /// Whether the object may have been created all the same.
    pub doubtful: bool,
    /// When it happened.
    pub at: Timestamp,
    /// When to try again.
    pub retry_at: Timestamp,
    /// Who can fix it.
    pub blame: Blame,
}

/// What workers ask for. Every write is fenced by the epoch of a lease.
#[async_trait]
pub trait Delivery: Send + Sync {
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
}
