//! What needs no server: rules of the code and the documents, the bytes of objects, the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures and tables are for a person to read")]
#![allow(unreachable_pub, reason = "modules of a test are of no crate")]

mod archive_readers;
mod assets;
mod book;
mod compose;
mod config_files;
mod formats;
mod golden;
mod help;
mod layers;
mod presets;
mod simulation;
