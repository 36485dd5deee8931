//! The keys of a provider (RFC 7517), and whether one of them has signed. How is said by the key, not by the token
//! alone: a public key is never taken for a shared secret, and `none` is no signature.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::jws::Jws;

/// Most keys of a provider that are looked at.
const MAX_KEYS: usize = 100;

/// A key as a provider publishes it.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

struct Key {
    kid: Option<String>,
    /// The only algorithm for which it is.
    alg: Option<String>,
    material: Material,
}

/// The keys that a provider signs with.
pub(super) struct KeySet(Vec<Key>);

/// Why a signature does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unverified {
    /// No key of this id is known; the provider may have a new one.
    UnknownKey,
    /// Nothing that newer keys would change.
    Refused(&'static str),
}

impl KeySet {
    /// The keys of a document that we can use; the others are not ours to judge.
    ///
    /// # Errors
    /// When it is no set of keys, or has none of use.
    pub(super) fn parse(document: &Value) -> Result<Self, &'static str> {
        let all = document["keys"].as_array().ok_or("it has no list `keys`")?;
        let keys: Vec<Key> = all.iter().take(MAX_KEYS).filter_map(key).collect();
        match keys.is_empty() {
            true => Err("it holds no key that we can use (RSA, P-256, P-384 or Ed25519, for signatures)"),
            false => Ok(Self(keys)),
        }
    }

    /// Whether one of the keys has signed a token.
    pub(super) fn verify(&self, token: &Jws<'_>) -> Result<(), Unverified> {
        let alg = token.header.alg.as_str();
        if !is_known(alg) {
            return Err(Unverified::Refused("its alg is none that we take"));
        }
        let of_id = |key: &&Key| token.header.kid.is_none() || key.kid == token.header.kid;
        let named: Vec<&Key> = self.0.iter().filter(of_id).collect();
        if named.is_empty() {
            return Err(Unverified::UnknownKey);
        }
        let fits = |key: &&&Key| key.alg.as_deref().is_none_or(|only| only == alg) && key.material.fits(alg);
        let fitting: Vec<&&Key> = named.iter().filter(fits).collect();
        match fitting[..] {
            [] => Err(Unverified::Refused("its alg is not that of the key")),
            // Without an id, which of several is meant is not for us to guess.
            [_, _, ..] if token.header.kid.is_none() => {
                Err(Unverified::Refused("it names no key, and there are several"))
            }
            _ => match fitting.iter().any(|key| key.material.has_signed(alg, token)) {
                true => Ok(()),
                false => Err(Unverified::Refused("the key has not signed it")),
            },
        }
    }
}

fn key(json: &Value) -> Option<Key> {
    let jwk = Jwk::deserialize(json).ok()?;
    let verifies = jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") || !verifies {
        return None;
    }
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let point = |size: usize| {
        let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
        (x.len() == size && y.len() == size).then(|| [&[4], &x[..], &y[..]].concat())
    };
    // Some write a zero byte before, which the library does not take.
    let number =
        |text| bytes(text).map(|all| all.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>());
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => Material::Rsa { n: number(&jwk.n)?, e: number(&jwk.e)? },
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x).filter(|x| x.len() == 32)?),
        _ => return None,
    };
    Some(Key { kid: jwk.kid, alg: jwk.alg, material })
}

/// How an RSA key signs by that name.
fn rsa(alg: &str) -> Option<&'static RsaParameters> {
    Some(match alg {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn is_known(alg: &str) -> bool {
    rsa(alg).is_some() || ["ES256", "ES384", "EdDSA", "Ed25519"].contains(&alg)
}

impl Material {
    fn fits(&self, alg: &str) -> bool {
        match self {
            Self::Rsa { .. } => rsa(alg).is_some(),
            Self::P256(_) => alg == "ES256",
            Self::P384(_) => alg == "ES384",
            Self::Ed25519(_) => alg == "EdDSA" || alg == "Ed25519",
        }
    }

    fn has_signed(&self, alg: &str, token: &Jws<'_>) -> bool {
        let (signed, signature) = (token.signed, token.signature.as_slice());
        let done = match self {
            Self::Rsa { n, e } => match rsa(alg) {
                Some(how) => RsaPublicKeyComponents { n, e }.verify(how, signed, signature),
                None => return false,
            },
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Self::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed, signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature),
        };
        done.is_ok()
    }
}

#[cfg(test)]
mod tests;
