//! Whether the databases answer, and what a person should know of them.

use std::fmt::Display;

use super::findings::Findings;
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::database::{notes, reached};
use crate::base::skew;
use crate::cli::{CliResult, Databases};
use crate::settings::Settings;
use auditferry_core::protocol::{ClockState, clock_state};

/// Looks at both; whether both are there as they should.
pub(super) async fn tell(found: &mut Findings, settings: &Settings, databases: &Databases) -> bool {
    let Databases { ledger, source } = databases;
    let ledger = checked(&settings.ledger.url, ledger.check()).await;
    let source = checked(settings.source_url(), source.check()).await;
    let mut fine = true;
    for (name, url, result) in
        [("ledger", &settings.ledger.url, ledger), ("source", settings.source_url(), source)]
    {
        match result {
            Ok(()) => found.ok(name),
            Err(problem) => {
                fine = false;
                found.failed(format!("{name}: {problem}"));
            }
        }
        for note in notes(url) {
            found.note(format!("{name}: {note}"));
        }
    }
    fine
}

/// A server that is away is told at once: the pool would wait for it.
async fn checked<E: Display>(url: &str, check: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    reached(url).await?;
    check.await.map_err(|error| error.to_string())
}

/// Compares this machine's clock with the ledger's database's, as the worker does.
pub(super) async fn tell_clock(found: &mut Findings, databases: &Databases) -> CliResult {
    let ahead = SystemClock.now().duration_since(databases.ledger.now().await?);
    let words = skew::words(Some(ahead), "that of the ledger's database");
    match clock_state(ahead) {
        ClockState::Right => {}
        ClockState::Off => found.note(format!("clock: {words}")),
        ClockState::Wrong => found.failed(format!("clock: {words}; a worker claims no accounts meanwhile")),
    }
    Ok(())
}
