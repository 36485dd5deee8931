//! `/sessions`: who is signed in with a browser, and ending that.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::problem::Problem;
use auditferry_core::model::access::Permission;
use auditferry_core::model::session::Session;

/// List sessions of browsers, the newest first, also those that ended in the last day.
#[utoipa::path(get, path = "/sessions", operation_id = "listSessions", tag = "installation",
    responses((status = 200, body = Vec<Session>)))]
async fn list(State(api): State<Api>) -> Result<Json<Vec<Session>>, Problem> {
    Ok(Json(api.admin.sessions().await?))
}

/// End a session: from the next request on it opens nothing.
#[utoipa::path(delete, path = "/sessions/{session}", operation_id = "revokeSession", tag = "installation", params(("session" = String, Path)),
    responses((status = 204)))]
async fn revoke(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    api.admin.revoke_session(&caller.by(None), &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    let guard = Guard::Installation(Permission::ManageTokens);
    OpenApiRouter::new().merge(api.guarded(guard, routes!(list))).merge(api.guarded(guard, routes!(revoke)))
}
