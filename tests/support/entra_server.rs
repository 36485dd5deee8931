//! Microsoft Entra ID as far as it is needed: tokens for an application that proves itself by a
//! secret, by a signed assertion or by the word of a cluster, in the words of the real service. And a
//! front of Azurite that takes these tokens, as the real Blob Storage does; Azurite itself takes them
//! with TLS only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use axum::body::Bytes;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{azure_machine, azurite, serve_once};

pub const TENANT: &str = "00000000-1111-2222-3333-444444444444";
/// An application with the role that it needs.
pub const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
/// One whose tokens one test counts.
pub const COUNTED_CLIENT: &str = "33333333-2222-3333-4444-555555555555";
/// One without.
pub const CLIENT_WITHOUT_ROLE: &str = "99999999-2222-3333-4444-555555555555";
/// The one that trusts the cluster in which the worker's pod runs, known in both tenants.
pub const POD_CLIENT: &str = "55555555-2222-3333-4444-555555555555";
/// What the cluster says of the pod.
pub const POD_TOKEN: &str = "eyPodTokenThatNobodyMaySeeCANARY";
/// The worker's own tenant.
pub const VENDORS_TENANT: &str = "88888888-1111-2222-3333-444444444444";
/// The applications' client secret.
pub const SECRET: &str = "abc8Q~ClientSecretThatNobodyMaySeeCANARY";
/// One that was good until last year.
pub const EXPIRED_SECRET: &str = "old8Q~ClientSecretThatHasExpiredCANARY";
/// The application's key and certificate.
pub const CERTIFICATE: &str = include_str!("entra.pem");
/// A key and certificate that nobody knows.
pub const UNKNOWN_CERTIFICATE: &str = include_str!("entra_unknown.pem");

const SCOPE: &str = "https://storage.azure.com/.default";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What the server remembers.
#[derive(Default)]
struct State {
    /// Tokens with the application that has each.
    tokens: BTreeMap<String, String>,
    /// Assertions that were used: each is good once.
    assertions: BTreeSet<String>,
    /// How many tokens each application has asked for.
    asked: BTreeMap<String, u32>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

fn state<T>(with: impl FnOnce(&mut State) -> T) -> T {
    with(STATE.lock().unwrap().get_or_insert_default())
}

static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();

/// The base URL of the one server of this test binary; called within its runtime.
pub fn entra() -> String {
    serve_once(&ADDRESS, || {
        axum::Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route("/metadata/identity/oauth2/token", get(azure_machine::metadata))
            .route("/msi/token", get(azure_machine::app))
            .fallback(front)
            .layer(axum::extract::DefaultBodyLimit::disable())
    })
}

/// The server's URL, if it was started.
pub fn started() -> Option<String> {
    ADDRESS.get().map(|address| format!("http://{address}"))
}

/// A blob endpoint that takes tokens.
pub fn endpoint() -> String {
    format!("{}/{}", entra(), azurite::ACCOUNT)
}

/// How many tokens an application has asked for.
pub fn asked(client: &str) -> u32 {
    state(|state| state.asked.get(client).copied().unwrap_or_default())
}

/// Takes an application's tokens out of force, as when its sessions are revoked.
pub fn revoke(client: &str) {
    state(|state| state.tokens.retain(|_, of| of != client));
}

async fn token(Path(tenant): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if ![TENANT, VENDORS_TENANT].contains(&tenant.as_str()) {
        return refuse(
            400,
            "invalid_request",
            90002,
            &format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
            ),
        );
    }
    if field("grant_type") != "client_credentials" {
        return refuse(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.");
    }
    if field("scope") != SCOPE {
        return refuse(
            400,
            "invalid_scope",
            70011,
            "The provided request must include a 'scope' input parameter.",
        );
    }
    let client = field("client_id");
    count(client);
    let known = match tenant.as_str() {
        VENDORS_TENANT => &[POD_CLIENT][..],
        _ => &[CLIENT, COUNTED_CLIENT, CLIENT_WITHOUT_ROLE, POD_CLIENT],
    };
    if !known.contains(&client) {
        return refuse(
            400,
            "unauthorized_client",
            700016,
            &format!(
                "Application with identifier '{client}' was not found in the directory 'Acme'. This can happen if the application has not been installed by the administrator of the tenant."
            ),
        );
    }
    let proof = match (form.get("client_secret").map(String::as_str), form.get("client_assertion")) {
        (Some(SECRET), None) => Ok(()),
        (Some(EXPIRED_SECRET), None) => {
            return refuse(
                401,
                "invalid_client",
                7000222,
                &format!(
                    "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for your app."
                ),
            );
        }
        (Some(_), None) => {
            return refuse(
                401,
                "invalid_client",
                7000215,
                &format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
                ),
            );
        }
        (None, Some(assertion)) if client == POD_CLIENT => {
            if field("client_assertion_type") != ASSERTION || assertion != POD_TOKEN {
                return refuse(
                    401,
                    "invalid_client",
                    700213,
                    "No matching federated identity record found for presented assertion subject 'system:serviceaccount:other:worker'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.",
                );
            }
            Ok(())
        }
        (None, Some(assertion)) if field("client_assertion_type") == ASSERTION => {
            let host = headers["host"].to_str().unwrap();
            proven(assertion, client, &format!("http://{host}/{tenant}/oauth2/v2.0/token"))
        }
        _ => Err("neither a secret nor an assertion".to_owned()),
    };
    if let Err(problem) = proof {
        return refuse(
            401,
            "invalid_client",
            700027,
            &format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {problem}]"
            ),
        );
    }
    let token = issue(&tenant, client);
    axum::Json(json!({
        "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token,
    }))
    .into_response()
}

