//! What to do on AWS, in the words of IAM, S3 and KMS.

use super::{exists, unreachable};
use auditferry_core::model::destination::trust;
use auditferry_core::model::destination::{S3, S3Credentials, is_amazons_id};
use auditferry_core::model::path_layout::written_below;
use auditferry_core::store::PutErrorKind;

/// What S3 says of a key of KMS, or of a storage class, with the kind of the failure.
///
/// Source: what users report of PutObject, as S3's own list of errors has none of KMS's.
pub(super) const CODES: [(&str, PutErrorKind); 8] = [
    ("kms:GenerateDataKey", PutErrorKind::Denied),
    ("KMS.NotFoundException", PutErrorKind::Rejected),
    ("KMS.DisabledException", PutErrorKind::Rejected),
    ("KMS.KMSInvalidStateException", PutErrorKind::Rejected),
    ("InvalidStorageClass", PutErrorKind::Rejected),
    ("AccessControlListNotSupported", PutErrorKind::Rejected),
    ("SignatureDoesNotMatch", PutErrorKind::InvalidCredentials),
    ("HTTP 307", PutErrorKind::Unreachable),
];

pub(super) fn of_s3(kind: PutErrorKind, message: &str, s3: &S3, prefix: &str) -> Option<String> {
    let S3 { bucket, region, .. } = s3;
    let who = match &s3.credentials {
        S3Credentials::AccessKey(key) => short(&key.id),
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
            host = s3.url()
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
        (PutErrorKind::Unreachable, None) => unreachable(&s3.url()),
        (PutErrorKind::Exists, _) => exists("bucket", bucket),
        _ => return None,
    })
}

/// S3 names no cause when it denies for the bucket's owner or for a policy: all that can be meant.
fn denied(s3: &S3, prefix: &str, who: &str) -> String {
    let S3 { bucket, .. } = s3;
    let arn = |folder: String| format!("arn:{}:s3:::{bucket}/{folder}*", s3.partition());
    let written: Vec<String> = written_below(prefix).into_iter().map(arn).collect();
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
    let conditions = match (s3.acl, s3.sse.is_some() || s3.sse_kms_key_id.is_some()) {
        (None, false) => {
            ", which may ask for `acl = \"bucket-owner-full-control\"` (`--acl`) or `sse = \"AES256\"` (`--sse`) on the destination,"
        }
        (None, true) => {
            ", which may ask for `acl = \"bucket-owner-full-control\"` (`--acl`) on the destination,"
        }
        (Some(_), false) => ", which may ask for `sse = \"AES256\"` (`--sse`) on the destination,",
        (Some(_), true) => "",
    };
    let actions = trust::put_actions(s3.acl);
    format!(
        "{who} may not `s3:PutObject` on `{audit}`; add this statement to its policy: \
         `{{\"Effect\":\"Allow\",\"Action\":{actions},\"Resource\":{resources}}}`, and look \
         for a Deny in the bucket policy{conditions} and {key}{owner}",
        audit = written.first().map_or("", String::as_str),
        resources = serde_json::json!(written),
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
                .map_or_else(String::new, |key| format!(": `{}`", trust::kms_statement(s3.partition(), key)));
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
        "AccessControlListNotSupported" => {
            let acl = s3.acl?.as_str();
            format!(
                "The bucket `{bucket}` has ACLs switched off and refuses {acl}: set the destination again without acl, or \
                 with bucket-owner-full-control, which such a bucket takes",
                bucket = s3.bucket
            )
        }
        "SignatureDoesNotMatch" => match &s3.credentials {
            S3Credentials::AccessKey(_) => format!(
                "The secret does not belong to {who}: set the destination again with the id and the secret of one key, or, as \
                 a secret is shown once only, with a new key",
                who = lower(who)
            ),
            S3Credentials::AssumeRole(_) | S3Credentials::Ambient => return None,
        },
        "InvalidStorageClass" => {
            let class = s3.storage_class?.as_str();
            format!(
                "The store has no storage class {class}: set the destination again without it, or with another"
            )
        }
        _ => return None,
    })
}

