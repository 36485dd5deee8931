//! The portal's links and sessions: made by the vendor's backend or by support, opened once, read at each request.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::admin::{Admin, AdminError};
use super::sessions::Held;
use crate::secrets::keys::random;
use crate::settings::{ApiSettings, PortalSettings};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::notification::Language;
use auditferry_core::model::portal::{
    Capability, LONGEST_SESSION, LinkKind, LinkMaker, Origin, PortalActor, PortalSession, PortalState,
    SESSION, SHORTEST_SESSION, Theme, return_url,
};
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::text::hex::hex;

/// Where a link leads, below the origin.
const ENTER: &str = "/portal/enter";

/// Where the portal is, and where its people may go.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// Where browsers reach it; none: nowhere.
    origin: Option<Url>,
    return_urls: Vec<Origin>,
    frame_ancestors: Vec<Origin>,
    contact: Option<String>,
}

impl Entrance {
    /// By the settings.
    #[must_use]
    pub fn new(api: &ApiSettings, portal: &PortalSettings) -> Self {
        Self {
            origin: api.origin(),
            return_urls: portal.return_urls(),
            frame_ancestors: portal.frame_ancestors(),
            contact: Some(portal.contact.trim().to_owned()).filter(|contact| !contact.is_empty()),
        }
    }

    /// The sites that may show the portal in a frame.
    #[must_use]
    pub fn frame_ancestors(&self) -> &[Origin] {
        &self.frame_ancestors
    }

    /// Whom people of the portal ask; none: it is not said.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        self.contact.as_deref()
    }

    /// The link of a token. It stands in the fragment: browsers send that to nobody.
    fn link(&self, token: &Held) -> Result<Zeroizing<String>, Refusal> {
        let origin = self.origin.as_ref().ok_or_else(|| {
            Refusal::new(RefusalCode::NoPortal, "it is not known where browsers reach the portal")
                .fix("set api.public_url, such as https://exports.example.com")
        })?;
        let origin = origin.origin().ascii_serialization();
        Ok(Zeroizing::new(format!("{origin}{ENTER}#{}", token.expose())))
    }
}

/// What a link is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewPortalSession)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// What may be done with it; at least one.
    #[schema(min_items = 1)]
    pub capabilities: BTreeSet<Capability>,
    /// Whose it is.
    pub actor: PortalActor,
    /// Where the person goes back to: a URL of one of the sites in the setting portal.return_urls.
    #[serde(default)]
    pub return_url: Option<String>,
    /// The language of the pages: `en` unless it is said.
    #[serde(default)]
    pub locale: Language,
    /// How they look: `system` unless it is said.
    #[serde(default)]
    pub theme: Theme,
    /// How the link comes to the person: `now` waits for five minutes, `mail` for 72 hours.
    #[serde(default)]
    pub link: LinkKind,
    /// For how many seconds the session lasts once the link is opened: 300 to 86400, by default 3600.
    #[serde(default)]
    #[schema(minimum = 300, maximum = 86400)]
    pub session_seconds: Option<u32>,
}

/// A link that was made: the only time that it is shown.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CreatedPortalSession)]
pub struct CreatedLink {
    /// The link, which opens the portal once; absent when this answer is repeated.
    #[schema(value_type = Option<String>)]
    pub url: Option<Zeroizing<String>>,
    /// What is known of it.
    #[serde(flatten)]
    pub session: PortalSession,
}

/// What came of a link.
pub enum Entry {
    /// It has opened this session.
    Open(Box<Visit>),
    /// It cannot be opened: how its session is, if there is one.
    Shut(Option<PortalState>),
}

/// Somebody in the portal.
pub struct Visit {
    /// What the browser holds.
    pub held: Held,
    /// What is known of the session.
    pub session: PortalSession,
}

