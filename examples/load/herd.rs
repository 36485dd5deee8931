//! Many accounts with a small window each, all due at one instant.

use clap::Args;
use comfy_table::Table;
use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection as _, PgConnection};

use crate::Result;
use crate::api::Served;
use crate::bed::{Bed, Common, Databases, Export, Spent, Worker, reached, until};
use crate::content::{Contents, check, spoil};
use crate::crowd::{self, Crowd};
use crate::lateness;
use crate::ledger::{self, COUNTING, Delivered, Work};
use crate::records::{Records, ZONE, expected, insert_some, small};
use crate::tails::Tails;

#[derive(Args)]
pub(crate) struct Options {
    /// Accounts.
    #[arg(long, default_value_t = 5_000)]
    accounts: u64,
    /// New records of each.
    #[arg(long, default_value_t = 200)]
    records: u64,
    /// How many workers share the ledger; several are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    workers: Vec<usize>,
    /// How often each is measured.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Slots of one account alone, which come before; 0 leaves them out.
    #[arg(long, default_value_t = 20)]
    alone: u64,
    /// Seconds from the last preparation to the slot.
    #[arg(long, default_value_t = 5)]
    lead: u64,
    /// Connections at the worker's API meanwhile: a third asks once a second, a third reads slowly, a third writes
    /// slowly.
    #[arg(long, default_value_t = 0)]
    crowd: u64,
    /// People who look at the live tail of an account each meanwhile, at the worker's portal; at most 500 are let in.
    #[arg(long, default_value_t = 0)]
    tails: u64,
    /// Shows the statements that took most of the ledger and of the source, for each window.
    #[arg(long)]
    statements: bool,
    #[command(flatten)]
    common: Common,
}

/// What one run used, from just before the slot until the last window was closed.
pub(crate) struct Run {
    pub(crate) workers: usize,
    pub(crate) windows: u64,
    pub(crate) slot: Timestamp,
    pub(crate) delivered: Delivered,
    pub(crate) cpu: f64,
    pub(crate) peak: u64,
    pub(crate) servers: Spent,
    pub(crate) ledger: Work,
    pub(crate) source: Work,
    pub(crate) databases: Databases,
}

/// What is due, and for whom.
pub(crate) struct Herd<'a> {
    /// SQL with the columns `id`, `zone` and `ahead`: how many seconds before the slot it is due.
    pub(crate) accounts: &'a str,
    pub(crate) windows: u64,
    pub(crate) workers: usize,
    pub(crate) prefix: &'a str,
    pub(crate) lead: u64,
    /// Connections at the first worker's API.
    pub(crate) crowd: u64,
    /// Live tails of the portal there.
    pub(crate) tails: u64,
}

pub(crate) async fn measure(options: &Options) -> Result<()> {
    let bed = Bed::start(&options.common, &COUNTING).await?;
    ledger::count_statements(&bed).await?;
    if options.alone > 0 {
        alone(&bed, options).await?;
    }
    let account = small(&format!("i % {}", options.accounts));
    let count = options.accounts * options.records;
    let source = bed.source(&Records { count, account: &account, seed: options.common.seed }).await?;
    let contents = expected(&source, ZONE).await?;
    println!("{} accounts, {count} records", options.accounts);
    let accounts = accounts(options.accounts);
    let mut runs = Vec::new();
    for (round, workers) in (0..options.runs).flat_map(|_| &options.workers).enumerate() {
        let prefix = round.to_string();
        let herd = Herd {
            accounts: &accounts,
            windows: options.accounts,
            workers: *workers,
            prefix: &prefix,
            lead: options.lead,
            crowd: options.crowd,
            tails: options.tails,
        };
        let run = one(&bed, &source, &herd).await?;
        verify(&bed, &prefix, &contents, &run)?;
        if options.statements {
            println!("{}", statements(&run).await?);
        }
        runs.push(run);
    }
    println!("{}", table(&runs));
    println!("every run: each account's records once, bytes and hashes as PostgreSQL writes them");
    Ok(())
}

