//! `/accounts/{account}/add-on`: the paid add-on of an account, and its end.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::document::{AccountPath, IfMatch};
use super::problem::Problem;
use super::request::{Body, Seen, revised};
use auditferry_core::model::access::Permission;
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::instant;
use auditferry_core::model::start::Start;

/// Read the paid add-on of an account.
#[utoipa::path(get, path = "/accounts/{account}/add-on", operation_id = "getAddOn", tag = "accounts", params(AccountPath),
    responses((status = 200, body = AddOn, headers(("ETag" = String)))))]
async fn get(State(api): State<Api>, Path(account): Path<AccountId>) -> Result<Response, Problem> {
    let revision = api.admin.ledger.revision(&account).await?;
    Ok(revised(StatusCode::OK, revision, &api.admin.ledger.account(&account).await?.addon))
}

/// What the add-on is to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAddOn {
    /// Whether it is on.
    enabled: bool,
    /// When it ends, in whole seconds; absent: it has no end.
    #[serde(default, deserialize_with = "instant::optional")]
    #[schema(value_type = Option<Timestamp>)]
    until: Option<Timestamp>,
    /// Why, for the next person who looks.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    reason: Option<String>,
    /// `now`: what was not delivered until now is skipped, which is recorded as a gap.
    #[serde(default)]
    #[schema(value_type = Option<From>)]
    from: Option<Start>,
}

/// From where an enabled add-on goes on.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its description is used")]
pub(super) enum From {
    /// From now.
    Now,
}

/// Switch the paid add-on, and set its end.
#[utoipa::path(put, path = "/accounts/{account}/add-on", operation_id = "putAddOn", tag = "accounts", params(AccountPath, IfMatch), request_body = NewAddOn,
    responses((status = 200, body = AddOn)))]
async fn put(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    headers: HeaderMap,
    Body(body): Body<NewAddOn>,
) -> Result<Response, Problem> {
    let expects = Seen::of(&headers)?.expected()?;
    let reason = body.reason.as_deref().map(auditferry_core::model::actor::words).transpose();
    let reason = reason.map_err(|problem| Problem::invalid("reason", problem))?;
    let addon = AddOn { enabled: body.enabled, until: body.until, reason };
    let account_now =
        api.admin.set_addon(&caller.by(expects), &account, &AddOnChange::Declared(addon), body.from).await?;
    Ok(revised(StatusCode::OK, api.admin.ledger.revision(&account).await?, &account_now.addon))
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(api.guarded(Guard::Account(Permission::ReadAccounts), routes!(get)))
        .merge(api.guarded(Guard::Account(Permission::ManageAddOns), routes!(put)))
}
