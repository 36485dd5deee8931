//! Buckets as a stranger sees them: files on disk, raw HTTP, an emulator's state.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use auditferry::demo::bucket::EmbeddedBucket;
use auditferry_core::model::destination::SecretRef;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::gcs_server::{GcsServer, known_key};
use crate::support::{azurite, entra_server, eventually, folder, moto, secret};

const KEY_ID: &str = "AKIAEMBEDDED";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A bucket, and how the command line names it.
pub(crate) struct Bucket {
    pub(crate) options: Vec<String>,
    place: Place,
}

enum Place {
    /// The embedded server's.
    Files {
        root: PathBuf,
        name: String,
        server: EmbeddedBucket,
    },
    /// moto's: everybody may read.
    Moto {
        url: String,
    },
    Azurite {
        endpoint: String,
        container: String,
    },
    Gcs {
        server: GcsServer,
        name: String,
    },
}

/// An object as it lies there.
pub(crate) struct Object {
    pub(crate) body: Vec<u8>,
    pub(crate) content_type: String,
    /// The SHA-256 of the content that stands beside the object.
    pub(crate) sha256: String,
}

/// A bucket's name that no other test has.
fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("acme-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn file(text: &str) -> String {
    match secret(text) {
        SecretRef::File(path) => path.display().to_string(),
        SecretRef::Env(_) | SecretRef::Sealed(_) => unreachable!("the tests' secrets are files"),
    }
}

fn options(pairs: &[(&str, &str)]) -> Vec<String> {
    let pairs = pairs.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]);
    // Every server of the tests is on loopback, without TLS.
    pairs.chain(["--allow-http".to_owned()]).collect()
}

impl Bucket {
    /// On an embedded server of its own, which checks signatures.
    pub(crate) async fn embedded() -> Self {
        let (name, root) = (new_name(), folder(&new_name()));
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = EmbeddedBucket::start(&root, &name, KEY_ID, SECRET, listen).await.expect("the server");
        let options = Self::s3_options(&server.endpoint(), &name, SECRET);
        Self { options, place: Place::Files { root, name, server } }
    }

    fn s3_options(endpoint: &str, name: &str, secret: &str) -> Vec<String> {
        options(&[
            ("kind", "s3"),
            ("bucket", name),
            ("region", "us-east-1"),
            ("endpoint", endpoint),
            ("access-key-id", KEY_ID),
            ("secret-access-key-file", &file(secret)),
        ])
    }

    /// The same embedded bucket, reached at another address.
    pub(crate) fn through(&self, endpoint: &str) -> Vec<String> {
        Self::s3_options(endpoint, self.files().1, SECRET)
    }

    /// The same embedded bucket with a secret that is not right.
    pub(crate) fn with_wrong_secret(&self) -> Vec<String> {
        Self::s3_options(&self.endpoint(), self.files().1, "not-the-secret")
    }

    /// Where the embedded server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint().strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Where moto listens, and its bucket.
    pub(crate) fn s3(&self) -> (&str, &str) {
        let Place::Moto { url } = &self.place else { unreachable!("of moto only") };
        url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a bucket's URL")
    }

    /// What a reader of the bucket must know, as the tools of AWS read it.
    pub(crate) fn s3_environment(&self) -> [(&'static str, &'static str); 4] {
        [
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
    }

    fn endpoint(&self) -> String {
        match &self.place {
            Place::Files { server, .. } => server.endpoint(),
            _ => unreachable!("of the embedded server only"),
        }
    }

    fn files(&self) -> (&PathBuf, &String) {
        match &self.place {
            Place::Files { root, name, .. } => (root, name),
            _ => unreachable!("of the embedded server only"),
        }
    }

    /// Where an object of the embedded server lies.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        let (root, name) = self.files();
        root.join(name).join(key)
    }

    pub(crate) async fn moto() -> Self {
        let name = new_name();
        moto::bucket(&name).await;
        let url = moto::moto().url();
        let options = Self::s3_options(&url, &name, SECRET);
        Self { options, place: Place::Moto { url: format!("{url}/{name}") } }
    }

    pub(crate) async fn azurite_with_connection_string() -> Self {
        let string = file(&azurite::connection_string(azurite::KEY));
        Self::azurite(&[("connection-string-file", &string)]).await
    }

    pub(crate) async fn azurite_with_sas() -> Self {
        let sas = file(&azurite::account_sas("c", azurite::KEY));
        Self::azurite(&[("endpoint", &azurite::endpoint()), ("sas-file", &sas)]).await
    }

    /// The same container of Azurite's with a signature that Azurite refuses.
    pub(crate) fn with_useless_sas(&self) -> Vec<String> {
        let Place::Azurite { container, .. } = &self.place else { unreachable!("of Azurite only") };
        let sas = file(&azurite::sas_of_the_future());
        Self::azure_options(container, &[("endpoint", &azurite::endpoint()), ("sas-file", &sas)])
    }

    async fn azurite(how: &[(&str, &str)]) -> Self {
        Self::azurite_at(azurite::endpoint(), how).await
    }

    async fn azurite_at(endpoint: String, how: &[(&str, &str)]) -> Self {
        let container = new_name();
        azurite::create_container_at(&endpoint, &container).await;
        Self { options: Self::azure_options(&container, how), place: Place::Azurite { endpoint, container } }
    }

