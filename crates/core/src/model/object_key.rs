//! The names of objects.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;

use crate::model::account::AccountId;
use crate::model::path_layout::PathLayout;

/// Nothing for the first, `_0002` for the second.
pub(super) fn numbered(mark: &str, number: u32) -> String {
    if number > 1 { format!("{mark}{}", digits(number.into())) } else { String::new() }
}

/// Four digits; from 10000 on an `A` and ten of them, because `_10000` would sort before `_9999`.
pub(super) fn digits(number: u64) -> String {
    if number <= 9_999 { format!("{number:04}") } else { format!("A{number:010}") }
}

/// Most bytes that a file's name has for unzip, Python, Java and some stores.
pub const MAX_NAME_BYTES: usize = 255;

/// How long the names of an account's objects get, with generation, replay, part and ending.
#[must_use]
pub fn longest_name(account: &AccountId) -> usize {
    "audit__20261121T040000Z_gA0000000000_A0000000000.jsonl.zst".len() + account.encoded().len()
}

/// A key outside `audit/`, of a zero-byte object that tests a destination: the only kind of
/// object that is ever removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeKey(ObjectKey);

impl ProbeKey {
    /// A key that nothing has yet, with a nonce.
    #[must_use]
    pub fn new(prefix: &str, nonce: &str) -> Self {
        Self(ObjectKey(format!("{prefix}auditferry-probe/{nonce}")))
    }

    /// The key as any object has one.
    #[must_use]
    pub fn object(&self) -> &ObjectKey {
        &self.0
    }
}

impl fmt::Display for ProbeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an object in its bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ObjectKey(pub(super) String);

impl ObjectKey {
    /// A key that the ledger stored.
    #[must_use]
    pub fn stored(key: String) -> Self {
        Self(key)
    }

    /// A name outside `audit/`, of an object that asks whose bucket this is.
    #[must_use]
    pub fn ownership(prefix: &str, nonce: &str) -> Self {
        Self(format!("{prefix}auditferry-probe/ownership-{nonce}.txt"))
    }

    /// The same folders and name below another prefix. `path`: that of the object's window, which tells
    /// where its own prefix ends.
    #[must_use]
    pub fn below(&self, prefix: &str, path: PathLayout) -> Self {
        let start = self.0.rmatch_indices('/').nth(path.depth()).map_or(0, |(at, _)| at + 1);
        Self(format!("{prefix}{}", &self.0[start..]))
    }

    /// The key as the store knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the entry inside the zip: the object's own, with the ending of what is in it.
    #[must_use]
    pub fn entry_name(&self, ending: &str) -> String {
        let name = self.0.rsplit('/').next().unwrap_or(&self.0);
        format!("{}.{ending}", name.strip_suffix(".zip").unwrap_or(name))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `20261121T040000Z`: fixed width, so that keys sort in time order across DST.
#[must_use]
pub fn slot_name(slot: Timestamp) -> String {
    Offset::UTC.to_datetime(slot).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Reads a slot as names have it, `20261121T040000Z`, or as an instant.
///
/// # Errors
/// A sentence with the forms that are read.
pub fn parse_slot(text: &str) -> Result<Timestamp, String> {
    crate::model::instant::parse(text).map_err(|_| {
        format!("{text:?} is not a slot; write it as in an object's name, 20261121T040000Z, or 2026-11-21T04:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_read_as_names_have_them() {
        let slot = "2026-11-21T04:00:00Z".parse::<Timestamp>().expect("instant");
        assert_eq!(parse_slot(&slot_name(slot)), Ok(slot));
        assert_eq!(parse_slot("2026-11-21T09:30:00+05:30"), Ok(slot));
        assert!(parse_slot("yesterday").expect_err("refused").contains("20261121T040000Z"));
    }
}
