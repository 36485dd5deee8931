//! Pages of records and a download, of one account with very many records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auditferry::base::clock::{Clock, SystemClock};
use auditferry::base::zones::Zones;
use auditferry::operations::admin::Admin;
use auditferry::operations::downloads::DownloadDesk;
use auditferry::operations::downloads::folder::Folder;
use auditferry::operations::downloads::maker::DownloadMaker;
use auditferry::operations::downloads::shelf::Shelf;
use auditferry::source::{Browser, Look, SourceError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::download::{DownloadState, FileFormat, Wish};
use auditferry_core::model::record_query::{RecordFilter, TimeSpan, Turn, Wanted};
use clap::Args;
use comfy_table::Table;
use jiff::SignedDuration;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::bed::{Bed, Common, succeed};
use crate::lateness::percentile;
use crate::records::{self, LARGE, Records, ZONE};
use crate::support::folder;

#[derive(Args)]
pub(crate) struct Options {
    /// Records of the account.
    #[arg(long, default_value_t = 20_000_000)]
    records: u64,
    /// How often each page is asked for.
    #[arg(long, default_value_t = 11)]
    times: usize,
    /// Records of the download; 0: none.
    #[arg(long, default_value_t = 5_000_000)]
    download: u64,
    /// Rows of the comparison of inserts; 0: none.
    #[arg(long, default_value_t = 500_000)]
    inserts: u64,
    #[command(flatten)]
    common: Common,
}

/// How long a page may take here: as in the program.
const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) async fn measure(options: &Options) -> Result<()> {
    let bed = Bed::start(&options.common, &[]).await?;
    let account = format!("'{LARGE}'");
    let source =
        bed.source(&Records { count: options.records, account: &account, seed: options.common.seed }).await?;
    let browser = auditferry::source::open_browser(&source, 4, PATIENCE).await?;
    pages(options, &*browser).await?;
    if options.download > 0 {
        download(options, &bed, &source, browser).await?;
    }
    if options.inserts > 0 {
        inserts(options, &bed).await?;
    }
    Ok(())
}

