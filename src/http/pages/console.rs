//! The console, for support and operators: every account's health and what to do about it. It shows no record.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;
use zeroize::Zeroizing;

mod account;
mod accounts;
mod acts;
mod changes;
mod deliveries;
mod dialog;
mod home;
mod jobs;
mod labels;
mod links;
mod notifications;
mod paging;
mod portal_links;
mod preferences;
mod replays;
mod system;
mod tokens;

use super::fault::{Fault, shown};
use super::forms::Form;
use super::frame::Frame;
use super::to;
use crate::http::api::Api;
pub(super) use crate::http::api::caller::Guard as Needs;
use crate::http::api::caller::named_account;
use crate::http::api::problem::Problem;
use crate::http::sign_in::SignIn;
use auditferry_core::model::access::{Grant, Permission, Verdict};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{Actor, By, Channel, Terms, words as reason_words};

pub(super) use self::labels::Words;

/// What handlers give: a page, or why there is none.
pub(super) type Answer = Result<Response, Fault>;

/// Who looks at the console.
#[derive(Clone)]
pub(in crate::http) struct Viewer {
    pub(super) grant: Grant,
    actor: Actor,
    csrf: Arc<Zeroizing<String>>,
}

impl Viewer {
    pub(super) fn name(&self) -> &str {
        &self.actor.name
    }

    pub(super) fn csrf(&self) -> &str {
        self.csrf.as_str()
    }

    /// Whether something may be done, with an account or with all.
    pub(super) fn may(&self, permission: Permission, account: Option<&AccountId>) -> bool {
        self.grant.verdict(permission, account) == Verdict::Allowed
    }

    /// The accounts to which a listing is limited; none: all.
    pub(super) fn listed(&self, permission: Permission) -> Result<Option<Vec<AccountId>>, Problem> {
        self.grant.listed(permission).ok_or_else(Problem::forbidden)
    }

    /// Who makes a change, and why. `expects`: the revision that the page has shown.
    pub(super) fn by(&self, form: &Form) -> Result<By, Problem> {
        let reason = form.given("reason").map(reason_words).transpose();
        let mut by = By::actor(self.actor.clone());
        by.reason = reason.map_err(|problem| Problem::invalid("reason", problem))?;
        by.terms.expects = form.given("revision").and_then(|revision| revision.parse().ok());
        Ok(by)
    }
}

/// The same, for what no revision is expected of.
pub(super) fn without_terms(by: By) -> By {
    By { terms: Terms::default(), ..by }
}

/// The parts of the console, as its bar names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Home,
    Accounts,
    Deliveries,
    Changes,
    Replays,
    Notifications,
    Tokens,
    Sessions,
    System,
}

impl Section {
    const ALL: [(Self, &'static str, Permission); 9] = [
        (Self::Home, "/console", Permission::ReadStatus),
        (Self::Accounts, "/console/accounts", Permission::ReadAccounts),
        (Self::Deliveries, "/console/deliveries", Permission::ReadDeliveries),
        (Self::Changes, "/console/changes", Permission::ReadChanges),
        (Self::Replays, "/console/replays", Permission::ReadChanges),
        (Self::Notifications, "/console/notifications", Permission::ManageNotifications),
        (Self::Tokens, "/console/tokens", Permission::ManageTokens),
        (Self::Sessions, "/console/sessions", Permission::ManageTokens),
        (Self::System, "/console/system", Permission::ReadStatus),
    ];

    fn label(self, w: Words) -> String {
        match self {
            Self::Home => w.home(),
            Self::Accounts => w.accounts(),
            Self::Deliveries => w.deliveries(),
            Self::Changes => w.changes(),
            Self::Replays => w.replays(),
            Self::Notifications => w.notifications(),
            Self::Tokens => w.tokens(),
            Self::Sessions => w.sessions(),
            Self::System => w.system(),
        }
    }
}

/// What is around a page of the console.
pub(super) struct Around {
    pub(super) frame: Frame,
    pub(super) viewer: Viewer,
    pub(super) w: Words,
    section: Section,
    /// The page itself, so that what is chosen there comes back to it.
    here: String,
}

/// A link of the bar.
struct Link {
    href: &'static str,
    label: String,
    current: bool,
}

impl Around {
    fn links(&self) -> Vec<Link> {
        let seen =
            Section::ALL.into_iter().filter(|(_, _, needs)| self.viewer.grant.listed(*needs).is_some());
        seen.map(|(section, href, _)| Link {
            href,
            label: section.label(self.w),
            current: section == self.section,
        })
        .collect()
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// What a handler gets.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) viewer: Viewer,
    pub(super) frame: Frame,
    /// What was sent; of a GET, nothing.
    pub(super) form: Form,
    /// What stands behind the `?`.
    query: Arc<str>,
    here: Arc<str>,
}

impl Visit {
    pub(super) fn around(&self, section: Section) -> Around {
        let (frame, viewer) = (self.frame.clone(), self.viewer.clone());
        let w = Words(frame.language);
        Around { frame, viewer, w, section, here: self.here.to_string() }
    }

