//! A ledger of a hundred thousand accounts: what it costs while nothing is due, and a slot
//! that a quarter of them share.

use auditferry_core::model::schedule::Schedule;
use clap::Args;
use comfy_table::Table;
use jiff::{SignedDuration, Timestamp};

use crate::Result;
use crate::bed::{Bed, Common, Databases, Spent, Worker, execute, reached, until};
use crate::content::{check, spoil};
use crate::lateness;
use crate::ledger::{self, COUNTING, Delivered, Work};
use crate::records::{Records, expected, small};
use crate::zones::{Share, next, shares};

/// Every four hours of local time, as by default.
const SCHEDULE: &str = "0 0 */4 * * *";
/// The zone whose accounts have records; it has the slot that is measured.
const BUSY: &str = "Asia/Shanghai";
/// Records of an account that has some.
const RECORDS: u64 = 10;

#[derive(Args)]
pub(crate) struct Options {
    /// Accounts; several numbers are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    accounts: Vec<u64>,
    /// For how many seconds the idle worker is looked at.
    #[arg(long, default_value_t = 60)]
    idle: u32,
    /// Of a hundred accounts of the slot, how many have new records.
    #[arg(long, default_value_t = 1)]
    busy: u64,
    #[command(flatten)]
    common: Common,
}

/// What was used while nothing was due.
struct Idle {
    seconds: f64,
    cpu: f64,
    peak: u64,
    servers: Spent,
    ledger: Work,
}

/// What a slot took, in seconds since it came.
struct Slot {
    share: u64,
    planned: f64,
    closed: f64,
    cpu: f64,
    peak: u64,
    servers: Spent,
    ledger: Work,
    delivered: Delivered,
}

pub(crate) async fn measure(options: &Options) -> Result<()> {
    let bed = Bed::start(&options.common, &COUNTING).await?;
    ledger::count_statements(&bed).await?;
    let (mut idle_table, mut slot_table) = (Table::new(), Table::new());
    for table in [&mut idle_table, &mut slot_table] {
        table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    }
    idle_table.set_header([
        "idle: accounts",
        "worker CPU % of a core",
        "peak MB",
        "Postgres CPU % of a core",
        "ledger transactions/min",
        "ledger statements/min",
    ]);
    let columns = [
        "slot: accounts",
        "share it",
        "planned s",
        "closed s",
        "windows/s",
        "worker CPU s",
        "Postgres CPU s",
        "peak MB",
        "ledger statements per window",
        "objects",
    ];
    slot_table.set_header(columns.into_iter().chain(lateness::HEADER));
    for (round, accounts) in options.accounts.iter().enumerate() {
        let (idle, slot) = one(&bed, options, *accounts, &round.to_string()).await?;
        idle_table.add_row(idle_cells(*accounts, &idle));
        slot_table.add_row(slot_cells(*accounts, &slot));
    }
    println!("{idle_table}\n{slot_table}");
    println!("every slot: each account's records once, bytes and hashes as PostgreSQL writes them");
    Ok(())
}

/// One ledger: the idle minutes, then the slot.
async fn one(bed: &Bed, options: &Options, accounts: u64, prefix: &str) -> Result<(Idle, Slot)> {
    let schedule = Schedule::parse(SCHEDULE)?;
    let shares = shares(accounts)?;
    // The newest slot of UTC, with everybody whose clocks differ by a multiple of four hours.
    let now = Timestamp::now();
    let slot = Timestamp::from_second(now.as_second() / 14_400 * 14_400)?;
    let (mut due, mut busy) = (Vec::new(), None);
    for share in &shares {
        if schedule.newest_at(share.zone.rules(), slot) == Some(slot) {
            due.push(share);
            busy = busy.or((share.zone.name() == BUSY).then_some(share));
        }
    }
    let sharing: u64 = due.iter().map(|share| share.count).sum();
    let busy = busy.ok_or("the busy zone has no accounts")?;
    let with_records = (sharing * options.busy / 100).clamp(1, busy.count);
    let account = small(&format!("{} + i / {RECORDS}", busy.first));
    let records = Records { count: with_records * RECORDS, account: &account, seed: options.common.seed };
    let source = bed.source(&records).await?;
    let contents = expected(&source, BUSY).await?;

    // No other slot comes before this has ended.
    let databases = bed.ledger(&source).await?;
    let rows = rows(&schedule, &shares, now + SignedDuration::from_hours(2))?;
    ledger::add(bed, &databases, &format!("{prefix}/"), "", &rows).await?;
    let worker = Worker::start(bed, &databases)?;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let idle = idle(bed, &databases, &worker, options.idle).await?;
    let slot = take(bed, &databases, &due, slot, worker).await?;
    let folder = bed.delivered(prefix);
    if bed.common.spoil {
        spoil(&folder)?;
    }
    check(&folder, &contents)?;
    Ok((idle, slot))
}

