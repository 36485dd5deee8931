//! `[api.oidc]`: the OpenID Connect provider whose tokens the API takes, and what their claims open.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;
use url::{Host, Url};

use super::{PasswordRef, SettingsError, Span, span};
use auditferry_core::model::access::Role;
use auditferry_core::model::network::well_formed;
use auditferry_core::model::oidc::{ClaimPath, Expected, Mapping};

/// Clocks that differ more have to be set right instead.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// Keys that are asked for less often would be honoured long after the provider has withdrawn them.
const MAX_REFRESH: Duration = Duration::from_secs(24 * 3600);

/// See `config/default.toml`, `[api.oidc]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct OidcSettings {
    pub issuer: String,
    pub audience: String,
    pub client_id: String,
    pub client_secret: PasswordRef,
    pub claim: String,
    pub account_claim: String,
    pub name_claim: String,
    #[serde(deserialize_with = "span::span_or_zero")]
    pub clock_skew: Duration,
    pub refresh: Span,
    pub roles: OidcRoles,
}

/// See `config/default.toml`, `[api.oidc.roles]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct OidcRoles {
    pub operator: Vec<String>,
    pub support: Vec<String>,
    pub account_admin: Vec<String>,
    pub reader: Vec<String>,
}

impl OidcRoles {
    fn each(&self) -> [(Role, &'static str, &[String]); 4] {
        [
            (Role::Operator, "api.oidc.roles.operator", &self.operator),
            (Role::Support, "api.oidc.roles.support", &self.support),
            (Role::AccountAdmin, "api.oidc.roles.account_admin", &self.account_admin),
            (Role::Reader, "api.oidc.roles.reader", &self.reader),
        ]
    }
}

/// Whether a host is this machine, by its address: what a name leads to may change.
pub(crate) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

/// A URL with TLS, or on this machine.
pub(super) fn safe_url(text: &str) -> Result<Url, String> {
    let url = well_formed(text).map_err(|error| error.problem)?;
    match url.scheme() == "https" || is_here(&url) {
        true => Ok(url),
        false => Err("it is without TLS and leads to another machine".to_owned()),
    }
}

impl OidcSettings {
    /// Whether there is a provider.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Whether people log in at the provider.
    #[must_use]
    pub fn has_login(&self) -> bool {
        !self.client_id.is_empty()
    }

    /// What its tokens are compared with.
    #[must_use]
    pub fn expected(&self) -> Expected {
        let skew = SignedDuration::try_from(self.clock_skew).unwrap_or(SignedDuration::ZERO);
        Expected { issuer: self.issuer.clone(), skew }
    }

    /// What their claims open; none when the settings were not checked.
    #[must_use]
    pub fn mapping(&self) -> Option<Mapping> {
        let mut roles = BTreeMap::new();
        for (role, _, values) in self.roles.each() {
            roles.extend(values.iter().map(|value| (value.clone(), role)));
        }
        let account = match self.account_claim.as_str() {
            "" => None,
            claim => Some(ClaimPath::parse(claim).ok()?),
        };
        let (claim, name) = (ClaimPath::parse(&self.claim).ok()?, ClaimPath::parse(&self.name_claim).ok()?);
        Some(Mapping { claim, roles, account, name })
    }

    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        self.validate_forms()?;
        if self.issuer.is_empty() {
            let others = [
                ("api.oidc.audience", !self.audience.is_empty()),
                ("api.oidc.client_id", self.has_login()),
                ("api.oidc.client_secret", self.client_secret.0.is_some()),
            ];
            return match others.into_iter().find(|(_, set)| *set) {
                Some((key, _)) => invalid(
                    key,
                    "it is set, and api.oidc.issuer is empty; write the provider's issuer too, or neither"
                        .into(),
                ),
                None => Ok(()),
            };
        }
        if let Err(problem) = safe_url(&self.issuer) {
            return invalid(
                "api.oidc.issuer",
                format!(
                    "{problem}; write the provider's issuer as its discovery document has it, such as \
                     https://login.example.com/realms/ops"
                ),
            );
        }
        if self.audience.is_empty() && !self.has_login() {
            return invalid(
                "api.oidc.audience",
                "it is empty, so that tokens for any other service would do; write what stands in aud of tokens for \
                 this API"
                    .into(),
            );
        }
        if self.clock_skew > MAX_SKEW {
            return invalid(
                "api.oidc.clock_skew",
                "it is more than 5m; write \"0s\" to \"5m\", and set the clocks right".into(),
            );
        }
        if self.refresh.0 > MAX_REFRESH {
            return invalid("api.oidc.refresh", "it is more than 24h; write at most \"24h\"".into());
        }
        if self.client_secret.0.is_some() && !self.has_login() {
            return invalid(
                "api.oidc.client_id",
                "it is empty, and there is a client_secret; write the client's id too".into(),
            );
        }
        self.validate_roles()
    }

    /// What is wrong whether there is a provider or not.
    fn validate_forms(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: &str| Err(SettingsError::Invalid { key, problem: problem.to_owned() });
        for (key, claim) in [
            ("api.oidc.claim", &self.claim),
            ("api.oidc.name_claim", &self.name_claim),
            ("api.oidc.account_claim", &self.account_claim),
        ] {
            let left_out = claim.is_empty() && key == "api.oidc.account_claim";
            if let Some(problem) = ClaimPath::parse(claim).err().filter(|_| !left_out) {
                return invalid(key, problem);
            }
        }
        for (_, key, values) in self.roles.each() {
            if values.iter().any(|value| value.trim().is_empty() || value.contains(char::is_control)) {
                return invalid(key, "it holds a value that is empty or has a control character; remove it");
            }
        }
        Ok(())
    }

    fn validate_roles(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (_, key, values) in self.roles.each() {
            for value in values {
                if let Some(other) = seen.insert(value, key).filter(|other| *other != key) {
                    return invalid(key, format!("{value:?} stands in {other} too; keep it in one of them"));
                }
            }
        }
        if seen.is_empty() {
            return invalid(
                "api.oidc.roles",
                format!(
                    "no value of the claim {:?} gives a role, so that nobody could do anything; write for example \
                     operator = [\"auditferry-operators\"]",
                    self.claim
                ),
            );
        }
        if !self.roles.account_admin.is_empty() && ClaimPath::parse(&self.account_claim).is_err() {
            return invalid(
                "api.oidc.account_claim",
                "the role account_admin is of one account; write the claim that holds the account's id"
                    .into(),
            );
        }
        Ok(())
    }
}
