//! Secrets at rest: each is sealed with a data key of its own (AES-256-GCM), and the data
//! key is wrapped by a key-encryption key, which is never in the ledger. Both are bound to
//! where the secret belongs, so that a row copied elsewhere does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secrets::{self, Opened, Secret, SecretError};
use crate::settings::{KeyEntry, KeySource};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{Destination, SealedId};

mod kms;

use kms::KmsKey;

/// Bytes of a data key and of a key-encryption key.
const KEY_BYTES: usize = 32;

/// The first byte of what is sealed: how the rest is to be read. Version 1 is a nonce of
/// 12 bytes, then the ciphertext of AES-256-GCM with its tag.
const VERSION: u8 = 1;

type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

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

/// Where a sealed secret belongs: the associated data of its encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding(Vec<(&'static str, String)>);

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

    fn with_key(&self, key: &str) -> Self {
        let mut names = self.0.clone();
        names.push(("key", key.to_owned()));
        Self(names)
    }

    /// Names and values, each after its length, so that no two bindings have the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let texts = self.0.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

/// Why a secret cannot be sealed or opened. Never holds a secret or a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key cannot be read.
    #[error("keys.ring: key {id}: {source}")]
    Unreadable {
        /// The key's id.
        id: String,
        /// Why it could not be read.
        source: SecretError,
    },
    /// What stands there is no key.
    #[error(
        "keys.ring: key {0}: it is not {KEY_BYTES} bytes in base64; `auditferry keys generate` makes one"
    )]
    NotAKey(String),
    /// There is no key.
    #[error(
        "keys.ring: it is empty, so that no secret can be sealed; `auditferry keys generate --out FILE` makes a \
         key: set keys.ring = [\"ID=file:FILE\"] for every worker and for this command"
    )]
    NoKey,
    /// The key that sealed it is not among them.
    #[error("it is sealed with key {0}, which is not in keys.ring; add that key there, behind the first")]
    Unknown(String),
    /// The key does not open it.
    #[error(
        "key {0} does not open it: another key has this id now, or the row was changed or copied from another \
         account or destination; put the right key into keys.ring, or set the destination again"
    )]
    DoesNotOpen(String),
    /// AWS KMS refused or did not answer.
    #[error("key {id}: AWS KMS: {message}")]
    Kms {
        /// The key's id.
        id: String,
        /// What it said.
        message: String,
        /// Whether trying again may help.
        passes: bool,
    },
    /// The cryptography itself failed, as it never should.
    #[error("the system gives no random numbers, or the cipher failed")]
    Cipher,
}

impl KeyError {
    /// Whether trying again may help.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Kms { passes: true, .. })
    }
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

/// Bytes that nobody can guess.
///
/// # Errors
/// When the system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Cipher)?;
    Ok(bytes)
}

fn encrypt(key: &KeyBytes, plain: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key[..]).ok()?;
    // Room for the tag, so that no copy of the secret is left behind by a growing buffer.
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    body.extend_from_slice(plain);
    let nonce = cipher.seal_in_place_append_tag(Aad::from(bound), &mut *body).ok()?;
    Some([&[VERSION], &nonce.as_ref()[..], &body[..]].concat())
}

