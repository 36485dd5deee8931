//! Our server of Google's API, and the emulator that we did not write.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Reader, Seen, Subject, destination, name};
use crate::store_contract::{PATIENCE, open};
use crate::support::gcs_server::{GcsServer, foreign_key, known_key};
use crate::support::{gcs_emulator, google_tokens, secret};
use auditferry_core::model::destination::{Destination, Gcs, GcsCredentials, Impersonate, Place};
use auditferry_core::store::Store;

/// Our server of Google's API, which checks tokens and preconditions.
pub(crate) struct Google;

struct GcsReader {
    server: GcsServer,
    bucket: String,
}

#[async_trait]
impl Reader for GcsReader {
    async fn read(&self, key: &str) -> Option<Seen> {
        let stored = self.server.object(&self.bucket, key)?;
        Some(Seen { body: stored.body, content_type: stored.content_type, metadata: stored.metadata })
    }
}

fn gcs(bucket: &str, endpoint: &str) -> Destination {
    destination(Place::Gcs(Gcs {
        bucket: bucket.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: GcsCredentials::ServiceAccount(secret(&known_key())),
    }))
}

#[async_trait]
impl Subject for Google {
    const VERSION: Option<&'static str> = Some("1");

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let (server, bucket) = (GcsServer::start().await, name());
        let store = open(&destination(Place::Gcs(server.bucket(&bucket, &known_key()))), PATIENCE).await;
        (store, Box::new(GcsReader { server, bucket }))
    }

    async fn wrong_secret() -> Destination {
        destination(Place::Gcs(GcsServer::start().await.bucket("acme", &foreign_key())))
    }

    async fn missing_bucket() -> Destination {
        gcs("nobodys", &GcsServer::start().await.url())
    }

    async fn at(url: &str) -> Destination {
        gcs("acme", url)
    }
}

/// The same where the key's account may create objects and not remove them.
pub(crate) struct GoogleCreateOnly;

#[async_trait]
impl Subject for GoogleCreateOnly {
    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let (server, bucket) = (GcsServer::start().await, name());
        let place = server.create_only_bucket(&bucket, &known_key());
        (open(&destination(Place::Gcs(place)), PATIENCE).await, Box::new(GcsReader { server, bucket }))
    }
}

/// The same as a service account that lets the worker act as it.
pub(crate) struct GoogleImpersonated;

pub(crate) fn as_account(place: Gcs, service_account: &str) -> Destination {
    google_tokens::google();
    let credentials =
        GcsCredentials::Impersonate(Impersonate { service_account: service_account.to_owned() });
    destination(Place::Gcs(Gcs { credentials, ..place }))
}

#[async_trait]
impl Subject for GoogleImpersonated {
    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let (server, bucket) = (GcsServer::start().await, name());
        let place = server.bucket(&bucket, &known_key());
        let store = open(&as_account(place, google_tokens::WRITER), PATIENCE).await;
        (store, Box::new(GcsReader { server, bucket }))
    }

    async fn wrong_secret() -> Destination {
        as_account(GcsServer::start().await.bucket("acme", &known_key()), google_tokens::CLOSED)
    }

    async fn missing_bucket() -> Destination {
        let place = GcsServer::start().await.bucket("acme", &known_key());
        as_account(Gcs { bucket: "nobodys".to_owned(), ..place }, google_tokens::WRITER)
    }

    async fn at(url: &str) -> Destination {
        let Place::Gcs(place) = gcs("acme", url).place else { unreachable!("it is Google") };
        as_account(place, google_tokens::WRITER)
    }
}

/// `gcp-storage-emulator`: the Google Cloud Storage that we did not write.
pub(crate) struct GoogleEmulator;

struct EmulatorReader(String);

#[async_trait]
impl Reader for EmulatorReader {
    async fn read(&self, key: &str) -> Option<Seen> {
        let key = key.replace('/', "%2F").replace('=', "%3D");
        let url = format!("{}/storage/v1/b/{}/o/{key}", gcs_emulator::gcs_emulator().url(), self.0);
        let get = async |url: &str| {
            let answer = reqwest::get(url).await.expect("the emulator");
            answer.status().is_success().then_some(answer)?.bytes().await.ok()
        };
        let about: Value = serde_json::from_slice(&get(&url).await?).ok()?;
        Some(Seen {
            body: get(&format!("{url}?alt=media")).await?,
            content_type: about["contentType"].as_str()?.to_owned(),
            metadata: serde_json::from_value(about["metadata"].clone()).ok()?,
        })
    }
}

#[async_trait]
impl Subject for GoogleEmulator {
    const NAMES_REQUESTS: bool = false;

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let bucket = name();
        gcs_emulator::create_bucket(&bucket).await;
        let store = open(&gcs(&bucket, &gcs_emulator::gcs_emulator().url()), PATIENCE).await;
        (store, Box::new(EmulatorReader(bucket)))
    }

    async fn missing_bucket() -> Destination {
        gcs("nobodys-bucket", &gcs_emulator::gcs_emulator().url())
    }
}
