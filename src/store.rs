//! A store: a bucket that takes an object under a key once. Providers do
//! nothing else; retries and time limits stand outside them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::base::failpoint::point;
use crate::secrets::{Opened, SecretError};
use auditferry_core::archive::CONTENT_SHA256;
use auditferry_core::model::destination::{Destination, Place};
use auditferry_core::model::object_key::{ObjectKey, ProbeKey};
use auditferry_core::protocol::{Attempt, Sight, Verdict, judge, judge_sight};

mod azure;
mod bearer;
mod certificate;
mod clock;
mod connection_string;
mod created;
mod dial;
mod entra;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod foreign;
mod gcs;
mod impersonation;
pub mod memory;
mod own;
mod s3;
mod sas;
mod service_account;
mod shared_key;
mod token;

pub use created::Created;
pub use dial::{Dialer, DialerError, Proxy};
pub use error::{PutError, PutErrorKind};

/// An object as it is put: everything in memory, so that one request carries it.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its name.
    pub key: ObjectKey,
    /// Its bytes.
    pub body: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// Names in kebab-case and values; a provider that knows no `-` in names writes `_`.
    pub metadata: Vec<(&'static str, String)>,
}

/// What the store shows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What stands in its metadata under [`CONTENT_SHA256`].
    pub content_sha256: Option<String>,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A bucket that creates objects and never replaces one.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates the object, once, with a single request and no retry.
    ///
    /// # Errors
    /// [`PutErrorKind`] says what the caller can do.
    async fn put(&self, object: &Object) -> Result<Created, PutError>;

    /// Looks at the object under a key, without its content. Asked only after a doubtful
    /// attempt; a destination need not allow it.
    ///
    /// # Errors
    /// [`PutErrorKind`], as for a put; [`PutErrorKind::NoSuchBucket`] when there is no
    /// object either, and [`PutErrorKind::Denied`] when it may not be seen.
    async fn look(&self, key: &ObjectKey) -> Result<Shown, PutError>;

    /// Has an access token, when the credentials are exchanged for one before anything is
    /// asked of the store; nothing when they are not.
    async fn sign_in(&self) -> Option<Result<(), PutError>> {
        None
    }

    /// Host and port of the store, to find out how far one gets.
    fn address(&self) -> Option<(String, u16)> {
        None
    }

    /// When its credentials end, where they say so themselves.
    fn credentials_end(&self) -> Option<Timestamp> {
        None
    }

    /// How far ahead the worker's clock was of the store's, at its last answer.
    fn clock_ahead(&self) -> Option<SignedDuration> {
        None
    }

    /// What of it would put objects under another key than the ledger says, and only its secrets show.
    fn misplaced(&self) -> Option<OpenError> {
        None
    }

    /// Removes the object of a probe, if that is allowed and this kind of store can.
    ///
    /// # Errors
    /// When it stays.
    async fn remove(&self, _probe: &ProbeKey) -> Result<(), PutError> {
        Err(PutError::new(PutErrorKind::Rejected, "the client for this kind of store removes nothing"))
    }
}

/// The proof that an object is in its bucket and that it is ours: what a commit
/// consumes. Only [`deliver`] makes one.
#[derive(Debug)]
pub struct Receipt {
    attempt: Attempt,
}

impl Receipt {
    /// The attempt that it answers.
    #[must_use]
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }
}

/// What became of a journalled attempt.
#[derive(Debug)]
pub enum Outcome {
    /// The object is there and ours.
    Delivered(Receipt),
    /// Somebody else's object stands under the key.
    Foreign(Attempt, PutError),
    /// The object is not there, or nobody knows.
    Failed(Attempt, PutError),
}

/// Makes a journalled attempt: puts create-only, once, and judges the answer.
pub async fn deliver(store: &dyn Store, attempt: Attempt, object: &Object) -> Outcome {
    let (answer, error) = match store.put(object).await {
        Ok(Created { .. }) => return Outcome::Delivered(Receipt { attempt }),
        Err(error) => (error.kind.answer(), error),
    };
    let (verdict, error) = match judge(answer, attempt.doubtful) {
        Verdict::Look => {
            let (sight, unseen) = sight(store.look(&object.key).await, object);
            (judge_sight(sight, attempt.number), unseen.unwrap_or(error))
        }
        verdict => (verdict, error),
    };
    match verdict {
        Verdict::Delivered => Outcome::Delivered(Receipt { attempt }),
        Verdict::Foreign => Outcome::Foreign(attempt, error),
        Verdict::Open | Verdict::Look => Outcome::Failed(attempt, error),
    }
}