fn decrypt(key: &KeyBytes, sealed: &[u8], bound: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (&VERSION, rest) = sealed.split_first()? else { return None };
    let (nonce, body) = rest.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut body = Zeroizing::new(body.to_vec());
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key[..]).ok()?;
    let length = cipher.open_in_place(nonce, Aad::from(bound), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

/// For `foreign.rs`: one key and one place, whatever settings and destinations look like.
#[cfg(any(test, fuzzing))]
impl KeyRing {
    pub(crate) fn of(id: &str, key: &Secret) -> Option<Self> {
        let kek = Kek::Local(parse(key)?);
        Some(Self(vec![Key { id: id.to_owned(), source: "test".to_owned(), kek }]))
    }
}

#[cfg(any(test, fuzzing))]
impl Binding {
    pub(crate) fn of(names: &[(&'static str, &str)]) -> Self {
        Self(names.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auditferry_core::model::destination::{Azure, AzureCredentials, Place, SecretRef};

    fn ring(ids: &[&str]) -> KeyRing {
        let key = |id: &&str| Key {
            id: (*id).to_owned(),
            source: "test".to_owned(),
            kek: Kek::Local(Zeroizing::new([id.as_bytes()[0]; KEY_BYTES])),
        };
        KeyRing(ids.iter().map(key).collect())
    }

    fn destination(container: &str) -> Destination {
        Destination {
            prefix: String::new(),
            allow_http: false,
            accept_overwrites: false,
            expires: None,
            place: Place::Azure(Azure {
                container: container.to_owned(),
                endpoint: Some("https://a.example".to_owned()),
                credentials: AzureCredentials::Sas(SecretRef::Env("X".to_owned())),
            }),
        }
    }

    fn binding(account: &str, container: &str, field: &str, id: &SealedId) -> Binding {
        Binding::new(&account.parse().expect("id"), &destination(container), field, id)
    }

    #[tokio::test]
    async fn a_secret_opens_in_its_own_place_only() {
        let ring = ring(&["a"]);
        let id = new_id();
        let place = binding("acme", "siem", "sas", &id);
        let sealed = ring.seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals");
        assert_eq!(ring.open(&sealed, &place).await.expect("opens").expose(), "HUSH");
        assert!(!sealed.ciphertext.windows(4).any(|bytes| bytes == b"HUSH"));
        for elsewhere in [
            binding("globex", "siem", "sas", &id),
            binding("acme", "other", "sas", &id),
            binding("acme", "siem", "connection_string", &id),
            binding("acme", "siem", "sas", &new_id()),
        ] {
            let refused = ring.open(&sealed, &elsewhere).await;
            assert!(matches!(refused, Err(KeyError::DoesNotOpen(_))), "{elsewhere:?}");
        }
    }

    #[tokio::test]
    async fn another_key_and_a_changed_byte_do_not_open() {
        let id = new_id();
        let place = binding("acme", "siem", "sas", &id);
        let sealed = ring(&["a"]).seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals");
        assert!(matches!(ring(&["b"]).open(&sealed, &place).await, Err(KeyError::Unknown(_))));
        let mut renamed = sealed.clone();
        renamed.wrapped.key = "b".to_owned();
        assert!(ring(&["a", "b"]).open(&renamed, &place).await.is_err());
        for at in 0..sealed.ciphertext.len() {
            let mut changed = sealed.clone();
            changed.ciphertext[at] ^= 1;
            assert!(ring(&["a"]).open(&changed, &place).await.is_err(), "byte {at}");
        }
        for at in 0..sealed.wrapped.data_key.len() {
            let mut changed = sealed.clone();
            changed.wrapped.data_key[at] ^= 1;
            assert!(ring(&["a"]).open(&changed, &place).await.is_err(), "byte {at} of the key");
        }
    }

    #[tokio::test]
    async fn a_rewrapped_secret_opens_with_the_new_key_alone() {
        let id = new_id();
        let place = binding("acme", "siem", "sas", &id);
        let mut sealed = ring(&["a"]).seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals");
        sealed.wrapped = ring(&["b", "a"]).rewrap(&sealed.wrapped, &place).await.expect("rewraps");
        assert_eq!(sealed.wrapped.key, "b");
        assert_eq!(ring(&["b"]).open(&sealed, &place).await.expect("opens").expose(), "HUSH");
        assert!(ring(&["a"]).open(&sealed, &place).await.is_err());
    }

    #[test]
    fn no_two_bindings_have_the_same_bytes() {
        let bytes = |names: Vec<(&'static str, &str)>| {
            Binding(names.into_iter().map(|(name, value)| (name, value.to_owned())).collect()).bytes()
        };
        assert_ne!(bytes(vec![("a", "bc")]), bytes(vec![("ab", "c")]));
        assert_ne!(bytes(vec![("a", ""), ("b", "")]), bytes(vec![("a", "b")]));
        assert_ne!(bytes(vec![("a", "b"), ("c", "d")]), bytes(vec![("a", "bcd")]));
    }

    #[tokio::test]
    async fn each_sealing_is_another() {
        let ring = ring(&["a"]);
        let id = new_id();
        let place = binding("acme", "siem", "sas", &id);
        let (one, two) = (
            ring.seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals"),
            ring.seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals"),
        );
        assert_ne!(one.ciphertext, two.ciphertext);
        assert_ne!(one.wrapped.data_key, two.wrapped.data_key);
    }

    #[test]
    fn a_generated_key_is_read_again() {
        let key = generate().expect("random");
        assert!(parse(&key).is_some());
        assert!(parse(&Secret::new("c2hvcnQ=".into())).is_none());
        assert_ne!(key.expose(), generate().expect("random").expose());
    }
}
