//! What a store calls an object and a request, of which its support asks first.

use auditferry_core::store::PutErrorKind;
use axum::http::StatusCode;
use bytes::Bytes;

use super::subjects::Subject;
use super::{KEY, PATIENCE, created, object, open};

/// A put tells the object's version, and the request's id where the server has one.
pub(super) async fn a_put_has_the_stores_ids<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    let put = store.put(&object(KEY, b"x")).await.unwrap_or_else(|error| panic!("{error}"));
    let ids = put.into_ids();
    let version = ids.version.clone().expect("a version");
    assert!(!version.is_empty() && !version.contains('"'), "{version}");
    if let Some(expected) = S::VERSION {
        assert_eq!(version, expected);
    }
    assert_eq!(ids.request_id.is_some(), S::NAMES_REQUESTS, "{ids:?}");
    let other = object("audit/acme/other.zip", b"y");
    let of_other = store.put(&other).await.unwrap_or_else(|error| panic!("{error}")).into_ids();
    assert!(!S::NAMES_REQUESTS || of_other.request_id != ids.request_id, "{of_other:?}");
}

/// So does a refusal, of a server that is the store's own.
pub(super) async fn a_refusal_has_the_requests_id<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    created(&*store, &object(KEY, b"first")).await;
    let error = store.put(&object(KEY, b"second")).await.expect_err("a second put");
    assert_eq!(error.kind, PutErrorKind::Exists);
    assert_eq!(error.request_id.is_some(), S::NAMES_REQUESTS, "{error:?}");
}

/// Whatever an answer means, the id that it has goes with it, in one line of bounded length.
pub(super) async fn an_answers_id_is_kept_in_one_short_line<S: Subject>() {
    let long = "x".repeat(9_000);
    for (status, id) in [
        (StatusCode::FORBIDDEN, "refused-1"),
        (StatusCode::SERVICE_UNAVAILABLE, "away-1"),
        // Nothing proves that this one comes from the store.
        (StatusCode::OK, "unproved-1"),
        (StatusCode::FORBIDDEN, long.as_str()),
    ] {
        let heads =
            ["x-amz-request-id", "x-ms-request-id", "x-guploader-uploadid"].map(|name| (name, id.to_owned()));
        let routes = axum::Router::new().fallback(move |_: Bytes| {
            std::future::ready((
                status,
                axum::response::AppendHeaders(heads.clone()),
                [("x-amz-id-2", "host-1")],
                "",
            ))
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });
        let error =
            open(&S::at(&url).await, PATIENCE).await.put(&object(KEY, b"x")).await.expect_err("no put");
        let kept = error.request_id.clone().unwrap_or_else(|| panic!("{status}: {error:?}"));
        assert!(kept.chars().count() <= 200, "{} characters", kept.chars().count());
        if id.len() < 100 {
            assert_eq!(kept, format!("{id}{}", S::SECOND_ID), "{status}: {error:?}");
        }
        server.abort();
    }
}

/// Amazon has two ids of a request, which none of the servers here gives.
pub(super) async fn a_put_has_both_of_amazons_ids<S: Subject>() {
    let heads = [("etag", "\"e-1\""), ("x-amz-request-id", "request-1"), ("x-amz-id-2", "host-1")];
    let routes = axum::Router::new().fallback(async move |_: Bytes| (StatusCode::OK, heads, ""));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let put = open(&S::at(&url).await, PATIENCE).await.put(&object(KEY, b"x")).await;
    let ids = put.unwrap_or_else(|error| panic!("{error}")).into_ids();
    assert_eq!((ids.version.as_deref(), ids.request_id.as_deref()), (Some("e-1"), Some("request-1 host-1")));
    server.abort();
}
