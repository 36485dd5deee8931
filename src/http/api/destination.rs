//! `/accounts/{account}/destination`: where an account's objects go. Secrets are written, and never read.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::document::{AccountPath, IfMatch};
use super::problem::Problem;
use super::request::{Asked, Body, Seen, revised};
use crate::destinations::probe::UNHEARD;
use crate::ledger::Proof;
use crate::operations::destinations::{Placement, Placer, Replace, Test};
use crate::operations::given::{Given, Referring};
use crate::secrets::Secret;
use auditferry_core::model::access::{Permission, Role};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::Destination;

/// A destination as it is shown: without its secrets.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct DestinationView {
    /// The destination in force, in the form in which it is set; absent: there is none.
    #[schema(value_type = Option<Object>)]
    destination: Option<Value>,
    /// The fields in which it has secrets.
    secrets: Vec<&'static str>,
    /// When its credentials end, as far as that is known.
    credentials_end: Option<jiff::Timestamp>,
    /// A destination that waits for the proof of its owner.
    awaits_proof: Option<AwaitedView>,
}

/// A destination that waits for the proof of its owner.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct AwaitedView {
    /// The destination.
    #[schema(value_type = Object)]
    destination: Value,
    /// The object there in which the token stands.
    key: String,
    /// When the token expires.
    expires_at: jiff::Timestamp,
    /// How many wrong tokens may still come.
    tries_left: u32,
}

/// A destination's JSON with `true` in the place of each secret.
fn without_secrets(destination: &Destination) -> Value {
    fn hide(value: &mut Value, secrets: &[Value]) {
        if secrets.contains(value) {
            *value = serde_json::json!({ "set": true });
            return;
        }
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|value| hide(value, secrets)),
            Value::Array(items) => items.iter_mut().for_each(|value| hide(value, secrets)),
            _ => {}
        }
    }
    let references = destination.secrets();
    let secrets: Vec<Value> =
        references.iter().filter_map(|(_, secret)| serde_json::to_value(secret).ok()).collect();
    let mut value = serde_json::to_value(destination).unwrap_or(Value::Null);
    hide(&mut value, &secrets);
    value
}

async fn view(api: &Api, id: &AccountId) -> Result<DestinationView, Problem> {
    let ledger = &api.admin.ledger;
    let destination = ledger.destination(id).await?;
    let awaited = ledger.awaited_proof(id).await?;
    Ok(DestinationView {
        secrets: destination
            .as_ref()
            .map(|destination| destination.secrets().into_iter().map(|(field, _)| field).collect())
            .unwrap_or_default(),
        destination: destination.as_ref().map(without_secrets),
        credentials_end: ledger.credentials_end(id).await?,
        awaits_proof: awaited.map(|awaited| AwaitedView {
            destination: without_secrets(&awaited.destination),
            key: awaited.key,
            expires_at: awaited.expires_at,
            tries_left: awaited.tries_left,
        }),
    })
}

async fn shown(api: &Api, id: &AccountId, status: StatusCode) -> Result<Response, Problem> {
    let revision = api.admin.ledger.revision(id).await?;
    Ok(revised(status, revision, &view(api, id).await?))
}

/// Read where an account's objects go. Secrets are never shown.
#[utoipa::path(get, path = "/accounts/{account}/destination", operation_id = "getDestination", tag = "destination", params(AccountPath),
    responses((status = 200, body = DestinationView, headers(("ETag" = String)))))]
async fn get(State(api): State<Api>, Path(account): Path<AccountId>) -> Result<Response, Problem> {
    shown(&api, &account, StatusCode::OK).await
}

/// How a destination is set.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct SetQuery {
    /// Set it without trying it first. By default one that does not accept objects is not set.
    #[serde(default)]
    untested: bool,
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
    if !query.untested || given.destination.needs_proof() {
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
            replace: Replace::Everything,
            test: if query.untested { Test::Untried } else { Test::Tried },
        })
        .await?;
    let status = if placed.awaits.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    shown(&api, &account, status).await
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
    let again = "set the destination again, and another token is written";
    match api.admin.prove(&caller.by(None), &account, &token).await? {
        Proof::Given { .. } => shown(&api, &account, StatusCode::OK).await,
        Proof::Wrong { left } => {
            Err(Problem::invalid("token", format!("it is another one; {left} may still be tried")))
        }
        Proof::Late => Err(Problem::invalid("token", "it has expired").fix(again)),
        Proof::NotAwaited => {
            Err(Problem::new(StatusCode::CONFLICT, "no_proof_awaited", "no proof is awaited").fix(again))
        }
    }
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    use Permission as P;
    let of = |permission| Guard::Account(permission);
    OpenApiRouter::new()
        .merge(api.guarded(of(P::ReadAccounts), routes!(get)))
        .merge(api.guarded(of(P::ManageDestination), routes!(put, delete)))
        .merge(api.guarded(of(P::ManageDestination), routes!(prove)))
}

#[cfg(test)]
mod tests {
    use auditferry_core::model::destination::SecretRef;

    use super::*;

    #[test]
    fn no_secret_and_no_name_of_one_is_shown() {
        let json = r#"{"kind": "s3", "bucket": "acme-siem", "region": "eu-central-1",
            "credentials": {"access_key": {"id": "AKIAIOSFODNN7EXAMPLE", "secret": {"env": "THE_VARIABLE"}}}}"#;
        let destination: Destination = serde_json::from_str(json).expect("destination");
        assert!(matches!(destination.secrets()[0].1, SecretRef::Env(_)));
        let shown = without_secrets(&destination).to_string();
        assert!(shown.contains("AKIAIOSFODNN7EXAMPLE") && shown.contains(r#"{"set":true}"#), "{shown}");
        assert!(!shown.contains("THE_VARIABLE"), "{shown}");
    }
}
