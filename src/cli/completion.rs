//! Completion of what only the ledger, or the server that has it, knows: the ids of accounts.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;

use super::CliError;
use super::context::refuse_missing;
use super::server::ServerArgs;
use super::service::{Remote, Service as _};
use crate::ledger::{self, AccountFilter};
use crate::operations::listing::Extent;
use crate::settings::Settings;
use auditferry_core::model::account::AccountId;

/// The variable by which a shell asks this program to complete a line.
pub(super) const VARIABLE: &str = "COMPLETE";

/// Most ids that are shown.
const MOST: u32 = 200;

/// How long a shell waits at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Completes the ids of accounts, of the server that `AUDITFERRY_SERVER` names, or of the ledger that `AUDITFERRY_CONFIG`
/// and the environment name.
pub(super) fn account_ids() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let typed = current.to_string_lossy().into_owned();
        let ids = within_patience(beginning_with(&typed)).unwrap_or_default();
        ids.into_iter().map(|id| CompletionCandidate::new(id.to_string())).collect::<Vec<_>>()
    })
}

/// The script that lets a shell ask this program.
pub(super) fn script(shell: &str) -> Result<String, CliError> {
    let shells = Shells::builtins();
    let names: Vec<&str> = shells.names().collect();
    let Some(completer) = shells.completer(shell) else {
        return Err(CliError::Usage(format!(
            "{shell:?} is not a known shell; write one of {}",
            names.join(", ")
        )));
    };
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, "auditferry", "auditferry", "auditferry", &mut script)
        .map_err(|error| CliError::Failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Whatever fails while a line is typed is no candidate, and nothing is printed.
fn within_patience<T>(answer: impl Future<Output = Result<T, CliError>>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await });
    runtime.shutdown_background();
    answer.ok()?.ok()
}

async fn beginning_with(typed: &str) -> Result<Vec<AccountId>, CliError> {
    if let Some(client) = ServerArgs::of_environment().client()? {
        let filter = AccountFilter { text: Some(typed.to_owned()), ..AccountFilter::default() };
        let rows = Remote::new(client).accounts(filter, Extent::First(MOST)).await?.rows;
        let ids = rows.into_iter().map(|row| row.account);
        return Ok(ids.filter(|id| id.as_str().starts_with(typed)).collect());
    }
    let config = std::env::var_os("AUDITFERRY_CONFIG").map(PathBuf::from);
    let settings = Settings::load(config.as_deref())?;
    refuse_missing("ledger.url", &settings.ledger.url)?;
    let ledger = ledger::open(&settings.ledger.url, 1, false).await?;
    let typed_id: Option<AccountId> = typed.parse().ok();
    let mut ids = Vec::new();
    if let Some(id) = &typed_id
        && ledger.account(id).await.is_ok()
    {
        ids.push(id.clone());
    }
    let page = ledger.accounts(typed_id.as_ref(), MOST).await?;
    ids.extend(page.into_iter().map(|account| account.id).filter(|id| id.as_str().starts_with(typed)));
    Ok(ids)
}
