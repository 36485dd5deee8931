//! `auditferry deliveries …`

use clap::Subcommand;

use super::context::looked_in;
use super::output::Column;
use super::{CliResult, Context, ListArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::destinations::fix::fix;
use crate::ledger::{AttemptRow, DeliveryRow, SkippedRecord, TroubleKind, WindowRow};
use crate::operations::deliveries::DeliveryView;
use crate::source::WAITING_LIMIT;
use auditferry_core::model::account::AccountId;

#[derive(Subcommand)]
pub(super) enum DeliveriesCommand {
    /// List objects, the newest first; with --undelivered, the oldest first.
    #[command(
        after_help = "Examples:\n  auditferry deliveries ls acme\n  auditferry deliveries ls --undelivered --all\n  auditferry deliveries ls acme --windows"
    )]
    Ls {
        /// Only this account's.
        #[arg(value_parser = account_id, add = account_ids())]
        account: Option<AccountId>,
        /// Only objects that are not delivered yet.
        #[arg(long)]
        undelivered: bool,
        /// Show replays instead: what was put again, when and by whom.
        #[arg(long, conflicts_with = "undelivered")]
        replays: bool,
        /// Show the account's windows instead, also those that were skipped or given up.
        #[arg(long, conflicts_with_all = ["undelivered", "replays"], requires = "account")]
        windows: bool,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Put delivered objects again, while workers go on: missing ones come back under their own names.
    #[command(
        after_help = "Examples:\n  auditferry deliveries replay acme --from audit_acme_20261121T040000Z.zip --to audit_acme_20261122T040000Z.zip --dry-run\n  auditferry deliveries replay acme --from 20261121T040000Z --to 20261122T040000Z --as-new"
    )]
    Replay(super::replay::ReplayArgs),
    /// Show one object: hashes, attempts, and its last error with its fix.
    #[command(after_help = "Examples:\n  auditferry deliveries show acme audit_acme_20261121T040000Z.zip")]
    Show {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// The object's key, or the name at its end.
        key: String,
        /// Print JSON, for a program.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(context: &Context, command: DeliveriesCommand) -> CliResult {
    match command {
        DeliveriesCommand::Replay(args) => super::replay::run(context, &args).await,
        DeliveriesCommand::Ls { account, replays: true, list, .. } => {
            let service = context.service(None).await?;
            let rows = service.replays(account.as_ref(), list.extent()).await?;
            if list.json {
                output::json(&rows.rows);
            } else {
                super::replay::list(&rows.rows, &format!("No replays in {}.", looked_in(&*service)));
            }
            output::rest(&rows, list.json);
            Ok(())
        }
        DeliveriesCommand::Ls { account: Some(account), windows: true, list, .. } => {
            let service = context.service(None).await?;
            let rows = service.windows(&account, list.extent()).await?;
            if list.json {
                output::json(&rows.rows);
            } else {
                list_windows(&rows.rows, &looked_in(&*service));
            }
            output::rest(&rows, list.json);
            Ok(())
        }
        DeliveriesCommand::Ls { account, undelivered, list, .. } => {
            let service = context.service(None).await?;
            let rows = service.deliveries(account.as_ref(), undelivered, list.extent()).await?;
            if list.json {
                output::json(&rows.rows);
            } else {
                list_objects(&rows.rows, undelivered, &looked_in(&*service));
            }
            output::rest(&rows, list.json);
            Ok(())
        }
        DeliveriesCommand::Show { account, key, json } => {
            let view = context.service(None).await?.delivery(&account, &key).await?;
            if json {
                output::json(&view);
            } else {
                print(view);
            }
            Ok(())
        }
    }
}

fn print(DeliveryView { delivery, attempts, replays }: DeliveryView) {
    show(&delivery);
    let ids = store_ids(&attempts);
    let rows: Vec<_> = attempts
        .into_iter()
        .map(|attempt| {
            vec![
                attempt.number.to_string(),
                output::utc(attempt.started_at),
                attempt.outcome.unwrap_or_else(|| "unknown: no answer was stored".to_owned()),
                attempt.worker,
                attempt.message.unwrap_or_else(|| "-".to_owned()),
            ]
        })
        .collect();
    output::line("");
    output::table(&ATTEMPTS, &rows, "No attempts yet.");
    if !ids.is_empty() {
        output::line("");
        output::table(&STORE_IDS, &ids, "");
    }
    if !replays.is_empty() {
        output::line("");
        super::replay::list(&replays, "");
    }
}

const ATTEMPTS: [Column; 5] = [
    Column::new("ATTEMPT"),
    Column::new("STARTED"),
    Column::new("OUTCOME").painted(output::paint::state),
    Column::new("WORKER").expendable(1),
    Column::text("MESSAGE"),
];

