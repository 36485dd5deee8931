//! Settings: defaults, then a file, then the environment.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use config::{Config, Environment, File, FileFormat, Map, Value, ValueKind};
use jiff::SignedDuration;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use auditferry_core::model::account::AccountId;
use auditferry_core::model::format::Format;
use auditferry_core::model::network::Network;
use auditferry_core::model::schedule::Schedule;
use auditferry_core::text::nearest;

mod key_entry;
mod worker_identity;
mod service_url;
mod table;

pub use key_entry::{KeyEntry, KeySource};
pub use service_url::ServiceUrl;
pub use table::TableSettings;
pub use worker_identity::{AzureSettings, GoogleSettings, OptionalFile, TokenHost, WorkerIdentitySettings};

/// The defaults, with every key documented.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// What some editors write before a text; it is no part of it.
const BYTE_ORDER_MARK: char = '\u{feff}';

fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Why settings cannot be used. Never holds a value that may be a secret.
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
    /// Logging.
    pub log: LogSettings,
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
    /// The keys that seal secrets in the ledger.
    pub keys: KeySettings,
    /// What is recorded of ourselves.
    pub audit: AuditSettings,
    /// What an export gets that says nothing else.
    pub export: ExportDefaults,
    /// Every key and its value, for people to read: passwords are masked.
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
    pub table: TableSettings,
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
    #[serde(deserialize_with = "span_or_zero")]
    pub spread: Duration,
}

/// Longest spread: beyond it a SIEM would wait for longer than between two slots of the default.
const MAX_SPREAD: Duration = Duration::from_secs(2 * 3600);

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

/// See `config/default.toml`, `[log]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct LogSettings {
    pub level: String,
    pub format: LogFormat,
}

impl LogSettings {
    /// What is logged.
    ///
    /// # Errors
    /// A sentence with the words that are read.
    pub fn filter(&self) -> Result<EnvFilter, String> {
        let refuse =
            |problem: &str| format!("{:?} {problem}; write error, warn, info, debug or trace", self.level);
        // A word that is no level would be the name of a module, and switch off everything else.
        let is_level = |part: &str| part.contains(['=', '[']) || LevelFilter::from_str(part.trim()).is_ok();
        if let Some(word) = self.level.split(',').find(|part| !is_level(part)) {
            return Err(refuse(&format!("names no level: {word:?}")));
        }
        EnvFilter::try_new(&self.level).map_err(|error| refuse(&error.to_string()))
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
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

/// See `config/default.toml`, `[aws]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct AwsSettings {
    pub sts_region: String,
    pub sts_endpoint: String,
    pub principal: String,
}

impl AwsSettings {
    fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        let Self { sts_region, sts_endpoint, principal } = self;
        if !sts_region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return invalid(
                "aws.sts_region",
                format!("{sts_region:?} is no region; write it like eu-central-1"),
            );
        }
        let web = ["https://", "http://"].iter().any(|scheme| sts_endpoint.starts_with(scheme));
        if !sts_endpoint.is_empty() && !web {
            return invalid("aws.sts_endpoint", format!("{sts_endpoint:?} does not start with https://"));
        }
        if !principal.is_empty() && !principal.starts_with("arn:") {
            return invalid(
                "aws.principal",
                format!("{principal:?} is no ARN; write it like arn:aws:iam::123456789012:role/NAME"),
            );
        }
        Ok(())
    }
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

/// See `config/default.toml`, `[export]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct ExportDefaults {
    pub schedule: String,
    #[serde(flatten)]
    pub format: Format,
}

/// A length of time, written like `30s` or `1h 30m`; more than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration(deserializer, |span| !span.is_zero()).map(Self)
    }
}

/// A length of time that may be zero.
fn span_or_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration(deserializer, |_| true)
}

fn duration<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
    may_be: impl Fn(Duration) -> bool,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.filter(|span| may_be(*span)).ok_or_else(|| {
        serde::de::Error::custom(format!("{text:?} is not a duration; write it like \"30s\" or \"5m\""))
    })
}

