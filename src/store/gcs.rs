//! Google Cloud Storage, through its JSON API.
//!
//! Google's own crate resolves names itself, follows redirects, asks the environment for a proxy and
//! reads answers of any length. What is needed here are three requests.

use std::array;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::clock::{self, LastSeen};
use super::token::{Exchange, Token, TokenResponse, Tokens, send_for};
use super::{Dialer, OpenError, host_and_port, whole_answer};
use crate::base::clock::{Clock, SystemClock};
use crate::secrets::{self, Opened};
use auditferry_core::archive::CONTENT_SHA256;
use auditferry_core::model::destination::{Gcs, GcsCredentials, Impersonate};
use auditferry_core::model::network::EndpointError;
use auditferry_core::model::object_key::{ObjectKey, OwnKey};
use auditferry_core::store::{Created, Object, ObjectHead, PutError, PutErrorKind, Store, crc32c_text};
use auditferry_core::store::{GcsObject, unproved, with_request_id};
use auditferry_core::text::cause::{find, root_cause};

pub(super) mod external_account;
pub(super) mod impersonation;
pub(super) mod worker_identity;
pub(super) mod service_account;

/// What the token may do; the bucket's own policy narrows it to creating objects.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// The domain of Google's own service.
const GOOGLE: &str = "googleapis.com";

/// One bucket.
pub(super) struct GcsStore {
    bucket: String,
    endpoint: Url,
    tokens: Arc<Tokens>,
    /// Whether tokens come from a token service; otherwise they are signed here.
    signs_in: bool,
    http: reqwest::Client,
    /// Most bytes of an answer.
    answers: usize,
    last_seen: LastSeen,
}

/// With which identity requests are made.
struct Access {
    tokens: Arc<Tokens>,
    signs_in: bool,
    universe: Option<String>,
}

impl Access {
    /// Reads and tries a key; sends nothing, as the token is signed here.
    async fn by_key(text: &str, dialer: &Dialer) -> Result<Self, OpenError> {
        let key = service_account::parse(text)?;
        let universe = key.get("universe_domain").and_then(Value::as_str).map(str::to_owned);
        service_account::credentials(key.clone(), SCOPE).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let signed = Signed { key, clock: Arc::clone(&clock) };
        let tokens = Arc::new(Tokens::new(signed, clock, dialer.token_patience()));
        Ok(Self { tokens, signs_in: false, universe })
    }

    fn by_tokens(tokens: Arc<Tokens>) -> Self {
        Self { tokens, signs_in: true, universe: None }
    }

    async fn of(place: &Gcs, opened: &Opened, dialer: &Dialer) -> Result<Self, OpenError> {
        if place.credentials.are_the_workers() {
            worker_identity::check_endpoint(dialer, place.endpoint.as_deref())?;
        }
        match &place.credentials {
            GcsCredentials::ServiceAccount(key) => {
                Self::by_key(secrets::resolve(key, opened)?.expose(), dialer).await
            }
            GcsCredentials::Impersonate(Impersonate { service_account }) => {
                Ok(Self::by_tokens(Arc::new(impersonation::tokens(dialer, service_account, SCOPE)?)))
            }
            GcsCredentials::Ambient => Ok(Self::by_tokens(worker_identity::tokens(dialer, SCOPE)?)),
        }
    }
}

/// A customer's key, which signs its own tokens.
struct Signed {
    key: Value,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Exchange for Signed {
    async fn exchange(&self) -> Result<Token, PutError> {
        let signed = service_account::sign(self.key.clone(), SCOPE, self.clock.now()).await;
        signed.map_err(|error| PutError::new(PutErrorKind::Misconfigured, format!("no token: {error}")))
    }
}

impl GcsStore {
    /// Reads the credentials; sends nothing.
    pub(super) async fn open(place: &Gcs, opened: &Opened, dialer: &Dialer) -> Result<Self, OpenError> {
        let Access { tokens, signs_in, universe } = Access::of(place, opened, dialer).await?;
        let endpoint = match &place.endpoint {
            Some(endpoint) => dialer.endpoint(endpoint, "endpoint")?,
            None => {
                let domain = universe.as_deref().unwrap_or(GOOGLE);
                dialer.endpoint(&format!("https://storage.{domain}"), "credentials.service_account")?
            }
        };
        let (bucket, http) = (place.bucket.clone(), dialer.http.clone());
        Ok(Self {
            bucket,
            endpoint,
            tokens,
            signs_in,
            http,
            answers: dialer.answers,
            last_seen: LastSeen::default(),
        })
    }

