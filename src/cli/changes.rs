//! `auditferry changes …`

use clap::Subcommand;
use jiff::Timestamp;

use super::{CliResult, Context, account_id, ledger_name, output};
use crate::ledger::{Change, ChangeFilter};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::instant;

#[derive(Subcommand)]
pub(super) enum ChangesCommand {
    /// List who changed what, newest first.
    Ls {
        /// Of one account only.
        #[arg(value_parser = account_id)]
        account: Option<AccountId>,
        /// Only by users whose name holds this.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Only from this instant on: 2027-01-01 or 2027-01-01T00:00:00Z.
        #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
        since: Option<Timestamp>,
        /// Only before this instant.
        #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
        until: Option<Timestamp>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// For a program.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(context: &Context, command: ChangesCommand) -> CliResult {
    let ChangesCommand::Ls { account, by, since, until, limit, json } = command;
    let (settings, admin) = context.admin_who_reads(true).await?;
    let filter = ChangeFilter { account, by, since, until, limit };
    let changes = admin.ledger.changes(&filter).await?;
    if json {
        output::json(&changes);
    } else {
        let rows = changes.into_iter().map(row).collect();
        output::table(
            &["TIME", "BY", "ACCOUNT", "ACTION", "FIELDS", "REASON"],
            rows,
            &format!("No changes in {}.", ledger_name(&settings)),
        );
    }
    Ok(())
}

fn row(change: Change) -> Vec<String> {
    let what = change.what();
    let reason = change.reason.unwrap_or_else(|| "-".to_owned());
    vec![output::utc(change.at), change.by, change.account.to_string(), change.action, what, reason]
}
