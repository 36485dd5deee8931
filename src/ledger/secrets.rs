//! Sealed secrets and the ends of credentials, as the ledger keeps them.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::{Destination, SealedId};

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

/// How many secrets a key sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key's id.
    pub key: String,
    /// How many secrets of the ledger it has sealed.
    pub secrets: u64,
}

/// The end of the credentials of an account's destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsEnd {
    /// The account whose destination has these credentials.
    pub account: AccountId,
    /// The destination's version.
    pub version: u64,
    /// When the credentials end: the earlier of what they and the destination say.
    pub at: Timestamp,
    /// At how many days before it somebody was warned last.
    pub warned: Option<u32>,
}

/// What the vault and the reminder of ending credentials ask for.
#[async_trait]
pub trait Secrets: Send + Sync {
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
        from: &WrappedKey,
        to: &WrappedKey,
    ) -> Result<bool>;
    /// The keys that sealed anything, in the order of ids.
    async fn key_uses(&self) -> Result<Vec<KeyUse>>;
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
    /// How many of them end until an instant.
    async fn count_credentials_ending(&self, until: Timestamp) -> Result<u64>;
    /// Stores that somebody is warned of an end now, at so many days before it. Returns
    /// whether nobody has been, so that of several workers one warns.
    async fn note_warned(&self, ending: &CredentialsEnd, days: u32) -> Result<bool>;
}
