//! The proof that a destination is its customer's: an object that is written there as the worker
//! itself, with a token in it that only the owner of the bucket can read.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::ledger::{NewProof, TokenHash};
use crate::secrets::Secret;
use crate::secrets::keys::{KeyError, random};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::store::Object;

/// How long a token counts.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// How many wrong tokens are too many.
const TRIES: u32 = 5;

/// Bytes of a token that nobody can guess.
const TOKEN_BYTES: usize = 20;

/// An object that asks the owner of a bucket for its token.
pub struct Challenge {
    token: Secret,
    key: ObjectKey,
}

impl Challenge {
    /// A new token, and a place for it below a prefix.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new(prefix: &str) -> Result<Self, KeyError> {
        let bytes = random::<TOKEN_BYTES>()?;
        let text = bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let key = ObjectKey::ownership(prefix, &uuid::Uuid::new_v4().to_string());
        Ok(Self { token: Secret::new(text), key })
    }

    /// The object that is left in the bucket.
    #[must_use]
    pub fn object(&self, account: &AccountId) -> Object {
        let text = format!(
            "auditferry wrote this file to find out whether this bucket is its customer's.\n\n\
             The account {account} has asked to have its audit log delivered here. If that is you, give the\n\
             token below to the people who run auditferry for you, within 24 hours. If it is not, do nothing:\n\
             without the token nothing else is written here. This file may be deleted at any time.\n\n\
             token: {}\n",
            self.token.expose()
        );
        Object {
            key: self.key.clone(),
            body: Bytes::from(text),
            content_type: "text/plain; charset=utf-8",
            metadata: Vec::new(),
        }
    }

    /// What the ledger remembers of it.
    #[must_use]
    pub fn asked(&self, now: Timestamp) -> NewProof {
        NewProof {
            key: self.key.to_string(),
            token_sha256: token_hash(&self.token),
            asked_at: now,
            expires_at: now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX),
            tries: TRIES,
        }
    }
}

/// What a token is known by. Blanks around it, as copying leaves them, are not part of it.
#[must_use]
pub fn token_hash(token: &Secret) -> TokenHash {
    let text = token.expose().trim();
    Sha256::digest(text.strip_prefix("token:").unwrap_or(text).trim()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_in_the_object_and_nowhere_else() {
        let challenge = Challenge::new("siem/").expect("random");
        let object = challenge.object(&"acme".parse().expect("id"));
        let text = std::str::from_utf8(&object.body).expect("text");
        let (_, token) = text.split_once("token: ").expect("a token");
        assert_eq!(token.trim().len(), 40);
        assert!(object.key.as_str().starts_with("siem/auditferry-probe/ownership-"), "{:?}", object.key);
        let asked = challenge.asked(Timestamp::UNIX_EPOCH);
        for typed in [token, &format!(" {token}\r\n"), &format!("token: {token}")] {
            assert_eq!(token_hash(&Secret::new(typed.to_owned())), asked.token_sha256, "{typed:?}");
        }
        assert!(!format!("{asked:?}").contains(token.trim()));
        assert_ne!(
            Challenge::new("").expect("random").asked(Timestamp::UNIX_EPOCH).token_sha256,
            asked.token_sha256
        );
        assert_eq!(asked.expires_at.duration_since(asked.asked_at), SignedDuration::from_hours(24));
    }
}
