//! Where a secret is read, and reading that so that a refusal never quotes a secret that was pasted in its place.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Where a secret is read: never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable of the worker.
    Env(String),
    /// A file that the worker can read.
    File(PathBuf),
    /// A secret that the ledger holds sealed.
    Sealed(SealedId),
}

impl SecretRef {
    /// Its name, if it is a sealed one.
    #[must_use]
    pub fn sealed(&self) -> Option<&SealedId> {
        match self {
            Self::Sealed(id) => Some(id),
            Self::Env(_) | Self::File(_) => None,
        }
    }
}

/// The name of a sealed secret: random, so that it tells nothing of the secret, and
/// another one whenever a secret is given again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SealedId(pub String);

impl fmt::Display for SealedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "{{ env = \"{name}\" }}"),
            Self::File(path) => write!(f, "{{ file = \"{}\" }}", path.display()),
            Self::Sealed(id) => write!(f, "{{ sealed = \"{id}\" }}"),
        }
    }
}

const FORM: &str = "{ env = \"NAME\" } or { file = \"PATH\" }";

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reference)
    }
}

struct Reference;

impl<'de> Visitor<'de> for Reference {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM}")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<SecretRef, E> {
        Err(E::custom(format_args!("a text stands where a secret is named; write {FORM}, never the secret")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<SecretRef, A::Error> {
        // Without the name that stands there: it may be the secret.
        let bad = || {
            A::Error::custom(format_args!(
                "a secret is named by another field, expected `env` or `file`; write {FORM}"
            ))
        };
        let reference = match table.next_key::<String>()?.as_deref() {
            Some("env") => SecretRef::Env(table.next_value()?),
            Some("file") => SecretRef::File(table.next_value()?),
            Some("sealed") => SecretRef::Sealed(table.next_value()?),
            _ => return Err(bad()),
        };
        if table.next_key::<String>()?.is_some() { Err(bad()) } else { Ok(reference) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back_and_a_pasted_secret_is_not_quoted() {
        for text in [r#"{"env":"X"}"#, r#"{"file":"/x"}"#, r#"{"sealed":"x"}"#] {
            let read: SecretRef = serde_json::from_str(text).expect("reads");
            assert_eq!(serde_json::to_string(&read).expect("writes"), text);
        }
        for text in [r#""HUSH""#, r#"{"HUSH":"x"}"#, r#"{"env":"X","HUSH":"x"}"#, "{}", "[]", "7"] {
            let error = serde_json::from_str::<SecretRef>(text).expect_err("refused").to_string();
            assert!(error.contains("{ env =") && !error.contains("HUSH"), "{text}: {error}");
        }
    }
}
