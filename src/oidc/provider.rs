//! A provider: what it says of itself, its keys, and the tokens that they have signed.
//!
//! Its keys are asked for when they are first needed, each `refresh`, and when a token names one that is not known.
//! Anybody can name such a key, so that only some of those requests reach the provider.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::answer::ask_ok;
use super::jws::Jws;
use super::keys::{KeySet, Unverified};
use crate::base::clock::Clock;
use crate::secrets::{self, Opened, Secret};
use crate::settings::OidcSettings;
use crate::settings::oidc::is_here;
use crate::store::Dialer;
use auditferry_core::model::access::Grant;
use auditferry_core::model::network::Network;
use auditferry_core::model::oidc::{Expected, Kind, Mapping, NoRole, check};

/// For how long the keys of a provider that does not answer are used: a night, in which nobody repairs it. A key that
/// it has withdrawn opens something for as long, if the provider is kept from us.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How often keys are asked for because of unknown ones: this many at once, then one in this time.
const ASKED_AT_ONCE: f64 = 4.0;
const ASKED_EACH: f64 = 30.0;

/// How long nothing is asked after a failure.
const PAUSE: SignedDuration = SignedDuration::from_secs(2);

/// Who a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Issuer and subject, which tell them from everybody else.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub grant: Grant,
}

/// Why a token opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is no token of this provider for us, or not in force. For our log only.
    #[error("{0}")]
    Invalid(String),
    /// It is, and its holder may do nothing.
    #[error(transparent)]
    NoRole(#[from] NoRole),
    /// The provider's keys are not known, and it does not give them.
    #[error("the provider does not answer")]
    Away,
}

impl From<&'static str> for Denied {
    fn from(problem: &'static str) -> Self {
        Self::Invalid(problem.to_owned())
    }
}

/// What a provider has said of itself.
pub(super) struct Known {
    pub(super) authorization: Option<Url>,
    pub(super) token: Option<Url>,
    pub(super) end_session: Option<Url>,
    /// Whether its answers to a log-in name it (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether the secret goes into the body, because it takes none in the header.
    pub(super) secret_in_body: bool,
    pub(super) keys: KeySet,
    asked_at: Timestamp,
}

/// How many more questions are allowed.
struct Budget {
    left: f64,
    at: Timestamp,
    failed_at: Option<Timestamp>,
}

/// Why the keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is time.
    Due,
    /// Somebody has named an unknown one.
    Unknown,
}

/// The provider of the settings.
#[derive(Clone)]
pub struct Provider(pub(super) Arc<Shared>);

pub(super) struct Shared {
    issuer: Url,
    audience: String,
    pub(super) client: String,
    pub(super) secret: Option<Secret>,
    pub(super) expected: Expected,
    pub(super) mapping: Mapping,
    refresh: SignedDuration,
    pub(super) http: reqwest::Client,
    network: Network,
    pub(super) clock: Arc<dyn Clock>,
    known: RwLock<Option<Arc<Known>>>,
    budget: Mutex<Budget>,
}

