//! Tokens of a service account that lets the worker's own Google identity act as it.
//!
//! Source: "Method: serviceAccounts.generateAccessToken", IAM Service Account Credentials API.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use reqwest::{Client, Url};
use serde_json::{Value, json};

use super::worker_identity;
use crate::base::clock::{Clock, SystemClock};
use crate::secrets::Secret;
use crate::store::token::{Exchange, Token, TokenResponse, Tokens, ask};
use crate::store::{Dialer, OpenError};
use auditferry_core::store::{PutError, PutErrorKind};

/// Who gives tokens of another service account.
pub(super) const IAM: &str = "https://iamcredentials.googleapis.com";

/// How long a token is good for: Google's default, and its longest without a policy.
const LIFETIME: &str = "3600s";

/// Where the tokens of a service account are had, whose e-mail address is valid.
pub(super) fn url(operators: Option<&Url>, service_account: &str) -> String {
    let base = operators.map_or(IAM, Url::as_str).trim_end_matches('/');
    format!("{base}/v1/projects/-/serviceAccounts/{service_account}:generateAccessToken")
}

/// Tokens of a customer's service account for a scope.
///
/// # Errors
/// When the worker's own identity cannot be used as it is set.
pub(super) fn tokens(
    dialer: &Dialer,
    service_account: &str,
    scope: &'static str,
) -> Result<Tokens, OpenError> {
    let impersonation = Impersonation {
        http: dialer.http.clone(),
        own: worker_identity::tokens(dialer, worker_identity::PLATFORM)?,
        url: url(dialer.worker_identity.google().iam_url.0.as_ref(), service_account),
        scope,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Tokens::new(impersonation, clock, dialer.token_patience()))
}

struct Impersonation {
    http: Client,
    own: Arc<Tokens>,
    url: String,
    scope: &'static str,
}

#[async_trait]
impl Exchange for Impersonation {
    async fn exchange(&self) -> Result<Token, PutError> {
        let own = self.own.get().await?;
        let answer = generate(&self.http, &self.url, &own, self.scope).await?;
        match answer.status {
            200 => token(&answer),
            401 => {
                self.own.forget();
                Err(refusal(&answer))
            }
            _ => Err(refusal(&answer)),
        }
    }
}

/// Asks for a token of a service account with one that may act as it.
pub(super) async fn generate(
    http: &Client,
    url: &str,
    own: &Secret,
    scope: &str,
) -> Result<TokenResponse, PutError> {
    let body = json!({ "scope": [scope], "lifetime": LIFETIME }).to_string();
    let request = http.post(url).header("authorization", bearer(own)?);
    ask(request.header("content-type", "application/json").body(body)).await
}

fn bearer(token: &Secret) -> Result<HeaderValue, PutError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        PutError::new(
            PutErrorKind::Unreachable,
            "no token: the one of the worker's own Google identity cannot stand in a header",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The token of an answer.
pub(super) fn token(answer: &TokenResponse) -> Result<Token, PutError> {
    let mut json = answer.json().unwrap_or_default();
    let ends = json["expireTime"].as_str().and_then(|text| text.parse().ok());
    match (json.get_mut("accessToken").map(Value::take), ends) {
        (Some(Value::String(value)), Some(ends)) if !value.is_empty() => {
            Ok(Token { value: Secret::new(value), ends })
        }
        _ => Err(answer.strange()),
    }
}

/// Google's refusal in its own words. The service account's owner can fix it, unless it is about
/// the worker's own token or project.
pub(super) fn refusal(answer: &TokenResponse) -> PutError {
    let json = answer.json().unwrap_or_default();
    let text = |pointer| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let refused = answer.refusal(text("/error/status"), text("/error/message"));
    let details = json.pointer("/error/details").and_then(Value::as_array);
    let disabled = details.into_iter().flatten().any(|detail| detail["reason"] == "SERVICE_DISABLED");
    let kind = match refused.kind {
        PutErrorKind::Clock => PutErrorKind::Clock,
        _ if answer.status == 401 || disabled => PutErrorKind::Unreachable,
        // It is the service account that denies, and not the bucket.
        PutErrorKind::Denied => PutErrorKind::InvalidCredentials,
        kind => kind,
    };
    PutError { kind, ..refused }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;

    /// Counts the tokens that it gives.
    struct Own(Arc<AtomicU32>);

    #[async_trait]
    impl Exchange for Own {
        async fn exchange(&self) -> Result<Token, PutError> {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            let ends = SystemClock.now() + SignedDuration::from_hours(1);
            Ok(Token { value: Secret::new(format!("t{number}")), ends })
        }
    }

    #[tokio::test]
    async fn an_own_token_that_google_does_not_take_is_not_tried_again() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.read(&mut [0; 8192]).await;
                let _ = socket.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
            }
        });
        let asked = Arc::new(AtomicU32::new(0));
        let own = Tokens::new(Own(Arc::clone(&asked)), Arc::new(SystemClock), Duration::from_secs(60));
        let impersonation = Impersonation { http: Client::new(), own: Arc::new(own), url, scope: "scope" };
        for tries in 1..=2 {
            let error = impersonation.exchange().await.err().expect("refused");
            assert_eq!(error.kind, PutErrorKind::Unreachable, "{error}");
            assert_eq!(asked.load(Ordering::SeqCst), tries);
        }
    }

    #[test]
    fn tokens_of_others_are_had_at_google() {
        let email = "writer@acme.iam.gserviceaccount.com";
        let method = format!("v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        assert_eq!(url(None, email), format!("https://iamcredentials.googleapis.com/{method}"));
        let operators = Url::parse("http://127.0.0.1:8080").expect("url");
        assert_eq!(url(Some(&operators), email), format!("http://127.0.0.1:8080/{method}"));
    }

    #[test]
    fn an_answer_without_token_or_end_gives_none() {
        for body in [
            "",
            "HUSH",
            "[]",
            r#"{"accessToken":"HUSH"}"#,
            r#"{"expireTime":"2026-11-21T05:00:00Z"}"#,
            r#"{"accessToken":"","expireTime":"2026-11-21T05:00:00Z"}"#,
            r#"{"accessToken":"HUSH","expireTime":"soon"}"#,
            r#"{"accessToken":"HUSH","expireTime":7}"#,
        ] {
            let error =
                token(&TokenResponse::of(200, body)).err().unwrap_or_else(|| panic!("accepted {body}"));
            assert_eq!(error.kind, PutErrorKind::Unreachable);
            assert!(!error.message.contains("HUSH"), "{error}");
        }
        let body = r#"{"accessToken":"t","expireTime":"2026-11-21T05:00:00Z"}"#;
        assert!(token(&TokenResponse::of(200, body)).is_ok_and(|token| token.value.expose() == "t"));
    }

    #[test]
    fn who_has_to_mend_a_refusal_is_told_by_its_kind() {
        let kind = |status, reason: &str| {
            let body =
                json!({ "error": { "status": "X", "message": "no", "details": [{ "reason": reason }] } });
            refusal(&TokenResponse::of(status, &body.to_string())).kind
        };
        assert_eq!(kind(403, "IAM_PERMISSION_DENIED"), PutErrorKind::InvalidCredentials);
        assert_eq!(kind(404, ""), PutErrorKind::InvalidCredentials);
        assert_eq!(kind(403, "SERVICE_DISABLED"), PutErrorKind::Unreachable);
        assert_eq!(kind(401, ""), PutErrorKind::Unreachable);
        assert_eq!(kind(429, ""), PutErrorKind::Throttled);
        assert_eq!(kind(503, ""), PutErrorKind::Unreachable);
    }
}
