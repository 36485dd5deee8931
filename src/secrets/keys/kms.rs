//! A key-encryption key of AWS KMS: data keys go there to be wrapped and opened.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{BehaviorVersion, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use zeroize::Zeroizing;

use super::KeyError;
use crate::base::aws::http_client;
use auditferry_core::text::cause::root_cause;

/// How long one request may take, with its repetitions.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How often a request is made at most.
const ATTEMPTS: u32 = 3;

/// A key, and the way to it.
pub(super) struct KmsKey {
    client: Client,
    arn: String,
}

impl KmsKey {
    /// The key of an ARN, used as the operator's own AWS identity; sends nothing.
    pub(super) async fn new(arn: &str) -> Self {
        let region = arn.split(':').nth(3).unwrap_or_default().to_owned();
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http_client())
            .region(Region::new(region))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().operation_timeout(TIMEOUT).build())
            .load()
            .await;
        Self { client: Client::new(&config), arn: arn.to_owned() }
    }

    pub(super) async fn encrypt(
        &self,
        id: &str,
        plain: &[u8],
        binding: &[(&'static str, String)],
    ) -> Result<Vec<u8>, KeyError> {
        let request = self
            .client
            .encrypt()
            .key_id(&self.arn)
            .plaintext(Blob::new(plain))
            .set_encryption_context(Some(context(binding)));
        let answer = request.send().await.map_err(|error| refused(id, &error))?;
        let sealed = answer.ciphertext_blob.ok_or_else(|| nothing(id))?;
        Ok(sealed.into_inner())
    }

    pub(super) async fn decrypt(
        &self,
        id: &str,
        sealed: &[u8],
        binding: &[(&'static str, String)],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let request = self
            .client
            .decrypt()
            .key_id(&self.arn)
            .ciphertext_blob(Blob::new(sealed))
            .set_encryption_context(Some(context(binding)));
        let answer = request.send().await.map_err(|error| {
            let code = error.code().unwrap_or_default();
            if matches!(code, "InvalidCiphertextException" | "IncorrectKeyException") {
                KeyError::DoesNotOpen(id.to_owned())
            } else {
                refused(id, &error)
            }
        })?;
        let plain = answer.plaintext.ok_or_else(|| nothing(id))?;
        Ok(Zeroizing::new(plain.into_inner()))
    }
}

/// The binding as KMS takes it, and as CloudTrail shows it. What is empty is left out.
fn context(binding: &[(&'static str, String)]) -> HashMap<String, String> {
    let given = binding.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| (format!("auditferry:{name}"), value.clone())).collect()
}

fn nothing(id: &str) -> KeyError {
    KeyError::Kms { id: id.to_owned(), message: "it answered without an answer".to_owned(), passes: true }
}

fn refused<E>(id: &str, error: &SdkError<E>) -> KeyError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let (message, passes) = match error.code() {
        Some(code) => {
            let said = error.message().unwrap_or_default().lines().next().unwrap_or_default();
            let away = ["ThrottlingException", "KMSInternalException", "DependencyTimeoutException"];
            let fix = if code == "AccessDeniedException" {
                "; allow the worker's identity kms:Encrypt and kms:Decrypt on this key"
            } else {
                ""
            };
            (format!("{code}: {said}{fix}"), away.contains(&code))
        }
        None => (format!("no answer: {}", root_cause(error)), true),
    };
    KeyError::Kms { id: id.to_owned(), message, passes }
}
