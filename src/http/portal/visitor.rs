//! Who is in the portal. Every page but the entry stands behind this guard.
//!
//! A route is made with [`Portal::guarded`], which names the capability that it needs; its handler takes a [`Visitor`].
//! The account is the visitor's: a page takes it from nowhere else.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Portal;
use super::cookies::{LANGUAGE, THEME};
use super::fault::{ended, shown};
use crate::http::api::problem::Problem;
use crate::http::pages::fault::Fault;
use crate::http::pages::forms::Form;
use crate::http::pages::frame::{Frame, Theme, language as language_of};
use crate::operations::sessions::Held;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::portal::{self, Capability, PortalActor, PortalSession};

/// What handlers of the portal give: a page, or why there is none.
pub(in crate::http) type Answer = Result<Response, Fault>;

/// Somebody in the portal of one account.
#[derive(Clone)]
pub(in crate::http) struct Visitor {
    /// The language and the theme of the pages.
    pub(in crate::http) frame: Frame,
    /// What was sent; of a GET, nothing.
    pub(in crate::http) form: Form,
    session: Arc<PortalSession>,
    csrf: Arc<Zeroizing<String>>,
    query: Arc<str>,
    here: Arc<str>,
    framed: bool,
    hosts: Arc<str>,
}

impl Visitor {
    /// The account, which is the only one here.
    pub(in crate::http) fn account(&self) -> &AccountId {
        &self.session.account
    }

    /// Who it is, as the vendor knows them.
    pub(in crate::http) fn actor(&self) -> &PortalActor {
        &self.session.actor
    }

    /// Whether something may be done.
    pub(in crate::http) fn may(&self, capability: Capability) -> bool {
        self.session.may(capability)
    }

    /// That something may be done.
    pub(in crate::http) fn needs(&self, capability: Capability) -> Result<(), Problem> {
        if self.may(capability) { Ok(()) } else { Err(Problem::forbidden()) }
    }

    /// When the session ends.
    pub(in crate::http) fn ends_at(&self) -> Timestamp {
        self.session.ends_at.unwrap_or(self.session.link_ends_at)
    }

    /// The id of the session, which is no secret.
    pub(in crate::http) fn session_id(&self) -> &str {
        &self.session.id
    }

    /// Where the person goes back to.
    pub(in crate::http) fn return_url(&self) -> Option<&str> {
        self.session.return_url.as_deref()
    }

    /// What every form sends as `csrf`. The guard checks it.
    pub(in crate::http) fn csrf(&self) -> &str {
        self.csrf.as_str()
    }

    /// The page itself, so that what is chosen there comes back to it.
    pub(in crate::http) fn here(&self) -> &str {
        &self.here
    }

    /// Whether the page stands in a frame of another site.
    pub(in crate::http) fn framed(&self) -> bool {
        self.framed
    }

    /// The sites that may show the page in a frame.
    pub(in crate::http) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Who makes a change.
    pub(in crate::http) fn by(&self) -> By {
        By::actor(self.session.actor.actor())
    }

    /// A parameter of the address; none: it is empty or not there.
    pub(in crate::http) fn asked(&self, name: &str) -> Option<String> {
        let mut all = url::form_urlencoded::parse(self.query.as_bytes());
        let found = all.find(|(other, _)| other == name).map(|(_, value)| value.trim().to_owned());
        found.filter(|value| !value.is_empty())
    }

    pub(super) fn session(&self) -> &PortalSession {
        &self.session
    }

