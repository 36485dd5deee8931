use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512,
};
use serde_json::json;

use super::*;

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unsigned(alg: &str, kid: Option<&str>) -> String {
    let header = match kid {
        Some(kid) => json!({ "alg": alg, "kid": kid }),
        None => json!({ "alg": alg }),
    };
    format!("{}.{}", b64(header.to_string().as_bytes()), b64(b"{}"))
}

fn signed(alg: &str, kid: Option<&str>, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let unsigned = unsigned(alg, kid);
    let signature = b64(&sign(unsigned.as_bytes()));
    format!("{unsigned}.{signature}")
}

fn verified(keys: &Value, token: &str) -> Result<(), Unverified> {
    let keys = KeySet::parse(keys).unwrap_or_else(|problem| panic!("{problem}"));
    keys.verify(&Jws::parse(token).unwrap_or_else(|problem| panic!("{problem}")))
}

fn refused(keys: &Value, token: &str) -> bool {
    matches!(verified(keys, token), Err(Unverified::Refused(_)))
}

/// Of a key of 2,048 bits, in the DER of PKCS #1: two heads of four bytes, a zero, the modulus, the exponent 65537.
fn modulus(key: &RsaKey) -> &[u8] {
    &key.public_key().as_ref()[9..265]
}

fn rsa_jwk(key: &RsaKey, kid: &str) -> Value {
    json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": b64(modulus(key)), "e": "AQAB" })
}

fn ec_jwk(key: &EcdsaKeyPair, curve: &str, kid: &str) -> Value {
    let point = &key.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    json!({ "kty": "EC", "crv": curve, "kid": kid, "x": b64(x), "y": b64(y) })
}

#[test]
fn each_algorithm_is_verified_by_its_key_and_no_other() {
    let random = SystemRandom::new();
    let rsa = RsaKey::generate(KeySize::Rsa2048).expect("key");
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key");
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("key");
    let ed = Ed25519KeyPair::generate().expect("key");
    let ed_jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(ed.public_key().as_ref()) });
    let jwks = [rsa_jwk(&rsa, "rsa"), ec_jwk(&p256, "P-256", "p256"), ec_jwk(&p384, "P-384", "p384"), ed_jwk];
    let keys = json!({ "keys": jwks });
    let by_rsa = |how: &'static dyn aws_lc_rs::signature::RsaEncoding| {
        let (rsa, random) = (&rsa, &random);
        move |message: &[u8]| {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(how, random, message, &mut signature).expect("signs");
            signature
        }
    };
    let tokens = [
        signed("RS256", Some("rsa"), by_rsa(&RSA_PKCS1_SHA256)),
        signed("RS384", Some("rsa"), by_rsa(&RSA_PKCS1_SHA384)),
        signed("RS512", Some("rsa"), by_rsa(&RSA_PKCS1_SHA512)),
        signed("PS256", Some("rsa"), by_rsa(&RSA_PSS_SHA256)),
        signed("PS384", Some("rsa"), by_rsa(&RSA_PSS_SHA384)),
        signed("PS512", Some("rsa"), by_rsa(&RSA_PSS_SHA512)),
        signed("ES256", Some("p256"), |message| {
            p256.sign(&random, message).expect("signs").as_ref().to_vec()
        }),
        signed("ES384", Some("p384"), |message| {
            p384.sign(&random, message).expect("signs").as_ref().to_vec()
        }),
        signed("EdDSA", Some("ed"), |message| ed.sign(message).as_ref().to_vec()),
    ];
    for token in &tokens {
        assert_eq!(verified(&keys, token), Ok(()), "{token}");
        // One bit of what is signed.
        let (head, signature) = token.rsplit_once('.').expect("parts");
        let other = head.replacen(&b64(b"{}"), &b64(br#"{"a":1}"#), 1);
        assert!(refused(&keys, &format!("{other}.{signature}")), "{token}");
        assert!(refused(&keys, &format!("{head}.")), "no signature");
    }
    // What fits by its bytes does not by its name.
    for (alg, kid) in
        [("RS256", "p256"), ("ES256", "rsa"), ("ES384", "p256"), ("EdDSA", "rsa"), ("PS256", "ed")]
    {
        assert!(refused(&keys, &signed(alg, Some(kid), by_rsa(&RSA_PKCS1_SHA256))), "{alg} {kid}");
    }
    // A key that says for what it is, is for that.
    let mut only = rsa_jwk(&rsa, "rsa");
    only["alg"] = json!("RS512");
    let only = json!({ "keys": [only] });
    assert!(refused(&only, &tokens[0]) && verified(&only, &tokens[2]).is_ok());
}

#[test]
fn neither_none_nor_a_shared_secret_signs() {
    let rsa = RsaKey::generate(KeySize::Rsa2048).expect("key");
    let keys = json!({ "keys": [rsa_jwk(&rsa, "1")] });
    for alg in ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "RS1", "rs256"] {
        assert!(refused(&keys, &signed(alg, Some("1"), |_| Vec::new())), "{alg}");
    }
    let hmac = |message: &[u8]| {
        use hmac::Mac as _;
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(modulus(&rsa)).expect("key");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    };
    assert!(refused(&keys, &signed("HS256", Some("1"), hmac)));
    let secret = json!({ "keys": [{ "kty": "oct", "kid": "1", "k": b64(b"HUSH") }] });
    assert!(KeySet::parse(&secret).is_err());
}

#[test]
fn a_key_is_found_by_its_id() {
    let ed = || Ed25519KeyPair::generate().expect("key");
    let jwk = |key: &Ed25519KeyPair, kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(key.public_key().as_ref()) });
    let (one, two) = (ed(), ed());
    let by = |key: &Ed25519KeyPair, kid| signed("EdDSA", kid, |message| key.sign(message).as_ref().to_vec());
    let keys = json!({ "keys": [jwk(&one, "1"), jwk(&two, "2")] });
    assert_eq!(verified(&keys, &by(&two, Some("2"))), Ok(()));
    assert!(refused(&keys, &by(&two, Some("1"))), "another key of the same id");
    assert_eq!(verified(&keys, &by(&two, Some("3"))), Err(Unverified::UnknownKey));
    assert!(refused(&keys, &by(&two, None)), "which of them is not said");
    let alone = json!({ "keys": [jwk(&one, "1"), { "kty": "RSA", "kid": "x", "use": "enc", "n": "AQAB", "e": "AQAB" }] });
    assert_eq!(verified(&alone, &by(&one, None)), Ok(()));
    for unusable in [json!({}), json!({ "keys": [] }), json!({ "keys": [{ "kty": "XYZ" }, 7, null] })] {
        assert!(KeySet::parse(&unusable).is_err(), "{unusable}");
    }
}