    /// Makes a request as the bucket's writer, once; `refusal` sorts an answer that refuses.
    async fn ask(
        &self,
        request: RequestBuilder,
        refusal: fn(&TokenResponse) -> PutError,
    ) -> Result<TokenResponse, PutError> {
        let token = self.tokens.get().await?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
            PutError::new(PutErrorKind::Unreachable, "no token: the one that came cannot stand in a header")
        })?;
        bearer.set_sensitive(true);
        let sent = send_for(request.header(AUTHORIZATION, bearer), self.answers).await;
        let answer = sent.map_err(|error| unanswered(&error))?;
        self.last_seen.note(answer.ahead);
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        // Only a token that was signed here rests on our clock.
        let tolerance = (!self.signs_in).then_some(clock::TOKENS);
        let refused = clock::judged(refusal(&answer), answer.ahead, tolerance);
        if refused.kind == PutErrorKind::InvalidCredentials {
            self.tokens.forget();
        }
        Err(refused)
    }

    /// Where an object is in the API.
    fn object_url(&self, key: &ObjectKey) -> Result<Url, PutError> {
        below(&self.endpoint, ["storage", "v1", "b", &self.bucket, "o", key.as_str()])
    }
}

#[async_trait]
impl Store for GcsStore {
    async fn put(&self, object: &Object) -> Result<Created, PutError> {
        let mut url = below(&self.endpoint, ["upload", "storage", "v1", "b", &self.bucket, "o"])?;
        url.query_pairs_mut()
            .append_pair("uploadType", "multipart")
            .append_pair("name", object.key.as_str())
            .append_pair("ifGenerationMatch", "0");
        let (content_type, parts) = multipart(object, &uuid::Uuid::new_v4().simple().to_string());
        let request = self.http.post(url).header(CONTENT_TYPE, content_type);
        let answer = self.ask(request.body(reqwest::Body::wrap(parts)), put_refusal).await?;
        created(&answer, object)
    }

    async fn sign_in(&self) -> Option<Result<(), PutError>> {
        if self.signs_in { Some(self.tokens.get().await.map(drop)) } else { None }
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectHead, PutError> {
        shown(&self.ask(self.http.get(self.object_url(key)?), refusal).await?, key)
    }

    async fn get(&self, key: &OwnKey) -> Result<Bytes, PutError> {
        // What comes is the object's bytes alone, so its size is asked for first.
        let size = self.head(key.object()).await?.bytes;
        let mut url = self.object_url(key.object())?;
        url.query_pairs_mut().append_pair("alt", "media");
        let answer = self.ask(self.http.get(url), refusal).await?;
        whole_answer(Bytes::copy_from_slice(answer.body()), usize::try_from(size).ok())
    }

    async fn remove(&self, key: &OwnKey) -> Result<(), PutError> {
        let answer = self.ask(self.http.delete(self.object_url(key.object())?), refusal).await?;
        if answer.is_empty() { Ok(()) } else { Err(unproved(answer.status, "with words")) }
    }

    fn address(&self) -> Option<(String, u16)> {
        host_and_port(self.endpoint.as_str())
    }

    fn clock_ahead(&self) -> Option<jiff::SignedDuration> {
        self.last_seen.get()
    }
}

/// What a success says of a put.
pub(super) fn created(answer: &TokenResponse, sent: &Object) -> Result<Created, PutError> {
    let created = Created::by_gcs(answer.status, &answer.json().unwrap_or_default(), sent);
    with_request_id(created, answer.upload_id.as_deref())
}

/// What a success says of a look.
pub(super) fn shown(answer: &TokenResponse, key: &ObjectKey) -> Result<ObjectHead, PutError> {
    let resource = answer.json().unwrap_or_default();
    match GcsObject::read(&resource) {
        Some(GcsObject { name, size: Some(bytes), .. }) if name.is_none_or(|name| name == key.as_str()) => {
            let content_sha256 = resource["metadata"][CONTENT_SHA256].as_str().map(str::to_owned);
            Ok(ObjectHead { content_sha256, bytes })
        }
        _ => Err(unproved(answer.status, "without the object's name, generation and size")),
    }
}

/// The media type and the body of an upload in one request: what the object is, and its bytes.
fn multipart(object: &Object, boundary: &str) -> (String, Pieces) {
    let metadata: serde_json::Map<String, Value> =
        object.metadata.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    // Known before, the checksum goes with the metadata, and Google refuses other bytes.
    let resource = json!({
        "contentType": object.content_type, "metadata": metadata, "crc32c": crc32c_text(&object.body),
    });
    let head = format!(
        "--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{resource}\r\n\
         --{boundary}\r\ncontent-type: {}\r\n\r\n",
        object.content_type
    );
    let pieces = [Bytes::from(head), object.body.clone(), Bytes::from(format!("\r\n--{boundary}--\r\n"))];
    (format!("multipart/related; boundary={boundary}"), Pieces(pieces.into_iter()))
}

/// A body in pieces, of a length that is known, so that no object is copied.
struct Pieces(array::IntoIter<Bytes, 3>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.find(|piece| !piece.is_empty()).map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_slice().iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        let lengths = self.0.as_slice().iter().map(|piece| u64::try_from(piece.len()).unwrap_or(u64::MAX));
        SizeHint::with_exact(lengths.sum())
    }
}

/// Google's refusal in its own words.
fn refusal(answer: &TokenResponse) -> PutError {
    let (code, message) = words(answer);
    PutError::from_status(answer.status, &code, &message)
        .retry_after(answer.retry_after.as_deref())
        .with_request_id(answer.upload_id.as_deref())
}

