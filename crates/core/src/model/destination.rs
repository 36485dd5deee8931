//! A destination: the account's one bucket or container. A value of one of
//! three kinds, so that "exactly one" is a type and not a check.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::account::AccountId;
use crate::model::format::Format;
use crate::model::instant;
use crate::model::object_key::longest_name;
use crate::model::path_layout::{LAKE_SOURCES, PathLayout};
use crate::refusal::{Refusal, RefusalCode};

mod access_key;
mod acl;
mod aws_partition;
mod azure;
mod checksum;
mod encryption;
mod endpoint_bucket;
mod entra;
mod gcs;
mod kms_key;
mod names;
mod reference;
mod request_payer;
mod role;
mod s3;
mod storage_class;
pub mod trust;

pub use access_key::{is_amazons_id, looks_like_a_secret};
pub use acl::CannedAcl;
pub use aws_partition::AwsPartition;
pub use azure::{Azure, AzureCredentials};
pub use checksum::Checksum;
pub use encryption::Encryption;
pub use endpoint_bucket::{Named, names_bucket};
pub use entra::{AzureCloud, EntraCertificate, EntraSecret, ManagedIdentity, WorkloadIdentity};
pub use gcs::{Gcs, GcsCredentials, Impersonate, is_service_account};
pub use kms_key::KmsArn;
use names::validate_prefix;
pub use reference::{SealedId, SecretRef};
pub use request_payer::RequestPayer;
pub use role::{AssumeRole, external_id, partition};
pub use s3::{AccessKey, S3, S3Credentials};
pub use storage_class::StorageClass;

/// Longest prefix, in bytes, so that every key stays under the clouds' 1,024.
pub const MAX_PREFIX_BYTES: usize = 100;

/// Most bytes of a key that every cloud takes.
const MAX_KEY_BYTES: usize = 1_024;

/// What to do about an endpoint without TLS.
pub const HTTPS_ONLY: &str =
    "write https://, or for a store on loopback set allow_http = true (--allow-http) on the destination";

/// One bucket or container, and what stands before `audit/` in its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Empty, or folders that end in `/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Whether the store may be spoken to without TLS: for loopback and for tests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
    /// Whether the store may be one that replaces an object instead of refusing a second one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_overwrites: bool,
    /// When the customer says that its credentials end, which an access key or a client
    /// secret does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "instant::optional")]
    pub expires: Option<Timestamp>,
    /// The bucket itself.
    #[serde(flatten)]
    pub place: Place,
}

/// The three kinds of store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Place {
    /// Amazon S3 or a compatible store.
    S3(S3),
    /// Google Cloud Storage.
    Gcs(Gcs),
    /// Azure Blob Storage.
    Azure(Azure),
}

/// Why a destination cannot be right; each names the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("destination.{field}: {problem}; {fix}")]
pub struct DestinationError {
    /// The field's name, as in the exports file.
    pub field: &'static str,
    /// What is wrong with its value.
    pub problem: String,
    /// What to do about it.
    pub fix: &'static str,
}

/// What a kind of destination says of where its secrets may be used, and for whom.
struct Target<'a> {
    region: Option<&'a str>,
    endpoint: Option<&'a str>,
    /// Who the credentials say that they are, when it is not a secret.
    principal: Option<Cow<'a, str>>,
}

/// Host and port of a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

impl Destination {
    /// Who answers its puts, as a name by which accounts are counted: the server of an
    /// endpoint that is given; in the large clouds, where one bucket says nothing of
    /// another, the bucket. Holds no secret.
    #[must_use]
    pub fn endpoint(&self) -> String {
        match self.target().endpoint {
            Some(url) => host(url).to_ascii_lowercase(),
            None => match &self.place {
                Place::S3(s3) => s3.server(),
                Place::Gcs(gcs) => gcs.server(),
                Place::Azure(azure) => azure.server(),
            },
        }
    }

    /// Checks everything that can be known without asking the cloud.
    ///
    /// # Errors
    /// The first field that the cloud would refuse.
    pub fn validate(&self) -> Result<(), DestinationError> {
        validate_prefix(&self.prefix)?;
        match &self.place {
            Place::S3(s3) => s3.validate(self.allow_http),
            Place::Gcs(gcs) => gcs.validate(self.allow_http),
            Place::Azure(azure) => azure.validate(self.allow_http),
        }
    }

    /// Whether an object under a key of `other` may be the one under the same key here.
    #[must_use]
    pub fn may_share_objects(&self, other: &Self) -> bool {
        let same_place = match (&self.place, &other.place) {
            (Place::S3(a), Place::S3(b)) => a.may_be(b),
            (Place::Gcs(a), Place::Gcs(b)) => a.may_be(b),
            (Place::Azure(a), Place::Azure(b)) => a.may_be(b),
            _ => false,
        };
        same_place && self.prefix == other.prefix
    }

    /// What stands before the folders of a layout in the keys of objects.
    #[must_use]
    pub fn key_prefix(&self, path: PathLayout) -> String {
        match (path, &self.place) {
            (PathLayout::SecurityLake, Place::S3(s3)) => format!("{}region={}/", self.prefix, s3.region),
            _ => self.prefix.clone(),
        }
    }