    /// On an Azurite with TLS, which takes an application's tokens.
    pub(crate) async fn azurite_with_application(proof: &str, value: &str) -> Self {
        let endpoint = azurite::endpoint_with_tokens();
        let how = [
            ("endpoint", endpoint.as_str()),
            ("tenant-id", entra_server::TENANT),
            ("client-id", entra_server::CLIENT),
            (proof, &file(value)),
        ];
        Self::azurite_at(endpoint.clone(), &how).await
    }

    fn azure_options(container: &str, how: &[(&str, &str)]) -> Vec<String> {
        options(&[&[("kind", "azure"), ("container", container)], how].concat())
    }

    pub(crate) async fn gcs() -> Self {
        let (server, name) = (GcsServer::start().await, new_name());
        server.bucket(&name, &known_key());
        let options = options(&[
            ("kind", "gcs"),
            ("bucket", &name),
            ("endpoint", &server.url()),
            ("service-account-file", &file(&known_key())),
        ]);
        Self { options, place: Place::Gcs { server, name } }
    }

    /// The destination as a line of an exports file.
    pub(crate) fn exports_line(&self) -> String {
        let option = |wanted: &str| {
            let mut pairs = self.options.chunks(2);
            pairs
                .find(|pair| pair[0] == format!("--{wanted}"))
                .map(|pair| pair[1].as_str())
                .expect("it has one")
        };
        match &self.place {
            Place::Files { .. } | Place::Moto { .. } => format!(
                "destination = {{ kind = \"s3\", allow_http = true, bucket = {:?}, region = \"us-east-1\", endpoint = {:?}, \
                 credentials = {{ access_key = {{ id = {KEY_ID:?}, secret = {{ file = {:?} }} }} }} }}",
                option("bucket"),
                option("endpoint"),
                option("secret-access-key-file")
            ),
            Place::Azurite { container, .. } => format!(
                "destination = {{ kind = \"azure\", allow_http = true, container = {container:?}, \
                 credentials = {{ connection_string = {{ file = {:?} }} }} }}",
                option("connection-string-file")
            ),
            Place::Gcs { .. } => unreachable!("no test declares it"),
        }
    }

    /// All keys, in order.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let mut keys = match &self.place {
            Place::Files { root, name, .. } => files_below(&root.join(name)),
            Place::Moto { url } => between(&text(&format!("{url}?list-type=2")).await, "Key"),
            Place::Azurite { endpoint, container } => {
                let query =
                    format!("restype=container&comp=list&{}", azurite::account_sas("l", azurite::KEY));
                between(&text(&format!("{endpoint}/{container}?{query}")).await, "Name")
            }
            Place::Gcs { server, name } => server.keys(name),
        };
        keys.sort();
        keys
    }

    /// One object.
    pub(crate) async fn get(&self, key: &str) -> Object {
        match &self.place {
            Place::Files { root, name, .. } => {
                let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
                let beside = format!(".bucket-{}.object-{}.metadata.json", encode(name), encode(key));
                // It is written after the object.
                let read = async || serde_json::from_slice(&std::fs::read(root.join(&beside)).ok()?).ok();
                let beside: Value = eventually("the object's metadata", read).await;
                Object {
                    body: std::fs::read(self.path(key)).expect("the object"),
                    content_type: beside["content_type"].as_str().unwrap_or_default().to_owned(),
                    sha256: beside["user_metadata"]["auditferry-sha256"].as_str().expect("sha256").to_owned(),
                }
            }
            Place::Moto { url } => fetch(&format!("{url}/{key}"), "x-amz-meta-auditferry-sha256").await,
            Place::Azurite { endpoint, container } => {
                let query = azurite::account_sas("r", azurite::KEY);
                let url = format!("{endpoint}/{container}/{key}?{query}");
                fetch(&url, "x-ms-meta-auditferry_sha256").await
            }
            Place::Gcs { server, name } => {
                let stored = server.object(name, key).expect("the object");
                Object {
                    body: stored.body.to_vec(),
                    content_type: stored.content_type,
                    sha256: stored.metadata["auditferry-sha256"].clone(),
                }
            }
        }
    }
}

fn files_below(root: &PathBuf) -> Vec<String> {
    let (mut keys, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                keys.push(entry.path().strip_prefix(root).unwrap().to_str().expect("UTF-8").to_owned());
            }
        }
    }
    keys
}

async fn text(url: &str) -> String {
    let answer = azurite::reader().get(url).send().await.expect("the store");
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.text().await.expect("text")
}

async fn fetch(url: &str, sha256: &str) -> Object {
    let answer = azurite::reader().get(url).send().await.expect("the store");
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    let header = |name: &str| answer.headers()[name].to_str().expect("ASCII").to_owned();
    let (content_type, sha256) = (header("content-type"), header(sha256));
    Object { content_type, sha256, body: answer.bytes().await.expect("the body").to_vec() }
}

/// The texts of an XML element. Our keys hold nothing that XML escapes.
fn between(xml: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    assert!(!xml.contains("<IsTruncated>true"), "more keys than one page holds");
    xml.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap().to_owned()).collect()
}
