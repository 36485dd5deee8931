//! What belongs to no account: the status of everything, tokens, and the ids of sealing keys.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::idempotency::KeptBody;
use super::problem::Problem;
use super::request::Body;
use crate::destinations::vault::KeyState;
use crate::operations::status::Status;
use crate::operations::tokens::{CreatedToken, NewToken, TokenHolder};
use auditferry_core::model::access::Permission;
use auditferry_core::model::token::ApiToken;

/// One look at everything: accounts by health, what fails and what to do, what ends soon, who works.
#[utoipa::path(get, path = "/status", operation_id = "getStatus", tag = "installation",
    responses((status = 200, body = Status)))]
async fn status(State(api): State<Api>) -> Result<Json<Status>, Problem> {
    Ok(Json(api.admin.status().await?))
}

/// List tokens, the newest first. Their secrets are with their holders alone.
#[utoipa::path(get, path = "/tokens", operation_id = "listTokens", tag = "installation",
    responses((status = 200, body = Vec<ApiToken>)))]
async fn tokens(State(api): State<Api>) -> Result<Json<Vec<ApiToken>>, Problem> {
    Ok(Json(api.admin.tokens().await?))
}

/// Make a token. Its secret is shown this once.
#[utoipa::path(post, path = "/tokens", operation_id = "createToken", tag = "installation", request_body = NewToken,
    responses((status = 201, body = CreatedToken)))]
async fn create_token(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewToken>,
) -> Result<Response, Problem> {
    let created = api.admin.create_token(&caller.by(None), &new).await?;
    let location = format!("/api/v1/tokens/{}", created.token.id);
    let mut response = (StatusCode::CREATED, [(header::LOCATION, location)], Json(&created)).into_response();
    // What is kept to be answered again has no secret.
    let kept = CreatedToken { secret: None, token: created.token };
    response.extensions_mut().insert(KeptBody(serde_json::to_vec(&kept).unwrap_or_default()));
    Ok(response)
}

/// Revoke a token: from the next request on it opens nothing.
#[utoipa::path(delete, path = "/tokens/{token}", operation_id = "revokeToken", tag = "installation", params(("token" = String, Path)),
    responses((status = 204)))]
async fn revoke_token(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
) -> Result<StatusCode, Problem> {
    api.admin.revoke_token(&caller.by(None), &token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the keys that seal secrets: their ids and use, never the keys.
#[utoipa::path(get, path = "/keys", operation_id = "listKeys", tag = "installation",
    responses((status = 200, body = Vec<KeyState>)))]
async fn keys(State(api): State<Api>) -> Result<Json<Vec<KeyState>>, Problem> {
    Ok(Json(api.vault.states().await?))
}

/// Tell who the holder of this token is. Its secret is never told.
#[utoipa::path(get, path = "/token", operation_id = "getToken", tag = "installation",
    responses((status = 200, body = TokenHolder)))]
async fn token(Extension(caller): Extension<Caller>) -> Json<TokenHolder> {
    Json(caller.holder)
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    use Permission as P;
    OpenApiRouter::new()
        .merge(api.guarded(Guard::Anybody, routes!(token)))
        .merge(api.guarded(Guard::Installation(P::ReadStatus), routes!(status)))
        .merge(api.guarded(Guard::Installation(P::ManageTokens), routes!(tokens, create_token)))
        .merge(api.guarded(Guard::Installation(P::ManageTokens), routes!(revoke_token)))
        .merge(api.guarded(Guard::Installation(P::ManageTokens), routes!(keys)))
}
