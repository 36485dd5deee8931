//! The worker's clock beside a store's. A signature or a token that a wrong clock made is refused like
//! one of wrong credentials, and no customer can fix that.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

use crate::base::clock::{Clock as _, SystemClock};
use crate::base::skew;
use auditferry_core::protocol::{ClockState, clock_state};
use auditferry_core::store::{PutError, PutErrorKind};

/// Beyond this a refused signature of S3 or Azure may be the clock's fault: they tolerate 15 minutes.
pub(super) const SIGNATURES: SignedDuration = SignedDuration::from_mins(14);
/// Likewise for a token or an assertion that was signed here: Google and Entra ID tolerate 5 minutes.
pub(super) const TOKENS: SignedDuration = SignedDuration::from_mins(5);

/// For how many hosts it is remembered that a warning was logged.
const MOST_TOLD: usize = 100;

/// How far ahead the worker's clock is of the one that wrote a `Date`, now.
pub(super) fn ahead(date: Option<&str>) -> Option<SignedDuration> {
    skew::ahead(date, SystemClock.now())
}

/// An error as it is once the clocks are compared. `tolerance`: how far they may be apart where the
/// request rests on our clock; none where it does not.
pub(super) fn judged(
    error: PutError,
    ahead: Option<SignedDuration>,
    tolerance: Option<SignedDuration>,
) -> PutError {
    let off = ahead.zip(tolerance).is_some_and(|(ahead, tolerance)| ahead.abs() > tolerance);
    let told = skew::is_told(&error.message);
    match error.kind {
        PutErrorKind::InvalidCredentials if told || off => wrong(error, ahead),
        PutErrorKind::Denied | PutErrorKind::Rejected if told => wrong(error, ahead),
        _ => error,
    }
}

/// An error that is the clock's fault.
pub(super) fn wrong(mut error: PutError, ahead: Option<SignedDuration>) -> PutError {
    error.message = format!("{}; {}", error.message, skew::words(ahead, "the store's"));
    error.kind = PutErrorKind::Clock;
    error
}

/// How far the worker's clock was ahead of one store's, at the store's last answer.
#[derive(Debug, Default)]
pub(super) struct LastSeen(Mutex<Option<SignedDuration>>);

impl LastSeen {
    /// Stores how far ahead the worker's clock is, where an answer tells, and returns it.
    pub(super) fn note(&self, ahead: Option<SignedDuration>) -> Option<SignedDuration> {
        if ahead.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
        }
        ahead
    }

    /// The newest value; none before the first answer with a time.
    pub(super) fn get(&self) -> Option<SignedDuration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs once for each host that its clock is another one: a ledger on SQLite has no clock of its own to
/// compare with.
pub(super) fn tell(ahead: Option<SignedDuration>, host: &str) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let Some(ahead) = ahead else { return };
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if clock_state(ahead) == ClockState::Right {
        told.remove(host);
    } else if told.len() < MOST_TOLD && told.insert(host.to_owned()) {
        tracing::warn!(
            host,
            seconds_ahead = ahead.as_secs(),
            "this worker's clock differs from the clock of a store; set the clocks right (NTP)"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> Option<SignedDuration> {
        Some(SignedDuration::from_secs(seconds))
    }

    fn refused(kind: PutErrorKind, message: &str) -> PutError {
        PutError::new(kind, message)
    }

    #[test]
    fn a_wrong_clock_is_told_from_wrong_credentials() {
        use PutErrorKind::{Clock, Denied, InvalidCredentials, Unavailable};
        let kind = |kind, message, ahead| judged(refused(kind, message), ahead, Some(SIGNATURES)).kind;
        assert_eq!(kind(Denied, "HTTP 403 RequestTimeTooSkewed: The difference", seconds(1800)), Clock);
        assert_eq!(kind(Denied, "HTTP 403 RequestTimeTooSkewed: The difference", None), Clock);
        assert_eq!(kind(InvalidCredentials, "HTTP 403 AuthenticationFailed", seconds(-1800)), Clock);
        assert_eq!(
            kind(InvalidCredentials, "HTTP 403 AuthenticationFailed", seconds(60)),
            InvalidCredentials
        );
        assert_eq!(kind(Denied, "HTTP 403 AccessDenied", seconds(1800)), Denied);
        assert_eq!(kind(Unavailable, "HTTP 500 RequestTimeTooSkewed", seconds(1800)), Unavailable);
        let sas = judged(refused(InvalidCredentials, "HTTP 403 AuthenticationFailed"), seconds(1800), None);
        assert_eq!(sas.kind, InvalidCredentials, "a SAS does not rest on our clock");
        let error = judged(refused(Denied, "HTTP 403 RequestTimeTooSkewed"), seconds(1800), Some(SIGNATURES));
        assert!(
            error.message.contains("is 1800 s ahead of the store's; set the clocks right (NTP)"),
            "{error}"
        );
        assert!(!error.kind.needs_customer(), "nobody is suspended for it");
    }

    #[test]
    fn a_token_service_that_finds_the_time_wrong_is_told_from_one_that_denies() {
        use crate::store::token::TokenResponse;
        let google = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check \
                      your iat and exp values in the JWT claim.";
        let error = TokenResponse::of(400, "{}").refusal("invalid_grant", google);
        assert_eq!(error.kind, PutErrorKind::Clock, "{error}");
        assert_eq!(
            TokenResponse::of(400, "{}").own_refusal("invalid_grant", google).kind,
            PutErrorKind::Clock
        );
        let wrong = TokenResponse::of(400, "{}").refusal("invalid_grant", "Invalid JWT Signature.");
        assert_eq!(wrong.kind, PutErrorKind::InvalidCredentials, "{wrong}");
    }
}
