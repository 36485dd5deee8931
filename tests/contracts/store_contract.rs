//! One contract for every store: what `Store::put` promises, whoever keeps the bytes.
//!
//! Objects are read back past our adapters: from the file on disk, from the server's
//! memory, or with a plain HTTP request.

mod ids;
mod subjects;
mod tokens;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use auditferry::secrets::Opened;
use auditferry::store::{self};
use auditferry_core::model::destination::Destination;
use auditferry_core::model::object_key::{ObjectKey, ProbeKey};
use auditferry_core::store::{Object, ObjectHead, PutError, PutErrorKind, Store};
use bytes::Bytes;
use ids::{
    a_put_has_both_of_amazons_ids, a_put_has_the_stores_ids, a_refusal_has_the_requests_id,
    an_answers_id_is_kept_in_one_short_line,
};
use subjects::{Reader, Subject};
use tokio::io::AsyncReadExt;

/// Longer than any emulator needs; the tests of silence use a shorter one.
const PATIENCE: Duration = Duration::from_secs(30);

const KEY: &str = "audit/acme/audit_acme_20261121T040000Z.zip";

fn object(key: &str, body: &[u8]) -> Object {
    Object {
        key: ObjectKey::stored(key.to_owned()),
        body: Bytes::copy_from_slice(body),
        content_type: "application/zip",
        metadata: vec![
            ("auditferry-sha256", "ab".repeat(32)),
            ("auditferry-records", "7".to_owned()),
            ("auditferry-from", "2026-11-21T00:00:00Z".to_owned()),
        ],
    }
}

/// Bytes that no text encoding leaves alone.
fn binary() -> Vec<u8> {
    (0..200_000_u32).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect()
}

