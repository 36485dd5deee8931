//! What `destination set` and `destination rotate` share: trying, setting, and saying what was done.

use clap::Args;

use super::{prove, report};
use crate::cli::service::{NewDestination, NotSet, Service, SetDestination};
use crate::cli::{CliError, output};
use crate::operations::destinations::Test;
use auditferry_core::text::shell::shell_word;

#[derive(Args)]
pub(super) struct TrialArgs {
    /// Read the secrets now and here, and keep them sealed in the ledger; without this a file or an
    /// environment variable is a name, which the worker reads. A file named - is standard input, which
    /// is always sealed; what is left out is asked for on a terminal. With --server all of them are read
    /// here and sealed there.
    #[arg(long)]
    pub(super) seal: bool,
    /// Do not try the destination before it is set. Without this, one that does not work is not set,
    /// and what it would replace stays.
    #[arg(long)]
    no_test: bool,
    /// Do not read the secrets here, and do not try the destination: they exist only where the worker runs. With
    /// --server their names are sent, which only an operator may do.
    #[arg(long)]
    pub(super) skip_secrets: bool,
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
    service: &dyn Service,
    new: &NewDestination<'_>,
    verb: &str,
) -> Result<SetDestination, NotSet> {
    let steps = output::Steps::new();
    let placed = service.set_destination(new, &|step| steps.begin(step)).await;
    steps.end();
    let placed = match placed {
        Err(NotSet::Fails(failed)) => {
            let (destination, found) = *failed;
            let _ = report(new.account, &destination, &found);
            output::line(if destination.needs_proof() {
                "Nothing was changed.".to_owned()
            } else {
                format!("Nothing was changed. To {verb} it anyway, add --no-test.")
            });
            return Err(NotSet::Other(CliError::Reported));
        }
        other => other?,
    };
    if let Some(found) = &placed.probe {
        report(new.account, &placed.destination, found).map_err(NotSet::Other)?;
    }
    tell(new, &placed);
    Ok(placed)
}

fn tell(new: &NewDestination<'_>, placed: &SetDestination) {
    let SetDestination { destination, before, version, .. } = placed;
    if let Some((key, expires_at)) = &placed.awaits {
        prove::tell(new.account, destination, before.as_ref(), (key, *expires_at));
        return;
    }
    output::line(format!("Account {} delivers to {destination} (version {version}).", new.account));
    if let Some(key) = &placed.sealed_with {
        output::line(format!("Its secret is sealed in the ledger with key {key}."));
    }
    if let Some(end) = placed.credentials_end {
        output::line(format!("Its credentials end at {}; the worker warns of it.", output::utc(end)));
    }
    if new.test != Test::Tried && placed.probe.is_none() {
        let word = shell_word(new.account.as_str());
        output::line(format!("Next: auditferry destination test {word}"));
    }
}
