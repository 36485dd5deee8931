//! The options of `auditferry destination set` for Google Cloud Storage.

use std::path::PathBuf;

use clap::Args;

use super::given::{Given, needed};
use crate::cli::CliError;
use auditferry_core::model::destination::{Gcs, GcsCredentials, Impersonate};

#[derive(Args)]
#[command(next_help_heading = "Google Cloud Storage")]
pub(super) struct GcsArgs {
    /// GCS: the environment variable that holds the service account's JSON key.
    #[arg(long, value_name = "NAME", conflicts_with = "service_account_file")]
    service_account_env: Option<String>,
    /// GCS: the file that holds the service account's JSON key.
    #[arg(long, value_name = "FILE")]
    service_account_file: Option<PathBuf>,
    /// GCS: the e-mail address of the customer's service account as which the worker may act, with its own
    /// Google identity; the operator allows it in credentials.allow_ambient.
    #[arg(
        long,
        value_name = "EMAIL",
        conflicts_with_all = ["service_account_env", "service_account_file", "ambient"]
    )]
    impersonate: Option<String>,
}

impl GcsArgs {
    /// The first of its options that is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--service-account-env", self.service_account_env.is_some()),
            ("--service-account-file", self.service_account_file.is_some()),
            ("--impersonate", self.impersonate.is_some()),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    pub(super) fn place(
        &self,
        bucket: String,
        endpoint: Option<String>,
        ambient: bool,
        given: &mut Given,
    ) -> Result<Gcs, CliError> {
        Ok(Gcs { bucket, endpoint, credentials: self.credentials(ambient, given)? })
    }

    pub(super) fn credentials(&self, ambient: bool, given: &mut Given) -> Result<GcsCredentials, CliError> {
        let key =
            given.secret(self.service_account_env.as_ref(), self.service_account_file.as_ref(), None)?;
        Ok(match (self.impersonate.clone(), key) {
            (Some(service_account), _) => GcsCredentials::Impersonate(Impersonate { service_account }),
            (None, None) if ambient => GcsCredentials::Ambient,
            (None, Some(_)) if ambient => {
                return Err(CliError::Usage("--ambient and a key are given; give one of them".into()));
            }
            (None, key) => {
                let options = "--service-account-file (or -env), --impersonate or --ambient";
                GcsCredentials::ServiceAccount(needed(key, options, "gcs")?)
            }
        })
    }
}
