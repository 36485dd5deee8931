//! How stores are reached: one HTTP client for each kind, which dials no address that
//! `network.rs` has not admitted, follows no redirect and asks no proxy.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared as _;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use futures_util::StreamExt as _;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use super::OpenError;
use super::own::Own;
use crate::base::aws::{AwsOptions, Bounded, CallerError, MAX_ANSWER_BYTES, OwnAws};
use crate::base::roots::Roots;
use crate::settings::{OwnSettings, TokenServices};
use auditferry_core::model::network::Network;
use auditferry_core::text::cause::root_cause;

/// Whether requests go through the proxy that the environment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// They go to the store.
    None,
    /// They go to the proxy, which then decides where they lead. Its own address has to be
    /// admitted.
    Environment,
}

/// What all stores of a process share.
#[derive(Clone)]
pub struct Dialer {
    pub(super) network: Arc<Network>,
    /// Bounds each request.
    pub(super) timeout: Duration,
    proxy: Proxy,
    pub(super) s3: SharedHttpClient,
    pub(super) azure: Arc<dyn HttpClient>,
    /// For token services and for Google.
    pub(super) http: reqwest::Client,
    pub(super) services: TokenServices,
    /// As whom roles are assumed, and who the worker is where nothing else is given.
    pub(super) aws: OwnAws,
    /// Who the worker is elsewhere.
    pub(super) own: Own,
}

/// The TLS library cannot be used on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct DialerError(String);

impl From<reqwest::Error> for DialerError {
    fn from(error: reqwest::Error) -> Self {
        Self(Roots::load().problem.unwrap_or_else(|| root_cause(&error)))
    }
}

impl Dialer {
    /// Clients for what `network` admits; `timeout` bounds each request.
    ///
    /// # Errors
    /// When the TLS library cannot be used.
    pub fn new(network: Network, timeout: Duration, proxy: Proxy) -> Result<Self, DialerError> {
        Self::with_lookup(network, timeout, proxy, SystemLookup)
    }

    fn with_lookup(
        network: Network,
        timeout: Duration,
        proxy: Proxy,
        lookup: impl Lookup,
    ) -> Result<Self, DialerError> {
        let network = Arc::new(network);
        let guard = Guard { network: Arc::clone(&network), lookup: Arc::new(lookup) };
        let azure = reqwest::Client::builder()
            .dns_resolver(Arc::new(guard.clone()))
            .redirect(reqwest::redirect::Policy::none());
        let azure = match proxy {
            Proxy::None => azure.no_proxy(),
            Proxy::Environment => azure,
        };
        let http = azure.build()?;
        Ok(Self {
            network,
            timeout,
            proxy,
            s3: s3_client(guard, proxy),
            azure: Arc::new(Cut(http.clone())),
            http,
            services: TokenServices::default(),
            aws: OwnAws::default(),
            own: Own::new(OwnSettings::default())?,
        })
    }

    /// The same, with the operator's choice of where tokens are had.
    #[must_use]
    pub fn with_services(self, services: TokenServices) -> Self {
        Self { services, ..self }
    }

    /// How long a token service may take: a put that waits for it must not seem to be under way.
    pub(super) fn token_patience(&self) -> Duration {
        self.timeout / 2
    }

    /// The same, with what the operator says of AWS.
    #[must_use]
    pub fn with_aws(self, options: AwsOptions) -> Self {
        Self { aws: OwnAws::new(options), ..self }
    }

    /// The same, with what the operator says of the worker's own identity elsewhere.
    ///
    /// # Errors
    /// When the TLS library cannot be used.
    pub fn with_own(self, settings: OwnSettings) -> Result<Self, DialerError> {
        Ok(Self { own: Own::new(settings)?, ..self })
    }

    /// The ARN as which AWS knows the worker.
    ///
    /// # Errors
    /// When AWS does not know it, or STS cannot be reached.
    pub async fn aws_caller(&self) -> Result<String, CallerError> {
        Ok(self.aws.caller().await?)
    }

    /// An endpoint of a customer, checked, in the form in which it is dialled.
    pub(super) fn endpoint(&self, text: &str, field: &'static str) -> Result<Url, OpenError> {
        self.network.endpoint(text).map_err(|error| OpenError::Malformed {
            field,
            problem: error.problem,
            fix: error.fix,
        })
    }

    /// The addresses to which a host leads, when they may be dialled; none when a proxy decides.
    ///
    /// # Errors
    /// When the host leads nowhere, or inside.
    pub(crate) async fn look_up(&self, host: &str) -> Option<Result<Vec<IpAddr>, String>> {
        if self.proxy == Proxy::Environment {
            return None;
        }
        let guard = Guard { network: Arc::clone(&self.network), lookup: Arc::new(SystemLookup) };
        Some(guard.resolve(host).await.map_err(|error| error.to_string()))
    }
}

/// The clients of S3 have no proxy unless they are given one.
fn s3_client(guard: Guard, proxy: Proxy) -> SharedHttpClient {
    let client =
        aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder();
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            if proxy == Proxy::Environment {
                connector.set_proxy_config(Some(ProxyConfig::from_env()));
            }
            connector
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
                .build_with_resolver(guard.clone())
        });
    Bounded(client).into_shared()
}

/// Microsoft's crate reads answers of any length; these are short, and what follows is cut off.
#[derive(Debug)]
struct Cut(reqwest::Client);

#[async_trait]
impl HttpClient for Cut {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, headers, mut stream) = self.0.execute_request(request).await?.deconstruct();
        let mut body = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) if status.is_success() => return Err(error),
                // A refusal is one, however its words end.
                Err(_) => break,
            };
            let room = MAX_ANSWER_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// Finds a name's addresses.
#[async_trait]
trait Lookup: Send + Sync + 'static {
    async fn lookup(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's own resolver.
struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|at| at.ip()).collect())
    }
}

/// A resolver whose answers have been judged. What is dialled are these addresses and
/// no others, so a name that resolves otherwise a moment later gains nothing.
#[derive(Clone)]
struct Guard {
    network: Arc<Network>,
    lookup: Arc<dyn Lookup>,
}

impl Guard {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
        let addresses = self.lookup.lookup(name).await?;
        self.network.admit(name, &addresses)?;
        Ok(addresses)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("network", &self.network).finish_non_exhaustive()
    }
}

impl ResolveDns for Guard {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move { self.resolve(name).await.map_err(ResolveDnsError::new) })
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = Guard::resolve(&guard, name.as_str()).await?;
            // The port is the URL's own.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
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
        AccessKey, Azure, AzureCredentials, Destination, Gcs, GcsCredentials, Place, S3, S3Credentials,
        SecretRef,
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
        let dialer =
            Dialer::with_lookup(Network::default(), PATIENCE, Proxy::None, lookup()).expect("dialer");
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
        for status in
            ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
        {
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
}
