//! What becomes of objects: they arrive whole, once, under their keys, and can be looked at and removed where that is allowed.

use super::subjects::Subject;
use super::{KEY, binary, bytes_of, created, object};
use auditferry_core::model::object_key::{ObjectKey, OwnKey};
use auditferry_core::store::{ObjectHead, PutErrorKind};

pub(super) async fn an_object_arrives_whole<S: Subject>() {
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

pub(super) async fn a_second_put_finds_the_first<S: Subject>() {
    let (store, reader) = S::bucket().await;
    created(&*store, &object(KEY, b"first")).await;
    for body in [b"second".as_slice(), b"first"] {
        let error = store.put(&object(KEY, body)).await.expect_err("a second put");
        assert_eq!(error.kind, PutErrorKind::Exists, "{error}");
    }
    assert_eq!(bytes_of(&*reader, KEY).await, "first");
}

pub(super) async fn an_empty_object_is_one<S: Subject>() {
    let (store, reader) = S::bucket().await;
    created(&*store, &object(KEY, b"")).await;
    assert_eq!(bytes_of(&*reader, KEY).await, "");
}

pub(super) async fn keys_are_kept_as_they_are<S: Subject>() {
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

pub(super) async fn of_many_at_once_one_creates<S: Subject>() {
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

pub(super) async fn what_was_put_can_be_looked_at<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    created(&*store, &object(KEY, b"seven b")).await;
    let shown =
        store.head(&ObjectKey::stored(KEY.to_owned())).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shown, ObjectHead { content_sha256: Some("ab".repeat(32)), bytes: 7 });
}

pub(super) async fn what_is_not_there_cannot_be_looked_at<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    let error = store.head(&ObjectKey::stored(KEY.to_owned())).await.expect_err("nothing is there");
    assert_eq!(error.kind, PutErrorKind::NoSuchBucket, "{error}");
}

pub(super) async fn who_may_only_create_is_denied_a_look<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    created(&*store, &object(KEY, b"seven b")).await;
    let error = store.head(&ObjectKey::stored(KEY.to_owned())).await.expect_err("a right that we lack");
    assert_eq!(error.kind, PutErrorKind::Denied, "{error}");
}

const PROBE: &str = "siem/auditferry-probe/0f8fad5b";

pub(super) async fn a_probe_is_removed<S: Subject>() {
    let (store, reader) = S::bucket().await;
    created(&*store, &object(PROBE, b"")).await;
    created(&*store, &object(KEY, b"stays")).await;
    store.remove(&OwnKey::probe("siem/", "0f8fad5b")).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(reader.read(PROBE).await.is_none(), "it is still there");
    assert_eq!(bytes_of(&*reader, KEY).await, "stays");
}

pub(super) async fn who_may_only_create_removes_nothing<S: Subject>() {
    let (store, reader) = S::bucket().await;
    created(&*store, &object(PROBE, b"")).await;
    let error = store.remove(&OwnKey::probe("siem/", "0f8fad5b")).await.expect_err("a right that we lack");
    assert_eq!(error.kind, PutErrorKind::Denied, "{error}");
    assert_eq!(bytes_of(&*reader, PROBE).await, "");
}

const PART: &str = "siem/auditferry-downloads/acme/d1-1.csv.000002";

pub(super) async fn a_part_of_ours_is_read<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    let key = OwnKey::part("siem/", "acme/d1-1.csv", 2);
    let error = store.get(&key).await.expect_err("nothing is there");
    assert_eq!(error.kind, PutErrorKind::NoSuchBucket, "{error}");
    created(&*store, &object(PART, &binary()[..60_000])).await;
    let body = store.get(&key).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(body, &binary()[..60_000]);
}

/// A customer's store may answer as long as it likes: no more of it is read than a refusal needs.
pub(super) async fn more_than_the_dialer_lets_through_is_no_part<S: Subject>() {
    let (store, _reader) = S::bucket().await;
    created(&*store, &object(PART, &binary())).await;
    let error = store.get(&OwnKey::part("siem/", "acme/d1-1.csv", 2)).await.expect_err("it is cut");
    assert_eq!(error.kind, PutErrorKind::Unknown, "{error}");
}
