//! `Notifications` on either database.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Backend, Connection, changes, channels, in_time, notices, sealed};
use crate::ledger::change::difference;
use crate::ledger::{
    ChannelSecret, ClaimedNotice, FieldChange, NoticeRow, Notifications, Result, Sent, StoredState,
};
use crate::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::SealedId;
use auditferry_core::model::notification::{Audience, Disabled, Notice, NotificationChannel, Target};

/// What the change log tells of a channel: of its secrets only the names.
fn facts(channel: &NotificationChannel) -> Value {
    let secrets: Vec<&str> = channel.target.sealed().into_iter().map(|id| id.0.as_str()).collect();
    json!({ "channel": {
        "id": channel.id, "kind": channel.target.kind(), "to": channel.target.shown(),
        "secrets": secrets, "language": channel.language, "disabled": channel.disabled,
    }})
}

/// In the log of the account whose people it tells, or of nobody's.
async fn record(
    tx: &mut Connection,
    by: &By,
    channel: &NotificationChannel,
    action: &str,
    fields: &[FieldChange],
) -> Result<()> {
    match channel.audience.account() {
        Some(account) => changes::record(tx, by, account, action, fields).await,
        None => changes::record_general(tx, by, action, fields).await,
    }
}

#[async_trait]
impl Notifications for Backend {
    async fn add_channel(&self, by: &By, new: &NotificationChannel, secrets: &[SealedSecret]) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            channels::insert(&mut tx, new).await?;
            for secret in secrets {
                channels::insert_secret(&mut tx, &new.id, secret).await?;
            }
            let fields = difference(&Value::Null, &facts(new));
            record(&mut tx, by, new, "notification added", &fields).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn channels(&self, after: Option<&str>, limit: u32) -> Result<Vec<NotificationChannel>> {
        in_time(async { channels::page(self.reading().await?.as_mut(), after, limit).await }).await
    }

    async fn channel(&self, id: &str) -> Result<Option<NotificationChannel>> {
        in_time(async { channels::one(self.reading().await?.as_mut(), id).await }).await
    }

    async fn set_target(
        &self,
        by: &By,
        id: &str,
        target: &Target,
        secrets: &[SealedSecret],
    ) -> Result<Option<NotificationChannel>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let Some(before) = channels::one(&mut tx, id).await? else { return Ok(None) };
            channels::set_target(&mut tx, id, target).await?;
            for secret in secrets {
                channels::insert_secret(&mut tx, id, secret).await?;
            }
            let after = NotificationChannel { target: target.clone(), disabled: None, ..before.clone() };
            let mut fields = difference(&facts(&before), &facts(&after));
            fields.extend(difference(&Value::Null, &json!({ "channel": { "id": id } })));
            record(&mut tx, by, &after, "notification changed", &fields).await?;
            tx.commit().await?;
            Ok(Some(after))
        })
        .await
    }

    async fn remove_channel(&self, by: &By, id: &str) -> Result<Option<NotificationChannel>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let Some(before) = channels::one(&mut tx, id).await? else { return Ok(None) };
            channels::remove(&mut tx, id).await?;
            let fields = difference(&facts(&before), &Value::Null);
            record(&mut tx, by, &before, "notification removed", &fields).await?;
            tx.commit().await?;
            Ok(Some(before))
        })
        .await
    }

    async fn disable_channel(&self, id: &str, disabled: &Disabled) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            channels::disable(&mut tx, id, disabled).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn channel_secret(&self, channel: &str, id: &SealedId) -> Result<Option<SealedSecret>> {
        in_time(async { sealed::one(self.reading().await?.as_mut(), sealed::CHANNELS, channel, id).await })
            .await
    }

    async fn channel_secrets(
        &self,
        after: Option<&(String, SealedId)>,
        not_with: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ChannelSecret>> {
        in_time(async { channels::secrets(self.reading().await?.as_mut(), after, not_with, limit).await })
            .await
    }

    async fn rewrap_channel_secret(
        &self,
        by: &By,
        channel: &str,
        id: &SealedId,
        from: &WrappedKey,
        to: &WrappedKey,
    ) -> Result<bool> {
        in_time(async {
            let mut tx = self.begin().await?;
            let done = sealed::rewrap(&mut tx, sealed::CHANNELS, channel, id, from, to).await?;
            if let (true, Some(whose)) = (done, channels::one(&mut tx, channel).await?) {
                let field = format!("secret {id} of notification {channel}");
                let change = FieldChange { field, from: json!(from.key), to: json!(to.key) };
                record(&mut tx, by, &whose, "key rotated", &[change]).await?;
            }
            tx.commit().await?;
            Ok(done)
        })
        .await
    }

    async fn audiences(&self) -> Result<Vec<Audience>> {
        in_time(async { channels::audiences(self.reading().await?.as_mut()).await }).await
    }

    async fn notice_states(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredState>> {
        in_time(async { notices::states(self.reading().await?.as_mut(), after, limit).await }).await
    }

    async fn queue(&self, states: &[StoredState], notice: Option<(&Audience, &Notice)>) -> Result<bool> {
        in_time(async {
            // What returns early is rolled back.
            let mut tx = self.begin().await?;
            for state in states {
                if !notices::store(&mut tx, state).await? {
                    return Ok(false);
                }
            }
            if let Some((audience, notice)) = notice
                && notices::insert(&mut tx, audience, notice).await? == 0
            {
                return Ok(false);
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn claim_notices(&self, limit: u32, hold: Duration) -> Result<Vec<ClaimedNotice>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let claimed = notices::claim(&mut tx, limit, hold).await?;
            tx.commit().await?;
            Ok(claimed)
        })
        .await
    }

    async fn note_sent(&self, claimed: &ClaimedNotice, sent: &Sent, answer: &str) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            notices::note_sent(&mut tx, claimed, sent, answer).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn notices(&self, account: Option<&AccountId>, limit: u32) -> Result<Vec<NoticeRow>> {
        in_time(async { notices::newest(self.reading().await?.as_mut(), account, limit).await }).await
    }

    async fn forget_notices(&self, before: Timestamp) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            notices::forget(&mut tx, before).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn take_turn(&self, name: &str, hold: Duration) -> Result<bool> {
        in_time(async {
            let mut tx = self.begin().await?;
            let taken = notices::take_turn(&mut tx, name, hold).await?;
            tx.commit().await?;
            Ok(taken)
        })
        .await
    }
}
