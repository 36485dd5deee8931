//! Channels of notifications: added, listed, rotated, tried and removed; and what was told.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::admin::{Admin, AdminError};
use crate::ledger::NoticeRow;
use crate::notifications::email;
use crate::notifications::sender::{SendError, Sender};
use crate::notifications::webhook::{SigningKey, new_secret};
use crate::secrets::keys::{KeyError, SealedSecret, new_id};
use crate::secrets::{Opened, Secret, resolve};
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::SecretRef;
use auditferry_core::model::notification::{
    Audience, Disabled, Language, Notice, NotificationChannel, PreviousSecret, Target,
};
use auditferry_core::refusal::{Refusal, RefusalCode};

/// How many channels are read at once.
const PAGE: u32 = 500;

/// How long two secrets of a webhook sign, while its receiver changes over.
pub const ROTATION: SignedDuration = SignedDuration::from_hours(24);

/// A secret, or where it is.
pub enum Given {
    /// The secret itself; the ledger keeps it sealed.
    Sealed(Secret),
    /// Where the workers find it.
    Named(SecretRef),
}

/// What a channel is to be.
pub enum NewTarget {
    /// A webhook. Without a secret one is made.
    Webhook {
        /// Its URL.
        url: String,
        /// The secret that signs.
        secret: Option<Given>,
    },
    /// Slack, or what takes the same message.
    Slack {
        /// The URL.
        url: Given,
    },
    /// A mailbox.
    Email {
        /// Its address.
        to: String,
    },
}

/// A channel as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChannelView {
    /// Its id.
    pub id: String,
    /// `webhook`, `slack` or `email`.
    pub kind: String,
    /// Whose people are told; absent: the operator.
    pub account: Option<String>,
    /// Where it leads, without what could be a secret.
    pub to: String,
    /// In which language.
    pub language: Language,
    /// Since when nothing is sent over it, and why.
    pub disabled: Option<Disabled>,
    /// Until when two secrets sign.
    pub rotating_until: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: String,
}

impl ChannelView {
    fn of(channel: NotificationChannel) -> Self {
        Self {
            kind: channel.target.kind().to_owned(),
            account: channel.audience.account().map(ToString::to_string),
            to: channel.target.shown(),
            rotating_until: match &channel.target {
                Target::Webhook { previous, .. } => previous.as_ref().map(|previous| previous.until),
                _ => None,
            },
            id: channel.id,
            language: channel.language,
            disabled: channel.disabled,
            created_at: channel.created_at,
            created_by: channel.created_by,
        }
    }
}

/// A channel that was added or rotated, and its secret if that was made here: the only time that it is shown.
pub struct Added {
    /// The channel.
    pub channel: ChannelView,
    /// The new secret of a webhook.
    pub secret: Option<Secret>,
}

/// What came of trying a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tried {
    /// Whether the receiver took the message.
    pub delivered: bool,
    /// What it answered, or why there is no answer.
    pub answer: String,
}

fn invalid(field: &'static str, problem: &str) -> Refusal {
    Refusal::field(field, RefusalCode::InvalidValue, problem)
}

/// A secret on its way into the ledger.
struct Sealing<'a> {
    sender: &'a Sender,
    channel: &'a str,
    sealed: Vec<SealedSecret>,
}

impl Sealing<'_> {
    async fn keep(&mut self, secret: &Secret) -> Result<SecretRef, AdminError> {
        let id = new_id();
        let sealed = self.sender.vault().seal_for_channel(self.channel, &id, secret).await;
        self.sealed.push(sealed.map_err(|error| match error {
            KeyError::NoKey => Refusal::new(RefusalCode::InvalidValue, error.to_string()).into(),
            error => AdminError::Random(error),
        })?);
        Ok(SecretRef::Sealed(id))
    }

    async fn keep_given(&mut self, given: Given) -> Result<SecretRef, AdminError> {
        match given {
            Given::Sealed(secret) => self.keep(&secret).await,
            Given::Named(reference) => Ok(reference),
        }
    }

    /// A secret that signs: the given one, or a new one, which is shown.
    async fn signing(&mut self, given: Option<Given>) -> Result<(SecretRef, Option<Secret>), AdminError> {
        let Some(given) = given else {
            let secret = new_secret()?;
            return Ok((self.keep(&secret).await?, Some(secret)));
        };
        check_signing(&given)?;
        Ok((self.keep_given(given).await?, None))
    }
}

/// That a secret can sign, as far as it can be read here.
fn check_signing(given: &Given) -> Result<(), Refusal> {
    let secret = match given {
        Given::Sealed(secret) => Some(secret.clone()),
        Given::Named(reference) => resolve(reference, &Opened::default()).ok(),
    };
    let Some(secret) = secret else { return Ok(()) };
    SigningKey::parse(&secret).map(drop).map_err(|problem| {
        invalid("secret", problem)
            .fix("leave it out, and one is made; or give whsec_ and 24 to 64 bytes in base64")
    })
}

