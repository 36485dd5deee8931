//! Writes that may come twice: with an `Idempotency-Key`, one is made once, and its answer is given again.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256 as Hasher};

use super::Api;
use super::caller::{Caller, REASON};
use super::problem::Problem;
use crate::ledger::{Begun, Sha256, StoredAnswer};
use auditferry_core::model::actor::RequestKey;

/// The header.
pub(super) const KEY: &str = "idempotency-key";

/// That an answer was given before.
const REPLAYED: &str = "idempotency-replayed";

/// Most bytes of a request's body.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// Most bytes of an answer that is kept.
const MAX_ANSWER: usize = 256 * 1024;

/// After how long one that was begun and not ended is made again: longer than any may take.
const STALE: SignedDuration = SignedDuration::from_secs(90);

/// Headers that belong to an answer.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

/// An answer of which only the part without its secret may be kept.
#[derive(Debug, Clone)]
pub(super) struct KeptBody(pub(super) Vec<u8>);

/// Makes a write once, if it has a key.
pub(super) async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match with_key(&api, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn with_key(api: &Api, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|error| Problem::unread(&error))?;
    let caller = parts.extensions.get_mut::<Caller>().ok_or_else(Problem::internal)?;
    let key = RequestKey { principal: caller.principal(), key: key(&parts.headers)? };
    caller.request = Some(key.clone());
    let sha256 = hash(&parts.method, &parts.uri.to_string(), &parts.headers, &body);
    match api.admin.ledger.begin_request(&key, &sha256, STALE).await? {
        Begun::New => {}
        Begun::Running => return Err(Problem::key_running().header(header::RETRY_AFTER, "2")),
        Begun::Other => return Err(Problem::key_reused()),
        Begun::Answered(answer) => return Ok(again(answer)),
        Begun::Applied => {
            // Below its prefix a router sees the rest of the path alone.
            let whole = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
            return Ok(applied(&parts.method, whole.path()));
        }
    }
    let path = parts.uri.path().to_owned();
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER).await.map_err(|_| Problem::internal())?;
    // What was refused has changed nothing: it may come again with its key, corrected or at a better time.
    let made = parts.status.is_success();
    let answer = made.then(|| stored(&parts.status, &parts.headers, &parts.extensions, &body));
    if let Err(error) = api.admin.ledger.finish_request(&key, answer.as_ref()).await {
        tracing::warn!(error = %error, path, "an answer of the API was not kept; its key can be sent again");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let text = headers.get(KEY).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fits = !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(Problem::bad_key()) }
}

/// Of everything that decides what the request does.
fn hash(method: &Method, uri: &str, headers: &HeaderMap, body: &Bytes) -> Sha256 {
    let mut hasher = Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    part(method.as_str().as_bytes());
    part(uri.as_bytes());
    let conditions = [header::IF_MATCH, header::IF_NONE_MATCH, header::CONTENT_TYPE];
    for name in conditions.into_iter().chain([HeaderName::from_static(REASON)]) {
        part(headers.get(name).map_or(&[], HeaderValue::as_bytes));
    }
    part(body);
    hasher.finalize().into()
}

fn stored(
    status: &StatusCode,
    headers: &HeaderMap,
    extensions: &axum::http::Extensions,
    body: &Bytes,
) -> StoredAnswer {
    let kept = |name: &HeaderName| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    StoredAnswer {
        status: status.as_u16(),
        headers: KEPT.iter().filter_map(kept).collect(),
        body: extensions.get::<KeptBody>().map_or_else(|| body.to_vec(), |kept| kept.0.clone()),
    }
}

fn again(answer: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// The change was made, and the process ended before it answered: what there is now is the answer.
fn applied(method: &Method, path: &str) -> Response {
    let replayed = [(HeaderName::from_static(REPLAYED), HeaderValue::from_static("true"))];
    if *method == Method::DELETE {
        return (StatusCode::NO_CONTENT, replayed).into_response();
    }
    // What was done to an account shows in the account.
    let resource = match (*method == Method::POST, path.rsplit_once('/')) {
        (true, Some((account, _))) if account.contains("/accounts/") => account,
        _ => path,
    };
    let location = HeaderValue::from_str(resource).unwrap_or_else(|_| HeaderValue::from_static("/api/v1"));
    (StatusCode::SEE_OTHER, replayed, [(header::LOCATION, location)]).into_response()
}