    /// That the objects of an account can lie here in the folders of their format, where its SIEM can read them.
    ///
    /// # Errors
    /// The field, its problem and the fix.
    pub fn admits(&self, format: &Format, account: &AccountId) -> Result<(), Refusal> {
        let (path, siem) = (format.path, format.siem);
        let refuse = |field, problem: String| Refusal::field(field, RefusalCode::InvalidValue, problem);
        if !siem.kinds().contains(&self.kind()) {
            let kinds = siem.kinds().join(" or ");
            let problem = format!(
                "{siem} reads destinations of kind {kinds}, and {self} is one of kind {}",
                self.kind()
            );
            return Err(refuse("siem", problem)
                .fix("write the preset of the reader that is used there, or siem = \"none\" and the options one by one"));
        }
        if path == PathLayout::SecurityLake {
            if !matches!(self.place, Place::S3(_)) {
                let problem =
                    format!("security-lake are folders of Amazon Security Lake, and {self} is none of S3");
                return Err(refuse("path", problem).fix(
                    "write path = \"hive\" for a data lake of your own, or give a destination of kind s3",
                ));
            }
            if !self.prefix.starts_with(LAKE_SOURCES) {
                let problem =
                    format!("{:?} is not the location of a custom source of Security Lake", self.prefix);
                return Err(refuse("prefix", problem).fix(
                    "write the location that Security Lake shows for the source, such as ext/acme-audit/1.0/",
                ));
            }
        }
        let days = path.folders(account, Timestamp::UNIX_EPOCH);
        let longest = self.key_prefix(path).len() + days.len() + longest_name(account);
        // What the default layout could always hold stays possible.
        if path != PathLayout::Contract && longest > MAX_KEY_BYTES {
            let problem = format!(
                "{path} makes keys of up to {longest} bytes of this account, and {MAX_KEY_BYTES} are most"
            );
            return Err(refuse("path", problem).fix("write path = \"contract\", or shorten the prefix"));
        }
        Ok(())
    }

    /// Whether it is the same folder of the same bucket for certain, whoever writes there.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.target(), other.target());
        // A connection string hides whose container it is.
        let known = ours.endpoint.is_some() || !matches!(self.place, Place::Azure(_));
        let same = ours.endpoint == theirs.endpoint && ours.region == theirs.region;
        known && same && self.may_share_objects(other)
    }

    /// What the store is asked with each object beyond keeping it, such as its encryption, and
    /// what is let pass.
    #[must_use]
    pub fn asked(&self) -> Option<String> {
        let asked = match &self.place {
            Place::S3(s3) => s3.asked(),
            Place::Gcs(_) | Place::Azure(_) => None,
        };
        let replaces = self.accept_overwrites.then(|| "its store may replace objects".to_owned());
        let all: Vec<String> = asked.into_iter().chain(replaces).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// Its secrets, each with the name of its field.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match &self.place {
            Place::S3(s3) => s3.secrets(),
            Place::Gcs(gcs) => gcs.secrets(),
            Place::Azure(azure) => azure.secrets(),
        }
    }

    /// Where a secret of this destination may be used, and for whom: a sealed secret is
    /// bound to all of it. A prefix is not part of it, as it does not change who gets to
    /// see the secret's signature.
    #[must_use]
    pub fn identity(&self) -> Vec<(&'static str, String)> {
        let Target { region, endpoint, principal } = self.target();
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        vec![
            ("kind", self.kind().to_owned()),
            ("bucket", self.bucket().to_owned()),
            ("region", text(region)),
            ("endpoint", text(endpoint)),
            ("tls", if self.allow_http { "optional" } else { "required" }.to_owned()),
            ("principal", text(principal.as_deref())),
        ]
    }

    /// Whether it is reached as the worker itself, or as somebody who lets any account of the worker's in, and
    /// nothing of it shows whose it is: the operator has to allow that for the account, and the customer to
    /// prove the bucket theirs.
    #[must_use]
    pub fn needs_proof(&self) -> bool {
        match &self.place {
            Place::S3(s3) => s3.needs_proof(),
            Place::Gcs(gcs) => gcs.needs_proof(),
            Place::Azure(azure) => azure.needs_proof(),
        }
    }

    /// Whether it names a role, whose trust policy has to ask for the account's external id.
    #[must_use]
    pub fn needs_external_id(&self) -> bool {
        matches!(&self.place, Place::S3(S3 { credentials: S3Credentials::AssumeRole(_), .. }))
    }

    /// With what auditferry itself adds for an account. `external_id`: the account's, if it
    /// has one.
    ///
    /// # Errors
    /// When it says otherwise, or what is to be added is not there.
    pub fn completed(
        mut self,
        account: &AccountId,
        external_id: Option<&str>,
    ) -> Result<Self, DestinationError> {
        if let Place::S3(S3 { credentials: S3Credentials::AssumeRole(role), .. }) = &mut self.place {
            *role = role.clone().completed(account, external_id)?;
        }
        Ok(self)
    }

    fn target(&self) -> Target<'_> {
        match &self.place {
            Place::S3(s3) => s3.target(),
            Place::Gcs(gcs) => gcs.target(),
            Place::Azure(azure) => azure.target(),
        }
    }

    /// The kind's name as in the exports file: `s3`, `gcs` or `azure`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.place {
            Place::S3(_) => "s3",
            Place::Gcs(_) => "gcs",
            Place::Azure(_) => "azure",
        }
    }

    /// The bucket's or container's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        match &self.place {
            Place::S3(s3) => &s3.bucket,
            Place::Gcs(gcs) => &gcs.bucket,
            Place::Azure(azure) => &azure.container,
        }
    }
}

/// `s3://bucket/prefix`: what a person calls the place. Holds no secret.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.kind(), self.bucket(), self.prefix)
    }
}

#[cfg(test)]
mod tests;
