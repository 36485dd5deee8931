//! Downloads of records: asked for, listed, fetched and deleted by an account's own people. They are made in the
//! background, see [`maker`].

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use self::shelf::{Opened, Shelf};
use super::admin::{Admin, AdminError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::words;
use auditferry_core::model::download::{
    Download, DownloadState, MAX_NAME_CHARS, MOST_UNFINISHED, MailWish, NewDownload, Wish,
};
use auditferry_core::refusal::{Refusal, RefusalCode};

pub mod bucket;
pub mod folder;
pub mod mails;
pub mod maker;
pub mod shelf;

/// Most downloads that are listed.
const LISTED: u32 = 200;

/// How long a download is listed after it was asked for.
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Where people ask for downloads.
#[derive(Clone)]
pub struct DownloadDesk {
    /// Where their files are.
    pub shelf: Shelf,
    /// How long a file is kept.
    pub keep: SignedDuration,
}

/// A file that is fetched.
pub struct Fetched {
    /// The download.
    pub download: Download,
    /// Its file.
    pub opened: Opened,
}

impl DownloadDesk {
    /// Asks for a download. `mail`: who is told when it has ended.
    ///
    /// # Errors
    /// When the name cannot be one, the zone is not known, as many wait as may, or the ledger fails.
    pub async fn ask(
        &self,
        admin: &Admin,
        account: &AccountId,
        asked_by: &str,
        (name, wish): (&str, Wish),
        mail: Option<MailWish>,
    ) -> Result<String, AdminError> {
        let name =
            words(name).map_err(|problem| Refusal::field("name", RefusalCode::InvalidValue, problem))?;
        if name.chars().count() > MAX_NAME_CHARS {
            let problem = format!("it has more than {MAX_NAME_CHARS} characters");
            return Err(Refusal::field("name", RefusalCode::InvalidValue, problem).fix("shorten it").into());
        }
        admin.zones.find(&wish.zone)?;
        let id = format!("d{}", Uuid::new_v4().simple());
        let new = NewDownload {
            id: id.clone(),
            account: account.clone(),
            name,
            wish,
            asked_by: asked_by.to_owned(),
            mail,
        };
        if admin.ledger.add_download(&new, MOST_UNFINISHED).await? {
            return Ok(id);
        }
        let problem = format!("{MOST_UNFINISHED} downloads of it wait or are made already");
        Err(Refusal::account(account, RefusalCode::UnderWay, problem)
            .fix("wait until one has ended, or delete one that waits")
            .into())
    }

    /// The downloads of an account, the newest first.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn list(&self, admin: &Admin, account: &AccountId) -> Result<Vec<Download>, AdminError> {
        Ok(admin.ledger.downloads(account, LISTED).await?)
    }

    /// Asks for what another download was for: with what has come since. None: there is no such download.
    ///
    /// # Errors
    /// As [`DownloadDesk::ask`].
    pub async fn again(
        &self,
        admin: &Admin,
        account: &AccountId,
        asked_by: &str,
        id: &str,
    ) -> Result<Option<String>, AdminError> {
        match admin.ledger.download(account, id).await? {
            Some(before) => {
                let wish = before.new.wish;
                Ok(Some(self.ask(admin, account, asked_by, (&before.new.name, wish), None).await?))
            }
            None => Ok(None),
        }
    }

    /// Opens the file of a download to be fetched; none: there is no such download of the account, or no file of it.
    ///
    /// # Errors
    /// When the ledger or the store fails.
    pub async fn open(
        &self,
        admin: &Admin,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<Fetched>, AdminError> {
        let Some(download) = admin.ledger.download(account, id).await? else { return Ok(None) };
        let now = admin.clock.now();
        let there =
            download.state == DownloadState::Completed && download.kept_until.is_some_and(|end| now < end);
        let Some(made) = download.made.as_ref().filter(|_| there) else { return Ok(None) };
        match self.shelf.open(made).await {
            Ok(opened) => Ok(Some(Fetched { opened, download })),
            Err(problem) => {
                tracing::error!(file = made.file, problem, "the file of a download cannot be read");
                Err(Refusal::account(
                    account,
                    RefusalCode::NothingDelivered,
                    "the file of this download is not there",
                )
                .fix("ask for the same download again")
                .into())
            }
        }
    }

    /// Deletes a download of an account, in whatever state it is; false: there is none. Its file is removed shortly
    /// after, and what makes it stops.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn delete(&self, admin: &Admin, account: &AccountId, id: &str) -> Result<bool, AdminError> {
        Ok(admin.ledger.delete_download(account, id).await?)
    }
}

/// Before which instant downloads are forgotten.
fn forgotten_before(now: Timestamp) -> Timestamp {
    now.checked_sub(LISTED_FOR).unwrap_or(Timestamp::MIN)
}
