//! Why a put did not create its object, and what the caller can do about it.

use std::time::Duration;

use super::ids::kept;
use crate::protocol::PutAnswer;
use crate::text::one_line::one_line;

/// Error codes of S3 and Azure which say that the credentials are not in force,
/// whatever HTTP status they come with.
const CREDENTIAL_CODES: [&str; 10] = [
    "AuthenticationFailed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidAuthenticationInfo",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidToken",
    "NoAuthenticationInformation",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// What a failed put means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutErrorKind {
    /// An object already stands under the key.
    Exists,
    /// Another request for the key is under way.
    Conflict,
    /// The store asks to slow down; this request was not carried out.
    Throttled,
    /// The store does not know the credentials, or they have expired.
    InvalidCredentials,
    /// The credentials may not create the object.
    Denied,
    /// The worker's clock is wrong, and so are the signatures that it makes.
    Clock,
    /// There is no such bucket or container.
    NoSuchBucket,
    /// The store refuses the request as it is, whoever asks.
    Rejected,
    /// The request did not reach the store.
    Unreachable,
    /// The store says that it failed; the request may have been carried out all the same.
    Unavailable,
    /// No answer came; the request may or may not have been carried out.
    Unknown,
    /// The destination cannot be used as configured: a secret is missing or malformed.
    Misconfigured,
}

impl PutErrorKind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Exists,
        Self::Conflict,
        Self::Throttled,
        Self::InvalidCredentials,
        Self::Denied,
        Self::Clock,
        Self::NoSuchBucket,
        Self::Rejected,
        Self::Unreachable,
        Self::Unavailable,
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
            Self::InvalidCredentials => "invalid_credentials",
            Self::Denied => "denied",
            Self::Clock => "clock",
            Self::NoSuchBucket => "no_such_bucket",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// What the person who owns the destination must do, if anything.
    #[must_use]
    pub fn fix(self) -> &'static str {
        match self {
            Self::Exists => "find out who writes under audit/ in this bucket, and remove or move the object",
            Self::Conflict | Self::Throttled | Self::Unavailable | Self::Unknown => {
                "nothing: it is tried again"
            }
            Self::InvalidCredentials => {
                "give valid credentials: these were deleted, rotated or mistyped, or have expired"
            }
            Self::Denied => {
                "let the credentials create objects under the prefix: deploy/iam has the policy for each cloud"
            }
            Self::Clock => {
                "for those who run the worker: set the clock of its machine right (NTP); nothing has to be done at the \
                 destination"
            }
            Self::NoSuchBucket => "create the bucket, or correct its name in the destination",
            Self::Rejected => "correct the destination as the message says",
            Self::Unreachable => "check the endpoint, DNS and firewall between the worker and the store",
            Self::Misconfigured => "correct the destination's credentials",
        }
    }

    /// The kind of an HTTP answer; `code` is the cloud's own error code.
    ///
    /// A 5xx says nothing about whether the object was created, but 501 says that the
    /// store does not know the request. A 404 on a put means the bucket; a 409 means
    /// that another request for the key runs, unless the code says that the object exists.
    #[must_use]
    pub fn from_status(status: u16, code: &str) -> Self {
        match (status, code) {
            (412, _) | (409, "BlobAlreadyExists") | (403, "UnauthorizedBlobOverwrite") => Self::Exists,
            // Azure and Google look at a hold or a retention before the condition; only an object has them.
            (409, "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold") => Self::Exists,
            (403, "retentionPolicyNotMet" | "objectUnderActiveHold") => Self::Exists,
            (401, _) => Self::InvalidCredentials,
            (_, code) if CREDENTIAL_CODES.contains(&code) => Self::InvalidCredentials,
            (404, _) => Self::NoSuchBucket,
            (409, _) => Self::Conflict,
            (403, _) => Self::Denied,
            (429, _) | (503, "SlowDown" | "ServerBusy") => Self::Throttled,
            (501, _) => Self::Rejected,
            (408, _) => Self::Unknown,
            (500..=599, _) => Self::Unavailable,
            _ => Self::Rejected,
        }
    }

    /// Whether less should go to the endpoint for a while: it says so, or it does not answer.
    #[must_use]
    pub fn is_slow(self) -> bool {
        matches!(self, Self::Throttled | Self::Unreachable | Self::Unavailable | Self::Unknown)
    }

    /// What the protocol makes of it.
    #[must_use]
    pub fn answer(self) -> PutAnswer {
        match self {
            Self::Exists => PutAnswer::Exists,
            Self::Unavailable | Self::Unknown => PutAnswer::Unknown,
            Self::Conflict
            | Self::Throttled
            | Self::InvalidCredentials
            | Self::Denied
            | Self::Clock
            | Self::NoSuchBucket
            | Self::Rejected
            | Self::Unreachable
            | Self::Misconfigured => PutAnswer::Refused,
        }
    }

    /// Whether trying again soon can help, or the customer must act first.
    #[must_use]
    pub fn needs_customer(self) -> bool {
        matches!(
            self,
            Self::InvalidCredentials
                | Self::Denied
                | Self::NoSuchBucket
                | Self::Rejected
                | Self::Misconfigured
        )
    }
}

