//! Delivers every account's audit log to the account's own bucket.
//!
//! The modules stand in the order of the flow, and each imports only those
//! above it; `tests/layers.rs` checks that. The first group is pure: no
//! tokio, no SQL, no SDK, no clock.

pub mod account;
pub mod destination;
pub mod record;
pub mod window;

pub mod secrets;
pub mod store;

pub mod demo;