/// Accounts that are due at the slot.
pub(crate) fn accounts(count: u64) -> String {
    format!(
        "SELECT {} AS id, '{ZONE}' AS zone, 0 AS ahead FROM generate_series(0, {count} - 1) AS number",
        small("number")
    )
}

/// A ledger with the accounts, and the slot at which they are due. `more`: lines of TOML.
pub(crate) async fn prepare(
    bed: &Bed,
    source: &str,
    herd: &Herd<'_>,
    more: &str,
) -> Result<(Databases, Timestamp)> {
    let databases = bed.ledger(source).await?;
    // Adding accounts takes about a second for 10,000.
    let lead = i64::try_from(herd.lead + herd.windows / 5_000)?;
    let slot = Timestamp::from_second(Timestamp::now().as_second() + 1 + lead)?;
    // Daily at that time.
    let rows = format!(
        "SELECT id, zone, slot, to_char(slot AT TIME ZONE zone, 'FMSS FMMI FMHH24 \"* * *\"') AS schedule \
         FROM (SELECT id, zone, '{slot}'::timestamptz - ahead * interval '1 second' AS slot FROM ({}) AS herd) AS due",
        herd.accounts
    );
    let prefix = format!("{}/", herd.prefix);
    ledger::add(bed, &databases, &prefix, more, &rows).await?;
    Ok((databases, slot))
}

/// One run: the workers wait for the slot, and are stopped when everything is delivered.
pub(crate) async fn one(bed: &Bed, source: &str, herd: &Herd<'_>) -> Result<Run> {
    let (databases, slot) = prepare(bed, source, herd, "").await?;
    let mut settings = Vec::new();
    let mut served = None;
    if herd.crowd + herd.tails > 0 {
        let (api, listens) = Served::prepare(bed, &databases, 600)?;
        settings.extend(listens);
        served = Some(api);
    }
    let mut workers = Vec::new();
    for number in 0..herd.workers {
        let settings = if number == 0 { &settings[..] } else { &[] };
        workers.push(Worker::start_with(bed, &databases, settings)?);
    }
    let (mut crowd, mut tails) = (None, None);
    if let Some(served) = &served {
        crowd::answers(&served.url).await?;
        tails = Some(Tails::open(&served.as_operator(bed, &databases)?, herd.tails).await?);
        crowd = Some(Crowd::gather(served, herd.crowd)?);
    }
    until(slot - SignedDuration::from_millis(500)).await?;
    let before = (bed.spent(), Work::of(&databases.ledger).await?, Work::of(source).await?);
    let cpu = |workers: &[Worker]| workers.iter().map(Worker::cpu).sum::<f64>();
    let cpu_before = cpu(&workers);
    let closed = "SELECT count(*) FROM export_window WHERE state = 'delivered'";
    reached(&databases.ledger, closed, herd.windows, &mut workers).await?;
    let (cpu, servers) = (cpu(&workers) - cpu_before, bed.spent().since(before.0));
    drop(crowd);
    if let Some((open, events)) = tails.as_mut().map(Tails::told).filter(|_| herd.tails > 0) {
        println!("{open} live tails were open at the end; {events} events had come to them");
    }
    drop(tails);
    let peak = workers.iter().map(Worker::peak).max().unwrap_or(0);
    for worker in workers {
        worker.stop()?;
    }
    Ok(Run {
        workers: herd.workers,
        windows: herd.windows,
        slot,
        delivered: ledger::delivered(&databases.ledger, None).await?,
        cpu,
        peak,
        servers,
        ledger: Work::of(&databases.ledger).await?.since(before.1),
        source: Work::of(source).await?.since(before.2),
        databases,
    })
}

/// That the bucket holds what it must, and the ledger says the same.
pub(crate) fn verify(bed: &Bed, prefix: &str, contents: &Contents, run: &Run) -> Result<()> {
    let folder = bed.delivered(prefix);
    if bed.common.spoil {
        spoil(&folder)?;
    }
    let checked = check(&folder, contents)?;
    let Delivered { objects, records, .. } = run.delivered;
    if (checked.objects, checked.records) == (objects, records) {
        return Ok(());
    }
    Err(format!("the ledger says {objects} objects of {records} records, the bucket {checked:?}").into())
}

