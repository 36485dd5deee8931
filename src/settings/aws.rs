//! `[aws]`: how the worker calls AWS as itself.

use serde::Deserialize;

use super::SettingsError;

/// See `config/default.toml`, `[aws]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct AwsSettings {
    pub sts_region: String,
    pub sts_endpoint: String,
    pub principal: String,
}

impl AwsSettings {
    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        let Self { sts_region, sts_endpoint, principal } = self;
        if !sts_region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return invalid(
                "aws.sts_region",
                format!("{sts_region:?} is not a region; write it like eu-central-1"),
            );
        }
        let web = ["https://", "http://"].iter().any(|scheme| sts_endpoint.starts_with(scheme));
        if !sts_endpoint.is_empty() && !web {
            return invalid("aws.sts_endpoint", format!("{sts_endpoint:?} does not start with https://"));
        }
        if !principal.is_empty() && !principal.starts_with("arn:") {
            return invalid(
                "aws.principal",
                format!("{principal:?} is not an ARN; write it like arn:aws:iam::123456789012:role/NAME"),
            );
        }
        Ok(())
    }
}
