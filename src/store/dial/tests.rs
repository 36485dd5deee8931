use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::*;
mod paths;

use crate::secrets::Opened;
use crate::store::open;
use auditferry_core::model::destination::{
    AccessKey, Azure, AzureCredentials, Destination, Gcs, GcsCredentials, Place, S3, S3Credentials, SecretRef,
};
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::store::{Object, PutError, PutErrorKind};

/// A resolver whose answer changes after each question.
struct Rebinding(Mutex<Vec<IpAddr>>);

#[async_trait]
impl Lookup for Rebinding {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().expect("answers");
        let next = answers.remove(0);
        answers.push(next);
        Ok(vec![next])
    }
}

/// A server on loopback that refuses everything, and counts.
async fn server(address: &str, answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind((address, 0)).await.expect("listens");
    let at = listener.local_addr().expect("address");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = socket.read(&mut [0; 8192]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (at, connections)
}

fn secret(folder: &tempfile::TempDir, text: &str) -> SecretRef {
    let path = folder.path().join("secret");
    std::fs::write(&path, text).expect("write");
    SecretRef::File(path)
}

/// The JSON key of a service account that can sign.
fn service_account() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| {
        let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).expect("PKCS #8");
        let pem = BASE64_STANDARD.encode(der.as_ref());
        serde_json::json!({
            "type": "service_account", "project_id": "acme", "private_key_id": "1", "client_email": "a@b.c",
            "private_key": format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"),
        })
        .to_string()
    })
}

fn destinations(folder: &tempfile::TempDir, endpoint: &str) -> [Destination; 3] {
    let s3 = Place::S3(S3 {
        bucket: "acme".into(),
        region: "us-east-1".into(),
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
            id: "AKIA".into(),
            secret: secret(folder, SAS),
            session_token: None,
        }),
    });
    let azure = Place::Azure(Azure {
        container: "acme".into(),
        endpoint: Some(endpoint.to_owned()),
        credentials: AzureCredentials::Sas(secret(folder, SAS)),
    });
    let key = folder.path().join("key.json");
    std::fs::write(&key, service_account()).expect("write");
    let gcs = Place::Gcs(Gcs {
        bucket: "acme".into(),
        endpoint: Some(endpoint.to_owned()),
        credentials: GcsCredentials::ServiceAccount(SecretRef::File(key)),
    });
    [s3, azure, gcs].map(|place| Destination {
        prefix: String::new(),
        allow_http: true,
        accept_overwrites: false,
        expires: None,
        place,
    })
}

async fn put(destination: &Destination, dialer: &Dialer) -> PutError {
    let object = Object {
        key: ObjectKey::stored("audit/a/audit_a_20261121T040000Z.zip".to_owned()),
        body: Bytes::from_static(b"x"),
        content_type: "application/zip",
        metadata: Vec::new(),
    };
    let store = open(destination, &Opened::default(), false, dialer).await.expect("opens");
    store.put(&object).await.expect_err("refused")
}

/// For S3 it is a secret like any other.
const SAS: &str = "sv=2024-11-04&sr=c&sp=c&sig=x";

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_name_that_resolves_inside_is_not_dialled() {
    let folder = tempfile::tempdir().expect("folder");
    let (at, connections) = server("127.0.0.1", "").await;
    let lookup = || Rebinding(Mutex::new(vec![at.ip()]));
    let dialer = Dialer::with_lookup(Network::default(), PATIENCE, Proxy::None, lookup()).expect("dialer");
    let endpoint = format!("http://storage.example.com:{}", at.port());
    for destination in destinations(&folder, &endpoint) {
        let error = put(&destination, &dialer).await;
        assert_eq!(error.kind, PutErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains("127.0.0.1 is not a public one (loopback)"), "{error}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);

    // The same, allowed, arrives: the guard is what refused.
    let open = Dialer::with_lookup(Network::loopback(), PATIENCE, Proxy::None, lookup()).expect("dialer");
    for destination in destinations(&folder, &endpoint) {
        assert_eq!(put(&destination, &open).await.kind, PutErrorKind::Unknown);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_host_is_looked_up_only_where_it_may_be_dialled() {
    let look_up = |network, proxy| async move {
        let dialer = Dialer::new(network, PATIENCE, proxy).expect("dialer");
        dialer.look_up("localhost").await
    };
    let refused = look_up(Network::default(), Proxy::None).await.expect("judged").expect_err("inside");
    assert!(refused.contains("is not a public one"), "{refused}");
    assert!(look_up(Network::loopback(), Proxy::None).await.expect("judged").is_ok());
    assert!(look_up(Network::loopback(), Proxy::Environment).await.is_none());
}

#[tokio::test]
async fn what_is_dialled_is_what_was_judged() {
    let folder = tempfile::tempdir().expect("folder");
    let (at, connections) = server("127.0.0.1", "").await;
    // 192.0.2.1 is for documentation and nobody's, so it takes no request; allowed, it stands for a public one.
    let network = Network::parse(["192.0.2.1"]).expect("network");
    let answers = Rebinding(Mutex::new(vec![[192, 0, 2, 1].into(), at.ip()]));
    let dialer =
        Dialer::with_lookup(network, Duration::from_millis(500), Proxy::None, answers).expect("dialer");
    let endpoint = format!("http://storage.example.com:{}", at.port());
    for destination in destinations(&folder, &endpoint) {
        for _ in 0..2 {
            put(&destination, &dialer).await;
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let folder = tempfile::tempdir().expect("folder");
    let (inside, connections) = server("127.0.0.1", "").await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let answer = format!(
            "HTTP/1.1 {status}\r\nlocation: http://{inside}/acme/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let (outside, asked) = server("127.0.0.1", answer.leak()).await;
        let dialer = Dialer::new(Network::loopback(), PATIENCE, Proxy::None).expect("dialer");
        for destination in destinations(&folder, &format!("http://{outside}")) {
            put(&destination, &dialer).await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3, "{status}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn literal_addresses_are_judged_when_a_store_is_opened() {
    let folder = tempfile::tempdir().expect("folder");
    let dialer = Dialer::new(Network::default(), PATIENCE, Proxy::None).expect("dialer");
    for destination in destinations(&folder, "http://0x7f.1:9000") {
        let error = open(&destination, &Opened::default(), false, &dialer).await.err().expect("refused");
        assert!(error.to_string().starts_with("destination.endpoint: the address 127.0.0.1"), "{error}");
    }
    let text = "AccountName=acme;AccountKey=SFVTSA==;BlobEndpoint=https://169.254.169.254/HUSH";
    let credentials = AzureCredentials::ConnectionString(secret(&folder, text));
    let place = Place::Azure(Azure { container: "acme".into(), endpoint: None, credentials });
    let destination = Destination {
        prefix: String::new(),
        allow_http: false,
        accept_overwrites: false,
        expires: None,
        place,
    };
    let error =
        open(&destination, &Opened::default(), false, &dialer).await.err().expect("refused").to_string();
    assert!(error.contains("credentials.connection_string: the address 169.254.169.254"), "{error}");
    assert!(!error.contains("HUSH") && !error.contains("SFVTSA"), "{error}");
}
