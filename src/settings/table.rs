//! `[source.table]`: a vendor's own table, and what stands in which column.

use serde::Deserialize;

use super::{SettingsError, Span};

/// Longest name that PostgreSQL keeps whole (`NAMEDATALEN` - 1), in bytes.
const MAX_NAME_BYTES: usize = 63;

/// See `config/default.toml`, `[source.table]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct TableSettings {
    pub schema: String,
    pub name: String,
    pub account: String,
    pub key: String,
    pub time: String,
    pub time_is_utc: bool,
    pub email: String,
    pub action: String,
    pub action_id: String,
    pub description: String,
    pub ip_address: String,
    pub lookback: Span,
}

impl TableSettings {
    /// Every name with its key, and whether the table cannot be read without it.
    fn names(&self) -> [(&'static str, &str, bool); 10] {
        [
            ("source.table.schema", &self.schema, true),
            ("source.table.name", &self.name, true),
            ("source.table.account", &self.account, true),
            ("source.table.key", &self.key, true),
            ("source.table.time", &self.time, true),
            ("source.table.email", &self.email, true),
            ("source.table.action", &self.action, true),
            ("source.table.action_id", &self.action_id, false),
            ("source.table.description", &self.description, true),
            ("source.table.ip_address", &self.ip_address, false),
        ]
    }

    /// That the names can be names, and are there when the table is the source (`used`).
    pub(super) fn validate(&self, used: bool) -> Result<(), SettingsError> {
        for (key, name, required) in self.names() {
            let problem = if name.chars().any(char::is_control) {
                "it holds a control character; write the name as the database shows it".to_owned()
            } else if name.len() > MAX_NAME_BYTES {
                format!("it has {} bytes, and PostgreSQL's names have at most {MAX_NAME_BYTES}", name.len())
            } else if used && required && name.is_empty() {
                "it is empty; with source.kind = \"table\" it names what is read, see config/default.toml"
                    .to_owned()
            } else {
                continue;
            };
            return Err(SettingsError::Invalid { key, problem });
        }
        if !used && !self.name.is_empty() {
            return Err(SettingsError::Invalid {
                key: "source.table.name",
                problem: "it is set, but source.kind is \"audit_log\"; write kind = \"table\" in [source]"
                    .into(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    fn problem(settings: &[(&str, &str)]) -> String {
        let environment = settings.iter().map(|(key, value)| {
            (format!("AUDITFERRY__SOURCE__{}", key.to_uppercase().replace('.', "__")), (*value).to_owned())
        });
        Settings::load_with(None, environment.collect()).err().expect("refused").to_string()
    }

    #[test]
    fn what_is_missing_for_a_table_is_named() {
        assert!(problem(&[("kind", "view")]).contains("source.kind"));
        assert!(problem(&[("kind", "table")]).contains("source.url: a table of your own"));
        let table = [("kind", "table"), ("url", "postgres://db/x"), ("table.name", "events")];
        assert!(problem(&table).contains("source.table.account: it is empty"));
        assert!(problem(&[("table.name", "events")]).contains("write kind = \"table\""));
        assert!(problem(&[("table.email", &"x".repeat(64))]).contains("source.table.email: it has 64 bytes"));
        assert!(problem(&[("table.email", "a\nb")]).contains("source.table.email: it holds a control"));
    }
}
