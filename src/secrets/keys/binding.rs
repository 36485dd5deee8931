//! Where a sealed secret belongs.

use super::cipher::VERSION;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{Destination, SealedId};

/// Where a sealed secret belongs: the associated data of its encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding(pub(super) Vec<(&'static str, String)>);

impl Binding {
    /// The place of one field of an account's destination.
    #[must_use]
    pub fn new(account: &AccountId, destination: &Destination, field: &str, id: &SealedId) -> Self {
        let mut names = vec![("account", account.to_string())];
        names.extend(destination.identity());
        names.push(("field", field.to_owned()));
        names.push(("secret", id.to_string()));
        Self(names)
    }

    /// The place of a secret of a channel.
    #[must_use]
    pub fn of_channel(channel: &str, id: &SealedId) -> Self {
        Self(vec![("notification channel", channel.to_owned()), ("secret", id.to_string())])
    }

    pub(super) fn with_key(&self, key: &str) -> Self {
        let mut names = self.0.clone();
        names.push(("key", key.to_owned()));
        Self(names)
    }

    /// Names and values, each after its length, so that no two bindings have the same bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let texts = self.0.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

#[cfg(any(test, fuzzing))]
impl Binding {
    pub(crate) fn of(names: &[(&'static str, &str)]) -> Self {
        Self(names.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }
}
