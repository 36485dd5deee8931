//! `auditferry check`

use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::{CliError, CliResult, Context, Opening, destination, output};
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::roots::Roots;
use crate::base::zones::Zones;
use crate::destinations::trials::{Tried, examine_all};
use crate::destinations::vault::Closed;
use crate::ledger::Ledger;
use crate::oidc::Provider;
use crate::settings::Settings;
use crate::source::Source;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::expiry::Ending;
use auditferry_core::model::object_key::{MAX_NAME_BYTES, longest_name};
use auditferry_core::text::count::counted;
use auditferry_core::text::shell::shell_word;

mod databases;
mod findings;
mod retention;

use findings::Findings;

/// How many accounts are read at once.
const PAGE: u32 = 500;

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Also put a zero-byte object into each destination, beside audit/.
    #[arg(long)]
    destinations: bool,
    /// Print all settings, and not only those that differ from the defaults.
    #[arg(long)]
    all: bool,
    /// Print JSON, for a program.
    #[arg(long)]
    json: bool,
}

pub(super) async fn check(context: &Context, args: &CheckArgs) -> CliResult {
    let settings = context.settings()?;
    let mut found = Findings::new(args.json);
    let looked = look(context, args, &settings, &mut found).await;
    let effective = if args.all { settings.effective.clone() } else { settings.differing()? };
    if args.json {
        let shown: serde_json::Map<String, serde_json::Value> =
            effective.into_iter().map(|(key, value)| (key, value.into())).collect();
        output::json(&serde_json::json!({
            "findings": found.all(),
            "time_zones": Zones::load().description(),
            "settings": shown,
        }));
    } else {
        print_settings(args.all, &effective);
    }
    looked?;
    if found.have_failed() { Err(CliError::Reported) } else { Ok(()) }
}

fn print_settings(all: bool, effective: &[(String, String)]) {
    output::line(format!("\nTime zones: {}", Zones::load().description()));
    match (all, effective.is_empty()) {
        (true, _) => output::line("Settings in force:"),
        (false, true) => output::line("All settings are the defaults; --all prints them."),
        (false, false) => output::line("Settings that differ from the defaults (--all prints all):"),
    }
    for (key, value) in effective {
        output::line(format!("  {key} = {value}"));
    }
}

/// Looks at everything; what fails is among the findings.
async fn look(context: &Context, args: &CheckArgs, settings: &Settings, found: &mut Findings) -> CliResult {
    tell_roots(found);
    let databases = context.databases(settings, Opening::CommandWithoutCheck).await?;
    if databases::tell(found, settings, &databases).await {
        databases::tell_clock(found, &databases).await?;
        for advice in databases.source.advice().await? {
            found.note(format!("source: {advice}"));
        }
        tell_holder(found, &*databases.source).await?;
        retention::tell(found, &databases).await?;
        check_keys(found, settings, &databases.ledger).await?;
        tell_ends(found, &*databases.ledger, SystemClock.now()).await?;
        tell_accounts(found, &*databases.ledger, SystemClock.now()).await?;
    }
    check_provider(found, settings).await?;
    if args.destinations && !found.have_failed() {
        check_destinations(context, args, found).await?;
    }
    Ok(())
}

/// Whether the OpenID Connect provider answers, if one is named.
async fn check_provider(found: &mut Findings, settings: &Settings) -> CliResult {
    if !settings.api.oidc.is_set() {
        return Ok(());
    }
    let stores = destination::bare_stores(settings)?;
    let provider = Provider::new(&settings.api.oidc, stores.dialer(), Arc::new(SystemClock));
    match provider {
        Ok(None) => {}
        Ok(Some(provider)) => match provider.is_reached().await {
            Ok(()) => found.ok("api.oidc: the provider answers, and its keys are known"),
            Err(error) => found.failed(format!("api.oidc: {error}")),
        },
        Err(problem) => found.failed(problem),
    }
    Ok(())
}

