//! A store: a bucket that takes an object under a key once. Providers do
//! nothing else; retries and time limits stand outside them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::destination::{Destination, Place};
use crate::failpoint::point;
use crate::protocol::{Answer, Attempt, Verdict, judge};
use crate::secrets::SecretError;
use crate::window::ObjectKey;

mod azure;
mod connection_string;
mod gcs;
pub mod memory;
mod s3;
mod shared_key;

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

/// What a failed put means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutErrorKind {
    /// An object already stands under the key.
    Exists,
    /// Another request for the key is under way.
    Conflict,
    /// The store asks to slow down; this request was not carried out.
    Throttled,
    /// The credentials are wrong or may not create the object.
    Denied,
    /// There is no such bucket or container.
    NoSuchBucket,
    /// The store refuses the request as it is, whoever asks.
    Rejected,
    /// The request did not reach the store.
    Unreachable,
    /// The request may or may not have been carried out.
    Unknown,
    /// The destination cannot be used as configured: a secret is missing or malformed.
    Misconfigured,
}

impl PutErrorKind {
    const ALL: [Self; 9] = [
        Self::Exists,
        Self::Conflict,
        Self::Throttled,
        Self::Denied,
        Self::NoSuchBucket,
        Self::Rejected,
        Self::Unreachable,
        Self::Unknown,
        Self::Misconfigured,
    ];

    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name in the ledger, the metrics and the listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Conflict => "conflict",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::NoSuchBucket => "no_such_bucket",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// What the person who owns the destination must do, if anything.
    #[must_use]
    pub fn fix(self) -> &'static str {
        match self {
            Self::Exists => "find out who writes under audit/ in this bucket, and remove or move the object",
            Self::Conflict | Self::Throttled | Self::Unknown => "nothing: it is tried again",
            Self::Denied => {
                "give the credentials permission to create objects, or give credentials that have it"
            }
            Self::NoSuchBucket => "create the bucket, or correct its name in the destination",
            Self::Rejected => "correct the destination as the message says",
            Self::Unreachable => "check the endpoint, DNS and firewall between the worker and the store",
            Self::Misconfigured => "correct the destination's credentials",
        }
    }
}

impl PutErrorKind {
    /// The kind of an HTTP answer; `code` is the cloud's own error code.
    ///
    /// A 5xx says nothing about whether the object was created, but 501 says that the
    /// store does not know the request. A 404 on a put means the bucket; a 409 means
    /// that another request for the key runs, unless the code says that the object exists.
    #[must_use]
    pub fn from_status(status: u16, code: &str) -> Self {
        match (status, code) {
            (412, _) | (409, "BlobAlreadyExists") | (403, "UnauthorizedBlobOverwrite") => Self::Exists,
            (404, _) => Self::NoSuchBucket,
            (409, _) => Self::Conflict,
            (401 | 403, _) => Self::Denied,
            (429, _) | (503, "SlowDown" | "ServerBusy") => Self::Throttled,
            (501, _) => Self::Rejected,
            (408 | 500..=599, _) => Self::Unknown,
            _ => Self::Rejected,
        }
    }

    /// What the protocol makes of it.
    #[must_use]
    pub fn answer(self) -> Answer {
        match self {
            Self::Exists => Answer::Exists,
            Self::Unknown => Answer::Unknown,
            Self::Conflict
            | Self::Throttled
            | Self::Denied
            | Self::NoSuchBucket
            | Self::Rejected
            | Self::Unreachable
            | Self::Misconfigured => Answer::Refused,
        }
    }

    /// Whether trying again soon can help, or the customer must act first.
    #[must_use]
    pub fn needs_customer(self) -> bool {
        matches!(self, Self::Denied | Self::NoSuchBucket | Self::Rejected | Self::Misconfigured)
    }
}

/// Longest part of a store's message that is kept.
const MAX_MESSAGE_CHARS: usize = 300;

/// A put that did not create the object.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PutError {
    /// What the caller can do about it.
    pub kind: PutErrorKind,
    /// What the store said, without secrets.
    pub message: String,
    /// How long the store asks to wait.
    pub retry_after: Option<Duration>,
}

