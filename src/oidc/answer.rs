//! Answers of a provider: JSON, in time, and not endless.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::Value;
use zeroize::Zeroizing;

use auditferry_core::text::cause::root_cause;

/// How long an answer may take, all of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of an answer: a hundred keys with their certificates have less.
const MAX_BYTES: usize = 512 * 1024;

/// Sends a request, and gives the status and the JSON of the answer.
///
/// # Errors
/// What went wrong, without what was sent or answered.
pub(super) async fn ask(request: RequestBuilder) -> Result<(u16, Value), String> {
    let failed = |error: reqwest::Error| root_cause(&error.without_url());
    let mut answer = request.timeout(PATIENCE).send().await.map_err(failed)?;
    let status = answer.status().as_u16();
    if answer.status().is_redirection() {
        return Err(format!("it redirects (HTTP {status}), which is not followed"));
    }
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(format!("its answer has more than {MAX_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let json = serde_json::from_slice(&body).map_err(|_| format!("its answer (HTTP {status}) is no JSON"))?;
    Ok((status, json))
}

/// The same, of an answer that must be a success.
///
/// # Errors
/// As [`ask`].
pub(super) async fn ask_ok(request: RequestBuilder) -> Result<Value, String> {
    match ask(request).await? {
        (200, json) => Ok(json),
        (status, _) => Err(format!("it answers with HTTP {status}")),
    }
}
