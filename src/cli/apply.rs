//! `auditferry apply`

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use super::destination::prove;
use super::{CliError, CliResult, Context, WhyArgs, output};
use crate::destinations::cache::StoreCache;
use crate::destinations::trials::{Tried, examine_all};
use crate::ledger::{Account, ExportOptions, LedgerError};
use crate::operations::admin::Admin;
use crate::operations::differences::differences;
use crate::operations::exports::{self, Export};
use crate::secrets::Opened;
use crate::settings::Settings;
use auditferry_core::model::account::{AccountId, AccountIdError, AddOn, AddOnChange};
use auditferry_core::model::actor::By;
use auditferry_core::text::count::counted;
use auditferry_core::text::shell::shell_word;

#[derive(Args)]
pub(super) struct ApplyArgs {
    /// The exports file; see config/exports.example.toml.
    file: PathBuf,
    /// Print the difference and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove the accounts that the file does not declare, with their history.
    #[arg(long)]
    prune: bool,
    /// Do not read the secrets here: they are only there where the worker runs.
    #[arg(long)]
    skip_secrets: bool,
    /// Do not try new and changed destinations. Without this, nothing is changed when one of them does not work.
    #[arg(long)]
    no_test: bool,
    #[command(flatten)]
    why: WhyArgs,
}

/// One change that makes the ledger as the file says.
enum Change {
    Add(Box<Export>, ExportOptions),
    Options(AccountId, ExportOptions, Vec<String>),
    Destination(AccountId, Box<auditferry_core::model::destination::Destination>, String),
    Addon(AccountId, AddOn, String),
    Remove(AccountId),
}

impl Change {
    fn text(&self) -> String {
        match self {
            Self::Add(export, options) => format!(
                "+ account {}: {}, \"{}\", from {}",
                export.account, options.zone, options.schedule, export.start
            ),
            Self::Options(id, _, what) => format!("~ account {id}: {}", what.join(", ")),
            Self::Destination(id, _, what) => format!("~ account {id}: destination {what}"),
            Self::Addon(id, _, what) => format!("~ account {id}: add-on {what}"),
            Self::Remove(id) => format!("- account {id}, with its history"),
        }
    }
}

pub(super) async fn apply(context: &Context, args: &ApplyArgs) -> CliResult {
    let refuse = |problem: String| CliError::Usage(format!("{}: {problem}", args.file.display()));
    let text = std::fs::read_to_string(&args.file).map_err(|error| refuse(error.to_string()))?;
    let declared = exports::parse(&text).map_err(|error| refuse(error.to_string()))?;
    let (settings, admin) = context.admin().await?;
    let stores = super::destination::bare_stores(&settings)?;
    check(&settings, &admin, &stores, &declared, args.skip_secrets).await.map_err(refuse)?;

    let changes =
        difference(&settings, &admin, &declared, args.prune).await.map_err(|error| match error {
            CliError::Usage(problem) => refuse(problem),
            other => other,
        })?;
    for change in &changes {
        output::line(change.text());
    }
    if changes.is_empty() {
        output::line("Nothing to change.");
    } else if args.dry_run {
        output::line(format!(
            "{}; nothing was changed (--dry-run).",
            counted(changes.len() as u64, "change")
        ));
    } else {
        if !args.no_test && !args.skip_secrets {
            try_destinations(&admin, &stores, &changes).await?;
        }
        let by = context.by(Some(&args.why));
        let count = changes.len();
        let mut left = changes.into_iter();
        let mut made = 0;
        while let Some(change) = left.next() {
            let text = change.text();
            if let Err(error) = carry_out(&admin, &by, &stores, change).await {
                tell_what_is_left(made, count, &text, left.map(|change| change.text()));
                return Err(failed(error));
            }
            made += 1;
        }
        output::line(format!("{} made.", counted(count as u64, "change")));
    }
    Ok(())
}

