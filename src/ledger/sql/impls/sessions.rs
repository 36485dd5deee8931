//! `Sessions` on either database.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Backend, changes, in_time, sessions};
use crate::ledger::change::difference;
use crate::ledger::{Result, Sessions, Sha256};
use auditferry_core::model::actor::By;
use auditferry_core::model::session::Session;

/// What the change log tells of a session.
fn facts(session: &Session) -> Value {
    json!({ "session": { "id": session.id, "name": session.name, "revoked_at": session.revoked_at } })
}

#[async_trait]
impl Sessions for Backend {
    async fn begin_sign_in(&self, sha256: &Sha256, return_to: &str, ends_at: Timestamp) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            sessions::begin_sign_in(&mut tx, sha256, return_to, ends_at).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn take_sign_in(&self, sha256: &Sha256, now: Timestamp) -> Result<Option<String>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let taken = sessions::take_sign_in(&mut tx, sha256, now).await?;
            tx.commit().await?;
            Ok(taken)
        })
        .await
    }

    async fn add_session(&self, session: &Session, sha256: &Sha256) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            sessions::insert(&mut tx, session, sha256).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn session_of(&self, sha256: &Sha256) -> Result<Option<Session>> {
        in_time(async { sessions::of_hash(self.reading().await?.as_mut(), sha256).await }).await
    }

    async fn note_session_used(&self, id: &str, at: Timestamp, idle_ends_at: Timestamp) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            sessions::used(&mut tx, id, at, idle_ends_at).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn revoke_session(&self, by: &By, id: &str, at: Timestamp) -> Result<Option<Session>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let Some(before) = sessions::of_id(&mut tx, id).await? else { return Ok(None) };
            if before.revoked_at.is_some() {
                return Ok(Some(before));
            }
            sessions::revoke(&mut tx, id, at).await?;
            let after = Session { revoked_at: Some(at), ..before.clone() };
            // Who ends their own session changes nothing that others would ask about.
            let own = (by.actor.kind, &by.actor.id) == (before.actor_kind, &before.actor_id);
            if !own {
                let mut fields = difference(&facts(&before), &facts(&after));
                let named = json!({ "session": { "id": id, "name": before.name } });
                fields.extend(difference(&Value::Null, &named));
                changes::record_general(&mut tx, by, "session ended", &fields).await?;
            }
            tx.commit().await?;
            Ok(Some(after))
        })
        .await
    }

    async fn sessions(&self) -> Result<Vec<Session>> {
        in_time(async { sessions::all(self.reading().await?.as_mut()).await }).await
    }

    async fn forget_sessions(&self, before: Timestamp) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            sessions::forget(&mut tx, before).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