/// Longest part of a store's message that is kept.
const MAX_MESSAGE_CHARS: usize = 300;

/// Longest error code that is kept; those of the clouds have up to 50 characters.
const MAX_CODE_CHARS: usize = 100;

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
    /// The store's id of the request, if it answered.
    pub request_id: Option<String>,
}

impl PutError {
    /// An error of a kind with the store's words.
    pub fn new(kind: PutErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, request_id: None }
    }

    /// Sorts an HTTP answer into its kind; `code` is the cloud's own error code.
    ///
    /// Of the message only the first line is kept: what follows may quote the request.
    #[must_use]
    pub fn from_status(status: u16, code: &str, message: &str) -> Self {
        let kind = PutErrorKind::from_status(status, code);
        let code = one_line(code.trim(), MAX_CODE_CHARS);
        let code = if code.is_empty() { code } else { format!(" {code}") };
        let message = message.trim().lines().next().unwrap_or_default().trim_end();
        let message = one_line(message, MAX_MESSAGE_CHARS);
        let message = if message.is_empty() { message } else { format!(": {message}") };
        Self::new(kind, format!("HTTP {status}{code}{message}"))
    }

    /// With the wait that the store asks for: the value of `Retry-After`, if it is in seconds.
    #[must_use]
    pub fn retry_after(mut self, header: Option<&str>) -> Self {
        self.retry_after = header.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        self
    }

    /// With the store's id of the request.
    #[must_use]
    pub fn with_request_id(mut self, id: Option<&str>) -> Self {
        self.request_id = id.and_then(kept);
        self
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
        assert_eq!(kind(409, "BlobImmutableDueToPolicy"), PutErrorKind::Exists);
        assert_eq!(kind(409, "BlobImmutableDueToLegalHold"), PutErrorKind::Exists);
        assert_eq!(kind(409, "ContainerImmutabilityPolicyLocked"), PutErrorKind::Conflict);
        assert_eq!(kind(403, "retentionPolicyNotMet"), PutErrorKind::Exists);
        assert_eq!(kind(403, "objectUnderActiveHold"), PutErrorKind::Exists);
        assert_eq!(kind(404, "NoSuchBucket"), PutErrorKind::NoSuchBucket);
        assert_eq!(kind(403, "AccessDenied"), PutErrorKind::Denied);
        assert_eq!(kind(503, "SlowDown"), PutErrorKind::Throttled);
        assert_eq!(kind(503, ""), PutErrorKind::Unavailable);
        assert_eq!(kind(503, "ServiceUnavailable"), PutErrorKind::Unavailable);
        assert_eq!(kind(501, "NotImplemented"), PutErrorKind::Rejected);
        assert_eq!(kind(403, "UnauthorizedBlobOverwrite"), PutErrorKind::Exists);
        assert_eq!(kind(500, "InternalError"), PutErrorKind::Unavailable);
        assert_eq!(kind(401, ""), PutErrorKind::InvalidCredentials);
        assert_eq!(kind(400, "ExpiredToken"), PutErrorKind::InvalidCredentials);
        assert_eq!(kind(403, "AuthenticationFailed"), PutErrorKind::InvalidCredentials);
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
    fn only_seconds_are_taken_from_retry_after() {
        let wait = |text| PutError::from_status(503, "SlowDown", "").retry_after(text).retry_after;
        assert_eq!(wait(Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(Some("Fri, 31 Dec 1999 23:59:59 GMT")), None);
        assert_eq!(wait(None), None);
    }
}
