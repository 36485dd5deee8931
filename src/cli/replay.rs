//! `auditferry deliveries replay`

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::output::Column;
use super::{CliError, CliResult, Context, WhyArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::ledger::ReplayRow;
use crate::operations::admin::AdminError;
use crate::operations::names::NamedSlot;
use crate::operations::replay::{Report, Request};
use auditferry_core::model::account::AccountId;
use auditferry_core::text::count::counted;

#[derive(Args)]
pub(super) struct ReplayArgs {
    /// The account's id.
    #[arg(value_parser = account_id, add = account_ids())]
    account: AccountId,
    /// The first slot: an object's name or key, the slot in it (20261121T040000Z), or an instant.
    #[arg(long, value_name = "SLOT", value_parser = NamedSlot::parse)]
    from: NamedSlot,
    /// The last slot, in the same way.
    #[arg(long, value_name = "SLOT", value_parser = NamedSlot::parse)]
    to: NamedSlot,
    /// Put all of them under new names with the present time, for readers that never look back.
    #[arg(long)]
    as_new: bool,
    /// Read the records again and compare; put nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON, for a program.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    why: WhyArgs,
}

pub(super) async fn run(context: &Context, args: &ReplayArgs) -> CliResult {
    let slot = |named: &NamedSlot| named.of(&args.account).map_err(AdminError::from);
    let (from, to) = (slot(&args.from)?, slot(&args.to)?);
    let request = Request { from, to, as_new: args.as_new, dry_run: args.dry_run };
    let service = context.service(Some(&args.why)).await?;
    let style = ProgressStyle::with_template("{spinner} {pos} objects  {elapsed}  {msg}");
    let progress =
        ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let counted = |objects, last: Option<&str>| {
        if let Some(key) = last {
            progress.set_message(key.to_owned());
        }
        progress.set_position(objects);
    };
    let report = service.replay(&args.account, &request, &counted).await;
    progress.finish_and_clear();
    let report = report?;
    if args.json {
        output::json(&report);
    } else {
        print(&report);
    }
    if report.is_done() { Ok(()) } else { Err(CliError::Reported) }
}

fn print(report: &Report) {
    if report.gone_on {
        output::line("An earlier command began this replay and did not finish; this one continues it.");
    }
    let or_dash = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), Clone::clone);
    let rows = report
        .objects
        .iter()
        .map(|object| {
            vec![
                object.outcome.as_str().to_owned(),
                object.key.clone(),
                or_dash(object.put_as.as_ref().filter(|name| **name != object.key)),
                object.records.to_string(),
                or_dash(object.message.as_ref()),
            ]
        })
        .collect::<Vec<_>>();
    let columns = [
        Column::new("OUTCOME").painted(output::paint::state),
        Column::key("KEY"),
        Column::key("PUT AS"),
        Column::new("RECORDS").expendable(1),
        Column::text("MESSAGE"),
    ];
    output::table(&columns, &rows, "");
    if report.left_out > 0 {
        output::line(format!(
            "{} more {} not named: a server names {}, those that are not done before the others.",
            report.left_out,
            if report.left_out == 1 { "is" } else { "are" },
            report.objects.len()
        ));
    }
    let number =
        report.replay.map_or_else(|| "Nothing was put".to_owned(), |number| format!("Replay {number}"));
    output::line(format!(
        "{number}: {} of {}, {}.",
        report.done,
        counted(report.total, "object"),
        report.destination
    ));
}

/// Lists objects that were put again.
pub(super) fn list(rows: &[ReplayRow], empty: &str) {
    let rows: Vec<_> = rows
        .iter()
        .cloned()
        .map(|row| {
            vec![
                row.replay.to_string(),
                row.account.to_string(),
                output::utc(row.started_at),
                row.outcome.unwrap_or_else(|| "unknown: no answer was stored".to_owned()),
                row.operator,
                row.key,
                row.put_as,
            ]
        })
        .collect();
    let columns = [
        Column::new("REPLAY"),
        Column::new("ACCOUNT"),
        Column::new("STARTED"),
        Column::new("OUTCOME").painted(output::paint::state),
        Column::new("BY").expendable(1),
        Column::key("KEY"),
        Column::key("PUT AS"),
    ];
    output::table(&columns, &rows, empty);
}
