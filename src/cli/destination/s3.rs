//! The options of `auditferry destination set` for S3.

use std::path::PathBuf;

use clap::Args;
use jiff::SignedDuration;

use super::given::{Given, needed};
use crate::cli::CliError;
use auditferry_core::model::destination::{
    AccessKey, AssumeRole, CannedAcl, Checksum, Encryption, RequestPayer, S3, S3Credentials, StorageClass,
};

/// Under which its options stand in the help.
const HEADING: &str = "Amazon S3 and compatible stores";

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(super) struct S3Args {
    /// S3: the bucket's region.
    #[arg(long)]
    region: Option<String>,
    /// S3: endpoint/bucket/key instead of bucket.endpoint/key.
    #[arg(long)]
    path_style: Option<bool>,
    /// S3: the key of AWS KMS that encrypts each object: its ARN, its id or alias/NAME; without it, what the
    /// bucket's default says.
    #[arg(long, value_name = "KEY")]
    sse_kms_key_id: Option<String>,
    /// S3: the 12 digits of the AWS account to which the bucket must belong; S3 refuses every request otherwise.
    #[arg(long, value_name = "ACCOUNT_ID")]
    expected_bucket_owner: Option<String>,
    /// S3: STANDARD, INTELLIGENT_TIERING, STANDARD_IA, ONEZONE_IA or GLACIER_IR; without it, STANDARD.
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<StorageClass>,
    /// S3: md5, crc32, crc32c, sha256 or none; without it, md5 (Content-MD5) with an endpoint, else crc32.
    #[arg(long, value_name = "NAME")]
    checksum: Option<Checksum>,
    /// S3: requester, for a bucket whose owner lets the requester pay; without it, the owner pays.
    #[arg(long, value_name = "WHO")]
    request_payer: Option<RequestPayer>,
    /// S3: bucket-owner-full-control, bucket-owner-read or private, for a bucket whose policy asks for it; without
    /// it, no ACL is named.
    #[arg(long, value_name = "ACL")]
    acl: Option<CannedAcl>,
    /// S3: AES256, for a bucket whose policy asks for it; without it, what the bucket's default says.
    #[arg(long, value_name = "NAME")]
    sse: Option<Encryption>,
    #[command(flatten)]
    credentials: S3CredentialArgs,
}

/// How the worker proves to S3 who it is.
#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(super) struct S3CredentialArgs {
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
    /// S3: the ARN of a role that the customer made with what `destination trust` prints.
    #[arg(long, value_name = "ARN", conflicts_with_all = ["ambient", "access_key_id"])]
    assume_role: Option<String>,
    /// S3: what the customer sees in CloudTrail; without it: auditferry-ACCOUNT.
    #[arg(long, value_name = "NAME", requires = "assume_role")]
    session_name: Option<String>,
    /// S3: how long a session of the role lasts, 15m to 12h; without it: 1h, which every role allows.
    #[arg(long, value_name = "DURATION", value_parser = span, requires = "assume_role")]
    session_duration: Option<SignedDuration>,
}

fn span(text: &str) -> Result<SignedDuration, String> {
    text.parse().map_err(|_| format!("{text:?} is not a duration; write it like 1h or 30m"))
}

impl S3Args {
    /// The first of its options that is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--region", self.region.is_some()),
            ("--path-style", self.path_style.is_some()),
            ("--sse-kms-key-id", self.sse_kms_key_id.is_some()),
            ("--expected-bucket-owner", self.expected_bucket_owner.is_some()),
            ("--storage-class", self.storage_class.is_some()),
            ("--checksum", self.checksum.is_some()),
            ("--request-payer", self.request_payer.is_some()),
            ("--acl", self.acl.is_some()),
            ("--sse", self.sse.is_some()),
        ];
        let first = options.into_iter().find(|(_, given)| *given).map(|(option, _)| option);
        first.or_else(|| self.credentials.given())
    }

    pub(super) fn place(
        &self,
        bucket: String,
        endpoint: Option<String>,
        ambient: bool,
        given: &mut Given,
    ) -> Result<S3, CliError> {
        Ok(S3 {
            bucket,
            region: needed(self.region.clone(), "--region", "s3")?,
            endpoint,
            path_style: self.path_style,
            sse_kms_key_id: self.sse_kms_key_id.clone(),
            expected_bucket_owner: self.expected_bucket_owner.clone(),
            storage_class: self.storage_class,
            checksum: self.checksum,
            request_payer: self.request_payer,
            acl: self.acl,
            sse: self.sse,
            credentials: self.credentials.credentials(ambient, None, given)?,
        })
    }
}

impl S3CredentialArgs {
    /// The first of its options that is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--access-key-id", self.access_key_id.is_some()),
            ("--secret-access-key-env", self.secret_access_key_env.is_some()),
            ("--secret-access-key-file", self.secret_access_key_file.is_some()),
            ("--session-token-env", self.session_token_env.is_some()),
            ("--session-token-file", self.session_token_file.is_some()),
            ("--assume-role", self.assume_role.is_some()),
            ("--session-name", self.session_name.is_some()),
            ("--session-duration", self.session_duration.is_some()),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// The credentials that are given; `known`: the id of the key whose secret alone is given anew.
    pub(super) fn credentials(
        &self,
        ambient: bool,
        known: Option<&str>,
        given: &mut Given,
    ) -> Result<S3Credentials, CliError> {
        if let Some(role_arn) = self.assume_role.clone() {
            return Ok(S3Credentials::AssumeRole(AssumeRole {
                role_arn,
                external_id: None,
                session_name: self.session_name.clone(),
                duration: self.session_duration,
            }));
        }
        if ambient {
            return match self.access_key_id {
                None => Ok(S3Credentials::Ambient),
                Some(_) => {
                    Err(CliError::Usage("--ambient and an access key are given; give one of them".into()))
                }
            };
        }
        let id = self.access_key_id.clone().or_else(|| known.map(str::to_owned));
        let id = needed(id, "--access-key-id", "s3")?;
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
