//! `auditferry keys …`

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::destination::vault;
use super::output::Column;
use super::{CliError, CliResult, Context, ListArgs, WhyArgs, output};
use crate::base::clock::{Clock as _, SystemClock};
use crate::destinations::vault::{KeyState, VaultError};
use crate::secrets::keys::{self, KeyError};
use crate::settings::KeyEntry;
use auditferry_core::text::count::counted;

const NO_KEY: &str = "There is no key. `auditferry keys generate --out FILE` makes one.";

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key that seals secrets: 32 random bytes in base64.
    Generate {
        /// The file to make, which only its owner can read; without it, the key is printed.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The key's id in keys.ring and in the ledger [default: the day].
        #[arg(long, requires = "out", value_parser = key_id)]
        id: Option<String>,
    },
    /// The keys of keys.ring and of the ledger, and how many secrets each has sealed.
    Ls(ListArgs),
    /// Wrap all secrets of the ledger with the first key of keys.ring, while workers run.
    Rotate(WhyArgs),
}

impl KeysCommand {
    /// Its name, if it can only work on the ledger itself.
    pub(super) fn ledger_only(&self) -> Option<&'static str> {
        match self {
            Self::Generate { .. } => Some("keys generate"),
            Self::Rotate(_) => Some("keys rotate"),
            Self::Ls(_) => None,
        }
    }
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Kms { .. } | KeyError::Cipher => Self::Failed(error.to_string()),
            other => Self::Usage(other.to_string()),
        }
    }
}

impl From<VaultError> for CliError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Ledger(error) => error.into(),
            VaultError::Key(error) => error.into(),
            missing @ VaultError::Missing { .. } => Self::Usage(missing.to_string()),
        }
    }
}

pub(super) async fn run(context: &Context, command: KeysCommand) -> CliResult {
    match command {
        KeysCommand::Generate { out, id } => generate(out.as_deref(), id),
        KeysCommand::Ls(list) => ls(context, &list).await,
        KeysCommand::Rotate(why) => rotate(context, &why).await,
    }
}

fn key_id(text: &str) -> Result<String, String> {
    KeyEntry::try_from(format!("{text}=env:KEY")).map(|entry| entry.id)
}

fn generate(out: Option<&Path>, id: Option<String>) -> CliResult {
    let key = keys::generate().ok_or(KeyError::Cipher)?;
    let Some(path) = out else {
        output::line(key.expose());
        return Ok(());
    };
    let refuse = |error: std::io::Error| {
        CliError::Usage(format!("--out {}: {error}; name a file that does not exist yet", path.display()))
    };
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(refuse)?;
    file.write_all(key.expose().as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(refuse)?;
    file.sync_all().map_err(refuse)?;
    let path = path.canonicalize().map_err(refuse)?;
    let id = id.unwrap_or_else(|| SystemClock.now().strftime("%Y-%m-%d").to_string());
    output::line(format!(
        "{} holds a new key. Keep a copy where the ledger's backups are not.",
        path.display()
    ));
    output::line("For every worker, and where `auditferry destination set` runs:");
    output::line(format!("  [keys]\n  ring = [\"{id}=file:{}\"]", path.display()));
    output::line(format!("or AUDITFERRY__KEYS__RING={id}=file:{}", path.display()));
    output::line("Only its owner reads it: a worker of another user (65532 in the image) has to own it.");
    output::line("Older keys stay behind it until `auditferry keys rotate` has run.");
    Ok(())
}

async fn ls(context: &Context, list: &ListArgs) -> CliResult {
    let states = list.extent().of(context.service(None).await?.keys().await?);
    if list.json {
        output::json(&states.rows);
    } else {
        let row = |state: &KeyState| {
            let source = state.source.clone().unwrap_or_else(|| "NOT in keys.ring".to_owned());
            let role = if state.seals { "seals" } else { "opens" };
            vec![state.key.clone(), role.to_owned(), state.secrets.to_string(), source]
        };
        let rows: Vec<_> = states.rows.iter().map(row).collect();
        let columns = ["KEY", "ROLE", "SECRETS", "SOURCE"].map(Column::new);
        output::table(&columns, &rows, NO_KEY);
    }
    output::rest(&states, list.json);
    Ok(())
}

async fn rotate(context: &Context, why: &WhyArgs) -> CliResult {
    let (settings, admin) = context.admin().await?;
    let vault = vault(&settings, &admin.ledger).await?;
    vault.check().await?;
    let states = vault.states().await?;
    let others = states.iter().filter(|state| !state.seals);
    let bar = ProgressBar::new(others.map(|state| state.secrets).sum());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} secrets, {eta} left") {
        bar.set_style(style);
    }
    let rewrapped = vault.rotate(&context.by(Some(why)), &mut || bar.inc(1)).await;
    bar.finish_and_clear();
    let rewrapped = rewrapped?;
    for state in vault.states().await? {
        if state.seals {
            output::line(format!(
                "{} wrapped anew; key {} has sealed all {} of its own.",
                counted(rewrapped, "secret"),
                state.key,
                state.secrets
            ));
        } else if state.secrets == 0 {
            output::line(format!("Key {} seals nothing any more: remove it from keys.ring.", state.key));
        } else {
            output::line(format!(
                "Key {} still seals {}: run this again.",
                state.key,
                counted(state.secrets, "secret")
            ));
        }
    }
    Ok(())
}
