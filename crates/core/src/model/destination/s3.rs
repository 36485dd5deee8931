//! A destination on Amazon S3 or a compatible store.

use serde::{Deserialize, Serialize};

use super::access_key::validate_id;
use super::endpoint_bucket::refuse_bucket;
use super::kms_key::{self, Around};
use super::names::{
    validate_aws_region, validate_endpoint, validate_legacy_bucket, validate_region, validate_s3_bucket,
    validate_text,
};
use super::{
    AssumeRole, AwsPartition, CannedAcl, Checksum, DestinationError, Encryption, KmsArn, RequestPayer,
    SecretRef, StorageClass, Target, host, partition,
};

/// A bucket of Amazon S3 or of a compatible store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// The bucket's name.
    pub bucket: String,
    /// The bucket's region; compatible stores mostly take `us-east-1`.
    pub region: String,
    /// Base URL of a compatible store; absent: Amazon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// `endpoint/bucket/key` instead of `bucket.endpoint/key`; absent: only with an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// The key of AWS KMS that encrypts each object; absent: what the bucket's default says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sse_kms_key_id: Option<String>,
    /// The AWS account to which the bucket must belong, for any request to be carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_bucket_owner: Option<String>,
    /// In which class objects are kept; absent: `STANDARD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<StorageClass>,
    /// The checksum that goes with each object; absent: `md5` with an endpoint, else `crc32`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Who pays for requests; absent: the bucket's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_payer: Option<RequestPayer>,
    /// The canned ACL of each object; absent: the bucket's own rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<CannedAcl>,
    /// The encryption that each request names; absent: what the bucket's default says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sse: Option<Encryption>,
    /// How the worker proves who it is.
    pub credentials: S3Credentials,
}

/// Credentials for S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum S3Credentials {
    /// An access key that the customer created.
    AccessKey(AccessKey),
    /// A role of the customer's, which the worker assumes as itself.
    AssumeRole(AssumeRole),
    /// The worker's own AWS identity; the operator must allow it for the account.
    Ambient,
}

/// An AWS access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// The access key id, which is not a secret.
    pub id: String,
    /// The secret access key.
    pub secret: SecretRef,
    /// The session token of temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretRef>,
}

impl S3 {
    /// The name by which a bucket of Amazon's own is counted.
    pub(super) fn server(&self) -> String {
        format!("{}.{}", self.bucket, AwsPartition::host("s3", &self.region))
    }

    /// Where its requests go, without the bucket.
    #[must_use]
    pub fn url(&self) -> String {
        let amazons = || format!("https://{}", AwsPartition::host("s3", &self.region));
        self.endpoint.clone().unwrap_or_else(amazons)
    }

    /// The partition of AWS, as it stands in ARNs: what the role or the key says, or else the region.
    #[must_use]
    pub fn partition(&self) -> &str {
        if let S3Credentials::AssumeRole(role) = &self.credentials {
            return partition(&role.role_arn);
        }
        if let Some(arn) = self.sse_kms_key_id.as_deref().and_then(KmsArn::parse) {
            return arn.partition;
        }
        match &self.endpoint {
            // A compatible store reads Amazon's usual ARNs, whatever it calls its regions.
            Some(endpoint) if !AwsPartition::has_host(server_name(endpoint)) => "aws",
            _ => AwsPartition::of_region(&self.region).name,
        }
    }

