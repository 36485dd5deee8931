//! The options of `auditferry destination set` for Google Cloud Storage.

use std::path::PathBuf;

use clap::Args;

use super::given::{Given, needed};
use crate::cli::CliError;
use crate::destination::{Gcs, GcsCredentials};

#[derive(Args)]
pub(super) struct GcsArgs {
    /// GCS: the environment variable that holds the service account's JSON key.
    #[arg(long, value_name = "NAME", conflicts_with = "service_account_file")]
    service_account_env: Option<String>,
    /// GCS: the file that holds the service account's JSON key.
    #[arg(long, value_name = "FILE")]
    service_account_file: Option<PathBuf>,
}

impl GcsArgs {
    /// The first of its options that is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--service-account-env", self.service_account_env.is_some()),
            ("--service-account-file", self.service_account_file.is_some()),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    pub(super) fn place(
        &self,
        bucket: String,
        endpoint: Option<String>,
        given: &mut Given,
    ) -> Result<Gcs, CliError> {
        let key =
            given.secret(self.service_account_env.as_ref(), self.service_account_file.as_ref(), None)?;
        let key = needed(key, "--service-account-file (or -env)", "gcs")?;
        Ok(Gcs { bucket, endpoint, credentials: GcsCredentials::ServiceAccount(key) })
    }
}
