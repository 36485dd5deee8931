//! `auditferry account …`

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

use super::output::Column;
use super::{CliResult, Context, ListArgs, WhyArgs, account_id, ledger_name, output};
use crate::cli::completion::account_ids;
use crate::ledger::{Account, AccountFilter, AccountOrder, ExportOptions};
use crate::operations::admin::Admin;
use crate::operations::explanation::Explanation;
use crate::operations::listing::AccountRow;
use crate::settings::Settings;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::format::{Container, EmptyWindows, FormatPatch, Layout, compression_level};
use auditferry_core::model::instant::span_text;
use auditferry_core::model::object_key::slot_name;
use auditferry_core::model::start::Start;
use auditferry_core::text::count::counted;
use auditferry_core::text::shell::shell_word;

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
        /// From where: enabled (what commits once its add-on is), now, beginning, or an instant.
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
        /// Only those whose export does not run although it should: retrying, suspended, held, clock_ahead or
        /// unattended.
        #[arg(long)]
        failing: bool,
        /// Only those whose add-on ends within such a time, such as 30d.
        #[arg(long, value_name = "DURATION", value_parser = days)]
        ending_within: Option<SignedDuration>,
        /// In which order: by id, or those first that are in their state of health for the longest.
        #[arg(long, value_enum, default_value_t = Sort::Id)]
        sort: Sort,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Say in one screen why an account's export runs or does not.
    #[command(after_help = "Examples:\n  auditferry account show acme")]
    Show {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// For a program.
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
    /// Let a paused or suspended account go on from its watermark, at once.
    Resume {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Let a held account go on, once its cause is removed.
    Release {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// After the source or the ledger went back, exported rows were changed, or a clock was far ahead: go
    /// on from where both agree, under new names.
    Rewind {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids(), required_unless_present = "all", conflicts_with = "all")]
        account: Option<AccountId>,
        /// Every account that is held because of that.
        #[arg(long)]
        all: bool,
        /// That records delivered since then may be delivered again, under new names.
        #[arg(long, required = true)]
        accept: bool,
        /// From somewhere else: now (which leaves a gap), beginning, or an instant.
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
        /// Also when its add-on is enabled.
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
            | Self::Release { why, .. }
            | Self::Rewind { why, .. }
            | Self::Rm { why, .. } => Some(why),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Sort {
    Id,
    Oldest,
}

impl From<Sort> for AccountOrder {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Id => Self::Id,
            Sort::Oldest => Self::Oldest,
        }
    }
}

/// A time in days of 24 hours and what else a duration has.
fn days(text: &str) -> Result<SignedDuration, String> {
    let problem = || format!("{text:?} is not a duration; write it like 30d or 12h");
    let span: jiff::Span = text.parse().map_err(|_| problem())?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| problem())
}

#[derive(Args)]
pub(super) struct OptionArgs {
    /// A cron expression in local time: minute hour day month weekday (0 and 7 are Sunday), with the second
    /// before them if you want; or @daily and the like.
    #[arg(long)]
    schedule: Option<String>,
    /// zip, gzip or none.
    #[arg(long, value_parser = word::<Container>)]
    container: Option<Container>,
    /// lines or array.
    #[arg(long, value_parser = word::<Layout>)]
    layout: Option<Layout>,
    /// skip or object.
    #[arg(long, value_parser = word::<EmptyWindows>)]
    empty_windows: Option<EmptyWindows>,
    /// Most records of one object.
    #[arg(long)]
    max_records: Option<u64>,
    /// Most bytes of JSON of one object.
    #[arg(long)]
    max_bytes: Option<u64>,
    /// Deflate level: 0 to 9, fast or best.
    #[arg(long, value_parser = compression_level)]
    compression: Option<u32>,
}

impl OptionArgs {
    fn over(&self, mut options: ExportOptions) -> ExportOptions {
        let patch = FormatPatch {
            container: self.container,
            layout: self.layout,
            empty_windows: self.empty_windows,
            max_records: self.max_records,
            max_bytes: self.max_bytes,
            compression: self.compression,
        };
        options.format = patch.over(&options.format);
        if let Some(schedule) = &self.schedule {
            options.schedule.clone_from(schedule);
        }
        options
    }
}

/// One of an enum's words, as in the exports file.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}

pub(super) fn start(text: &str) -> Result<Start, String> {
    text.parse().map_err(|error: auditferry_core::model::start::StartError| error.to_string())
}

