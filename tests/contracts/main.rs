//! What each ledger, source and store must do, on every database and every kind of store.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures and tables are for a person to read")]
#![allow(unreachable_pub, reason = "modules of a test are of no crate")]

mod ledger_contract;
mod network_faults;
mod source_contract;
mod store_contract;
mod store_secrets;
#[path = "../support/mod.rs"]
mod support;
