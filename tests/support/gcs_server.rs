//! Google's JSON API as far as it is needed: one multipart upload, one look, signed
//! tokens, `ifGenerationMatch=0`, and the checksum. What is stored can be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use auditferry_core::model::destination::{Gcs, GcsCredentials};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{google_tokens, secret};

const EMAIL: &str = "exporter@acme.iam.gserviceaccount.com";
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// An object as it was stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub body: Bytes,
    pub content_type: String,
    pub metadata: BTreeMap<String, String>,
}

/// A running server; clones are the same one.
#[derive(Clone)]
pub struct GcsServer {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    buckets: Mutex<BTreeSet<String>>,
    create_only: Mutex<BTreeSet<String>>,
    objects: Mutex<BTreeMap<(String, String), Stored>>,
}

/// The service account's key pair, and one that Google does not know.
struct Keys {
    known: KeyPair,
    foreign: KeyPair,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    let generate = || KeyPair::generate(KeySize::Rsa2048).expect("key");
    KEYS.get_or_init(|| Keys { known: generate(), foreign: generate() })
}

fn service_account(key: &KeyPair) -> String {
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(key).expect("PKCS #8");
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        BASE64_STANDARD
            .encode(der.as_ref())
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect::<Vec<_>>()
            .join("\n")
    );
    json!({
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "0123456789abcdef",
        "private_key": pem,
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    })
    .to_string()
}

/// The JSON key of the service account that the server knows.
pub fn known_key() -> String {
    service_account(&keys().known)
}

/// The JSON key of the same account, signed with a key that the server does not know.
pub fn foreign_key() -> String {
    service_account(&keys().foreign)
}

impl GcsServer {
    /// Starts a server on a free port of loopback; it lives as long as the runtime.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let server = Self { address: listener.local_addr().expect("address"), inner: Arc::default() };
        let routes = Router::new()
            .route("/upload/storage/v1/b/{bucket}/o", post(upload))
            .route("/storage/v1/b/{bucket}/o/{key}", get(describe).delete(remove))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .layer(axum::middleware::map_response(named))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        server
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates a bucket, and says how to reach it with a key.
    pub fn bucket(&self, name: &str, key: &str) -> Gcs {
        self.inner.buckets.lock().unwrap().insert(name.to_owned());
        Gcs {
            bucket: name.to_owned(),
            endpoint: Some(self.url()),
            credentials: GcsCredentials::ServiceAccount(secret(key)),
        }
    }

    /// A bucket that lets objects be created and not removed.
    pub fn create_only_bucket(&self, name: &str, key: &str) -> Gcs {
        self.inner.create_only.lock().unwrap().insert(name.to_owned());
        self.bucket(name, key)
    }

    /// What is stored under a key.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Stored> {
        self.inner.objects.lock().unwrap().get(&(bucket.to_owned(), key.to_owned())).cloned()
    }

    /// All keys of a bucket, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let objects = self.inner.objects.lock().unwrap();
        objects.keys().filter(|(of, _)| of == bucket).map(|(_, key)| key.clone()).collect()
    }
}

async fn upload(
    State(server): State<GcsServer>,
    Path(bucket): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match authorised(&headers) {
        Err(problem) => {
            return refuse(StatusCode::UNAUTHORIZED, "authError", &format!("Invalid Credentials: {problem}"));
        }
        Ok(who) if who == google_tokens::READER => {
            let words = format!(
                "{who} does not have storage.objects.create access to the Google Cloud Storage object."
            );
            return refuse(StatusCode::FORBIDDEN, "forbidden", &words);
        }
        Ok(_) => {}
    }
    if !server.inner.buckets.lock().unwrap().contains(&bucket) {
        return refuse(StatusCode::NOT_FOUND, "notFound", "The specified bucket does not exist.");
    }
    if query.get("uploadType").map(String::as_str) != Some("multipart") {
        return refuse(StatusCode::BAD_REQUEST, "invalid", "only single multipart uploads are known here");
    }
    let Some((resource, media)) = parts(&headers, &body) else {
        return refuse(StatusCode::BAD_REQUEST, "parseError", "two parts are needed: metadata and media");
    };
    let checksum = BASE64_STANDARD.encode(crc32c::crc32c(&media).to_be_bytes());
    if resource["crc32c"] != Value::String(checksum) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid",
            "Provided CRC32C doesn't match calculated CRC32C.",
        );
    }
    let Some(name) = query.get("name").cloned() else {
        return refuse(StatusCode::BAD_REQUEST, "required", "name is missing");
    };
    let mut objects = server.inner.objects.lock().unwrap();
    let place = (bucket.clone(), name.clone());
    match query.get("ifGenerationMatch").map(String::as_str) {
        Some("0") if objects.contains_key(&place) => {
            return refuse(
                StatusCode::PRECONDITION_FAILED,
                "conditionNotMet",
                "At least one of the pre-conditions you specified did not hold.",
            );
        }
        Some("0") => {}
        _ => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "required",
                "a put without ifGenerationMatch=0 is a mistake here",
            );
        }
    }
    let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
    let metadata = serde_json::from_value(resource["metadata"].clone()).unwrap_or_default();
    let size = media.len().to_string();
    objects.insert(place, Stored { body: media, content_type: text("contentType"), metadata });
    axum::Json(json!({ "kind": "storage#object", "bucket": bucket, "name": name, "generation": "1",
        "crc32c": resource["crc32c"], "size": size }))
    .into_response()
}

