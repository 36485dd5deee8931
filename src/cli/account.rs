//! `auditferry account …`

use clap::Subcommand;
use jiff::SignedDuration;

use self::ls::{Sort, days};
use self::options::OptionArgs;
use super::{CliResult, Context, ListArgs, WhyArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::cli::service::{Changed, OptionPatch, Service};
use crate::ledger::AccountFilter;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::start::Start;
use auditferry_core::model::when::When;
use auditferry_core::text::count::counted;
use auditferry_core::text::shell::shell_word;

mod options;
mod ls;
mod show;
mod story;
mod strip;
mod rewind;

#[derive(Subcommand)]
pub(super) enum AccountCommand {
    /// Add an account. It exports once it has a destination and the add-on is enabled.
    #[command(
        after_help = "Examples:\n  auditferry account add acme --zone Europe/Berlin\n  auditferry account add acme --zone Asia/Kolkata --start beginning --container gzip --schedule '@daily'"
    )]
    Add {
        /// The vendor's id of the tenant.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// The account's IANA time zone, such as Asia/Kolkata.
        #[arg(long)]
        zone: String,
        /// Where to start: enabled (what commits once the add-on is enabled), now, beginning, or an instant.
        #[arg(long, default_value = "enabled", value_parser = start)]
        start: Start,
        #[command(flatten)]
        options: OptionArgs,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Change an account's zone, schedule or format, from its next window on.
    Set {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// The account's IANA time zone.
        #[arg(long)]
        zone: Option<String>,
        #[command(flatten)]
        options: OptionArgs,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// List accounts with their health.
    #[command(
        after_help = "Examples:\n  auditferry account ls --failing --sort oldest\n  auditferry account ls --ending-within 30d --all"
    )]
    Ls {
        /// Only accounts whose export should run and does not: retrying, suspended, held, no_worker, clock_ahead or
        /// unattended.
        #[arg(long)]
        failing: bool,
        /// Only accounts whose add-on ends within this time, such as 30d.
        #[arg(long, value_name = "DURATION", value_parser = days)]
        ending_within: Option<SignedDuration>,
        /// Sort by id, or by how long accounts have been in their state of health, the longest first.
        #[arg(long, value_enum, default_value_t = Sort::Id)]
        sort: Sort,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Explain on one screen why an account's export runs or does not.
    #[command(
        after_help = "Examples:\n  auditferry account show acme\n  auditferry account show acme --at 'yesterday 08:00'"
    )]
    Show {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// What happened at that moment: '2026-11-29 08:00', 'yesterday 08:00' or 08:00 in the account's zone, or an
        /// instant.
        #[arg(long, value_name = "WHEN")]
        at: Option<When>,
        /// Print JSON, for a program.
        #[arg(long)]
        json: bool,
    },
    /// Stop an account until it is resumed; its add-on and its watermark stay.
    Pause {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Let a paused or suspended account continue from its watermark, at once.
    Resume {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Deliver now what is there, in a slot beside the schedule: for a trial, or after a repair.
    #[command(
        after_help = "Examples:\n  auditferry account deliver-now acme --reason 'bucket policy mended'"
    )]
    DeliverNow {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Let a held account continue, once the cause is fixed.
    Release {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// After the source or the ledger went back, exported rows were changed, or a clock was far ahead:
    /// continue from where both agree, under new names.
    Rewind {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids(), required_unless_present = "all", conflicts_with = "all")]
        account: Option<AccountId>,
        /// Rewind every account that needs it.
        #[arg(long)]
        all: bool,
        /// Accept that records delivered since then may be delivered again, under new names.
        #[arg(long, required = true)]
        accept: bool,
        /// Continue from elsewhere: now (which leaves a gap), beginning, or an instant.
        #[arg(long, value_parser = start)]
        from: Option<Start>,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Remove an account with its history from the ledger. The bucket is not touched.
    Rm {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// Remove it even while its add-on is enabled.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        why: WhyArgs,
    },
}

impl AccountCommand {
    /// Why it changes something; none when it only reads.
    fn why(&self) -> Option<&WhyArgs> {
        match self {
            Self::Ls { .. } | Self::Show { .. } => None,
            Self::Add { why, .. }
            | Self::Set { why, .. }
            | Self::Pause { why, .. }
            | Self::Resume { why, .. }
            | Self::DeliverNow { why, .. }
            | Self::Release { why, .. }
            | Self::Rewind { why, .. }
            | Self::Rm { why, .. } => Some(why),
        }
    }
}

