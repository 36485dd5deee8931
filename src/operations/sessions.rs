//! Sessions of browsers: begun at a provider or with a token, found at each request, ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256 as Hasher};
use zeroize::Zeroizing;

use super::admin::{Admin, AdminError};
use super::tokens::Holder;
use crate::ledger::Sha256;
use crate::oidc::Person;
use crate::secrets::keys::random;
use auditferry_core::model::access::{Grant, Reach, Role};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{ActorKind, By};
use auditferry_core::model::session::{Lifetime, Session};
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::text::hex::hex;
use std::collections::BTreeSet;

/// Random bytes of what a browser holds.
const SECRET_BYTES: usize = 32;

/// How long a log-in at a provider may take.
pub const SIGN_IN_TIME: SignedDuration = SignedDuration::from_mins(10);

/// How often it is stored that a session is used.
const USE_NOTED: SignedDuration = SignedDuration::from_secs(60);

/// What a browser holds, in a cookie: 256 random bits, of which the ledger knows the hash alone.
pub struct Held(Zeroizing<String>);

impl Held {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new() -> Result<Self, AdminError> {
        let bytes = Zeroizing::new(random::<SECRET_BYTES>()?);
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(&bytes[..]))))
    }

    /// What came in a cookie; none: nothing of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new)?;
        (bytes.len() == SECRET_BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// As it stands in a cookie.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> Sha256 {
        Hasher::digest(self.0.as_bytes()).into()
    }

    /// A text that only who holds this has, one for each purpose: so that nothing of it has to be stored.
    fn derived(&self, purpose: &str) -> Zeroizing<String> {
        let Ok(mut mac) = Hmac::<Hasher>::new_from_slice(self.0.as_bytes()) else {
            return Zeroizing::default();
        };
        mac.update(purpose.as_bytes());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// What a log-in's answer must come with.
    #[must_use]
    pub fn state(&self) -> Zeroizing<String> {
        self.derived("state")
    }

    /// What the ID token of a log-in must hold.
    #[must_use]
    pub fn nonce(&self) -> Zeroizing<String> {
        self.derived("nonce")
    }

    /// What proves that who redeems the code of a log-in has asked for it.
    #[must_use]
    pub fn verifier(&self) -> Zeroizing<String> {
        self.derived("verifier")
    }

    /// What a page of ours sends with a change, and no other page can know.
    #[must_use]
    pub fn csrf(&self) -> Zeroizing<String> {
        self.derived("csrf")
    }
}

/// A session that has begun.
pub struct Begun {
    /// What the browser gets.
    pub held: Held,
    /// What is known of it.
    pub session: Session,
}

impl Admin {
    /// A log-in at a provider begins.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn begin_sign_in(&self, return_to: &str) -> Result<Held, AdminError> {
        let held = Held::new()?;
        let now = self.clock.now();
        let ends_at = now.saturating_add(SIGN_IN_TIME).unwrap_or(now);
        self.ledger.begin_sign_in(&held.hash(), return_to, ends_at).await?;
        Ok(held)
    }

    /// A log-in comes back: once. Where the browser goes; none: there is no such log-in, or its time is over.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn take_sign_in(&self, held: &Held) -> Result<Option<String>, AdminError> {
        Ok(self.ledger.take_sign_in(&held.hash(), self.clock.now()).await?)
    }

    /// Begins the session of somebody who has logged in at a provider.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn begin_session(&self, person: Person, lifetime: Lifetime) -> Result<Begun, AdminError> {
        let Person { id, name, grant } = person;
        let Grant { role, reach } = grant;
        let accounts = match reach {
            Reach::All => None,
            Reach::Only(accounts) => Some(accounts),
        };
        self.begin((ActorKind::OidcSubject, id, name), role, accounts, None, lifetime).await
    }

    /// Begins the session of somebody who has a token of the API. It ends when the token does.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn begin_session_of_token(
        &self,
        holder: Holder,
        lifetime: Lifetime,
    ) -> Result<Begun, AdminError> {
        let token = holder.token;
        let name = format!("{} (token {})", token.name, token.id);
        let who = (ActorKind::ApiToken, token.id.clone(), name);
        self.begin(who, token.role, token.accounts, Some(token.id), lifetime).await
    }

    async fn begin(
        &self,
        (actor_kind, actor_id, name): (ActorKind, String, String),
        role: Role,
        accounts: Option<BTreeSet<AccountId>>,
        token_id: Option<String>,
        lifetime: Lifetime,
    ) -> Result<Begun, AdminError> {
        let held = Held::new()?;
        let now = self.clock.now();
        let ends_at = lifetime.end(now);
        let session = Session {
            id: hex(&random::<8>()?),
            actor_kind,
            actor_id,
            name,
            role,
            accounts,
            token_id,
            created_at: now,
            last_used_at: now,
            idle_ends_at: lifetime.idle_end(now, ends_at),
            ends_at,
            revoked_at: None,
        };
        self.ledger.add_session(&session, &held.hash()).await?;
        Ok(Begun { held, session })
    }

    /// Whose session it is and what it opens; none: nobody's, or not any more. It is read from the ledger each time, so
    /// that one that is ended ends at once.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn session(
        &self,
        held: &Held,
        lifetime: Lifetime,
    ) -> Result<Option<(Session, Grant)>, AdminError> {
        let Some(mut session) = self.ledger.session_of(&held.hash()).await? else { return Ok(None) };
        let now = self.clock.now();
        let Some(grant) = session.grant(now) else { return Ok(None) };
        if now.duration_since(session.last_used_at) >= USE_NOTED.min(lifetime.idle / 4) {
            session.idle_ends_at = lifetime.idle_end(now, session.ends_at);
            self.ledger.note_session_used(&session.id, now, session.idle_ends_at).await?;
        }
        Ok(Some((session, grant)))
    }

    /// All sessions that are kept, also those that have ended, the newest first.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn sessions(&self) -> Result<Vec<Session>, AdminError> {
        Ok(self.ledger.sessions().await?)
    }

    /// Ends a session: from the next request on it opens nothing.
    ///
    /// # Errors
    /// When there is no such session, or the ledger fails.
    pub async fn revoke_session(&self, by: &By, id: &str) -> Result<Session, AdminError> {
        self.ledger.revoke_session(by, id, self.clock.now()).await?.ok_or_else(|| {
            Refusal::field("session", RefusalCode::NoSuchSession, format!("there is none with the id {id:?}"))
                .fix("sessions that have ended are forgotten after a day")
                .into()
        })
    }
}
