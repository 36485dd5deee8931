//! Who pays for requests to a bucket whose owner does not.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a request says of who pays for it. Amazon knows one word.
///
/// Source: "Using Requester Pays buckets for storage transfers and usage", Amazon S3 User Guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum RequestPayer {
    /// The AWS account that asks.
    Requester,
}

impl RequestPayer {
    /// The name in the destination, and in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester",
        }
    }
}

impl From<RequestPayer> for &'static str {
    fn from(payer: RequestPayer) -> Self {
        payer.as_str()
    }
}

impl TryFrom<String> for RequestPayer {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl FromStr for RequestPayer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = (name == Self::Requester.as_str()).then_some(Self::Requester);
        known.ok_or_else(|| {
            format!(
                "request_payer {name:?} is not known; write requester, or leave it out, and the bucket's owner pays"
            )
        })
    }
}
