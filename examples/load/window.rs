//! One large window of one account.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;

use crate::records::{ACCOUNT, ZONE, expected, hex, insert};
use crate::support::folder;
use crate::support::postgres::Cluster;
use crate::usage::{self, Ended, Killed};
use crate::{Result, program};

const BUCKET: &str = "load";

#[derive(Args)]
pub(crate) struct Options {
    /// Records of the window.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// What the records are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The export's `compression`; several are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "6")]
    compression: Vec<String>,
    /// How often each is measured.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// A setting of the program, such as `AUDITFERRY__WORKER__READ_AHEAD=0`.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Does not compare the size with that of `zip -6`.
    #[arg(long)]
    no_zip: bool,
    /// Leaves the servers running once the records are there, for other programs, and says
    /// where they are; ends when its input does.
    #[arg(long)]
    hold: bool,
}

/// What one run used.
struct Measured {
    compression: String,
    ended: Ended,
    postgres: f64,
    store: f64,
    objects: Vec<PathBuf>,
    bytes: u64,
}

pub(crate) async fn measure(options: &Options) -> Result<()> {
    let settings = ["shared_buffers=512MB", "max_wal_size=8GB", "autovacuum=off"];
    let cluster = Cluster::start("load", &settings);
    let postmaster = postmaster(&cluster).await?;
    let objects = folder("objects");
    let (store, endpoint) = start_store(&objects)?;
    let mut runs = Vec::new();
    let mut zipped = None;
    let source = cluster.create().await;
    let url = cluster.url(&source);
    prepare(&url, options).await?;
    let (bytes, sha256) = expected(&url).await?;
    println!("{} records, {bytes} bytes of JSON, SHA-256 {sha256}", options.records);
    if options.hold {
        return hold(&url, &endpoint);
    }
    for (round, compression) in (0..options.runs).flat_map(|_| &options.compression).enumerate() {
        let ledger = cluster.url(&cluster.create().await);
        let folder = objects.join(BUCKET).join(round.to_string());
        configure(&ledger, &url, &endpoint, compression, &format!("{round}/"), options)?;
        // Its first slot comes in the next second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let before = (usage::family(postmaster), usage::own(store.0.id()));
        let ended = usage::run(settled(&ledger, &url, options)?.args(["run", "--until-idle"]))?;
        if !ended.status.success() {
            return Err(format!("the worker ended with {}", ended.status).into());
        }
        let after = (usage::family(postmaster), usage::own(store.0.id()));
        let objects = files(&folder.join("audit").join(ACCOUNT))?;
        check(&objects, options.records, bytes, &sha256)?;
        runs.push(Measured {
            compression: compression.clone(),
            ended,
            postgres: after.0 - before.0,
            store: after.1 - before.1,
            bytes: objects.iter().map(|path| path.metadata().map_or(0, |about| about.len())).sum(),
            objects,
        });
    }
    if !options.no_zip && usage::installed("zip") {
        zipped = runs.first().map(|run| zip_size(&run.objects)).transpose()?;
    }
    println!("{}", table(&runs, options.records, zipped));
    println!("every run: {} records, bytes and hash as PostgreSQL writes them", options.records);
    Ok(())
}

/// The parent of all server processes.
async fn postmaster(cluster: &Cluster) -> Result<u32> {
    let mut connection = cluster.connect("postgres").await;
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
    connection.close().await?;
    usage::parent(u32::try_from(backend)?).ok_or_else(|| "the server's process is not in /proc".into())
}

fn start_store(folder: &Path) -> Result<(Killed, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["store", "--folder"]).arg(folder).stdout(Stdio::piped());
    let mut store = Killed(command.spawn()?);
    let mut address = String::new();
    let output = store.0.stdout.take().ok_or("the store has no output")?;
    BufReader::new(output).read_line(&mut address)?;
    Ok((store, format!("http://{}", address.trim())))
}

/// The program with its settings.
fn settled(ledger: &str, source: &str, options: &Options) -> Result<Command> {
    let mut command = program()?;
    command.env("AUDITFERRY__LEDGER__URL", ledger).env("AUDITFERRY__SOURCE__URL", source);
    command.env("AUDITFERRY__LOG__LEVEL", "warn").stdin(Stdio::null());
    for setting in &options.settings {
        let (name, value) = setting.split_once('=').ok_or("--set: write NAME=VALUE")?;
        command.env(name, value);
    }
    Ok(command)
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

async fn prepare(url: &str, options: &Options) -> Result<()> {
    succeed(settled(url, url, options)?.arg("migrate"))?;
    insert(url, options.records, options.seed).await
}

/// The account, its destination and its add-on.
fn configure(
    ledger: &str,
    source: &str,
    endpoint: &str,
    compression: &str,
    prefix: &str,
    options: &Options,
) -> Result<()> {
    let files = folder("settings");
    let (secret, exports) = (files.join("secret"), files.join("exports.toml"));
    std::fs::write(&secret, "load")?;
    let level =
        compression.parse::<u32>().map_or_else(|_| format!("'{compression}'"), |level| level.to_string());
    let text = format!(
        "[[export]]\naccount = '{ACCOUNT}'\nzone = '{ZONE}'\nschedule = '* * * * * *'\nstart = 'beginning'\n\
         compression = {level}\naddon = {{ enabled = true }}\n\
         destination = {{ kind = 's3', allow_http = true, bucket = '{BUCKET}', region = 'us-east-1', \
         endpoint = '{endpoint}', prefix = '{prefix}', \
         credentials = {{ access_key = {{ id = 'load', secret = {{ file = '{}' }} }} }} }}\n",
        secret.display()
    );
    std::fs::write(&exports, text)?;
    succeed(settled(ledger, source, options)?.arg("migrate"))?;
    succeed(settled(ledger, source, options)?.arg("apply").arg(&exports))
}

/// The objects in the order of their keys.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

/// That the objects, unpacked one after the other by `unzip`, are the expected lines.
fn check(objects: &[PathBuf], records: u64, bytes: u64, sha256: &str) -> Result<()> {
    let (mut lines, mut length, mut hash) = (0, 0, Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    for object in objects {
        let mut unzip = Command::new("unzip").arg("-p").arg(object).stdout(Stdio::piped()).spawn()?;
        let mut output = unzip.stdout.take().ok_or("unzip has no output")?;
        loop {
            let read = output.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
            length += read as u64;
            hash.update(&buffer[..read]);
        }
        let status = unzip.wait()?;
        if !status.success() {
            return Err(format!("unzip {}: {status}", object.display()).into());
        }
    }
    let found = hex(&hash.finalize());
    if (lines, length, found.as_str()) == (records, bytes, sha256) {
        return Ok(());
    }
    Err(format!(
        "wrong content: {lines} records of {records}, {length} bytes of {bytes}, SHA-256 {found} of {sha256}"
    )
    .into())
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
            format!("{:.2}", run.postgres),
            format!("{:.2}", run.store),
            format!("{:.0} %", 100.0 * (cpu + run.postgres) / wall / cores as f64),
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
