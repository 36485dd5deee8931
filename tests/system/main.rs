//! The worker and the command line as they run: from a database to a bucket, with their faults.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures and tables are for a person to read")]
#![allow(unreachable_pub, reason = "modules of a test are of no crate")]

mod api;
mod canary;
mod cli;
mod console;
mod daemon;
mod exporter;
mod identities;
mod kill_loop;
mod large_windows;
mod late_commits;
mod notifications;
mod pgbouncer;
mod portal;
mod prepared;
mod replicas;
mod rewind;
mod sealed;
#[path = "../support/mod.rs"]
mod support;
mod upgrades;
