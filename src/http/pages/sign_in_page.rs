//! `/sign-in`: where people choose how they log in.

use askama::Template;
use auditferry_core::model::session::is_own_path;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::fault::Fault;
use super::frame::{Bare, Frame, page};
use super::words::words;
use super::{problems_as_pages, to};
use crate::http::sign_in::SignIn;

words! {
    /// The words of the page.
    Words {
        title(): "Sign in", "Anmelden";
        lead(): "The console is for support and operators.", "Die Konsole ist für Support und Betrieb.";
        customers(): "Customers open their audit log from the product itself.",
            "Kunden öffnen ihr Audit-Log im Produkt selbst.";
        provider(): "Log in with your organisation", "Mit Ihrer Organisation anmelden";
        or(): "or with a token", "oder mit einem Token";
        token(): "Token", "Token";
        token_hint(): "An operator makes one with “auditferry token create”. It is sent once and not kept in the browser.",
            "Der Betrieb erstellt eines mit „auditferry token create“. Es wird einmal gesendet und nicht im Browser behalten.";
        go(): "Sign in", "Anmelden";
        skip(): "Skip to the content", "Zum Inhalt";
        name(): "auditferry console", "auditferry-Konsole";
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    a: Bare<'a>,
    w: Words,
    provider: bool,
    return_to: &'a str,
    login: String,
}

pub(super) fn routes(sign_in: SignIn) -> Router {
    Router::new()
        .route("/sign-in", get(shown))
        .route("/", get(|| async { to("/console") }))
        .layer(from_fn(problems_as_pages))
        .with_state(sign_in)
}

async fn shown(State(sign_in): State<SignIn>, request: Request) -> Result<Response, Fault> {
    sign_in.admit(&request)?;
    let query = request.uri().query().unwrap_or_default();
    let wanted = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "return_to");
    let return_to = wanted.map(|(_, path)| path.into_owned()).filter(|path| is_own_path(path));
    let return_to = return_to.unwrap_or_else(|| "/console".to_owned());
    if sign_in.session(request.headers()).await?.is_some() {
        return Ok(to(&return_to));
    }
    let frame = Frame::of(&request);
    let provider = sign_in.api.provider.as_ref().is_some_and(crate::oidc::Provider::has_login);
    let encoded: String = url::form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
    let login = format!("/auth/login?return_to={encoded}");
    let w = Words(frame.language);
    Ok(page(&Page { a: Bare { frame: &frame }, w, provider, return_to: &return_to, login }).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::words::Language;

    #[test]
    fn it_renders() {
        for language in [Language::En, Language::De] {
            let frame = Frame::sample(language);
            let page = Page {
                a: Bare { frame: &frame },
                w: Words(language),
                provider: true,
                return_to: "/console?a=\"b\"",
                login: "/auth/login?return_to=%2F".to_owned(),
            };
            let html = page.render().expect("a page");
            assert!(html.contains("value=\"/console?a=&#34;b&#34;\""), "{html}");
        }
    }
}
