//! What an export is about.

pub mod account;
pub mod actor;
pub mod destination;
pub mod expiry;
pub mod instant;
pub mod network;
pub mod record;
pub mod schedule;
pub mod window;
