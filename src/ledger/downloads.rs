//! Downloads, as the ledger keeps them. Each is made by one process at a time: whoever has begun it last.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::Result;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::Bound;
use auditferry_core::model::download::{Download, DownloadProblem, MadeFile, MailState, NewDownload};

/// How often a process says that it still makes a download.
pub const DOWNLOAD_SIGN_EVERY: Duration = Duration::from_secs(2);

/// One that was not heard of for longer is begun again by another.
pub const DOWNLOAD_ALIVE_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// A download that this process makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Making {
    /// The download.
    pub download: Download,
    /// Which attempt it is.
    pub tries: u32,
}

/// How long whoever sends a mail has for it, before another sends it.
pub const DOWNLOAD_MAIL_LEASE: SignedDuration = SignedDuration::from_mins(5);

/// A mail that this process sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueMail {
    /// The download.
    pub download: Download,
    /// Which try it is.
    pub tries: u32,
    /// Whether the session in which it was asked for may still be told: it is known, and nobody has revoked it.
    pub may: bool,
}

/// What downloads ask for.
#[async_trait]
pub trait Downloads: Send + Sync {
    /// Stores a download that is asked for; false: as many of the account wait already as may.
    async fn add_download(&self, new: &NewDownload, most: u32) -> Result<bool>;
    /// The downloads of an account, the newest first.
    async fn downloads(&self, account: &AccountId, limit: u32) -> Result<Vec<Download>>;
    /// A download of an account.
    async fn download(&self, account: &AccountId, id: &str) -> Result<Option<Download>>;
    /// Begins the download that waits longest, or one whose process was not heard of; at most `per_account` of an account
    /// at once.
    async fn begin_download(&self, per_account: u32) -> Result<Option<Making>>;
    /// Stores what had been committed when it was begun first. False: another process has it now, or it is gone.
    async fn bind_download(&self, making: &Making, bound: &Bound) -> Result<bool>;
    /// Stores the name of a file before it is written, so that it is removed whatever happens. False as above.
    async fn name_download_file(&self, making: &Making, file: &str) -> Result<bool>;
    /// Stores a sign of life, and how much is made. False as above.
    async fn note_download(&self, making: &Making, records: u64, percent: u32) -> Result<bool>;
    /// Stores that its file is there. False as above.
    async fn complete_download(
        &self,
        making: &Making,
        records: u64,
        made: &MadeFile,
        keep: SignedDuration,
    ) -> Result<bool>;
    /// Gives it back, to be begun again at once.
    async fn return_download(&self, making: &Making) -> Result<()>;
    /// Stores that it cannot be made. False as above.
    async fn fail_download(&self, making: &Making, problem: DownloadProblem) -> Result<bool>;
    /// A mail that is due, taken for [`DOWNLOAD_MAIL_LEASE`].
    async fn take_download_mail(&self) -> Result<Option<DueMail>>;
    /// Stores what came of a mail. `Wanted`: it is sent again `after` that time.
    async fn end_download_mail(&self, mail: &DueMail, state: MailState, after: SignedDuration) -> Result<()>;
    /// Removes a download of an account; whether it was there.
    async fn delete_download(&self, account: &AccountId, id: &str) -> Result<bool>;
    /// Stores of those whose time is over that they have expired, and forgets those that were asked for before.
    async fn expire_downloads(&self, before: Timestamp) -> Result<()>;
    /// Files that belong to no download any more, at most `limit`.
    async fn loose_files(&self, limit: u32) -> Result<Vec<String>>;
    /// Forgets a file that was removed.
    async fn forget_file(&self, file: &str) -> Result<()>;
}