    /// For templates that are rendered in tests.
    #[cfg(test)]
    pub(in crate::http) fn sample(language: crate::http::pages::words::Language, may: &[Capability]) -> Self {
        use auditferry_core::model::actor::ActorKind;
        use auditferry_core::model::portal::{LinkKind, LinkMaker};
        let at = |text: &str| text.parse().expect("an instant");
        let session = PortalSession {
            id: "5e551011".to_owned(),
            account: "acme".parse().expect("an id"),
            capabilities: may.iter().copied().collect(),
            actor: PortalActor { id: "u1".to_owned(), email: "jana.keller@acme.example".to_owned() },
            return_url: Some("https://app.vendor.example/settings".to_owned()),
            locale: language,
            theme: portal::Theme::System,
            link: LinkKind::Now,
            made_by: LinkMaker { kind: ActorKind::ApiToken, id: "t".to_owned(), name: "backend".to_owned() },
            created_at: at("2026-11-30T11:00:00Z"),
            link_ends_at: at("2026-11-30T11:05:00Z"),
            seconds: 3600,
            opened_at: Some(at("2026-11-30T11:02:00Z")),
            ends_at: Some(at("2026-11-30T12:02:00Z")),
            revoked_at: None,
        };
        Self {
            frame: Frame::sample(language),
            form: Form::default(),
            session: Arc::new(session),
            csrf: Arc::new(Zeroizing::new("csrf".to_owned())),
            query: "".into(),
            here: "/portal/export".into(),
            framed: false,
            hosts: "https://app.vendor.example".into(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        // A route without its guard is a mistake of ours, and shows nothing.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::not_found().into())
    }
}

/// What a page needs.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) enum Needs {
    /// This capability.
    Capability(Capability),
    /// A session, whatever may be done in it.
    Session,
}

/// The frame of a page, in the language and theme of a session unless the person has chosen others.
pub(super) fn frame(
    portal: &Portal,
    session: &PortalSession,
    mut frame: Frame,
    headers: &HeaderMap,
) -> Frame {
    let language = portal.cookies.preferred(headers, LANGUAGE).and_then(language_of);
    let theme = portal.cookies.preferred(headers, THEME).and_then(Theme::parse);
    frame.language = language.unwrap_or(session.locale);
    frame.theme = theme.unwrap_or(match session.theme {
        portal::Theme::Light => Theme::Light,
        portal::Theme::Dark => Theme::Dark,
        portal::Theme::System => Theme::System,
    });
    frame
}

impl Portal {
    /// Pages behind a guard. There are no others.
    pub(in crate::http) fn guarded(
        &self,
        needs: Needs,
        path: &str,
        pages: MethodRouter<Self>,
    ) -> Router<Self> {
        Router::new().route(path, pages.route_layer(from_fn_with_state((self.clone(), needs), guard)))
    }

    /// Whose open session a browser has.
    pub(super) async fn session(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<(Held, PortalSession)>, Problem> {
        let Some(held) = self.cookies.session(headers) else { return Ok(None) };
        let found = self.sign_in.api.admin.portal_session(&held).await?;
        Ok(found.map(|session| (held, session)))
    }
}

async fn guard(State((portal, needs)): State<(Portal, Needs)>, mut request: Request, next: Next) -> Response {
    let base = Frame::of(&request);
    if let Err(problem) = portal.sign_in.admit(&request) {
        return shown(&portal, &base, None, &problem);
    }
    let headers = request.headers().clone();
    let (held, session) = match portal.session(&headers).await {
        Ok(Some(found)) => found,
        Ok(None) => return ended(&portal, &base),
        Err(problem) => return shown(&portal, &base, None, &problem),
    };
    let form = if request.method() == Method::POST {
        let (parts, body) = request.into_parts();
        let form = match portal.sign_in.sent(&headers, body, &held.csrf()).await {
            Ok(fields) => Form::of(fields),
            Err(problem) => return shown(&portal, &base, None, &problem),
        };
        request = Request::from_parts(parts, axum::body::Body::empty());
        form
    } else {
        Form::default()
    };
    let here = request.uri().path_and_query().map_or("/portal", axum::http::uri::PathAndQuery::as_str);
    let visitor = Visitor {
        frame: frame(&portal, &session, base, &headers),
        form,
        csrf: Arc::new(held.csrf()),
        query: request.uri().query().unwrap_or_default().into(),
        here: here.into(),
        framed: super::cookies::is_framed(&headers),
        hosts: portal.hosts().into(),
        session: Arc::new(session),
    };
    if let Needs::Capability(capability) = needs
        && let Err(problem) = visitor.needs(capability)
    {
        return shown(&portal, &visitor.frame, Some(&visitor), &problem);
    }
    request.extensions_mut().insert(visitor.clone());
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        Some(problem) => shown(&portal, &visitor.frame, Some(&visitor), problem),
        None => response,
    }
    .into_response()
}
