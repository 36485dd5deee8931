//! Stores that speak S3: the demo's own server, and moto.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use auditferry::demo::bucket::EmbeddedBucket;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{HttpReader, Reader, Seen, Subject, destination, name};
use crate::store_contract::{PATIENCE, open};
use crate::support::{folder, moto, secret};
use auditferry_core::model::destination::{AccessKey, Destination, Place, S3, S3Credentials};
use auditferry_core::store::Store;

/// What S3 calls an object that was put without a key of KMS: its MD5.
const MD5_OF_X: &str = "9dd4e461268c8034f5c8564e155c67a6";

/// The demo's server, on `s3s-fs`: signatures are checked, objects are files.
pub(crate) struct Embedded;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

struct FileReader {
    root: PathBuf,
    bucket: String,
    _server: EmbeddedBucket,
}

#[async_trait]
impl Reader for FileReader {
    async fn read(&self, key: &str) -> Option<Seen> {
        let body = std::fs::read(self.root.join(&self.bucket).join(key)).ok()?;
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let beside = format!(".bucket-{}.object-{}.metadata.json", encode(&self.bucket), encode(key));
        let beside: Value = serde_json::from_slice(&std::fs::read(self.root.join(beside)).ok()?).ok()?;
        Some(Seen {
            body: body.into(),
            content_type: beside["content_type"].as_str()?.to_owned(),
            metadata: serde_json::from_value(beside["user_metadata"].clone()).ok()?,
        })
    }
}

async fn embedded(root: &Path, bucket: &str) -> EmbeddedBucket {
    let listen = "127.0.0.1:0".parse().unwrap();
    EmbeddedBucket::start(root, bucket, "AKIAEMBEDDED", SECRET, listen).await.expect("the embedded server")
}

fn s3(endpoint: &str, bucket: &str, secret_key: &str) -> Destination {
    destination(Place::S3(S3 {
        bucket: bucket.to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        path_style: None,
        sse_kms_key_id: None,
        expected_bucket_owner: None,
        storage_class: None,
        checksum: None,
        request_payer: None,
        acl: None,
        sse: None,
        credentials: S3Credentials::AccessKey(AccessKey {
            id: "AKIAEMBEDDED".to_owned(),
            secret: secret(secret_key),
            session_token: None,
        }),
    }))
}

/// A server that nobody holds must outlive the test: its handle is given away.
async fn embedded_for_good(bucket: &str) -> String {
    let server = embedded(&folder(&name()), bucket).await;
    let endpoint = server.endpoint();
    std::mem::forget(server);
    endpoint
}

#[async_trait]
impl Subject for Embedded {
    const NAMES_REQUESTS: bool = false;
    const SECOND_ID: &'static str = " host-1";
    const VERSION: Option<&'static str> = Some(MD5_OF_X);

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let (root, bucket) = (folder(&name()), name());
        let server = embedded(&root, &bucket).await;
        let store = open(&s3(&server.endpoint(), &bucket, SECRET), PATIENCE).await;
        (store, Box::new(FileReader { root, bucket, _server: server }))
    }

    async fn wrong_secret() -> Destination {
        s3(&embedded_for_good("acme").await, "acme", "not-the-secret")
    }

    async fn missing_bucket() -> Destination {
        s3(&embedded_for_good("acme").await, "another", SECRET)
    }

    async fn at(url: &str) -> Destination {
        s3(url, "acme", SECRET)
    }
}

/// `moto_server`: the S3 that we did not write.
pub(crate) struct Moto;

#[async_trait]
impl Subject for Moto {
    const NAMES_REQUESTS: bool = false;
    const VERSION: Option<&'static str> = Some(MD5_OF_X);

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let bucket = name();
        let store = open(&destination(Place::S3(moto::bucket(&bucket).await)), PATIENCE).await;
        let base = format!("{}/{bucket}", moto::moto().url());
        (store, Box::new(HttpReader { base, query: String::new(), metadata_prefix: "x-amz-meta-" }))
    }

    async fn missing_bucket() -> Destination {
        let place = moto::bucket(&name()).await;
        destination(Place::S3(S3 { bucket: "nobodys-bucket".to_owned(), ..place }))
    }
}