impl PutError {
    /// An error of a kind with the store's words.
    pub fn new(kind: PutErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// Sorts an HTTP answer into its kind; `code` is the cloud's own error code.
    ///
    /// Of the message only the first line is kept: what follows may quote the request.
    #[must_use]
    pub fn from_status(status: u16, code: &str, message: &str) -> Self {
        let kind = PutErrorKind::from_status(status, code);
        let code = if code.is_empty() { String::new() } else { format!(" {code}") };
        let message: String = message
            .trim()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_end()
            .chars()
            .take(MAX_MESSAGE_CHARS)
            .collect();
        let message = if message.is_empty() { message } else { format!(": {message}") };
        Self::new(kind, format!("HTTP {status}{code}{message}"))
    }

    /// With the wait that the store asks for: the value of `Retry-After`, if it is in seconds.
    #[must_use]
    fn retry_after(mut self, header: Option<&str>) -> Self {
        self.retry_after = header.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        self
    }
}

/// The innermost cause of an error: the outer ones name the request, whose URL may
/// carry a signature.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    without_queries(&cause.to_string())
}

/// The text with the query of every URL taken out.
fn without_queries(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut in_query = false;
    for c in text.chars() {
        in_query = if in_query { !(c.is_whitespace() || "\"')>".contains(c)) } else { c == '?' };
        if !in_query {
            clean.push(c);
        }
    }
    clean
}

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

/// Opens the one store of a destination: reads its secrets, checks their form,
/// sends nothing. `allow_ambient` says whether the operator allows the worker's
/// own identity for the account; `timeout` bounds each put.
///
/// # Errors
/// When a secret is missing or malformed.
pub async fn open(
    destination: &Destination,
    allow_ambient: bool,
    timeout: Duration,
) -> Result<Arc<dyn Store>, OpenError> {
    let provider: Arc<dyn Store> = match &destination.place {
        Place::S3(place) => Arc::new(s3::S3Store::open(place, allow_ambient).await?),
        Place::Gcs(place) => Arc::new(gcs::GcsStore::open(place).await?),
        Place::Azure(place) => Arc::new(azure::AzureStore::open(place)?),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_what_the_caller_can_do() {
        let kind = |status, code| PutError::from_status(status, code, "").kind;
        assert_eq!(kind(412, "PreconditionFailed"), PutErrorKind::Exists);
        assert_eq!(kind(409, "BlobAlreadyExists"), PutErrorKind::Exists);
        assert_eq!(kind(409, "ConditionalRequestConflict"), PutErrorKind::Conflict);
        assert_eq!(kind(404, "NoSuchBucket"), PutErrorKind::NoSuchBucket);
        assert_eq!(kind(403, "AccessDenied"), PutErrorKind::Denied);
        assert_eq!(kind(503, "SlowDown"), PutErrorKind::Throttled);
        assert_eq!(kind(503, ""), PutErrorKind::Unknown);
        assert_eq!(kind(503, "ServiceUnavailable"), PutErrorKind::Unknown);
        assert_eq!(kind(501, "NotImplemented"), PutErrorKind::Rejected);
        assert_eq!(kind(403, "UnauthorizedBlobOverwrite"), PutErrorKind::Exists);
        assert_eq!(kind(500, "InternalError"), PutErrorKind::Unknown);
        assert_eq!(kind(400, "InvalidRequest"), PutErrorKind::Rejected);
    }
    #[test]
    fn only_the_first_line_of_a_stores_message_is_kept() {
        let error = PutError::from_status(403, "AuthenticationFailed", "no\nString to sign used was PUT");
        assert_eq!(error.to_string(), "HTTP 403 AuthenticationFailed: no");
        assert_eq!(PutError::from_status(500, "", "").to_string(), "HTTP 500");
        assert!(PutError::from_status(500, "", &"x".repeat(9999)).to_string().len() < 400);
    }

    #[test]
    fn the_cause_of_an_error_holds_no_query() {
        let inner = std::io::Error::other("for url (https://a.example/c/k?sig=SECRET&se=1) refused");
        let outer = std::io::Error::other(inner);
        assert_eq!(root_cause(&outer), "for url (https://a.example/c/k) refused");
    }

    #[test]
    fn only_seconds_are_taken_from_retry_after() {
        let wait = |text| PutError::from_status(503, "SlowDown", "").retry_after(text).retry_after;
        assert_eq!(wait(Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(Some("Fri, 31 Dec 1999 23:59:59 GMT")), None);
        assert_eq!(wait(None), None);
    }
}
