//! What people ask of the ledger: accounts, destinations, proofs, and what they skip or rewind.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Account, AwaitedProof, Gap, NewProof, Proof, Result, TokenHash};
use crate::secrets::keys::SealedSecret;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::Watermark;
use auditferry_core::model::destination::Destination;

/// A record of the source that cannot be exported as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BadRecord {
    /// Its key in the source.
    pub key: String,
    /// Which field cannot be exported, and what is wrong with it.
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

/// What people and the command line ask for.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Stores a new account.
    async fn add_account(&self, by: &By, account: &Account) -> Result<()>;
    /// One account.
    async fn account(&self, id: &AccountId) -> Result<Account>;
    /// Accounts in the order of ids, after one of them.
    async fn accounts(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>>;
    /// Changes an account under lock; nothing is stored when the edit refuses.
    async fn edit_account(&self, by: &By, id: &AccountId, edit: Edit<'_>) -> Result<Account>;
    /// Lets a slot come beside the schedule, at once: refused as the edit says, which sees the account
    /// under lock, and when the names of objects would not stay in order.
    async fn add_slot(&self, by: &By, id: &AccountId, slot: Timestamp, edit: Edit<'_>) -> Result<Account>;
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
}
