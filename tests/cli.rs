//! The real binary: bad input gets a clear answer and changes nothing, and good input works.
#![allow(unreachable_pub, reason = "modules of a test are of no crate")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "cli/accounts.rs"]
mod accounts;
#[path = "cli/bench.rs"]
#[allow(dead_code, reason = "the tests of sealed secrets use the rest")]
mod bench;
#[path = "cli/clocks.rs"]
mod clocks;
#[path = "cli/databases.rs"]
mod databases;
#[path = "cli/destinations.rs"]
mod destinations;
#[path = "cli/expiry.rs"]
mod expiry;
#[path = "cli/exports_files.rs"]
mod exports_files;
#[path = "cli/imports.rs"]
mod imports;
#[path = "cli/listings.rs"]
mod listings;
#[path = "cli/networks.rs"]
mod networks;
#[path = "cli/s3_options.rs"]
mod s3_options;
#[path = "cli/s3_policies.rs"]
mod s3_policies;
#[path = "cli/self_records.rs"]
mod self_records;
#[path = "cli/servers.rs"]
mod servers;
#[path = "cli/settings.rs"]
mod settings;
mod support;
#[path = "cli/trust.rs"]
mod trust;