    pub(super) fn validate(&self, allow_http: bool) -> Result<(), DestinationError> {
        let path_style = self.path_style.unwrap_or(self.endpoint.is_some());
        if self.endpoint.is_some() && path_style {
            validate_legacy_bucket(&self.bucket)?;
        } else {
            validate_s3_bucket(&self.bucket)?;
        }
        match &self.endpoint {
            Some(_) => validate_region(&self.region)?,
            None => validate_aws_region(&self.region)?,
        }
        validate_endpoint(self.endpoint.as_deref(), allow_http)?;
        refuse_bucket(
            self.endpoint.as_deref(),
            &self.bucket,
            "bucket",
            self.path_style == Some(true),
            "write the endpoint without the bucket, such as https://s3.example.com; if the server's own name begins with \
             this word, say path_style = true (--path-style true)",
        )?;
        if let (Some(sse), Some(_)) = (self.sse, &self.sse_kms_key_id) {
            return Err(DestinationError {
                field: "sse",
                problem: format!("{} and a KMS key are given, and S3 takes one of them", sse.as_str()),
                fix: "leave out sse to encrypt with the key, or sse_kms_key_id to encrypt with S3's own keys",
            });
        }
        if let Some(key) = &self.sse_kms_key_id {
            let around = Around {
                region: &self.region,
                compatible: self.endpoint.is_some(),
                as_worker: self.needs_proof(),
            };
            kms_key::validate(key, &around)?;
        }
        if let Some(owner) = self.expected_bucket_owner.as_ref().filter(|owner| !kms_key::is_account(owner)) {
            return Err(DestinationError {
                field: "expected_bucket_owner",
                problem: format!("{owner:?} is not the id of an AWS account"),
                fix: "give its 12 digits, as `aws sts get-caller-identity` shows them in the bucket's account",
            });
        }
        match &self.credentials {
            S3Credentials::AccessKey(key) => {
                validate_text("credentials.access_key.id", &key.id, "give the access key id")?;
                validate_id(&key.id)
            }
            S3Credentials::AssumeRole(role) => role.validate(),
            S3Credentials::Ambient => Ok(()),
        }
    }

    /// What the store is asked with each object beyond keeping it.
    pub(super) fn asked(&self) -> Option<String> {
        let asked = [
            self.sse_kms_key_id.as_ref().map(|key| format!("encrypted with KMS key {key}")),
            self.sse.map(|sse| format!("encrypted with {}", sse.as_str())),
            self.acl.map(|acl| format!("ACL {}", acl.as_str())),
            self.storage_class.map(|class| format!("storage class {}", class.as_str())),
            self.checksum.map(|checksum| format!("checksum {}", checksum.as_str())),
            self.request_payer.map(|payer| format!("the {} pays", payer.as_str())),
            self.expected_bucket_owner
                .as_ref()
                .map(|owner| format!("only if the bucket belongs to AWS account {owner}")),
        ];
        let asked: Vec<String> = asked.into_iter().flatten().collect();
        (!asked.is_empty()).then(|| asked.join(", "))
    }

    /// Whether both are the same bucket.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.bucket == other.bucket && self.endpoint == other.endpoint
    }

    pub(super) fn needs_proof(&self) -> bool {
        matches!(self.credentials, S3Credentials::Ambient)
    }

    pub(super) fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match &self.credentials {
            S3Credentials::AccessKey(key) => {
                let token = key.session_token.iter().map(|token| ("access_key.session_token", token));
                std::iter::once(("access_key.secret", &key.secret)).chain(token).collect()
            }
            S3Credentials::AssumeRole(_) | S3Credentials::Ambient => Vec::new(),
        }
    }

    /// The checksum that goes with each object.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        // Compatible stores know Content-MD5 and often nothing newer.
        let default = if self.endpoint.is_some() { Checksum::Md5 } else { Checksum::Crc32 };
        self.checksum.unwrap_or(default)
    }

    pub(super) fn target(&self) -> Target<'_> {
        let principal = match &self.credentials {
            S3Credentials::AccessKey(key) => Some(key.id.as_str().into()),
            S3Credentials::AssumeRole(role) => Some(role.role_arn.as_str().into()),
            S3Credentials::Ambient => None,
        };
        Target { region: Some(&self.region), endpoint: self.endpoint.as_deref(), principal }
    }
}

/// The host of an endpoint, without its port.
fn server_name(endpoint: &str) -> &str {
    let host = host(endpoint);
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests;
