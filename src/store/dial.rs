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
use azure_core::http::HttpClient;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use super::OpenError;
use crate::network::Network;

/// Whether requests go through the proxy that the environment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// They go to the store.
    None,
    /// They go to the proxy, which then decides where they lead. Its own address has to be
    /// admitted.
    Environment,
}

/// Where HTTP clients look for a proxy.
const PROXY_VARIABLES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];

/// What all stores of a process share.
#[derive(Clone)]
pub struct Dialer {
    pub(super) network: Arc<Network>,
    /// Bounds each request.
    pub(super) timeout: Duration,
    proxy: Proxy,
    pub(super) s3: SharedHttpClient,
    pub(super) azure: Arc<dyn HttpClient>,
}

/// The TLS library cannot be used on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct DialerError(#[from] reqwest::Error);

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
        Ok(Self { network, timeout, proxy, s3: s3_client(guard, proxy), azure: Arc::new(azure.build()?) })
    }

    /// An endpoint of a customer, checked, in the form in which it is dialled.
    pub(super) fn endpoint(&self, text: &str, field: &'static str) -> Result<Url, OpenError> {
        self.network.endpoint(text).map_err(|error| OpenError::Malformed {
            field,
            problem: error.problem,
            fix: error.fix,
        })
    }

    /// Google's client asks the environment for a proxy, and cannot be told not to.
    pub(super) fn check_googles_client(&self) -> Result<(), OpenError> {
        let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match PROXY_VARIABLES.iter().find(|name| set(name)) {
            Some(name) if self.proxy == Proxy::None => Err(OpenError::Proxy(name)),
            _ => Ok(()),
        }
    }
}

/// The clients of S3 have no proxy unless they are given one.
fn s3_client(guard: Guard, proxy: Proxy) -> SharedHttpClient {
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
    })
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
