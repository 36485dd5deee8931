//! What servers answer instead of storing an object, or instead of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use super::subjects::Subject;
use super::{KEY, PATIENCE, object, open, refused};
use auditferry_core::model::object_key::{ObjectKey, OwnKey};
use auditferry_core::store::PutErrorKind;

pub(super) async fn a_wrong_secret_is_denied<S: Subject>() {
    let error = refused(&S::wrong_secret().await, PATIENCE).await;
    // A signature without the permission is denied, one that does not fit is unknown.
    assert!(matches!(error.kind, PutErrorKind::InvalidCredentials | PutErrorKind::Denied), "{error}");
    assert!(!error.to_string().contains("sig="), "{error}");
}

pub(super) async fn a_missing_bucket_is_named<S: Subject>() {
    let error = refused(&S::missing_bucket().await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::NoSuchBucket, "{error}");
}

pub(super) async fn nobody_listening_is_unreachable<S: Subject>() {
    let nobody = format!("http://{}", crate::support::child::free_address());
    let error = refused(&S::at(&nobody).await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains("refused") && !error.to_string().contains("sig="), "{error}");
}

pub(super) async fn an_unknown_host_is_unreachable<S: Subject>() {
    let error = refused(&S::at("http://store.invalid").await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::Unreachable, "{error}");
}

/// A server whose certificate cannot be trusted gets no request.
pub(super) async fn a_server_without_tls_is_unreachable_by_https<S: Subject>() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
    let error = refused(&S::at(&url).await, PATIENCE).await;
    assert_eq!(error.kind, PutErrorKind::Unreachable, "{error}");
    server.abort();
}

pub(super) async fn silence_is_unknown_in_time<S: Subject>() {
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
pub(super) async fn a_broken_connection_is_unknown_and_not_tried_again<S: Subject>() {
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
pub(super) async fn an_internal_error_is_unknown_and_not_tried_again<S: Subject>() {
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
pub(super) async fn a_success_without_proof_is_none<S: Subject>() {
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
            let removed = store.remove(&OwnKey::probe("siem/", "0f8fad5b")).await;
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

pub(super) async fn an_endless_answer_is_cut<S: Subject>() {
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
