//! One put through a fault: what the adapter says of it, and how often it asks.

use std::sync::Arc;
use std::time::Duration;

use auditferry::secrets::Opened;
use auditferry::store::{self};
use auditferry_core::model::destination::Destination;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::store::{Object, PutError, PutErrorKind, Store};
use bytes::Bytes;
use comfy_table::{Table, presets};

use crate::network_faults::buckets::{Bucket, Kind};
use crate::network_faults::cases::{Case, Place};
use crate::support::eventually;
use crate::support::fault_proxy::{Fault, FaultProxy};

const KEY: &str = "audit/acme/audit_acme_20261121T040000Z.zip";

/// Some 300 kB, more than one packet and less than what is asked for before it is sent.
fn body() -> Bytes {
    (0..300_000_u32).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect()
}

fn object() -> Object {
    Object {
        key: ObjectKey::stored(KEY.to_owned()),
        body: body(),
        content_type: "application/zip",
        metadata: vec![("auditferry-records", "7".to_owned())],
    }
}

async fn open(destination: &Destination, timeout: Duration) -> Arc<dyn Store> {
    store::open(destination, &Opened::default(), false, &crate::support::dialer(timeout))
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The proxy of a case, and the endpoint with its fault.
pub(crate) async fn proxy(case: &Case, bucket: &Bucket) -> (FaultProxy, String) {
    let proxy = match &case.place {
        Place::Request(fault) => FaultProxy::start(bucket.address, [fault.clone()]).await,
        Place::Refused => FaultProxy::refusing(bucket.address).await,
        Place::SelfSigned => FaultProxy::self_signed(bucket.address).await,
        Place::PlainBehindTls | Place::Dns => FaultProxy::start(bucket.address, []).await,
    };
    let url = match case.place {
        Place::Request(_) | Place::Refused => proxy.url(),
        Place::SelfSigned | Place::PlainBehindTls => proxy.url().replace("http:", "https:"),
        Place::Dns => "http://store.invalid".to_owned(),
    };
    (proxy, url)
}

async fn first_put(case: &Case, bucket: &Bucket) -> (FaultProxy, Result<(), PutError>) {
    let (proxy, url) = proxy(case, bucket).await;
    let store = open(&bucket.at(&url), case.put_timeout()).await;
    let answer = store.put(&object()).await.map(drop);
    (proxy, answer)
}

pub(crate) async fn one(case: Case, kind: Kind) {
    let bucket = Bucket::new(kind).await;
    let (proxy, answer) = first_put(&case, &bucket).await;
    match (&case.says, &answer) {
        (None, Ok(())) => {}
        (Some(says), Err(error)) => {
            assert_eq!(error.kind, *says, "{error}");
            assert_eq!(error.retry_after, case.retry_after, "{error}");
            assert!(!error.message.is_empty() && !error.message.contains("sig="), "{error}");
        }
        (says, answer) => panic!("{says:?}: {answer:?}"),
    }
    if case.stored {
        eventually("the request arrives", async || (!proxy.seen().first()?.answers.is_empty()).then_some(()))
            .await;
    }
    assert_eq!(proxy.seen().len(), case.requests(), "one request, and no retry of the SDK's own");
    let objects = bucket.objects().await;
    assert_eq!(objects.len(), usize::from(case.stored), "{:?}", objects.keys());

    // Tried again without the fault, the store says what the first attempt came to.
    let again = open(&bucket.directly(), Duration::from_secs(30)).await.put(&object()).await;
    match again {
        Ok(_) => assert!(!case.stored, "created over an object that is there"),
        Err(error) => {
            assert_eq!(error.kind, PutErrorKind::Exists, "{error}");
            assert!(case.stored, "{error}");
        }
    }
    let objects = bucket.objects().await;
    assert_eq!(objects.keys().collect::<Vec<_>>(), [KEY]);
    assert!(objects[KEY] == body(), "other bytes");
}

/// A connection that was used before may have been closed while nobody looked, so HTTP clients
/// like to send again what they sent on such a one. Not after the store may have had it.
pub(crate) async fn reused(kind: Kind) {
    for (fault, stored) in [(Fault::ResetInBody, 1), (Fault::AnswerLost, 2)] {
        let bucket = Bucket::new(kind).await;
        let proxy = FaultProxy::start(bucket.address, [Fault::Pass, fault]).await;
        let store = open(&bucket.at(&proxy.url()), Duration::from_secs(30)).await;
        store.put(&object()).await.unwrap();
        let next = Object { key: ObjectKey::stored(KEY.replace("T04", "T08")), ..object() };
        let error = store.put(&next).await.expect_err("a broken connection");
        assert_eq!(error.kind, PutErrorKind::Unknown, "{error}");
        assert_eq!(proxy.seen().len(), 2, "no second request for the second object");
        assert_eq!(proxy.connections(), 1, "the connection was used again");
        assert_eq!(bucket.objects().await.len(), stored);
    }
}

/// What each case comes to, in one table.
pub(crate) async fn table(cases: &[fn(Kind) -> Case]) {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    let stores = ["embedded S3", "moto (S3)", "Azurite", "GCS server"];
    table.set_header(["fault", "object stored"].into_iter().chain(stores));
    for case in cases {
        let of = case(Kind::Embedded);
        let stored = if of.stored { "yes" } else { "no" };
        let mut row = vec![of.name.to_owned(), stored.to_owned()];
        for kind in Kind::ALL {
            let (proxy, answer) = first_put(&case(kind), &Bucket::new(kind).await).await;
            let says = answer.map_or_else(
                |error| match error.retry_after {
                    Some(wait) => format!("{}, {} s", error.kind.as_str(), wait.as_secs()),
                    None => error.kind.as_str().to_owned(),
                },
                |()| "created".to_owned(),
            );
            row.push(format!("{says}; {} sent", proxy.seen().len()));
        }
        table.add_row(row);
    }
    println!("{table}");
}
