//! With which checksum S3 is given an object, so that it can refuse other bytes. A bucket with an object
//! lock demands one.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The checksums by the names of the destination.
///
/// Source: "Checking object integrity in Amazon S3", Amazon S3 User Guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Checksum {
    /// `Content-MD5`, which every store knows.
    Md5,
    /// `x-amz-checksum-crc32`, Amazon's default.
    Crc32,
    /// `x-amz-checksum-crc32c`.
    Crc32c,
    /// `x-amz-checksum-sha256`.
    Sha256,
    /// None: for a store that refuses all of them.
    None,
}

impl Checksum {
    const ALL: [Self; 5] = [Self::Md5, Self::Crc32, Self::Crc32c, Self::Sha256, Self::None];

    /// The name in the destination.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Sha256 => "sha256",
            Self::None => "none",
        }
    }
}

impl From<Checksum> for &'static str {
    fn from(checksum: Checksum) -> Self {
        checksum.as_str()
    }
}

impl TryFrom<String> for Checksum {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl FromStr for Checksum {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let names = Self::ALL.map(Self::as_str).join(", ");
        let known = Self::ALL.into_iter().find(|checksum| checksum.as_str() == name);
        known.ok_or_else(|| format!("checksum {name:?} is not known; write one of {names}, or leave it out"))
    }
}
