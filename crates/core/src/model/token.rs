//! Tokens of the API: what they look like, and what is known of each.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::access::{Grant, Reach, Role};
use crate::model::account::AccountId;

/// Random bytes of a token.
pub const SECRET_BYTES: usize = 32;

/// What each kind begins with, so that scanners of source code recognise one that leaked.
fn prefix(role: Role) -> &'static str {
    match role {
        Role::Operator => "afo_",
        Role::Support => "afs_",
        Role::AccountAdmin => "afa_",
        Role::Reader => "afr_",
        Role::Portal => "afp_",
    }
}

/// Digits of base 62, so that a double click takes the whole token.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many digits hold 256 bits, and how many a CRC-32.
const SECRET_DIGITS: usize = 43;
const CHECK_DIGITS: usize = 6;

/// A token as it is shown, once: prefix, 256 random bits, and a checksum of both, by which a scanner tells
/// it from other text.
#[must_use]
pub fn write(role: Role, random: &[u8; SECRET_BYTES]) -> String {
    let mut token = prefix(role).to_owned();
    // Long division by 62, least digit first.
    let mut number = random.to_vec();
    for _ in 0..SECRET_DIGITS {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(0);
            rest = value % 62;
        }
        token.push(char::from(DIGITS[rest as usize]));
    }
    let check = check(&token);
    token.push_str(&check);
    token
}

/// Whether a text has the form of a token. One that has not is not looked up.
#[must_use]
pub fn is_one(text: &str) -> bool {
    let Some(at) = text.len().checked_sub(CHECK_DIGITS) else { return false };
    Role::ALL.iter().any(|role| text.starts_with(prefix(*role)))
        && text.len() == prefix(Role::Reader).len() + SECRET_DIGITS + CHECK_DIGITS
        && text.is_ascii()
        && check(&text[..at]) == text[at..]
}

fn check(text: &str) -> String {
    let mut sum = crc32fast::hash(text.as_bytes());
    let mut digits = String::new();
    for _ in 0..CHECK_DIGITS {
        digits.push(char::from(DIGITS[(sum % 62) as usize]));
        sum /= 62;
    }
    digits
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApiToken {
    /// Its id, which is no secret.
    pub id: String,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The accounts to which it is limited; absent: it is not.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to a minute.
    pub last_used_at: Option<Timestamp>,
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Somebody has revoked it.
    Revoked,
    /// Its end has come.
    Expired,
}

impl ApiToken {
    /// What its holder may do now.
    ///
    /// # Errors
    /// Why it is nothing.
    pub fn grant(&self, now: Timestamp) -> Result<Grant, Unusable> {
        if self.revoked_at.is_some() {
            return Err(Unusable::Revoked);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Unusable::Expired);
        }
        let reach = self.accounts.clone().map_or(Reach::All, Reach::Only);
        Ok(Grant { role: self.role, reach })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_other_text() {
        for role in Role::ALL {
            let token = write(role, &[0xA7; SECRET_BYTES]);
            assert_eq!(token.len(), 53, "{token}");
            assert!(is_one(&token), "{token}");
            let mut other = token.clone().into_bytes();
            other[20] ^= 1;
            assert!(!is_one(&String::from_utf8(other).expect("ascii")));
            assert!(!is_one(&token[1..]) && !is_one(&format!("{token}0")));
        }
        assert!(!is_one("") && !is_one("afo_é"));
        assert_ne!(write(Role::Reader, &[0; 32]), write(Role::Reader, &[1; 32]));
        let (one, mut other) = ([0xFF; 32], [0xFF; 32]);
        other[0] = 0xFE;
        assert_ne!(write(Role::Reader, &one), write(Role::Reader, &other), "all 256 bits count");
    }

    #[test]
    fn a_token_ends() {
        let at = |second| Timestamp::from_second(second).expect("instant");
        let token = ApiToken {
            id: "t".to_owned(),
            name: "n".to_owned(),
            role: Role::Support,
            accounts: None,
            created_by: "ana".to_owned(),
            created_at: at(0),
            expires_at: Some(at(10)),
            revoked_at: None,
            last_used_at: None,
        };
        assert_eq!(token.grant(at(9)), Ok(Grant { role: Role::Support, reach: Reach::All }));
        assert_eq!(token.grant(at(10)), Err(Unusable::Expired));
        let revoked = ApiToken { revoked_at: Some(at(5)), ..token };
        assert_eq!(revoked.grant(at(9)), Err(Unusable::Revoked));
    }
}
