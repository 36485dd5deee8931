//! A backlog in one account beside many small windows: how late they are with it, and
//! without it.

use clap::Args;
use comfy_table::Table;

use crate::Result;
use crate::bed::{Bed, Common};
use crate::herd::{self, Herd};
use crate::lateness;
use crate::records::{LARGE, Records, ZONE, expected, small};

#[derive(Args)]
pub(crate) struct Options {
    /// Records of the backlog.
    #[arg(long, default_value_t = 5_000_000)]
    backlog: u64,
    /// Small windows.
    #[arg(long, default_value_t = 1_000)]
    accounts: u64,
    /// New records of each.
    #[arg(long, default_value_t = 200)]
    records: u64,
    /// Workers.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Seconds by which the backlog begins before the small windows are due.
    #[arg(long, default_value_t = 3)]
    head_start: u64,
    /// Seconds from the last preparation to the slot.
    #[arg(long, default_value_t = 10)]
    lead: u64,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn measure(options: &Options) -> Result<()> {
    let Options { accounts, records, backlog, head_start, lead, workers, .. } = *options;
    if head_start >= lead {
        return Err("--lead must be more than --head-start".into());
    }
    let bed = Bed::start(&options.common, &[]).await?;
    let account =
        format!("CASE WHEN i < {backlog} THEN '{LARGE}' ELSE {} END", small(&format!("i % {accounts}")));
    let count = backlog + accounts * records;
    let source = bed.source(&Records { count, account: &account, seed: options.common.seed }).await?;
    let contents = expected(&source, ZONE).await?;
    let small_ones = herd::accounts(accounts);
    let with_backlog = format!("{small_ones} UNION ALL SELECT '{LARGE}', '{ZONE}', {head_start}");
    let mut alone = contents.clone();
    alone.remove(LARGE);
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    let columns = ["backlog", "small windows", "peak MB"];
    table.set_header(columns.into_iter().chain(lateness::HEADER).chain(["backlog's last object s"]));
    let mut runs = Vec::new();
    for (prefix, accounts, contents, extra) in
        [("without", &small_ones, &alone, 0), ("with", &with_backlog, &contents, 1)]
    {
        let windows = options.accounts + extra;
        let run =
            herd::one(&bed, &source, &Herd { accounts, windows, workers, prefix, lead, crowd: 0, tails: 0 })
                .await?;
        herd::verify(&bed, prefix, contents, &run)?;
        let cells = [
            (extra * backlog).to_string(),
            run.delivered.small.len().to_string(),
            format!("{:.1}", run.peak as f64 / 1e6),
        ];
        let last = run.delivered.large.last().map_or_else(|| "-".to_owned(), |last| format!("{last:.2}"));
        table.add_row(cells.into_iter().chain(lateness::cells(&run.delivered.small)).chain([last]));
        runs.push(run);
    }
    println!("{table}");
    let series: Vec<(&str, &[f64])> =
        ["without", "with"].into_iter().zip(&runs).map(|(name, run)| (name, &*run.delivered.small)).collect();
    println!("{}", lateness::histogram(&series));
    println!("both runs: each account's records once, bytes and hashes as PostgreSQL writes them");
    Ok(())
}
