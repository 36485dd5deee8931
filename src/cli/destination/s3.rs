//! The options of `auditferry destination set` for S3.

use std::path::PathBuf;

use clap::Args;

use super::given::{Given, needed};
use crate::cli::CliError;
use crate::destination::{AccessKey, S3, S3Credentials};

#[derive(Args)]
pub(super) struct S3Args {
    /// S3: the bucket's region.
    #[arg(long)]
    region: Option<String>,
    /// S3: endpoint/bucket/key instead of bucket.endpoint/key.
    #[arg(long)]
    path_style: Option<bool>,
    /// S3: the access key id.
    #[arg(long)]
    access_key_id: Option<String>,
    /// S3: the environment variable that holds the secret access key.
    #[arg(long, value_name = "NAME", conflicts_with = "secret_access_key_file")]
    secret_access_key_env: Option<String>,
    /// S3: the file that holds the secret access key; - reads it here and seals it.
    #[arg(long, value_name = "FILE")]
    secret_access_key_file: Option<PathBuf>,
    /// S3: the environment variable that holds the session token.
    #[arg(long, value_name = "NAME", conflicts_with = "session_token_file")]
    session_token_env: Option<String>,
    /// S3: the file that holds the session token.
    #[arg(long, value_name = "FILE")]
    session_token_file: Option<PathBuf>,
    /// S3: the worker's own AWS identity; the operator allows it in credentials.allow_ambient.
    #[arg(long)]
    ambient: bool,
}

impl S3Args {
    /// The first of its options that is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--region", self.region.is_some()),
            ("--path-style", self.path_style.is_some()),
            ("--access-key-id", self.access_key_id.is_some()),
            ("--secret-access-key-env", self.secret_access_key_env.is_some()),
            ("--secret-access-key-file", self.secret_access_key_file.is_some()),
            ("--session-token-env", self.session_token_env.is_some()),
            ("--session-token-file", self.session_token_file.is_some()),
            ("--ambient", self.ambient),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    pub(super) fn place(
        &self,
        bucket: String,
        endpoint: Option<String>,
        given: &mut Given,
    ) -> Result<S3, CliError> {
        Ok(S3 {
            bucket,
            region: needed(self.region.clone(), "--region", "s3")?,
            endpoint,
            path_style: self.path_style,
            credentials: self.credentials(given)?,
        })
    }

    fn credentials(&self, given: &mut Given) -> Result<S3Credentials, CliError> {
        if self.ambient {
            return match self.access_key_id {
                None => Ok(S3Credentials::Ambient),
                Some(_) => {
                    Err(CliError::Usage("--ambient and an access key are given; give one of them".into()))
                }
            };
        }
        let id = needed(self.access_key_id.clone(), "--access-key-id", "s3")?;
        let prompt = Some("secret access key");
        let secret = given.secret(
            self.secret_access_key_env.as_ref(),
            self.secret_access_key_file.as_ref(),
            prompt,
        )?;
        let session_token =
            given.secret(self.session_token_env.as_ref(), self.session_token_file.as_ref(), None)?;
        Ok(S3Credentials::AccessKey(AccessKey {
            id,
            secret: needed(secret, "--secret-access-key-file (or -env)", "s3")?,
            session_token,
        }))
    }
}
