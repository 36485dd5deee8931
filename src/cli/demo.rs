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
}

#[cfg(feature = "demo")]
pub(super) async fn run(args: &DemoArgs) -> CliResult {
    let options = demo::Options { dir: args.dir.clone(), slots: args.slots, keep_running: args.keep_running };
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
