//! The portal: what a customer's admin may do there, how they get in, and for how long.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::account::AccountId;
use crate::model::actor::{Actor, ActorKind, Channel, words};
use crate::model::notification::Language;

/// How long a link waits that is opened at once.
pub const LINK: SignedDuration = SignedDuration::from_mins(5);

/// How long a link waits that goes by mail.
pub const MAIL_LINK: SignedDuration = SignedDuration::from_hours(72);

/// How long a session lasts that says nothing else, and at most.
pub const SESSION: SignedDuration = SignedDuration::from_hours(1);
/// The longest session.
pub const LONGEST_SESSION: SignedDuration = SignedDuration::from_hours(24);
/// The shortest session.
pub const SHORTEST_SESSION: SignedDuration = SignedDuration::from_mins(5);

/// Longest URL to which a person goes back.
const MAX_URL: usize = 1_000;

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$of:meta])* $variant:ident $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum $type { $($(#[$of])* #[serde(rename = $word)] $variant,)+ }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word under which it is known.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one of a word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// What somebody may do in the portal.
    Capability {
        /// See the records.
        RecordsRead "records:read",
        /// Download records.
        RecordsDownload "records:download",
        /// See how the export is.
        ExportRead "export:read",
        /// Set, replace and prove its destination.
        ExportManage "export:manage",
    }
}

named! {
    /// How the pages look.
    #[derive(Default)]
    Theme {
        /// Dark on light.
        Light "light",
        /// Light on dark.
        Dark "dark",
        /// As the person's system says.
        #[default]
        System "system",
    }
}

named! {
    /// How a link comes to the person.
    #[derive(Default)]
    LinkKind {
        /// It is opened at once: it waits for five minutes.
        #[default]
        Now "now",
        /// It goes by mail: it waits for 72 hours.
        Mail "mail",
    }
}

impl LinkKind {
    /// How long it waits.
    #[must_use]
    pub fn waits(self) -> SignedDuration {
        match self {
            Self::Now => LINK,
            Self::Mail => MAIL_LINK,
        }
    }
}

/// A person as the vendor knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PortalActor)]
#[serde(deny_unknown_fields)]
pub struct PortalActor {
    /// What tells them from all others of the account.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub id: String,
    /// Their address, which stands on every page and in the change log.
    #[schema(min_length = 3, max_length = 320)]
    pub email: String,
}

impl PortalActor {
    /// The same without blanks around it.
    ///
    /// # Errors
    /// The field, and what is wrong with it.
    pub fn checked(&self) -> Result<Self, (&'static str, String)> {
        let id = words(&self.id).map_err(|problem| ("actor.id", problem))?;
        let email = words(&self.email).map_err(|problem| ("actor.email", problem))?;
        let has_form = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !has_form || email.contains(char::is_whitespace) || email.len() > 320 {
            let problem = "it is no address; write it like jana.keller@acme.example".to_owned();
            return Err(("actor.email", problem));
        }
        Ok(Self { id, email })
    }

    /// Who makes a change, for the change log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::PortalUser,
            id: self.id.clone(),
            name: self.email.clone(),
            channel: Channel::Portal,
        }
    }
}

/// Who has made a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LinkMaker {
    /// What kind of identity it is.
    pub kind: ActorKind,
    /// Which one.
    pub id: String,
    /// What it is called.
    pub name: String,
}

impl LinkMaker {
    /// By the one who asks.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        Self { kind: actor.kind, id: actor.id.clone(), name: actor.name.clone() }
    }
}

/// How a session of the portal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PortalSessionState)]
#[serde(rename_all = "snake_case")]
pub enum PortalState {
    /// Its link waits to be opened.
    Waiting,
    /// Nobody has opened its link in time.
    Expired,
    /// It is open.
    Open,
    /// Its time is over, or the person has logged out.
    Ended,
    /// Somebody has revoked it.
    Revoked,
}

impl PortalState {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Expired => "expired",
            Self::Open => "open",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }
}

/// A session of the portal, from its link to its end, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PortalSession {
    /// Its id, which is no secret.
    pub id: String,
    /// The one account of which it is.
    pub account: AccountId,
    /// What may be done in it.
    pub capabilities: BTreeSet<Capability>,
    /// Whose it is.
    pub actor: PortalActor,
    /// Where the person goes back to.
    pub return_url: Option<String>,
    /// The language of its pages.
    pub locale: Language,
    /// How its pages look.
    pub theme: Theme,
    /// How its link comes to the person.
    pub link: LinkKind,
    /// Who has made it.
    pub made_by: LinkMaker,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when its link can be opened.
    pub link_ends_at: Timestamp,
    /// For how many seconds it lasts once its link is opened.
    pub seconds: u32,
    /// When its link was opened.
    pub opened_at: Option<Timestamp>,
    /// When it ends; absent: its link is not opened.
    pub ends_at: Option<Timestamp>,
    /// When somebody has ended it.
    pub revoked_at: Option<Timestamp>,
}

