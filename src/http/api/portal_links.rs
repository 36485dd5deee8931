//! `/accounts/{account}/portal-sessions`: links to the portal of one account, made by the vendor's backend or by support.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::document::AccountPath;
use super::idempotency::KeptBody;
use super::jobs::percent_encoded;
use super::problem::Problem;
use super::request::{Asked, Body, limit};
use crate::operations::portal::{CreatedLink, NewLink};
use auditferry_core::model::access::Permission;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::portal::PortalSession;

/// How many are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// How many: 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Make a link that opens the portal of an account once, for one person, with the capabilities that it names. The token
/// stands in the link's fragment. It is shown this once.
#[utoipa::path(post, path = "/accounts/{account}/portal-sessions", operation_id = "createPortalSession", tag = "portal", params(AccountPath), request_body = NewLink,
    responses((status = 201, body = CreatedLink, headers(("Location" = String)))))]
async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    Body(new): Body<NewLink>,
) -> Result<Response, Problem> {
    api.limits.portal_link(&account, api.admin.clock.now())?;
    let made = api.admin.create_portal_link(&caller.by(None), &api.entrance, &account, &new).await?;
    let place = percent_encoded(account.as_str());
    let location = format!("/api/v1/accounts/{place}/portal-sessions/{}", made.session.id);
    let mut response = (StatusCode::CREATED, [(header::LOCATION, location)], Json(&made)).into_response();
    // What is kept to be answered again has no token.
    let kept = CreatedLink { url: None, ..made };
    response.extensions_mut().insert(KeptBody(serde_json::to_vec(&kept).unwrap_or_default()));
    Ok(response)
}

/// List the links and sessions of an account's portal, the newest first, also those that ended in the last day.
#[utoipa::path(get, path = "/accounts/{account}/portal-sessions", operation_id = "listPortalSessions", tag = "portal", params(AccountPath, ListQuery),
    responses((status = 200, body = Vec<PortalSession>)))]
async fn list(
    State(api): State<Api>,
    Path(account): Path<AccountId>,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<Vec<PortalSession>>, Problem> {
    Ok(Json(api.admin.portal_sessions(&account, limit(query.limit)?).await?))
}

/// Revoke a link or a session of an account's portal: from the next request on it opens nothing.
#[utoipa::path(delete, path = "/accounts/{account}/portal-sessions/{session}", operation_id = "revokePortalSession", tag = "portal", params(AccountPath, ("session" = String, Path)),
    responses((status = 204)))]
async fn revoke(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((account, session)): Path<(AccountId, String)>,
) -> Result<StatusCode, Problem> {
    api.admin.revoke_portal_session(&caller.by(None), &account, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    let guard = Guard::Account(Permission::ManagePortal);
    OpenApiRouter::new()
        .merge(api.guarded(guard, routes!(create, list)))
        .merge(api.guarded(guard, routes!(revoke)))
}
