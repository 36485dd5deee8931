//! A store: a bucket that takes an object under a key once. Providers do
//! nothing else; retries and time limits stand outside them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::destination::{Destination, Place};
use crate::failpoint::point;
use crate::protocol::{Attempt, Verdict, judge};
use crate::secrets::{Opened, SecretError};
use crate::window::ObjectKey;

mod azure;
mod error;
mod connection_string;
mod gcs;
pub mod memory;
mod s3;
mod shared_key;

use error::root_cause;
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

/// The store's word that *this* request created the object. Only a provider
/// makes one, and only after a 2xx answer.
#[derive(Debug)]
pub struct Created(());

/// A bucket that creates objects and never replaces one.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates the object, once, with a single request and no retry.
    ///
    /// # Errors
    /// [`PutErrorKind`] says what the caller can do.
    async fn put(&self, object: &Object) -> Result<Created, PutError>;
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
        Ok(Created(())) => return Outcome::Delivered(Receipt { attempt }),
        Err(error) => (error.kind.answer(), error),
    };
    match judge(answer, attempt.doubtful) {
        Verdict::Delivered => Outcome::Delivered(Receipt { attempt }),
        Verdict::Foreign => Outcome::Foreign(attempt, error),
        Verdict::Open => Outcome::Failed(attempt, error),
    }
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
        "destination.credentials: \"ambient\" is not allowed for this account; \
         the operator adds its id to credentials.allow_ambient, or the customer gives an access key"
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

/// Opens the one store of a destination: reads its secrets, checks their form,
/// sends nothing. `opened` holds its sealed secrets; `allow_ambient` says whether the operator allows the worker's
/// own identity for the account; `timeout` bounds each put.
///
/// # Errors
/// When a secret is missing or malformed.
pub async fn open(
    destination: &Destination,
    opened: &Opened,
    allow_ambient: bool,
    timeout: Duration,
) -> Result<Arc<dyn Store>, OpenError> {
    let provider: Arc<dyn Store> = match &destination.place {
        Place::S3(place) => Arc::new(s3::S3Store::open(place, opened, allow_ambient).await?),
        Place::Gcs(place) => Arc::new(gcs::GcsStore::open(place, opened).await?),
        Place::Azure(place) => Arc::new(azure::AzureStore::open(place, opened, destination.allow_http)?),
    };
    Ok(Arc::new(Bounded { store: provider, timeout }))
}

/// Bounds each put in time. An answer that comes too late is unknown, not failed.
struct Bounded {
    store: Arc<dyn Store>,
    timeout: Duration,
}

#[async_trait]
impl Store for Bounded {
    async fn put(&self, object: &Object) -> Result<Created, PutError> {
        point!("put.before", |message: String| PutError::new(PutErrorKind::Unreachable, message));
        let answer = match tokio::time::timeout(self.timeout, self.store.put(object)).await {
            Ok(answer) => answer,
            Err(_) => Err(PutError::new(
                PutErrorKind::Unknown,
                format!("no answer within {} s", self.timeout.as_secs_f32()),
            )),
        };
        point!("put.after", |message: String| PutError::new(PutErrorKind::Unknown, message));
        answer
    }
}
