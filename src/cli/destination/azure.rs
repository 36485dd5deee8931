//! The options of `auditferry destination set` for Azure Blob Storage.

use std::path::PathBuf;

use clap::Args;

use super::given::{Given, needed};
use crate::cli::CliError;
use crate::destination::{Azure, AzureCredentials};

#[derive(Args)]
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
}

impl AzureArgs {
    /// The first of its options that is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--connection-string-env", self.connection_string_env.is_some()),
            ("--connection-string-file", self.connection_string_file.is_some()),
            ("--sas-env", self.sas_env.is_some()),
            ("--sas-file", self.sas_file.is_some()),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    pub(super) fn place(
        &self,
        container: String,
        endpoint: Option<String>,
        given: &mut Given,
    ) -> Result<Azure, CliError> {
        let sas = given.secret(self.sas_env.as_ref(), self.sas_file.as_ref(), None)?;
        let prompt = Some("connection string").filter(|_| sas.is_none() && endpoint.is_none());
        let string = given.secret(
            self.connection_string_env.as_ref(),
            self.connection_string_file.as_ref(),
            prompt,
        )?;
        if sas.is_some() && string.is_some() {
            return Err(CliError::Usage("a SAS and a connection string are given; give one of them".into()));
        }
        let credentials = string.map(AzureCredentials::ConnectionString).or(sas.map(AzureCredentials::Sas));
        let option = "--connection-string-file or --sas-file (or -env)";
        Ok(Azure { container, endpoint, credentials: needed(credentials, option, "azure")? })
    }
}
