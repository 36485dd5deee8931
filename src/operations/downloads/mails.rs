//! Tells people by mail that their downloads have ended, with a link that opens the list once.
//!
//! The link is made at each try and is in the mail alone. A process that ends between the mail server's answer and the
//! ledger's sends the mail a second time, with another link and the same message id.

use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::ledger::DueMail;
use crate::notifications::letter::{DownloadNews, Letter};
use crate::notifications::sender::Sender;
use crate::operations::admin::{Admin, AdminError};
use crate::operations::portal::{Entrance, NewLink};
use crate::secrets::Secret;
use auditferry_core::model::actor::{Actor, ActorKind, By, Channel};
use auditferry_core::model::download::{DownloadState, MailState, mail_wait};
use auditferry_core::model::portal::{Capability, LinkKind};

/// How often the ledger is asked for a mail that is due.
const EVERY: Duration = Duration::from_secs(2);

/// Sends the mails about downloads.
#[derive(Clone)]
pub struct DownloadMailer {
    admin: Admin,
    sender: Sender,
    entrance: Entrance,
}

impl DownloadMailer {
    /// Where there is no mail server, it sends nothing.
    #[must_use]
    pub fn new(admin: &Admin, sender: &Sender, entrance: &Entrance) -> Self {
        Self { admin: admin.clone(), sender: sender.clone(), entrance: entrance.clone() }
    }

    /// Works until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        if self.sender.email().host.is_empty() {
            return;
        }
        while !stop.is_cancelled() {
            let sent = self.send_one().await.unwrap_or_else(|error| {
                tracing::warn!(error = %error, "mails about downloads are not sent");
                false
            });
            if !sent {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        }
    }

    /// Sends one that is due; false: there is none.
    async fn send_one(&self) -> Result<bool, AdminError> {
        let Some(due) = self.admin.ledger.take_download_mail().await? else { return Ok(false) };
        let (state, after) = match self.letter(&due).await? {
            Some((to, letter)) => self.sent(&due, &to, letter).await,
            None => (MailState::Failed, SignedDuration::ZERO),
        };
        self.admin.ledger.end_download_mail(&due, state, after).await?;
        Ok(true)
    }

    /// Sends a mail: how it is then, and after what time it is sent again.
    async fn sent(&self, due: &DueMail, to: &str, letter: Letter) -> (MailState, SignedDuration) {
        let id = &due.download.new.id;
        let problem = match self.sender.mail(to, id, letter).await {
            Ok(answer) => {
                tracing::info!(download = id, answer, "a mail says that a download has ended");
                return (MailState::Sent, SignedDuration::ZERO);
            }
            Err(error) => error.problem().to_owned(),
        };
        match mail_wait(due.tries) {
            Some(wait) => {
                tracing::warn!(download = id, problem, "a mail about a download is sent again later");
                (MailState::Wanted, wait)
            }
            None => {
                tracing::error!(download = id, problem, "a mail about a download is given up");
                (MailState::Failed, SignedDuration::ZERO)
            }
        }
    }

    /// To whom, and the mail with a new link; none: there is nobody to be told, or the portal can be opened by nobody.
    async fn letter(&self, due: &DueMail) -> Result<Option<(String, Letter)>, AdminError> {
        let new = &due.download.new;
        // Whoever was locked out gets no new link, and of a file that is gone nobody is told.
        let told = due.may && due.download.state != DownloadState::Expired;
        let Some(wish) = new.mail.as_ref().filter(|_| told) else { return Ok(None) };
        let actor = Actor {
            kind: ActorKind::PortalUser,
            id: wish.actor.id.clone(),
            name: wish.actor.email.clone(),
            channel: Channel::Portal,
        };
        let by = By { reason: Some(format!("download {} has ended", new.id)), ..By::actor(actor) };
        let link = NewLink {
            capabilities: [Capability::RecordsDownload].into(),
            actor: wish.actor.clone(),
            return_url: None,
            locale: wish.language,
            theme: wish.theme,
            link: LinkKind::Mail,
            session_seconds: None,
        };
        let made = match self.admin.create_portal_link(&by, &self.entrance, &new.account, &link).await {
            Ok(made) => made,
            Err(AdminError::Refused(refusal)) => {
                tracing::error!(download = new.id, problem = %refusal, "a mail about a download has no link");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Some(url) = made.url else { return Ok(None) };
        let zone = self.admin.zones.find(&new.wish.zone)?;
        let kept = due.download.kept_until.filter(|_| due.download.state == DownloadState::Completed);
        let news = DownloadNews {
            name: &new.name,
            account: &new.account,
            made: kept.map(|end| (due.download.records, end)),
            link: (Secret::new(url.as_str().to_owned()), made.session.link_ends_at),
            zone: zone.rules().clone(),
        };
        Ok(Some((wish.actor.email.clone(), Letter::of_download(&news, wish.language))))
    }
}
