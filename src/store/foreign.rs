//! What customers and their stores give, as a fuzzer makes it: through the clients that
//! the worker has, with an HTTP connection that answers what it is told.
//!
//! Each function says whether what it got was accepted, and panics when a promise is broken.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::secrets::Secret;
use auditferry_core::model::destination::{
    AccessKey, Azure, AzureCredentials, Gcs, GcsCredentials, S3, S3Credentials, SealedId, SecretRef,
};
use auditferry_core::model::network::Network;
use bytes::Bytes;

/// What stands for a secret in the corpus.
const CANARY: &str = "HUSH";
/// More than any message needs.
const LONGEST_MESSAGE: usize = 1_200;

/// The headers that an answer may have.
const HEADERS: [&str; 13] = [
    "retry-after",
    "etag",
    "last-modified",
    "x-ms-blob-type",
    "content-type",
    "content-length",
    "x-amz-bucket-region",
    "x-ms-error-code",
    "x-amz-meta-auditferry-sha256",
    "x-ms-meta-auditferry_sha256",
    "x-amz-request-id",
    "x-amz-id-2",
    "x-ms-request-id",
];

/// A message can stand in one line of a log or a terminal.
pub(crate) fn check_message(message: &str) {
    assert!(message.chars().count() <= LONGEST_MESSAGE, "too long: {message}");
    assert!(!message.contains(char::is_control), "it holds a control character: {message:?}");
}

#[derive(Debug, Clone, Default)]
struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Response {
    /// `s3 403`, `azure 403` or `gcs 403`, lines of headers, an empty line, and the body.
    fn parse(data: &[u8]) -> Option<(&str, Self)> {
        let at = data.windows(2).position(|pair| pair == b"\n\n")?;
        let mut lines = std::str::from_utf8(&data[..at]).ok()?.lines();
        let (store, status) = lines.next()?.split_once(' ')?;
        let status = status.parse().ok().filter(|status| (200..600).contains(status))?;
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            let name = HEADERS.into_iter().find(|known| *known == name)?;
            http::HeaderValue::from_str(value).ok().map(|_| (name, value.to_owned()))
        };
        let headers = lines.map(header).collect::<Option<_>>()?;
        Some((store, Self { status, headers, body: Bytes::copy_from_slice(&data[at + 2..]) }))
    }
}

/// A connection on which every request gets the same answer.
#[derive(Debug, Clone, Default)]
struct Canned(Arc<Mutex<Response>>);

impl Canned {
    fn answer(&self) -> Response {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let Response { status, headers, body } = self.answer();
        let status = StatusCode::try_from(status).expect("a status");
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

#[async_trait]
impl HttpClient for Canned {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Response { status, headers, body } = self.answer();
        let mut all = Headers::new();
        for (name, value) in headers {
            all.insert(name, value);
        }
        Ok(AsyncRawResponse::from_bytes(status.into(), all, body))
    }
}

/// Stores behind one such connection.
struct Bed {
    runtime: Runtime,
    dialer: Dialer,
    canned: Canned,
}

thread_local! {
    static BED: Bed = Bed::new();
}

impl Bed {
    fn new() -> Self {
        let canned = Canned::default();
        let mut dialer =
            Dialer::new(Network::default(), Duration::from_secs(60), Proxy::None).expect("the TLS library");
        dialer.azure = Arc::new(canned.clone());
        let connector = SharedHttpConnector::new(canned.clone());
        dialer.s3 = http_client_fn(move |_, _| connector.clone());
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { runtime, dialer, canned }
    }

