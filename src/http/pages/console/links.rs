//! Addresses of the console's pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ledger::Health;
use auditferry_core::model::account::AccountId;

/// What stands as it is in a part of an address (RFC 3986, unreserved).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text in an address.
pub(in crate::http) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// The page of an account.
pub(super) fn account_path(account: &AccountId) -> String {
    format!("/console/accounts/{}", encoded(account.as_str()))
}

/// The accounts of a health.
pub(super) fn accounts_of(health: Health) -> String {
    format!("/console/accounts?health={}", health.as_str())
}

/// The page of an object.
pub(super) fn delivery_path(account: &AccountId, key: &str) -> String {
    format!("{}/delivery?key={}", account_path(account), encoded(key))
}
