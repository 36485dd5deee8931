//! Identities of Microsoft Entra ID, as which the worker comes to a container: an application of the
//! customer's, or the worker's own.

use serde::{Deserialize, Serialize};

use super::{DestinationError, SecretRef};

/// An application that proves itself by a client secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntraSecret {
    /// The directory's id or one of its domains.
    pub tenant_id: String,
    /// The application's id.
    pub client_id: String,
    /// The secret's value, not its id.
    pub secret: SecretRef,
    /// Whose directory it is.
    #[serde(default, skip_serializing_if = "AzureCloud::is_public")]
    pub cloud: AzureCloud,
}

/// An application that proves itself by a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntraCertificate {
    /// The directory's id or one of its domains.
    pub tenant_id: String,
    /// The application's id.
    pub client_id: String,
    /// PEM with the RSA key and the certificate.
    pub certificate: SecretRef,
    /// Whose directory it is.
    #[serde(default, skip_serializing_if = "AzureCloud::is_public")]
    pub cloud: AzureCloud,
}

/// The identity that Azure gives to the machine, or to the app, in which the worker runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedIdentity {
    /// The client id of an identity that was assigned to it; absent: the one that it has itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// The identity of the pod in which the worker runs, for which an application trusts its cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadIdentity {
    /// The customer's tenant, where the application has a service principal; absent: that of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The application's id; absent: that of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

impl ManagedIdentity {
    pub(super) fn validate(&self) -> Result<(), DestinationError> {
        self.client_id.as_deref().map_or(Ok(()), validate_client)
    }
}

impl WorkloadIdentity {
    /// Checks the names that are given.
    pub fn validate(&self) -> Result<(), DestinationError> {
        self.tenant_id.as_deref().map_or(Ok(()), validate_tenant)?;
        self.client_id.as_deref().map_or(Ok(()), validate_client)
    }
}

/// The clouds of Azure: each has a login service of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AzureCloud {
    /// Azure.
    #[default]
    Public,
    /// Azure Government of the United States.
    UsGovernment,
    /// Azure in China, operated by 21Vianet.
    China,
}

impl AzureCloud {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Public, Self::UsGovernment, Self::China];

    fn is_public(&self) -> bool {
        *self == Self::Public
    }

    /// The base URL of its login service. Nobody but Microsoft gets a client's secret.
    ///
    /// Source: "National clouds", Microsoft identity platform.
    #[must_use]
    pub fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }
}

/// The name by which a sealed secret is bound to its application.
pub(super) fn principal(tenant_id: &str, client_id: &str, cloud: AzureCloud) -> String {
    format!("{client_id} in {tenant_id} at {}", cloud.authority())
}

/// Checks the names of an application; both become parts of a URL or of a signed statement.
pub(super) fn validate(tenant_id: &str, client_id: &str) -> Result<(), DestinationError> {
    validate_tenant(tenant_id)?;
    validate_client(client_id)
}

fn plain(text: &str, marks: &str) -> bool {
    (1..=253).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
}

fn validate_tenant(tenant_id: &str) -> Result<(), DestinationError> {
    if plain(tenant_id, "-.") && !tenant_id.starts_with('.') {
        return Ok(());
    }
    Err(DestinationError {
        field: "credentials.tenant_id",
        problem: format!("{tenant_id:?} is neither an id nor a domain"),
        fix: "copy the Directory (tenant) ID from the application's overview in the portal",
    })
}

fn validate_client(client_id: &str) -> Result<(), DestinationError> {
    if plain(client_id, "-") {
        return Ok(());
    }
    Err(DestinationError {
        field: "credentials.client_id",
        problem: format!("{client_id:?} is not an id"),
        fix: "copy the Application (client) ID from the application's overview in the portal",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_one_segment_of_a_url() {
        let client = "11111111-2222-3333-4444-555555555555";
        for good in ["00000000-0000-0000-0000-000000000000", "acme.onmicrosoft.com"] {
            assert_eq!(validate(good, client), Ok(()), "{good}");
        }
        for bad in ["", "a/b", "..", ".", "a?b", "a b", "a#b", "a%2fb", "acme\n", &"x".repeat(300)] {
            assert_eq!(validate(bad, client).map_err(|e| e.field), Err("credentials.tenant_id"), "{bad:?}");
        }
        for bad in ["", "a.b", "a&scope=x", "a\"b"] {
            assert_eq!(validate("acme", bad).map_err(|e| e.field), Err("credentials.client_id"), "{bad:?}");
        }
    }
}
