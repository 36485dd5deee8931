//! Why a secret cannot be sealed or opened.

use super::cipher::KEY_BYTES;
use crate::secrets::SecretError;

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
