//! The traits of the ledger, each transaction of theirs a method.

mod access;
mod accounts;
mod delivery;
mod downloads;
mod history;
mod jobs;
mod notifications;
mod portal;
mod secrets;
mod sessions;
mod workers;
