//! AES-256-GCM over the bytes of keys and secrets.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::KeyError;

/// Bytes of a data key and of a key-encryption key.
pub(super) const KEY_BYTES: usize = 32;

/// The first byte of what is sealed: how the rest is to be read. Version 1 is a nonce of
/// 12 bytes, then the ciphertext of AES-256-GCM with its tag.
pub(super) const VERSION: u8 = 1;

pub(super) type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// Bytes that nobody can guess.
///
/// # Errors
/// When the system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Cipher)?;
    Ok(bytes)
}

pub(super) fn encrypt(key: &KeyBytes, plain: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key[..]).ok()?;
    // Room for the tag, so that no copy of the secret is left behind by a growing buffer.
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    body.extend_from_slice(plain);
    let nonce = cipher.seal_in_place_append_tag(Aad::from(bound), &mut *body).ok()?;
    Some([&[VERSION], &nonce.as_ref()[..], &body[..]].concat())
}

pub(super) fn decrypt(key: &KeyBytes, sealed: &[u8], bound: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (&VERSION, rest) = sealed.split_first()? else { return None };
    let (nonce, body) = rest.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut body = Zeroizing::new(body.to_vec());
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key[..]).ok()?;
    let length = cipher.open_in_place(nonce, Aad::from(bound), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}
