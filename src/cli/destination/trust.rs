//! `auditferry destination trust`

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::bare_stores;
use crate::cli::completion::account_ids;
use crate::cli::{CliError, CliResult, account_id, output};
use crate::operations::admin::Admin;
use crate::settings::Settings;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::trust;
use auditferry_core::model::destination::{CannedAcl, Destination, Place};
use auditferry_core::text::shell::shell_word;

#[derive(Args)]
pub(in crate::cli) struct TrustArgs {
    /// The account's id.
    #[arg(value_parser = account_id, add = account_ids())]
    account: AccountId,
    /// The bucket that the role may write to; without it, that of the account's destination.
    #[arg(long)]
    bucket: Option<String>,
    /// The prefix before audit/ in keys; ends in /.
    #[arg(long, requires = "bucket")]
    prefix: Option<String>,
    /// The key of AWS KMS that encrypts its objects, for the permission policy; without it, that of the
    /// account's destination.
    #[arg(long, value_name = "KEY", requires = "bucket")]
    sse_kms_key_id: Option<String>,
    /// The canned ACL of its objects, for the permission policy; without it, that of the account's destination.
    #[arg(long, value_name = "ACL", requires = "bucket")]
    acl: Option<CannedAcl>,
    /// Print JSON, for a program.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Trust<'a> {
    account: &'a AccountId,
    external_id: String,
    principal: String,
    trust_policy: Value,
    permission_policy: Value,
}

pub(super) async fn trust(settings: &Settings, admin: &Admin, by: &By, args: &TrustArgs) -> CliResult {
    let principal = principal(settings).await?;
    let current = admin.ledger.destination(&args.account).await?;
    let (bucket, prefix, key, acl) = match (&args.bucket, &current) {
        (Some(bucket), _) => {
            let prefix = args.prefix.clone().unwrap_or_default();
            (bucket.clone(), prefix, args.sse_kms_key_id.clone(), args.acl)
        }
        (None, Some(Destination { place: Place::S3(s3), prefix, .. })) => {
            (s3.bucket.clone(), prefix.clone(), s3.sse_kms_key_id.clone(), s3.acl)
        }
        _ => ("BUCKET".to_owned(), String::new(), None, None),
    };
    let external_id = admin.external_id(by, &args.account).await?;
    let trust = Trust {
        account: &args.account,
        trust_policy: trust::trust_policy(&principal, &external_id),
        permission_policy: trust::permission_policy(&principal, &bucket, &prefix, acl, key.as_deref()),
        external_id,
        principal,
    };
    if args.json {
        output::json(&trust);
        return Ok(());
    }
    output::line(format!("External id of account {}: {}", trust.account, trust.external_id));
    output::line("\nThe role's trust policy (trust.json):");
    output::json(&trust.trust_policy);
    output::line("\nIts permission policy (permission.json):");
    output::json(&trust.permission_policy);
    output::line("\nThe customer makes it:");
    output::line(
        "  aws iam create-role --role-name auditferry --assume-role-policy-document file://trust.json",
    );
    output::line(
        "  aws iam put-role-policy --role-name auditferry --policy-name auditferry --policy-document \
         file://permission.json",
    );
    let key = key.map_or_else(String::new, |key| format!(" --sse-kms-key-id {}", shell_word(&key)));
    let acl = acl.map_or_else(String::new, |acl| format!(" --acl {}", acl.as_str()));
    output::line(format!(
        "\nNext: auditferry destination set {} --kind s3 --bucket {} --region REGION --assume-role ROLE_ARN{key}{acl}",
        shell_word(args.account.as_str()),
        shell_word(&bucket)
    ));
    Ok(())
}

/// Whom the customer has to trust: this worker.
async fn principal(settings: &Settings) -> Result<String, CliError> {
    if !settings.aws.principal.is_empty() {
        return Ok(settings.aws.principal.clone());
    }
    let stores = bare_stores(settings)?;
    let caller = stores.dialer().aws_caller().await.map_err(|error| {
        CliError::Failed(format!(
            "{error}; run this where the worker runs, or set aws.principal to the ARN of the worker's role"
        ))
    })?;
    Ok(trust::principal(&caller))
}
