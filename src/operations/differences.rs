//! In which fields two destinations differ. A secret is never among them: a destination only names its secrets.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use auditferry_core::model::destination::Destination;

/// What a person reads where a destination has no such field.
const ABSENT: &str = "none";

/// One field of a destination, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, as in the exports file.
    pub field: String,
    /// What it was.
    pub from: Option<String>,
    /// What it becomes.
    pub to: Option<String>,
}

impl Difference {
    /// Whether it only says who writes, and not where or how.
    #[must_use]
    pub fn is_credentials(&self) -> bool {
        self.field == "expires" || self.field == "credentials" || self.field.starts_with("credentials.")
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| ABSENT.to_owned());
        write!(f, "{}: {} -> {}", self.field, text(&self.from), text(&self.to))
    }
}

/// Every field in which two destinations differ, in the order of names.
#[must_use]
pub fn differences(from: &Destination, to: &Destination) -> Vec<Difference> {
    let (from, to) = (fields(from), fields(to));
    let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let told = names.into_iter().filter(|name| from.get(*name) != to.get(*name));
    told.map(|name| Difference {
        field: name.clone(),
        from: from.get(name).map(shown),
        to: to.get(name).map(shown),
    })
    .collect()
}

/// What changes beside the credentials, as one text; none when nothing does.
#[must_use]
pub fn beside_credentials(from: &Destination, to: &Destination) -> Option<String> {
    let all = differences(from, to);
    let told: Vec<String> =
        all.iter().filter(|difference| !difference.is_credentials()).map(ToString::to_string).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn fields(destination: &Destination) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    // A destination is written as JSON into the ledger: this does not fail.
    flatten("", &serde_json::to_value(destination).unwrap_or_default(), &mut found);
    found
}

fn flatten(name: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, found);
            }
        }
        Value::Null => {}
        other => drop(found.insert(name.to_owned(), other.clone())),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(more: &str) -> Destination {
        let text = format!("kind = \"s3\"\nbucket = \"acme\"\nregion = \"eu-central-1\"\n{more}");
        toml::from_str(&text).expect("a destination")
    }

    const KEY: &str = "credentials = { access_key = { id = \"AKIA\", secret = { env = \"A\" } } }\n";

    #[test]
    fn every_field_that_differs_is_named() {
        let before = destination(&format!("prefix = \"siem/\"\nstorage_class = \"STANDARD_IA\"\n{KEY}"));
        let after = destination("credentials = \"ambient\"\nexpires = \"2090-01-01\"");
        let told: Vec<String> = differences(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "credentials: none -> ambient",
                "credentials.access_key.id: AKIA -> none",
                "credentials.access_key.secret.env: A -> none",
                "expires: none -> 2090-01-01T00:00:00Z",
                "prefix: siem/ -> none",
                "storage_class: STANDARD_IA -> none",
            ]
        );
        assert_eq!(
            beside_credentials(&before, &after).as_deref(),
            Some("prefix: siem/ -> none; storage_class: STANDARD_IA -> none")
        );
        assert_eq!(differences(&before, &before), []);
        assert_eq!(beside_credentials(&before, &before), None);
    }
}
