//! The traits of the ledger, each transaction of theirs a method.

mod access;
mod accounts;
mod delivery;
mod history;
mod jobs;
mod notifications;
mod portal;
mod secrets;
mod sessions;
mod workers;