/// One account that has new records at each of its slots, and nothing else to do.
async fn alone(bed: &Bed, options: &Options) -> Result<()> {
    const EVERY: u64 = 2;
    let account = small("0");
    let count = options.alone * options.records;
    let records = Records { count: 0, account: &account, seed: options.common.seed };
    let source = bed.source(&records).await?;
    let databases = bed.ledger(&source).await?;
    let schedule = format!("*/{EVERY} * * * * *");
    let id = "acct-0000000";
    let worker = Worker::start(bed, &databases)?;
    let export = Export { account: id, schedule: &schedule, prefix: "alone/", more: "" };
    bed.apply(&databases, &export)?;
    let mut connection = PgConnection::connect(&source).await?;
    for turn in 0..options.alone {
        // In the middle between two slots.
        let now = Timestamp::now().as_second();
        let every = i64::try_from(EVERY)?;
        until(Timestamp::from_second((now / every + 1) * every + every / 2)?).await?;
        let numbers = turn * options.records..(turn + 1) * options.records;
        insert_some(&mut connection, &records, numbers).await?;
    }
    let waits = "SELECT coalesce(sum(records), 0)::bigint FROM export_window WHERE state = 'delivered'";
    reached(&databases.ledger, waits, count, &mut [worker]).await?;
    let delivered = ledger::delivered(&databases.ledger, None).await?;
    check(&bed.delivered("alone"), &expected(&source, ZONE).await?)?;
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["alone: windows", "records of each"].into_iter().chain(lateness::HEADER));
    let cells = [delivered.objects.to_string(), options.records.to_string()];
    table.add_row(cells.into_iter().chain(lateness::cells(&delivered.small)));
    println!("{table}");
    Ok(())
}

/// Where the databases' time went.
async fn statements(run: &Run) -> Result<Table> {
    const SHOWN: usize = 110;
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["database", "calls", "ms", "statement"]);
    let Databases { ledger, source } = &run.databases;
    for (name, url) in [("ledger", ledger), ("source", source)] {
        for statement in ledger::costliest(url, 16).await? {
            let per_window = |value: f64| format!("{:.3}", value / run.windows as f64);
            let text = statement.text.chars().take(SHOWN).collect();
            let (calls, milliseconds) = (statement.calls as f64, statement.milliseconds);
            table.add_row([name.to_owned(), per_window(calls), per_window(milliseconds), text]);
        }
    }
    Ok(table)
}

pub(crate) fn table(runs: &[Run]) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    let columns = [
        "workers",
        "objects/s",
        "rows/s",
        "speed-up",
        "worker CPU s",
        "Postgres CPU s",
        "store CPU s",
        "of the cores",
        "peak MB",
        "ledger transactions",
        "ledger statements",
        "source transactions",
        "puts",
    ];
    table.set_header(columns.into_iter().chain(lateness::HEADER).chain(["objects of each worker"]));
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let wall = |run: &Run| run.delivered.last.duration_since(run.slot).as_secs_f64();
    let rate = |run: &Run| run.delivered.objects as f64 / wall(run);
    for run in runs {
        let per_window = |count: u64| format!("{:.2}", count as f64 / run.windows as f64);
        let cpu = run.cpu + run.servers.postgres + run.servers.store;
        let shares: Vec<String> = run.delivered.by_worker.iter().map(ToString::to_string).collect();
        let cells = [
            run.workers.to_string(),
            format!("{:.0}", rate(run)),
            format!("{:.0}", run.delivered.records as f64 / wall(run)),
            format!("{:.2}", rate(run) / runs.first().map_or(1.0, rate)),
            format!("{:.2}", run.cpu),
            format!("{:.2}", run.servers.postgres),
            format!("{:.2}", run.servers.store),
            format!("{:.0} %", 100.0 * cpu / wall(run) / cores),
            format!("{:.1}", run.peak as f64 / 1e6),
            per_window(run.ledger.transactions),
            per_window(run.ledger.statements),
            per_window(run.source.transactions),
            per_window(run.delivered.attempts),
        ];
        table.add_row(
            cells.into_iter().chain(lateness::cells(&run.delivered.small)).chain([shares.join(" + ")]),
        );
    }
    table
}