async fn open(destination: &Destination, timeout: Duration) -> Arc<dyn Store> {
    let own = destination.needs_proof();
    store::open(destination, &Opened::default(), own, &crate::support::dialer(timeout))
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

async fn refused(destination: &Destination, timeout: Duration) -> PutError {
    open(destination, timeout).await.put(&object(KEY, b"x")).await.expect_err("a put that cannot succeed")
}

async fn created(store: &dyn Store, object: &Object) {
    store.put(object).await.unwrap_or_else(|error| panic!("{}: {:?} {error}", object.key, error.kind));
}

async fn bytes_of(reader: &dyn Reader, key: &str) -> Bytes {
    reader.read(key).await.unwrap_or_else(|| panic!("nothing under {key}")).body
}

async fn an_object_arrives_whole<S: Subject>() {
    let (store, reader) = S::bucket().await;
    let body = binary();
    created(&*store, &object(KEY, &body)).await;
    let seen = reader.read(KEY).await.expect("the object");
    assert!(seen.body == body, "other bytes: {} of {}", seen.body.len(), body.len());
    assert_eq!(seen.content_type, "application/zip");
    for (name, value) in object(KEY, b"").metadata {
        let name = name.replace('-', S::SEPARATOR);
        assert_eq!(seen.metadata.get(&name), Some(&value), "{name} in {:?}", seen.metadata);
    }
}

async fn a_second_put_finds_the_first<S: Subject>() {
    let (store, reader) = S::bucket().await;
    created(&*store, &object(KEY, b"first")).await;
    for body in [b"second".as_slice(), b"first"] {
        let error = store.put(&object(KEY, body)).await.expect_err("a second put");
        assert_eq!(error.kind, PutErrorKind::Exists, "{error}");
    }
    assert_eq!(bytes_of(&*reader, KEY).await, "first");
}

async fn an_empty_object_is_one<S: Subject>() {
    let (store, reader) = S::bucket().await;
    created(&*store, &object(KEY, b"")).await;
    assert_eq!(bytes_of(&*reader, KEY).await, "");
}

async fn keys_are_kept_as_they_are<S: Subject>() {
    let (store, reader) = S::bucket().await;
    let keys = [
        "audit/acme.20corp/audit_acme.20corp_20261121T040000Z.zip",
        "audit/acme.20corp/audit_acme.20corp_20261121T040000Z_0002.zip",
        "audit/.2e.2e/audit_.2e.2e_20261121T040000Z.jsonl.gz",
        "siem/team=a/audit/a.2fb/audit_a.2fb_20261121T040000Z.zip",
        "siem/auditferry-probe/0f8fad5b",
    ];
    for key in keys {
        created(&*store, &object(key, key.as_bytes())).await;
    }
    for key in keys {
        assert_eq!(bytes_of(&*reader, key).await, key);
    }
}

async fn of_many_at_once_one_creates<S: Subject>() {
    let (store, reader) = S::bucket().await;
    let puts = (0..8).map(|number| {
        let store = store.clone();
        let body = format!("number {number} {}", "x".repeat(10_000));
        tokio::spawn(async move { (store.put(&object(KEY, body.as_bytes())).await, body) })
    });
    let mut winners = Vec::new();
    for put in puts.collect::<Vec<_>>() {
        match put.await.expect("task") {
            (Ok(_), body) => winners.push(body),
            (Err(error), _) => {
                assert!(
                    matches!(error.kind, PutErrorKind::Exists | PutErrorKind::Conflict),
                    "{:?} {error}",
                    error.kind
                );
            }
        }
    }
    assert_eq!(winners.len(), 1, "{} of 8 created it", winners.len());
    assert_eq!(bytes_of(&*reader, KEY).await, winners[0]);
}

async fn a_wrong_secret_is_denied<S: Subject>() {
    let error = refused(&S::wrong_secret().await, PATIENCE).await;
    // A signature without the permission is denied, one that does not fit is unknown.
    assert!(matches!(error.kind, PutErrorKind::InvalidCredentials | PutErrorKind::Denied), "{error}");
    assert!(!error.to_string().contains("sig="), "{error}");
}

async fn a_missing_bucket_is_named<S: Subject>() {
    let error = refused(&S::missing_bucket().await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::NoSuchBucket, "{error}");
}

async fn nobody_listening_is_unreachable<S: Subject>() {
    let nobody = format!("http://{}", crate::support::child::free_address());
    let error = refused(&S::at(&nobody).await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains("refused") && !error.to_string().contains("sig="), "{error}");
}

async fn an_unknown_host_is_unreachable<S: Subject>() {
    let error = refused(&S::at("http://store.invalid").await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::Unreachable, "{error}");
}

/// A server whose certificate cannot be trusted gets no request.
async fn a_server_without_tls_is_unreachable_by_https<S: Subject>() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
    let error = refused(&S::at(&url).await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::Unreachable, "{error}");
    server.abort();
}

async fn silence_is_unknown_in_time<S: Subject>() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    let store = open(&S::at(&url).await, Duration::from_millis(500)).await;
    // A token has half of that, which may be too little on a busy machine; this is about the store.
    let signed_in = async || store.sign_in().await.is_none_or(|token| token.is_ok()).then_some(());
    crate::support::eventually("a token", signed_in).await;
    let start = Instant::now();
    let error = store.put(&object(KEY, b"x")).await.expect_err("a put that nobody answers");
    assert_eq!(error.kind, PutErrorKind::Unknown, "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "after {:?}", start.elapsed());
    server.abort();
}

/// A connection that breaks once the request was sent, and no second one: the SDKs'
/// own retries would hide from the ledger how often a put was tried.
async fn a_broken_connection_is_unknown_and_not_tried_again<S: Subject>() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let server = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = socket.read(&mut [0; 16]).await;
        }
    });
    let error = refused(&S::at(&url).await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::Unknown, "{error}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    server.abort();
}

/// As above, for a server that answers that something went wrong.
async fn an_internal_error_is_unknown_and_not_tried_again<S: Subject>() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    let routes = axum::Router::new().fallback(move |_: Bytes| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready((axum::http::StatusCode::INTERNAL_SERVER_ERROR, [("retry-after", "5")], "oops"))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let error = refused(&S::at(&url).await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("500"), "{error}");
    assert_eq!(error.retry_after, Some(Duration::from_secs(5)));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    server.abort();
}

