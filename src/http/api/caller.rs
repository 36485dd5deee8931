//! Who calls, and whether they may: every route of the API stands behind one of these guards.

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::address::ClientAddress;
use super::problem::Problem;
use crate::oidc::{Denied, Person};
use crate::operations::tokens::{Holder, TokenHolder};
use auditferry_core::model::access::{Grant, Permission, Verdict};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{Actor, ActorKind, By, Channel, RequestKey, Terms, words};

/// Why somebody makes a change, for the change log.
pub(super) const REASON: &str = "auditferry-reason";

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// What they may do.
    pub(super) grant: Grant,
    /// Who they are, as they are told themselves.
    pub(super) holder: TokenHolder,
    actor: Actor,
    reason: Option<String>,
    /// The request, if it may come twice.
    pub(super) request: Option<RequestKey>,
}

impl Caller {
    /// What tells this caller's keys from everybody else's.
    pub(super) fn principal(&self) -> String {
        self.actor.principal()
    }

    /// Who makes a change. `expects`: the revision that the caller has seen.
    pub(super) fn by(&self, expects: Option<u64>) -> By {
        By {
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            terms: Terms { expects, request: self.request.clone() },
        }
    }

    /// The accounts to which a listing is limited; none: all.
    pub(super) fn listed(&self, permission: Permission) -> Result<Option<Vec<AccountId>>, Problem> {
        self.grant.listed(permission).ok_or_else(Problem::forbidden)
    }

    /// That something may be done with an account.
    pub(super) fn may(&self, permission: Permission, account: Option<&AccountId>) -> Result<(), Problem> {
        allowed(&self.grant, permission, account)
    }
}

/// That somebody may do something, with an account or with all.
fn allowed(grant: &Grant, permission: Permission, account: Option<&AccountId>) -> Result<(), Problem> {
    match grant.verdict(permission, account) {
        Verdict::Allowed => Ok(()),
        Verdict::Forbidden => Err(Problem::forbidden()),
        Verdict::Unseen => Err(Problem::not_found()),
    }
}

fn reason(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(REASON) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| "it is not UTF-8".to_owned());
    text.and_then(words).map(Some).map_err(|problem| Problem::invalid("Auditferry-Reason", problem))
}

/// What a route, or a page of the console, needs.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) enum Guard {
    /// Something about the account that its path names.
    Account(Permission),
    /// Something about the whole installation.
    Installation(Permission),
    /// A listing, of what the caller may see.
    Listing(Permission),
    /// To be known, whatever for.
    Anybody,
}

impl Guard {
    /// That somebody has it. `account`: the one that the path names.
    pub(in crate::http) fn check(self, grant: &Grant, account: Option<&AccountId>) -> Result<(), Problem> {
        match self {
            // A path without its account is a mistake of ours, and opens nothing.
            Self::Account(permission) => match account {
                Some(account) => allowed(grant, permission, Some(account)),
                None => Err(Problem::not_found()),
            },
            Self::Installation(permission) => allowed(grant, permission, None),
            Self::Listing(permission) => grant.listed(permission).map(drop).ok_or_else(Problem::forbidden),
            Self::Anybody => Ok(()),
        }
    }
}

/// Lets a request through, with its [`Caller`], if it may be made.
pub(super) async fn guard(
    State((api, guard)): State<(Api, Guard)>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let account = named_account(parameters, request.uri());
    let address = request.extensions().get::<ClientAddress>().copied();
    // A body cannot be shared while the ledger is asked.
    let headers = request.headers().clone();
    match admitted(&api, guard, account, &headers, address).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The account that a path names, if it names one. An id that none can have belongs to nobody, and no text of
/// ours holds a zero byte, which PostgreSQL does not take.
pub(in crate::http) fn named_account(
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    uri: &Uri,
) -> Result<Option<AccountId>, Problem> {
    if uri.path().contains("%00") || uri.query().is_some_and(|query| query.contains("%00")) {
        return Err(Problem::not_found());
    }
    let parameters = parameters.map_err(|_| Problem::not_found())?;
    let id = parameters.iter().find(|(name, _)| *name == "account").map(|(_, id)| id.parse::<AccountId>());
    id.transpose().map_err(|_| Problem::not_found())
}

/// `account`: is looked at once it is known who asks.
async fn admitted(
    api: &Api,
    guard: Guard,
    account: Result<Option<AccountId>, Problem>,
    headers: &HeaderMap,
    address: Option<ClientAddress>,
) -> Result<Caller, Problem> {
    let caller = authenticated(api, headers, address).await?;
    guard.check(&caller.grant, account?.as_ref())?;
    Ok(caller)
}

/// Who has sent a token, and what it opens.
async fn presented(api: &Api, secret: &str) -> Result<Option<(Actor, Grant, TokenHolder)>, Problem> {
    if let Ok(Holder { token, grant }) = api.admin.holder(secret).await? {
        let holder = TokenHolder::of(&token);
        let name = format!("{} (token {})", token.name, token.id);
        let actor = Actor { kind: ActorKind::ApiToken, name, id: token.id, channel: Channel::Api };
        return Ok(Some((actor, grant, holder)));
    }
    // Tokens of ours have another form than those of a provider.
    let Some(provider) = api.provider.as_ref().filter(|_| secret.contains('.')) else { return Ok(None) };
    match provider.bearer(secret).await {
        Ok(Person { id, name, grant }) => {
            let holder = TokenHolder::person(&id, &name, &grant);
            let actor = Actor { kind: ActorKind::OidcSubject, id, name, channel: Channel::Api };
            Ok(Some((actor, grant, holder)))
        }
        Err(Denied::Invalid(why)) => {
            tracing::debug!(why, "a token of the OIDC provider is refused");
            Ok(None)
        }
        Err(Denied::NoRole(why)) => Err(Problem::no_role(&why)),
        Err(Denied::Away) => Err(Problem::provider_away().header(header::RETRY_AFTER, "5")),
    }
}

async fn authenticated(
    api: &Api,
    headers: &HeaderMap,
    address: Option<ClientAddress>,
) -> Result<Caller, Problem> {
    let now = api.admin.clock.now();
    if let Some(address) = address {
        api.limits.address(address, now)?;
    }
    let challenge = |problem: Problem, words| problem.header(header::WWW_AUTHENTICATE, words);
    let Some(secret) = bearer(headers) else {
        return Err(challenge(Problem::unauthorized(), r#"Bearer realm="auditferry""#));
    };
    match presented(api, secret).await? {
        Some((actor, grant, holder)) => {
            api.limits.principal(actor.principal(), now)?;
            Ok(Caller { grant, holder, actor, reason: reason(headers)?, request: None })
        }
        // Whether it was one, once, is not told.
        None => {
            if let Some(address) = address {
                api.limits.failed(address, now)?;
            }
            let words = r#"Bearer realm="auditferry", error="invalid_token""#;
            Err(challenge(Problem::unauthorized(), words))
        }
    }
}

/// The token of `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    // Of two, a proxy may have looked at the other.
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let text = only.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