async fn pages(options: &Options, browser: &dyn Browser) -> Result<()> {
    let id: AccountId = LARGE.parse()?;
    let text = |text: &str| RecordFilter { text: Some(text.to_owned()), ..Default::default() };
    let filters = [
        ("the first page, no filter", RecordFilter::default(), Turn::First),
        (
            "an action of one record in ten",
            RecordFilter { action: Some("role.granted".to_owned()), ..Default::default() },
            Turn::First,
        ),
        (
            "a user of one record in 8,000",
            RecordFilter { user: Some(Wanted::Prefix("ana.7@acme".to_owned())), ..Default::default() },
            Turn::First,
        ),
        ("a text of one record in eight", text("quarterly report"), Turn::First),
        ("a text of one record in 1,000,000", text("in session 777777"), Turn::First),
        ("a text of no record", text("no such words"), Turn::First),
    ];
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["records", "page", "p50 ms", "max ms", "found", "counted up to 10,001, p50 ms"]);
    for (name, filter, turn) in filters {
        let look = Look { span: TimeSpan::ever(), filter: &filter };
        let (mut took, mut counting, mut found) = (Vec::new(), Vec::new(), String::new());
        for _ in 0..options.times {
            let began = Instant::now();
            match browser.page(&id, &look, &turn, 50).await {
                Ok(page) => found = page.records.len().to_string(),
                Err(SourceError::TooSlow(_)) => "too slow".clone_into(&mut found),
                Err(error) => return Err(error.into()),
            }
            took.push(began.elapsed().as_secs_f64() * 1000.0);
            if found == "too slow" {
                break;
            }
            let began = Instant::now();
            match browser.count(&id, &look, 10_001).await {
                Ok(_) => counting.push(began.elapsed().as_secs_f64() * 1000.0),
                Err(SourceError::TooSlow(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        took.sort_by(f64::total_cmp);
        counting.sort_by(f64::total_cmp);
        let counted = if counting.is_empty() {
            "too slow".to_owned()
        } else {
            format!("{:.1}", percentile(&counting, 50))
        };
        table.add_row([
            options.records.to_string(),
            name.to_owned(),
            format!("{:.1}", percentile(&took, 50)),
            format!("{:.1}", percentile(&took, 100)),
            found,
            counted,
        ]);
    }
    // A page in the middle: the place of a record is made of its time and number.
    let filter = RecordFilter::default();
    let middle: jiff::Timestamp = "2026-11-01T00:00:00Z".parse()?;
    let half = i64::try_from(options.records / 2)? * 37_123;
    let look = Look { span: TimeSpan::ever(), filter: &filter };
    let at = auditferry_core::model::record_query::Place(format!("{}_{}", middle.as_microsecond() + half, 0));
    for (name, turn) in
        [("older, from the middle", Turn::Older(at.clone())), ("newer, from the middle", Turn::Newer(at))]
    {
        let mut took = Vec::new();
        let mut found = 0;
        for _ in 0..options.times {
            let began = Instant::now();
            found = browser.page(&id, &look, &turn, 50).await?.records.len();
            took.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        took.sort_by(f64::total_cmp);
        let (p50, most) = (percentile(&took, 50), percentile(&took, 100));
        table.add_row([
            options.records.to_string(),
            name.to_owned(),
            format!("{p50:.1}"),
            format!("{most:.1}"),
            found.to_string(),
            String::new(),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// The most memory that this process had, in MiB.
fn peak() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kib.parse::<u64>()? / 1024)
}

async fn download(options: &Options, bed: &Bed, source: &str, browser: Arc<dyn Browser>) -> Result<()> {
    let databases = bed.ledger(source).await?;
    succeed(bed.program(&databases)?.args(["account", "add", LARGE, "--zone", ZONE]))?;
    let ledger = auditferry::ledger::open(&databases.ledger, 4, false).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let own = auditferry::source::open(source, 4).await?;
    let admin = Admin { ledger, source: own, clock, zones: Zones::load() };
    let shelf = Shelf::Folder(Folder::take(&folder("downloads")).await?);
    let desk = DownloadDesk { shelf, keep: SignedDuration::from_hours(1) };
    let account: AccountId = LARGE.parse()?;
    let from: jiff::Timestamp = "2026-11-01T00:00:00Z".parse()?;
    let length = i64::try_from(options.download.min(options.records))? * 37_123;
    let to = jiff::Timestamp::from_microsecond(from.as_microsecond() + length)?;
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["format", "records", "MB", "seconds", "records/s", "peak MiB of the process"]);
    for format in [FileFormat::Csv, FileFormat::Ndjson] {
        let wish = Wish {
            span: TimeSpan { from, to },
            filter: RecordFilter::default(),
            zone: ZONE.to_owned(),
            format,
        };
        let stop = CancellationToken::new();
        let maker = DownloadMaker::new(&admin, Arc::clone(&browser), &desk, 1);
        let id = desk.ask(&admin, &account, "load", (format.as_str(), wish), None).await?;
        let began = Instant::now();
        let making = tokio::spawn(maker.run(stop.clone()));
        let made = loop {
            let download = admin.ledger.download(&account, &id).await?.ok_or("it is gone")?;
            match download.state {
                DownloadState::Completed => break download,
                DownloadState::Failed => return Err("the download has failed".into()),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let seconds = began.elapsed().as_secs_f64();
        stop.cancel();
        making.await?;
        let bytes = made.made.as_ref().map_or(0, |made| made.bytes);
        table.add_row([
            format.as_str().to_owned(),
            made.records.to_string(),
            format!("{:.0}", bytes as f64 / 1e6),
            format!("{seconds:.1}"),
            format!("{:.0}", made.records as f64 / seconds),
            peak()?.to_string(),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// What the index by time costs an insert: the same rows into two empty tables, with it and without it.
async fn inserts(options: &Options, bed: &Bed) -> Result<()> {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "index by time",
        "rows",
        "rows of a transaction",
        "seconds",
        "µs a row",
        "MB of indexes",
    ]);
    let account = "'acct-' || i % 50";
    for batch in [1_000_u64, 10_000] {
        for with in [false, true, false, true] {
            let url = bed.source(&Records { count: 0, account, seed: 1 }).await?;
            let mut connection = PgConnection::connect(&url).await?;
            if !with {
                sqlx::raw_sql("DROP INDEX audit_log_time").execute(&mut connection).await?;
            }
            sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await?;
            let records = Records { count: options.inserts, account, seed: 1 };
            let began = Instant::now();
            for from in (0..options.inserts).step_by(usize::try_from(batch)?) {
                let numbers = from..options.inserts.min(from + batch);
                records::insert_some(&mut connection, &records, numbers).await?;
            }
            let seconds = began.elapsed().as_secs_f64();
            let bytes: i64 =
                sqlx::query_scalar(AssertSqlSafe("SELECT pg_indexes_size('audit_log')".to_owned()))
                    .fetch_one(&mut connection)
                    .await?;
            table.add_row([
                if with { "with" } else { "without" }.to_owned(),
                options.inserts.to_string(),
                batch.to_string(),
                format!("{seconds:.2}"),
                format!("{:.1}", seconds * 1e6 / options.inserts as f64),
                format!("{:.0}", bytes as f64 / 1e6),
            ]);
            connection.close().await?;
        }
    }
    println!("{table}");
    Ok(())
}
