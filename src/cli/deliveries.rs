//! `auditferry deliveries …`

use clap::Subcommand;

use super::{CliError, CliResult, Context, account_id, ledger_name, output};
use crate::ledger::{AttemptRow, DeliveryFilter, DeliveryRow, SkippedRecord, TroubleKind, WindowRow};
use crate::operations::fix::fix;
use auditferry_core::model::account::AccountId;

/// Most replays of one object that are shown.
const REPLAYS_SHOWN: u32 = 50;

#[derive(Subcommand)]
pub(super) enum DeliveriesCommand {
    /// List objects, newest first.
    Ls {
        /// Of one account only.
        #[arg(value_parser = account_id)]
        account: Option<AccountId>,
        /// Only what is not delivered yet.
        #[arg(long)]
        undelivered: bool,
        /// What was put again, when and by whom, instead.
        #[arg(long, conflicts_with = "undelivered")]
        replays: bool,
        /// The account's windows instead, with those that were skipped or given up.
        #[arg(long, conflicts_with_all = ["undelivered", "replays"], requires = "account")]
        windows: bool,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// For a program.
        #[arg(long)]
        json: bool,
    },
    /// Put delivered objects again, beside the worker: what is missing comes back under its name.
    Replay(super::replay::ReplayArgs),
    /// Show one object: hashes, attempts, and its last error with its fix.
    Show {
        /// The account's id.
        #[arg(value_parser = account_id)]
        account: AccountId,
        /// The object's key.
        key: String,
        /// For a program.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(context: &Context, command: DeliveriesCommand) -> CliResult {
    let reads = !matches!(command, DeliveriesCommand::Replay(_));
    let (settings, admin) = context.admin_who_reads(reads).await?;
    let ledger = ledger_name(&settings);
    match command {
        DeliveriesCommand::Replay(args) => {
            super::replay::run(&settings, &admin, &context.by(Some(&args.why)), &args).await
        }
        DeliveriesCommand::Ls { account, replays: true, limit, json, .. } => {
            let rows = admin.ledger.replays(account.as_ref(), None, limit).await?;
            if json {
                output::json(&rows);
            } else {
                super::replay::list(rows, &format!("No replays in {ledger}."));
            }
            Ok(())
        }
        DeliveriesCommand::Ls { account: Some(account), windows: true, limit, json, .. } => {
            let rows = admin.ledger.windows(&account, limit).await?;
            if json {
                output::json(&rows);
            } else {
                list_windows(rows, &ledger);
            }
            Ok(())
        }
        DeliveriesCommand::Ls { account, undelivered, limit, json, .. } => {
            let filter = DeliveryFilter { account, key: None, undelivered, limit };
            let rows = admin.ledger.deliveries(&filter).await?;
            if json {
                output::json(&rows);
            } else {
                list(rows, &ledger);
            }
            Ok(())
        }
        DeliveriesCommand::Show { account, key, json } => {
            let replays = admin.ledger.replays(Some(&account), Some(&key), REPLAYS_SHOWN).await?;
            // It may be asked for by the name that it got when it was put again.
            let key = replays.first().map_or(key, |replay| replay.key.clone());
            let filter = DeliveryFilter {
                account: Some(account.clone()),
                key: Some(key.clone()),
                undelivered: false,
                limit: 1,
            };
            let Some(row) = admin.ledger.deliveries(&filter).await?.pop() else {
                return Err(CliError::Usage(format!(
                    "account {account}: the ledger knows no object {key:?}; `auditferry deliveries ls` shows all"
                )));
            };
            let attempts = admin.ledger.attempts(&account, &key).await?;
            if json {
                output::json(&serde_json::json!({
                    "delivery": row, "attempts": attempts, "replays": replays,
                }));
                return Ok(());
            }
            show(&row);
            let ids = store_ids(&attempts);
            let rows = attempts
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
            output::table(&["ATTEMPT", "STARTED", "OUTCOME", "WORKER", "MESSAGE"], rows, "No attempts yet.");
            if !ids.is_empty() {
                output::line("");
                output::table(&["ATTEMPT", "ETAG OR GENERATION", "REQUEST ID"], ids, "");
            }
            if !replays.is_empty() {
                output::line("");
                super::replay::list(replays, "");
            }
            Ok(())
        }
    }
}

fn list(rows: Vec<DeliveryRow>, ledger: &str) {
    let rows = rows
        .into_iter()
        .map(|row| {
            vec![
                row.state,
                output::utc(row.slot),
                row.key,
                row.records.to_string(),
                output::bytes(row.object_bytes),
                row.attempts.to_string(),
                row.error_kind.as_deref().map_or_else(
                    || "-".to_owned(),
                    |kind| format!("{kind}: {}", fix(&TroubleKind::stored(kind))),
                ),
            ]
        })
        .collect();
    let header = ["STATE", "SLOT", "KEY", "RECORDS", "BYTES", "ATTEMPTS", "LAST ERROR AND FIX"];
    output::table(&header, rows, &format!("No deliveries in {ledger}."));
}

fn list_windows(rows: Vec<WindowRow>, ledger: &str) {
    let skipped: Vec<_> = rows
        .iter()
        .flat_map(|row| row.skipped.iter().map(|record| (row.window, record)))
        .map(|(window, SkippedRecord { key, problem, reason, at, by })| {
            let [key, problem, reason, by] = [key, problem, reason, by].map(Clone::clone);
            vec![window.to_string(), key, problem, reason, by, output::utc(*at)]
        })
        .collect();
    let rows = rows
        .into_iter()
        .map(|row| {
            vec![
                row.window.to_string(),
                output::utc(row.slot),
                output::utc(row.from),
                output::utc(row.to),
                row.state,
                row.objects.to_string(),
                row.records.to_string(),
                row.skipped.len().to_string(),
            ]
        })
        .collect();
    let header = ["WINDOW", "SLOT", "FROM", "TO", "STATE", "OBJECTS", "RECORDS", "LEFT OUT"];
    output::table(&header, rows, &format!("No windows in {ledger}."));
    if !skipped.is_empty() {
        output::line("");
        output::table(&["WINDOW", "LEFT OUT", "PROBLEM", "REASON", "BY", "AT"], skipped, "");
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