/// Google's refusal of a put.
pub(super) fn put_refusal(answer: &TokenResponse) -> PutError {
    let refused = refusal(answer);
    let (_, message) = words(answer);
    if answer.status == 403 && message.contains("storage.objects.delete") {
        // We only create: Google asks for the permission to delete when there is something to replace.
        return PutError { kind: PutErrorKind::Exists, ..refused };
    }
    refused
}

/// The error of a request without an answer.
fn unanswered(error: &reqwest::Error) -> PutError {
    if let Some(refused) = find::<EndpointError>(error) {
        return PutError::new(PutErrorKind::Misconfigured, refused.to_string());
    }
    let (kind, problem) = if error.is_connect() {
        (PutErrorKind::Unreachable, "cannot connect to the store")
    } else if error.is_builder() {
        (PutErrorKind::Misconfigured, "the request cannot be made")
    } else {
        (PutErrorKind::Unknown, "no answer from the store")
    };
    PutError::new(kind, format!("{problem}: {}", root_cause(error)))
}

/// The reason and the message of an answer in JSON; without one, the text is the message.
fn words(answer: &TokenResponse) -> (String, String) {
    let json = answer.json().unwrap_or_default();
    let text = |pointer| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let message = text("/error/message").unwrap_or_else(|| answer.text());
    (text("/error/errors/0/reason").unwrap_or_default(), message)
}

/// The URL of something below another; each name becomes one segment.
fn below<'a>(base: &Url, names: impl IntoIterator<Item = &'a str>) -> Result<Url, PutError> {
    let mut url = base.clone();
    let wrong = || PutError::new(PutErrorKind::Misconfigured, format!("{base} cannot be the base of a URL"));
    url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(names);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> PutError {
        put_refusal(&TokenResponse::of(status, body).asking(Some("4".to_owned())))
    }

    #[test]
    fn answers_have_their_kinds_and_words() {
        let body = r#"{"error":{"code":412,"message":"At least one of the pre-conditions you specified did not hold.","errors":[{"reason":"conditionNotMet"}]}}"#;
        let exists = answer(412, body);
        assert_eq!(exists.kind, PutErrorKind::Exists);
        assert!(exists.message.starts_with("HTTP 412 conditionNotMet: At least"), "{exists}");
        assert_eq!(answer(401, "Invalid Credentials").kind, PutErrorKind::InvalidCredentials);
        assert_eq!(answer(404, "Not Found").kind, PutErrorKind::NoSuchBucket);
        let slow = answer(429, "");
        assert_eq!(
            (slow.kind, slow.retry_after),
            (PutErrorKind::Throttled, Some(std::time::Duration::from_secs(4)))
        );
        assert_eq!(answer(503, "").kind, PutErrorKind::Unavailable);
    }

    #[test]
    fn a_creator_who_may_not_delete_learns_that_the_object_exists() {
        let no_delete =
            "acme@x.iam.gserviceaccount.com does not have storage.objects.delete access to the object.";
        assert_eq!(answer(403, no_delete).kind, PutErrorKind::Exists);
        let no_create =
            "acme@x.iam.gserviceaccount.com does not have storage.objects.create access to the bucket.";
        assert_eq!(answer(403, no_create).kind, PutErrorKind::Denied);
    }

    #[test]
    fn a_look_shows_what_google_says_and_nothing_else() {
        let key = ObjectKey::stored("audit/a/b.zip".to_owned());
        let look = |body: &str| shown(&TokenResponse::of(200, body), &key).map_err(|error| error.kind);
        let ours =
            r#"{"name":"audit/a/b.zip","generation":"1","size":"7","metadata":{"auditferry-sha256":"ab"}}"#;
        assert_eq!(look(ours), Ok(ObjectHead { content_sha256: Some("ab".to_owned()), bytes: 7 }));
        let bare = r#"{"generation":"1","size":"7"}"#;
        assert_eq!(look(bare), Ok(ObjectHead { content_sha256: None, bytes: 7 }));
        for page in ["", "<html>", "{}", r#"{"size":"7"}"#, r#"{"name":"other","generation":"1","size":"7"}"#]
        {
            assert_eq!(look(page), Err(PutErrorKind::Unknown), "{page}");
        }
    }

    #[test]
    fn an_upload_has_the_length_that_it_says() {
        let object = Object {
            key: ObjectKey::stored("audit/a/b.zip".to_owned()),
            body: Bytes::from_static(b"seven b"),
            content_type: "application/zip",
            metadata: vec![("auditferry-records", "7".to_owned())],
        };
        let (content_type, body) = multipart(&object, "xyz");
        assert_eq!(content_type, "multipart/related; boundary=xyz");
        let said = body.size_hint().exact();
        let whole: Vec<u8> = body.0.flat_map(|piece| piece.to_vec()).collect();
        assert_eq!(said, u64::try_from(whole.len()).ok());
        let text = String::from_utf8(whole).expect("text");
        assert!(text.starts_with("--xyz\r\n") && text.ends_with("\r\n\r\nseven b\r\n--xyz--\r\n"), "{text}");
    }
}
