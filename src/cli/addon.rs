//! `auditferry addon …`

use clap::Subcommand;
use jiff::Timestamp;

use super::{CliResult, Context, WhyArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::cli::service::ShownAddOn;
use auditferry_core::model::account::{AccountId, AddOnChange, NewEnd};
use auditferry_core::model::instant;
use auditferry_core::model::start::Start;
use auditferry_core::text::shell::shell_word;

#[derive(Subcommand)]
pub(super) enum AddonCommand {
    /// Let an account's export run, starting at its watermark.
    #[command(
        after_help = "Examples:\n  auditferry addon enable acme --until 2027-12-31 --reason 'contract 4711'\n  auditferry addon enable acme --from now"
    )]
    Enable {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// When the add-on ends: an instant, or a date in UTC. Without it, the present end stays.
        #[arg(long, value_parser = instant::parse)]
        until: Option<Timestamp>,
        /// Remove the add-on's end.
        #[arg(long, conflicts_with = "until")]
        no_end: bool,
        #[command(flatten)]
        why: WhyArgs,
        /// Where to start: `now` skips what has not been delivered, and records the gap.
        #[arg(long, value_parser = super::account::start)]
        from: Option<Start>,
    },
    /// Stop an account's export. Its watermark stays.
    Disable {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Show whether an account's export may run.
    Show {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// Print JSON, for a program.
        #[arg(long)]
        json: bool,
    },
}

impl AddonCommand {
    /// Why it changes something; none when it only reads.
    fn why(&self) -> Option<&WhyArgs> {
        match self {
            Self::Show { .. } => None,
            Self::Enable { why, .. } | Self::Disable { why, .. } => Some(why),
        }
    }
}

pub(super) async fn run(context: &Context, command: AddonCommand) -> CliResult {
    let why = command.why();
    let reason = why.and_then(|why| why.reason.clone());
    let service = context.service(why).await?;
    match command {
        AddonCommand::Enable { account: id, until, no_end, from, .. } => {
            let until = match until {
                Some(end) => NewEnd::At(end),
                None if no_end => NewEnd::Cleared,
                None => NewEnd::Kept,
            };
            let change = AddOnChange::Enable { until, reason };
            let account = service.set_addon(&id, &change, from).await?;
            let end = account
                .until
                .map_or_else(|| "without end".to_owned(), |until| format!("until {}", output::utc(until)));
            output::line(format!("The add-on of {id} is enabled, {end}."));
            if from.is_some() {
                output::line(format!(
                    "What was not delivered before now is skipped; the gap is in the history: \
                     auditferry deliveries ls {} --windows",
                    shell_word(id.as_str())
                ));
            }
            if !account.has_destination {
                let word = shell_word(id.as_str());
                output::line(format!("It has no destination yet: auditferry destination set {word} …"));
            }
            super::account::next_slots(&*service, &account);
        }
        AddonCommand::Disable { account: id, .. } => {
            let change = AddOnChange::Disable { reason };
            service.set_addon(&id, &change, None).await?;
            output::line(format!(
                "The add-on of {id} is disabled: nothing more starts, a put in flight may still finish, and its watermark \
                 and its end stay."
            ));
        }
        AddonCommand::Show { account: id, json } => {
            let ShownAddOn { addon, next_slot } = service.addon(&id).await?;
            let state = addon.state(service.now());
            if json {
                output::json(&serde_json::json!({ "account": id, "state": state, "addon": addon }));
            } else {
                output::facts(&[
                    ("account", id.to_string()),
                    ("add-on", state.to_string()),
                    ("until", output::maybe_utc(addon.until)),
                    ("reason", addon.reason.unwrap_or_else(|| "-".to_owned())),
                    ("next slot", output::maybe_utc(next_slot)),
                ]);
            }
        }
    }
    Ok(())
}
