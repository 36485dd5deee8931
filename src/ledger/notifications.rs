//! Notifications, as the ledger keeps them: channels, what was told of each subject, and what is on its way.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::SealedId;
use auditferry_core::model::notification::{Audience, Disabled, Notice, NotificationChannel, Target};
use auditferry_core::protocol::notify::NoticeState;

/// What is remembered of a subject, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredState {
    /// The subject.
    pub subject: String,
    /// The account, if it is one's.
    pub account: Option<AccountId>,
    /// What is remembered.
    pub state: NoticeState,
    /// Grows with each change; 0: nothing is stored.
    pub revision: u64,
}

/// A notice that somebody sends now.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedNotice {
    /// The notice.
    pub notice: Notice,
    /// Over which channel.
    pub channel: NotificationChannel,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The receiver has taken it.
    Delivered,
    /// It is tried again then.
    Later(Timestamp),
    /// It is not tried any more.
    GivenUp,
}

/// A notice and its way over one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NoticeRow {
    /// The notice.
    pub notice: Notice,
    /// The channel's id.
    pub channel: String,
    /// The kind of the channel.
    pub kind: String,
    /// The account whose people it is for; absent: the operator.
    pub account: Option<AccountId>,
    /// How often it was tried.
    pub attempts: u64,
    /// When it is tried next; absent: delivered or given up.
    pub next_try_at: Option<Timestamp>,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
    /// What came of the last try.
    pub answer: Option<String>,
}

/// A sealed secret of a channel.
#[derive(Debug)]
pub struct ChannelSecret {
    /// The channel's id.
    pub channel: String,
    /// The secret.
    pub secret: SealedSecret,
}

/// What notifications ask for.
#[async_trait]
pub trait Notifications: Send + Sync {
    /// Stores a new channel with its sealed secrets.
    async fn add_channel(&self, by: &By, new: &NotificationChannel, secrets: &[SealedSecret]) -> Result<()>;
    /// Channels in the order of ids, after one of them.
    async fn channels(&self, after: Option<&str>, limit: u32) -> Result<Vec<NotificationChannel>>;
    /// The channel of an id.
    async fn channel(&self, id: &str) -> Result<Option<NotificationChannel>>;
    /// Gives a channel another target, with its new sealed secrets, and enables it. Secrets that the target
    /// does not name are removed. None: there is no such channel.
    async fn set_target(
        &self,
        by: &By,
        id: &str,
        target: &Target,
        secrets: &[SealedSecret],
    ) -> Result<Option<NotificationChannel>>;
    /// Removes a channel and what is on its way over it. None: there is no such channel.
    async fn remove_channel(&self, by: &By, id: &str) -> Result<Option<NotificationChannel>>;
    /// Sends nothing over a channel any more: what is on its way over it is given up.
    async fn disable_channel(&self, id: &str, disabled: &Disabled) -> Result<()>;
    /// A sealed secret of a channel.
    async fn channel_secret(&self, channel: &str, id: &SealedId) -> Result<Option<SealedSecret>>;
    /// Sealed secrets of channels in the order of channels and ids, after one of them; `not_with`: only those
    /// that another key sealed.
    async fn channel_secrets(
        &self,
        after: Option<&(String, SealedId)>,
        not_with: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ChannelSecret>>;
    /// Replaces a wrapped data key, if it still is the one that was read; returns whether it was.
    async fn rewrap_channel_secret(
        &self,
        by: &By,
        channel: &str,
        id: &SealedId,
        from: &WrappedKey,
        to: &WrappedKey,
    ) -> Result<bool>;
    /// Who has a channel that is not disabled.
    async fn audiences(&self) -> Result<Vec<Audience>>;
    /// What is remembered of subjects, in their order, after one of them.
    async fn notice_states(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredState>>;
    /// Stores what is remembered from now on, together with the notice that tells it: both or none. False:
    /// somebody else was faster, or nobody is there to be told, and nothing was stored. A state in which
    /// nothing is remembered is removed.
    async fn queue(&self, states: &[StoredState], notice: Option<(&Audience, &Notice)>) -> Result<bool>;
    /// Takes notices to send, each for a while: nobody else gets them meanwhile.
    async fn claim_notices(&self, limit: u32, hold: Duration) -> Result<Vec<ClaimedNotice>>;
    /// Stores what came of a try, unless another one has begun since.
    async fn note_sent(&self, claimed: &ClaimedNotice, sent: &Sent, answer: &str) -> Result<()>;
    /// The newest notices, newest first.
    async fn notices(&self, account: Option<&AccountId>, limit: u32) -> Result<Vec<NoticeRow>>;
    /// Removes notices that were queued before an instant.
    async fn forget_notices(&self, before: Timestamp) -> Result<()>;
    /// Takes the turn to do something for all workers, for a while. False: another one has it.
    async fn take_turn(&self, name: &str, hold: Duration) -> Result<bool>;
}
