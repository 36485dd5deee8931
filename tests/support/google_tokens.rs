//! Google's token services as far as they are needed: the metadata server of a machine, the token
//! exchange of workload identity federation, and tokens of other service accounts, in the words of the
//! real ones. `gcs_server.rs` takes the tokens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path as File;
use std::sync::{Mutex, OnceLock};

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{gcs_server, serve_once};

/// The worker's own service account.
pub const WORKER: &str = "worker@vendor.iam.gserviceaccount.com";
/// A customer's service account that lets the worker act as it.
pub const WRITER: &str = "writer@acme-siem.iam.gserviceaccount.com";
/// Another one, whose tokens one test counts.
pub const COUNTED: &str = "counted@acme-siem.iam.gserviceaccount.com";
/// One that does too, but may write to no bucket.
pub const READER: &str = "reader@acme-siem.iam.gserviceaccount.com";
/// One that does not.
pub const CLOSED: &str = "closed@acme-siem.iam.gserviceaccount.com";
/// Where the pool of the federation is.
pub const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/workers/providers/cluster";
/// What the worker's platform says that it is.
pub const SUBJECT: &str = "eyPlatformTokenThatNobodyMaySeeCANARY";
/// What a token may do.
pub const STORAGE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Whose a token is, and what it may do.
#[derive(Debug, Clone)]
struct Grant {
    who: String,
    scope: String,
}

static TOKENS: Mutex<BTreeMap<String, Grant>> = Mutex::new(BTreeMap::new());
/// Who was asked for a token of whom, in order.
static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();

/// The base URL of the one server of this test binary; called within its runtime.
pub fn google() -> String {
    serve_once(&ADDRESS, || {
        axum::Router::new()
            .route("/computeMetadata/v1/instance/service-accounts/default/token", get(metadata))
            .route("/v1/token", post(exchange))
            .route("/v1/projects/-/serviceAccounts/{method}", post(impersonate))
    })
}

/// The server's URL, if it was started.
pub fn started() -> Option<String> {
    ADDRESS.get().map(|address| format!("http://{address}"))
}

/// The operator's configuration of a workload identity federation, with the platform's token in a
/// file; `service_account`: as whom the worker then acts.
pub fn external_account(subject: &File, service_account: Option<&str>) -> String {
    let mut configuration = json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", google()),
        "credential_source": {
            "file": subject, "format": { "type": "json", "subject_token_field_name": "token" },
        },
    });
    if let Some(email) = service_account {
        configuration["service_account_impersonation_url"] =
            format!("{}/v1/projects/-/serviceAccounts/{email}:generateAccessToken", google()).into();
    }
    configuration.to_string()
}

/// Whose token it is, if it is one for Cloud Storage.
pub fn for_storage(token: &str) -> Option<String> {
    grant(token).filter(|grant| grant.scope == STORAGE).map(|grant| grant.who)
}

/// How often a service account's token was asked for.
pub fn asked(who: &str) -> usize {
    ASKED.lock().unwrap().iter().filter(|asked| *asked == who).count()
}

/// Takes the tokens of somebody out of force.
pub fn revoke(who: &str) {
    TOKENS.lock().unwrap().retain(|_, grant| grant.who != who);
}

fn grant(token: &str) -> Option<Grant> {
    TOKENS.lock().unwrap().get(token).cloned()
}

fn issue(who: &str, scope: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let token = format!("ya29.{}.CANARYsignatureOfAToken", NEXT.fetch_add(1, Ordering::Relaxed));
    let grant = Grant { who: who.to_owned(), scope: scope.to_owned() };
    TOKENS.lock().unwrap().insert(token.clone(), grant);
    token
}

async fn metadata(headers: HeaderMap, Query(query): Query<BTreeMap<String, String>>) -> Response {
    if headers.get("metadata-flavor").is_none_or(|value| value != "Google") {
        return (StatusCode::FORBIDDEN, "Missing Metadata-Flavor:Google header.\n").into_response();
    }
    ASKED.lock().unwrap().push(WORKER.to_owned());
    let scope = query.get("scopes").map(String::as_str).unwrap_or_default();
    axum::Json(json!({ "access_token": issue(WORKER, scope), "expires_in": 3599, "token_type": "Bearer" }))
        .into_response()
}

async fn exchange(body: Bytes) -> Response {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let refuse = |error: &str, words: &str| {
        let body = json!({ "error": error, "error_description": words });
        (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
    };
    if field("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange"
        || field("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token"
        || field("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt"
    {
        return refuse("invalid_request", "Invalid grant or token type");
    }
    if field("audience") != AUDIENCE {
        let words = "The target service indicated by the \"audience\" parameters is invalid. This might either be \
                     because the pool or provider is disabled or deleted or because it doesn't exist.";
        return refuse("invalid_target", words);
    }
    if field("subject_token") != SUBJECT {
        return refuse("invalid_grant", "The issuer in ID Token does not match the expected one.");
    }
    if ![STORAGE, PLATFORM].contains(&field("scope")) {
        return refuse("invalid_scope", "Invalid OAuth scope or ID token audience provided.");
    }
    axum::Json(json!({
        "access_token": issue("principal://the-pool", field("scope")), "expires_in": 3599,
        "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }))
    .into_response()
}

async fn impersonate(Path(method): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let refuse = |status: u16, name: &str, message: &str, reason: &str| {
        let details = json!([{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason }]);
        let error =
            json!({ "error": { "code": status, "message": message, "status": name, "details": details } });
        (StatusCode::from_u16(status).unwrap(), axum::Json(error)).into_response()
    };
    let Some(account) = method.strip_suffix(":generateAccessToken") else {
        return refuse(404, "NOT_FOUND", "Method not found.", "");
    };
    ASKED.lock().unwrap().push(account.to_owned());
    let token = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = token.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
    // A service account's key signs its own.
    let signed = gcs_server::signed_for(token, PLATFORM).map(|()| WORKER.to_owned()).ok();
    let caller = grant(token).filter(|grant| grant.scope == PLATFORM).map(|grant| grant.who).or(signed);
    let Some(caller) = caller else {
        let words = "Request had invalid authentication credentials. Expected OAuth 2 access token.";
        return refuse(401, "UNAUTHENTICATED", words, "ACCESS_TOKEN_TYPE_UNSUPPORTED");
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let known = [json!([STORAGE]), json!([PLATFORM])].contains(&body["scope"]);
    if !known || body["lifetime"] != "3600s" || headers["content-type"] != "application/json" {
        return refuse(400, "INVALID_ARGUMENT", "Request contains an invalid argument.", "");
    }
    let trusts = match account {
        WRITER | READER | COUNTED => caller == WORKER,
        WORKER => caller == "principal://the-pool",
        _ => false,
    };
    if !trusts {
        let words =
            "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).";
        return refuse(403, "PERMISSION_DENIED", words, "IAM_PERMISSION_DENIED");
    }
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3600);
    let token = issue(account, body["scope"][0].as_str().unwrap());
    axum::Json(json!({ "accessToken": token, "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() }))
        .into_response()
}
