//! `auditferry changes …`

use clap::Subcommand;
use jiff::Timestamp;

use super::context::looked_in;
use super::output::Column;
use super::{CliResult, Context, ListArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::ledger::{Change, ChangeFilter};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::instant;

#[derive(Subcommand)]
pub(super) enum ChangesCommand {
    /// List who changed what, newest first.
    Ls {
        /// Only this account's.
        #[arg(value_parser = account_id, add = account_ids())]
        account: Option<AccountId>,
        /// Only changes by users whose name contains this text.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Only changes from this instant on: 2027-01-01 or 2027-01-01T00:00:00Z.
        #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
        since: Option<Timestamp>,
        /// Only changes before this instant.
        #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
        until: Option<Timestamp>,
        #[command(flatten)]
        list: ListArgs,
    },
}

pub(super) async fn run(context: &Context, command: ChangesCommand) -> CliResult {
    let ChangesCommand::Ls { account, by, since, until, list } = command;
    let service = context.service(None).await?;
    let filter = ChangeFilter { account, by, since, until, ..ChangeFilter::default() };
    let changes = service.changes(filter, list.extent()).await?;
    if list.json {
        output::json(&changes.rows);
    } else {
        let rows: Vec<_> = changes.rows.iter().cloned().map(row).collect();
        let empty = format!("No changes in {}.", looked_in(&*service));
        output::table(&COLUMNS, &rows, &empty);
    }
    output::rest(&changes, list.json);
    Ok(())
}

const COLUMNS: [Column; 6] = [
    Column::new("TIME"),
    Column::new("BY").expendable(2),
    Column::new("ACCOUNT"),
    Column::new("ACTION"),
    Column::text("FIELDS"),
    Column::text("REASON").expendable(1),
];

fn row(change: Change) -> Vec<String> {
    let what = change.what();
    let reason = change.reason.unwrap_or_else(|| "-".to_owned());
    vec![
        output::utc(change.at),
        change.by,
        change.account.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        change.action,
        what,
        reason,
    ]
}