pub(super) fn start(text: &str) -> Result<Start, String> {
    text.parse().map_err(|error: auditferry_core::model::start::StartError| error.to_string())
}

pub(super) async fn run(context: &Context, command: AccountCommand) -> CliResult {
    let service = context.service(command.why()).await?;
    let service = &*service;
    match command {
        AccountCommand::Add { account, zone, start, options, .. } => {
            add(service, &account, options.patch(Some(zone)), start).await
        }
        AccountCommand::Set { account, zone, options, .. } => {
            let changed = service.set_options(&account, &options.patch(zone)).await?;
            output::line(format!("Account {account}: {}, \"{}\".", changed.zone, changed.schedule));
            next_slots(service, &changed);
            Ok(())
        }
        AccountCommand::Ls { failing, ending_within, sort, list } => {
            let failing = if failing { AccountFilter::failing() } else { AccountFilter::default() };
            let filter = AccountFilter { ending_within, order: sort.into(), ..failing };
            ls::ls(service, filter, &list).await
        }
        AccountCommand::Show { account, at: Some(when), json } => {
            story::show(service, &account, when, json).await
        }
        AccountCommand::Show { account, at: None, json } => show::show(service, &account, json).await,
        AccountCommand::Pause { account, .. } => pause(service, &account).await,
        AccountCommand::Resume { account, .. } => resume(service, &account).await,
        AccountCommand::DeliverNow { account, .. } => deliver_now(service, &account).await,
        AccountCommand::Release { account, .. } => {
            service.release(&account).await?;
            output::line(format!(
                "Account {account} is released; `auditferry account show` tells how its next try went."
            ));
            Ok(())
        }
        AccountCommand::Rewind { account, from, .. } => rewind::rewind(service, account, from).await,
        AccountCommand::Rm { account, force, .. } => {
            let windows = service.remove_account(&account, force).await?;
            output::line(format!(
                "Account {account} and its history of {} are removed.",
                counted(windows, "window")
            ));
            Ok(())
        }
    }
}

async fn add(service: &dyn Service, id: &AccountId, options: OptionPatch, start: Start) -> CliResult {
    let account = service.add_account(id, &options, start).await?;
    let word = shell_word(id.as_str());
    let from = match start {
        Start::Enabled => "from the first enablement of its add-on".to_owned(),
        other => format!("from {other}"),
    };
    output::line(format!("Account {id} added: {}, \"{}\", {from}.", account.zone, account.schedule));
    output::line(format!("Next: auditferry destination set {word} …, then auditferry addon enable {word}"));
    Ok(())
}

/// Prints an account's next slots, in its own time.
pub(super) fn next_slots(service: &dyn Service, account: &Changed) {
    if account.next.is_empty() {
        output::line("Next slot: none, while its add-on is not enabled.");
        return;
    }
    output::line(format!("Next slots in {}:", account.zone));
    for slot in &account.next {
        let local = service.zones().find(&account.zone).map_or_else(
            |_| String::new(),
            |zone| slot.to_zoned(zone.rules().clone()).strftime("%a %Y-%m-%d %H:%M:%S %:z = ").to_string(),
        );
        output::line(format!("  {local}{}", output::utc(*slot)));
    }
}

async fn pause(service: &dyn Service, id: &AccountId) -> CliResult {
    service.pause(id).await?;
    let word = shell_word(id.as_str());
    output::line(format!(
        "Account {id} is paused: a put in flight may finish, nothing starts, its watermark stays. \
         `auditferry account resume {word}` lets it go on."
    ));
    Ok(())
}

async fn resume(service: &dyn Service, id: &AccountId) -> CliResult {
    if service.resume(id).await? {
        output::line(format!("Account {id} continues from its watermark."));
    } else {
        output::line(format!("Account {id} is neither paused nor suspended; nothing was changed."));
    }
    Ok(())
}

async fn deliver_now(service: &dyn Service, id: &AccountId) -> CliResult {
    let added = service.deliver_now(id).await?;
    let next = added.next_slot.map_or_else(String::new, |next| {
        format!(" The next slot of its schedule is {}, as before.", output::utc(next))
    });
    output::line(format!(
        "Account {id} delivers what it has as the slot {}; without records there is no object.{next}",
        output::utc(added.slot)
    ));
    output::line(match added.no_worker {
        Some(none) => format!("No worker takes it yet ({none}): `auditferry run --until-idle` does."),
        None => format!(
            "A running worker takes it at once; see `auditferry deliveries ls {}`.",
            shell_word(id.as_str())
        ),
    });
    Ok(())
}