/// A sentence's beginning in its middle.
fn lower(who: &str) -> String {
    who.strip_prefix("The ").map_or_else(|| who.to_owned(), |rest| format!("the {rest}"))
}

/// A key as a person recognises it: `The key AKIA…7Q`. What has not the form of an id at Amazon may be a secret
/// in the wrong place, and nothing of it is shown.
fn short(id: &str) -> String {
    if is_amazons_id(id) {
        format!("The key {}…{}", &id[..4], &id[id.len() - 2..])
    } else {
        "The access key of the destination".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auditferry_core::model::destination::{AccessKey, CannedAcl, Encryption, SecretRef};

    #[test]
    fn a_keys_id_is_shortened() {
        assert_eq!(short("AKIAIOSFODNN7EXAMP7Q"), "The key AKIA…7Q");
        for other in ["minio", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "äöü"] {
            assert_eq!(short(other), "The access key of the destination");
        }
    }

    fn s3(region: &str) -> S3 {
        S3 {
            bucket: "acme-siem".into(),
            region: region.into(),
            endpoint: None,
            path_style: None,
            sse_kms_key_id: None,
            expected_bucket_owner: None,
            storage_class: None,
            checksum: None,
            request_payer: None,
            acl: None,
            sse: None,
            credentials: S3Credentials::Ambient,
        }
    }

    #[test]
    fn what_is_pasted_into_a_policy_is_of_the_buckets_partition() {
        let denied = |region| of_s3(PutErrorKind::Denied, "HTTP 403 AccessDenied", &s3(region), "").unwrap();
        assert!(denied("cn-north-1").contains("arn:aws-cn:s3:::acme-siem/audit/*"));
        assert!(denied("us-gov-west-1").contains("arn:aws-us-gov:s3:::acme-siem/audit/*"));
        assert!(denied("eu-central-1").contains("arn:aws:s3:::acme-siem/audit/*"));
        let away = of_s3(PutErrorKind::Unreachable, "", &s3("cn-north-1"), "").unwrap();
        assert!(away.contains("https://s3.cn-north-1.amazonaws.com.cn:"), "{away}");
        let kms = S3 { sse_kms_key_id: Some("alias/siem".into()), ..s3("cn-north-1") };
        let text = of_s3(PutErrorKind::Denied, "kms:GenerateDataKey", &kms, "").unwrap();
        assert!(text.contains("arn:aws-cn:kms:*:*:key/*"), "{text}");
    }

    #[test]
    fn a_denial_names_what_a_bucket_policy_may_ask_for() {
        let denied = |s3: &S3| of_s3(PutErrorKind::Denied, "HTTP 403 AccessDenied", s3, "").unwrap();
        let plain = denied(&s3("eu-central-1"));
        assert!(plain.contains("acl = \"bucket-owner-full-control\"") && plain.contains("sse = \"AES256\""));
        let acl = Some(CannedAcl::BucketOwnerFullControl);
        let both = denied(&S3 { acl, sse: Some(Encryption::Aes256), ..s3("eu-central-1") });
        assert!(
            !both.contains("may ask for") && both.contains("[\"s3:PutObject\",\"s3:PutObjectAcl\"]"),
            "{both}"
        );
    }

    #[test]
    fn a_wrong_secret_is_told_from_a_key_that_is_gone() {
        let key = AccessKey {
            id: "AKIAIOSFODNN7EXAMP7Q".into(),
            secret: SecretRef::Env("X".into()),
            session_token: None,
        };
        let place = S3 { credentials: S3Credentials::AccessKey(key), ..s3("eu-central-1") };
        let of = |said: &str| of_s3(PutErrorKind::InvalidCredentials, said, &place, "").unwrap();
        let wrong = of("HTTP 403 SignatureDoesNotMatch: The request signature we calculated does not match");
        assert!(wrong.starts_with("The secret does not belong to the key AKIA…7Q"), "{wrong}");
        assert!(of("HTTP 403 InvalidAccessKeyId").contains("is not in force"));
    }
}
