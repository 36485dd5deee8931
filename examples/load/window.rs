//! One large window of one account.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Args;
use comfy_table::Table;

use crate::Result;
use crate::bed::{Bed, Common, Databases, Export, Spent};
use crate::content::{check, files, size, spoil};
use crate::records::{LARGE, Records, ZONE, expected};
use crate::support::folder;
use crate::usage::{self, Ended};

/// SQL of the one account.
const LARGE_SQL: &str = "'large'";

#[derive(Args)]
pub(crate) struct Options {
    /// Records of the window.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// The export's `compression`, or `default`; several are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "default")]
    compression: Vec<String>,
    /// How often each is measured.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Does not compare the size with that of `zip -6`.
    #[arg(long)]
    no_zip: bool,
    /// Leaves the servers running once the records are there, for other programs, and says
    /// where they are; ends when its input does.
    #[arg(long)]
    hold: bool,
    #[command(flatten)]
    common: Common,
}

/// What one run used.
pub(crate) struct Measured {
    pub(crate) compression: String,
    pub(crate) ended: Ended,
    pub(crate) servers: Spent,
    pub(crate) objects: Vec<PathBuf>,
    pub(crate) bytes: u64,
}

pub(crate) async fn measure(options: &Options) -> Result<()> {
    let bed = Bed::start(&options.common, &["autovacuum=off"]).await?;
    let records = records(options.records, &options.common);
    let source = bed.source(&records).await?;
    let contents = expected(&source, ZONE).await?;
    for content in contents.values() {
        println!("{} records, {} bytes of JSON, SHA-256 {}", content.records, content.bytes, content.sha256);
    }
    if options.hold {
        return hold(&source, &bed.endpoint);
    }
    let mut runs = Vec::new();
    for (round, compression) in (0..options.runs).flat_map(|_| &options.compression).enumerate() {
        let measured = one(&bed, &source, &round.to_string(), compression).await?;
        let delivered = bed.delivered(&round.to_string());
        if options.common.spoil {
            spoil(&delivered)?;
        }
        check(&delivered, &contents)?;
        runs.push(measured);
    }
    let zipped = !options.no_zip && usage::installed("zip");
    let zipped = runs.first().filter(|_| zipped).map(|run| zip_size(&run.objects)).transpose()?;
    println!("{}", table(&runs, options.records, zipped));
    println!("every run: {} records, bytes and hash as PostgreSQL writes them", options.records);
    Ok(())
}

/// Records of the one account.
pub(crate) fn records(count: u64, common: &Common) -> Records<'static> {
    Records { count, account: LARGE_SQL, seed: common.seed }
}

/// One run of the program: everything of the source into a prefix of the bucket.
pub(crate) async fn one(bed: &Bed, source: &str, prefix: &str, compression: &str) -> Result<Measured> {
    let databases = bed.ledger(source).await?;
    bed.apply(
        &databases,
        &Export {
            account: LARGE,
            schedule: "* * * * * *",
            prefix: &format!("{prefix}/"),
            more: &level(compression),
        },
    )?;
    // Its first slot comes in the next second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let (ended, servers) = to_its_end(bed, &databases)?;
    let objects = files(&bed.delivered(prefix))?;
    let bytes = size(&objects);
    Ok(Measured { compression: compression.to_owned(), ended, servers, objects, bytes })
}

/// The line of an export that sets its compression, unless that is `default`.
pub(crate) fn level(compression: &str) -> String {
    match compression.parse::<u32>() {
        Ok(level) => format!("compression = {level}"),
        Err(_) if compression == "default" => String::new(),
        Err(_) => format!("compression = '{compression}'"),
    }
}

/// Delivers what is due, in a process of its own.
pub(crate) fn to_its_end(bed: &Bed, databases: &Databases) -> Result<(Ended, Spent)> {
    let before = bed.spent();
    let ended = usage::run(bed.program(databases)?.args(["run", "--until-idle"]))?;
    if !ended.status.success() {
        return Err(format!("the worker ended with {}", ended.status).into());
    }
    Ok((ended, bed.spent().since(before)))
}

/// What `zip -6` makes of the same entries.
fn zip_size(objects: &[PathBuf]) -> Result<u64> {
    let work = folder("zip");
    let (content, zip) = (work.join("content.json"), work.join("content.zip"));
    let mut all = 0;
    for object in objects {
        let unzip = Command::new("unzip").arg("-p").arg(object).stdout(File::create(&content)?).status()?;
        let _ = std::fs::remove_file(&zip);
        let made = Command::new("zip").args(["-q", "-6", "-j"]).arg(&zip).arg(&content).status()?;
        if !unzip.success() || !made.success() {
            return Err("zip or unzip failed".into());
        }
        all += zip.metadata()?.len();
    }
    Ok(all)
}

fn table(runs: &[Measured], records: u64, zipped: Option<u64>) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "compression",
        "rows/s",
        "objects/s",
        "wall s",
        "worker CPU s",
        "Postgres CPU s",
        "store CPU s",
        "of the cores",
        "peak MB",
        "zip MB",
        "of zip -6",
    ]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for run in runs {
        let Ended { wall, cpu, peak, .. } = run.ended;
        let rows = records as f64 / wall;
        let mega = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        table.add_row([
            run.compression.clone(),
            format!("{rows:.0}"),
            format!("{:.1}", run.objects.len() as f64 / wall),
            format!("{wall:.2}"),
            format!("{cpu:.2}"),
            format!("{:.2}", run.servers.postgres),
            format!("{:.2}", run.servers.store),
            format!(
                "{:.0} %",
                100.0 * (cpu + run.servers.postgres + run.servers.store) / wall / cores as f64
            ),
            mega(peak),
            mega(run.bytes),
            zipped.map_or_else(
                || "-".to_owned(),
                |zip| format!("{:.1} %", 100.0 * run.bytes as f64 / zip as f64),
            ),
        ]);
    }
    table
}

/// Says where everything is, and waits.
fn hold(url: &str, endpoint: &str) -> Result<()> {
    println!("source {url}\nstore {endpoint}");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