/// Tries all new and changed destinations at once. One of which the owner has to prove it theirs is tried
/// when the token is written there.
async fn try_destinations(admin: &Admin, stores: &StoreCache, changes: &[Change]) -> CliResult {
    let mut places = Vec::new();
    for change in changes {
        if let Change::Destination(id, destination, _) = change
            && !admin.asks_for_proof(id, destination).await?
        {
            places.push((id.clone(), (**destination).clone()));
        }
    }
    let all = places.len();
    let progress = output::progress(all as u64, "destinations tried");
    let tried = examine_all(stores, places, &|| progress.inc(1)).await;
    progress.finish_and_clear();
    let broken: Vec<&Tried> = tried.iter().filter(|tried| tried.examination.report.is_err()).collect();
    for Tried { account, destination, examination } in &broken {
        // What it says is said of all of them together below.
        let _ = super::destination::report(account, destination, examination);
    }
    if broken.is_empty() {
        return Ok(());
    }
    output::line(format!(
        "{} of {} {} not take objects. Nothing was changed. Mend them, or add --no-test to set them all the same.",
        broken.len(),
        counted(all as u64, "destination"),
        if broken.len() == 1 { "does" } else { "do" }
    ));
    Err(CliError::Reported)
}

/// Each change is a transaction of its own: what was done before a failure stays, and the
/// same file makes the rest when it is applied again.
fn tell_what_is_left(made: usize, count: usize, failed: &str, left: impl Iterator<Item = String>) {
    output::line(format!("{made} of {count} changes were made. Not made:"));
    output::line(failed);
    left.for_each(output::line);
}

/// The request was right when it was checked: whatever it is, it is a failure.
fn failed(error: CliError) -> CliError {
    match error {
        CliError::Usage(problem) | CliError::Failed(problem) => {
            CliError::Failed(format!("{problem}; apply the file again for the rest"))
        }
        CliError::Reported => CliError::Reported,
    }
}

/// Checks everything before anything is changed.
async fn check(
    settings: &Settings,
    admin: &Admin,
    stores: &StoreCache,
    declared: &[Export],
    skip_secrets: bool,
) -> Result<(), String> {
    for export in declared {
        let of = |problem: String| format!("account {}: {problem}", export.account);
        admin.checked(&export.options(&settings.export)).map_err(|error| of(error.to_string()))?;
        if let Some(destination) = &export.destination {
            let destination = &admin
                .completed(&export.account, destination.clone())
                .await
                .map_err(|error| of(error.to_string()))?;
            destination.validate().map_err(|error| of(error.to_string()))?;
            let asks = admin.asks_for_proof(&export.account, destination).await;
            if asks.map_err(|error| of(error.to_string()))? && skip_secrets {
                return Err(of("destination: the worker's own identity is used, and its owner has to prove the bucket \
                               theirs, for which a token is written there; apply the file where the worker runs, \
                               without --skip-secrets"
                    .to_owned()));
            }
            if !skip_secrets {
                let opened = stores.open_given(&export.account, destination, &Opened::default()).await;
                opened.map_err(|error| of(super::destination::with_skip_secrets(&error)))?;
            }
        }
    }
    Ok(())
}

async fn difference(
    settings: &Settings,
    admin: &Admin,
    declared: &[Export],
    prune: bool,
) -> Result<Vec<Change>, CliError> {
    let mut changes = Vec::new();
    for export in declared {
        let options = admin.checked(&export.options(&settings.export))?;
        let account = match admin.ledger.account(&export.account).await {
            Ok(account) => Some(account),
            Err(LedgerError::NoAccount(_)) => None,
            Err(error) => return Err(error.into()),
        };
        match &account {
            None => {
                let refused =
                    |error: AccountIdError| CliError::Usage(format!("account {}: {error}", export.account));
                export.account.check_new().map_err(refused)?;
                changes.push(Change::Add(Box::new(export.clone()), options));
            }
            Some(account) => {
                let what = options_difference(account, &options);
                admin.check_schedule(account, &options.schedule)?;
                if !what.is_empty() {
                    changes.push(Change::Options(export.account.clone(), options, what));
                }
            }
        }
        changes.extend(destination_change(admin, export, account.is_some()).await?);
        if let Some(change) = addon_change(export, account.as_ref()) {
            if let Change::Addon(id, addon, _) = &change {
                admin
                    .check_addon(addon)
                    .map_err(|error| CliError::Usage(format!("account {id}: {error}")))?;
            }
            changes.push(change);
        }
    }
    if prune {
        let names: BTreeSet<&AccountId> = declared.iter().map(|export| &export.account).collect();
        let all = admin.all_accounts().await?;
        changes.extend(all.into_iter().filter(|a| !names.contains(&a.id)).map(|a| Change::Remove(a.id)));
    }
    Ok(changes)
}