impl Admin {
    /// Adds a channel.
    ///
    /// # Errors
    /// When a value cannot be right, there is no such account, there is no key to seal with, or the ledger
    /// fails.
    pub async fn add_channel(
        &self,
        by: &By,
        sender: &Sender,
        audience: Audience,
        language: Language,
        new: NewTarget,
    ) -> Result<Added, AdminError> {
        if let Some(account) = audience.account() {
            self.ledger.account(account).await?;
        }
        let id = format!("n{}", &Uuid::new_v4().simple().to_string()[..12]);
        let mut sealing = Sealing { sender, channel: &id, sealed: Vec::new() };
        let address = |url: &str| {
            sender.check_address(url).map_err(|error| invalid("url", &error.problem).fix(error.fix))
        };
        let mut made = None;
        let target = match new {
            NewTarget::Webhook { url, secret } => {
                let url = address(&url)?.to_string();
                let (secret, new) = sealing.signing(secret).await?;
                made = new;
                Target::Webhook { url, secret, previous: None }
            }
            NewTarget::Slack { url } => {
                let text = match &url {
                    Given::Sealed(secret) => secret.clone(),
                    Given::Named(reference) => resolve(reference, &Opened::default())
                        .map_err(|error| invalid("url", &error.to_string()))?,
                };
                let host = address(text.expose().trim())?.host_str().unwrap_or_default().to_owned();
                Target::Slack { host, url: sealing.keep_given(url).await? }
            }
            NewTarget::Email { to } => {
                email::check_address(&to).map_err(|problem| invalid("to", &problem))?;
                if sender.email().host.is_empty() {
                    return Err(invalid("to", "email.host is empty, so that no email can be sent")
                        .fix("set email.host and email.from")
                        .into());
                }
                Target::Email { to }
            }
        };
        let sealed = std::mem::take(&mut sealing.sealed);
        let channel = NotificationChannel {
            audience,
            target,
            language,
            created_at: self.clock.now(),
            created_by: by.actor.name.clone(),
            disabled: None,
            id,
        };
        self.ledger.add_channel(by, &channel, &sealed).await?;
        Ok(Added { channel: ChannelView::of(channel), secret: made })
    }

    /// All channels, in the order of ids.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn channels(&self) -> Result<Vec<ChannelView>, AdminError> {
        let mut all: Vec<ChannelView> = Vec::new();
        loop {
            let page = self.ledger.channels(all.last().map(|view| view.id.as_str()), PAGE).await?;
            let more = page.len() == PAGE as usize;
            all.extend(page.into_iter().map(ChannelView::of));
            if !more {
                return Ok(all);
            }
        }
    }

    /// The channel of an id.
    ///
    /// # Errors
    /// When there is no such channel, or the ledger fails.
    pub async fn channel_view(&self, id: &str) -> Result<ChannelView, AdminError> {
        self.channel(id).await.map(ChannelView::of)
    }

    async fn channel(&self, id: &str) -> Result<NotificationChannel, AdminError> {
        self.ledger.channel(id).await?.ok_or_else(|| no_such(id))
    }

    /// Gives a webhook another secret. The one before signs too, for a day, so that its receiver can change
    /// over. A disabled channel is enabled.
    ///
    /// # Errors
    /// When there is no such webhook, there is no key to seal with, or the ledger fails.
    pub async fn rotate_channel(
        &self,
        by: &By,
        sender: &Sender,
        id: &str,
        given: Option<Given>,
    ) -> Result<Added, AdminError> {
        let Target::Webhook { url, secret: before, .. } = self.channel(id).await?.target else {
            return Err(invalid("notification", "it has no secret that signs")
                .fix("remove it and add it again")
                .into());
        };
        let until = self.clock.now().checked_add(ROTATION).unwrap_or(Timestamp::MAX);
        let mut sealing = Sealing { sender, channel: id, sealed: Vec::new() };
        let (secret, made) = sealing.signing(given).await?;
        let target =
            Target::Webhook { url, secret, previous: Some(PreviousSecret { secret: before, until }) };
        let changed = self.ledger.set_target(by, id, &target, &sealing.sealed).await?;
        Ok(Added { channel: ChannelView::of(changed.ok_or_else(|| no_such(id))?), secret: made })
    }

    /// Removes a channel, and what is on its way over it.
    ///
    /// # Errors
    /// When there is no such channel, or the ledger fails.
    pub async fn remove_channel(&self, by: &By, id: &str) -> Result<ChannelView, AdminError> {
        self.ledger.remove_channel(by, id).await?.map(ChannelView::of).ok_or_else(|| no_such(id))
    }

    /// Sends a message over a channel now, and says what its receiver answers. Nothing is stored.
    ///
    /// # Errors
    /// When there is no such channel, or the ledger fails.
    pub async fn try_channel(&self, sender: &Sender, id: &str) -> Result<Tried, AdminError> {
        let channel = self.channel(id).await?;
        let now = self.ledger.now().await?;
        let id = format!("msg_{}", Uuid::new_v4().simple());
        let notice = Notice { id, at: now, test: true, items: Vec::new(), more: 0 };
        let sent = sender.send(&channel, &notice, now).await;
        Ok(match sent {
            Ok(answer) => Tried { delivered: true, answer },
            Err(SendError::Gone(answer) | SendError::Failed(answer, _)) => Tried { delivered: false, answer },
        })
    }

    /// The newest notices, newest first.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn notices(
        &self,
        account: Option<&auditferry_core::model::account::AccountId>,
        limit: u32,
    ) -> Result<Vec<NoticeRow>, AdminError> {
        Ok(self.ledger.notices(account, limit).await?)
    }
}

fn no_such(id: &str) -> AdminError {
    Refusal::field(
        "notification",
        RefusalCode::NoSuchNotification,
        format!("there is none with the id {id:?}"),
    )
    .fix("`auditferry notification ls` shows all")
    .into()
}
