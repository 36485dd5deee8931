//! One key of `keys.ring`: `ID=file:PATH`, `ID=env:NAME` or `ID=aws-kms:ARN`.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use auditferry_core::model::destination::SecretRef;

/// Longest id of a key, in bytes.
const MAX_ID_BYTES: usize = 64;

/// Where a key-encryption key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// 32 bytes in base64, in a file or an environment variable.
    Local(SecretRef),
    /// A key of AWS KMS, by its ARN; it never leaves there.
    AwsKms(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(SecretRef::File(path)) => write!(f, "file:{}", path.display()),
            Self::Local(SecretRef::Env(name)) => write!(f, "env:{name}"),
            Self::Local(SecretRef::Sealed(id)) => write!(f, "sealed:{id}"),
            Self::AwsKms(arn) => write!(f, "aws-kms:{arn}"),
        }
    }
}

/// A key-encryption key as the settings name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyEntry {
    /// Its name in the ledger, beside what it sealed.
    pub id: String,
    /// Where it is.
    pub source: KeySource,
}

impl TryFrom<String> for KeyEntry {
    type Error = String;

    /// The refusal does not hold the text: somebody may have pasted the key itself.
    fn try_from(text: String) -> Result<Self, String> {
        let form = "write each key as ID=file:PATH, ID=env:NAME or ID=aws-kms:ARN";
        let (id, source) = text.split_once('=').ok_or_else(|| format!("a key has no =; {form}"))?;
        let (id, source) = (id.trim(), source.trim());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        if id.is_empty() || id.len() > MAX_ID_BYTES || !id.chars().all(plain) {
            return Err(format!(
                "a key's id is not 1 to {MAX_ID_BYTES} of a-z 0-9 . _ -; name it after the day it was made"
            ));
        }
        let source = match source.split_once(':') {
            Some(("file", path)) if !path.is_empty() => {
                KeySource::Local(SecretRef::File(PathBuf::from(path)))
            }
            Some(("env", name)) if !name.is_empty() => KeySource::Local(SecretRef::Env(name.to_owned())),
            Some(("aws-kms", arn)) if arn.starts_with("arn:") => KeySource::AwsKms(arn.to_owned()),
            _ => return Err(format!("key {id}: its source is none of file:, env: and aws-kms:arn:; {form}")),
        };
        Ok(Self { id: id.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Result<KeyEntry, String> {
        KeyEntry::try_from(text.to_owned())
    }

    #[test]
    fn a_key_is_named_and_has_a_source() {
        let shown = |text: &str| entry(text).map(|entry| (entry.id, entry.source.to_string()));
        assert_eq!(shown("a = file:/run/k"), Ok(("a".into(), "file:/run/k".into())));
        assert_eq!(shown("2026-11=env:KEY"), Ok(("2026-11".into(), "env:KEY".into())));
        let arn = "arn:aws:kms:eu-central-1:1:key/2";
        assert_eq!(shown(&format!("c=aws-kms:{arn}")), Ok(("c".into(), format!("aws-kms:{arn}"))));
    }

    #[test]
    fn a_pasted_key_is_refused_and_not_repeated() {
        let key = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";
        for text in [key.to_owned(), format!("a={key}"), format!("{key}=file:/x"), "a=file:".to_owned()] {
            let problem = entry(&text).expect_err("refused");
            assert!(!problem.contains("c2VjcmV0"), "{problem}");
        }
    }
}
