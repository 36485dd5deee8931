//! Delivers every account's audit log to the account's own bucket.
//!
//! What it decides is in the crate `auditferry-core`. The rooms here do it. They stand in the order of
//! the flow, and each imports only those above it; `tests/pure/layers.rs` checks that.

pub mod base;
pub mod settings;
pub mod secrets;
pub mod source;
pub mod store;
pub mod oidc;
pub mod ledger;
pub mod destinations;
pub mod notifications;
pub mod observe;
mod chores;
pub mod delivery;
pub mod operations;
pub mod http;
pub mod client;
#[cfg(feature = "demo")]
pub mod demo;
pub mod cli;

// For tests and fuzzers only.
#[cfg(any(test, fuzzing))]
pub mod foreign;