/// What stands between the worker and its store answers in its place.
async fn a_success_without_proof_is_none<S: Subject>() {
    use axum::http::StatusCode;
    let page = "<!doctype html><title>Sign in to the network</title>";
    let etag = [("etag", "\"5f-1\""), ("content-type", "text/html")];
    let nothing = [("etag", ""), ("content-type", "text/html")];
    for (status, head, body) in [
        (StatusCode::OK, nothing, page),
        (StatusCode::OK, etag, page),
        (StatusCode::OK, nothing, ""),
        (StatusCode::CREATED, nothing, page),
        (StatusCode::CREATED, nothing, ""),
        (StatusCode::NO_CONTENT, etag, ""),
    ] {
        let routes = axum::Router::new().fallback(async move |_: Bytes| (status, head, body));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });
        let store = open(&S::at(&url).await, PATIENCE).await;
        let key = ObjectKey::stored(KEY.to_owned());
        let put = store.put(&object(KEY, b"x")).await.expect_err("no proof");
        let look = store.head(&key).await.expect_err("nothing was seen");
        for error in [put, look] {
            assert_eq!(error.kind, PutErrorKind::Unknown, "{status}: {error}");
            assert!(error.message.contains("captive portal"), "{status}: {error}");
        }
        if !body.is_empty() {
            let removed = store.remove(&ProbeKey::new("siem/", "0f8fad5b")).await;
            assert!(removed.is_err(), "{status}: a page removes nothing");
        }
        server.abort();
    }
}

/// How much an endless answer may put into buffers on its way, sockets' included.
const BUFFERS: usize = 16 << 20;

/// Answers every request with a head and then `more` of the same for ever, and counts what was taken.
async fn endless(head: String, more: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (head, more, counted) = (head.clone(), more.clone(), counted.clone());
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    if socket.read_buf(&mut request).await? == 0 {
                        return Ok(());
                    }
                }
                socket.write_all(head.as_bytes()).await?;
                // Who takes all of it would take more.
                while counted.load(Ordering::SeqCst) < 4 * BUFFERS {
                    socket.write_all(&more).await?;
                    counted.fetch_add(more.len(), Ordering::SeqCst);
                }
                std::io::Result::Ok(())
            });
        }
    });
    (url, taken)
}

async fn an_endless_answer_is_cut<S: Subject>() {
    let chunk = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
    let line = format!("x-more: {}\r\n", "a".repeat(1_000)).into_bytes();
    let head = |status| format!("HTTP/1.1 {status} x\r\ntransfer-encoding: chunked\r\n\r\n");
    for (head, more, says) in [
        (head(200), &chunk, PutErrorKind::Unknown),
        (head(201), &chunk, PutErrorKind::Unknown),
        (head(403), &chunk, PutErrorKind::Denied),
        (head(500), &chunk, PutErrorKind::Unavailable),
        ("HTTP/1.1 200 x\r\n".to_owned(), &line, PutErrorKind::Unknown),
    ] {
        let (url, taken) = endless(head.clone(), more.clone()).await;
        let error = refused(&S::at(&url).await, PATIENCE).await;
        assert_eq!(error.kind, says, "{head}: {error}");
        assert!(error.message.len() < 1_000, "{head}: {} bytes", error.message.len());
        let taken = taken.load(Ordering::SeqCst);
        assert!(taken < BUFFERS, "{head}: {taken} bytes were taken");
    }
}

async fn what_was_put_can_be_looked_at<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    created(&*store, &object(KEY, b"seven b")).await;
    let shown =
        store.head(&ObjectKey::stored(KEY.to_owned())).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shown, ObjectHead { content_sha256: Some("ab".repeat(32)), bytes: 7 });
}

async fn what_is_not_there_cannot_be_looked_at<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    let error = store.head(&ObjectKey::stored(KEY.to_owned())).await.expect_err("nothing is there");
    assert_eq!(error.kind, PutErrorKind::NoSuchBucket, "{error}");
}

async fn who_may_only_create_is_denied_a_look<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    created(&*store, &object(KEY, b"seven b")).await;
    let error = store.head(&ObjectKey::stored(KEY.to_owned())).await.expect_err("a right that we lack");
    assert_eq!(error.kind, PutErrorKind::Denied, "{error}");
}

