//! The stores that keep the contract: how each is reached, broken, and looked into.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use auditferry_core::model::destination::{Destination, Place};

use auditferry_core::store::Store;
use auditferry_core::store::memory::MemoryStore;

use bytes::Bytes;

mod azure;
mod google;
mod s3;

pub(crate) use azure::{
    AzureCertificate, AzureMachine, AzureSecret, AzuriteContainerSas, AzuriteCreateSas, AzuriteKey,
    AzuriteSas, by_application, by_certificate, by_machine, container,
};
pub(crate) use google::{Google, GoogleCreateOnly, GoogleEmulator, GoogleImpersonated, as_account};
pub(crate) use s3::{Embedded, Moto};

/// An object as somebody else sees it.
pub(crate) struct Seen {
    pub(crate) body: Bytes,
    pub(crate) content_type: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Reads a bucket without our adapters.
#[async_trait]
pub(crate) trait Reader: Send + Sync {
    /// The object under a key, if there is one.
    async fn read(&self, key: &str) -> Option<Seen>;
}

/// A kind of store.
#[async_trait]
pub(crate) trait Subject {
    /// What stands between the words of a metadata name.
    const SEPARATOR: &'static str = "-";
    /// Whether its server gives each request an id.
    const NAMES_REQUESTS: bool = true;
    /// What follows the first id of a request.
    const SECOND_ID: &'static str = "";
    /// The version of an object that holds `x`, where that is known.
    const VERSION: Option<&'static str> = None;

    /// A store with a new, empty bucket, and a look into it.
    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>);

    /// A bucket that exists, with a secret that is not right.
    async fn wrong_secret() -> Destination {
        unreachable!("exempt")
    }

    /// A bucket that does not exist, with a secret that is right.
    async fn missing_bucket() -> Destination {
        unreachable!("exempt")
    }

    /// The same kind of destination at another server.
    async fn at(_url: &str) -> Destination {
        unreachable!("exempt")
    }
}

/// A bucket's name that no other test has.
fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("acme-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn destination(place: Place) -> Destination {
    Destination { prefix: String::new(), allow_http: true, accept_overwrites: false, expires: None, place }
}

pub(crate) struct Memory;

struct MemoryReader(Arc<MemoryStore>);

#[async_trait]
impl Reader for MemoryReader {
    async fn read(&self, key: &str) -> Option<Seen> {
        let object = self.0.objects().into_iter().find(|object| object.key.as_str() == key)?;
        let metadata =
            object.metadata.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Some(Seen { body: object.body, content_type: object.content_type.to_owned(), metadata })
    }
}

#[async_trait]
impl Subject for Memory {
    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let store = Arc::new(MemoryStore::default());
        (store.clone(), Box::new(MemoryReader(store)))
    }
}

/// Reads over HTTP what is public, or made so by the query.
struct HttpReader {
    base: String,
    query: String,
    metadata_prefix: &'static str,
}

#[async_trait]
impl Reader for HttpReader {
    async fn read(&self, key: &str) -> Option<Seen> {
        let answer = reqwest::get(format!("{}/{key}{}", self.base, self.query)).await.expect("the emulator");
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return None;
        }
        assert!(answer.status().is_success(), "GET {key}: {}", answer.status());
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        let metadata = answer.headers().iter().filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix(self.metadata_prefix)?.to_owned(), text(value)))
        });
        Some(Seen {
            metadata: metadata.collect(),
            content_type: answer.headers().get("content-type").map(text).unwrap_or_default(),
            body: answer.bytes().await.expect("the body"),
        })
    }
}
