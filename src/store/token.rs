//! Access tokens: had when one is first needed, kept until shortly before its end, and
//! asked for by one task at a time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::clock;
use crate::base::aws::MAX_ANSWER_BYTES;
use crate::base::clock::Clock;
use crate::secrets::Secret;
use auditferry_core::model::network::EndpointError;
use auditferry_core::store::{PutError, PutErrorKind};
use auditferry_core::text::cause::{find, root_cause};

/// How long before its end a token is renewed; one that lives shortly, at half its life.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A token as a service gave it.
pub(super) struct Token {
    /// What a request carries.
    pub(super) value: Secret,
    /// When it ends.
    pub(super) ends: Timestamp,
}

/// Asks a service for a token.
#[async_trait]
pub(super) trait Exchange: Send + Sync {
    /// A new token.
    ///
    /// # Errors
    /// Nothing was put, so the kind is one of those that say so.
    async fn exchange(&self) -> Result<Token, PutError>;
}

/// The tokens of one identity.
pub(super) struct Tokens {
    exchange: Box<dyn Exchange>,
    clock: Arc<dyn Clock>,
    patience: Duration,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: Token,
    renew: Timestamp,
}

impl Tokens {
    /// Tokens of an exchange; asks for none yet. `patience`: how long the
    /// service may take; behind other tasks, half of it is waited before.
    pub(super) fn new(exchange: impl Exchange + 'static, clock: Arc<dyn Clock>, patience: Duration) -> Self {
        Self { exchange: Box::new(exchange), clock, patience, kept: Mutex::default() }
    }

    /// Forgets the token that is kept: a store has refused it. One that is asked for already stays.
    pub(super) fn forget(&self) {
        if let Ok(mut kept) = self.kept.try_lock() {
            *kept = None;
        }
    }

    /// A token that is in force. Who comes while one is asked for waits for that one.
    ///
    /// # Errors
    /// When there is none, and the service gives none in time.
    pub(super) async fn get(&self) -> Result<Secret, PutError> {
        // So that a put that waits behind others is told before its own time is up.
        let mut kept = in_time(self.patience / 2, self.kept.lock()).await?;
        if let Some(kept) = kept.as_ref().filter(|kept| self.clock.now() < kept.renew) {
            return Ok(kept.token.value.clone());
        }
        match in_time(self.patience, self.exchange.exchange()).await.and_then(|answer| answer) {
            Ok(token) => {
                let now = self.clock.now();
                let margin = MARGIN.min(token.ends.duration_since(now) / 2);
                let value = token.value.clone();
                *kept = Some(Kept { renew: token.ends.saturating_sub(margin).unwrap_or(now), token });
                Ok(value)
            }
            // The old one may still do: its margin is there for a service that is away.
            Err(error) => match kept.as_ref() {
                Some(kept) if self.clock.now() < kept.token.ends => Ok(kept.token.value.clone()),
                _ => Err(error),
            },
        }
    }
}

async fn in_time<T>(patience: Duration, answer: impl Future<Output = T>) -> Result<T, PutError> {
    tokio::time::timeout(patience, answer).await.map_err(|_| {
        let problem = format!("no token: no answer within {} s", patience.as_secs_f32());
        PutError::new(PutErrorKind::Unreachable, problem)
    })
}

/// What a token service answered.
pub(super) struct TokenResponse {
    /// The HTTP status.
    pub(super) status: u16,
    /// The value of `Retry-After`.
    pub(super) retry_after: Option<String>,
    /// How far ahead our clock was of the service's.
    pub(super) ahead: Option<SignedDuration>,
    /// What Google Cloud Storage calls the request.
    pub(super) upload_id: Option<String>,
    body: Zeroizing<Vec<u8>>,
}

