//! Secrets at rest: each is sealed with a data key of its own (AES-256-GCM), and the data
//! key is wrapped by a key-encryption key, which is never in the ledger. Both are bound to
//! where the secret belongs, so that a row copied elsewhere does not open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secrets::{self, Opened, Secret};
use crate::settings::{KeyEntry, KeySource};
use auditferry_core::model::destination::SealedId;

mod binding;
mod cipher;
mod error;
mod kms;

pub use self::binding::Binding;
pub use self::cipher::random;
pub use self::error::KeyError;

use cipher::{KeyBytes, decrypt, encrypt};
use kms::KmsKey;

/// A secret as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The random id by which a destination refers to it.
    pub id: SealedId,
    /// Its data key.
    pub wrapped: WrappedKey,
    /// The secret, sealed with the data key.
    pub ciphertext: Vec<u8>,
}

/// A data key as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The id of the key-encryption key.
    pub key: String,
    /// The data key, sealed with it.
    pub data_key: Vec<u8>,
}

enum Kek {
    Local(KeyBytes),
    AwsKms(KmsKey),
}

struct Key {
    id: String,
    source: String,
    kek: Kek,
}

/// The key-encryption keys of this process: the first seals, all of them open.
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// Reads the keys. AWS KMS is not asked for anything yet.
    ///
    /// # Errors
    /// When a key cannot be read or is none.
    pub async fn load(entries: &[KeyEntry]) -> Result<Self, KeyError> {
        let mut keys = Vec::with_capacity(entries.len());
        for KeyEntry { id, source } in entries {
            let kek = match source {
                KeySource::Local(reference) => {
                    let text = secrets::resolve(reference, &Opened::default())
                        .map_err(|source| KeyError::Unreadable { id: id.clone(), source })?;
                    Kek::Local(parse(&text).ok_or_else(|| KeyError::NotAKey(id.clone()))?)
                }
                KeySource::AwsKms(arn) => Kek::AwsKms(KmsKey::new(arn).await),
            };
            keys.push(Key { id: id.clone(), source: source.to_string(), kek });
        }
        Ok(Self(keys))
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn active(&self) -> Option<&str> {
        self.0.first().map(|key| key.id.as_str())
    }

    /// Ids and sources, the key that seals first.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|key| (key.id.as_str(), key.source.as_str()))
    }

    /// Seals a secret for one place.
    ///
    /// # Errors
    /// When there is no key, or AWS KMS refuses.
    pub async fn seal(
        &self,
        id: &SealedId,
        secret: &Secret,
        binding: &Binding,
    ) -> Result<SealedSecret, KeyError> {
        let data_key = new_key().ok_or(KeyError::Cipher)?;
        let ciphertext =
            encrypt(&data_key, secret.expose().as_bytes(), &binding.bytes()).ok_or(KeyError::Cipher)?;
        Ok(SealedSecret { id: id.clone(), wrapped: self.wrap(&data_key, binding).await?, ciphertext })
    }

    /// Opens a secret in its place.
    ///
    /// # Errors
    /// When its key is not there or does not open it, or AWS KMS refuses.
    pub async fn open(&self, sealed: &SealedSecret, binding: &Binding) -> Result<Secret, KeyError> {
        let data_key = self.unwrap(&sealed.wrapped, binding).await?;
        let wrong = || KeyError::DoesNotOpen(sealed.wrapped.key.clone());
        let bytes = decrypt(&data_key, &sealed.ciphertext, &binding.bytes()).ok_or_else(wrong)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
        Ok(Secret::new(text.to_owned()))
    }

    /// Wraps a data key with the key that seals now. The secret stays as it is.
    ///
    /// # Errors
    /// As [`KeyRing::open`] and [`KeyRing::seal`].
    pub async fn rewrap(&self, wrapped: &WrappedKey, binding: &Binding) -> Result<WrappedKey, KeyError> {
        let data_key = self.unwrap(wrapped, binding).await?;
        self.wrap(&data_key, binding).await
    }

    async fn wrap(&self, data_key: &KeyBytes, binding: &Binding) -> Result<WrappedKey, KeyError> {
        let key = self.0.first().ok_or(KeyError::NoKey)?;
        let binding = binding.with_key(&key.id);
        let data_key = match &key.kek {
            Kek::Local(kek) => encrypt(kek, &data_key[..], &binding.bytes()).ok_or(KeyError::Cipher)?,
            Kek::AwsKms(kms) => kms.encrypt(&key.id, &data_key[..], &binding.0).await?,
        };
        Ok(WrappedKey { key: key.id.clone(), data_key })
    }

    async fn unwrap(&self, wrapped: &WrappedKey, binding: &Binding) -> Result<KeyBytes, KeyError> {
        let key = self
            .0
            .iter()
            .find(|key| key.id == wrapped.key)
            .ok_or_else(|| KeyError::Unknown(wrapped.key.clone()))?;
        let binding = binding.with_key(&key.id);
        let bytes = match &key.kek {
            Kek::Local(kek) => decrypt(kek, &wrapped.data_key, &binding.bytes()),
            Kek::AwsKms(kms) => Some(kms.decrypt(&key.id, &wrapped.data_key, &binding.0).await?),
        };
        bytes.and_then(|bytes| key_bytes(&bytes)).ok_or_else(|| KeyError::DoesNotOpen(key.id.clone()))
    }
}

/// A new key-encryption key, as its file holds it.
#[must_use]
pub fn generate() -> Option<Secret> {
    new_key().map(|key| Secret::new(STANDARD.encode(&key[..])))
}

/// A new name of a secret.
#[must_use]
pub fn new_id() -> SealedId {
    SealedId(uuid::Uuid::new_v4().simple().to_string())
}

fn parse(text: &Secret) -> Option<KeyBytes> {
    key_bytes(&Zeroizing::new(STANDARD.decode(text.expose().trim()).ok()?))
}

fn key_bytes(bytes: &[u8]) -> Option<KeyBytes> {
    bytes.try_into().ok().map(Zeroizing::new)
}

fn new_key() -> Option<KeyBytes> {
    random().ok().map(Zeroizing::new)
}

/// For `foreign.rs`: one key and one place, whatever settings and destinations look like.
#[cfg(any(test, fuzzing))]
impl KeyRing {
    pub(crate) fn of(id: &str, key: &Secret) -> Option<Self> {
        let kek = Kek::Local(parse(key)?);
        Some(Self(vec![Key { id: id.to_owned(), source: "test".to_owned(), kek }]))
    }
}

#[cfg(test)]
mod tests;
