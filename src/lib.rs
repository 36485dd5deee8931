//! Delivers every account's audit log to the account's own bucket.
//!
//! The modules stand in the order of the flow, and each imports only those
//! above it; `tests/layers.rs` checks that. The first group is pure: no
//! tokio, no SQL, no SDK, no clock.

// Pure: these decide.
mod cause;
pub mod nearest;
pub mod line;
pub mod instant;
pub mod account;
pub mod expiry;
pub mod network;
pub mod destination;
pub mod trust;
pub mod record;
pub mod json;
pub mod copy;
pub mod window;
pub mod schedule;
pub mod protocol;
pub mod admission;

// Shell: these do, in the order of the flow.
mod failpoint;
#[cfg(test)]
mod settled;
pub mod database;
pub mod settings;
pub mod clock;
pub mod zones;
pub mod actor;
pub mod secrets;
pub mod aws;
pub mod keys;
mod sql_time;
pub mod source;
pub mod archive;
mod reader;
pub mod pipeline;
pub mod store;
pub mod remedy;
pub mod ledger;
pub mod vault;
pub mod store_cache;
pub mod capture;
pub mod telemetry;
pub mod explanation;
pub mod probe;
pub mod proof;
mod heartbeat;
mod reminder;
mod self_records;
mod holder_watch;
mod places;
pub mod export;
mod chores;
pub mod claim_health;
pub mod worker;
pub mod http;
pub mod admin;
pub mod replay;
pub mod exports;
pub mod import;
pub mod demo;
pub mod cli;

// For tests and fuzzers only.
#[cfg(any(test, fuzzing))]
pub mod foreign;
