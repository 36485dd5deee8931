//! The encryption that a request to S3 names, when it is not with a key of KMS.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What S3 encrypts with, with keys of its own.
///
/// Source: "Using server-side encryption with Amazon S3 managed keys (SSE-S3)", Amazon S3 User Guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Encryption {
    /// The one that there is.
    Aes256,
}

impl Encryption {
    /// The name in the destination, and in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
        }
    }
}

impl From<Encryption> for &'static str {
    fn from(encryption: Encryption) -> Self {
        encryption.as_str()
    }
}

impl TryFrom<String> for Encryption {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl FromStr for Encryption {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == Self::Aes256.as_str() {
            return Ok(Self::Aes256);
        }
        let fix = if name.starts_with("aws:kms") {
            "give the key instead, sse_kms_key_id (--sse-kms-key-id)"
        } else {
            "write AES256, or leave it out"
        };
        Err(format!("sse {name:?} is not known; {fix}"))
    }
}
