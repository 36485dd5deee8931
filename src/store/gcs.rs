//! Google Cloud Storage, through Google's own crate.

use std::sync::Arc;

use async_trait::async_trait;
use google_cloud_auth::credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_gax::error::Error;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::Storage;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::token::{Tokens, send};
use super::{Created, Dialer, Object, OpenError, PutError, PutErrorKind, Shown, Store, host_and_port};
use super::{impersonation, own, service_account};
use crate::archive::CONTENT_SHA256;
use crate::cause::{find, root_cause};
use crate::destination::{Gcs, GcsCredentials, Impersonate};
use crate::secrets::{self, Opened};
use crate::window::{ObjectKey, ProbeKey};

/// What the token may do; the bucket's own policy narrows it to creating objects.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// The host of Google's own service.
const GOOGLE: &str = "storage.googleapis.com";

/// One bucket.
pub(super) struct GcsStore {
    client: Storage,
    bucket: String,
    endpoint: String,
    /// Absent where the client signs its own.
    tokens: Option<Arc<Tokens>>,
    /// As whom an object is removed, which Google's client does over gRPC only.
    credentials: Credentials,
    http: reqwest::Client,
}

/// As whom the client comes.
struct Access {
    credentials: Credentials,
    universe: Option<String>,
    tokens: Option<Arc<Tokens>>,
}

impl Access {
    /// Reads and tries a key; sends nothing, as the token is signed here.
    async fn by_key(text: &str) -> Result<Self, OpenError> {
        let key = service_account::parse(text)?;
        let universe = key.get("universe_domain").and_then(Value::as_str).map(str::to_owned);
        let credentials = service_account::credentials(key, SCOPE).await?;
        Ok(Self { credentials, universe, tokens: None })
    }

    fn by_tokens(tokens: Arc<Tokens>) -> Self {
        let credentials = Credentials::from(Bearer(Arc::clone(&tokens)));
        Self { credentials, universe: None, tokens: Some(tokens) }
    }

    async fn of(place: &Gcs, opened: &Opened, dialer: &Dialer) -> Result<Self, OpenError> {
        if place.credentials.are_the_workers() {
            own::google::check_endpoint(dialer, place.endpoint.as_deref())?;
        }
        match &place.credentials {
            GcsCredentials::ServiceAccount(key) => {
                Self::by_key(secrets::resolve(key, opened)?.expose()).await
            }
            GcsCredentials::Impersonate(Impersonate { service_account }) => {
                Ok(Self::by_tokens(Arc::new(impersonation::tokens(dialer, service_account, SCOPE)?)))
            }
            GcsCredentials::Ambient => Ok(Self::by_tokens(own::google::tokens(dialer, SCOPE)?)),
        }
    }
}

/// Gives our tokens to Google's client.
struct Bearer(Arc<Tokens>);

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bearer").finish_non_exhaustive()
    }
}

impl CredentialsProvider for Bearer {
    async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let token = self.0.get().await.map_err(|error| CredentialsError::from_source(false, error))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| CredentialsError::from_msg(false, "the token cannot stand in a header"))?;
        value.set_sensitive(true);
        let data = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        Ok(CacheableResource::New { entity_tag: EntityTag::new(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        Some("googleapis.com".to_owned())
    }
}

impl GcsStore {
    /// Reads the credentials; sends nothing.
    pub(super) async fn open(place: &Gcs, opened: &Opened, dialer: &Dialer) -> Result<Self, OpenError> {
        dialer.check_googles_client()?;
        let Access { credentials, universe, tokens } = Access::of(place, opened, dialer).await?;
        let mut builder = Storage::builder()
            .with_credentials(credentials.clone())
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
        let bucket = format!("projects/_/buckets/{}", place.bucket);
        Ok(Self { client, bucket, endpoint, tokens, credentials, http: dialer.http.clone() })
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
            Err(error) => {
                let error = put_error(&error);
                if let (Some(tokens), PutErrorKind::InvalidCredentials) = (&self.tokens, error.kind) {
                    tokens.forget();
                }
                Err(error)
            }
        }
    }

    async fn sign_in(&self) -> Option<Result<(), PutError>> {
        Some(self.tokens.as_ref()?.get().await.map(drop))
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

    async fn remove(&self, probe: &ProbeKey) -> Result<(), PutError> {
        let bucket = self.bucket.rsplit('/').next().unwrap_or_default();
        let url = object_url(&self.endpoint, bucket, probe.object())?;
        let headers = match self.credentials.headers(Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => data,
            Ok(CacheableResource::NotModified) => HeaderMap::new(),
            Err(error) => return Err(put_error(&Error::authentication(error))),
        };
        let answer = send(self.http.delete(url).headers(headers)).await.map_err(|error| {
            PutError::new(PutErrorKind::Unknown, format!("no answer from the store: {}", root_cause(&error)))
        })?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        let (code, message) = told(&answer.json().unwrap_or_default(), &answer.text());
        Err(PutError::from_status(answer.status, &code, &message))
    }

    fn address(&self) -> Option<(String, u16)> {
        host_and_port(&self.endpoint)
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
    if let Some(PutError { kind, message, retry_after }) = find(error) {
        return PutError { kind: *kind, message: message.clone(), retry_after: *retry_after };
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
    told(&json, body)
}

/// The reason and the message of an answer in JSON; without one, the text is the message.
fn told(json: &Value, body: &str) -> (String, String) {
    let text = |pointer| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let message = text("/error/message").unwrap_or_else(|| body.to_owned());
    (text("/error/errors/0/reason").unwrap_or_default(), message)
}

/// Where an object is in Google's JSON API.
fn object_url(endpoint: &str, bucket: &str, key: &ObjectKey) -> Result<Url, PutError> {
    let wrong = || PutError::new(PutErrorKind::Misconfigured, format!("{endpoint} is no base of a URL"));
    let mut url = Url::parse(endpoint).map_err(|_| wrong())?;
    let parts = ["storage", "v1", "b", bucket, "o", key.as_str()];
    url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(parts);
    Ok(url)
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
}
