//! `Access` on either database.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::{Backend, access, accounts, changes, in_time};
use crate::ledger::change::difference;
use crate::ledger::{Access, Begun, Result, Sha256, StoredAnswer};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{By, RequestKey};
use auditferry_core::model::token::ApiToken;

/// What the change log tells of a token.
fn facts(token: &ApiToken) -> Value {
    json!({ "token": {
        "id": token.id, "name": token.name, "role": token.role, "accounts": token.accounts,
        "expires_at": token.expires_at, "revoked_at": token.revoked_at,
    }})
}

#[async_trait]
impl Access for Backend {
    async fn add_token(&self, by: &By, token: &ApiToken, sha256: &Sha256) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            access::insert(&mut tx, token, sha256).await?;
            let fields = difference(&Value::Null, &facts(token));
            changes::record_general(&mut tx, by, "token created", &fields).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn tokens(&self) -> Result<Vec<ApiToken>> {
        in_time(async { access::all(self.reading().await?.as_mut()).await }).await
    }

    async fn token_of(&self, sha256: &Sha256) -> Result<Option<ApiToken>> {
        in_time(async { access::of_hash(self.reading().await?.as_mut(), sha256).await }).await
    }

    async fn revoke_token(&self, by: &By, id: &str, at: Timestamp) -> Result<Option<ApiToken>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let Some(before) = access::of_id(&mut tx, id).await? else { return Ok(None) };
            if before.revoked_at.is_some() {
                return Ok(Some(before));
            }
            access::revoke(&mut tx, id, at).await?;
            let after = ApiToken { revoked_at: Some(at), ..before.clone() };
            let mut fields = difference(&facts(&before), &facts(&after));
            fields.extend(difference(&Value::Null, &json!({ "token": { "id": id, "name": before.name } })));
            changes::record_general(&mut tx, by, "token revoked", &fields).await?;
            tx.commit().await?;
            Ok(Some(after))
        })
        .await
    }

    async fn note_token_used(&self, id: &str, at: Timestamp) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            access::used(&mut tx, id, at).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn begin_request(&self, key: &RequestKey, sha256: &Sha256, stale: SignedDuration) -> Result<Begun> {
        in_time(async {
            let mut tx = self.begin().await?;
            let begun = access::begin_request(&mut tx, key, sha256, stale).await?;
            tx.commit().await?;
            Ok(begun)
        })
        .await
    }

    async fn finish_request(&self, key: &RequestKey, answer: Option<&StoredAnswer>) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            access::finish_request(&mut tx, key, answer).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn forget_requests(&self) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            access::forget_requests(&mut tx).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn revision(&self, id: &AccountId) -> Result<u64> {
        in_time(async { accounts::revision(self.reading().await?.as_mut(), id).await }).await
    }
}
