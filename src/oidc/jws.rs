//! A signed token in its compact form (RFC 7515), taken apart. Encrypted ones have five parts and are none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// Most bytes of a token: what a head of a request holds has room for no more.
pub(super) const MAX_BYTES: usize = 8 * 1024;

/// Which key has signed, and how.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    /// Extensions that must be understood: we know none.
    crit: Option<Value>,
}

/// A token whose signature nobody has looked at yet.
pub(super) struct Jws<'t> {
    pub(super) header: Header,
    pub(super) claims: Value,
    /// What is signed.
    pub(super) signed: &'t [u8],
    pub(super) signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Why it is none, without any of it.
    pub(super) fn parse(token: &'t str) -> Result<Self, &'static str> {
        if token.len() > MAX_BYTES {
            return Err("it is too long");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("it is no JWT")?;
        let (header, claims) = signed.split_once('.').ok_or("it is no JWT")?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "it is no signed JWT");
        let header: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| "its header cannot be read")?;
        if header.crit.is_some() {
            return Err("its header asks for an extension");
        }
        let claims: Value = serde_json::from_slice(&decode(claims)?).map_err(|_| "its claims are no JSON")?;
        if !claims.is_object() {
            return Err("its claims are no JSON object");
        }
        Ok(Self { header, claims, signed: signed.as_bytes(), signature: decode(signature)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    #[test]
    fn only_signed_tokens_are_taken() {
        let good = token(r#"{"alg":"RS256","kid":"1"}"#, "{}");
        let parsed = Jws::parse(&good).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!((parsed.header.alg.as_str(), parsed.header.kid.as_deref()), ("RS256", Some("1")));
        assert_eq!(
            (parsed.signed, &parsed.signature[..]),
            (good.rsplit_once('.').unwrap().0.as_bytes(), &b"sig"[..])
        );
        for bad in [
            "",
            "a.b",
            "a.b.c.d.e",
            &format!("{good}.x.y"),
            &format!("{good}="),
            &token("{}", "{}"),
            &token(r#"{"alg":"RS256","crit":["b64"]}"#, "{}"),
            &token(r#"{"alg":"RS256"}"#, "[]"),
            &"x".repeat(MAX_BYTES + 1),
        ] {
            assert!(Jws::parse(bad).is_err(), "{bad}");
        }
    }
}
