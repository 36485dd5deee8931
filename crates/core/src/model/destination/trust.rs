//! What the owner of a bucket pastes into IAM, so that the worker may assume a role of theirs.

use serde_json::{Value, json};

use crate::model::destination::{CannedAcl, KmsArn, partition};
use crate::model::path_layout::written_below;

/// Whom a trust policy names for a caller: of a session, the role behind it. A role's path is not in
/// a session's ARN, so one with a path has to be given in the settings.
#[must_use]
pub fn principal(caller: &str) -> String {
    let parts: Vec<&str> = caller.splitn(6, ':').collect();
    let ["arn", partition, "sts", _, account, resource] = parts[..] else { return caller.to_owned() };
    match resource.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next()) {
        Some(role) => format!("arn:{partition}:iam::{account}:role/{role}"),
        None => caller.to_owned(),
    }
}

/// The trust policy of the role: the worker alone, and for this account alone.
#[must_use]
pub fn trust_policy(principal: &str, external_id: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": principal },
            "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": external_id } },
        }],
    })
}

/// The permission policy of the role, in the partition of the worker's principal: creating objects
/// in our two folders, with the canned ACL and the one key of KMS if they are asked for, and nothing else.
#[must_use]
pub fn permission_policy(
    principal: &str,
    bucket: &str,
    prefix: &str,
    acl: Option<CannedAcl>,
    kms_key: Option<&str>,
) -> Value {
    let arn = |folder: String| format!("arn:{}:s3:::{bucket}/{folder}*", partition(principal));
    let put = json!({
        "Effect": "Allow",
        "Action": put_actions(acl),
        "Resource": written_below(prefix).into_iter().map(arn).collect::<Vec<_>>(),
    });
    let key = kms_key.map(|key| kms_statement(partition(principal), key));
    json!({
        "Version": "2012-10-17",
        "Statement": std::iter::once(put).chain(key).collect::<Vec<_>>(),
    })
}

/// What creating an object needs: whoever names an ACL has to be allowed that too.
#[must_use]
pub fn put_actions(acl: Option<CannedAcl>) -> Value {
    match acl {
        None => json!("s3:PutObject"),
        Some(_) => json!(["s3:PutObject", "s3:PutObjectAcl"]),
    }
}

/// What a policy says to allow one key of KMS. A policy cannot name an alias as a resource.
///
/// Source: "Controlling access to KMS keys with aliases", AWS KMS Developer Guide.
#[must_use]
pub fn kms_statement(partition: &str, key: &str) -> Value {
    let (place, resource) = match KmsArn::parse(key) {
        Some(arn) => (format!("arn:{}:kms:{}:{}", arn.partition, arn.region, arn.account), arn.resource),
        None => (format!("arn:{partition}:kms:*:*"), key),
    };
    let allow =
        |resource: String| json!({"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": resource});
    if !resource.starts_with("alias/") {
        let id = resource.strip_prefix("key/").unwrap_or(resource);
        return allow(format!("{place}:key/{id}"));
    }
    let mut statement = allow(format!("{place}:key/*"));
    statement["Condition"] = json!({"ForAnyValue:StringEquals": {"kms:ResourceAliases": resource}});
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_trusted_as_its_role() {
        for (caller, trusted) in [
            ("arn:aws:iam::123456789012:user/worker", "arn:aws:iam::123456789012:user/worker"),
            (
                "arn:aws:sts::123456789012:assumed-role/eks-worker/pod-1",
                "arn:aws:iam::123456789012:role/eks-worker",
            ),
            ("arn:aws-cn:sts::123456789012:assumed-role/w/i-0", "arn:aws-cn:iam::123456789012:role/w"),
            ("arn:aws:sts::123456789012:federated-user/w", "arn:aws:sts::123456789012:federated-user/w"),
        ] {
            assert_eq!(principal(caller), trusted);
        }
    }

    #[test]
    fn the_policies_name_the_worker_the_account_and_the_folders() {
        let trust = trust_policy("arn:aws-cn:iam::1:role/w", "auditferry-1").to_string();
        assert!(trust.contains(r#""StringEquals":{"sts:ExternalId":"auditferry-1"}"#), "{trust}");
        let granted = permission_policy("arn:aws-cn:iam::1:role/w", "acme", "siem/", None, None).to_string();
        assert!(
            granted.contains(
                r#"["arn:aws-cn:s3:::acme/siem/audit/*","arn:aws-cn:s3:::acme/siem/auditferry-probe/*"]"#
            ),
            "{granted}"
        );
    }

    #[test]
    fn a_policy_names_the_one_key() {
        let of = |key| kms_statement("aws", key);
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let arn = format!("arn:aws-cn:kms:cn-north-1:123456789012:key/{id}");
        assert_eq!(of(&arn)["Resource"], arn);
        assert_eq!(of(id)["Resource"], format!("arn:aws:kms:*:*:key/{id}"));
        assert!(of(id)["Condition"].is_null());
        for (alias, place) in [
            ("alias/siem", "arn:aws:kms:*:*:key/*"),
            (
                "arn:aws:kms:eu-central-1:123456789012:alias/siem",
                "arn:aws:kms:eu-central-1:123456789012:key/*",
            ),
        ] {
            assert_eq!(of(alias)["Resource"], place);
            assert_eq!(
                of(alias)["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"],
                "alias/siem"
            );
        }
        let policy = permission_policy(
            "arn:aws:iam::1:role/w",
            "acme",
            "",
            Some(CannedAcl::BucketOwnerFullControl),
            Some(&arn),
        );
        assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(2));
        assert_eq!(policy["Statement"][0]["Action"], json!(["s3:PutObject", "s3:PutObjectAcl"]));
        assert_eq!(policy["Statement"][1]["Action"], "kms:GenerateDataKey");
    }
}