impl TokenResponse {
    /// The body, if it is JSON.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether nothing came with it.
    pub(super) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The first line of the body, if it is meant for people.
    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let line = text.trim().lines().next().unwrap_or_default();
        if line.starts_with('<') { String::new() } else { line.to_owned() }
    }

    /// The token of an answer in the form of RFC 6749, or of a metadata service, which
    /// writes numbers as texts, or only the instant at which the token ends.
    ///
    /// # Errors
    /// When it holds none.
    pub(super) fn token(&self, now: Timestamp) -> Result<Token, PutError> {
        let mut json = self.json().unwrap_or_default();
        let number = |name: &str| match &json[name] {
            Value::String(text) => text.parse().ok(),
            number => number.as_i64(),
        };
        let until = || Some(number("expires_on")?.saturating_sub(now.as_second()));
        let seconds = number("expires_in").or_else(until);
        // Moved, so that no copy of it stays in memory.
        let value = json.get_mut("access_token").map(Value::take);
        match (value, seconds) {
            (Some(Value::String(value)), Some(seconds @ 1..=1_000_000)) if !value.is_empty() => Ok(Token {
                value: Secret::new(value),
                ends: now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now),
            }),
            _ => Err(self.strange()),
        }
    }

    /// The error of an answer that is not what it should be.
    pub(super) fn strange(&self) -> PutError {
        PutError::new(
            PutErrorKind::Unreachable,
            format!("no token: HTTP {} without a token and its end", self.status),
        )
    }

    /// The error of an answer that refuses; `code` and `message` are the service's own words.
    pub(super) fn refusal(&self, code: &str, message: &str) -> PutError {
        let answer = PutError::from_status(self.status, code, message);
        let kind = match self.status {
            429 => PutErrorKind::Throttled,
            408 | 500..=599 => PutErrorKind::Unreachable,
            403 => PutErrorKind::Denied,
            _ => PutErrorKind::InvalidCredentials,
        };
        let refused = PutError { kind, message: format!("no token: {}", answer.message), ..answer }
            .retry_after(self.retry_after.as_deref());
        clock::judged(refused, self.ahead, None)
    }

    /// The error of an answer that refuses the worker's own identity: no customer can mend it.
    pub(super) fn own_refusal(&self, code: &str, message: &str) -> PutError {
        let refused = self.refusal(code, message);
        match refused.kind {
            PutErrorKind::Throttled | PutErrorKind::Clock => refused,
            _ => PutError { kind: PutErrorKind::Unreachable, ..refused },
        }
    }

    /// An answer that nobody gave.
    #[cfg(any(test, fuzzing))]
    pub(super) fn of(status: u16, body: &str) -> Self {
        Self {
            status,
            retry_after: None,
            ahead: None,
            upload_id: None,
            body: body.as_bytes().to_vec().into(),
        }
    }

    /// The same with what it asks to wait.
    #[cfg(any(test, fuzzing))]
    pub(super) fn asking(self, retry_after: Option<String>) -> Self {
        Self { retry_after, ..self }
    }
}

/// Sends a request to a token service, once.
///
/// # Errors
/// [`PutErrorKind::Unreachable`] when no answer comes: whatever became of the request,
/// nothing was put.
pub(super) async fn ask(request: RequestBuilder) -> Result<TokenResponse, PutError> {
    send(request).await.map_err(|error| unanswered(&error))
}

/// Sends a request to any service, once, and reads what it says, as far as that is short.
///
/// # Errors
/// When no answer comes.
pub(super) async fn send(request: RequestBuilder) -> Result<TokenResponse, reqwest::Error> {
    let mut answer = request.send().await?;
    let status = answer.status();
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let (retry_after, upload_id) = (header("retry-after"), header("x-guploader-uploadid"));
    let (retry_after, upload_id) = (retry_after.map(str::to_owned), upload_id.map(str::to_owned));
    let ahead = clock::ahead(header("date"));
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_ANSWER_BYTES));
    loop {
        let chunk = match answer.chunk().await {
            Ok(Some(chunk)) => chunk,
            Err(error) if status.is_success() => return Err(error),
            // A refusal is one, however its words end.
            Ok(None) | Err(_) => break,
        };
        let room = MAX_ANSWER_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(TokenResponse { status: status.as_u16(), retry_after, ahead, upload_id, body })
}

