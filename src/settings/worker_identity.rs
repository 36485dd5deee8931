//! What the operator says of the worker's own identity on Azure and at Google.

use std::path::PathBuf;

use serde::Deserialize;
use url::{Host, Url};

use super::ServiceUrl;

/// The worker's own identity outside AWS.
#[derive(Debug, Clone, Default)]
pub struct WorkerIdentitySettings {
    /// Hosts beside the clouds' own that may see its tokens.
    pub token_hosts: Vec<TokenHost>,
    /// On Azure.
    pub azure: AzureSettings,
    /// At Google.
    pub google: GoogleSettings,
}

/// See `config/default.toml`, `[azure]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct AzureSettings {
    pub metadata_url: ServiceUrl,
}

/// See `config/default.toml`, `[google]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct GoogleSettings {
    pub credentials_file: OptionalFile,
    pub metadata_url: ServiceUrl,
    pub sts_url: ServiceUrl,
    pub iam_url: ServiceUrl,
}

/// The path of a file, if one is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OptionalFile(pub Option<PathBuf>);

impl TryFrom<String> for OptionalFile {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.contains(char::is_control) {
            return Err(format!("{text:?} is not a path; name a file that the worker can read"));
        }
        Ok(Self(Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty())))
    }
}

/// A host that may see a token of the worker's own: a name or an address, and no range.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenHost(Host);

impl TokenHost {
    /// Whether a URL leads to it.
    #[must_use]
    pub fn is_of(&self, url: &Url) -> bool {
        url.host().is_some_and(|host| host.to_owned() == self.0)
    }
}

impl TryFrom<String> for TokenHost {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match Host::parse(&text) {
            Ok(host) if text.is_ascii() && !text.ends_with('.') && !text.contains('*') => Ok(Self(host)),
            _ => {
                Err(format!("{text:?} is not a host; write a name or an address, such as blobs.example.com"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_and_no_range() {
        let host = |text: &str| TokenHost::try_from(text.to_owned());
        let url = Url::parse("https://blobs.example.com:8443/x").expect("url");
        assert!(host("Blobs.Example.com").is_ok_and(|host| host.is_of(&url)));
        assert!(host("example.com").is_ok_and(|host| !host.is_of(&url)));
        assert!(host("127.0.0.1").is_ok() && host("[::1]").is_ok());
        for bad in ["", "10.0.0.0/8", "https://x", "a b", "example.com.", "*.example.com", "\u{1}"] {
            assert!(host(bad).is_err(), "{bad:?}");
        }
    }
}
