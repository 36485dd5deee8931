//! Google Cloud Storage, through Google's own crate.

use async_trait::async_trait;
use google_cloud_auth::credentials::Credentials;
use google_cloud_auth::credentials::service_account::{AccessSpecifier, Builder};
use google_cloud_gax::error::Error;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::Storage;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::{Created, Dialer, Object, OpenError, PutError, PutErrorKind, Shown, Store, host_and_port};
use crate::archive::CONTENT_SHA256;
use crate::cause::root_cause;
use crate::destination::{Gcs, GcsCredentials};
use crate::secrets::{self, Opened};
use crate::window::ObjectKey;

/// What the token may do; the bucket's own policy narrows it to creating objects.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// The host of Google's own service.
const GOOGLE: &str = "storage.googleapis.com";

/// Where Google's own keys say that tokens are had, over the years. Nothing is sent there, as tokens are signed
/// here; but a key that names another place is nobody's honest key.
const TOKEN_URIS: [&str; 3] = [
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v4/token",
];

/// The members of a service-account key that signing needs.
const MEMBERS: [&str; 4] = ["client_email", "private_key", "private_key_id", "project_id"];

/// One bucket.
pub(super) struct GcsStore {
    client: Storage,
    bucket: String,
    endpoint: String,
}

impl GcsStore {
    /// Reads and tries the key; sends nothing, as the token is signed here.
    pub(super) async fn open(place: &Gcs, opened: &Opened, dialer: &Dialer) -> Result<Self, OpenError> {
        dialer.check_googles_client()?;
        let GcsCredentials::ServiceAccount(reference) = &place.credentials;
        let key = service_account(secrets::resolve(reference, opened)?.expose())?;
        let universe = key.get("universe_domain").and_then(Value::as_str).map(str::to_owned);
        let credentials = credentials(key).await?;
        let mut builder = Storage::builder()
            .with_credentials(credentials)
            .with_retry_policy(NeverRetry)
            .with_resumable_upload_threshold(usize::MAX);
        let domain = universe.as_deref().unwrap_or("googleapis.com");
        let endpoint = place.endpoint.clone().unwrap_or_else(|| format!("https://storage.{domain}"));
        if let Some(universe) = universe {
            named(dialer, &format!("https://storage.{universe}"), "credentials.service_account")?;
            builder = builder.with_universe_domain(universe);
        }
        if let Some(endpoint) = &place.endpoint {
            let endpoint = named(dialer, endpoint, "endpoint")?;
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        let client = builder.build().await.map_err(|error| OpenError::Malformed {
            field: "endpoint",
            problem: root_cause(&error),
            fix: "remove it for Google's own service, or write it as https://storage.example.com",
        })?;
        Ok(Self { client, bucket: format!("projects/_/buckets/{}", place.bucket), endpoint })
    }
}

/// Google's client resolves names itself, so whatever is not Google's own service has to
/// be named by the operator.
fn named(dialer: &Dialer, endpoint: &str, field: &'static str) -> Result<Url, OpenError> {
    let endpoint = dialer.endpoint(endpoint, field)?;
    let host = endpoint.host_str().unwrap_or_default();
    if host == GOOGLE || dialer.network.names(&endpoint) {
        return Ok(endpoint);
    }
    Err(OpenError::Malformed {
        field,
        problem: format!("it leads to {host}, which is not Google's own service"),
        fix: "use Google's own, or let the operator add the host to network.allow",
    })
}

#[async_trait]
impl Store for GcsStore {
    async fn put(&self, object: &Object) -> Result<Created, PutError> {
        let answer = self
            .client
            .write_object(&self.bucket, object.key.as_str(), object.body.clone())
            .set_if_generation_match(0_i64)
            .set_content_type(object.content_type)
            .set_metadata(object.metadata.iter().map(|(name, value)| (*name, value.as_str())))
            // Known before, it goes with the metadata, and Google refuses other bytes.
            .with_known_crc32c(crc32c::crc32c(&object.body))
            .send_unbuffered()
            .await;
        match answer {
            Ok(_) => Ok(Created(())),
            Err(error) => Err(put_error(&error)),
        }
    }

    async fn look(&self, key: &ObjectKey) -> Result<Shown, PutError> {
        // The crate shows metadata with a read only; the content is not waited for.
        let request = self.client.read_object(&self.bucket, key.as_str());
        let seen = request.send().await.map_err(|error| put_error(&error))?.object();
        Ok(Shown {
            content_sha256: seen.metadata.get(CONTENT_SHA256).cloned(),
            bytes: u64::try_from(seen.size).unwrap_or_default(),
        })
    }

