//! Settings: defaults, then a file, then the environment.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use auditferry_core::model::account::AccountId;
use auditferry_core::model::format::Format;
use auditferry_core::model::network::Network;

mod load;
mod api;
mod check;
mod downloads;
mod span;
mod log;
pub(crate) mod oidc;
mod aws;
mod email;
mod key_entry;
mod portal;
mod worker_identity;
mod service_url;
mod table;
mod traces;

pub use api::ApiSettings;
pub use aws::AwsSettings;
pub use downloads::DownloadSettings;
pub use email::{EmailSettings, EmailTls, PasswordRef};
pub use key_entry::{KeyEntry, KeySource};
pub use log::{LogFormat, LogSettings};
pub use oidc::{OidcRoles, OidcSettings};
pub use portal::PortalSettings;
pub use service_url::ServiceUrl;
pub use span::Span;
pub use table::TableSettings;
pub use traces::{TraceHeader, TraceSettings};
pub use worker_identity::{AzureSettings, GoogleSettings, OptionalFile, TokenHost, WorkerIdentitySettings};

/// The defaults, with every key documented.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Why settings cannot be used. Holds no value that may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file or the environment cannot be read, or a value is of the wrong type.
    #[error("settings: {0}")]
    Read(String),
    /// A key that does not exist.
    #[error("settings: unknown key {key} {origin}{near}; `config/default.toml` lists all keys")]
    UnknownKey {
        /// The key, in the form `section.key`.
        key: String,
        /// Where it stands.
        origin: String,
        /// The nearest known keys.
        near: String,
    },
    /// A value that cannot work.
    #[error("settings: {key}: {problem}")]
    Invalid {
        /// The setting, as `section.key`.
        key: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// The settings in force.
#[derive(Clone, Deserialize)]
pub struct Settings {
    /// The ledger's database.
    pub ledger: LedgerSettings,
    /// The source's database.
    pub source: SourceSettings,
    /// How the worker works.
    pub worker: WorkerSettings,
    /// When it works.
    pub schedule: ScheduleSettings,
    /// Limits of one put.
    pub put: PutSettings,
    /// Waits after failures.
    pub retry: RetrySettings,
    /// The HTTP server.
    pub http: HttpSettings,
    /// The API.
    pub api: ApiSettings,
    /// The portal of customers' admins.
    pub portal: PortalSettings,
    /// Downloads of records.
    pub downloads: DownloadSettings,
    /// Logging.
    pub log: LogSettings,
    /// Traces.
    pub traces: TraceSettings,
    /// What destinations may use.
    pub credentials: CredentialSettings,
    /// How the worker calls AWS as itself.
    pub aws: AwsSettings,
    /// The worker's own identity on Azure.
    pub azure: AzureSettings,
    /// The worker's own identity at Google.
    pub google: GoogleSettings,
    /// Where destinations may lead.
    pub network: NetworkSettings,
    /// The mail server of notifications.
    pub email: EmailSettings,
    /// The keys that seal secrets in the ledger.
    pub keys: KeySettings,
    /// What auditferry records of its own actions.
    pub audit: AuditSettings,
    /// What is confirmed before it is done.
    pub safety: SafetySettings,
    /// The options of an export that names none.
    pub export: ExportDefaults,
    /// Every key (`section.key`) and its value, for people to read: passwords are masked.
    #[serde(skip)]
    pub effective: Vec<(String, String)>,
}

/// See `config/default.toml`, `[ledger]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct LedgerSettings {
    pub url: String,
    pub migrate: bool,
    pub max_connections: u32,
    pub prepare: bool,
}

/// See `config/default.toml`, `[source]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct SourceSettings {
    pub kind: SourceKind,
    pub url: String,
    pub max_connections: u32,
    pub retention_days: u32,
    pub table: TableSettings,
}

impl SourceSettings {
    /// How long the source keeps its rows, if it deletes them.
    #[must_use]
    pub fn retention(&self) -> Option<SignedDuration> {
        let days = Some(self.retention_days).filter(|days| *days > 0);
        days.map(|days| SignedDuration::from_hours(24 * i64::from(days)))
    }
}

/// Whose table the records are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Our own `audit_log`.
    AuditLog,
    /// The vendor's, which is only read.
    Table,
}

/// See `config/default.toml`, `[worker]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct WorkerSettings {
    pub concurrency: usize,
    pub per_endpoint: usize,
    pub poll_interval: Span,
    pub lease: Span,
    pub drain_timeout: Span,
    pub read_ahead: u64,
    pub suspend_after: Span,
}

/// See `config/default.toml`, `[schedule]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct ScheduleSettings {
    #[serde(deserialize_with = "span::span_or_zero")]
    pub spread: Duration,
}

/// See `config/default.toml`, `[put]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct PutSettings {
    pub timeout: Span,
}

/// See `config/default.toml`, `[retry]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct RetrySettings {
    pub first_wait: Span,
    pub max_wait: Span,
}

/// See `config/default.toml`, `[http]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct HttpSettings {
    pub listen: String,
}

/// See `config/default.toml`, `[credentials]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct CredentialSettings {
    pub allow_ambient: Vec<AccountId>,
    pub token_hosts: Vec<TokenHost>,
    #[serde(flatten)]
    pub services: TokenServices,
}

/// Where tokens are had; see `config/default.toml`, `[credentials]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct TokenServices {
    pub entra_url: ServiceUrl,
}

/// See `config/default.toml`, `[network]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct NetworkSettings {
    #[serde(deserialize_with = "network")]
    pub allow: Network,
    pub environment_proxy: bool,
}

fn network<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
    let entries = Vec::<String>::deserialize(deserializer)?;
    Network::parse(entries.iter().map(String::as_str)).map_err(serde::de::Error::custom)
}

/// See `config/default.toml`, `[keys]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct KeySettings {
    pub ring: Vec<KeyEntry>,
}

/// See `config/default.toml`, `[audit]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct AuditSettings {
    pub self_records: bool,
}

/// See `config/default.toml`, `[safety]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct SafetySettings {
    pub max_share: f64,
}

/// See `config/default.toml`, `[export]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct ExportDefaults {
    pub schedule: String,
    #[serde(flatten)]
    pub format: Format,
}

impl Settings {
    /// What the operator says of the worker's own identity outside AWS.
    #[must_use]
    pub fn worker_identity(&self) -> WorkerIdentitySettings {
        WorkerIdentitySettings {
            token_hosts: self.credentials.token_hosts.clone(),
            azure: self.azure.clone(),
            google: self.google.clone(),
        }
    }

    /// The source's URL: its own, or the ledger's.
    #[must_use]
    pub fn source_url(&self) -> &String {
        if self.source.url.is_empty() { &self.ledger.url } else { &self.source.url }
    }
}

#[cfg(test)]
mod tests;
