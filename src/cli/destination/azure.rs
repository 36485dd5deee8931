//! The options of `auditferry destination set` for Azure Blob Storage.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::given::{Given, needed};
use crate::cli::CliError;
use auditferry_core::model::destination::{
    Azure, AzureCloud, AzureCredentials, EntraCertificate, EntraSecret, ManagedIdentity, SecretRef,
    WorkloadIdentity,
};

/// What does not go with the worker's own identity.
const OF_OTHERS: [&str; 9] = [
    "connection_string_env",
    "connection_string_file",
    "sas_env",
    "sas_file",
    "client_secret_env",
    "client_secret_file",
    "client_certificate_env",
    "client_certificate_file",
    "azure_cloud",
];

/// Whose directory an application is in.
#[derive(Clone, Copy, ValueEnum)]
enum Cloud {
    Public,
    UsGovernment,
    China,
}

impl From<Cloud> for AzureCloud {
    fn from(cloud: Cloud) -> Self {
        match cloud {
            Cloud::Public => Self::Public,
            Cloud::UsGovernment => Self::UsGovernment,
            Cloud::China => Self::China,
        }
    }
}

impl From<AzureCloud> for Cloud {
    fn from(cloud: AzureCloud) -> Self {
        match cloud {
            AzureCloud::Public => Self::Public,
            AzureCloud::UsGovernment => Self::UsGovernment,
            AzureCloud::China => Self::China,
        }
    }
}

#[derive(Args)]
#[command(next_help_heading = "Azure Blob Storage")]
pub(super) struct AzureArgs {
    /// Azure: the environment variable that holds the connection string.
    #[arg(long, value_name = "NAME", conflicts_with = "connection_string_file")]
    connection_string_env: Option<String>,
    /// Azure: the file that holds the connection string.
    #[arg(long, value_name = "FILE")]
    connection_string_file: Option<PathBuf>,
    /// Azure: the environment variable that holds the SAS.
    #[arg(long, value_name = "NAME", conflicts_with = "sas_file")]
    sas_env: Option<String>,
    /// Azure: the file that holds the SAS.
    #[arg(long, value_name = "FILE")]
    sas_file: Option<PathBuf>,
    /// Azure: the tenant of the Entra application; with --workload-identity the customer's, if it is not the pod's.
    #[arg(long)]
    tenant_id: Option<String>,
    /// Azure: the Entra application's id; with --managed-identity that of an identity that was assigned to the
    /// worker's machine, if it is not the machine's own.
    #[arg(long)]
    client_id: Option<String>,
    /// Azure: the environment variable that holds the application's client secret.
    #[arg(long, value_name = "NAME", conflicts_with = "client_secret_file")]
    client_secret_env: Option<String>,
    /// Azure: the file that holds the application's client secret.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Azure: the environment variable that holds the application's key and certificate in PEM.
    #[arg(long, value_name = "NAME", conflicts_with = "client_certificate_file")]
    client_certificate_env: Option<String>,
    /// Azure: the file that holds the application's key and certificate in PEM.
    #[arg(long, value_name = "FILE")]
    client_certificate_file: Option<PathBuf>,
    /// Azure: the cloud of the application's tenant [default: public].
    #[arg(long, value_enum)]
    azure_cloud: Option<Cloud>,
    /// Azure: the identity of the worker's own virtual machine or app; the operator allows it in
    /// credentials.allow_ambient.
    #[arg(long, conflicts_with_all = OF_OTHERS, conflicts_with_all = ["workload_identity", "tenant_id"])]
    managed_identity: bool,
    /// Azure: the identity of the worker's own pod; the operator allows it in credentials.allow_ambient.
    #[arg(long, conflicts_with_all = OF_OTHERS)]
    workload_identity: bool,
}

impl AzureArgs {
    /// The first of its options that is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--connection-string-env", self.connection_string_env.is_some()),
            ("--connection-string-file", self.connection_string_file.is_some()),
            ("--sas-env", self.sas_env.is_some()),
            ("--sas-file", self.sas_file.is_some()),
            ("--tenant-id", self.tenant_id.is_some()),
            ("--client-id", self.client_id.is_some()),
            ("--client-secret-env", self.client_secret_env.is_some()),
            ("--client-secret-file", self.client_secret_file.is_some()),
            ("--client-certificate-env", self.client_certificate_env.is_some()),
            ("--client-certificate-file", self.client_certificate_file.is_some()),
            ("--azure-cloud", self.azure_cloud.is_some()),
            ("--managed-identity", self.managed_identity),
            ("--workload-identity", self.workload_identity),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    pub(super) fn place(
        &self,
        container: String,
        endpoint: Option<String>,
        given: &mut Given,
    ) -> Result<Azure, CliError> {
        let credentials = self.credentials(endpoint.is_some(), given)?;
        Ok(Azure { container, endpoint, credentials })
    }