impl Settings {
    /// Reads the defaults, then a file if there is one, then the environment.
    ///
    /// # Errors
    /// When something cannot be read, is unknown, or cannot work.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        Self::load_with(file, std::env::vars().collect())
    }

    /// [`Settings::load`] with the environment as an argument.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_with(file: Option<&Path>, environment: Map<String, String>) -> Result<Self, SettingsError> {
        let read = |error: config::ConfigError| SettingsError::Read(error.to_string());
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let known = keys(&Config::builder().add_source(defaults.clone()).build().map_err(read)?);
        let mut all = Config::builder().add_source(defaults);
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                SettingsError::Read(format!(
                    "{}: {error}; name a readable file with --config",
                    path.display()
                ))
            })?;
            let source = File::from_str(without_mark(&text), FileFormat::Toml);
            let given = Config::builder()
                .add_source(source.clone())
                .build()
                .map_err(|error| SettingsError::Read(format!("{}: {error}", path.display())))?;
            refuse_unknown(&keys(&given), &known, &format!("in {}", path.display()))?;
            all = all.add_source(source);
        }
        let environment = environment
            .into_iter()
            .map(|(name, value)| match value.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) if name.starts_with("AUDITFERRY") => (name, rest.to_owned()),
                _ => (name, value),
            })
            .collect();
        let environment = Environment::with_prefix("AUDITFERRY")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("credentials.allow_ambient")
            .with_list_parse_key("credentials.token_hosts")
            .with_list_parse_key("network.allow")
            .with_list_parse_key("keys.ring")
            .source(Some(environment));
        let given = Config::builder().add_source(environment.clone()).build().map_err(read)?;
        refuse_unknown(&keys(&given), &known, "in the environment")?;
        let merged = all.add_source(environment).build().map_err(read)?;
        let effective = shown(&merged, &known);
        let settings =
            merged.clone().try_deserialize().map_err(|error| wrong_type(&merged, &known, &error))?;
        let settings = Self { effective, ..settings };
        settings.validate()?;
        Ok(settings)
    }

    /// The keys whose values are not the defaults, for people to read.
    ///
    /// # Errors
    /// Never, while the defaults are right.
    pub fn differing(&self) -> Result<Vec<(String, String)>, SettingsError> {
        let defaults = Self::load_with(None, Map::new())?.effective;
        Ok(self.effective.iter().filter(|shown| !defaults.contains(shown)).cloned().collect())
    }

    fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        if self.worker.concurrency == 0 {
            return invalid("worker.concurrency", "it is 0; write at least 1".into());
        }
        if self.worker.lease.0 <= self.put.timeout.0 {
            return invalid(
                "worker.lease",
                "it is not longer than put.timeout, so an account could pass on in the middle of a put; \
                 make it at least twice as long"
                    .into(),
            );
        }
        if self.schedule.spread > MAX_SPREAD {
            return invalid("schedule.spread", "it is more than 2h; write \"0s\" to \"2h\"".into());
        }
        if self.ledger.max_connections == 0 || self.source.max_connections == 0 {
            return invalid("ledger.max_connections", "it is 0; write at least 1, for the source too".into());
        }
        let ring = &self.keys.ring;
        if let Some(twice) =
            ring.iter().enumerate().find(|(at, key)| ring[..*at].iter().any(|k| k.id == key.id))
        {
            return invalid(
                "keys.ring",
                format!("key {} is there twice; give each an id of its own", twice.1.id),
            );
        }
        let listen = &self.http.listen;
        if !listen.is_empty() && listen.parse::<std::net::SocketAddr>().is_err() {
            return invalid(
                "http.listen",
                format!("{listen:?} is not ADDRESS:PORT; write it like 127.0.0.1:9464"),
            );
        }
        if let Err(problem) = self.log.filter() {
            return invalid("log.level", problem);
        }
        if let Err(refusal) = self.export.format.check() {
            return invalid("export", refusal.to_string());
        }
        if let Err(error) = Schedule::parse(&self.export.schedule) {
            return invalid("export.schedule", error.to_string());
        }
        for (key, url) in [("ledger.url", &self.ledger.url), ("source.url", self.source_url())] {
            if let Err(problem) = crate::base::database::Kind::of(url) {
                return invalid(key, problem);
            }
        }
        let table = self.source.kind == SourceKind::Table;
        if table
            && crate::base::database::Kind::of(self.source_url()) != Ok(crate::base::database::Kind::Postgres)
        {
            return invalid(
                "source.url",
                "a table of your own is read on PostgreSQL; write postgres://USER:PASSWORD@HOST/DATABASE"
                    .into(),
            );
        }
        self.aws.validate()?;
        if table && self.audit.self_records {
            return invalid(
                "audit.self_records",
                "source.kind is \"table\", a table of your own, of which we only read; set it to false, and see \
                 `auditferry changes ls` instead"
                    .into(),
            );
        }
        self.source.table.validate(table)
    }

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

fn refuse_unknown(
    given: &BTreeSet<String>,
    known: &BTreeSet<String>,
    origin: &str,
) -> Result<(), SettingsError> {
    let known_names: Vec<&String> = known.iter().collect();
    match given.difference(known).next() {
        None => Ok(()),
        Some(key) => Err(SettingsError::UnknownKey {
            key: key.clone(),
            origin: origin.to_owned(),
            near: nearest::hint(key, &known_names),
        }),
    }
}

