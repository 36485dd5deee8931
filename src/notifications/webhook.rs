//! Webhooks by the specification Standard Webhooks: headers, signatures and secrets.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secrets::Secret;
use crate::secrets::keys::{KeyError, random};

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Bytes of a secret that we make; the specification allows 24 to 64.
const SECRET_BYTES: usize = 32;

/// The bytes that sign.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

impl SigningKey {
    /// Reads a secret as it is shared.
    ///
    /// # Errors
    /// What is wrong, without the secret.
    pub fn parse(secret: &Secret) -> Result<Self, &'static str> {
        let text = secret.expose().trim();
        let encoded = text.strip_prefix(PREFIX).ok_or("it does not begin with whsec_")?;
        let bytes = STANDARD.decode(encoded).map_err(|_| "what follows whsec_ is not base64")?;
        if !(24..=64).contains(&bytes.len()) {
            return Err("what follows whsec_ is not 24 to 64 bytes in base64");
        }
        Ok(Self(Zeroizing::new(bytes)))
    }

    fn signature(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

/// A new secret, as it is shared.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_secret() -> Result<Secret, KeyError> {
    let bytes: Zeroizing<[u8; SECRET_BYTES]> = Zeroizing::new(random().map_err(|_| KeyError::Cipher)?);
    Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(&bytes[..]))))
}

/// The headers of a message, signed with each key.
#[must_use]
pub fn headers(id: &str, at: Timestamp, body: &[u8], keys: &[SigningKey]) -> [(&'static str, String); 3] {
    let timestamp = at.as_second();
    let signatures: Vec<String> = keys.iter().filter_map(|key| key.signature(id, timestamp, body)).collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<SigningKey, &'static str> {
        SigningKey::parse(&Secret::new(text.to_owned()))
    }

    /// The example of the specification's libraries (`javascript/src/index.test.ts`, "sign function works").
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap_or_else(|problem| panic!("{problem}"));
        let at = Timestamp::from_second(1_614_265_330).expect("instant");
        let body = br#"{"test": 2432232314}"#;
        let [id, timestamp, signature] =
            headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body, &[key.clone(), key]);
        assert_eq!(id, ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()));
        assert_eq!(timestamp, ("webhook-timestamp", "1614265330".to_owned()));
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature, ("webhook-signature", format!("{one} {one}")));
    }

    #[test]
    fn secrets_have_their_form() {
        let made = new_secret().unwrap_or_else(|error| panic!("{error}"));
        assert!(made.expose().starts_with("whsec_") && key(made.expose()).is_ok());
        for bad in ["", "HUSH", "whsec_", "whsec_HUSH", "whsec_SFVTSA==", "whsec_!!!!"] {
            let problem = key(bad).err().expect("refused");
            assert!(!problem.contains("HUSH"), "{problem}");
        }
    }
}
