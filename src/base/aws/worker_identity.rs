//! The worker's own identity at AWS, and what it asks STS for. Nothing here is a customer's:
//! region and endpoint of STS are the operator's.

use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::{Credentials, IdentityCache, SharedCredentialsProvider, SharedIdentityCache};
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Config, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::OnceCell;

use super::http_client;
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::skew;
use auditferry_core::model::destination::AwsPartition;
use auditferry_core::text::cause::{find, root_cause};

/// How long one request to STS may take, with its repetitions.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How often a request is made at most.
const ATTEMPTS: u32 = 3;

/// Where STS is when neither the settings nor the environment say so.
const DEFAULT_REGION: &str = "us-east-1";

/// Longest part of an answer of STS that is kept.
const MAX_MESSAGE_CHARS: usize = 300;

/// What the operator says of AWS; what is absent is taken from the environment, as Amazon's
/// own tools do, or is Amazon's default.
#[derive(Debug, Clone, Default)]
pub struct AwsOptions {
    /// The region of STS.
    pub region: Option<String>,
    /// The base URL of STS.
    pub sts_endpoint: Option<String>,
}

/// The worker's own identity; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct WorkerAws(Arc<Inner>);

#[derive(Default)]
struct Inner {
    options: AwsOptions,
    identity: OnceCell<WorkerAwsIdentity>,
    sts: OnceCell<Client>,
}

/// The chain of places where credentials are found, and its cache.
pub(crate) struct WorkerAwsIdentity {
    pub(crate) provider: SharedCredentialsProvider,
    pub(crate) cache: SharedIdentityCache,
}

/// A session to ask for.
pub(crate) struct Assume<'a> {
    pub(crate) role_arn: &'a str,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) session_name: &'a str,
    pub(crate) seconds: i32,
}

/// Why STS gave nothing. The texts hold no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StsError {
    /// The role does not let the worker in.
    #[error("{0}")]
    Denied(String),
    /// STS takes the worker for nobody, or it has no identity.
    #[error("the worker's own AWS identity is not in force: {0}")]
    Own(String),
    /// STS finds the time of the request wrong.
    #[error("{0}")]
    Clock(String),
    /// The request as it is cannot be granted.
    #[error("{0}")]
    Rejected(String),
    /// STS asks to slow down.
    #[error("{0}")]
    Throttled(String),
    /// No answer, or one that says nothing.
    #[error("{0}")]
    Away(String),
}

/// Why it is not known who the worker is.
#[derive(Debug, thiserror::Error)]
#[error("STS does not say who the worker is: {0}")]
pub struct CallerError(#[from] StsError);

impl WorkerAws {
    /// The identity of this process; asks nothing yet.
    pub(crate) fn new(options: AwsOptions) -> Self {
        Self(Arc::new(Inner { options, ..Inner::default() }))
    }

    /// The chain, asked once for all accounts and not per account. Only credentials are taken from
    /// it: an `AWS_ENDPOINT_URL` of the environment must not redirect a customer's bucket.
    pub(crate) async fn identity(&self) -> &WorkerAwsIdentity {
        self.0
            .identity
            .get_or_init(|| async {
                let config = ProviderConfig::default()
                    .with_region(Some(self.region()))
                    .with_http_client(http_client());
                let chain = DefaultCredentialsChain::builder().configure(config).build().await;
                WorkerAwsIdentity {
                    provider: SharedCredentialsProvider::new(chain),
                    cache: IdentityCache::lazy().build(),
                }
            })
            .await
    }

    /// Where STS is asked.
    fn sts_host(&self) -> String {
        let given = self.0.options.sts_endpoint.clone();
        given.or_else(sts_of_environment).unwrap_or_else(|| AwsPartition::host("sts", self.region().as_ref()))
    }

    fn refused<E>(&self, error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> StsError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        refused(error, &self.sts_host())
    }

    fn region(&self) -> Region {
        let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let region = self.0.options.region.clone();
        let region = region.or_else(|| given("AWS_REGION")).or_else(|| given("AWS_DEFAULT_REGION"));
        Region::new(region.unwrap_or_else(|| DEFAULT_REGION.to_owned()))
    }

    async fn sts(&self) -> &Client {
        self.0
            .sts
            .get_or_init(|| async {
                let WorkerAwsIdentity { provider, cache } = self.identity().await;
                let endpoint = self.0.options.sts_endpoint.clone().or_else(sts_of_environment);
                let mut config = Config::builder()
                    .behavior_version(BehaviorVersion::v2026_01_12())
                    .http_client(http_client())
                    .region(self.region())
                    .credentials_provider(provider.clone())
                    .identity_cache(cache.clone())
                    .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
                    .timeout_config(TimeoutConfig::builder().operation_timeout(TIMEOUT).build());
                config.set_endpoint_url(endpoint);
                Client::from_conf(config.build())
            })
            .await
    }

    /// Asks for a session of a role.
    pub(crate) async fn assume(&self, asked: &Assume<'_>) -> Result<Credentials, StsError> {
        let request = self
            .sts()
            .await
            .assume_role()
            .role_arn(asked.role_arn)
            .set_external_id(asked.external_id.map(str::to_owned))
            .role_session_name(asked.session_name)
            .duration_seconds(asked.seconds);
        let answer = request.send().await.map_err(|error| self.refused(&error))?;
        let session = answer.credentials.ok_or_else(|| StsError::Away("STS gave no session".to_owned()))?;
        let ends = session
            .expiration
            .try_into()
            .map_err(|_| StsError::Away("STS gave a session without an end".to_owned()))?;
        let (id, secret, token) = (session.access_key_id, session.secret_access_key, session.session_token);
        Ok(Credentials::new(id, secret, Some(token), Some(ends), "auditferry role"))
    }

    /// The ARN as which STS knows the worker.
    pub(crate) async fn caller(&self) -> Result<String, StsError> {
        let answer =
            self.sts().await.get_caller_identity().send().await.map_err(|error| self.refused(&error))?;
        answer.arn.ok_or_else(|| StsError::Away("STS gave no ARN".to_owned()))
    }
}

/// As the chain does, which asks STS for a web identity.
fn sts_of_environment() -> Option<String> {
    std::env::var("AWS_ENDPOINT_URL_STS").ok().filter(|url| !url.is_empty())
}

fn refused<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>, host: &str) -> StsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(answer) = error.raw_response() else {
        let cause = root_cause(error);
        let own = find::<CredentialsError>(error).is_some();
        return if own {
            StsError::Own(cause)
        } else {
            StsError::Away(format!("no answer from STS at {host}: {cause}"))
        };
    };
    let code = error.code().unwrap_or_default();
    let said = error.message().unwrap_or_default().lines().next().unwrap_or_default();
    let said: String = said.chars().take(MAX_MESSAGE_CHARS).collect();
    let text = format!("HTTP {} {code}: {said}", answer.status().as_u16());
    if skew::is_told(&text) {
        let ahead = skew::ahead(answer.headers().get("date"), SystemClock.now());
        return StsError::Clock(format!("{text}; {}", skew::words(ahead, "that of STS")));
    }
    match code {
        "AccessDenied" | "AccessDeniedException" => StsError::Denied(text),
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            StsError::Throttled(text)
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "SignatureDoesNotMatch" => StsError::Own(text),
        _ if answer.status().as_u16() >= 500 => StsError::Away(text),
        _ => StsError::Rejected(text),
    }
}
