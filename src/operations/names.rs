//! Slots as people name them: a customer quotes the name of a file.

use jiff::Timestamp;

use auditferry_core::model::account::AccountId;
use auditferry_core::model::object_key::parse_slot;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// How the name of every object begins.
const BEGINS: &str = "audit_";

/// A slot that a person has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSlot {
    at: Timestamp,
    /// The account in the name, in its encoded form, when it was the name of an object.
    account: Option<String>,
}

impl NamedSlot {
    /// A slot, an instant, the name of an object, or its whole key.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.rsplit('/').next().unwrap_or(text);
        let Some(rest) = name.strip_prefix(BEGINS) else {
            return parse_slot(text).map(|at| Self { at, account: None });
        };
        // An account's id may hold anything that a slot does: the last slot in the name counts.
        let stem =
            rest.split_once(".zip").or_else(|| rest.split_once(".json")).map_or(rest, |(stem, _)| stem);
        for (place, part) in stem.rmatch_indices('_').chain([(0, "")]) {
            let after = &stem[place + part.len()..];
            let slot = after.split('_').next().unwrap_or(after);
            if is_slot(slot)
                && let Ok(at) = parse_slot(slot)
            {
                return Ok(Self { at, account: Some(stem[..place].to_owned()) });
            }
        }
        Err(format!("{text:?} is not the name of an object; it holds no slot such as 20261121T040000Z"))
    }

    /// The slot, if it is one of this account.
    ///
    /// # Errors
    /// When the name is of another account's object.
    pub fn of(&self, account: &AccountId) -> Result<Timestamp, Refusal> {
        match &self.account {
            Some(named) if *named != account.encoded() => {
                let problem = format!("the object is of the account {named:?} by its name");
                Err(Refusal::account(account, RefusalCode::InvalidValue, problem)
                    .fix("name an object of this account, or the account of the object"))
            }
            _ => Ok(self.at),
        }
    }
}

/// `20261121T040000Z`, the form that stands in names.
fn is_slot(text: &str) -> bool {
    text.len() == 16 && text.ends_with('Z') && text.as_bytes()[8] == b'T'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_a_key_and_an_instant_are_the_same_slot() {
        let acme: AccountId = "acme_20200101T000000Z".parse().expect("id");
        for text in [
            "20261121T040000Z",
            "2026-11-21T04:00:00Z",
            "audit_acme_20200101T000000Z_20261121T040000Z.zip",
            "audit_acme_20200101T000000Z_20261121T040000Z_0002.zip",
            "siem/audit/acme/audit_acme_20200101T000000Z_20261121T040000Z_g0002_0002.jsonl.gz",
        ] {
            let named = NamedSlot::parse(text).expect(text);
            assert_eq!(named.of(&acme).expect(text).to_string(), "2026-11-21T04:00:00Z", "{text}");
        }
        let other = NamedSlot::parse("audit_beta_20261121T040000Z.zip").expect("a name");
        assert!(other.of(&acme).expect_err("refused").to_string().contains("\"beta\""));
        assert!(NamedSlot::parse("audit_acme.zip").expect_err("refused").contains("20261121T040000Z"));
        assert!(NamedSlot::parse("yesterday").is_err());
    }
}
