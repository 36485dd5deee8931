//! What `destination set` and `destination rotate` share: trying, setting, and saying what was done.

use clap::Args;

use super::{bare_stores, prove, report, vault};
use crate::cli::{CliError, CliResult, output};
use crate::operations::admin::Admin;
use crate::operations::destinations::{PlaceError, Placed, Placement, Placer, Test};
use crate::settings::Settings;
use auditferry_core::model::actor::By;
use auditferry_core::text::shell::shell_word;

#[derive(Args)]
pub(super) struct TrialArgs {
    /// Read the secrets now and here, and keep them sealed in the ledger; without this a file or an
    /// environment variable is a name, which the worker reads. A file named - is standard input, which
    /// is always sealed; what is left out is asked for on a terminal.
    #[arg(long)]
    pub(super) seal: bool,
    /// Do not try the destination before it is set. Without this, one that does not work is not set,
    /// and what it would replace stays.
    #[arg(long)]
    no_test: bool,
    /// Do not read the secrets here, and do not try the destination: they exist only where the worker runs.
    #[arg(long)]
    skip_secrets: bool,
}

impl TrialArgs {
    pub(super) fn test(&self) -> Test {
        match (self.skip_secrets, self.no_test) {
            (true, _) => Test::SecretsElsewhere,
            (false, true) => Test::Untried,
            (false, false) => Test::Tried,
        }
    }
}

/// Sets a destination and says what became of it; `verb`: what the person asked for.
pub(super) async fn place(
    settings: &Settings,
    admin: &Admin,
    by: &By,
    new: &Placement<'_>,
    verb: &str,
) -> Result<Placed, CliError> {
    let stores = bare_stores(settings)?;
    let vault = if new.opened.is_empty() { None } else { Some(vault(settings, &admin.ledger).await?) };
    let steps = output::Steps::new();
    let placer =
        Placer { admin, by, stores: &stores, vault: vault.as_ref(), told: &|heard| steps.hear(&heard) };
    let placed = placer.place(new).await;
    steps.end();
    let placed = match placed {
        Ok(placed) => placed,
        Err(error) => return Err(refused(new, error, verb)),
    };
    if let Some(examination) = &placed.examination {
        report(new.account, &placed.destination, examination)?;
    }
    tell(new, &placed)?;
    Ok(placed)
}

fn refused(new: &Placement<'_>, error: PlaceError, verb: &str) -> CliError {
    match error {
        PlaceError::Admin(error) => error.into(),
        PlaceError::Open(error) => CliError::Usage(super::with_skip_secrets(&error)),
        PlaceError::Key(error) => error.into(),
        PlaceError::Fails(failed) => {
            let (destination, examination) = *failed;
            if let Err(error) = report(new.account, &destination, &examination) {
                let word = if destination.needs_proof() {
                    "Nothing was changed.".to_owned()
                } else {
                    format!("Nothing was changed. To {verb} it anyway, add --no-test.")
                };
                output::line(word);
                return error;
            }
            CliError::Reported
        }
    }
}

fn tell(new: &Placement<'_>, placed: &Placed) -> CliResult {
    let Placed { destination, before, version, .. } = placed;
    if let Some(asked) = &placed.awaits {
        prove::tell(new.account, destination, before.as_ref(), asked);
        return Ok(());
    }
    output::line(format!("Account {} delivers to {destination} (version {version}).", new.account));
    if let Some(key) = &placed.sealed_with {
        output::line(format!("Its secret is sealed in the ledger with key {key}."));
    }
    if let Some(end) = placed.credentials_end {
        output::line(format!("Its credentials end at {}; the worker warns of it.", output::utc(end)));
    }
    if new.test != Test::Tried && placed.examination.is_none() {
        let word = shell_word(new.account.as_str());
        output::line(format!("Next: auditferry destination test {word}"));
    }
    Ok(())
}
