//! A destination on Google Cloud Storage.

use serde::{Deserialize, Serialize};

use super::names::{validate_endpoint, validate_gcs_bucket};
use super::{DestinationError, SecretRef, Target};

/// A bucket of Google Cloud Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gcs {
    /// The bucket's name.
    pub bucket: String,
    /// Base URL of another server of the same API; absent: Google.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How the worker proves who it is.
    pub credentials: GcsCredentials,
}

/// Credentials for Google Cloud Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GcsCredentials {
    /// The JSON key of a service account.
    ServiceAccount(SecretRef),
}

impl Gcs {
    /// The name by which a bucket of Google's own is counted.
    pub(super) fn server(&self) -> String {
        format!("storage.googleapis.com/{}", self.bucket)
    }

    pub(super) fn validate(&self, allow_http: bool) -> Result<(), DestinationError> {
        validate_gcs_bucket(&self.bucket)?;
        validate_endpoint(self.endpoint.as_deref(), allow_http)
    }

    /// Whether both are the same bucket.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.bucket == other.bucket && self.endpoint == other.endpoint
    }

    pub(super) fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match &self.credentials {
            GcsCredentials::ServiceAccount(key) => vec![("service_account", key)],
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target { region: None, endpoint: self.endpoint.as_deref(), principal: None }
    }
}
