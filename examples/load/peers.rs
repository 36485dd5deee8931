//! Others and ours on the same records and the same store: one large window, and many small
//! ones. Each is a process that begins with nothing and ends when everything is in the bucket.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use comfy_table::Table;

use crate::Result;
use crate::bed::{BUCKET, Bed, Common, Spent, until};
use crate::content::{Contents, check, files, read, size, spoil};
use crate::herd::{self, Herd};
use crate::records::{LARGE, Records, ZONE, expected, small};
use crate::support::folder;
use crate::usage::{self, Ended};
use crate::window;

/// Ours, in `--only`.
const OURS: &str = "auditferry";
/// How a script says that it takes a second or so for each account.
const FEWER: &str = "# many: ";

#[derive(Args)]
pub(crate) struct Options {
    /// Records of the large window; 0 leaves it out.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Small windows; 0 leaves them out.
    #[arg(long, default_value_t = 5_000)]
    accounts: u64,
    /// Records of each.
    #[arg(long, default_value_t = 200)]
    small_records: u64,
    /// Only these: names of scripts without their ends, or `auditferry`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Our `compression`; several are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "default,fast")]
    compression: Vec<String>,
    /// The scripts.
    #[arg(long, default_value = "scripts/peers")]
    scripts: PathBuf,
    /// Where `scripts/bench-peers` has installed what they need.
    #[arg(long, default_value = "target/bench-peers")]
    tools: PathBuf,
    #[command(flatten)]
    common: Common,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// What one did.
struct Row {
    name: String,
    accounts: usize,
    records: u64,
    objects: usize,
    bytes: u64,
    ended: Ended,
    servers: Spent,
}

pub(crate) async fn measure(options: &Options) -> Result<()> {
    let bed = Bed::start(&options.common, &["autovacuum=off"]).await?;
    let (records, accounts) = (options.records, options.accounts);
    let account =
        format!("CASE WHEN i < {records} THEN '{LARGE}' ELSE {} END", small(&format!("i % {accounts}")));
    let count = records + accounts * options.small_records;
    let source = bed.source(&Records { count, account: &account, seed: options.common.seed }).await?;
    let (large, many): (Contents, Contents) =
        expected(&source, ZONE).await?.into_iter().partition(|(account, _)| account == LARGE);
    println!("one window of {records} records; {accounts} windows of {} records", options.small_records);
    let mut wrong = Vec::new();
    for (title, contents) in [("one window", &large), ("many windows", &many)] {
        if contents.is_empty() {
            continue;
        }
        let mut rows = Vec::new();
        if options.wants(OURS) {
            for compression in &options.compression {
                rows.push(ours(&bed, &source, contents, title, compression).await?);
            }
        }
        for script in files(&options.scripts)? {
            let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if !options.wants(&name) {
                continue;
            }
            match peer(&bed, &source, &options.tools, &script, contents, title) {
                Ok(row) => rows.push(row),
                Err(error) => wrong.push(format!("{name}, {title}: {error}")),
            }
        }
        println!("{}\n", table(title, &rows));
    }
    if wrong.is_empty() {
        println!("each has delivered the records of its accounts, by their number; ours by their hashes too");
        return Ok(());
    }
    Err(wrong.join("\n").into())
}

/// The program itself.
async fn ours(bed: &Bed, source: &str, contents: &Contents, title: &str, compression: &str) -> Result<Row> {
    let prefix = prefix(&format!("{OURS} {compression}"), title);
    let (ended, servers) = if contents.contains_key(LARGE) {
        let measured = window::one(bed, source, &prefix, compression).await?;
        (measured.ended, measured.servers)
    } else {
        let windows = contents.len() as u64;
        let accounts = herd::accounts(windows);
        let herd =
            Herd { accounts: &accounts, windows, workers: 1, prefix: &prefix, lead: 2, crowd: 0, tails: 0 };
        let (databases, slot) = herd::prepare(bed, source, &herd, &window::level(compression)).await?;
        until(slot).await?;
        window::to_its_end(bed, &databases)?
    };
    let delivered = bed.delivered(&prefix);
    if bed.common.spoil {
        spoil(&delivered)?;
    }
    let checked = check(&delivered, contents)?;
    row(format!("{OURS}, {compression}"), &delivered, contents.len(), checked.records, ended, servers)
}

/// Letters that every program leaves as they are.
fn prefix(name: &str, title: &str) -> String {
    format!("{name}_{title}").replace([' ', '-'], "_")
}

/// A script, for as many accounts as it says.
fn peer(
    bed: &Bed,
    source: &str,
    tools: &Path,
    script: &Path,
    contents: &Contents,
    title: &str,
) -> Result<Row> {
    let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(script)?;
    let fewer = text.lines().find_map(|line| line.strip_prefix(FEWER)?.trim().parse().ok());
    let ids: Vec<&str> = contents.keys().map(String::as_str).take(fewer.unwrap_or(usize::MAX)).collect();
    let accounts = folder("settings").join("accounts.txt");
    std::fs::write(&accounts, ids.join("\n") + "\n")?;
    let prefix = prefix(&name, title);
    let tools = tools.canonicalize().map_err(|error| format!("{}: {error}", tools.display()))?;
    let mut command = if script.extension().is_some_and(|end| end == "py") {
        let tool = name.split('-').next().unwrap_or_default();
        Command::new(tools.join(tool).join("bin/python"))
    } else {
        Command::new("bash")
    };
    let log = folder("settings").join("peer.log");
    command.arg(script.canonicalize()?).stdin(Stdio::null()).current_dir(folder("peer"));
    command.stdout(std::fs::File::create(&log)?).stderr(std::fs::File::options().append(true).open(&log)?);
    command.envs([
        ("SOURCE", source),
        ("ENDPOINT", &bed.endpoint),
        ("BUCKET", BUCKET),
        ("PREFIX", &prefix),
        ("AWS_ACCESS_KEY_ID", "load"),
        ("AWS_SECRET_ACCESS_KEY", "load"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"),
    ]);
    command.env("ACCOUNTS", &accounts).env("TOOLS", &tools);
    let before = bed.spent();
    let ended = usage::run(&mut command).map_err(|error| format!("it does not start: {error}"))?;
    let servers = bed.spent().since(before);
    if !ended.status.success() {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        return Err(format!("{}: {}", ended.status, said.lines().last().unwrap_or_default()).into());
    }
    let delivered = bed.objects.join(BUCKET).join(&prefix);
    let (found, _) = read(&delivered)?;
    // Some change signs in names.
    let known: BTreeSet<String> = ids.iter().map(|id| id.replace('-', "_")).collect();
    let found: u64 = found
        .iter()
        .filter(|(account, _)| known.contains(&account.replace('-', "_")))
        .map(|(_, content)| content.records)
        .sum();
    let wanted: u64 = ids.iter().filter_map(|id| contents.get(*id)).map(|content| content.records).sum();
    if found != wanted {
        return Err(format!("it has delivered {found} of {wanted} records").into());
    }
    row(name, &delivered, ids.len(), wanted, ended, servers)
}

fn row(
    name: String,
    folder: &Path,
    accounts: usize,
    records: u64,
    ended: Ended,
    servers: Spent,
) -> Result<Row> {
    let objects = files(folder)?;
    let bytes = size(&objects);
    Ok(Row { name, accounts, records, objects: objects.len(), bytes, ended, servers })
}

fn table(title: &str, rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        title,
        "accounts",
        "rows/s",
        "accounts/s",
        "wall s",
        "its CPU s",
        "Postgres CPU s",
        "store CPU s",
        "peak MB",
        "objects",
        "output MB",
    ]);
    for row in rows {
        let Ended { wall, cpu, peak, .. } = row.ended;
        let mega = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        table.add_row([
            row.name.clone(),
            row.accounts.to_string(),
            format!("{:.0}", row.records as f64 / wall),
            format!("{:.1}", row.accounts as f64 / wall),
            format!("{wall:.2}"),
            format!("{cpu:.2}"),
            format!("{:.2}", row.servers.postgres),
            format!("{:.2}", row.servers.store),
            mega(peak),
            row.objects.to_string(),
            mega(row.bytes),
        ]);
    }
    table
}
