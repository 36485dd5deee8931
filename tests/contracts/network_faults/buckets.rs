//! A new bucket of each kind of store, reached through any endpoint, and looked into past
//! our adapters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use auditferry::demo::bucket::EmbeddedBucket;
use auditferry_core::model::destination::{
    AccessKey, Azure, AzureCredentials, Destination, Gcs, GcsCredentials, Place, S3, S3Credentials,
};

use crate::support::gcs_server::{GcsServer, known_key};
use crate::support::program::files;
use crate::support::{azurite, folder, moto, secret};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Moto,
    Azurite,
    Google,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Embedded, Self::Moto, Self::Azurite, Self::Google];
}

/// One bucket, and what looks into it.
pub(crate) struct Bucket {
    /// Where its server listens.
    pub(crate) address: SocketAddr,
    name: String,
    server: Server,
}

enum Server {
    Embedded(PathBuf, #[expect(dead_code, reason = "it serves until it is dropped")] EmbeddedBucket),
    Moto(S3),
    Azurite,
    Google(GcsServer),
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").expect("a URL").parse().expect("an address")
}

impl Bucket {
    pub(crate) async fn new(kind: Kind) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("faulty-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let (address, server) = match kind {
            Kind::Embedded => {
                let root = folder(&name);
                let listen = "127.0.0.1:0".parse().unwrap();
                let server = EmbeddedBucket::start(&root, &name, "AKIA", SECRET, listen).await.unwrap();
                (address(&server.endpoint()), Server::Embedded(root.join(&name), server))
            }
            Kind::Moto => (moto::moto().address, Server::Moto(moto::bucket(&name).await)),
            Kind::Azurite => {
                azurite::create_container(&name).await;
                (azurite::azurite().address, Server::Azurite)
            }
            Kind::Google => {
                let server = GcsServer::start().await;
                server.bucket(&name, &known_key());
                (address(&server.url()), Server::Google(server))
            }
        };
        Self { address, name, server }
    }

    /// The bucket at an endpoint, which may be a proxy's.
    pub(crate) fn at(&self, endpoint: &str) -> Destination {
        let s3 = |place: S3| Place::S3(S3 { endpoint: Some(endpoint.to_owned()), ..place });
        let place = match &self.server {
            Server::Embedded(..) => s3(S3 {
                bucket: self.name.clone(),
                region: "us-east-1".to_owned(),
                endpoint: None,
                path_style: None,
                sse_kms_key_id: None,
                expected_bucket_owner: None,
                storage_class: None,
                checksum: None,
                request_payer: None,
                acl: None,
                sse: None,
                credentials: S3Credentials::AccessKey(AccessKey {
                    id: "AKIA".to_owned(),
                    secret: secret(SECRET),
                    session_token: None,
                }),
            }),
            Server::Moto(place) => s3(place.clone()),
            Server::Azurite => {
                let (account, key) = (azurite::ACCOUNT, azurite::KEY);
                let text =
                    format!("AccountName={account};AccountKey={key};BlobEndpoint={endpoint}/{account}");
                Place::Azure(Azure {
                    container: self.name.clone(),
                    endpoint: None,
                    credentials: AzureCredentials::ConnectionString(secret(&text)),
                })
            }
            Server::Google(_) => Place::Gcs(Gcs {
                bucket: self.name.clone(),
                endpoint: Some(endpoint.to_owned()),
                credentials: GcsCredentials::ServiceAccount(secret(&known_key())),
            }),
        };
        Destination {
            prefix: String::new(),
            allow_http: true,
            accept_overwrites: false,
            expires: None,
            place,
        }
    }

    /// The bucket without anything in between.
    pub(crate) fn directly(&self) -> Destination {
        self.at(&format!("http://{}", self.address))
    }

    /// Everything in it, by key.
    pub(crate) async fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        match &self.server {
            Server::Embedded(root, _) => files(root),
            Server::Google(server) => {
                let body = |key: &String| server.object(&self.name, key).expect("listed").body.to_vec();
                server.keys(&self.name).into_iter().map(|key| (key.clone(), body(&key))).collect()
            }
            Server::Moto(_) => {
                let base = format!("http://{}/{}", self.address, self.name);
                listed(&base, "?list-type=2", "Key", "").await
            }
            Server::Azurite => {
                let base = format!("{}/{}", azurite::endpoint(), self.name);
                let sas = azurite::account_sas("rl", azurite::KEY);
                let query = format!("?restype=container&comp=list&{sas}");
                listed(&base, &query, "Name", &format!("?{sas}")).await
            }
        }
    }
}

/// What a list in XML names, one by one.
async fn listed(base: &str, list: &str, tag: &str, query: &str) -> BTreeMap<String, Vec<u8>> {
    let get = async |url: String| {
        let answer = reqwest::get(&url).await.expect("the emulator");
        assert!(answer.status().is_success(), "GET {url}: {}", answer.status());
        answer.bytes().await.expect("the body").to_vec()
    };
    let text = String::from_utf8(get(format!("{base}{list}")).await).expect("UTF-8");
    let mut all = BTreeMap::new();
    for part in text.split(&format!("<{tag}>")).skip(1) {
        let key = part.split('<').next().unwrap_or_default().to_owned();
        // The list of Azure names the container, too, but as an attribute.
        let body = get(format!("{base}/{key}{query}")).await;
        all.insert(key, body);
    }
    all
}