fn options_difference(account: &Account, wanted: &ExportOptions) -> Vec<String> {
    let mut what = Vec::new();
    if account.zone != wanted.zone {
        what.push(format!("zone {} -> {}", account.zone, wanted.zone));
    }
    if account.schedule != wanted.schedule {
        what.push(format!("schedule \"{}\" -> \"{}\"", account.schedule, wanted.schedule));
    }
    let (was, wanted) = (serde_json::json!(account.format), serde_json::json!(wanted.format));
    if let (Some(was), Some(wanted)) = (was.as_object(), wanted.as_object()) {
        for (key, value) in wanted {
            let old = was.get(key).unwrap_or(&serde_json::Value::Null);
            if old != value {
                what.push(format!("{key} {old} -> {value}"));
            }
        }
    }
    what
}

async fn destination_change(
    admin: &Admin,
    export: &Export,
    exists: bool,
) -> Result<Option<Change>, CliError> {
    let Some(wanted) = &export.destination else { return Ok(None) };
    let wanted = admin.completed(&export.account, wanted.clone()).await?;
    let current = if exists { admin.ledger.destination(&export.account).await? } else { None };
    let mut what = match current {
        Some(current) if current == wanted => return Ok(None),
        Some(current) => {
            let told: Vec<String> = differences(&current, &wanted).iter().map(ToString::to_string).collect();
            if current.to_string() == wanted.to_string() {
                format!("{wanted} ({})", told.join("; "))
            } else {
                format!("{current} -> {wanted} ({})", told.join("; "))
            }
        }
        None => wanted.to_string(),
    };
    // Only now: what is set already may well end while the file stays as it is.
    admin
        .check_end(&wanted)
        .map_err(|error| CliError::Usage(format!("account {}: {error}", export.account)))?;
    if admin.asks_for_proof(&export.account, &wanted).await? {
        let awaited = admin.ledger.awaited_proof(&export.account).await?;
        let word = shell_word(export.account.as_str());
        if awaited.is_some_and(|awaited| awaited.destination == wanted && !awaited.is_late(admin.clock.now()))
        {
            output::line(format!(
                "Account {}: {wanted} waits for the proof of its owner: auditferry destination prove {word}",
                export.account
            ));
            return Ok(None);
        }
        what.push_str(", once its owner has proved it theirs");
    }
    Ok(Some(Change::Destination(export.account.clone(), Box::new(wanted), what)))
}

fn addon_change(export: &Export, account: Option<&Account>) -> Option<Change> {
    let wanted = export.addon.as_ref()?;
    let current = account.map(|account| account.addon.clone()).unwrap_or_default();
    if *wanted == current {
        return None;
    }
    let state = if wanted.enabled { "enabled" } else { "disabled" };
    let until = wanted.until.map_or_else(String::new, |until| format!(" until {}", output::utc(until)));
    Some(Change::Addon(export.account.clone(), wanted.clone(), format!("{state}{until}")))
}

async fn carry_out(admin: &Admin, by: &By, stores: &StoreCache, change: Change) -> CliResult {
    match change {
        Change::Add(export, options) => {
            admin.add_account(by, &export.account, &options, export.start).await?;
        }
        Change::Options(id, options, _) => {
            admin.set_options(by, &id, &options).await?;
        }
        Change::Destination(id, destination, _) => {
            if admin.asks_for_proof(&id, &destination).await? {
                let current = admin.ledger.destination(&id).await?;
                let challenge = prove::challenge(stores, &id, &destination, &Opened::default()).await?;
                let asked = challenge.asked(admin.clock.now());
                admin.await_proof(by, &id, &destination, &[], true, &asked).await?;
                prove::tell(&id, &destination, current.as_ref(), &asked);
            } else {
                admin.set_destination(by, &id, &destination, &[], true).await?;
            }
        }
        Change::Addon(id, addon, _) => {
            admin.set_addon(by, &id, &AddOnChange::Declared(addon), None).await?;
        }
        Change::Remove(id) => admin.ledger.remove_account(by, &id).await?,
    }
    Ok(())
}
