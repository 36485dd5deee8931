//! How browsers sign in and out: at an OpenID Connect provider, or with a token of the API. What comes of it is a
//! session, whose id is in a cookie. It opens the pages alone: the API takes only `Authorization: Bearer`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use jiff::SignedDuration;
use serde::Serialize;
use zeroize::Zeroizing;

mod cookies;
mod provider;
pub(super) mod token;

use self::cookies::Cookies;
use super::api::Api;
use super::api::address::ClientAddress;
use super::api::problem::Problem;
use crate::operations::sessions::Held;
use crate::settings::ApiSettings;
use auditferry_core::model::access::{Grant, Role};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{Actor, ActorKind, By, Channel};
use auditferry_core::model::session::{Lifetime, Session};

/// How browsers sign in.
#[derive(Debug, Clone)]
pub struct SignInSettings {
    /// Where they reach us: `scheme://host:port`.
    origin: String,
    /// Whether that is with TLS.
    secure: bool,
    lifetime: Lifetime,
}

impl SignInSettings {
    /// By the settings; none: nobody signs in, as it is not known where browsers reach us.
    #[must_use]
    pub fn new(settings: &ApiSettings) -> Option<Self> {
        let url = settings.origin()?;
        let span = |span: std::time::Duration| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        Some(Self {
            origin: url.origin().ascii_serialization(),
            secure: url.scheme() == "https",
            lifetime: Lifetime { idle: span(settings.session_idle.0), longest: span(settings.session_max.0) },
        })
    }
}

/// What signing in works with.
#[derive(Clone)]
pub(super) struct SignIn {
    pub(super) api: Api,
    settings: Arc<SignInSettings>,
    cookies: Cookies,
}

/// The routes under `/auth`.
pub(super) fn routes(state: SignIn) -> Router {
    Router::new()
        .route("/auth/login", get(provider::login))
        .route("/auth/callback", get(provider::callback))
        .route("/auth/token", post(token::sign_in))
        .route("/auth/logout", post(logout))
        .route("/auth/session", get(session))
        .layer(from_fn(without_referrer))
        .with_state(state)
}

/// What stands in the address of a callback must not be told to others.
async fn without_referrer(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Sends a browser somewhere, with its cookies.
pub(super) fn see_other(place: &str, cookies: &[String]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    match HeaderValue::from_str(place) {
        Ok(place) => headers.insert(header::LOCATION, place),
        Err(_) => return Problem::internal().into_response(),
    };
    for cookie in cookies {
        if let Ok(mut cookie) = HeaderValue::from_str(cookie) {
            cookie.set_sensitive(true);
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    response
}

impl SignIn {
    /// By the settings.
    pub(super) fn new(api: Api, settings: SignInSettings) -> Self {
        let cookies = Cookies { secure: settings.secure };
        Self { api, settings: Arc::new(settings), cookies }
    }

    /// Whether browsers come over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.settings.secure
    }

    /// Slows down an address that asks too much.
    pub(super) fn admit(&self, request: &Request) -> Result<Option<ClientAddress>, Problem> {
        let address = request.extensions().get::<ClientAddress>().copied();
        if let Some(address) = address {
            self.api.limits.address(address, self.api.admin.clock.now())?;
        }
        Ok(address)
    }

    /// Whose session a browser has.
    pub(super) async fn session(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<(Held, Session, Grant)>, Problem> {
        let Some(held) = self.cookies.session(headers) else { return Ok(None) };
        let found = self.api.admin.session(&held, self.settings.lifetime).await?;
        Ok(found.map(|(session, grant)| (held, session, grant)))
    }

    /// Ends the session that a browser has, if it has one.
    async fn end(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self.session(headers).await? {
            Some((_, session, _)) => self.revoke(session).await,
            None => Ok(()),
        }
    }

    /// Ends a session, on the word of whoever has it.
    async fn revoke(&self, session: Session) -> Result<(), Problem> {
        let (kind, id, name) = (session.actor_kind, session.actor_id, session.name);
        let by = By::actor(Actor { kind, id, name, channel: Channel::Console });
        self.api.admin.revoke_session(&by, &session.id).await?;
        Ok(())
    }

    /// The fields of a form, once it is known that a page of ours has sent it for whoever has the session of `csrf`.
    pub(super) async fn sent(
        &self,
        headers: &HeaderMap,
        body: axum::body::Body,
        csrf: &str,
    ) -> Result<BTreeMap<String, Zeroizing<String>>, Problem> {
        self.check_page(headers)?;
        let fields = token::form(headers, body).await?;
        match same(fields.get("csrf").map_or("", |csrf| csrf.as_str()), csrf) {
            true => Ok(fields),
            false => Err(Problem::cross_site()),
        }
    }

    /// That a page of ours has sent a request: browsers say which page it was, and no page can say otherwise.
    pub(super) fn check_page(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let site = headers.get("sec-fetch-site");
        // A form of a page that bears no referrer, as ours do, names no origin (Fetch, "append a request Origin header").
        let origin = headers.get(header::ORIGIN).filter(|origin| *origin != "null");
        let own = match origin {
            Some(origin) => {
                origin == self.settings.origin.as_str() && site.is_none_or(|site| site == "same-origin")
            }
            None => site.is_some_and(|site| site == "same-origin"),
        };
        if own { Ok(()) } else { Err(Problem::cross_site()) }
    }
}

/// Who is signed in.
#[derive(Debug, Serialize)]
struct Told {
    kind: ActorKind,
    id: String,
    name: String,
    role: Role,
    accounts: Option<Vec<AccountId>>,
    idle_ends_at: jiff::Timestamp,
    ends_at: jiff::Timestamp,
    /// Goes with each change, as `csrf`, so that no other site can make one.
    csrf: String,
}

async fn session(State(sign_in): State<SignIn>, request: Request) -> Result<Response, Problem> {
    sign_in.admit(&request)?;
    let found = sign_in.session(request.headers()).await?;
    let (held, session, _) = found.ok_or_else(Problem::not_signed_in)?;
    let told = Told {
        kind: session.actor_kind,
        id: session.actor_id,
        name: session.name,
        role: session.role,
        accounts: session.accounts.map(|accounts| accounts.into_iter().collect()),
        idle_ends_at: session.idle_ends_at,
        ends_at: session.ends_at,
        csrf: held.csrf().to_string(),
    };
    Ok(axum::Json(told).into_response())
}

async fn logout(State(sign_in): State<SignIn>, request: Request) -> Result<Response, Problem> {
    sign_in.admit(&request)?;
    sign_in.check_page(request.headers())?;
    let (parts, body) = request.into_parts();
    let form = token::form(&parts.headers, body).await?;
    let gone = [sign_in.cookies.without_session()];
    let Some((held, session, _)) = sign_in.session(&parts.headers).await? else {
        return Ok(see_other("/", &gone));
    };
    if !same(form.get("csrf").map_or("", |csrf| csrf.as_str()), &held.csrf()) {
        return Err(Problem::cross_site());
    }
    let kind = session.actor_kind;
    sign_in.revoke(session).await?;
    let elsewhere = match (&sign_in.api.provider, kind) {
        (Some(provider), ActorKind::OidcSubject) => {
            provider.logout_url(&format!("{}/", sign_in.settings.origin)).await
        }
        _ => None,
    };
    Ok(see_other(elsewhere.as_ref().map_or("/", url::Url::as_str), &gone))
}

/// Compares what somebody else must not find out by trying.
pub(super) fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