/// Notes that a token was asked for.
pub fn count(client: &str) {
    state(|state| *state.asked.entry(client.to_owned()).or_default() += 1);
}

/// A token of an application or a machine, for an hour.
pub fn issue(tenant: &str, client: &str) -> String {
    let now = now();
    // Not signed: Azurite looks at the claims, and our front at the whole.
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({ "alg": "RS256", "typ": "JWT" }));
    let claims = part(json!({
        "aud": "https://storage.azure.com", "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": now, "nbf": now, "exp": now + 3599, "appid": client, "jti": uuid(),
    }));
    let token = format!("{header}.{claims}.CANARYsignatureOfAToken");
    state(|state| state.tokens.insert(token.clone(), client.to_owned()));
    token
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").as_secs()
}

fn uuid() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Checks an assertion as Entra does.
fn proven(assertion: &str, client: &str, audience: &str) -> Result<(), String> {
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("key");
    let key = KeyPair::from_pkcs8(key.secret_der()).expect("key");
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("certificate");
    let (signed, signature) = assertion.rsplit_once('.').ok_or("not a JWT")?;
    let (header, claims) = signed.split_once('.').ok_or("not a JWT")?;
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string());
    let read = |text: &str| -> Result<Value, String> {
        serde_json::from_slice(&decode(text)?).map_err(|error| error.to_string())
    };
    let (header, claims) = (read(header)?, read(claims)?);
    if header["alg"] != "PS256" || header["typ"] != "JWT" {
        return Err("alg or typ is wrong".to_owned());
    }
    if header["x5t#S256"] != BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate)) {
        return Err("The key was not found.".to_owned());
    }
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.public_key().as_ref())
        .verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| "Client assertion contains an invalid signature.")?;
    if claims["aud"] != audience || claims["iss"] != client || claims["sub"] != client {
        return Err("aud, iss or sub is wrong".to_owned());
    }
    let second = |name: &str| claims[name].as_u64().ok_or_else(|| format!("no {name}"));
    if !(second("nbf")?..second("exp")?).contains(&now()) || second("exp")? > now() + 600 {
        return Err("not within its valid time range".to_owned());
    }
    let id = claims["jti"].as_str().ok_or("no jti")?;
    if !state(|state| state.assertions.insert(id.to_owned())) {
        return Err("it was used before".to_owned());
    }
    Ok(())
}

/// A refusal in the form of the real service.
fn refuse(status: u16, error: &str, code: u32, words: &str) -> Response {
    let body = json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {words} Trace ID: 55cc1d4e-0000 Correlation ID: 0e8f-0000 Timestamp: 2026-11-21 04:00:00Z"),
        "error_codes": [code], "timestamp": "2026-11-21 04:00:00Z", "trace_id": "55cc1d4e-0000",
        "correlation_id": "0e8f-0000", "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

/// Blob Storage: looks at the token, and lets Azurite do the rest with a signature of ours.
async fn front(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let token = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let client = token
        .and_then(|text| text.strip_prefix("Bearer "))
        .and_then(|token| state(|state| state.tokens.get(token).cloned()));
    match client.as_deref() {
        Some(client) if client != CLIENT_WITHOUT_ROLE => {}
        Some(_) => {
            return blob_error(
                403,
                "AuthorizationPermissionMismatch",
                "This request is not authorized to perform this operation using this permission.",
            );
        }
        None => {
            return blob_error(
                401,
                "InvalidAuthenticationInfo",
                "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
            );
        }
    }
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.expect("the body");
    let url = format!(
        "{}{}?{}",
        azurite::azurite().url(),
        head.uri.path(),
        azurite::account_sas("cw", azurite::KEY)
    );
    let mut headers = head.headers;
    for name in ["authorization", "host", "transfer-encoding"] {
        headers.remove(name);
    }
    let answer = reqwest::Client::new().request(head.method, url).headers(headers).body(body).send().await;
    let answer = answer.expect("azurite");
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    response.body(answer.bytes().await.expect("the body").into()).expect("an answer")
}

fn blob_error(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}\nRequestId:0</Message></Error>"
    );
    (StatusCode::from_u16(status).unwrap(), [("x-ms-error-code", code)], body).into_response()
}