impl PortalSession {
    /// How it is at an instant.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> PortalState {
        match (self.revoked_at, self.ends_at) {
            (Some(_), _) => PortalState::Revoked,
            (None, Some(end)) if now < end => PortalState::Open,
            (None, Some(_)) => PortalState::Ended,
            (None, None) if now < self.link_ends_at => PortalState::Waiting,
            (None, None) => PortalState::Expired,
        }
    }

    /// Whether something may be done in it.
    #[must_use]
    pub fn may(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// A site, `https://host` or `https://host:port`, as browsers compare them. Without TLS only on this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = "write scheme, host and port alone, such as https://app.vendor.example";
        let url = secure(text).map_err(|problem| format!("{text:?}: {problem}; {form}"))?;
        if text.contains('*') {
            return Err(format!("{text:?}: a site is named exactly, without *; {form}"));
        }
        let origin = url.origin().ascii_serialization();
        // As it is typed, it is compared: another way to write the same would never match.
        if text != origin {
            return Err(format!("{text:?} is no origin as browsers send it; write {origin}"));
        }
        Ok(Self(origin))
    }

    /// As browsers send it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A URL with TLS, or on this machine, without credentials.
fn secure(text: &str) -> Result<Url, String> {
    if text.len() > MAX_URL {
        return Err(format!("it has more than {MAX_URL} characters"));
    }
    let url = Url::parse(text).map_err(|_| "it is no URL".to_owned())?;
    let here = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && here) {
        return Err("it has no https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a name or a password".to_owned());
    }
    Ok(url)
}

/// Where a person may be sent back to: one of the sites that the operator allows.
///
/// # Errors
/// What is wrong with it.
pub fn return_url(text: &str, allowed: &[Origin]) -> Result<String, String> {
    let url = secure(text)?;
    let origin = url.origin().ascii_serialization();
    if allowed.iter().any(|allowed| allowed.as_str() == origin) {
        return Ok(url.to_string());
    }
    Err(format!("the site {origin} is not in the setting portal.return_urls"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("instant")
    }

    #[test]
    fn a_session_goes_from_its_link_to_its_end() {
        let waiting = PortalSession {
            id: "p".to_owned(),
            account: "acme".parse().expect("id"),
            capabilities: [Capability::ExportRead].into(),
            actor: PortalActor { id: "u1".to_owned(), email: "jana@acme.example".to_owned() },
            return_url: None,
            locale: Language::En,
            theme: Theme::System,
            link: LinkKind::Now,
            made_by: LinkMaker { kind: ActorKind::ApiToken, id: "t".to_owned(), name: "backend".to_owned() },
            created_at: at(0),
            link_ends_at: at(300),
            seconds: 3600,
            opened_at: None,
            ends_at: None,
            revoked_at: None,
        };
        assert_eq!(
            (waiting.state(at(299)), waiting.state(at(300))),
            (PortalState::Waiting, PortalState::Expired)
        );
        let open = PortalSession { opened_at: Some(at(10)), ends_at: Some(at(3610)), ..waiting.clone() };
        assert_eq!((open.state(at(3609)), open.state(at(3610))), (PortalState::Open, PortalState::Ended));
        for session in [waiting, open.clone()] {
            let revoked = PortalSession { revoked_at: Some(at(11)), ..session };
            assert_eq!(revoked.state(at(12)), PortalState::Revoked);
        }
        assert!(open.may(Capability::ExportRead) && !open.may(Capability::ExportManage));
    }

    #[test]
    fn capabilities_are_a_closed_set_of_words() {
        for capability in Capability::ALL {
            assert_eq!(Capability::parse(capability.as_str()), Some(*capability));
            let json = serde_json::to_string(capability).expect("JSON");
            assert_eq!(json, format!("\"{capability}\""));
        }
        assert!(Capability::parse("export:*").is_none());
        assert!(serde_json::from_str::<Capability>("\"records\"").is_err());
    }

    #[test]
    fn a_person_goes_back_to_an_allowed_site_only() {
        let allowed = [Origin::parse("https://app.vendor.example").expect("origin")];
        for good in ["https://app.vendor.example", "https://app.vendor.example/settings?tab=2#x"] {
            assert!(return_url(good, &allowed).is_ok(), "{good}");
        }
        for bad in [
            "https://evil.example/",
            "https://app.vendor.example.evil.example/",
            "https://app.vendor.example:8443/",
            "http://app.vendor.example/",
            "https://app.vendor.example@evil.example/",
            "https://u:p@app.vendor.example/",
            "javascript:alert(1)",
            "//app.vendor.example",
            "/settings",
            "",
        ] {
            assert!(return_url(bad, &allowed).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for good in ["https://app.vendor.example", "https://app.vendor.example:8443", "http://127.0.0.1:8080"]
        {
            assert_eq!(Origin::parse(good).expect("origin").as_str(), good);
        }
        for bad in [
            "https://app.vendor.example/",
            "https://App.vendor.example",
            "https://*.vendor.example",
            "https://app.vendor.example:443",
            "app.vendor.example",
            "http://app.vendor.example",
            "*",
            "https://a.example; script-src *",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_actor_has_an_id_and_an_address() {
        let actor = |id: &str, email: &str| PortalActor { id: id.to_owned(), email: email.to_owned() };
        let checked = actor(" u1 ", " jana@acme.example ").checked().expect("actor");
        assert_eq!(checked, actor("u1", "jana@acme.example"));
        for (id, email, field) in [
            ("", "a@b", "actor.id"),
            ("u", "", "actor.email"),
            ("u", "a b@c", "actor.email"),
            ("u", "x", "actor.email"),
        ] {
            assert_eq!(actor(id, email).checked().expect_err("refused").0, field);
        }
    }
}
