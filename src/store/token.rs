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

/// How long before its end a token is renewed; a short-lived one is renewed at half its life.
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

    /// A valid token. Whoever asks while one is being fetched waits for that one.
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
    /// The body.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

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

    /// The error of an answer that refuses the worker's own identity: no customer can fix it.
    pub(super) fn own_refusal(&self, code: &str, message: &str) -> PutError {
        let refused = self.refusal(code, message);
        match refused.kind {
            PutErrorKind::Throttled | PutErrorKind::Clock => refused,
            _ => PutError { kind: PutErrorKind::Unreachable, ..refused },
        }
    }

    /// An answer for tests.
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
    send_for(request, MAX_ANSWER_BYTES).await
}

/// The same for an answer of which more is read.
///
/// # Errors
/// When no answer comes.
pub(super) async fn send_for(request: RequestBuilder, limit: usize) -> Result<TokenResponse, reqwest::Error> {
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
        let room = limit - body.len();
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
mod tests;
