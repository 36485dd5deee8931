//! What is around every page: its language and theme, the headers that bound what a browser does with it, and the
//! files that it loads.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::assets::assets;
use super::words::{Language, accepted};
use crate::http::api::problem::Problem;
use crate::http::cookies;
use crate::secrets::keys::random;

/// Cookies of what a person prefers: no secrets.
pub(in crate::http) const THEME: &str = "auditferry-theme";
pub(in crate::http) const LANGUAGE: &str = "auditferry-language";

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::http) enum Theme {
    /// As the system is.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All of them.
    pub(in crate::http) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its name.
    pub(in crate::http) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The one of a name.
    pub(in crate::http) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name)
    }
}

/// A word for one answer, which scripts of this answer bear: no other script runs.
#[derive(Debug, Clone)]
pub(in crate::http) struct Nonce(Arc<str>);

/// What is around a page.
#[derive(Debug, Clone)]
pub(in crate::http) struct Frame {
    /// In which language it speaks.
    pub(in crate::http) language: Language,
    /// Light or dark.
    pub(in crate::http) theme: Theme,
    nonce: Nonce,
}

/// The language of a code.
pub(in crate::http) fn language(code: &str) -> Option<Language> {
    Language::ALL.iter().copied().find(|language| language.as_str() == code)
}

/// What is around a page that nobody is signed in for.
pub(in crate::http) struct Bare<'a> {
    pub(in crate::http) frame: &'a Frame,
}

impl Frame {
    /// As a browser wants it.
    pub(in crate::http) fn of(request: &Request) -> Self {
        let headers = request.headers();
        let nonce = request.extensions().get::<Nonce>().cloned().unwrap_or_else(|| Nonce("".into()));
        let language = cookies::first(headers, LANGUAGE).and_then(language).unwrap_or_else(|| {
            let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
            accepted(header.unwrap_or_default())
        });
        let theme = cookies::first(headers, THEME).and_then(Theme::parse).unwrap_or_default();
        Self { language, theme, nonce }
    }

    /// For templates that are rendered in tests.
    #[cfg(test)]
    pub(in crate::http) fn sample(language: Language) -> Self {
        Self { language, theme: Theme::System, nonce: Nonce("n0nce".into()) }
    }

    /// The language's code, as in `lang`.
    pub(in crate::http) fn lang(&self) -> &'static str {
        self.language.as_str()
    }

    pub(in crate::http) fn theme(&self) -> &'static str {
        self.theme.as_str()
    }

    pub(in crate::http) fn nonce(&self) -> &str {
        &self.nonce.0
    }

    #[expect(clippy::unused_self, reason = "templates call it")]
    pub(in crate::http) fn style(&self) -> String {
        assets().style.path()
    }

    #[expect(clippy::unused_self, reason = "templates call it")]
    pub(in crate::http) fn portal(&self) -> String {
        assets().portal.path()
    }

    #[expect(clippy::unused_self, reason = "templates call it")]
    pub(in crate::http) fn htmx(&self) -> String {
        assets().htmx.path()
    }

    #[expect(clippy::unused_self, reason = "templates call it")]
    pub(in crate::http) fn script(&self) -> String {
        assets().script.path()
    }
}

/// A page as an answer.
pub(in crate::http) fn rendered(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => {
            let html = (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html);
            html.into_response()
        }
        Err(error) => {
            tracing::error!(error = %error, "a page cannot be rendered");
            Problem::internal().into_response()
        }
    }
}

/// A page as the answer to a request that went well.
pub(in crate::http) fn page(page: &impl Template) -> Response {
    rendered(StatusCode::OK, page)
}

/// What browsers may do with the pages of a part of the service.
#[derive(Debug, Clone)]
pub(in crate::http) struct Policy {
    /// Which origins may put the pages into a page of theirs; none: nobody.
    pub(in crate::http) ancestors: Arc<[String]>,
    /// Where forms may lead besides to us: a log-out goes on to the provider.
    pub(in crate::http) forms: Arc<[String]>,
    /// Whether browsers come over TLS, and are to do so from now on.
    pub(in crate::http) secure: bool,
}

impl Policy {
    fn text(&self, nonce: &str) -> String {
        let list = |origins: &[String]| origins.iter().map(|origin| format!(" {origin}")).collect::<String>();
        let ancestors = if self.ancestors.is_empty() { " 'none'".to_owned() } else { list(&self.ancestors) };
        format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'{}; frame-ancestors{ancestors}; base-uri 'none'; \
             require-trusted-types-for 'script'; trusted-types auditferry default",
            list(&self.forms)
        )
    }
}

/// How long browsers keep to TLS, once they have come over it: a year.
pub(in crate::http) const STRICT_TRANSPORT: &str = "max-age=31536000";

/// Puts the headers on every answer of a part of the service.
pub(in crate::http) async fn secured(policy: Policy, mut request: Request, next: Next) -> Response {
    let Ok(bytes) = random::<16>() else { return Problem::internal().into_response() };
    let nonce: Arc<str> = STANDARD.encode(bytes).into();
    request.extensions_mut().insert(Nonce(Arc::clone(&nonce)));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&policy.text(&nonce)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
    if policy.ancestors.is_empty() {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if policy.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT));
    }
    response
}
