//! Whether the databases answer, and what a person should know of them.

use std::fmt::Display;

use crate::base::clock::{Clock as _, SystemClock};
use crate::base::database::{notes, reached};
use crate::base::skew;
use crate::cli::{CliError, Databases, output};
use crate::settings::Settings;
use auditferry_core::protocol::{ClockState, clock_state};

/// Looks at both; whether one of them fails.
pub(super) async fn tell(settings: &Settings, databases: &Databases) -> bool {
    let Databases { ledger, source } = databases;
    let ledger = checked(&settings.ledger.url, ledger.check()).await;
    let source = checked(settings.source_url(), source.check()).await;
    let mut failed = false;
    for (name, url, result) in
        [("ledger", &settings.ledger.url, ledger), ("source", settings.source_url(), source)]
    {
        match result {
            Ok(()) => output::line(format!("ok      {name}")),
            Err(problem) => {
                failed = true;
                output::line(format!("FAILED  {name}: {problem}"));
            }
        }
        for note in notes(url) {
            output::line(format!("note    {name}: {note}"));
        }
    }
    failed
}

/// A server that is away is told at once: the pool would wait for it.
async fn checked<E: Display>(url: &str, check: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    reached(url).await?;
    check.await.map_err(|error| error.to_string())
}

/// Compares this machine's clock with the ledger's database's, as the worker does; whether it is wrong.
pub(super) async fn tell_clock(databases: &Databases) -> Result<bool, CliError> {
    let ahead = SystemClock.now().duration_since(databases.ledger.now().await?);
    let words = skew::words(Some(ahead), "that of the ledger's database");
    match clock_state(ahead) {
        ClockState::Right => Ok(false),
        ClockState::Off => {
            output::line(format!("note    clock: {words}"));
            Ok(false)
        }
        ClockState::Wrong => {
            output::line(format!("FAILED  clock: {words}; a worker takes nothing meanwhile"));
            Ok(true)
        }
    }
}