/// The accounts in no order, as they come in years.
fn rows(schedule: &Schedule, shares: &[Share], after: Timestamp) -> Result<String> {
    let mut values = Vec::new();
    for Share { zone, first, count } in shares {
        let slot = next(schedule, zone, after)?;
        values.push(format!("('{}', {first}, {count}, '{slot}'::timestamptz)", zone.name()));
    }
    Ok(format!(
        "SELECT {} AS id, zone, '{SCHEDULE}' AS schedule, slot \
         FROM (VALUES {}) AS zones (zone, first, count, slot), \
         generate_series(first, first + count - 1) AS number ORDER BY hashint8extended(number, 1)",
        small("number"),
        values.join(", ")
    ))
}

async fn idle(bed: &Bed, databases: &Databases, worker: &Worker, seconds: u32) -> Result<Idle> {
    let before = (worker.cpu(), bed.spent(), Work::of(&databases.ledger).await?);
    tokio::time::sleep(std::time::Duration::from_secs(u64::from(seconds))).await;
    Ok(Idle {
        seconds: f64::from(seconds),
        cpu: worker.cpu() - before.0,
        peak: worker.peak(),
        servers: bed.spent().since(before.1),
        ledger: Work::of(&databases.ledger).await?.since(before.2),
    })
}

/// Lets the slot come to all that share it, in some seconds: the worker sees it as one that
/// it has not served yet.
async fn take(
    bed: &Bed,
    databases: &Databases,
    due: &[&Share],
    slot: Timestamp,
    worker: Worker,
) -> Result<Slot> {
    let share: u64 = due.iter().map(|share| share.count).sum();
    let names: Vec<String> = due.iter().map(|share| format!("'{}'", share.zone.name())).collect();
    let wait = i64::try_from(10 + share / 5_000)?;
    let comes = Timestamp::from_second(Timestamp::now().as_second() + wait)?;
    let sql = format!(
        "UPDATE account SET next_slot = '{slot}', due_at = '{comes}', \
         last_slot = '{slot}'::timestamptz - interval '4 hours' WHERE zone IN ({})",
        names.join(", ")
    );
    execute(&databases.ledger, &sql).await?;
    execute(&databases.ledger, "VACUUM ANALYZE account").await?;
    until(comes - SignedDuration::from_millis(500)).await?;
    let mut workers = [worker];
    let before = (workers[0].cpu(), bed.spent(), Work::of(&databases.ledger).await?);
    let planned = "SELECT count(*) FROM export_window";
    reached(&databases.ledger, planned, share, &mut workers).await?;
    let planned = seconds_since(comes);
    let closed = "SELECT count(*) FROM export_window WHERE state <> 'open'";
    reached(&databases.ledger, closed, share, &mut workers).await?;
    let closed = seconds_since(comes);
    let [worker] = workers;
    let (cpu, peak, servers) = (worker.cpu() - before.0, worker.peak(), bed.spent().since(before.1));
    worker.stop()?;
    let delivered = ledger::delivered(&databases.ledger, Some(comes)).await?;
    let ledger = Work::of(&databases.ledger).await?.since(before.2);
    Ok(Slot { share, planned, closed, cpu, peak, servers, ledger, delivered })
}

fn seconds_since(at: Timestamp) -> f64 {
    Timestamp::now().duration_since(at).as_secs_f64()
}

fn idle_cells(accounts: u64, idle: &Idle) -> [String; 6] {
    let per_minute = |count: u64| format!("{:.0}", count as f64 * 60.0 / idle.seconds);
    [
        accounts.to_string(),
        format!("{:.2}", 100.0 * idle.cpu / idle.seconds),
        format!("{:.1}", idle.peak as f64 / 1e6),
        format!("{:.2}", 100.0 * idle.servers.postgres / idle.seconds),
        per_minute(idle.ledger.transactions),
        per_minute(idle.ledger.statements),
    ]
}

fn slot_cells(accounts: u64, slot: &Slot) -> impl Iterator<Item = String> {
    [
        accounts.to_string(),
        slot.share.to_string(),
        format!("{:.2}", slot.planned),
        format!("{:.2}", slot.closed),
        format!("{:.0}", slot.share as f64 / slot.closed),
        format!("{:.2}", slot.cpu),
        format!("{:.2}", slot.servers.postgres),
        format!("{:.1}", slot.peak as f64 / 1e6),
        format!("{:.2}", slot.ledger.statements as f64 / slot.share as f64),
        slot.delivered.objects.to_string(),
    ]
    .into_iter()
    .chain(lateness::cells(&slot.delivered.small))
}
