//! The portal under `/portal`: the pages of one account for the customer's admins.
//!
//! People come with a link ([`entry`]), which gives them a session. Every other page stands behind a guard
//! ([`visitor`]), which reads the session's row and hands a [`Visitor`] to the handler. The console's cookie and the
//! tokens of the API open nothing here, and the portal's cookie opens nothing else.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

pub(in crate::http) mod around;
mod cookies;
mod downloads;
mod embed;
mod entry;
mod export;
mod fault;
mod logs;
pub(in crate::http) mod visitor;

use self::cookies::{Cookies, LANGUAGE, THEME, is_framed};
use self::visitor::{Answer, Needs, Visitor};
use super::pages::frame::{Frame, Policy, Theme, language, secured};
use super::pages::to;
use super::sign_in::SignIn;
use crate::http::api::problem::Problem;
use auditferry_core::model::portal::Capability;
use auditferry_core::model::session::is_own_path;

/// What the pages of the portal work with.
#[derive(Clone)]
pub(in crate::http) struct Portal {
    pub(in crate::http) sign_in: SignIn,
    cookies: Cookies,
    ancestors: Arc<[String]>,
}

impl Portal {
    /// The sites that may show it in a frame, as the pages name them.
    fn hosts(&self) -> String {
        self.ancestors.join(" ")
    }
}

/// All routes of the portal.
pub(super) fn routes(sign_in: SignIn) -> Router {
    let cookies = Cookies { secure: sign_in.is_secure() };
    let ancestors = sign_in.api.entrance.frame_ancestors().iter();
    let ancestors: Arc<[String]> = ancestors.map(|origin| origin.as_str().to_owned()).collect();
    let portal = Portal { sign_in, cookies, ancestors: Arc::clone(&ancestors) };
    let policy = Policy { ancestors, forms: [].into(), secure: portal.sign_in.is_secure() };
    Router::new()
        .merge(entry::routes())
        .merge(portal.guarded(Needs::Session, "/portal", get(first)))
        .merge(portal.guarded(Needs::Session, "/portal/logout", post(logout)))
        .merge(portal.guarded(Needs::Session, "/portal/preferences", post(preferences)))
        .merge(logs::routes(&portal))
        .merge(downloads::routes(&portal))
        .merge(export::routes(&portal))
        .route("/portal/embed.js", get(embed::script))
        .route("/portal/{*none}", get(nothing))
        .with_state(portal)
        .layer(from_fn(move |request: Request, next: Next| secured(policy.clone(), request, next)))
}

/// What is no page of the portal.
async fn nothing(axum::extract::State(portal): axum::extract::State<Portal>, request: Request) -> Response {
    fault::shown(&portal, &Frame::of(&request), None, &Problem::not_found())
}

/// The first page that somebody may see.
async fn first(visitor: Visitor) -> Answer {
    let pages = around::Section::ALL.iter();
    let seen = pages.copied().find(|section| visitor.may(section.needs()));
    match (seen, visitor.may(Capability::ExportManage)) {
        (Some(section), _) => Ok(to(section.path())),
        (None, true) => Ok(to(export::SET_UP)),
        (None, false) => Err(Problem::not_found().into()),
    }
}

async fn logout(axum::extract::State(portal): axum::extract::State<Portal>, visitor: Visitor) -> Answer {
    portal.sign_in.api.admin.end_portal_session(visitor.session()).await?;
    tracing::info!(session = visitor.session_id(), "somebody has left the portal");
    let mut response = fault::left(&portal, &visitor.frame, visitor.return_url());
    entry::set_cookies(&mut response, &portal.cookies.without_session());
    Ok(response)
}

/// Keeps what a person prefers: light or dark, and the language.
async fn preferences(axum::extract::State(portal): axum::extract::State<Portal>, visitor: Visitor) -> Answer {
    let here = visitor.form.text("here");
    let inside = is_own_path(here) && here.starts_with("/portal");
    let mut response: Response = to(if inside { here } else { "/portal" });
    let theme = Theme::parse(visitor.form.text("theme")).map(|theme| (THEME, theme.as_str()));
    let language = language(visitor.form.text("language")).map(|one| (LANGUAGE, one.as_str()));
    let cookies: Vec<String> = theme
        .into_iter()
        .chain(language)
        .map(|(name, value)| portal.cookies.preference(name, value, visitor.framed()))
        .collect();
    entry::set_cookies(&mut response, &cookies);
    Ok(response.into_response())
}

/// Whether a request comes from a frame of another site.
fn framed(request: &Request) -> bool {
    is_framed(request.headers())
}
