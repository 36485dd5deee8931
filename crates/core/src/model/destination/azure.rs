//! A destination on Azure Blob Storage.

use serde::{Deserialize, Serialize};

use super::endpoint_bucket::refuse_bucket;
use super::entra::{self, EntraCertificate, EntraSecret, ManagedIdentity, WorkloadIdentity};
use super::names::{validate_container, validate_endpoint};
use super::{DestinationError, SecretRef, Target};

/// A container of Azure Blob Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Azure {
    /// The container's name.
    pub container: String,
    /// The account's blob endpoint, `https://NAME.blob.core.windows.net`; refused with
    /// `connection_string`, which names it itself, and needed with everything else.
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
    /// An application of Microsoft Entra ID with a client secret.
    EntraSecret(EntraSecret),
    /// An application of Microsoft Entra ID with a certificate.
    EntraCertificate(EntraCertificate),
    /// The identity of the worker's own machine or app; the operator must allow it for the account.
    ManagedIdentity(ManagedIdentity),
    /// The identity of the worker's own pod; the operator must allow it for the account.
    WorkloadIdentity(WorkloadIdentity),
}

impl Azure {
    /// The name by which a container is counted whose server stands in a secret.
    pub(super) fn server(&self) -> String {
        let secrets: Vec<String> = self.secrets().iter().map(|(_, secret)| secret.to_string()).collect();
        format!("{} of {}", self.container, secrets.join(" and "))
    }

    pub(super) fn validate(&self, allow_http: bool) -> Result<(), DestinationError> {
        validate_container(&self.container)?;
        validate_endpoint(self.endpoint.as_deref(), allow_http)?;
        // The host begins with the storage account, which may be called as the container is.
        refuse_bucket(
            self.endpoint.as_deref(),
            &self.container,
            "container",
            true,
            "write the endpoint without the container, https://NAME.blob.core.windows.net",
        )?;
        match (&self.credentials, &self.endpoint) {
            (AzureCredentials::ConnectionString(_), None) => Ok(()),
            (AzureCredentials::ConnectionString(_), Some(_)) => Err(DestinationError {
                field: "endpoint",
                problem: "it is given beside a connection string".into(),
                fix: "remove it: the connection string names the endpoint (BlobEndpoint)",
            }),
            (_, None) => Err(DestinationError {
                field: "endpoint",
                problem: "it is missing".into(),
                fix: "name the account's blob endpoint, https://NAME.blob.core.windows.net; \
                      only a connection string needs none",
            }),
            (AzureCredentials::Sas(_), Some(_)) => Ok(()),
            (AzureCredentials::EntraSecret(by), Some(_)) => entra::validate(&by.tenant_id, &by.client_id),
            (AzureCredentials::EntraCertificate(by), Some(_)) => {
                entra::validate(&by.tenant_id, &by.client_id)
            }
            (AzureCredentials::ManagedIdentity(own), Some(_)) => own.validate(),
            (AzureCredentials::WorkloadIdentity(own), Some(_)) => own.validate(),
        }
    }

    /// Whether the worker comes as itself.
    pub(super) fn needs_proof(&self) -> bool {
        matches!(
            self.credentials,
            AzureCredentials::ManagedIdentity(_) | AzureCredentials::WorkloadIdentity(_)
        )
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
            AzureCredentials::EntraSecret(by) => vec![("entra_secret.secret", &by.secret)],
            AzureCredentials::EntraCertificate(by) => {
                vec![("entra_certificate.certificate", &by.certificate)]
            }
            AzureCredentials::ManagedIdentity(_) | AzureCredentials::WorkloadIdentity(_) => Vec::new(),
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        let principal = match &self.credentials {
            AzureCredentials::ConnectionString(_) | AzureCredentials::Sas(_) => None,
            AzureCredentials::EntraSecret(by) => {
                Some(entra::principal(&by.tenant_id, &by.client_id, by.cloud))
            }
            AzureCredentials::EntraCertificate(by) => {
                Some(entra::principal(&by.tenant_id, &by.client_id, by.cloud))
            }
            AzureCredentials::ManagedIdentity(ManagedIdentity { client_id })
            | AzureCredentials::WorkloadIdentity(WorkloadIdentity { client_id, .. }) => client_id.clone(),
        };
        Target { region: None, endpoint: self.endpoint.as_deref(), principal: principal.map(Into::into) }
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

    #[test]
    fn an_endpoint_that_names_the_container_is_refused() {
        let problem = |endpoint: &str| {
            let endpoint = Some(endpoint.to_owned());
            let credentials = AzureCredentials::Sas(SecretRef::Env("X".into()));
            Azure { container: "acme".into(), endpoint, credentials }.validate(true).err()
        };
        let error = problem("https://acme.blob.core.windows.net/acme/").expect("refused").to_string();
        assert!(
            error.starts_with("destination.endpoint: ") && error.contains("without the container"),
            "{error}"
        );
        // A storage account may be called as its container is.
        assert_eq!(problem("https://acme.blob.core.windows.net"), None);
    }
}
