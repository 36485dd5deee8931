//! An access key's id and its secret, told apart before either is shown or sent.

use super::DestinationError;

/// The characters of a secret access key of Amazon's.
const SECRET_CHARS: usize = 40;

/// Whether a text has the form of a key's id at Amazon, such as `AKIA…` and `ASIA…`.
///
/// Source: "Understanding unique ID prefixes", IAM User Guide.
#[must_use]
pub fn is_amazons_id(text: &str) -> bool {
    let prefixed = text.starts_with("AKIA") || text.starts_with("ASIA");
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    prefixed && (16..=128).contains(&text.len()) && text.bytes().all(plain)
}

/// Whether a text has the form of a secret access key and not of an id: 40 characters of base64 with letters
/// of both cases. Ids of compatible stores are shorter, or hexadecimal.
#[must_use]
pub fn looks_like_a_secret(text: &str) -> bool {
    let of = |kind: fn(&u8) -> bool| text.bytes().any(|b| kind(&b));
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    text.len() == SECRET_CHARS
        && text.bytes().all(base64)
        && of(u8::is_ascii_lowercase)
        && of(u8::is_ascii_uppercase)
}

/// Refuses a secret in the place of the id, and never shows it.
pub(super) fn validate_id(id: &str) -> Result<(), DestinationError> {
    if !looks_like_a_secret(id) {
        return Ok(());
    }
    Err(DestinationError {
        field: "credentials.access_key.id",
        problem: "it has the form of a secret access key, and is not shown here".into(),
        fix: "give the id, such as AKIA…, as the id, and the secret as the secret; whoever may have seen the secret \
              here is a reason to make another key",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_a_secret_are_told_apart() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        assert!(looks_like_a_secret(secret) && !is_amazons_id(secret));
        for id in [
            "AKIAIOSFODNN7EXAMPLE",
            "ASIAIOSFODNN7EXAMPLE",
            "minio",
            "GOOG1EAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(!looks_like_a_secret(id), "{id}");
        }
        assert!(is_amazons_id("AKIAIOSFODNN7EXAMPLE") && !is_amazons_id("AKIA") && !is_amazons_id("minio"));
        let error = validate_id(secret).expect_err("refused").to_string();
        assert!(error.contains("access_key.id") && !error.contains("wJal"), "{error}");
    }
}