fn unanswered(error: &reqwest::Error) -> PutError {
    let host = error.url().and_then(reqwest::Url::host_str).unwrap_or("the token service");
    let (kind, problem) = match find::<EndpointError>(error) {
        Some(refused) => (PutErrorKind::Misconfigured, refused.to_string()),
        None => (PutErrorKind::Unreachable, root_cause(error)),
    };
    PutError::new(kind, format!("no token from {host}: {problem}"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::base::aws::bounded::tests::{BUFFERS, endless};
    use crate::base::clock::ManualClock;

    /// Gives `t1`, `t2` and so on, each for an hour, unless it is away.
    struct Service {
        clock: ManualClock,
        asked: Arc<AtomicU32>,
        away_from: u32,
    }

    #[async_trait]
    impl Exchange for Service {
        async fn exchange(&self) -> Result<Token, PutError> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::task::yield_now().await;
            if number >= self.away_from {
                return Err(PutError::new(PutErrorKind::Unreachable, "away"));
            }
            let ends = self.clock.now() + SignedDuration::from_hours(1);
            Ok(Token { value: Secret::new(format!("t{number}")), ends })
        }
    }

    fn tokens(away_from: u32) -> (Arc<Tokens>, ManualClock, Arc<AtomicU32>) {
        let clock = ManualClock::at("2026-11-21T04:00:00Z".parse().expect("instant"));
        let asked = Arc::new(AtomicU32::new(0));
        let service = Service { clock: clock.clone(), asked: Arc::clone(&asked), away_from };
        let patience = Duration::from_secs(60);
        (Arc::new(Tokens::new(service, Arc::new(clock.clone()), patience)), clock, asked)
    }

    async fn value(tokens: &Tokens) -> String {
        tokens.get().await.unwrap_or_else(|error| panic!("{error}")).expose().to_owned()
    }

    #[tokio::test]
    async fn many_who_come_at_once_ask_once() {
        let (tokens, _, asked) = tokens(u32::MAX);
        let all = (0..20).map(|_| {
            let tokens = Arc::clone(&tokens);
            tokio::spawn(async move { value(&tokens).await })
        });
        for task in all.collect::<Vec<_>>() {
            assert_eq!(task.await.expect("task"), "t1");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_token_is_renewed_shortly_before_its_end() {
        let (tokens, clock, _) = tokens(u32::MAX);
        assert_eq!(value(&tokens).await, "t1");
        clock.set("2026-11-21T04:54:59Z".parse().expect("instant"));
        assert_eq!(value(&tokens).await, "t1");
        clock.set("2026-11-21T04:55:00Z".parse().expect("instant"));
        assert_eq!(value(&tokens).await, "t2");
    }

    #[tokio::test]
    async fn while_the_service_is_away_a_token_does_until_its_end() {
        let (tokens, clock, asked) = tokens(2);
        assert_eq!(value(&tokens).await, "t1");
        clock.set("2026-11-21T04:59:59Z".parse().expect("instant"));
        assert_eq!(value(&tokens).await, "t1");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        clock.set("2026-11-21T05:00:00Z".parse().expect("instant"));
        let error = tokens.get().await.err().expect("refused");
        assert_eq!((error.kind, error.message.as_str()), (PutErrorKind::Unreachable, "away"));
    }

    /// A service that never answers, and counts.
    struct Silent(Arc<AtomicU32>);

    #[async_trait]
    impl Exchange for Silent {
        async fn exchange(&self) -> Result<Token, PutError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn who_waits_behind_others_is_told_in_time_too() {
        let clock = ManualClock::at("2026-11-21T04:00:00Z".parse().expect("instant"));
        let asked = Arc::new(AtomicU32::new(0));
        let silent = Silent(Arc::clone(&asked));
        let tokens = Arc::new(Tokens::new(silent, Arc::new(clock), Duration::from_secs(1)));
        let all = (0..8).map(|_| {
            let tokens = Arc::clone(&tokens);
            tokio::spawn(async move { tokens.get().await.map(drop).map_err(|error| error.kind) })
        });
        for task in all.collect::<Vec<_>>() {
            assert_eq!(task.await.expect("task"), Err(PutErrorKind::Unreachable));
        }
        // One after the other, each would have had its turn, the last after eight times the limit.
        assert!(asked.load(Ordering::SeqCst) < 8, "each waited for all before it");
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        for status in [200, 400] {
            let (url, taken) = endless(status).await;
            let answer =
                ask(reqwest::Client::new().post(url)).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((answer.status, answer.body.len()), (status, MAX_ANSWER_BYTES));
            drop(answer);
            let taken = taken.load(Ordering::SeqCst);
            assert!(taken < BUFFERS, "{status}: {taken} bytes were taken");
        }
    }

    #[test]
    fn an_answer_without_token_or_end_gives_none() {
        let now = "2026-11-21T04:00:00Z".parse().expect("instant");
        for body in [
            "",
            "HUSH",
            "[]",
            r#"{"access_token":"HUSH"}"#,
            r#"{"expires_in":3599}"#,
            r#"{"access_token":"","expires_in":3599}"#,
            r#"{"access_token":"HUSH","expires_in":0}"#,
            r#"{"access_token":"HUSH","expires_in":-5}"#,
            r#"{"access_token":"HUSH","expires_in":99999999999999}"#,
            r#"{"access_token":"HUSH","expires_on":"1795233600"}"#,
            r#"{"access_token":"HUSH","expires_on":"-9223372036854775808"}"#,
            r#"{"access_token":"HUSH","expires_on":"9223372036854775807"}"#,
            r#"{"access_token":"HUSH","expires_on":"11/21/2026 05:00:00 AM +00:00"}"#,
        ] {
            let error =
                TokenResponse::of(200, body).token(now).err().unwrap_or_else(|| panic!("accepted {body}"));
            assert_eq!(error.kind, PutErrorKind::Unreachable);
            assert!(!error.message.contains("HUSH"), "{error}");
        }
        // 2026-11-21T04:00:00Z is 1795233600.
        for end in [
            r#""expires_in":3599"#,
            r#""expires_in":"3599""#,
            r#""expires_on":"1795237199""#,
            r#""expires_in":3599,"expires_on":"x""#,
        ] {
            let body = format!(r#"{{"access_token":"t",{end}}}"#);
            let token = TokenResponse::of(200, &body).token(now).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((token.value.expose(), token.ends.duration_since(now).as_secs()), ("t", 3599));
        }
    }

    #[test]
    fn a_refusal_says_that_nothing_was_put() {
        let kind = |status| TokenResponse::of(status, "").refusal("", "").kind;
        assert_eq!(kind(400), PutErrorKind::InvalidCredentials);
        assert_eq!(kind(401), PutErrorKind::InvalidCredentials);
        assert_eq!(kind(403), PutErrorKind::Denied);
        assert_eq!(kind(429), PutErrorKind::Throttled);
        assert_eq!(kind(500), PutErrorKind::Unreachable);
        assert_eq!(kind(503), PutErrorKind::Unreachable);
        for status in [400, 401, 403, 408, 429, 500, 503] {
            assert_eq!(kind(status).answer(), auditferry_core::protocol::PutAnswer::Refused, "{status}");
        }
    }
}