    fn address(&self) -> Option<(String, u16)> {
        host_and_port(&self.endpoint)
    }
}

/// Checks the form of a service-account key, naming the member that is wrong and
/// never its value.
fn service_account(text: &str) -> Result<Value, OpenError> {
    let key: Value = serde_json::from_str(text).map_err(|error| {
        malformed(format!("it is not JSON (line {}, column {})", error.line(), error.column()))
    })?;
    let member = |name: &str| match key.get(name) {
        None => Err(malformed(format!("{name} is missing"))),
        Some(Value::String(text)) if text.trim().is_empty() => Err(malformed(format!("{name} is empty"))),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(malformed(format!("{name} is not a text"))),
    };
    if !key.is_object() {
        return Err(malformed("it is not a JSON object"));
    }
    if member("type")? != "service_account" {
        return Err(malformed("type is not \"service_account\""));
    }
    for name in MEMBERS {
        member(name)?;
    }
    if key.get("token_uri").is_some() {
        let uri = member("token_uri")?;
        let universe = key.get("universe_domain").and_then(Value::as_str);
        let universes = universe.map(|domain| format!("https://oauth2.{domain}/token"));
        if !TOKEN_URIS.contains(&uri) && universes.as_deref() != Some(uri) {
            return Err(malformed("token_uri does not lead to Google"));
        }
    }
    let pem = member("private_key")?.trim();
    if !(pem.starts_with("-----BEGIN PRIVATE KEY-----") && pem.ends_with("-----END PRIVATE KEY-----")) {
        return Err(malformed("private_key is not PEM of the form -----BEGIN PRIVATE KEY-----"));
    }
    if !member("client_email")?.contains('@') {
        return Err(malformed("client_email is not an e-mail address"));
    }
    Ok(key)
}

/// Credentials that sign their own tokens, tried once.
async fn credentials(key: Value) -> Result<Credentials, OpenError> {
    let credentials = Builder::new(key)
        .with_access_specifier(AccessSpecifier::from_scopes([SCOPE]))
        .build()
        .map_err(|_| malformed("Google's library cannot read it"))?;
    match credentials.headers(http::Extensions::new()).await {
        Ok(_) => Ok(credentials),
        Err(_) => Err(malformed("private_key is not an RSA key in PKCS #8")),
    }
}

fn malformed(problem: impl Into<String>) -> OpenError {
    OpenError::Malformed {
        field: "credentials.service_account",
        problem: problem.into(),
        fix: "download a JSON key of the service account from Google Cloud and give it unchanged",
    }
}

pub(super) fn put_error(error: &Error) -> PutError {
    if let Some(status) = error.http_status_code() {
        let (code, message) = words(error);
        let retry_after = error
            .http_headers()
            .and_then(|headers| headers.get("retry-after"))
            .and_then(|value| value.to_str().ok());
        let mut answer = PutError::from_status(status, &code, &message).retry_after(retry_after);
        if status == 403 && message.contains("storage.objects.delete") {
            // We only create: Google asks for the permission to delete when there is something to replace.
            answer.kind = PutErrorKind::Exists;
        } else if status < 300 {
            answer.kind = PutErrorKind::Unknown;
        }
        return answer;
    }
    let (kind, problem) = if error.is_connect() {
        (PutErrorKind::Unreachable, "cannot connect to the store")
    } else if error.is_authentication() && error.is_transient_and_before_rpc() {
        (PutErrorKind::Unreachable, "no token can be had")
    } else if error.is_authentication() {
        (PutErrorKind::InvalidCredentials, "no token can be had")
    } else if error.is_binding() {
        (PutErrorKind::Misconfigured, "the request cannot be made")
    } else {
        (PutErrorKind::Unknown, "no answer from the store")
    };
    PutError::new(kind, format!("{problem}: {}", root_cause(error)))
}

/// The service's own code and words, from its JSON or from its plain text.
fn words(error: &Error) -> (String, String) {
    if let Some(status) = error.status() {
        return (status.code.name().to_owned(), status.message.clone());
    }
    let body = error.http_payload().map(|bytes| Zeroizing::new(String::from_utf8_lossy(bytes).into_owned()));
    let body = body.as_deref().map_or("", String::as_str);
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |pointer| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let message = text("/error/message").unwrap_or_else(|| body.to_owned());
    (text("/error/errors/0/reason").unwrap_or_default(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> PutError {
        let mut headers = http::HeaderMap::new();
        headers.insert("retry-after", http::HeaderValue::from_static("4"));
        put_error(&Error::http(status, headers, bytes::Bytes::copy_from_slice(body.as_bytes())))
    }

    #[test]
    fn answers_have_their_kinds_and_words() {
        let body = r#"{"error":{"code":412,"message":"At least one of the pre-conditions you specified did not hold.","errors":[{"reason":"conditionNotMet"}]}}"#;
        let exists = answer(412, body);
        assert_eq!(exists.kind, PutErrorKind::Exists);
        assert!(exists.message.starts_with("HTTP 412 conditionNotMet: At least"), "{exists}");
        assert_eq!(answer(401, "Invalid Credentials").kind, PutErrorKind::InvalidCredentials);
        assert_eq!(answer(404, "Not Found").kind, PutErrorKind::NoSuchBucket);
        let slow = answer(429, "");
        assert_eq!(
            (slow.kind, slow.retry_after),
            (PutErrorKind::Throttled, Some(std::time::Duration::from_secs(4)))
        );
        assert_eq!(answer(503, "").kind, PutErrorKind::Unavailable);
    }

    #[test]
    fn a_creator_who_may_not_delete_learns_that_the_object_exists() {
        let no_delete =
            "acme@x.iam.gserviceaccount.com does not have storage.objects.delete access to the object.";
        assert_eq!(answer(403, no_delete).kind, PutErrorKind::Exists);
        let no_create =
            "acme@x.iam.gserviceaccount.com does not have storage.objects.create access to the bucket.";
        assert_eq!(answer(403, no_create).kind, PutErrorKind::Denied);
    }

    #[test]
    fn only_what_was_not_sent_is_unreachable() {
        let io = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(put_error(&Error::connect(io())).kind, PutErrorKind::Unreachable);
        assert_eq!(put_error(&Error::io(io())).kind, PutErrorKind::Unknown);
        assert_eq!(put_error(&Error::timeout(io())).kind, PutErrorKind::Unknown);
    }

    #[test]
    fn each_refusal_names_the_member_and_shows_no_secret() {
        let key = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
            let mut key = serde_json::json!({
                "type": "service_account", "project_id": "p", "private_key_id": "1", "client_email": "a@b.c",
                "private_key": "-----BEGIN PRIVATE KEY-----\nHUSH\n-----END PRIVATE KEY-----\n",
            });
            key.as_object_mut().map(change);
            key.to_string()
        };
        let remove = |name: &'static str| key(&move |members| drop(members.remove(name)));
        let set = |name: &'static str, value: Value| {
            key(&move |members| drop(members.insert(name.into(), value.clone())))
        };
        let cases = [
            ("{\"private_key\": \"HUSH".to_owned(), "it is not JSON (line 1"),
            ("[\"HUSH\"]".to_owned(), "it is not a JSON object"),
            (remove("type"), "type is missing"),
            (set("type", "authorized_user".into()), "type is not"),
            (remove("client_email"), "client_email is missing"),
            (set("client_email", "HUSH".into()), "client_email is not an e-mail"),
            (remove("private_key_id"), "private_key_id is missing"),
            (set("project_id", "".into()), "project_id is empty"),
            (set("private_key", "HUSH".into()), "private_key is not PEM"),
            (set("private_key", 1.into()), "private_key is not a text"),
            (set("token_uri", "https://evil.example/HUSH".into()), "token_uri does not lead to Google"),
            (
                set("token_uri", "https://oauth2.googleapis.com.evil.example/token".into()),
                "token_uri does not",
            ),
            (set("token_uri", "http://oauth2.googleapis.com/token".into()), "token_uri does not"),
            (set("token_uri", "http://169.254.169.254/".into()), "token_uri does not"),
            (set("token_uri", 1.into()), "token_uri is not a text"),
            (set("type", "external_account".into()), "type is not"),
            (set("type", "impersonated_service_account".into()), "type is not"),
        ];
        for (text, expected) in cases {
            let message =
                service_account(&text).err().unwrap_or_else(|| panic!("accepted: {expected}")).to_string();
            assert!(message.contains(expected), "{expected}: {message}");
            assert!(!message.contains("HUSH"), "{message}");
        }
        assert!(service_account(&key(&|_| ())).is_ok());
        assert!(service_account(&set("token_uri", TOKEN_URIS[0].into())).is_ok());
    }

    #[tokio::test]
    async fn a_key_that_cannot_sign_is_refused_when_it_is_opened() {
        let key = serde_json::json!({
            "type": "service_account", "project_id": "p", "private_key_id": "1", "client_email": "a@b.c",
            "private_key": "-----BEGIN PRIVATE KEY-----\nSFVTSA==\n-----END PRIVATE KEY-----\n",
        });
        let message = credentials(key).await.expect_err("refused").to_string();
        assert!(message.contains("private_key is not an RSA key"), "{message}");
    }
}
