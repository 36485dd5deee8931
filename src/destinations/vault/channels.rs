//! The sealed secrets of channels of notifications.

use super::{Closed, PAGE, Vault, VaultError};
use crate::ledger::LedgerError;
use crate::secrets::keys::{Binding, KeyError, SealedSecret};
use crate::secrets::{Opened, Secret, SecretError};
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::SealedId;
use auditferry_core::model::notification::NotificationChannel;

impl Vault {
    /// Opens the sealed secrets of a channel.
    ///
    /// # Errors
    /// When one is not there or does not open.
    pub async fn open_channel(&self, channel: &NotificationChannel) -> Result<Opened, SecretError> {
        let mut opened = Opened::default();
        for id in channel.target.sealed() {
            let closed = |problem: String, passes| SecretError::Sealed { id: id.clone(), problem, passes };
            let row = self.ledger.channel_secret(&channel.id, id).await;
            let sealed = row.map_err(|error| closed(error.to_string(), true))?.ok_or_else(|| {
                closed("the ledger does not hold it; add the channel again".to_owned(), false)
            })?;
            let secret = self.keys.open(&sealed, &Binding::of_channel(&channel.id, id)).await;
            opened.insert(id.clone(), secret.map_err(|error| closed(error.to_string(), error.passes()))?);
        }
        Ok(opened)
    }

    /// Seals a secret for a channel.
    ///
    /// # Errors
    /// When there is no key.
    pub async fn seal_for_channel(
        &self,
        channel: &str,
        id: &SealedId,
        secret: &Secret,
    ) -> Result<SealedSecret, KeyError> {
        self.keys.seal(id, secret, &Binding::of_channel(channel, id)).await
    }

    pub(super) async fn try_channels(
        &self,
        open: &mut u64,
        closed: &mut Vec<Closed>,
    ) -> Result<(), LedgerError> {
        let mut after = None;
        loop {
            let page = self.ledger.channel_secrets(after.as_ref(), None, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.channel.clone(), last.secret.id.clone()));
            for held in page {
                let binding = Binding::of_channel(&held.channel, &held.secret.id);
                match self.keys.open(&held.secret, &binding).await {
                    Ok(_) => *open += 1,
                    Err(error) => {
                        let whose = format!("notification {}", held.channel);
                        closed.push(Closed { whose, id: held.secret.id, error });
                    }
                }
            }
        }
    }

    pub(super) async fn rotate_channels(
        &self,
        by: &By,
        active: &str,
        step: &mut (dyn FnMut() + Send),
    ) -> Result<u64, VaultError> {
        let (mut rewrapped, mut after) = (0, None);
        loop {
            let page = self.ledger.channel_secrets(after.as_ref(), Some(active), PAGE).await?;
            let Some(last) = page.last() else { return Ok(rewrapped) };
            after = Some((last.channel.clone(), last.secret.id.clone()));
            for held in &page {
                let (id, from) = (&held.secret.id, &held.secret.wrapped);
                let to = self.keys.rewrap(from, &Binding::of_channel(&held.channel, id)).await?;
                let done = self.ledger.rewrap_channel_secret(by, &held.channel, id, from, &to).await?;
                rewrapped += u64::from(done);
                step();
            }
        }
    }
}
