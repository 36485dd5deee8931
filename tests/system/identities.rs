//! The worker's own identity and what it is used for, through the real binary: roles of customers,
//! and buckets that are written to as the worker itself.
#![allow(unreachable_pub, reason = "modules of a test are of no crate")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod azure;
#[path = "../cli/bench.rs"]
#[allow(dead_code, reason = "the tests of the command line use the rest")]
mod bench;
mod google;
mod ownership;
mod roles;
mod scene;
#[path = "../support/mod.rs"]
mod support;
