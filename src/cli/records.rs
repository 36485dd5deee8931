//! `auditferry records …`

use clap::Subcommand;

use super::{CliResult, Context, WhyArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::ledger::BadRecord;
use crate::operations::admin::Skipped;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::words;
use auditferry_core::text::shell::shell_word;

#[derive(Subcommand)]
pub(super) enum RecordsCommand {
    /// Leave records out of the window in delivery, for good. Only what cannot be exported can be left out.
    Skip {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// The record's key, as `account show` names it; once for each record.
        #[arg(long, required = true)]
        key: Vec<String>,
        /// Why it may be left out, for the change log and the window's history.
        #[arg(long, value_parser = words)]
        reason: String,
    },
}

pub(super) async fn run(context: &Context, command: RecordsCommand) -> CliResult {
    let RecordsCommand::Skip { account, key, reason } = command;
    let service = context.service(Some(&WhyArgs { reason: Some(reason.clone()) })).await?;
    let Skipped { window, records, next } = service.skip_records(&account, &key, &reason).await?;
    for BadRecord { key, problem } in records {
        output::line(format!("Record {key} is left out of window {window} of account {account}: {problem}."));
    }
    match next {
        None => output::line(format!("Account {account} continues.")),
        Some(BadRecord { key, problem }) => output::line(format!(
            "Record {key} cannot be exported either: {problem}. Fix it, or leave it out with `auditferry records \
             skip {} --key {} --reason WHY`.",
            shell_word(account.as_str()),
            shell_word(&key)
        )),
    }
    Ok(())
}
