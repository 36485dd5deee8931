//! The stores that keep the contract: how each is reached, broken, and looked into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry_core::model::destination::{
    AccessKey, Azure, AzureCloud, AzureCredentials, Destination, EntraCertificate, EntraSecret, Gcs,
    GcsCredentials, Impersonate, ManagedIdentity, Place, S3, S3Credentials,
};
use auditferry_core::store::Store;
use auditferry_core::store::memory::MemoryStore;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::Value;

use super::{PATIENCE, open};
use crate::support::gcs_server::{GcsServer, foreign_key, known_key};
use crate::support::{azurite, entra_server, folder, gcs_emulator, google_tokens, moto, secret};

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

/// What S3 calls an object that was put without a key of KMS: its MD5.
const MD5_OF_X: &str = "9dd4e461268c8034f5c8564e155c67a6";

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

/// Azurite with the account's key in a connection string.
pub(crate) struct AzuriteKey;

/// Another key of the right form.
const WRONG_KEY: &str =
    "V1JPTkdXUk9OR1dST05HV1JPTkdXUk9OR1dST05HV1JPTkdXUk9OR1dST05HV1JPTkdXUk9OR1dST05HV1JPTg==";

pub(crate) async fn container() -> String {
    let container = name();
    azurite::create_container(&container).await;
    container
}

fn azurite_reader(container: &str) -> Box<dyn Reader> {
    Box::new(HttpReader {
        base: format!("{}/{container}", azurite::endpoint()),
        query: format!("?{}", azurite::account_sas("r", azurite::KEY)),
        metadata_prefix: "x-ms-meta-",
    })
}

fn by_key(container: &str, connection_string: &str) -> Destination {
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: None,
        credentials: AzureCredentials::ConnectionString(secret(connection_string)),
    }))
}

#[async_trait]
impl Subject for AzuriteKey {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let store = open(&by_key(&container, &azurite::connection_string(azurite::KEY)), PATIENCE).await;
        (store, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        by_key(&container().await, &azurite::connection_string(WRONG_KEY))
    }

    async fn missing_bucket() -> Destination {
        by_key("nobodys", &azurite::connection_string(azurite::KEY))
    }

    async fn at(url: &str) -> Destination {
        by_key("acme", &format!("AccountName=acme;AccountKey={WRONG_KEY};BlobEndpoint={url}"))
    }
}

/// Azurite with a signature that may create and write.
pub(crate) struct AzuriteSas;

fn by_sas(endpoint: &str, container: &str, sas: &str) -> Destination {
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: AzureCredentials::Sas(secret(sas)),
    }))
}

async fn bucket_with_sas(permissions: &str) -> (Arc<dyn Store>, Box<dyn Reader>) {
    let container = container().await;
    let sas = azurite::account_sas(permissions, azurite::KEY);
    (open(&by_sas(&azurite::endpoint(), &container, &sas), PATIENCE).await, azurite_reader(&container))
}

#[async_trait]
impl Subject for AzuriteSas {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        bucket_with_sas("cw").await
    }

    async fn wrong_secret() -> Destination {
        by_sas(&azurite::endpoint(), &container().await, &azurite::account_sas("c", WRONG_KEY))
    }

    async fn missing_bucket() -> Destination {
        by_sas(&azurite::endpoint(), "nobodys", &azurite::account_sas("c", azurite::KEY))
    }

    async fn at(url: &str) -> Destination {
        by_sas(url, "acme", &azurite::account_sas("c", WRONG_KEY))
    }
}

/// Azurite with a signature that may create and nothing else.
pub(crate) struct AzuriteCreateSas;

#[async_trait]
impl Subject for AzuriteCreateSas {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        bucket_with_sas("c").await
    }
}

/// Azurite with a signature of the one container.
pub(crate) struct AzuriteContainerSas;

#[async_trait]
impl Subject for AzuriteContainerSas {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let sas = azurite::container_sas(&container, "cw", azurite::KEY);
        (open(&by_sas(&azurite::endpoint(), &container, &sas), PATIENCE).await, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        let (ours, other) = (container().await, container().await);
        by_sas(&azurite::endpoint(), &ours, &azurite::container_sas(&other, "c", azurite::KEY))
    }

    async fn missing_bucket() -> Destination {
        by_sas(&azurite::endpoint(), "nobodys", &azurite::container_sas("nobodys", "c", azurite::KEY))
    }
}

/// Azurite behind a front that takes tokens of Entra ID.
pub(crate) struct AzureSecret;

pub(crate) fn by_application(endpoint: &str, container: &str, client_id: &str, value: &str) -> Destination {
    entra_server::entra();
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: AzureCredentials::EntraSecret(EntraSecret {
            tenant_id: entra_server::TENANT.to_owned(),
            client_id: client_id.to_owned(),
            secret: secret(value),
            cloud: AzureCloud::Public,
        }),
    }))
}

pub(crate) fn by_certificate(container: &str, pem: &str) -> Destination {
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: Some(entra_server::endpoint()),
        credentials: AzureCredentials::EntraCertificate(EntraCertificate {
            tenant_id: entra_server::TENANT.to_owned(),
            client_id: entra_server::CLIENT.to_owned(),
            certificate: secret(pem),
            cloud: AzureCloud::Public,
        }),
    }))
}

#[async_trait]
impl Subject for AzureSecret {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let place =
            by_application(&entra_server::endpoint(), &container, entra_server::CLIENT, entra_server::SECRET);
        (open(&place, PATIENCE).await, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        by_application(&entra_server::endpoint(), &container().await, entra_server::CLIENT, "another")
    }

    async fn missing_bucket() -> Destination {
        by_application(&entra_server::endpoint(), "nobodys", entra_server::CLIENT, entra_server::SECRET)
    }

    async fn at(url: &str) -> Destination {
        by_application(url, "acme", entra_server::CLIENT, entra_server::SECRET)
    }
}

/// The same with a certificate.
pub(crate) struct AzureCertificate;

#[async_trait]
impl Subject for AzureCertificate {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let place = by_certificate(&container, entra_server::CERTIFICATE);
        (open(&place, PATIENCE).await, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        by_certificate(&container().await, entra_server::UNKNOWN_CERTIFICATE)
    }

    async fn missing_bucket() -> Destination {
        by_certificate("nobodys", entra_server::CERTIFICATE)
    }
}

/// The same as the worker's own machine.
pub(crate) struct AzureMachine;

pub(crate) fn by_machine(endpoint: &str, container: &str, client_id: Option<&str>) -> Destination {
    entra_server::entra();
    let client_id = client_id.map(str::to_owned);
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: AzureCredentials::ManagedIdentity(ManagedIdentity { client_id }),
    }))
}

#[async_trait]
impl Subject for AzureMachine {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let place = by_machine(&entra_server::endpoint(), &container, None);
        (open(&place, PATIENCE).await, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        by_machine(&entra_server::endpoint(), &container().await, Some(entra_server::CLIENT_WITHOUT_ROLE))
    }

    async fn missing_bucket() -> Destination {
        by_machine(&entra_server::endpoint(), "nobodys", None)
    }

    async fn at(url: &str) -> Destination {
        by_machine(url, "acme", None)
    }
}

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