    /// The account to which a listing is narrowed. Who sees only some must name one of them.
    pub(super) fn account_asked(&self, permission: Permission) -> Result<Option<AccountId>, Problem> {
        let account = self.asked("account").map(|id| id.parse::<AccountId>()).transpose();
        let account = account.map_err(|error| Problem::invalid("account", error.to_string()))?;
        match self.viewer.grant.verdict(permission, account.as_ref()) {
            Verdict::Allowed => Ok(account),
            Verdict::Unseen => Err(Problem::not_found()),
            Verdict::Forbidden => Err(match account {
                None => Problem::invalid("account", "you see the accounts that are yours alone")
                    .fix("name one of them in the address: ?account=…"),
                Some(_) => Problem::forbidden(),
            }),
        }
    }

    /// A parameter of the address; none: it is empty or not there.
    pub(super) fn asked(&self, name: &str) -> Option<String> {
        let mut all = url::form_urlencoded::parse(self.query.as_bytes());
        let found = all.find(|(other, _)| other == name).map(|(_, value)| value.trim().to_owned());
        found.filter(|value| !value.is_empty())
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Visit {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Fault> {
        // A route without its guard is a mistake of ours, and shows nothing.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::not_found().into())
    }
}

/// Pages behind a guard. There are no others.
pub(super) fn guarded(sign_in: &SignIn, needs: Needs, path: &str, pages: MethodRouter<Api>) -> Router<Api> {
    Router::new().route(path, pages.route_layer(from_fn_with_state((sign_in.clone(), needs), guard)))
}

pub(super) fn routes(sign_in: &SignIn) -> Router {
    let api = sign_in.api.clone();
    Router::new()
        .merge(home::routes(sign_in))
        .merge(accounts::routes(sign_in))
        .merge(account::routes(sign_in))
        .merge(deliveries::routes(sign_in))
        .merge(acts::routes(sign_in))
        .merge(jobs::routes(sign_in))
        .merge(portal_links::routes(sign_in))
        .merge(changes::routes(sign_in))
        .merge(replays::routes(sign_in))
        .merge(notifications::routes(sign_in))
        .merge(tokens::routes(sign_in))
        .merge(system::routes(sign_in))
        .merge(preferences::routes(sign_in))
        .with_state(api)
}

async fn guard(
    State((sign_in, needs)): State<(SignIn, Needs)>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let frame = Frame::of(&request);
    if let Err(problem) = sign_in.admit(&request) {
        return shown(&frame, None, &problem);
    }
    let account = named_account(parameters, request.uri());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let headers = request.headers().clone();
    let viewer = match viewer(&sign_in, &headers).await {
        Ok(Some(viewer)) => viewer,
        // What was typed is lost with the session; the page is not.
        Ok(None) if method == Method::GET || method == Method::HEAD => {
            let here = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
            let here: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
            return to(&format!("/sign-in?return_to={here}"));
        }
        Ok(None) => return shown(&frame, None, &Problem::not_signed_in()),
        Err(problem) => return shown(&frame, None, &problem),
    };
    let checked = account.and_then(|account| needs.check(&viewer.grant, account.as_ref()));
    if let Err(problem) = checked {
        return shown(&frame, Some(&viewer), &problem);
    }
    let mut request = request;
    let form = if method == Method::POST {
        let (parts, body) = request.into_parts();
        match sign_in.sent(&parts.headers, body, viewer.csrf()).await {
            Ok(fields) => {
                request = Request::from_parts(parts, axum::body::Body::empty());
                Form::of(fields)
            }
            Err(problem) => return shown(&frame, Some(&viewer), &problem),
        }
    } else {
        Form::default()
    };
    let here = uri.path_and_query().map_or("/console", axum::http::uri::PathAndQuery::as_str).into();
    let query = uri.query().unwrap_or_default().into();
    request.extensions_mut().insert(Visit {
        viewer: viewer.clone(),
        frame: frame.clone(),
        form,
        query,
        here,
    });
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        Some(problem) => shown(&frame, Some(&viewer), problem),
        None => response,
    }
}

async fn viewer(sign_in: &SignIn, headers: &HeaderMap) -> Result<Option<Viewer>, Problem> {
    let Some((held, session, grant)) = sign_in.session(headers).await? else { return Ok(None) };
    let (kind, id, name) = (session.actor_kind, session.actor_id, session.name);
    let actor = Actor { kind, id, name, channel: Channel::Console };
    sign_in.api.limits.principal(actor.principal(), sign_in.api.admin.clock.now())?;
    Ok(Some(Viewer { grant, actor, csrf: Arc::new(held.csrf()) }))
}
