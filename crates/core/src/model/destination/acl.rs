//! The canned ACL that an object of S3 is created with.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Who else gets the object: those of S3's canned ACLs that give it to nobody but the bucket's owner.
///
/// Source: "Canned ACL", Amazon S3 User Guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum CannedAcl {
    /// The bucket's owner may do everything with it.
    BucketOwnerFullControl,
    /// The bucket's owner may read it.
    BucketOwnerRead,
    /// Nobody else.
    Private,
}

impl CannedAcl {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BucketOwnerFullControl, Self::BucketOwnerRead, Self::Private];

    /// The name in the destination, and in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BucketOwnerFullControl => "bucket-owner-full-control",
            Self::BucketOwnerRead => "bucket-owner-read",
            Self::Private => "private",
        }
    }
}

impl From<CannedAcl> for &'static str {
    fn from(acl: CannedAcl) -> Self {
        acl.as_str()
    }
}

impl TryFrom<String> for CannedAcl {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl FromStr for CannedAcl {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some(known) = Self::ALL.into_iter().find(|acl| acl.as_str() == name) {
            return Ok(known);
        }
        let problem = match name {
            "public-read" | "public-read-write" | "authenticated-read" => {
                "would show the audit log to strangers"
            }
            _ => "is not known",
        };
        Err(format!(
            "acl {name:?} {problem}; write bucket-owner-full-control, bucket-owner-read or private, or leave it out"
        ))
    }
}
