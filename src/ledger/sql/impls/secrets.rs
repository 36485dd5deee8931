//! `Secrets` on either database.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::super::{Backend, changes, expiry, sealed};
use crate::ledger::{CredentialsEnd, FieldChange, HeldSecret, KeyUse, Result, Secrets};
use crate::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::SealedId;

#[async_trait]
impl Secrets for Backend {
    async fn sealed_secret(&self, account: &AccountId, id: &SealedId) -> Result<Option<SealedSecret>> {
        sealed::one(self.reading().await?.as_mut(), sealed::ACCOUNTS, account.as_str(), id).await
    }

    async fn sealed_secrets(
        &self,
        after: Option<&(AccountId, SealedId)>,
        not_with: Option<&str>,
        limit: u32,
    ) -> Result<Vec<HeldSecret>> {
        sealed::page(self.reading().await?.as_mut(), after, not_with, limit).await
    }

    async fn rewrap(
        &self,
        by: &By,
        account: &AccountId,
        id: &SealedId,
        from: &WrappedKey,
        to: &WrappedKey,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let done = sealed::rewrap(&mut tx, sealed::ACCOUNTS, account.as_str(), id, from, to).await?;
        if done {
            let field = format!("secret {id}");
            let change = FieldChange { field, from: json!(from.key), to: json!(to.key) };
            changes::record(&mut tx, by, account, "key rotated", &[change]).await?;
        }
        tx.commit().await?;
        Ok(done)
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        sealed::key_uses(self.reading().await?.as_mut()).await
    }

    async fn credentials_end(&self, id: &AccountId) -> Result<Option<Timestamp>> {
        expiry::end(self.reading().await?.as_mut(), id).await
    }

    async fn note_credentials_end(&self, id: &AccountId, version: u64, end: Option<Timestamp>) -> Result<()> {
        let mut tx = self.begin().await?;
        expiry::note(&mut tx, id, version, end).await?;
        Ok(tx.commit().await?)
    }

    async fn credentials_ending(
        &self,
        before: Timestamp,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<CredentialsEnd>> {
        expiry::ending(self.reading().await?.as_mut(), before, after, limit).await
    }

    async fn count_credentials_ending(&self, before: Timestamp) -> Result<u64> {
        expiry::number(self.reading().await?.as_mut(), before).await
    }

    async fn note_warned(&self, ending: &CredentialsEnd, days: u32) -> Result<bool> {
        let mut tx = self.begin().await?;
        let first = expiry::warned(&mut tx, ending, days).await?;
        tx.commit().await?;
        Ok(first)
    }
}
