//! `[api]`: where the API is served, and to whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

use super::oidc::safe_url;
use super::{OidcSettings, SettingsError, Span};

/// Roles are read at a log-in: who has lost theirs keeps them for at most this long.
const MAX_SESSION: std::time::Duration = std::time::Duration::from_secs(168 * 3600);

/// See `config/default.toml`, `[api]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct ApiSettings {
    pub listen: String,
    pub tls_certificate: PathBuf,
    pub tls_key: PathBuf,
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub requests_per_minute: u32,
    pub max_connections: u32,
    pub public_url: String,
    pub session_idle: Span,
    pub session_max: Span,
    pub oidc: OidcSettings,
}

/// Networks, and addresses, which are networks of one.
fn networks<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let address = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
        text.parse::<IpNet>().ok().or_else(address).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "{text:?} is neither an address nor a network; write it like 10.0.0.7 or 10.0.0.0/8"
            ))
        })
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(network).collect()
}

impl ApiSettings {
    /// Whether it makes TLS itself.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        !self.tls_certificate.as_os_str().is_empty()
    }

    /// Where browsers reach it, as an origin: `scheme://host:port`. None: nobody signs in.
    #[must_use]
    pub fn origin(&self) -> Option<Url> {
        match self.public_url.as_str() {
            // On this machine only: what listens elsewhere without TLS of its own is behind a proxy.
            "" if !self.has_tls() && self.trusted_proxies.is_empty() => {
                safe_url(&format!("http://{}", self.listen)).ok()
            }
            "" => None,
            text => safe_url(text).ok(),
        }
    }

    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        if self.max_connections == 0 {
            return invalid("api.max_connections", "it is 0; write at least 1".into());
        }
        if self.requests_per_minute == 0 {
            return invalid("api.requests_per_minute", "it is 0; write at least 1".into());
        }
        if self.tls_certificate.as_os_str().is_empty() != self.tls_key.as_os_str().is_empty() {
            let (key, other) = match self.has_tls() {
                true => ("api.tls_key", "api.tls_certificate"),
                false => ("api.tls_certificate", "api.tls_key"),
            };
            return invalid(key, format!("it is empty, and {other} is not; name both, or neither"));
        }
        self.validate_sessions()?;
        self.oidc.validate()?;
        if self.listen.is_empty() {
            return Ok(());
        }
        let Ok(address) = self.listen.parse::<SocketAddr>() else {
            return invalid(
                "api.listen",
                format!("{:?} is not ADDRESS:PORT; write it like 127.0.0.1:9465", self.listen),
            );
        };
        if !address.ip().is_loopback() && !self.has_tls() && self.trusted_proxies.is_empty() {
            return invalid(
                "api.listen",
                format!(
                    "{address} is reached by others, and tokens would go there in the clear: name api.tls_certificate and \
                     api.tls_key, or in api.trusted_proxies the proxy that makes TLS, or listen on 127.0.0.1"
                ),
            );
        }
        Ok(())
    }

    fn validate_sessions(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        if !self.public_url.is_empty() {
            let problem = match safe_url(&self.public_url) {
                Ok(url) if url.path() == "/" => None,
                Ok(_) => Some("it has a path".to_owned()),
                Err(problem) => Some(problem),
            };
            if let Some(problem) = problem {
                let form = "write what browsers use, such as https://exports.example.com";
                return invalid("api.public_url", format!("{problem}; {form}"));
            }
        }
        if self.oidc.has_login() && !self.listen.is_empty() && self.origin().is_none() {
            return invalid(
                "api.public_url",
                "it is empty, and people are to log in (api.oidc.client_id); write where browsers reach the API, such as \
                 https://exports.example.com"
                    .into(),
            );
        }
        if self.session_max.0 < self.session_idle.0 {
            return invalid(
                "api.session_max",
                "it is shorter than api.session_idle; make it at least as long".into(),
            );
        }
        if self.session_max.0 > MAX_SESSION {
            return invalid("api.session_max", "it is more than 168h; write at most \"168h\"".into());
        }
        Ok(())
    }
}
