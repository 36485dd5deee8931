//! Delivers every account's audit log to the account's own bucket.
//!
//! The modules stand in the order of the flow, and each imports only those
//! above it; `tests/layers.rs` checks that. The first group is pure: no
//! tokio, no SQL, no SDK, no clock.

// Pure: these decide.
pub mod account;
pub mod destination;
pub mod nearest;
pub mod protocol;
pub mod record;
pub mod schedule;
pub mod window;

// Shell: these do, in the order of the flow.
pub mod archive;
pub mod clock;
pub mod database;
pub mod export;
pub mod http;
pub mod ledger;
mod reader;
pub mod secrets;
pub mod settings;
pub mod source;
mod sql_time;
pub mod store;
pub mod store_cache;
pub mod telemetry;
pub mod worker;
pub mod zones;
