//! A store: a bucket that takes an object under a key once. Providers do
//! nothing else; retries and time limits stand outside them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::base::failpoint::point;
use crate::secrets::{Opened, SecretError};
use auditferry_core::model::destination::{Destination, Place};
use auditferry_core::model::object_key::{ObjectKey, OwnKey};
use auditferry_core::refusal::Refusal;
use auditferry_core::store::{Created, Object, ObjectHead, PutError, PutErrorKind, Store};

mod azure;
mod clock;
mod dial;
#[cfg(any(test, fuzzing))]
pub(crate) mod foreign;
mod gcs;
mod worker_identity;
mod s3;
mod token;

pub use dial::{Dialer, DialerError, Proxy};

/// Why a destination cannot be opened; the message never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A secret is not of the form that its kind has.
    #[error("destination.{field}: {problem}; {fix}")]
    Malformed {
        /// The field's name.
        field: &'static str,
        /// What is wrong, without the secret.
        problem: String,
        /// What to do about it.
        fix: &'static str,
    },
    /// The operator has not allowed the worker's own identity for this account.
    #[error(
        "destination.credentials: the worker's own identity is not allowed for this account; \
         the operator adds its id to credentials.allow_ambient, or the customer gives credentials of their own"
    )]
    AmbientNotAllowed,
    /// A secret would put objects under other keys than the ledger says.
    #[error(transparent)]
    Misplaced(#[from] Refusal),
}

impl OpenError {
    /// Whether trying again may help: a sealed secret's key was out of reach.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Secret(SecretError::Sealed { passes: true, .. }))
    }
}

/// Opens the one store of a destination: reads its secrets, checks their form and where
/// its endpoint leads, sends nothing. `opened` holds its sealed secrets; `allow_ambient`
/// says whether the operator allows the worker's own identity for the account.
///
/// # Errors
/// When a secret is missing or malformed, or the endpoint may not be dialled.
pub async fn open(
    destination: &Destination,
    opened: &Opened,
    allow_ambient: bool,
    dialer: &Dialer,
) -> Result<Arc<dyn Store>, OpenError> {
    if destination.needs_proof() && !allow_ambient {
        return Err(OpenError::AmbientNotAllowed);
    }
    let provider: Arc<dyn Store> = match &destination.place {
        Place::S3(place) => Arc::new(s3::S3Store::open(place, opened, dialer).await?),
        Place::Gcs(place) => Arc::new(gcs::GcsStore::open(place, opened, dialer).await?),
        Place::Azure(place) => {
            Arc::new(azure::AzureStore::open(place, opened, destination.allow_http, dialer)?)
        }
    };
    Ok(Arc::new(Bounded { store: provider, timeout: dialer.timeout }))
}

/// Bounds each request in time. An answer that comes too late is unknown, not failed.
struct Bounded {
    store: Arc<dyn Store>,
    timeout: Duration,
}

#[async_trait]
impl Store for Bounded {
    async fn put(&self, object: &Object) -> Result<Created, PutError> {
        point!("put.before", |message: String| PutError::new(PutErrorKind::Unreachable, message));
        let answer = in_time(self.timeout, self.store.put(object)).await;
        told("put", object.key.as_str(), answer.as_ref().err());
        if let Some((host, _)) = self.store.address() {
            clock::tell(self.store.clock_ahead(), &host);
        }
        point!("put.after", |message: String| PutError::new(PutErrorKind::Unknown, message));
        answer
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectHead, PutError> {
        let answer = in_time(self.timeout, self.store.head(key)).await;
        told("head", key.as_str(), answer.as_ref().err());
        answer
    }

    async fn sign_in(&self) -> Option<Result<(), PutError>> {
        self.store.sign_in().await
    }

    fn address(&self) -> Option<(String, u16)> {
        self.store.address()
    }

    fn credentials_end(&self) -> Option<Timestamp> {
        self.store.credentials_end()
    }

    fn clock_ahead(&self) -> Option<SignedDuration> {
        self.store.clock_ahead()
    }

    fn misplaced(&self) -> Option<Refusal> {
        self.store.misplaced()
    }

    async fn get(&self, key: &OwnKey) -> Result<Bytes, PutError> {
        let answer = in_time(self.timeout, self.store.get(key)).await;
        told("get", key.object().as_str(), answer.as_ref().err());
        answer
    }

    async fn remove(&self, key: &OwnKey) -> Result<(), PutError> {
        let answer = in_time(self.timeout, self.store.remove(key)).await;
        told("remove", key.object().as_str(), answer.as_ref().err());
        answer
    }
}

/// The bytes of an object, which must be as many as the store says.
fn whole_answer(body: Bytes, whole: Option<usize>) -> Result<Bytes, PutError> {
    match whole {
        Some(whole) if whole == body.len() => Ok(body),
        _ => Err(PutError::new(
            PutErrorKind::Unknown,
            format!("{} bytes came of an object that has {}", body.len(), whole.unwrap_or_default()),
        )),
    }
}

/// What a store answered, at level debug.
fn told(request: &str, key: &str, refused: Option<&PutError>) {
    match refused {
        None => tracing::debug!(request, key, "the store has answered"),
        Some(error) => {
            tracing::debug!(request, key, kind = error.kind.as_str(), error = %error, "the store has refused");
        }
    }
}

/// Host and port of a URL with or without a port.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let uri: http::Uri = url.parse().ok()?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    Some((uri.host()?.trim_matches(['[', ']']).to_owned(), port))
}

async fn in_time<T>(
    timeout: Duration,
    request: impl Future<Output = Result<T, PutError>>,
) -> Result<T, PutError> {
    match tokio::time::timeout(timeout, request).await {
        Ok(answer) => answer,
        Err(_) => {
            Err(PutError::new(PutErrorKind::Unknown, format!("no answer within {} s", timeout.as_secs_f32())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auditferry_core::model::destination::{S3, S3Credentials};
    use auditferry_core::model::network::Network;

    #[tokio::test]
    async fn the_workers_own_identity_must_be_allowed() {
        let dialer = Dialer::new(Network::default(), Duration::from_secs(1), Proxy::None).expect("dialer");
        let place = Place::S3(S3 {
            bucket: "acme".into(),
            region: "us-east-1".into(),
            endpoint: None,
            path_style: None,
            sse_kms_key_id: None,
            expected_bucket_owner: None,
            storage_class: None,
            checksum: None,
            request_payer: None,
            acl: None,
            sse: None,
            credentials: S3Credentials::Ambient,
        });
        let destination = Destination {
            prefix: String::new(),
            allow_http: false,
            accept_overwrites: false,
            expires: None,
            place,
        };
        assert!(matches!(
            open(&destination, &Opened::default(), false, &dialer).await.err(),
            Some(OpenError::AmbientNotAllowed)
        ));
        assert!(open(&destination, &Opened::default(), true, &dialer).await.is_ok());
    }
}
