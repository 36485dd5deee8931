//! A destination on Azure Blob Storage.

use serde::{Deserialize, Serialize};

use super::names::{validate_container, validate_endpoint};
use super::{DestinationError, SecretRef, Target};

/// A container of Azure Blob Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Azure {
    /// The container's name.
    pub container: String,
    /// The account's blob endpoint, `https://NAME.blob.core.windows.net`; needed with
    /// `sas`, refused with `connection_string`, which names it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How the worker proves who it is.
    pub credentials: AzureCredentials,
}

/// Credentials for Azure Blob Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AzureCredentials {
    /// A connection string as the portal shows it.
    ConnectionString(SecretRef),
    /// A shared access signature, the part after `?`.
    Sas(SecretRef),
}

impl Azure {
    /// The name by which a container is counted whose server stands in a secret.
    pub(super) fn server(&self) -> String {
        match &self.credentials {
            AzureCredentials::ConnectionString(secret) | AzureCredentials::Sas(secret) => {
                format!("{} of {secret}", self.container)
            }
        }
    }

    pub(super) fn validate(&self, allow_http: bool) -> Result<(), DestinationError> {
        validate_container(&self.container)?;
        validate_endpoint(self.endpoint.as_deref(), allow_http)?;
        match (&self.credentials, &self.endpoint) {
            (AzureCredentials::Sas(_), None) => Err(DestinationError {
                field: "endpoint",
                problem: "it is missing".into(),
                fix: "a SAS needs the account's blob endpoint, https://NAME.blob.core.windows.net",
            }),
            (AzureCredentials::ConnectionString(_), Some(_)) => Err(DestinationError {
                field: "endpoint",
                problem: "it is given beside a connection string".into(),
                fix: "remove it: the connection string names the endpoint (BlobEndpoint)",
            }),
            _ => Ok(()),
        }
    }

    /// Whether both may be the same container. A connection string hides its endpoint, so
    /// there the container's name decides.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        let known = self.endpoint.is_some() && other.endpoint.is_some();
        self.container == other.container && (!known || self.endpoint == other.endpoint)
    }

    pub(super) fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match &self.credentials {
            AzureCredentials::ConnectionString(text) => vec![("connection_string", text)],
            AzureCredentials::Sas(sas) => vec![("sas", sas)],
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target { region: None, endpoint: self.endpoint.as_deref(), principal: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_azure_endpoint_goes_with_a_sas_only() {
        let validated = |endpoint: Option<&str>, credentials| {
            let container = "acme".into();
            Azure { container, endpoint: endpoint.map(str::to_owned), credentials }.validate(true)
        };
        let secret = || SecretRef::Env("X".into());
        assert!(validated(None, AzureCredentials::Sas(secret())).is_err());
        assert!(validated(Some("https://a.blob.core.windows.net"), AzureCredentials::Sas(secret())).is_ok());
        assert!(validated(Some("https://a.x"), AzureCredentials::ConnectionString(secret())).is_err());
    }
}