pub(super) async fn run(context: &Context, command: AccountCommand) -> CliResult {
    let why = command.why();
    let (settings, admin) = context.admin_who_reads(why.is_none()).await?;
    let by = context.by(why);
    match command {
        AccountCommand::Add { account, zone, start, options, .. } => {
            add(&settings, &admin, &by, &account, &zone, start, &options).await
        }
        AccountCommand::Set { account, zone, options, .. } => {
            set(&admin, &by, &account, zone, &options).await
        }
        AccountCommand::Ls { failing, ending_within, sort, list } => {
            let failing = if failing { AccountFilter::failing() } else { AccountFilter::default() };
            let filter = AccountFilter { ending_within, order: sort.into(), ..failing };
            ls(&settings, &admin, filter, &list).await
        }
        AccountCommand::Show { account, json } => show(&admin, &account, json).await,
        AccountCommand::Pause { account, .. } => pause(&admin, &by, &account).await,
        AccountCommand::Resume { account, .. } => resume(&admin, &by, &account).await,
        AccountCommand::Release { account, .. } => {
            admin.release(&by, &account).await?;
            output::line(format!(
                "Account {account} goes on; see `auditferry account show` after its next try."
            ));
            Ok(())
        }
        AccountCommand::Rewind { account, from, .. } => rewind(&admin, &by, account, from).await,
        AccountCommand::Rm { account, force, .. } => rm(&admin, &by, &account, force).await,
    }
}

async fn add(
    settings: &Settings,
    admin: &Admin,
    by: &By,
    id: &AccountId,
    zone: &str,
    start: Start,
    options: &OptionArgs,
) -> CliResult {
    let defaults = ExportOptions {
        zone: zone.to_owned(),
        schedule: settings.export.schedule.clone(),
        format: settings.export.format.clone(),
    };
    let account = admin.add_account(by, id, &options.over(defaults), start).await?;
    let word = shell_word(id.as_str());
    let from = match start {
        Start::Enabled => "from the first enablement of its add-on".to_owned(),
        other => format!("from {other}"),
    };
    output::line(format!("Account {id} added: {}, \"{}\", {from}.", account.zone, account.schedule));
    output::line(format!("Next: auditferry destination set {word} …, then auditferry addon enable {word}"));
    Ok(())
}

async fn set(
    admin: &Admin,
    by: &By,
    id: &AccountId,
    zone: Option<String>,
    options: &OptionArgs,
) -> CliResult {
    let account = admin.ledger.account(id).await?;
    let current = ExportOptions {
        zone: zone.unwrap_or(account.zone),
        schedule: account.schedule.clone(),
        format: account.format,
    };
    let account = admin.set_options(by, id, &options.over(current)).await?;
    output::line(format!("Account {id}: {}, \"{}\".", account.zone, account.schedule));
    next_slots(admin, &account);
    Ok(())
}

/// How many slots are printed after a change.
const SLOTS_SHOWN: usize = 5;

/// Prints the account's next slots, in its own time.
pub(super) fn next_slots(admin: &Admin, account: &Account) {
    let slots = admin.upcoming(account, SLOTS_SHOWN);
    if slots.is_empty() {
        output::line("Next slot: none, while its add-on is not enabled.");
        return;
    }
    output::line(format!("Next slots in {}:", account.zone));
    for slot in slots {
        let local = admin.zones.find(&account.zone).map_or_else(
            |_| String::new(),
            |zone| slot.to_zoned(zone.rules().clone()).strftime("%a %Y-%m-%d %H:%M:%S %:z = ").to_string(),
        );
        output::line(format!("  {local}{}", output::utc(slot)));
    }
}

const COLUMNS: [Column; 8] = [
    Column::new("ACCOUNT"),
    Column::new("HEALTH").painted(output::paint::health),
    Column::new("SINCE"),
    Column::new("ZONE").expendable(2),
    Column::new("ADD-ON UNTIL").expendable(1),
    Column::new("NEXT SLOT").expendable(3),
    Column::new("WINDOWS").expendable(4),
    Column::new("ERROR"),
];

