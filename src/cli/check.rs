//! `auditferry check`

use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::{CliError, CliResult, Context, Opening, destination, output};
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::zones::Zones;
use crate::destinations::probe::{Trial, UNHEARD, examine};
use crate::destinations::vault::Closed;
use crate::ledger::Ledger;
use crate::settings::Settings;
use crate::source::Source;
use auditferry_core::model::expiry::Ending;
use auditferry_core::model::window::{MAX_NAME_BYTES, longest_name};
use auditferry_core::text::shell::shell_word;

mod retention;

/// How many accounts are read at once.
const PAGE: u32 = 500;

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Also put a zero-byte object into each destination, beside audit/.
    #[arg(long)]
    destinations: bool,
}

pub(super) async fn check(context: &Context, args: &CheckArgs) -> CliResult {
    let settings = context.settings()?;
    output::line("Settings in force:");
    for (key, value) in &settings.effective {
        output::line(format!("  {key} = {value}"));
    }
    output::line(format!("\nTime zones: {}", Zones::load().description()));
    let databases = context.databases(&settings, Opening::CommandWithoutCheck).await?;
    let mut failed = false;
    let ledger = databases.ledger.check().await.map_err(|error| error.to_string());
    let source = databases.source.check().await.map_err(|error| error.to_string());
    for (name, result) in [("ledger", ledger), ("source", source)] {
        match result {
            Ok(()) => output::line(format!("ok      {name}")),
            Err(problem) => {
                failed = true;
                output::line(format!("FAILED  {name}: {problem}"));
            }
        }
    }
    if !failed {
        for advice in databases.source.advice().await? {
            output::line(format!("note    source: {advice}"));
        }
        tell_holder(&*databases.source).await?;
        retention::tell(&databases).await?;
        failed |= check_keys(&settings, &databases.ledger).await?;
        tell_ends(&*databases.ledger, SystemClock.now()).await?;
        failed |= tell_accounts(&*databases.ledger, SystemClock.now()).await?;
    }
    if args.destinations && !failed {
        let (settings, admin) = context.admin().await?;
        let stores = destination::stores(&settings, &admin.ledger).await?;
        for account in admin.all_accounts().await? {
            if let Some(place) = admin.ledger.destination(&account.id).await? {
                let examined = examine(&stores, &account.id, &place, None, Trial::Removed, UNHEARD).await;
                failed |= destination::report(&account.id, &place, &examined).is_err();
            }
        }
    }
    if failed { Err(CliError::Reported) } else { Ok(()) }
}

/// Names the transaction that holds records back, once it is open for long.
async fn tell_holder(source: &dyn Source) -> CliResult {
    if let Some(holder) = source.holder().await?.filter(|holder| holder.is_old(SystemClock.now())) {
        output::line(format!("note    source: {}", holder.words()));
    }
    Ok(())
}

/// Names the accounts whose credentials end soon or have ended.
async fn tell_ends(ledger: &dyn Ledger, now: Timestamp) -> CliResult {
    let before = now.checked_add(Ending::NOTICE).unwrap_or(now);
    let mut after = None;
    loop {
        let page = ledger.credentials_ending(before, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.account.clone());
        for ends in &page {
            let word = if ends.at <= now { "have ended" } else { "end" };
            let at = output::utc(ends.at);
            output::line(format!("note    the credentials of account {} {word} at {at}", ends.account));
        }
    }
}

/// Names the accounts whose objects' names do not fit everywhere (new ones are refused), and those that
/// wait for slots that a wrong clock has planned. Whether there are any of these.
async fn tell_accounts(ledger: &dyn Ledger, now: Timestamp) -> Result<bool, CliError> {
    let mut after = None;
    let mut failed = false;
    loop {
        let page = ledger.accounts(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(failed) };
        after = Some(last.id.clone());
        for account in &page {
            if account.clock_was_ahead(now) {
                failed = true;
                output::line(format!(
                    "FAILED  account {}: a clock was ahead; slots up to {} are used, and nothing is delivered before \
                     they have passed: see `auditferry account show {}`",
                    account.id,
                    output::utc(account.last_slot),
                    shell_word(account.id.as_str())
                ));
            }
            let bytes = longest_name(&account.id);
            if bytes > MAX_NAME_BYTES {
                output::line(format!(
                    "note    the names of account {}'s objects have up to {bytes} bytes; unzip, Python, Java and some \
                     stores take {MAX_NAME_BYTES}",
                    account.id
                ));
            }
        }
    }
}

/// Whether a key is missing, or one does not open what it must.
async fn check_keys(settings: &Settings, ledger: &Arc<dyn Ledger>) -> Result<bool, CliError> {
    let vault = match destination::vault(settings, ledger).await {
        Ok(vault) => vault,
        Err(CliError::Usage(problem)) => {
            output::line(format!("FAILED  keys: {problem}"));
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    let (open, closed) = vault.try_all().await?;
    if closed.is_empty() {
        output::line(format!("ok      keys: {open} sealed secrets open"));
    }
    for Closed { account, error, .. } in &closed {
        output::line(format!("FAILED  keys: a secret of account {account}: {error}"));
    }
    Ok(!closed.is_empty())
}