/// What a look says, and why it failed.
///
/// The content's hash tells, not the object's: the wrapping may come from another
/// version of the compressor. A store that keeps no metadata is judged by the length.
fn sight(shown: Result<Shown, PutError>, object: &Object) -> (Sight, Option<PutError>) {
    let ours = match shown {
        Ok(Shown { content_sha256: Some(hash), .. }) => {
            object.metadata.iter().any(|(name, value)| *name == CONTENT_SHA256 && *value == hash)
        }
        Ok(Shown { content_sha256: None, bytes }) => u64::try_from(object.body.len()) == Ok(bytes),
        // The object is gone again, or it never was there: the next put says which.
        Err(error) if error.kind == PutErrorKind::NoSuchBucket => return (Sight::Unseen, Some(error)),
        // The put before it was answered, so its credentials and its bucket are right.
        Err(error) if error.kind.needs_customer() => return (Sight::Hidden, None),
        Err(error) => return (Sight::Unseen, Some(error)),
    };
    (if ours { Sight::Ours } else { Sight::Strangers }, None)
}

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
        if let Some((host, _)) = self.store.address() {
            clock::tell(self.store.clock_ahead(), &host);
        }
        point!("put.after", |message: String| PutError::new(PutErrorKind::Unknown, message));
        answer
    }

    async fn look(&self, key: &ObjectKey) -> Result<Shown, PutError> {
        in_time(self.timeout, self.store.look(key)).await
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

    fn misplaced(&self) -> Option<OpenError> {
        self.store.misplaced()
    }

    async fn remove(&self, probe: &ProbeKey) -> Result<(), PutError> {
        in_time(self.timeout, self.store.remove(probe)).await
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
    use super::memory::{Fault, MemoryStore};
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

    fn object(body: &str, hash: &str) -> Object {
        Object {
            key: ObjectKey::stored("audit/a/audit_a_20261121T040000Z.zip".to_owned()),
            body: Bytes::copy_from_slice(body.as_bytes()),
            content_type: "application/zip",
            metadata: vec![(CONTENT_SHA256, hash.to_owned())],
        }
    }

    async fn doubtful(store: &MemoryStore, object: &Object) -> Outcome {
        let attempt = Attempt { window: 1, ordinal: 1, number: 2, doubtful: true };
        deliver(store, attempt, object).await
    }

    #[tokio::test]
    async fn after_a_doubtful_attempt_the_content_tells_whose_an_object_is() {
        let store = MemoryStore::default();
        store.place(object("wrapped by another version", "aa"));
        assert!(matches!(doubtful(&store, &object("wrapped", "aa")).await, Outcome::Delivered(_)));
        let outcome = doubtful(&store, &object("wrapped", "bb")).await;
        assert!(matches!(outcome, Outcome::Foreign(_, error) if error.kind == PutErrorKind::Exists));
    }

    #[tokio::test]
    async fn without_a_hash_the_length_tells() {
        let store = MemoryStore::default();
        store.place(Object { metadata: Vec::new(), ..object("12345", "") });
        assert!(matches!(doubtful(&store, &object("54321", "aa")).await, Outcome::Delivered(_)));
        assert!(matches!(doubtful(&store, &object("longer", "aa")).await, Outcome::Foreign(..)));
    }

    #[tokio::test]
    async fn what_may_not_be_seen_is_ours_and_what_could_not_be_is_asked_again() {
        let store = MemoryStore::default();
        store.place(object("theirs", "aa"));
        store.fail_next(Fault::RefuseLook(PutErrorKind::Denied));
        assert!(matches!(doubtful(&store, &object("ours", "bb")).await, Outcome::Delivered(_)));
        store.fail_next(Fault::RefuseLook(PutErrorKind::Unavailable));
        let outcome = doubtful(&store, &object("ours", "bb")).await;
        assert!(matches!(outcome, Outcome::Failed(_, error) if error.kind == PutErrorKind::Unavailable));
        assert!(matches!(doubtful(&store, &object("ours", "bb")).await, Outcome::Foreign(..)));
    }
}