const STORE_IDS: [Column; 3] =
    [Column::new("ATTEMPT"), Column::new("ETAG OR GENERATION"), Column::text("REQUEST ID")];

const OBJECTS: [Column; 8] = [
    Column::new("STATE").painted(output::paint::state),
    Column::new("SLOT").expendable(2),
    Column::key("KEY"),
    Column::new("RECORDS").expendable(3),
    Column::new("BYTES").expendable(4),
    Column::new("ATTEMPTS").expendable(5),
    Column::new("DELIVERED AT").expendable(1),
    Column::text("LAST ERROR AND FIX"),
];

const WINDOWS: [Column; 8] = [
    Column::new("WINDOW"),
    Column::new("SLOT"),
    Column::new("FROM").expendable(2),
    Column::new("TO").expendable(1),
    Column::new("STATE").painted(output::paint::state),
    Column::new("OBJECTS"),
    Column::new("RECORDS"),
    Column::new("LEFT OUT"),
];

const LEFT_OUT: [Column; 6] = [
    Column::new("WINDOW"),
    Column::new("LEFT OUT"),
    Column::text("PROBLEM"),
    Column::text("REASON"),
    Column::new("BY").expendable(1),
    Column::new("AT").expendable(2),
];

fn list_objects(rows: &[DeliveryRow], undelivered: bool, ledger: &str) {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.state.clone(),
                output::utc(row.slot),
                row.key.clone(),
                row.records.to_string(),
                output::bytes(row.object_bytes),
                row.attempts.to_string(),
                output::maybe_utc(row.delivered_at),
                row.error_kind.as_deref().map_or_else(
                    || "-".to_owned(),
                    |kind| format!("{kind}: {}", fix(&TroubleKind::stored(kind))),
                ),
            ]
        })
        .collect();
    let none = if undelivered { "No undelivered objects" } else { "No deliveries" };
    output::table(&OBJECTS, &rows, &format!("{none} in {ledger}."));
}

/// How many records are left out; a gap of before counts none, and no count goes beyond a limit.
fn left_out(row: &WindowRow) -> String {
    match row.left_out {
        None => "not counted".to_owned(),
        Some(count) if count >= u64::from(WAITING_LIMIT) => format!("{count} or more"),
        Some(count) => count.to_string(),
    }
}

fn list_windows(rows: &[WindowRow], ledger: &str) {
    let skipped: Vec<_> = rows
        .iter()
        .flat_map(|row| row.skipped.iter().map(|record| (row.window, record)))
        .map(|(window, SkippedRecord { key, problem, reason, at, by })| {
            let [key, problem, reason, by] = [key, problem, reason, by].map(Clone::clone);
            vec![window.to_string(), key, problem, reason, by, output::utc(*at)]
        })
        .collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.window.to_string(),
                output::utc(row.slot),
                output::utc(row.from),
                output::utc(row.to),
                row.state.clone(),
                row.objects.to_string(),
                row.records.to_string(),
                left_out(row),
            ]
        })
        .collect();
    output::table(&WINDOWS, &rows, &format!("No windows in {ledger}."));
    if !skipped.is_empty() {
        output::line("");
        output::table(&LEFT_OUT, &skipped, "");
    }
}

/// What the store's support asks for, of the attempts that have it.
fn store_ids(attempts: &[AttemptRow]) -> Vec<Vec<String>> {
    let named = attempts.iter().filter(|attempt| attempt.version.is_some() || attempt.request_id.is_some());
    let known = |id: &Option<String>| id.clone().unwrap_or_else(|| "-".to_owned());
    named
        .map(|attempt| vec![attempt.number.to_string(), known(&attempt.version), known(&attempt.request_id)])
        .collect()
}

fn show(row: &DeliveryRow) {
    let mut facts = vec![
        ("key", row.key.clone()),
        ("state", row.state.clone()),
        ("account", row.account.to_string()),
        ("window", format!("{}, object {}", row.window, row.ordinal)),
        ("slot", output::utc(row.slot)),
        ("records", row.records.to_string()),
        ("content", format!("{} bytes, sha256 {}", row.content_bytes, row.content_sha256)),
        ("object", format!("{} bytes, sha256 {}", row.object_bytes, row.object_sha256)),
        ("sealed", output::utc(row.sealed_at)),
        ("delivered", output::maybe_utc(row.delivered_at)),
    ];
    if let (Some(kind), Some(error)) = (&row.error_kind, &row.error) {
        facts.push(("last error", format!("{kind}: {error}")));
        facts.push(("  fix", fix(&TroubleKind::stored(kind))));
    }
    output::facts(&facts);
}
