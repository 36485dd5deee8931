//! No secret of a destination in any log, at the most talkative level of every crate.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::gcs_server::{GcsServer, known_key};
use crate::support::{azurite, secret};
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::secrets::Opened;
use auditferry::store::{self};
use auditferry_core::model::destination::{
    AccessKey, Azure, AzureCredentials, Destination, Gcs, GcsCredentials, Place, S3, S3Credentials,
};
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::store::Object;
use bytes::Bytes;
use tracing_subscriber::EnvFilter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ACCESS_SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "FwoGZXIvYXdzEExampleSessionTokenThatNobodyMaySee";

fn s3(endpoint: &str) -> Place {
    Place::S3(S3 {
        bucket: "acme".into(),
        region: "us-east-1".into(),
        endpoint: Some(endpoint.into()),
        path_style: None,
        sse_kms_key_id: None,
        expected_bucket_owner: None,
        storage_class: None,
        checksum: None,
        request_payer: None,
        acl: None,
        sse: None,
        credentials: S3Credentials::AccessKey(AccessKey {
            id: "AKIAEMBEDDED".into(),
            secret: secret(ACCESS_SECRET),
            session_token: Some(secret(SESSION_TOKEN)),
        }),
    })
}

fn azure(endpoint: Option<String>, credentials: AzureCredentials) -> Place {
    Place::Azure(Azure { container: "acme".into(), endpoint, credentials })
}

#[test]
fn no_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        // The embedded server is another party, which logs the requests that it gets.
        .with_env_filter(EnvFilter::new("trace,s3s=off,s3s_fs=off"))
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let sas = azurite::account_sas("cw", azurite::KEY);
    let account_key = known_key();
    crate::support::run(async {
        let embedded = EmbeddedBucket::start(
            &crate::support::folder("embedded"),
            "acme",
            "AKIAEMBEDDED",
            ACCESS_SECRET,
            "127.0.0.1:0".parse().unwrap(),
        )
        .await
        .unwrap();
        azurite::create_container("acme").await;
        let nobody = format!("http://{}", crate::support::child::free_address());
        let google = GcsServer::start().await.bucket("acme", &account_key);
        let google_nobody = Gcs {
            bucket: "acme".into(),
            endpoint: Some(nobody.clone()),
            credentials: GcsCredentials::ServiceAccount(secret(&account_key)),
        };
        let by_key = |endpoint: &str| {
            let text = format!(
                "AccountName={};AccountKey={};BlobEndpoint={endpoint}",
                azurite::ACCOUNT,
                azurite::KEY
            );
            azure(None, AzureCredentials::ConnectionString(secret(&text)))
        };
        let by_sas = |endpoint: &str| azure(Some(endpoint.to_owned()), AzureCredentials::Sas(secret(&sas)));
        let azurite = azurite::endpoint();
        let places = [
            s3(&embedded.endpoint()),
            s3(&nobody),
            by_key(&azurite),
            by_key(&nobody),
            by_sas(&azurite),
            by_sas(&nobody),
            Place::Gcs(google),
            Place::Gcs(google_nobody),
        ];
        for place in places {
            let destination = Destination {
                prefix: String::new(),
                allow_http: true,
                accept_overwrites: false,
                expires: None,
                place,
            };
            let store = store::open(
                &destination,
                &Opened::default(),
                false,
                &crate::support::dialer(Duration::from_secs(30)),
            )
            .await
            .unwrap();
            for body in ["first", "second"] {
                let object = Object {
                    key: ObjectKey::stored(format!("audit/{}", destination.kind())),
                    body: Bytes::from_static(body.as_bytes()),
                    content_type: "application/zip",
                    metadata: vec![],
                };
                if let Err(error) = store.put(&object).await {
                    tracing::error!(?error, "{error}");
                }
            }
        }
    });

    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    let signature = sas.split_once("sig=").unwrap().1;
    let pem: String = serde_json::from_str::<serde_json::Value>(&account_key).unwrap()["private_key"]
        .as_str()
        .unwrap()
        .lines()
        .nth(3)
        .unwrap()
        .to_owned();
    assert!(text.len() > 10_000 && text.contains("TRACE"), "nothing was logged: {} bytes", text.len());
    for (name, secret) in [
        ("secret access key", ACCESS_SECRET),
        ("session token", SESSION_TOKEN),
        ("account key", azurite::KEY),
        ("SAS signature", signature),
        ("private key", &pem),
        ("bearer token", "Bearer ey"),
        ("shared key", "SharedKey devstoreaccount1:"),
    ] {
        if let Some(at) = text.find(secret) {
            let line = text[..at].lines().last().unwrap_or_default();
            panic!("the {name} is logged: {}", &line[..line.len().min(400)]);
        }
    }
}