/// What describes an object.
async fn describe(
    State(server): State<GcsServer>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(problem) = authorised(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "authError", &format!("Invalid Credentials: {problem}"));
    }
    let Some(stored) = server.object(&bucket, &key) else {
        return refuse(StatusCode::NOT_FOUND, "notFound", "No such object");
    };
    let Stored { body, content_type, metadata } = stored;
    axum::Json(json!({ "kind": "storage#object", "bucket": bucket, "name": key, "generation": "1",
        "size": body.len().to_string(), "contentType": content_type, "metadata": metadata }))
    .into_response()
}

async fn remove(
    State(server): State<GcsServer>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let who = match authorised(&headers) {
        Ok(who) => who,
        Err(problem) => {
            return refuse(StatusCode::UNAUTHORIZED, "authError", &format!("Invalid Credentials: {problem}"));
        }
    };
    if server.inner.create_only.lock().unwrap().contains(&bucket) {
        let words =
            format!("{who} does not have storage.objects.delete access to the Google Cloud Storage object.");
        return refuse(StatusCode::FORBIDDEN, "forbidden", &words);
    }
    match server.inner.objects.lock().unwrap().remove(&(bucket, key)) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => refuse(StatusCode::NOT_FOUND, "notFound", "No such object"),
    }
}

/// The two parts of a `multipart/related` body.
fn parts(headers: &HeaderMap, body: &Bytes) -> Option<(Value, Bytes)> {
    let content_type = headers.get("content-type")?.to_str().ok()?;
    let boundary = content_type.strip_prefix("multipart/related; boundary=")?;
    let delimiter = format!("--{boundary}");
    let find = |from: usize, what: &[u8]| {
        body.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| from + at)
    };
    let part = |from: usize| -> Option<(Bytes, usize)> {
        let start = find(from, delimiter.as_bytes())? + delimiter.len();
        let content = find(start, b"\r\n\r\n")? + 4;
        let end = find(content, format!("\r\n{delimiter}").as_bytes())?;
        Some((body.slice(content..end), end))
    };
    let (resource, end) = part(0)?;
    let (media, _) = part(end)?;
    Some((serde_json::from_slice(&resource).ok()?, media))
}

/// Who asks.
fn authorised(headers: &HeaderMap) -> Result<String, String> {
    let token = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.strip_prefix("Bearer "))
        .ok_or("no bearer token")?;
    match google_tokens::for_storage(token) {
        Some(who) => Ok(who),
        None => signed_for(token, SCOPE).map(|()| EMAIL.to_owned()),
    }
}

/// Checks a token as Google does one that a service account signed itself.
pub fn signed_for(token: &str, scope: &str) -> Result<(), String> {
    let (signed, signature) = token.rsplit_once('.').ok_or("not a JWT")?;
    let (header, claims) = signed.split_once('.').ok_or("not a JWT")?;
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string());
    let read = |text: &str| -> Result<Value, String> {
        serde_json::from_slice(&decode(text)?).map_err(|error| error.to_string())
    };
    if read(header)?["alg"] != "RS256" {
        return Err("alg is not RS256".to_owned());
    }
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, keys().known.public_key().as_ref())
        .verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| "the signature is not of the known key")?;
    let claims = read(claims)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").as_secs();
    let second = |name: &str| claims[name].as_u64().ok_or_else(|| format!("no {name}"));
    if !(second("iat")?..second("exp")?).contains(&now) {
        return Err("expired".to_owned());
    }
    if claims["iss"] != EMAIL || claims["sub"] != EMAIL || claims["scope"] != scope {
        return Err("iss, sub or scope is wrong".to_owned());
    }
    Ok(())
}

/// Gives a request its id, as Google does.
async fn named(mut answer: Response) -> Response {
    let id = format!("upload-{}", uuid::Uuid::new_v4().simple());
    answer.headers_mut().insert("x-guploader-uploadid", id.parse().expect("a header"));
    answer
}

fn refuse(status: StatusCode, reason: &str, message: &str) -> Response {
    let error = json!({ "code": status.as_u16(), "message": message, "errors": [{ "reason": reason, "message": message }] });
    (status, axum::Json(json!({ "error": error }))).into_response()
}
