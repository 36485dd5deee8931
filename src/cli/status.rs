//! `auditferry status`: one look at everything.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::output::Column;
use super::{CliResult, Context, output};
use crate::operations::status::{EndingSoon, Ends, FailingAccount, Status, WorkerState, WorkerStatus};
use auditferry_core::model::instant::span_text;
use auditferry_core::model::worker::WaitsFor;
use auditferry_core::text::count::counted;

/// Moves to the upper left corner, and clears what is below.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// How often it is shown anew.
const REFRESH: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(super) struct StatusArgs {
    /// Show it again every two seconds, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// For a program.
    #[arg(long, conflicts_with = "watch")]
    json: bool,
}

pub(super) async fn status(context: &Context, args: &StatusArgs) -> CliResult {
    let service = context.service(None).await?;
    let place = service.place();
    loop {
        let status = service.status().await?;
        if args.json {
            output::json(&status);
            return Ok(());
        }
        if args.watch && std::io::stdout().is_terminal() {
            output::text(CLEAR);
        }
        print(&status, &place);
        if !args.watch {
            return Ok(());
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(REFRESH) => output::line(""),
        }
    }
}

fn print(status: &Status, (kind, place): &(&'static str, String)) {
    let ago = |at: Timestamp| format!("{} ago", span_text(status.at.duration_since(at)));
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(none) = &status.no_worker {
        facts.push(("worker", none.clone()));
    }
    facts.push((*kind, place.clone()));
    facts.push(("accounts", accounts(status)));
    if let Some(oldest) = &status.oldest_undelivered {
        let record = oldest
            .oldest_record
            .map_or_else(String::new, |at| format!("; its oldest record waits since {}", output::utc(at)));
        let slot = output::utc(oldest.slot);
        facts.push((
            "undelivered",
            format!("the oldest slot is of {}: {slot} ({}){record}", oldest.account, ago(oldest.slot)),
        ));
    }
    let slots: Vec<String> = status
        .next_slots
        .iter()
        .map(|slot| format!("{} {}", output::utc(slot.at), counted(slot.accounts, "account")))
        .collect();
    facts.push(("next slots", if slots.is_empty() { "none".to_owned() } else { slots.join(", ") }));
    output::facts(&facts);
    workers(status, &ago);
    failing(status);
    ending(status);
    chores(status, &ago);
}

fn accounts(status: &Status) -> String {
    let counts: Vec<String> =
        status.accounts.iter().map(|count| format!("{} {}", count.accounts, count.health.as_str())).collect();
    if counts.is_empty() { "none yet".to_owned() } else { counts.join(", ") }
}

const WORKERS: [Column; 6] = [
    Column::new("WORKER"),
    Column::new("STATE").painted(output::paint::worker),
    Column::new("SEEN"),
    Column::new("LEASES").expendable(1),
    Column::new("VERSION").expendable(2),
    Column::text("DOING"),
];

fn workers(status: &Status, ago: &dyn Fn(Timestamp) -> String) {
    let row = |worker: &WorkerStatus| {
        vec![
            worker.id.clone(),
            worker.state.as_str().to_owned(),
            ago(worker.seen_at),
            worker.leases.to_string(),
            worker.version.clone(),
            doing(worker),
        ]
    };
    let rows: Vec<_> = status.workers.iter().map(row).collect();
    section("Workers", &WORKERS, &rows);
}

fn doing(worker: &WorkerStatus) -> String {
    if worker.state != WorkerState::Running {
        return "-".to_owned();
    }
    let mut parts = Vec::new();
    if let Some(problem) = &worker.problem {
        parts.push(problem.clone());
    }
    if worker.exports > 0 {
        let more = if worker.exports > worker.accounts.len() as u64 { ", …" } else { "" };
        parts.push(format!("exports {}{more}", worker.accounts.join(", ")));
    }
    if worker.planning {
        parts.push("plans windows".to_owned());
    }
    match worker.waits_for {
        WaitsFor::Drain => parts.push("stops".to_owned()),
        _ if !parts.is_empty() => {}
        WaitsFor::Slot { .. } => parts.push("waits for the next slot".to_owned()),
        _ => parts.push("looks for work".to_owned()),
    }
    if worker.clock_ahead_seconds.abs() > 1 {
        let (by, how) = (worker.clock_ahead_seconds.unsigned_abs(), worker.clock_ahead_seconds > 0);
        parts.push(format!("its clock is {by} s {}", if how { "ahead" } else { "behind" }));
    }
    parts.join("; ")
}

const FAILING: [Column; 5] = [
    Column::new("ACCOUNT"),
    Column::new("HEALTH").painted(output::paint::health),
    Column::new("SINCE").expendable(1),
    Column::text("REASON"),
    Column::text("FIX"),
];

fn failing(status: &Status) {
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |account: &FailingAccount| {
        vec![
            account.account.to_string(),
            account.health.as_str().to_owned(),
            output::maybe_utc(account.since),
            dash(&account.reason),
            dash(&account.fix),
        ]
    };
    let rows: Vec<_> = status.failing.first.iter().map(row).collect();
    section("Failing, for the longest first", &FAILING, &rows);
    rest(rows.len(), status.failing.total, "auditferry account ls --failing --sort oldest --all");
}

const ENDING: [Column; 3] = [Column::new("ACCOUNT"), Column::new("WHAT"), Column::new("ENDS")];

fn ending(status: &Status) {
    let row = |ending: &EndingSoon| {
        let when = output::relative(ending.at, status.at);
        let what = match ending.what {
            Ends::AddOn => "add-on",
            Ends::Credentials => "credentials",
        };
        vec![ending.account.to_string(), what.to_owned(), format!("{} ({when})", output::utc(ending.at))]
    };
    let rows: Vec<_> = status.ending.first.iter().map(row).collect();
    section("Ending within 30 days", &ENDING, &rows);
    rest(rows.len(), status.ending.total, "auditferry account ls --ending-within 30d --all");
}

const CHORES: [Column; 4] =
    [Column::new("WORKER"), Column::new("CHORE"), Column::new("FAILS SINCE"), Column::text("ERROR")];

fn chores(status: &Status, ago: &dyn Fn(Timestamp) -> String) {
    let rows: Vec<_> = status
        .failing_chores
        .iter()
        .map(|chore| {
            let since = format!("{} ({})", output::utc(chore.since), ago(chore.since));
            vec![chore.worker.clone(), chore.chore.clone(), since, chore.error.clone()]
        })
        .collect();
    section("Chores that fail", &CHORES, &rows);
}

/// A table below its title; nothing when it is empty.
fn section(title: &str, columns: &[Column], rows: &[Vec<String>]) {
    if !rows.is_empty() {
        output::line(format!("\n{title}"));
        output::table(columns, rows, "");
    }
}

fn rest(shown: usize, total: u64, command: &str) {
    if total > shown as u64 {
        output::line(format!("{shown} of {total} shown; `{command}` shows the rest"));
    }
}
