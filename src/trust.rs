//! What the owner of a bucket pastes into IAM, so that the worker may assume a role of theirs.

use serde_json::{Value, json};

use crate::destination::partition;

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
/// in our two folders, and nothing else.
#[must_use]
pub fn permission_policy(principal: &str, bucket: &str, prefix: &str) -> Value {
    let arn = |folder: &str| format!("arn:{}:s3:::{bucket}/{prefix}{folder}/*", partition(principal));
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": [arn("audit"), arn("auditferry-probe")],
        }],
    })
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
        let granted = permission_policy("arn:aws-cn:iam::1:role/w", "acme", "siem/").to_string();
        assert!(
            granted.contains(
                r#"["arn:aws-cn:s3:::acme/siem/audit/*","arn:aws-cn:s3:::acme/siem/auditferry-probe/*"]"#
            ),
            "{granted}"
        );
    }
}