/// Tries every destination, several at once.
async fn check_destinations(context: &Context, args: &CheckArgs, found: &mut Findings) -> CliResult {
    let (settings, admin) = context.admin().await?;
    let stores = destination::stores(&settings, &admin.ledger).await?;
    let mut places = Vec::new();
    for account in admin.all_accounts().await? {
        if let Some(place) = admin.ledger.destination(&account.id).await? {
            places.push((account.id, place));
        }
    }
    let progress = output::progress(places.len() as u64, "destinations");
    let tried = examine_all(&stores, places, &|| progress.inc(1)).await;
    progress.finish_and_clear();
    for Tried { account, destination: place, examination } in &tried {
        if !args.json {
            destination::print_steps(&examination.into());
        }
        match &examination.report {
            Ok(()) => found.ok(format!("{account}: {place} accepts objects")),
            Err(failure) => {
                let kind = failure.kind.as_str();
                found.failed(format!("{account}: {kind}: {}\n        fix: {}", failure.message, failure.fix));
            }
        }
    }
    Ok(())
}

/// Says which CAs are trusted.
fn tell_roots(found: &mut Findings) {
    let roots = Roots::load();
    match &roots.problem {
        Some(problem) => found.failed(format!("certificates: {problem}")),
        None => found.ok(format!("certificates: {} CAs of {}", roots.len(), roots.origin)),
    }
}

/// Names the transaction that holds records back, once it is open for long.
async fn tell_holder(found: &mut Findings, source: &dyn Source) -> CliResult {
    if let Some(holder) = source.holder().await?.filter(|holder| holder.is_old(SystemClock.now())) {
        found.note(format!("source: {}", holder.words()));
    }
    Ok(())
}

/// Names the accounts whose credentials end soon or have ended.
async fn tell_ends(found: &mut Findings, ledger: &dyn Ledger, now: Timestamp) -> CliResult {
    let before = now.checked_add(Ending::NOTICE).unwrap_or(now);
    let mut after = None;
    loop {
        let page = ledger.credentials_ending(before, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.account.clone());
        for ends in &page {
            let word = if ends.at <= now { "have ended" } else { "end" };
            let at = output::utc(ends.at);
            found.note(format!("the credentials of account {} {word} at {at}", ends.account));
        }
    }
}

/// Names the accounts whose objects' names do not fit everywhere (new ones are refused), and those that
/// wait for slots that a wrong clock has planned.
async fn tell_accounts(found: &mut Findings, ledger: &dyn Ledger, now: Timestamp) -> CliResult {
    let mut after = None;
    loop {
        let page = ledger.accounts(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        for account in &page {
            if account.clock_was_ahead(now) {
                found.failed(format!(
                    "account {}: a clock was ahead; slots up to {} are used, and nothing is delivered before \
                     they have passed: see `auditferry account show {}`",
                    account.id,
                    output::utc(account.last_slot),
                    shell_word(account.id.as_str())
                ));
            }
            tell_destination(found, ledger, &account.id).await?;
            let bytes = longest_name(&account.id);
            if bytes > MAX_NAME_BYTES {
                found.note(format!(
                    "the names of account {}'s objects have up to {bytes} bytes; unzip, Python, Java and some \
                     stores take {MAX_NAME_BYTES}",
                    account.id
                ));
            }
        }
    }
}

/// Names a destination that could not be set any more as it is: it goes on as before.
async fn tell_destination(found: &mut Findings, ledger: &dyn Ledger, id: &AccountId) -> CliResult {
    let refused = ledger.destination(id).await?.and_then(|destination| destination.validate().err());
    if let Some(error) = refused {
        found.note(format!("account {id}: {error}"));
    }
    Ok(())
}

/// Whether a key is missing, or one does not open what it must.
async fn check_keys(found: &mut Findings, settings: &Settings, ledger: &Arc<dyn Ledger>) -> CliResult {
    let vault = match destination::vault(settings, ledger).await {
        Ok(vault) => vault,
        Err(CliError::Usage(problem)) => {
            found.failed(format!("keys: {problem}"));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let (open, closed) = vault.try_all().await?;
    if closed.is_empty() {
        let verb = if open == 1 { "opens" } else { "open" };
        found.ok(format!("keys: {} {verb}", counted(open, "sealed secret")));
    }
    for Closed { whose, error, .. } in &closed {
        found.failed(format!("keys: a secret of {whose}: {error}"));
    }
    Ok(())
}