const PROBE: &str = "siem/auditferry-probe/0f8fad5b";

async fn a_probe_is_removed<S: Subject>() {
    let (store, reader) = S::bucket().await;
    created(&*store, &object(PROBE, b"")).await;
    created(&*store, &object(KEY, b"stays")).await;
    store.remove(&ProbeKey::new("siem/", "0f8fad5b")).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(reader.read(PROBE).await.is_none(), "it is still there");
    assert_eq!(bytes_of(&*reader, KEY).await, "stays");
}

async fn who_may_only_create_removes_nothing<S: Subject>() {
    let (store, reader) = S::bucket().await;
    created(&*store, &object(PROBE, b"")).await;
    let error = store.remove(&ProbeKey::new("siem/", "0f8fad5b")).await.expect_err("a right that we lack");
    assert_eq!(error.kind, PutErrorKind::Denied, "{error}");
    assert_eq!(bytes_of(&*reader, PROBE).await, "");
}

/// A test of each named clause.
macro_rules! contract {
    ($store:ident: $($clause:ident)*) => {
        #[allow(non_snake_case, reason = "named as the store")]
        mod $store {
            $(#[test]
            fn $clause() {
                crate::support::run(super::$clause::<super::subjects::$store>());
            })*
        }
    };
}

// In memory there is nothing to reach and nobody to deny.
contract!(Memory:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
);

contract!(Embedded:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    an_unknown_host_is_unreachable
    a_server_without_tls_is_unreachable_by_https
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
    a_put_has_both_of_amazons_ids
);

// moto believes every signature, so it cannot deny a wrong secret; what does not
// reach a server is covered by the other store of the same adapter.
contract!(Moto:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_missing_bucket_is_named
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_probe_is_removed
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
);

contract!(AzuriteKey:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    an_unknown_host_is_unreachable
    a_server_without_tls_is_unreachable_by_https
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_probe_is_removed
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

contract!(AzuriteSas:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    an_unknown_host_is_unreachable
    a_server_without_tls_is_unreachable_by_https
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    who_may_only_create_is_denied_a_look
    who_may_only_create_removes_nothing
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

// The permission to create is enough. When the object exists, Azure answers a
// signature without `w` with UnauthorizedBlobOverwrite, which the adapter knows, but
// Azurite with the code of any missing permission.
contract!(AzuriteCreateSas:
    an_object_arrives_whole
    an_empty_object_is_one
    keys_are_kept_as_they_are
    who_may_only_create_is_denied_a_look
    who_may_only_create_removes_nothing
);

contract!(AzuriteContainerSas:
    an_object_arrives_whole
    a_second_put_finds_the_first
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    who_may_only_create_is_denied_a_look
    who_may_only_create_removes_nothing
);

contract!(AzureSecret:
    an_object_arrives_whole
    a_second_put_finds_the_first
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    who_may_only_create_is_denied_a_look
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

contract!(AzureCertificate:
    an_object_arrives_whole
    a_second_put_finds_the_first
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
);

contract!(AzureMachine:
    an_object_arrives_whole
    a_second_put_finds_the_first
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
);

contract!(Google:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    an_unknown_host_is_unreachable
    a_server_without_tls_is_unreachable_by_https
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_probe_is_removed
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

contract!(GoogleImpersonated:
    an_object_arrives_whole
    a_second_put_finds_the_first
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    a_broken_connection_is_unknown_and_not_tried_again
    what_was_put_can_be_looked_at
    a_probe_is_removed
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

contract!(GoogleCreateOnly:
    an_empty_object_is_one
    who_may_only_create_removes_nothing
);

// gcp-storage-emulator ignores preconditions and tokens: a second put replaces the
// first there, many at once all create, and no secret is wrong.
contract!(GoogleEmulator:
    an_object_arrives_whole
    an_empty_object_is_one
    keys_are_kept_as_they_are
    a_missing_bucket_is_named
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_probe_is_removed
    a_put_has_the_stores_ids
);
