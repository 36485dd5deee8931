//! The services of a machine and of an app on Azure that give tokens of their identity, in the words
//! of the real ones. `entra_server.rs` serves them and takes the tokens.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::entra_server::{CLIENT_WITHOUT_ROLE, TENANT, count, issue};

/// The identity that the machine has itself.
pub const MACHINE: &str = "66666666-2222-3333-4444-555555555555";
/// One that was assigned to it, beside one without a role on any container.
pub const ASSIGNED: &str = "77777777-2222-3333-4444-555555555555";
/// What has to stand in the header where an app is asked.
pub const APP_HEADER: &str = "853b9a84CANARYheaderOfTheApp";

const RESOURCE: &str = "https://storage.azure.com/";

type Fields = BTreeMap<String, String>;

/// Whose token is asked for.
fn identity(query: &Fields) -> Option<&str> {
    let asked = query.get("client_id").map_or(MACHINE, String::as_str);
    count(asked);
    [MACHINE, ASSIGNED, CLIENT_WITHOUT_ROLE].contains(&asked).then_some(asked)
}

/// The metadata service of a virtual machine.
pub async fn metadata(headers: HeaderMap, Query(query): Query<Fields>) -> Response {
    let refuse = |error: &str, words: &str| {
        let body = json!({ "error": error, "error_description": words });
        (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
    };
    if headers.get("metadata").is_none_or(|value| value != "true") {
        return refuse("bad_request_102", "Required metadata header not specified");
    }
    if query.get("api-version").is_none_or(|version| version != "2018-02-01") {
        return refuse("bad_request_100", "The specified version of api-version is not supported");
    }
    if query.get("resource").is_none_or(|resource| resource != RESOURCE) {
        return refuse(
            "invalid_resource",
            "AADSTS500011: The resource principal was not found in the tenant.",
        );
    }
    let Some(client) = identity(&query) else {
        return refuse("invalid_request", "Identity not found");
    };
    let (token, now) = (issue(TENANT, client), jiff::Timestamp::now().as_second());
    axum::Json(json!({
        "access_token": token, "client_id": client, "expires_in": "3599",
        "expires_on": (now + 3599).to_string(), "ext_expires_in": "3599", "not_before": now.to_string(),
        "resource": RESOURCE, "token_type": "Bearer",
    }))
    .into_response()
}

/// The service beside an app, which tells the instant at which a token ends.
pub async fn app(headers: HeaderMap, Query(query): Query<Fields>) -> Response {
    let refuse = |words: &str| {
        (StatusCode::BAD_REQUEST, axum::Json(json!({ "statusCode": 400, "message": words }))).into_response()
    };
    if headers.get("x-identity-header").is_none_or(|value| value != APP_HEADER) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let known = |name: &str, value: &str| query.get(name).is_some_and(|given| given == value);
    if !known("api-version", "2019-08-01") || !known("resource", RESOURCE) {
        return refuse("The api-version or the resource is not supported.");
    }
    let Some(client) = identity(&query) else {
        return refuse(
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        );
    };
    let ends = jiff::Timestamp::now().as_second() + 3599;
    axum::Json(json!({
        "access_token": issue(TENANT, client), "client_id": client, "expires_on": ends.to_string(),
        "resource": RESOURCE, "token_type": "Bearer",
    }))
    .into_response()
}
