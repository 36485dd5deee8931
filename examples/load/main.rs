//! Measures the worker from end to end: a PostgreSQL of its own, records from a seed, a
//! store of its own, the real program between them. Prints a table; exits with 1 when what
//! lies in the bucket is not what PostgreSQL itself writes of the records.
//!
//! ```text
//! cargo run --release --example load -- window --records 1000000
//! cargo run --release --example load -- window --records 1000000 --compression fast --runs 3
//! cargo run --release --example load -- herd --accounts 5000 --records 200 --workers 1,2,4
//! cargo run --release --example load -- scale --accounts 100000,1000000
//! cargo run --release --example load -- fairness --backlog 5000000
//! cargo run --release --example load -- api --accounts 100000
//! cargo run --release --example load -- herd --accounts 5000 --crowd 2000
//! cargo run --release --example load -- herd --accounts 5000 --tails 500
//! cargo run --release --example load -- browse --records 20000000
//! ```
//! It needs Linux, PostgreSQL as the tests do, and Python; `zip` and `unzip` for the comparison.
//! `scripts/bench-peers` measures other programs beside ours.
#![allow(clippy::print_stdout, reason = "its results are its output")]

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

mod api;
mod bed;
mod browse;
mod content;
mod crowd;
mod fairness;
mod herd;
mod lateness;
mod ledger;
mod peers;
mod records;
mod scale;
mod store;
mod support;
mod tails;
mod usage;
mod window;
mod zones;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Set for the child that is the program itself.
const PROGRAM: &str = "AUDITFERRY_LOAD_PROGRAM";

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One large window of one account.
    Window(window::Options),
    /// Many accounts with a small window each, due at one instant; with several workers.
    Herd(herd::Options),
    /// A ledger of very many accounts: idle, and at a slot that many share.
    Scale(scale::Options),
    /// A backlog in one account beside many small windows.
    Fairness(fairness::Options),
    /// The API on a ledger of very many accounts.
    Api(api::Options),
    /// Pages of records and a download, of one account with very many records.
    Browse(browse::Options),
    /// Other programs beside ours; `scripts/bench-peers` installs them and calls this.
    Peers(peers::Options),
    /// The store alone, until it is killed; prints its address.
    Store {
        /// Where the objects go.
        #[arg(long)]
        folder: PathBuf,
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
    },
}

fn main() -> ExitCode {
    if std::env::var_os(PROGRAM).is_some() {
        return auditferry::cli::main();
    }
    let options = Options::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let result = runtime.block_on(async {
        match options.what {
            What::Window(options) => window::measure(&options).await,
            What::Herd(options) => herd::measure(&options).await,
            What::Scale(options) => scale::measure(&options).await,
            What::Fairness(options) => fairness::measure(&options).await,
            What::Api(options) => api::measure(&options).await,
            What::Browse(options) => browse::measure(&options).await,
            What::Peers(options) => peers::measure(&options).await,
            What::Store { folder, listen } => Ok(store::serve(folder, &listen).await?),
        }
    });
    support::remove_folders();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    println!("FAILED: {error}");
    ExitCode::FAILURE
}

/// The program, in a process of its own: this file, which then is nothing else.
fn program() -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("AUDITFERRY_") {
            command.env_remove(key);
        }
    }
    command.env(PROGRAM, "1");
    Ok(command)
}
