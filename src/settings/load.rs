//! How settings are read: the defaults, then a file, then the environment.

use std::collections::BTreeSet;
use std::path::Path;

use config::{Config, Environment, File, FileFormat, Map, Value, ValueKind};

use super::{DEFAULTS, Settings, SettingsError};
use auditferry_core::text::nearest;

/// What some editors write at the start of a file; it is not part of the text.
const BYTE_ORDER_MARK: char = '\u{feff}';

fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
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
            .with_list_parse_key("api.trusted_proxies")
            .with_list_parse_key("api.oidc.roles.operator")
            .with_list_parse_key("api.oidc.roles.support")
            .with_list_parse_key("api.oidc.roles.account_admin")
            .with_list_parse_key("api.oidc.roles.reader")
            .with_list_parse_key("portal.frame_ancestors")
            .with_list_parse_key("portal.return_urls")
            .with_list_parse_key("traces.headers")
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