async fn ls(settings: &Settings, admin: &Admin, filter: AccountFilter, list: &ListArgs) -> CliResult {
    let any = filter == AccountFilter::default();
    let accounts = admin.list_accounts(filter, list.extent()).await?;
    if list.json {
        output::json(&accounts.rows);
        output::rest(&accounts, true);
        return Ok(());
    }
    let row = |row: &AccountRow| {
        vec![
            row.account.to_string(),
            row.health.as_str().to_owned(),
            output::maybe_utc(row.since),
            row.zone.clone(),
            output::maybe_utc(row.addon_until),
            output::maybe_utc(row.next_slot),
            row.windows.to_string(),
            row.error.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let rows: Vec<_> = accounts.rows.iter().map(row).collect();
    let ledger = ledger_name(settings);
    let empty = if any {
        format!("No accounts in {ledger}. Add one: auditferry account add ID --zone ZONE")
    } else {
        format!("No such accounts in {ledger}.")
    };
    output::table(&COLUMNS, &rows, &empty);
    output::rest(&accounts, false);
    Ok(())
}

async fn show(admin: &Admin, id: &AccountId, json: bool) -> CliResult {
    let explanation = admin.explain(id).await?;
    if json {
        output::json(&explanation);
    } else {
        print(admin, &explanation);
    }
    Ok(())
}

fn print(admin: &Admin, shown: &Explanation) {
    let now = admin.clock.now();
    let zone = admin.zones.find(&shown.zone).ok();
    let both = |at: jiff::Timestamp| {
        let span = now.duration_since(at);
        let when = if span.is_negative() {
            format!("in {}", span_text(span))
        } else {
            format!("{} ago", span_text(span))
        };
        let local = zone.as_ref().map_or_else(String::new, |zone| {
            at.to_zoned(zone.rules().clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
        });
        format!("{local} = {} ({when})", output::utc(at))
    };
    let until = match (shown.addon, shown.addon_until) {
        (auditferry_core::model::account::AddOnState::Active, None) => ", without end".to_owned(),
        (_, None) => String::new(),
        (_, Some(until)) => format!(", until {}", both(until)),
    };
    let reason = shown.addon_reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let mut facts = Vec::new();
    if let Some(none) = &shown.no_worker {
        facts.push(("worker", none.clone()));
    }
    facts.extend([
        ("account", shown.account.clone()),
        ("health", shown.health.as_str().to_owned()),
        ("to do", shown.advice.clone()),
        ("add-on", format!("{}{until}{reason}", shown.addon)),
        ("destination", destination(shown)),
        ("credentials", credentials(shown, &both)),
        ("schedule", schedule(shown)),
        ("next slot", shown.next_slot.map_or_else(|| "none".to_owned(), both)),
        ("looked at", shown.looked_at.map_or_else(|| "by no worker yet".to_owned(), both)),
        ("last delivery", last_delivery(shown, &both)),
        ("waiting", waiting(shown)),
    ]);
    if let Some(holder) = &shown.held_back {
        facts.push(("  wait for", holder.words()));
    }
    if shown.starts_when_enabled {
        facts.push(("begins", "with what commits after the first `auditferry addon enable`".to_owned()));
    }
    if let Some(pause) = &shown.paused {
        let reason = pause.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        facts.push(("paused", format!("since {}{reason}", both(pause.at))));
    }
    if let Some(awaited) = &shown.awaits_proof {
        let token = if awaited.expired { "the token expired" } else { "the token counts until" };
        let at = both(awaited.expires_at);
        facts.push(("awaits proof", format!("{}: {}, {token} {at}", awaited.destination, awaited.key)));
    }
    if let Some(bytes) = shown.long_names {
        let problem = "unzip, Python, Java and some stores take 255; a new account would need a shorter id";
        facts.push(("long names", format!("up to {bytes} bytes: {problem}")));
    }
    if let Some(since) = shown.denied_since {
        facts.push(("refused", format!("since {}", both(since))));
    }
    if let Some(at) = shown.suspended_at {
        facts.push(("suspended", format!("since {}", both(at))));
    }
    if let Some(window) = shown.open_window {
        facts.push(("in delivery", format!("window {window}")));
    }
    if let Some(error) = &shown.error {
        facts.push(("last error", format!("{}: {}", error.kind, error.message)));
        facts.push(("  when", both(error.at)));
        // What is to be done says it already.
        if !shown.advice.contains(&error.fix) {
            facts.push(("  fix", error.fix.clone()));
        }
        if let Some(at) = shown.retry_at {
            facts.push(("  next try", both(at)));
        }
    }
    output::facts(&facts);
}

fn schedule(shown: &Explanation) -> String {
    let before = shown
        .schedule_before
        .as_ref()
        .map_or_else(String::new, |before| format!(" (written as \"{before}\" when 1 was Sunday)"));
    format!("\"{}\" in {}{before}", shown.schedule, shown.zone)
}

fn destination(shown: &Explanation) -> String {
    let asked = shown.asked.as_ref().map_or_else(String::new, |asked| format!(", {asked}"));
    let at: String = shown.place.iter().map(|fact| format!(", {} {}", fact.name, fact.value)).collect();
    shown.destination.as_ref().map_or_else(|| "-".to_owned(), |place| format!("{place}{at}{asked}"))
}

fn credentials(shown: &Explanation, both: &dyn Fn(jiff::Timestamp) -> String) -> String {
    match &shown.credentials {
        None => "no end is known".to_owned(),
        Some(end) => {
            let word = if end.ended { "ENDED" } else { "end" };
            let fix = end.fix.as_ref().map_or_else(String::new, |fix| format!("; {fix}"));
            format!("{word} {}{fix}", both(end.at))
        }
    }
}

fn last_delivery(shown: &Explanation, both: &dyn Fn(jiff::Timestamp) -> String) -> String {
    match &shown.last_delivery {
        None => "none yet".to_owned(),
        Some(last) => {
            let at = last.delivered_at.map_or_else(String::new, both);
            format!("{}, {}, {at}", last.key, counted(last.records, "record"))
        }
    }
}

fn waiting(shown: &Explanation) -> String {
    match &shown.waiting {
        None => "unknown: the source cannot be read".to_owned(),
        Some(waiting) => {
            let records = if waiting.records >= u64::from(crate::source::WAITING_LIMIT) {
                format!("{} or more records", waiting.records)
            } else {
                counted(waiting.records, "record")
            };
            let oldest =
                waiting.oldest.map_or_else(String::new, |at| format!(", the oldest of {}", output::utc(at)));
            format!("{records}{oldest}")
        }
    }
}

async fn pause(admin: &Admin, by: &By, id: &AccountId) -> CliResult {
    admin.pause(by, id).await?;
    let word = shell_word(id.as_str());
    output::line(format!(
        "Account {id} is paused: a put in flight may finish, nothing starts, its watermark stays. \
         `auditferry account resume {word}` lets it go on."
    ));
    Ok(())
}

async fn resume(admin: &Admin, by: &By, id: &AccountId) -> CliResult {
    let before = admin.resume(by, id).await?;
    if before.paused.is_none() && !before.is_suspended() {
        output::line(format!("Account {id} is neither paused nor suspended; nothing was changed."));
    } else {
        output::line(format!("Account {id} goes on from its watermark."));
    }
    Ok(())
}

async fn rewind(admin: &Admin, by: &By, one: Option<AccountId>, from: Option<Start>) -> CliResult {
    let ids = match one {
        Some(id) => vec![id],
        None => admin
            .all_accounts()
            .await?
            .into_iter()
            .filter(|account| match account.held {
                Some(hold) => hold.ends_with_rewind(),
                None => account.clock_was_ahead(admin.clock.now()),
            })
            .map(|account| account.id)
            .collect(),
    };
    for id in &ids {
        let before = admin.ledger.account(id).await?;
        let account = admin.rewind(by, id, from).await?;
        if before.clock_was_ahead(admin.clock.now()) {
            tell_set_back(admin, &before, &account).await?;
            continue;
        }
        output::line(format!(
            "Account {id} goes on from its watermark of {} as generation {}.",
            output::utc(account.watermark.at),
            account.generation
        ));
    }
    if ids.is_empty() {
        output::line(
            "No account is held because the source or the ledger went back or was changed, and none has slots to come.",
        );
    }
    Ok(())
}

/// What whoever reads the bucket has to know: names go back.
async fn tell_set_back(admin: &Admin, before: &Account, after: &Account) -> CliResult {
    let (id, ahead, now) = (&after.id, slot_name(before.last_slot), slot_name(after.last_slot));
    let prefix =
        admin.ledger.destination(id).await?.map(|destination| destination.prefix).unwrap_or_default();
    let folder = format!("{prefix}audit/{encoded}/audit_{encoded}_", encoded = id.encoded());
    let generation = after.generation;
    output::line(format!(
        "Account {id} goes on from its watermark as generation {generation}; next slot {}.\n\
         Its next objects, …_g{generation:04}, sort before those that were named up to {ahead}. A reader that lists \
         from a marker (start-after) does not see them: set its marker back to {folder}{now}, with which it reads the \
         objects of the slots to come once more; or, before the next slot, let the account go to another prefix with \
         `auditferry destination set {} --replace --prefix …`, and point the reader there.",
        output::maybe_utc(after.next_slot),
        shell_word(id.as_str()),
    ));
    Ok(())
}

async fn rm(admin: &Admin, by: &By, id: &AccountId, force: bool) -> CliResult {
    let account = admin.remove_account(by, id, force).await?;
    output::line(format!(
        "Account {id} and its history of {} are removed.",
        counted(account.windows, "window")
    ));
    Ok(())
}
