//! `auditferry demo`

use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "demo")]
use super::output;
use super::{CliError, CliResult};
#[cfg(feature = "demo")]
use crate::demo;

#[derive(Args)]
pub(super) struct DemoArgs {
    /// The folder to fill; a second run continues where the first ended.
    #[arg(long, default_value = "./auditferry-demo")]
    dir: PathBuf,
    /// How many slots of each account to run.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    slots: u32,
    /// Stay up, with one slot every few seconds, until interrupted.
    #[arg(long)]
    keep_running: bool,
    /// Fill two weeks up to now, then stay up with the console and a customer's portal: open the links that it prints
    /// in a browser. Records keep arriving.
    #[arg(long, conflicts_with_all = ["keep_running", "slots"])]
    serve: bool,
    /// Where the pages are served, on this machine only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9465", requires = "serve", value_parser = loopback)]
    listen: std::net::SocketAddr,
}

/// Anybody may take the links that the demo prints: nobody else is to reach it.
fn loopback(text: &str) -> Result<std::net::SocketAddr, String> {
    let address: std::net::SocketAddr =
        text.parse().map_err(|_| "it is not ADDRESS:PORT; write it like 127.0.0.1:9465".to_owned())?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("the demo is for this machine only; write 127.0.0.1 and a port".to_owned()),
    }
}

#[cfg(feature = "demo")]
pub(super) async fn run(args: &DemoArgs) -> CliResult {
    let options = demo::Options {
        dir: args.dir.clone(),
        slots: args.slots,
        keep_running: args.keep_running,
        serve: args.serve.then_some(args.listen),
    };
    demo::run(&options, &mut |line| output::line(line)).await.map_err(|error| match error {
        demo::DemoError::Folder { .. } => CliError::Usage(error.to_string()),
        other => CliError::Failed(other.to_string()),
    })
}

#[cfg(not(feature = "demo"))]
#[expect(clippy::unused_async, reason = "as the demo, which is not in this build")]
pub(super) async fn run(_: &DemoArgs) -> CliResult {
    Err(CliError::Usage(
        "this build holds no demo, which keeps it small; build one from the sources with `cargo run -- demo`"
            .to_owned(),
    ))
}
