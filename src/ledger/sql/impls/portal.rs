//! `Portal` on either database.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Backend, accounts, changes, in_time, portal};
use crate::ledger::change::difference;
use crate::ledger::{Portal, Result, Sha256};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::Destination;
use auditferry_core::model::portal::PortalSession;

/// What the change log tells of a session: for whom, and what it opens.
fn facts(session: &PortalSession) -> Value {
    json!({ "portal": {
        "session": session.id,
        "actor": session.actor.id,
        "email": session.actor.email,
        "capabilities": session.capabilities,
        "link": session.link,
        "link_ends_at": session.link_ends_at,
        "seconds": session.seconds,
    }})
}

#[async_trait]
impl Portal for Backend {
    async fn add_portal_link(&self, by: &By, session: &PortalSession, link: &Sha256) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            // An account that is removed meanwhile has no link left.
            accounts::lock(&mut tx, by, &session.account).await?;
            portal::insert(&mut tx, session, link).await?;
            let fields = difference(&Value::Null, &facts(session));
            changes::record(&mut tx, by, &session.account, "portal link made", &fields).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn portal_link(&self, link: &Sha256) -> Result<Option<PortalSession>> {
        in_time(async { portal::of_link(self.reading().await?.as_mut(), link).await }).await
    }

    async fn open_portal_session(
        &self,
        link: &Sha256,
        secret: &Sha256,
        at: Timestamp,
    ) -> Result<Option<PortalSession>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let opened = portal::open(&mut tx, link, secret, at).await?;
            tx.commit().await?;
            Ok(opened)
        })
        .await
    }

    async fn portal_session_of(&self, secret: &Sha256) -> Result<Option<PortalSession>> {
        in_time(async { portal::of_secret(self.reading().await?.as_mut(), secret).await }).await
    }

    async fn end_portal_session(&self, id: &str, at: Timestamp) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            portal::end(&mut tx, id, at).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn revoke_portal_session(
        &self,
        by: &By,
        account: &AccountId,
        id: &str,
        at: Timestamp,
    ) -> Result<Option<PortalSession>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let Some(before) = portal::locked(&mut tx, account, id).await? else { return Ok(None) };
            if before.revoked_at.is_some() {
                return Ok(Some(before));
            }
            portal::revoke(&mut tx, id, at).await?;
            let told = json!({ "portal": {
                "session": id, "actor": before.actor.id, "email": before.actor.email, "revoked_at": at,
            }});
            let fields = difference(&Value::Null, &told);
            changes::record(&mut tx, by, account, "portal session revoked", &fields).await?;
            tx.commit().await?;
            Ok(Some(PortalSession { revoked_at: Some(at), ..before }))
        })
        .await
    }

    async fn portal_sessions(&self, account: &AccountId, limit: u32) -> Result<Vec<PortalSession>> {
        in_time(async { portal::list(self.reading().await?.as_mut(), account, limit).await }).await
    }

    async fn past_destinations(&self, account: &AccountId, limit: u32) -> Result<Vec<(u64, Destination)>> {
        in_time(async { portal::past_destinations(self.reading().await?.as_mut(), account, limit).await })
            .await
    }

    async fn forget_portal_sessions(&self, before: Timestamp) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            portal::forget(&mut tx, before).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
