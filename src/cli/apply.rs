//! `auditferry apply`

use std::path::PathBuf;

use clap::Args;

use super::destination::prove;
use super::{CliError, CliResult, Context, WhyArgs, output};
use crate::destinations::cache::StoreCache;
use crate::destinations::trials::{Tried, examine_all};
use crate::operations::apply::{Applier, ApplyError, Change, Plan};
use crate::operations::destinations::PlaceError;
use crate::operations::exports;
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
    /// Do not read the secrets here: they exist only where the worker runs.
    #[arg(long)]
    skip_secrets: bool,
    /// Do not try new and changed destinations. Without this, nothing is changed when one of them does not work.
    #[arg(long)]
    no_test: bool,
    /// That it may disable or remove so many accounts: needed where these are more than safety.max_share.
    #[arg(long, value_name = "NUMBER")]
    confirm: Option<u64>,
    #[command(flatten)]
    why: WhyArgs,
}

/// A change in one line.
fn line(change: &Change) -> String {
    match change {
        Change::Add(export, options) => format!(
            "+ account {}: {}, \"{}\", from {}",
            export.account, options.zone, options.schedule, export.start
        ),
        Change::Options(id, _, what) => format!("~ account {id}: {}", what.join(", ")),
        Change::Destination(new) => format!("~ account {}: destination {}", new.account, new.what),
        Change::AddOn(id, addon) => {
            let state = if addon.enabled { "enabled" } else { "disabled" };
            let until =
                addon.until.map_or_else(String::new, |until| format!(" until {}", output::utc(until)));
            format!("~ account {id}: add-on {state}{until}")
        }
        Change::Remove(id) => format!("- account {id}, with its history"),
    }
}

pub(super) async fn apply(context: &Context, args: &ApplyArgs) -> CliResult {
    let refuse = |problem: String| CliError::Usage(format!("{}: {problem}", args.file.display()));
    let text = std::fs::read_to_string(&args.file).map_err(|error| refuse(error.to_string()))?;
    let declared = exports::parse(&text).map_err(|error| refuse(error.to_string()))?;
    let (settings, admin) = context.admin().await?;
    let stores = super::destination::bare_stores(&settings)?;
    let applier = Applier {
        admin: &admin,
        stores: &stores,
        defaults: &settings.export,
        skip_secrets: args.skip_secrets,
        max_share: settings.safety.max_share,
    };
    let Plan { changes, awaiting } =
        applier.plan(&declared, args.prune).await.map_err(|error| match error {
            ApplyError::Open(id, error) => {
                refuse(format!("account {id}: {}", super::destination::with_skip_secrets(&error)))
            }
            error if error.is_usage() => refuse(error.to_string()),
            error => CliError::Failed(error.to_string()),
        })?;
    for (id, wanted) in awaiting {
        let word = shell_word(id.as_str());
        output::line(format!(
            "Account {id}: {wanted} waits for the proof of its owner: auditferry destination prove {word}"
        ));
    }
    for change in &changes {
        output::line(line(change));
    }
    match applier.allow(&changes, args.confirm).await {
        Ok(()) => {}
        Err(error) if args.dry_run && error.is_usage() => {
            output::note(&format!("It would be refused: {error}"));
        }
        Err(error) if error.is_usage() => {
            // A job may have applied it, and nobody reads what that says.
            applier.tell_refused(&error).await?;
            return Err(refuse(error.to_string()));
        }
        Err(error) => return Err(error.into()),
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
            try_destinations(&stores, &changes).await?;
        }
        let by = context.by(Some(&args.why));
        let count = changes.len();
        for (made, change) in changes.iter().enumerate() {
            match applier.make(&by, change).await {
                Ok(None) => {}
                Ok(Some(placed)) => {
                    if let (Change::Destination(new), Some(asked)) = (change, &placed.awaits) {
                        prove::tell(
                            &new.account,
                            &placed.destination,
                            placed.before.as_ref(),
                            (&asked.key, asked.expires_at),
                        );
                    }
                }
                Err(error) => {
                    if let PlaceError::Fails(failed) = &error
                        && let Change::Destination(new) = change
                    {
                        // What it says is said of all that is left below.
                        let _ = super::destination::report(&new.account, &failed.0, &(&failed.1).into());
                    }
                    tell_what_is_left(made, count, changes[made..].iter().map(line));
                    // The request was right when it was checked: whatever it is, it is a failure.
                    return Err(CliError::Failed(format!("{error}; apply the file again for the rest")));
                }
            }
        }
        output::line(format!("{} made.", counted(count as u64, "change")));
    }
    Ok(())
}

/// Tries all new and changed destinations at once. One of which the owner has to prove it theirs is tried
/// when the token is written there.
async fn try_destinations(stores: &StoreCache, changes: &[Change]) -> CliResult {
    let places: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Destination(new) if !new.needs_proof => {
                Some((new.account.clone(), new.destination.clone()))
            }
            _ => None,
        })
        .collect();
    let all = places.len();
    let progress = output::progress(all as u64, "destinations tried");
    let tried = examine_all(stores, places, &|| progress.inc(1)).await;
    progress.finish_and_clear();
    let broken: Vec<&Tried> = tried.iter().filter(|tried| tried.examination.report.is_err()).collect();
    for Tried { account, destination, examination } in &broken {
        // What it says is said of all of them together below.
        let _ = super::destination::report(account, destination, &examination.into());
    }
    if broken.is_empty() {
        return Ok(());
    }
    output::line(format!(
        "{} of {} {} not accept objects. Nothing was changed. Fix them, or add --no-test to set them anyway.",
        broken.len(),
        counted(all as u64, "destination"),
        if broken.len() == 1 { "does" } else { "do" }
    ));
    Err(CliError::Reported)
}

/// Each change is a transaction of its own: what was done before a failure stays, and the
/// same file makes the rest when it is applied again.
fn tell_what_is_left(made: usize, count: usize, left: impl Iterator<Item = String>) {
    output::line(format!("{made} of {count} changes were made. Not made:"));
    left.for_each(output::line);
}
