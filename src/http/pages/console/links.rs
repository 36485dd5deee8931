//! Addresses of the console's pages.

pub(in crate::http) use crate::http::api::jobs::percent_encoded as encoded;
use crate::ledger::Health;
use auditferry_core::model::account::AccountId;

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