    fn open(&self, place: Place, secret: &str) -> Result<Arc<dyn Store>, OpenError> {
        let mut opened = Opened::default();
        opened.insert(secret_id(), Secret::new(secret.to_owned()));
        let destination = Destination {
            prefix: String::new(),
            allow_http: false,
            accept_overwrites: false,
            expires: None,
            place,
        };
        self.runtime.block_on(open(&destination, &opened, false, &self.dialer))
    }
}

fn secret_id() -> SealedId {
    SealedId("x".to_owned())
}

fn secret() -> SecretRef {
    SecretRef::Sealed(secret_id())
}

fn azure(credentials: AzureCredentials, endpoint: Option<&str>) -> Place {
    Place::Azure(Azure { container: "acme".into(), endpoint: endpoint.map(str::to_owned), credentials })
}

fn s3() -> Place {
    let key = AccessKey { id: "AKIAIOSFODNN7EXAMPLE".into(), secret: secret(), session_token: None };
    Place::S3(S3 {
        bucket: "acme".into(),
        region: "eu-central-1".into(),
        endpoint: None,
        path_style: None,
        sse_kms_key_id: None,
        expected_bucket_owner: None,
        storage_class: None,
        checksum: None,
        request_payer: None,
        acl: None,
        sse: None,
        credentials: S3Credentials::AccessKey(key),
    })
}

const BLOBS: &str = "https://acme.blob.core.windows.net";
const SAS: &str = "sv=2024-11-04&sr=c&sp=c&sig=x";

/// Opens a destination; what it says must not hold the canary, if that stood in secrets only.
fn opens(place: Place, text: &str, canary_is_secret: bool) -> bool {
    match BED.with(|bed| bed.open(place, text)) {
        Ok(_) => true,
        Err(error) => {
            let message = error.to_string();
            check_message(&message);
            assert!(!(canary_is_secret && message.contains(CANARY)), "it is echoed: {message}");
            false
        }
    }
}

/// A text as a connection string, and as a shared access signature.
pub fn azure_credentials(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    // A host, a suffix and a protocol are no secrets.
    let in_secrets = text.split(';').all(|part| {
        let (name, value) = part.split_once('=').unwrap_or(("accountkey", part));
        let name = name.trim().to_ascii_lowercase();
        matches!(name.as_str(), "accountkey" | "sharedaccesssignature") || !value.contains(CANARY)
    });
    let string = azure(AzureCredentials::ConnectionString(secret()), None);
    let sas = azure(AzureCredentials::Sas(secret()), Some(BLOBS));
    let string = opens(string, text, in_secrets);
    opens(sas, text, true) || string
}

/// A text as the JSON key of a service account.
pub fn service_account(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let in_secrets = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(mut key) => {
            key.as_object_mut().map(|members| members.remove("private_key"));
            !key.to_string().contains(CANARY)
        }
        Err(_) => true,
    };
    let place = Place::Gcs(Gcs {
        bucket: "acme".into(),
        endpoint: None,
        credentials: GcsCredentials::ServiceAccount(secret()),
    });
    opens(place, text, in_secrets)
}

/// An answer of one of the three stores to a put and to a look.
pub fn store_answer(data: &[u8]) -> bool {
    let Some((store, answer)) = Response::parse(data) else { return false };
    let success = (200..300).contains(&answer.status);
    let key = ObjectKey::stored("audit/a/audit_a_20261121T040000Z.zip".to_owned());
    let body = Bytes::from_static(b"x");
    let object = Object { key: key.clone(), body, content_type: "application/zip", metadata: Vec::new() };
    let (put, look) = match store {
        "gcs" => {
            let answer = googles_answer(&answer);
            let refused = || gcs::put_refusal(&answer);
            match success {
                true => (gcs::created(&answer, &object), gcs::shown(&answer, &key)),
                false => (Err(refused()), Err(refused())),
            }
        }
        "s3" | "azure" => BED.with(|bed| {
            *bed.canned.0.lock().unwrap_or_else(PoisonError::into_inner) = answer.clone();
            let store = STORES.with(|stores| stores[usize::from(store == "azure")].clone());
            let look = bed.runtime.block_on(store.head(&key));
            (bed.runtime.block_on(store.put(&object)), look)
        }),
        _ => return false,
    };
    if let Err(error) = &look {
        check_message(&error.to_string());
    }
    let Proof { put: proves, look: shows } = answer.proof(store);
    assert!(shows || look.is_err(), "seen without a word that only the store can say");
    match put {
        Ok(created) => {
            assert!(proves, "created without the store's proof");
            let ids = created.into_ids();
            [ids.version, ids.request_id].iter().flatten().for_each(|id| check_message(id));
            true
        }
        Err(error) => {
            check_message(&error.to_string());
            check_message(error.request_id.as_deref().unwrap_or_default());
            let refused = error.kind.answer() == auditferry_core::protocol::PutAnswer::Refused;
            assert!(!(success && refused), "a 2xx is taken for a refusal");
            false
        }
    }
}

/// Whether an answer proves that an object was put, and that one is there.
struct Proof {
    put: bool,
    look: bool,
}

impl Response {
    /// What the answer proves, found in another way than the clients do.
    fn proof(&self, store: &str) -> Proof {
        let given =
            |name: &str| self.headers.iter().any(|(known, value)| *known == name && !value.is_empty());
        let etag = given("etag");
        match store {
            "s3" => Proof { put: self.status == 200 && etag, look: self.status == 200 && etag },
            "azure" => Proof {
                put: self.status == 201 && etag && given("last-modified"),
                look: etag && given("x-ms-blob-type"),
            },
            _ => {
                let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
                let look = !json["generation"].is_null();
                let kept = json["size"] == "1" || json["size"] == 1 || !json["crc32c"].is_null();
                Proof { put: self.status == 200 && look && kept, look }
            }
        }
    }
}

thread_local! {
    static STORES: [Arc<dyn Store>; 2] = BED.with(|bed| {
        let azure = azure(AzureCredentials::Sas(secret()), Some(BLOBS));
        [bed.open(s3(), CANARY).expect("opens"), bed.open(azure, SAS).expect("opens")]
    });
}

fn googles_answer(answer: &Response) -> token::TokenResponse {
    let retry_after = answer.headers.iter().find(|(name, _)| *name == "retry-after");
    let body = String::from_utf8_lossy(&answer.body);
    token::TokenResponse::of(answer.status, &body).asking(retry_after.map(|(_, value)| value.clone()))
}
