//! `/accounts/{account}/destination`: where an account's objects go. Secrets are written, and never read.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::document::{AccountPath, IfMatch};
use super::problem::Problem;
use super::request::{Asked, Body, Seen, revised};
use crate::destinations::probe::{Examination, UNHEARD};
use crate::ledger::Proof;
use crate::operations::destination_view::{DestinationView, Naming, Setting};
use crate::operations::destinations::{PlaceError, Placement, Placer, Replace, Test};
use crate::operations::given::{Given, Referring};
use crate::operations::probes::ProbeResult;
use crate::secrets::Secret;
use auditferry_core::model::access::{Permission, Role};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::Destination;

/// The revision with which the view of a destination is read.
async fn shown(
    api: &Api,
    id: &AccountId,
    naming: Naming,
    done: Option<Setting>,
) -> Result<Response, Problem> {
    let revision = api.admin.ledger.revision(id).await?;
    let status = match &done {
        Some(Setting { awaits_proof: true, .. }) => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    let view = api.admin.destination_view(id, naming).await?;
    Ok(revised(status, revision, &DestinationView { done, ..view }))
}

/// How a destination is shown.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// Show where its secrets are, and not only that they are set. Only operators see it.
    #[serde(default)]
    references: bool,
}

/// Read where an account's objects go. Secrets are never shown.
#[utoipa::path(get, path = "/accounts/{account}/destination", operation_id = "getDestination", tag = "destination", params(AccountPath, ShowQuery),
    responses((status = 200, body = DestinationView, headers(("ETag" = String)))))]
async fn get(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    Asked(query): Asked<ShowQuery>,
) -> Result<Response, Problem> {
    // The names of files and variables are the operator's.
    let naming = match caller.grant.role {
        Role::Operator if query.references => Naming::Shown,
        _ => Naming::Hidden,
    };
    shown(&api, &account, naming, None).await
}

/// How a destination is set.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct SetQuery {
    /// Set it without trying it first. By default one that does not accept objects is not set.
    #[serde(default)]
    untested: bool,
    /// Neither read its secrets nor try it: they exist only where the worker runs.
    #[serde(default)]
    secrets_elsewhere: bool,
    /// What of the one in force may change. By default all of it.
    replace: Option<MayChange>,
}

/// What of the destination in force may change.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MayChange {
    /// Nothing: a second one is refused.
    Nothing,
    /// Its credentials.
    Credentials,
    /// All of it.
    Everything,
}

impl From<Option<MayChange>> for Replace {
    fn from(may: Option<MayChange>) -> Self {
        match may {
            Some(MayChange::Nothing) => Self::No,
            Some(MayChange::Credentials) => Self::Credentials,
            Some(MayChange::Everything) | None => Self::Everything,
        }
    }
}

/// Set the one destination of an account. It is tried first; one that does not accept objects is not set, and what
/// was in force stays. A secret is given as `{"value": "…"}` and kept sealed; one that is left out is kept, for
/// the same place and only there.
#[utoipa::path(put, path = "/accounts/{account}/destination", operation_id = "putDestination", tag = "destination", params(AccountPath, SetQuery, IfMatch), request_body(content = Object, description = "As in the exports file: kind, bucket, prefix, credentials, …", content_type = "application/json"),
    responses((status = 200, body = DestinationView), (status = 202, body = DestinationView, description = "It waits for the proof of its owner")))]
async fn put(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    headers: HeaderMap,
    Asked(query): Asked<SetQuery>,
    Body(body): Body<Value>,
) -> Result<Response, Problem> {
    let expects = Seen::of(&headers)?;
    api.admin.ledger.revision(&account).await?;
    let expects = expects.expected()?;
    let before = api.admin.ledger.destination(&account).await?;
    // Files and variables are those of the worker: who may not read them may not name them either.
    let referring = match caller.grant.role {
        Role::Operator => Referring::Allowed,
        _ => Referring::Refused,
    };
    let given = Given::read(body, before.as_ref(), referring)?;
    let given = given.with_kept(&account, before.as_ref(), &api.vault).await?;
    let test = match (query.secrets_elsewhere, query.untested) {
        (true, _) => Test::SecretsElsewhere,
        (false, true) => Test::Untried,
        (false, false) => Test::Tried,
    };
    if test == Test::Tried || given.destination.needs_proof() {
        api.limits.probe(&account, api.admin.clock.now())?;
    }
    let by = caller.by(expects);
    let placer =
        Placer { admin: &api.admin, by: &by, stores: &api.stores, vault: Some(&api.vault), told: UNHEARD };
    let placed = placer
        .place(&Placement {
            account: &account,
            destination: given.destination,
            opened: &given.opened,
            replace: query.replace.into(),
            test,
        })
        .await
        .map_err(|error| refused(error, caller.grant.role))?;
    let done = Setting {
        awaits_proof: placed.awaits.is_some(),
        sealed_with: placed.sealed_with,
        probe: placed.examination.as_ref().map(|tried| found(tried, &placed.destination, caller.grant.role)),
    };
    shown(&api, &account, Naming::Hidden, Some(done)).await
}

/// Remove the destination: nothing is delivered until another is set. The watermark stays.
#[utoipa::path(delete, path = "/accounts/{account}/destination", operation_id = "deleteDestination", tag = "destination", params(AccountPath, IfMatch),
    responses((status = 204)))]
async fn delete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let seen = Seen::of(&headers)?;
    api.admin.ledger.revision(&account).await?;
    api.admin.remove_destination(&caller.by(seen.expected()?), &account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The token that stands in the owner's bucket.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProofToken {
    /// The token.
    #[schema(value_type = String)]
    token: zeroize::Zeroizing<String>,
}

/// Prove that a destination is one's own, with the token that was written there.
#[utoipa::path(post, path = "/accounts/{account}/destination/proof", operation_id = "proveDestination", tag = "destination", params(AccountPath), request_body = ProofToken,
    responses((status = 200, body = DestinationView)))]
async fn prove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    Body(body): Body<ProofToken>,
) -> Result<Response, Problem> {
    let token = Secret::new(body.token.trim().to_owned());
    match api.admin.prove(&caller.by(None), &account, &token).await? {
        Proof::Given { .. } => shown(&api, &account, Naming::Hidden, None).await,
        Proof::Wrong { left } => Err(Problem::wrong_proof(left)),
        Proof::Late => Err(Problem::late_proof()),
        Proof::NotAwaited => Err(Problem::no_proof_awaited()),
    }
}

/// What a trial has found, for somebody of a role: files and variables of the worker are the operator's.
fn found(examined: &Examination, destination: &Destination, role: Role) -> ProbeResult {
    let mut result = ProbeResult::from(examined);
    if role != Role::Operator {
        result.hide(destination);
    }
    result
}

/// Why a destination was not set, with the steps of its trial.
fn refused(error: PlaceError, role: Role) -> Problem {
    let probe = match &error {
        PlaceError::Fails(failed) => Some(found(&failed.1, &failed.0, role)),
        _ => None,
    };
    Problem::from(error).probed(probe)
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    use Permission as P;
    let of = |permission| Guard::Account(permission);
    OpenApiRouter::new()
        .merge(api.guarded(of(P::ReadAccounts), routes!(get)))
        .merge(api.guarded(of(P::ManageDestination), routes!(put, delete)))
        .merge(api.guarded(of(P::ManageDestination), routes!(prove)))
}