/// Names the key whose value is of the wrong type, which `config` does not do for all of
/// them: each is tried alone among the defaults.
fn wrong_type(merged: &Config, known: &BTreeSet<String>, error: &config::ConfigError) -> SettingsError {
    let problem_of = |key: &String| {
        let alone = Config::builder()
            .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
            .set_override(key, merged.get::<Value>(key).ok()?)
            .ok()?
            .build()
            .ok()?;
        let problem = alone.clone().try_deserialize::<Settings>().err()?.to_string();
        // `config` does not say which words there are; serde's other formats do.
        let by_serde = |config: Config| {
            let value = config.try_deserialize::<serde_json::Value>().ok()?;
            Some(serde_json::from_value::<Settings>(value).err()?.to_string())
        };
        let problem = match problem.contains("variant").then_some(alone).and_then(by_serde) {
            Some(words) => words,
            None => problem.split(" for key `").next().unwrap_or_default().to_owned(),
        };
        Some(format!("{key}: {problem}; see config/default.toml"))
    };
    SettingsError::Read(known.iter().find_map(problem_of).unwrap_or_else(|| error.to_string()))
}

/// Every key with its value as a person may see it.
fn shown(merged: &Config, known: &BTreeSet<String>) -> Vec<(String, String)> {
    let value = |key: &String| {
        if let Ok(list) = merged.get_array(key) {
            let items: Vec<String> = list.into_iter().map(|item| format!("{:?}", item.to_string())).collect();
            return format!("[{}]", items.join(", "));
        }
        let text = merged.get_string(key).unwrap_or_default();
        if key.ends_with(".url") { crate::base::database::masked(&text) } else { text }
    };
    known.iter().map(|key| (key.clone(), value(key))).collect()
}

/// `section.key` of everything that is set. An empty section has no key.
fn keys(config: &Config) -> BTreeSet<String> {
    fn walk(prefix: &str, table: &Map<String, Value>, keys: &mut BTreeSet<String>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match &value.kind {
                ValueKind::Table(inner) => walk(&key, inner, keys),
                _ => {
                    keys.insert(key);
                }
            }
        }
    }
    let mut keys = BTreeSet::new();
    if let Ok(table) = config.cache.clone().into_table() {
        walk("", &table, &mut keys);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("auditferry.toml");
        std::fs::write(&path, file).expect("write");
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings::load_with(Some(&path), environment)
    }

    fn problem(file: &str, environment: &[(&str, &str)]) -> String {
        load(file, environment).err().expect("refused").to_string()
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let settings = load(
            "[worker]\nconcurrency = 3\nlease = \"5m\"",
            &[
                ("AUDITFERRY__WORKER__CONCURRENCY", "7"),
                ("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme,beta"),
            ],
        )
        .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(settings.worker.concurrency, 7);
        assert_eq!(settings.worker.lease.0, Duration::from_secs(300));
        assert_eq!(settings.export.schedule, "0 0 */4 * * *");
        assert_eq!(settings.credentials.allow_ambient.len(), 2);
        assert_eq!(settings.source_url(), "sqlite:auditferry.db");
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        let file = problem("[worker]\nconcurency = 3", &[]);
        assert!(
            file.contains("unknown key worker.concurency")
                && file.contains("did you mean worker.concurrency"),
            "{file}"
        );
        let environment = problem("", &[("AUDITFERRY__LEDGER__ULR", "x")]);
        assert!(
            environment.contains("ledger.ulr in the environment (did you mean ledger.url"),
            "{environment}"
        );
    }

    #[test]
    fn values_that_cannot_work_are_explained() {
        assert!(problem("[worker]\nlease = \"10s\"", &[]).contains("worker.lease"));
        assert!(problem("[worker]\npoll_interval = \"soon\"", &[]).contains("\"soon\" is not a duration"));
        assert!(problem("[http]\nlisten = \"9464\"", &[]).contains("http.listen"));
        assert!(problem("[export]\nschedule = \"0 */4 * *\"", &[]).contains("has 4 fields"));
        assert!(problem("[export]\ncompression = 12", &[]).contains("compression: 12"));
        assert!(problem("[worker]\nconcurrency = \"many\"", &[]).contains("concurrency"));
        let url = problem("[ledger]\nurl = \"mysql://root:hunter2@x\"", &[]);
        assert!(url.contains("ledger.url") && !url.contains("hunter2"), "{url}");
    }
}
