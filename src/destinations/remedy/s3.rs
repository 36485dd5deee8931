//! What to do on AWS, in the words of IAM, S3 and KMS.

use super::{exists, unreachable};
use crate::store::PutErrorKind;
use auditferry_core::model::destination::trust;
use auditferry_core::model::destination::{self, S3, S3Credentials};

/// What S3 says of a key of KMS, or of a storage class, with the kind of the failure.
///
/// Source: what users report of PutObject, as S3's own list of errors has none of KMS's.
pub(super) const CODES: [(&str, PutErrorKind); 6] = [
    ("kms:GenerateDataKey", PutErrorKind::Denied),
    ("KMS.NotFoundException", PutErrorKind::Rejected),
    ("KMS.DisabledException", PutErrorKind::Rejected),
    ("KMS.KMSInvalidStateException", PutErrorKind::Rejected),
    ("InvalidStorageClass", PutErrorKind::Rejected),
    ("HTTP 307", PutErrorKind::Unreachable),
];

pub(super) fn of_s3(kind: PutErrorKind, message: &str, s3: &S3, prefix: &str) -> Option<String> {
    let S3 { bucket, region, .. } = s3;
    let who = match &s3.credentials {
        S3Credentials::AccessKey(key) => format!("The key {}", short(&key.id)),
        S3Credentials::AssumeRole(role) => format!("The role `{}`", role.role_arn),
        S3Credentials::Ambient => "The worker's own AWS identity".to_owned(),
    };
    let role = match &s3.credentials {
        S3Credentials::AssumeRole(role) => Some(role),
        S3Credentials::AccessKey(_) | S3Credentials::Ambient => None,
    };
    let code = CODES.into_iter().find(|(code, of)| *of == kind && message.contains(code));
    if let Some(text) = code.and_then(|(code, _)| of_code(code, s3, &who)) {
        return Some(text);
    }
    Some(match (kind, role) {
        (PutErrorKind::InvalidCredentials, Some(role)) => format!(
            "{who} does not let the worker in: see in IAM that it exists, and that its trust policy is the one that \
             `auditferry destination trust ACCOUNT` prints: the worker's principal, `sts:AssumeRole`, and the condition \
             `{{\"StringEquals\":{{\"sts:ExternalId\":\"{}\"}}}}`",
            role.external_id.as_deref().unwrap_or_default()
        ),
        (PutErrorKind::Unreachable, Some(_)) => format!(
            "The worker cannot connect to STS or to {host}, or has no AWS identity of its own that is in force, as the \
             message says: `auditferry destination trust ACCOUNT`, run where the worker runs, shows whether it has one",
            host = host(s3)
        ),
        (PutErrorKind::Denied, _) => denied(s3, prefix, &who),
        (PutErrorKind::InvalidCredentials, None) => format!(
            "{who} is not in force: in IAM see that it exists and is Active, or make another and set the \
             destination again with it; a session token has an end of its own"
        ),
        (PutErrorKind::NoSuchBucket, _) => format!(
            "There is no bucket `{bucket}`: create it (`aws s3 mb s3://{bucket} --region {region}`), or \
             correct its name in the destination"
        ),
        (PutErrorKind::Unreachable, None) => unreachable(&host(s3)),
        (PutErrorKind::Exists, _) => exists("bucket", bucket),
        _ => return None,
    })
}

/// S3 names no cause when it denies for the bucket's owner or for a policy: all that can be meant.
fn denied(s3: &S3, prefix: &str, who: &str) -> String {
    let S3 { bucket, .. } = s3;
    let arn = |folder: &str| format!("arn:{}:s3:::{bucket}/{prefix}{folder}/*", partition(s3));
    let key = match &s3.sse_kms_key_id {
        None => "for a KMS key that it may not use (`kms:GenerateDataKey`)".to_owned(),
        Some(key) => format!("for the KMS key `{key}`, on which it needs `kms:GenerateDataKey`"),
    };
    let owner = s3.expected_bucket_owner.as_ref().map_or_else(String::new, |owner| {
        format!(
            "; or the bucket does not belong to the AWS account {owner}, of which S3 says the same: its owner tells \
             with `aws s3api head-bucket --bucket {bucket} --expected-bucket-owner {owner}`, and the destination is set \
             again with the right one"
        )
    });
    format!(
        "{who} may not `s3:PutObject` on `{audit}`; add this statement to its policy: \
         `{{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\",\"Resource\":[\"{audit}\",\"{probe}\"]}}`, and look \
         for a Deny in the bucket policy and {key}{owner}",
        audit = arn("audit"),
        probe = arn("auditferry-probe"),
    )
}

fn of_code(code: &str, s3: &S3, who: &str) -> Option<String> {
    let region = &s3.region;
    let default = "the key of the bucket's default encryption";
    let key =
        s3.sse_kms_key_id.as_ref().map_or_else(|| default.to_owned(), |key| format!("the KMS key `{key}`"));
    let id = s3.sse_kms_key_id.as_deref().unwrap_or("KEY");
    Some(match code {
        "kms:GenerateDataKey" => {
            let statement = s3
                .sse_kms_key_id
                .as_ref()
                .map_or_else(String::new, |key| format!(": `{}`", trust::kms_statement(partition(s3), key)));
            format!(
                "{who} may not use {key}: let it `kms:GenerateDataKey` in a statement of its own policy{statement}; the \
                 key's policy has to leave that to IAM, or, where the key is of another AWS account, to allow it too"
            )
        }
        "KMS.NotFoundException" => format!(
            "S3 does not find {key}: a key that is not of the AWS account that asks is found by its whole ARN only, and \
             it must be in the bucket's region (`aws kms describe-key --key-id {id} --region {region} --query \
             KeyMetadata.Arn`); give that ARN to the destination or to the bucket's default encryption"
        ),
        "KMS.DisabledException" => format!(
            "Somebody has disabled {key}: enable it (`aws kms enable-key --key-id {id} --region {region}`, which takes \
             the key's id or ARN), or name another"
        ),
        "KMS.KMSInvalidStateException" => format!(
            "There is no use of {key} in its state, such as waiting for its deletion (`aws kms describe-key --key-id {id} \
             --region {region} --query KeyMetadata.KeyState`; `aws kms cancel-key-deletion` and `enable-key` bring it \
             back): do that, or name another"
        ),
        "HTTP 307" => format!(
            "Set `region` to the region of the bucket `{bucket}` (`aws s3api get-bucket-location --bucket {bucket}`); if \
             it is `{region}`, the bucket is new, and its DNS is ready within a day: nothing else has to be done",
            bucket = s3.bucket
        ),
        "InvalidStorageClass" => {
            let class = s3.storage_class?.as_str();
            format!(
                "The store has no storage class {class}: set the destination again without it, or with another"
            )
        }
        _ => return None,
    })
}

fn partition(s3: &S3) -> &str {
    match &s3.credentials {
        S3Credentials::AssumeRole(role) => destination::partition(&role.role_arn),
        S3Credentials::AccessKey(_) | S3Credentials::Ambient => "aws",
    }
}

fn host(s3: &S3) -> String {
    s3.endpoint.clone().unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", s3.region))
}

/// A key's id as a person recognises it: `AKIA…7Q`.
fn short(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    match chars.len() {
        0..=8 => id.to_owned(),
        length => format!(
            "{}…{}",
            chars[..4].iter().collect::<String>(),
            chars[length - 2..].iter().collect::<String>()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_id_is_shortened() {
        assert_eq!(short("AKIAIOSFODNN7EXAMP7Q"), "AKIA…7Q");
        assert_eq!(short("minio"), "minio");
    }
}
