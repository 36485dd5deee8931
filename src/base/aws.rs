//! What the clients of AWS share.

use std::sync::OnceLock;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::shared::IntoShared as _;

pub(crate) mod bounded;
mod worker_identity;

pub(crate) use bounded::{Bounded, MAX_ANSWER_BYTES};
pub(crate) use worker_identity::{Assume, StsError, WorkerAws, WorkerAwsIdentity};
pub use worker_identity::{AwsOptions, CallerError};

/// One HTTP client for all of them, so that connections are used again.
pub(crate) fn http_client() -> SharedHttpClient {
    static CLIENT: OnceLock<SharedHttpClient> = OnceLock::new();
    CLIENT
        .get_or_init(|| {
            let client = aws_smithy_http_client::Builder::new()
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
                .build_https();
            Bounded { client, limit: MAX_ANSWER_BYTES }.into_shared()
        })
        .clone()
}