fn checked(new: &NewLink, entrance: &Entrance) -> Result<(PortalActor, Option<String>, u32), Refusal> {
    let invalid = |field, problem: String| Refusal::field(field, RefusalCode::InvalidValue, problem);
    if new.capabilities.is_empty() {
        let words: Vec<&str> = Capability::ALL.iter().map(|capability| capability.as_str()).collect();
        return Err(invalid("capabilities", "it is empty, so the link would open nothing".to_owned())
            .fix(format!("name at least one of {}", words.join(", "))));
    }
    let actor = new.actor.checked().map_err(|(field, problem)| invalid(field, problem))?;
    let back = new.return_url.as_deref().map(|text| return_url(text, &entrance.return_urls)).transpose();
    let back = back.map_err(|problem| {
        invalid("return_url", problem)
            .fix("give a URL of a site that portal.return_urls names, or leave it out")
    })?;
    let seconds = new.session_seconds.map_or(SESSION.as_secs(), i64::from);
    if !(SHORTEST_SESSION.as_secs()..=LONGEST_SESSION.as_secs()).contains(&seconds) {
        return Err(invalid("session_seconds", format!("{seconds} is no length of a session"))
            .fix("give 300 to 86400, or leave it out for an hour"));
    }
    Ok((actor, back, u32::try_from(seconds).unwrap_or(u32::MAX)))
}

impl Admin {
    /// Makes a link to the portal of one account.
    ///
    /// # Errors
    /// When a value cannot be right, there is no such account, nobody could open it, or the ledger fails.
    pub async fn create_portal_link(
        &self,
        by: &By,
        entrance: &Entrance,
        account: &AccountId,
        new: &NewLink,
    ) -> Result<CreatedLink, AdminError> {
        let (actor, return_url, seconds) = checked(new, entrance)?;
        let token = Held::new()?;
        let url = entrance.link(&token)?;
        let now = self.clock.now();
        let session = PortalSession {
            id: hex(&random::<8>()?),
            account: account.clone(),
            capabilities: new.capabilities.clone(),
            actor,
            return_url,
            locale: new.locale,
            theme: new.theme,
            link: new.link,
            made_by: LinkMaker::of(&by.actor),
            created_at: now,
            link_ends_at: now.saturating_add(new.link.waits()).unwrap_or(now),
            seconds,
            opened_at: None,
            ends_at: None,
            revoked_at: None,
        };
        self.ledger.add_portal_link(by, &session, &token.hash()).await?;
        Ok(CreatedLink { url: Some(url), session })
    }

    /// The session of a link that waits, without using it up. None: it cannot be opened.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn waiting_portal_link(&self, token: &Held) -> Result<Option<PortalSession>, AdminError> {
        let found = self.ledger.portal_link(&token.hash()).await?;
        Ok(found.filter(|session| session.state(self.clock.now()) == PortalState::Waiting))
    }

    /// Opens a session with its link: once.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn open_portal_session(&self, token: &Held) -> Result<Entry, AdminError> {
        let held = Held::new()?;
        let now = self.clock.now();
        if let Some(session) = self.ledger.open_portal_session(&token.hash(), &held.hash(), now).await? {
            return Ok(Entry::Open(Box::new(Visit { held, session })));
        }
        let shut = self.ledger.portal_link(&token.hash()).await?;
        Ok(Entry::Shut(shut.map(|session| session.state(now))))
    }

    /// The open session of what a browser holds; none: nobody's, or not any more. It is read from the ledger each time,
    /// so that one that is revoked ends at once.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn portal_session(&self, held: &Held) -> Result<Option<PortalSession>, AdminError> {
        let found = self.ledger.portal_session_of(&held.hash()).await?;
        Ok(found.filter(|session| session.state(self.clock.now()) == PortalState::Open))
    }

    /// Logs a person out.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn end_portal_session(&self, session: &PortalSession) -> Result<(), AdminError> {
        Ok(self.ledger.end_portal_session(&session.id, self.clock.now()).await?)
    }

    /// The links and sessions of an account that are kept, the newest first, also those that ended in the last day.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn portal_sessions(
        &self,
        account: &AccountId,
        limit: u32,
    ) -> Result<Vec<PortalSession>, AdminError> {
        self.ledger.revision(account).await?;
        Ok(self.ledger.portal_sessions(account, limit).await?)
    }

    /// Revokes a link or a session: from the next request on it opens nothing.
    ///
    /// # Errors
    /// When the account has no such session, or the ledger fails.
    pub async fn revoke_portal_session(
        &self,
        by: &By,
        account: &AccountId,
        id: &str,
    ) -> Result<PortalSession, AdminError> {
        self.ledger.revoke_portal_session(by, account, id, self.clock.now()).await?.ok_or_else(|| {
            let problem = format!("account {account} has none of the portal with the id {id:?}");
            Refusal::field("session", RefusalCode::NoSuchSession, problem)
                .fix("`auditferry portal ls ACCOUNT` shows all; those that have ended are forgotten after a day")
                .into()
        })
    }
}