    /// The same for the application of a destination, unless other ids or another way are given.
    pub(super) fn of_the_same_application(self, current: &AzureCredentials) -> Self {
        let (tenant_id, client_id, cloud) = match current {
            AzureCredentials::EntraSecret(EntraSecret { tenant_id, client_id, cloud, .. })
            | AzureCredentials::EntraCertificate(EntraCertificate { tenant_id, client_id, cloud, .. }) => {
                (tenant_id, client_id, *cloud)
            }
            _ => return self,
        };
        let another_way = self.managed_identity
            || self.workload_identity
            || self.sas_env.is_some()
            || self.sas_file.is_some()
            || self.connection_string_env.is_some()
            || self.connection_string_file.is_some();
        if another_way {
            return self;
        }
        Self {
            tenant_id: self.tenant_id.or_else(|| Some(tenant_id.clone())),
            client_id: self.client_id.or_else(|| Some(client_id.clone())),
            azure_cloud: self.azure_cloud.or(Some(cloud.into())),
            ..self
        }
    }

    pub(super) fn credentials(
        &self,
        has_endpoint: bool,
        given: &mut Given,
    ) -> Result<AzureCredentials, CliError> {
        if self.managed_identity {
            let client_id = self.client_id.clone();
            return Ok(AzureCredentials::ManagedIdentity(ManagedIdentity { client_id }));
        }
        if self.workload_identity {
            let (tenant_id, client_id) = (self.tenant_id.clone(), self.client_id.clone());
            return Ok(AzureCredentials::WorkloadIdentity(WorkloadIdentity { tenant_id, client_id }));
        }
        let sas = given.secret(self.sas_env.as_ref(), self.sas_file.as_ref(), None)?;
        let secret = given.secret(self.client_secret_env.as_ref(), self.client_secret_file.as_ref(), None)?;
        let certificate = given.secret(
            self.client_certificate_env.as_ref(),
            self.client_certificate_file.as_ref(),
            None,
        )?;
        let is_application = self.tenant_id.is_some() || self.client_id.is_some();
        let alone = [&sas, &secret, &certificate].iter().all(|given| given.is_none()) && !is_application;
        let string = given.secret(
            self.connection_string_env.as_ref(),
            self.connection_string_file.as_ref(),
            Some("connection string").filter(|_| alone && !has_endpoint),
        )?;
        match (string, sas, secret, certificate) {
            (Some(string), None, None, None) if !is_application => {
                Ok(AzureCredentials::ConnectionString(string))
            }
            (None, Some(sas), None, None) if !is_application => Ok(AzureCredentials::Sas(sas)),
            (None, None, Some(secret), None) => self.by_secret(secret),
            (None, None, None, Some(certificate)) => self.by_certificate(certificate),
            (None, None, None, None) if is_application => {
                let secret = given.secret(None, None, Some("client secret"))?;
                let option = "--client-secret-file or --client-certificate-file (or -env)";
                self.by_secret(needed(secret, option, "azure with --client-id")?)
            }
            (None, None, None, None) => {
                let option = "--connection-string-file, --sas-file, --client-secret-file or \
                              --client-certificate-file (or -env), --managed-identity or --workload-identity";
                needed(None, option, "azure")
            }
            _ => Err(CliError::Usage(
                "a connection string, a SAS and an application's secret or certificate are different ways, and more \
                 than one is given; give one of them"
                    .into(),
            )),
        }
    }

    fn by_secret(&self, secret: SecretRef) -> Result<AzureCredentials, CliError> {
        let (tenant_id, client_id, cloud) = self.application()?;
        Ok(AzureCredentials::EntraSecret(EntraSecret { tenant_id, client_id, secret, cloud }))
    }

    fn by_certificate(&self, certificate: SecretRef) -> Result<AzureCredentials, CliError> {
        let (tenant_id, client_id, cloud) = self.application()?;
        Ok(AzureCredentials::EntraCertificate(EntraCertificate { tenant_id, client_id, certificate, cloud }))
    }

    fn application(&self) -> Result<(String, String, AzureCloud), CliError> {
        let kind = "azure with an application's secret or certificate";
        let tenant_id = needed(self.tenant_id.clone(), "--tenant-id", kind)?;
        let client_id = needed(self.client_id.clone(), "--client-id", kind)?;
        Ok((tenant_id, client_id, self.azure_cloud.map(Into::into).unwrap_or_default()))
    }
}
