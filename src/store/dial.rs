//! How stores are reached: one HTTP client for each kind. It connects only to addresses that `network.rs`
//! has admitted, follows no redirect, and uses no proxy unless the operator says so.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared as _;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use futures_util::StreamExt as _;
use url::Url;

use super::OpenError;
use super::worker_identity::WorkerIdentity;
use crate::base::aws::{AwsOptions, Bounded, CallerError, MAX_ANSWER_BYTES, WorkerAws};
use crate::base::roots::Roots;
use crate::settings::{TokenServices, WorkerIdentitySettings};
use auditferry_core::model::network::{EndpointError, Network};
use auditferry_core::text::cause::root_cause;
use guard::{Guard, Lookup, SystemLookup};

mod guard;

/// Whether requests go through the proxy that the environment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// They go to the store.
    None,
    /// They go to the proxy, which then decides where they lead. Its own address has to be
    /// admitted.
    Environment,
}

/// What all stores of a process share: the HTTP clients, the limits and the worker's own identities.
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
    /// The worker's own identity on AWS, which also assumes roles.
    pub(super) aws: WorkerAws,
    /// The worker's own identity on Azure and at Google.
    pub(super) worker_identity: WorkerIdentity,
    /// Most bytes of a store's answer.
    pub(super) answers: usize,
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
        let http = http_client(&guard, proxy)?;
        Ok(Self {
            network,
            timeout,
            proxy,
            s3: s3_client(guard, proxy, MAX_ANSWER_BYTES),
            azure: Arc::new(Cut { client: http.clone(), limit: MAX_ANSWER_BYTES }),
            http,
            services: TokenServices::default(),
            aws: WorkerAws::default(),
            worker_identity: WorkerIdentity::new(WorkerIdentitySettings::default())?,
            answers: MAX_ANSWER_BYTES,
        })
    }

    /// A client that also reaches a host which the operator names, and what judges the addresses that this host
    /// names in turn.
    ///
    /// # Errors
    /// When the TLS library cannot be used.
    pub(crate) fn reaching(&self, named: &Url) -> Result<(reqwest::Client, Network), DialerError> {
        let network = self.network.with_host_of(named);
        let guard = Guard { network: Arc::new(network.clone()), lookup: Arc::new(SystemLookup) };
        Ok((http_client(&guard, self.proxy)?, network))
    }

    /// For a bucket of the operator's, whose objects are read: answers may have so many bytes.
    #[must_use]
    pub(crate) fn reading(self, answers: usize) -> Self {
        let guard = Guard { network: Arc::clone(&self.network), lookup: Arc::new(SystemLookup) };
        let s3 = s3_client(guard, self.proxy, answers);
        let azure = Arc::new(Cut { client: self.http.clone(), limit: answers });
        Self { s3, azure, answers, ..self }
    }

    /// With the token services that the operator has chosen.
    #[must_use]
    pub fn with_services(self, services: TokenServices) -> Self {
        Self { services, ..self }
    }

    /// How long a token service may take: a put that waits for it must not seem to be under way.
    pub(super) fn token_patience(&self) -> Duration {
        self.timeout / 2
    }

    /// With the operator's settings for AWS.
    #[must_use]
    pub fn with_aws(self, options: AwsOptions) -> Self {
        Self { aws: WorkerAws::new(options), ..self }
    }

    /// With the operator's settings for the worker's own identity on Azure and at Google.
    ///
    /// # Errors
    /// When the TLS library cannot be used.
    pub fn with_worker_identity(self, settings: WorkerIdentitySettings) -> Result<Self, DialerError> {
        Ok(Self { worker_identity: WorkerIdentity::new(settings)?, ..self })
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

    /// The client that reaches what is outside, and the address of a webhook, checked.
    pub(crate) fn webhook(&self, text: &str) -> Result<(&reqwest::Client, Url), EndpointError> {
        Ok((&self.http, self.network.webhook(text)?))
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

/// A client that dials what the guard admits, and follows no redirect.
fn http_client(guard: &Guard, proxy: Proxy) -> Result<reqwest::Client, reqwest::Error> {
    let client = reqwest::Client::builder()
        .dns_resolver(Arc::new(guard.clone()))
        .redirect(reqwest::redirect::Policy::none());
    match proxy {
        Proxy::None => client.no_proxy().build(),
        Proxy::Environment => client.build(),
    }
}

/// The clients of S3 have no proxy unless they are given one.
fn s3_client(guard: Guard, proxy: Proxy, limit: usize) -> SharedHttpClient {
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
    Bounded { client, limit }.into_shared()
}

/// Microsoft's crate reads answers of any length; these are short, and what follows is cut off.
#[derive(Debug)]
struct Cut {
    client: reqwest::Client,
    /// Most bytes of an answer.
    limit: usize,
}

#[async_trait]
impl HttpClient for Cut {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, headers, mut stream) = self.client.execute_request(request).await?.deconstruct();
        let mut body = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) if status.is_success() => return Err(error),
                // A refusal is one, however its words end.
                Err(_) => break,
            };
            let room = self.limit - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

#[cfg(test)]
mod tests;
