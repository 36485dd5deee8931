//! What a person prefers: light or dark, and the language. It is in two cookies.

use auditferry_core::model::session::is_own_path;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::post;

use super::{Answer, Needs, Visit, guarded};
use crate::http::api::Api;
use crate::http::pages::frame::{LANGUAGE, THEME, Theme, language};
use crate::http::pages::to;
use crate::http::sign_in::SignIn;

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    guarded(sign_in, Needs::Anybody, "/console/preferences", post(set))
}

async fn set(visit: Visit) -> Answer {
    let here = visit.form.text("here");
    let mut response: Response = to(if is_own_path(here) { here } else { "/console" });
    let theme = Theme::parse(visit.form.text("theme")).map(|theme| (THEME, theme.as_str()));
    let language = language(visit.form.text("language")).map(|one| (LANGUAGE, one.as_str()));
    for (name, value) in theme.into_iter().chain(language) {
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}
