//! Reading a [`SecretRef`] so that a refusal never quotes a secret that was pasted in its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::SecretRef;

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
