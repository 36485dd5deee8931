//! What an export is about.

pub mod access;
pub mod account;
pub mod actor;
pub mod bound;
pub mod destination;
pub mod download;
pub mod expiry;
pub mod format;
pub mod instant;
pub mod job;
pub mod network;
pub mod notification;
pub mod object_key;
pub mod oidc;
pub mod path_layout;
pub mod portal;
pub mod record;
pub mod record_query;
pub mod schedule;
pub mod session;
pub mod siem;
pub mod start;
pub mod token;
pub mod when;
pub mod window;
pub mod worker;