impl Provider {
    /// Where the provider is, as an origin: `scheme://host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.issuer.origin().ascii_serialization()
    }

    /// The provider of the settings; none: they name none. Nothing is asked yet.
    ///
    /// # Errors
    /// A sentence with the setting and the fix.
    pub fn new(
        settings: &OidcSettings,
        dialer: &Dialer,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, String> {
        if !settings.is_set() {
            return Ok(None);
        }
        let issuer = Url::parse(&settings.issuer).map_err(|error| format!("api.oidc.issuer: {error}"))?;
        let mapping = settings.mapping().ok_or("api.oidc.claim: it is no name of a claim")?;
        let secret =
            settings.client_secret.0.as_ref().map(|secret| secrets::resolve(secret, &Opened::default()));
        let secret = secret.transpose().map_err(|error| format!("api.oidc.client_secret: {error}"))?;
        let (http, network) = dialer.reaching(&issuer).map_err(|error| error.to_string())?;
        let now = clock.now();
        Ok(Some(Self(Arc::new(Shared {
            issuer,
            audience: settings.audience.clone(),
            client: settings.client_id.clone(),
            secret,
            expected: settings.expected(),
            mapping,
            refresh: SignedDuration::try_from(settings.refresh.0).unwrap_or(KEPT),
            http,
            network,
            clock,
            known: RwLock::default(),
            budget: Mutex::new(Budget { left: ASKED_AT_ONCE, at: now, failed_at: None }),
        }))))
    }

    /// Who an access token is.
    ///
    /// # Errors
    /// Why it opens nothing.
    pub async fn bearer(&self, token: &str) -> Result<Person, Denied> {
        if self.0.audience.is_empty() {
            return Err("no access tokens are taken: api.oidc.audience is empty".into());
        }
        self.person(token, Kind::Access { audience: &self.0.audience }).await
    }

    /// Who a token of either kind is.
    pub(super) async fn person(&self, token: &str, kind: Kind<'_>) -> Result<Person, Denied> {
        let Shared { expected, mapping, clock, .. } = &*self.0;
        let token = Jws::parse(token)?;
        // What is not of this provider must not make us ask it.
        if token.claims["iss"].as_str() != Some(&expected.issuer) {
            return Err("iss is not the configured issuer".into());
        }
        self.verify(&token).await?;
        let subject = check(&token.claims, expected, kind, clock.now())
            .map_err(|refused| Denied::Invalid(refused.to_string()))?;
        let grant = mapping.grant(&token.claims)?;
        let name = mapping.name(&token.claims, &subject);
        Ok(Person { id: format!("{}#{subject}", expected.issuer), name, grant })
    }

    async fn verify(&self, token: &Jws<'_>) -> Result<(), Denied> {
        let known = self.known().await.ok_or(Denied::Away)?;
        let unverified = match known.keys.verify(token) {
            Ok(()) => return Ok(()),
            Err(unverified) => unverified,
        };
        let again = match unverified {
            Unverified::UnknownKey => match self.ask(Some(known.asked_at), Why::Unknown).await {
                Some(newer) => newer.keys.verify(token),
                None => Err(unverified),
            },
            Unverified::Refused(_) => Err(unverified),
        };
        again.map_err(|unverified| match unverified {
            Unverified::UnknownKey => "the provider has no such key".into(),
            Unverified::Refused(why) => why.into(),
        })
    }

    fn kept(&self) -> Option<Arc<Known>> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known of the provider; asks it first, if nothing is.
    pub(super) async fn known(&self) -> Option<Arc<Known>> {
        let kept = self.kept();
        let age = |known: &Known| self.0.clock.now().duration_since(known.asked_at).abs();
        match kept {
            Some(known) if age(&known) < self.0.refresh => Some(known),
            // Nobody waits for what only has to be renewed.
            Some(known) if age(&known) < KEPT => {
                let provider = self.clone();
                let seen = known.asked_at;
                if self.0.budget.try_lock().is_ok() {
                    tokio::spawn(async move { provider.ask(Some(seen), Why::Due).await });
                }
                Some(known)
            }
            other => self.ask(other.map(|known| known.asked_at), Why::Due).await,
        }
    }

    /// Asks the provider, one task at a time. `seen`: when it was asked for what the caller knows. None: it does not
    /// answer, or was asked too often.
    async fn ask(&self, seen: Option<Timestamp>, why: Why) -> Option<Arc<Known>> {
        let mut budget = self.0.budget.lock().await;
        let now = self.0.clock.now();
        if let Some(newer) = self.kept().filter(|known| Some(known.asked_at) != seen) {
            return Some(newer);
        }
        if !budget.allows(why, now) {
            return None;
        }
        match self.0.discover(now).await {
            Ok(known) => {
                if budget.failed_at.take().is_some() {
                    tracing::info!(issuer = self.0.expected.issuer, "the OIDC provider answers again");
                }
                let known = Arc::new(known);
                *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
                Some(known)
            }
            Err(problem) => {
                if budget.failed_at.replace(self.0.clock.now()).is_none() {
                    tracing::warn!(
                        issuer = self.0.expected.issuer,
                        problem,
                        "the OIDC provider gives no keys; it is asked again, and its next answer is logged"
                    );
                }
                None
            }
        }
    }
}

impl Budget {
    fn allows(&mut self, why: Why, now: Timestamp) -> bool {
        // After a failure keys are due at once; it must not be asked by every request.
        if self.failed_at.is_some_and(|at| now.duration_since(at).abs() < PAUSE) {
            return false;
        }
        if why == Why::Due {
            return true;
        }
        let since = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.left = (self.left + since / ASKED_EACH).min(ASKED_AT_ONCE);
        self.at = now;
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

impl Shared {
    /// Reads what the provider says of itself, and its keys.
    ///
    /// Source: OpenID Connect Discovery 1.0, 4.
    async fn discover(&self, now: Timestamp) -> Result<Known, String> {
        let mut place = self.issuer.clone();
        let path = format!("{}/.well-known/openid-configuration", place.path().trim_end_matches('/'));
        place.set_path(&path);
        let told = |problem| format!("{place}: {problem}");
        let document = ask_ok(self.http.get(place.clone())).await.map_err(told)?;
        if document["issuer"].as_str() != Some(&self.expected.issuer) {
            return Err(told(
                "it names another issuer than api.oidc.issuer; write the one that it names, if it is right"
                    .to_owned(),
            ));
        }
        let endpoint = |name: &str| self.endpoint(&document, name);
        let jwks = endpoint("jwks_uri")?.ok_or_else(|| told("it names no jwks_uri".to_owned()))?;
        let keys = ask_ok(self.http.get(jwks.clone())).await;
        let keys = keys.and_then(|keys| KeySet::parse(&keys).map_err(str::to_owned));
        let methods = document["token_endpoint_auth_methods_supported"].as_array();
        let takes = |method: &str| methods.is_some_and(|all| all.iter().any(|one| one == method));
        Ok(Known {
            authorization: endpoint("authorization_endpoint")?,
            token: endpoint("token_endpoint")?,
            end_session: endpoint("end_session_endpoint")?,
            names_itself: document["authorization_response_iss_parameter_supported"] == true,
            secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
            keys: keys.map_err(|problem| format!("{jwks}: {problem}"))?,
            asked_at: now,
        })
    }

    /// A URL that the document names: with TLS, or on this machine if the provider itself is.
    fn endpoint(&self, document: &Value, name: &str) -> Result<Option<Url>, String> {
        let Some(text) = document[name].as_str() else { return Ok(None) };
        let url = self.network.webhook(text).map_err(|error| format!("its {name}: {error}"))?;
        match url.scheme() == "https" || is_here(&url) && is_here(&self.issuer) {
            true => Ok(Some(url)),
            false => Err(format!("its {name} is without TLS; let the provider name one with https://")),
        }
    }
}

#[cfg(test)]
mod tests;
