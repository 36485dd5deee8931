//! Several workers on one ledger, and many accounts on one worker: who works on what, for
//! how long, and in which order.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod fairness;
mod leases;
mod planning;
#[path = "../support/mod.rs"]
mod support;
