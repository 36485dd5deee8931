//! The command line: parses, loads settings, and turns results into exit codes:
//! 0 done, 1 failed, 2 bad usage or settings.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::base::actor::os_user;
use crate::base::clock::{Clock, SystemClock};
use crate::base::database::{Connect, Kind, masked, reached, sqlite_file};
use crate::base::zones::Zones;
use crate::ledger::{self, Ledger, LedgerError};
use crate::operations::admin::{Admin, AdminError};
use crate::operations::listing::{Extent, SHOWN};
use crate::settings::{Settings, SettingsError, SourceKind, SourceSettings, TableSettings};
use crate::source::{Source, SourceError};
use crate::store::DialerError;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{Actor, By, words};

mod account;
mod addon;
mod apply;
mod changes;
mod check;
mod completion;
mod deliveries;
mod demo;
mod destination;
mod import;
mod keys;
mod output;
mod records;
mod replay;
mod run;
mod source;

/// Delivers every account's audit log to the account's own bucket, on schedule.
#[derive(Parser)]
#[command(name = "auditferry", version, propagate_version = true)]
struct Cli {
    /// The settings file; without one, the defaults and the environment count.
    #[arg(long, global = true, env = "AUDITFERRY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Your name in the change log, where several people share one user of the operating system.
    #[arg(long = "as", global = true, env = "AUDITFERRY_ACTOR", value_name = "NAME", value_parser = words)]
    called: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the worker: export what is due at each slot, until stopped.
    #[command(after_help = "Examples:\n  auditferry run\n  auditferry run --until-idle")]
    Run(run::RunArgs),
    /// See the main job at work, with nothing to install: makes a folder and fills it.
    Demo(demo::DemoArgs),
    /// Test every connection, and print the settings that differ from the defaults.
    #[command(after_help = "Examples:\n  auditferry check\n  auditferry check --destinations --json")]
    Check(check::CheckArgs),
    /// Bring the schema of the ledger and of our own audit_log table up to date.
    Migrate,
    /// Make accounts, destinations and add-ons as an exports file declares them.
    #[command(
        after_help = "Examples:\n  auditferry apply exports.toml --dry-run\n  auditferry apply exports.toml --reason 'ticket 17'"
    )]
    Apply(apply::ApplyArgs),
    /// Add, list, explain, change and remove accounts.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Set, show, test and remove an account's one destination.
    #[command(subcommand)]
    Destination(destination::DestinationCommand),
    /// Enable, disable and show an account's paid add-on.
    #[command(subcommand)]
    Addon(addon::AddonCommand),
    /// The history of delivered objects.
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Leave out a record that cannot be exported and holds its account.
    #[command(subcommand)]
    Records(records::RecordsCommand),
    /// Make, list and rotate the keys that seal secrets in the ledger.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Who changed what in the ledger.
    #[command(subcommand)]
    Changes(changes::ChangesCommand),
    /// Let the source go on after it was moved to another database server.
    #[command(subcommand)]
    Source(self::source::SourceCommand),
    /// Load audit records from a file, all or none of them.
    Import(import::ImportArgs),
    /// Ask the worker on this machine whether it lives; for a container's health check.
    Health,
    /// Write a manual page for each command.
    Man {
        /// The folder; it is made if it is not there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Why a command ends without having done its work.
pub(crate) enum CliError {
    /// Bad usage or settings: exit code 2.
    Usage(String),
    /// It failed: exit code 1.
    Failed(String),
    /// It failed and has said so already: exit code 1.
    Reported,
}

pub(crate) type CliResult = Result<(), CliError>;

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<DialerError> for CliError {
    fn from(error: DialerError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        if error.is_usage() { Self::Usage(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        AdminError::from(error).into()
    }
}

impl From<SourceError> for CliError {
    fn from(error: SourceError) -> Self {
        AdminError::from(error).into()
    }
}

/// Every command and option, as the reference in the book is made from.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// The program from start to end.
#[must_use]
pub fn main() -> ExitCode {
    // A shell that completes a line asks with a variable; nothing of it gets further than here.
    clap_complete::CompleteEnv::with_factory(Cli::command).var(completion::VARIABLE).complete();
    let cli = Cli::parse();
    if let Err(error) = crate::secrets::keep_memory_private() {
        return finish(Err(CliError::Failed(format!("core dumps cannot be switched off: {error}"))));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return finish(Err(CliError::Failed(format!("the runtime cannot start: {error}")))),
    };
    let code = finish(runtime.block_on(dispatch(cli)));
    // A put that outlived the drain must not keep the process.
    runtime.shutdown_background();
    code
}

async fn dispatch(cli: Cli) -> CliResult {
    let context = Context { config: cli.config, called: cli.called };
    match cli.command {
        Command::Run(args) => run::run(&context, &args).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Check(args) => check::check(&context, &args).await,
        Command::Migrate => migrate(&context).await,
        Command::Apply(args) => apply::apply(&context, &args).await,
        Command::Account(command) => account::run(&context, command).await,
        Command::Destination(command) => destination::run(&context, command).await,
        Command::Addon(command) => addon::run(&context, command).await,
        Command::Deliveries(command) => deliveries::run(&context, command).await,
        Command::Records(command) => records::run(&context, command).await,
        Command::Keys(command) => keys::run(&context, command).await,
        Command::Changes(command) => changes::run(&context, command).await,
        Command::Source(command) => self::source::run(&context, command).await,
        Command::Import(args) => import::import(&context, &args).await,
        Command::Health => {
            crate::http::probe(&context.settings()?.http.listen).await.map_err(CliError::Failed)
        }
        Command::Man { out } => {
            let refuse = |error: std::io::Error| {
                CliError::Usage(format!(
                    "--out {}: {error}; name a folder that can be written",
                    out.display()
                ))
            };
            std::fs::create_dir_all(&out).map_err(refuse)?;
            clap_mangen::generate_to(Cli::command(), &out).map_err(refuse)
        }
        Command::Completions { shell } => {
            output::text(&completion::script(&shell.to_string())?);
            Ok(())
        }
    }
}

async fn migrate(context: &Context) -> CliResult {
    let settings = context.settings()?;
    let databases = context.databases(&settings, Opening::CommandWithoutCheck).await?;
    databases.migrate().await?;
    match settings.source.kind {
        SourceKind::AuditLog => output::line("The ledger and the audit_log table are up to date."),
        SourceKind::Table => {
            let TableSettings { schema, name, .. } = &settings.source.table;
            output::line(format!(
                "The ledger is up to date. The table {schema}.{name} is your own: it is only read."
            ));
        }
    }
    Ok(())
}

fn finish(result: CliResult) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Reported) => ExitCode::from(1),
        Err(CliError::Failed(message)) => {
            output::error(&message);
            ExitCode::from(1)
        }
        Err(CliError::Usage(message)) => {
            output::error(&message);
            ExitCode::from(2)
        }
    }
}

/// What every command begins with.
pub(crate) struct Context {
    config: Option<PathBuf>,
    called: Option<String>,
}

/// What every command takes that changes something.
#[derive(Args)]
pub(crate) struct WhyArgs {
    /// Why, for the change log and the next person who looks.
    #[arg(long, value_parser = words)]
    reason: Option<String>,
}

/// What every listing takes.
#[derive(Args)]
pub(crate) struct ListArgs {
    /// At most so many [default: 50].
    #[arg(long, conflicts_with = "all")]
    limit: Option<u32>,
    /// All of them.
    #[arg(long)]
    all: bool,
    /// For a program.
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    fn extent(&self) -> Extent {
        if self.all { Extent::All } else { Extent::First(self.limit.unwrap_or(SHOWN)) }
    }
}

/// For what the databases are opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// By the worker, which SQLite allows once; it prepares them itself.
    Worker,
    /// By a command that changes something and needs a current schema.
    Command,
    /// By a command that only reads: it makes no file and no table.
    Reading,
    /// By a command that brings the schema up to date, or says what is wrong with it.
    CommandWithoutCheck,
}

/// The two databases.
pub(crate) struct Databases {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) source: Arc<dyn Source>,
}

impl Databases {
    pub(crate) async fn migrate(&self) -> Result<(), CliError> {
        self.ledger.migrate().await?;
        self.source.migrate().await?;
        Ok(())
    }

    /// Brings the schema up to date if the settings say so, and checks it.
    pub(crate) async fn prepare(&self, settings: &Settings) -> Result<(), CliError> {
        if settings.ledger.migrate {
            self.migrate().await?;
        }
        self.ledger.check().await?;
        self.source.check().await?;
        Ok(())
    }
}

impl Context {
    pub(crate) fn settings(&self) -> Result<Settings, CliError> {
        Ok(Settings::load(self.config.as_deref())?)
    }

    /// Who gives this command.
    pub(crate) fn actor(&self) -> Actor {
        os_user(self.called.as_deref())
    }

    /// The same, and why.
    pub(crate) fn by(&self, why: Option<&WhyArgs>) -> By {
        By { actor: self.actor(), reason: why.and_then(|why| why.reason.clone()) }
    }

    /// Opens both databases. A command makes the schema when `ledger.migrate` says so,
    /// as the worker does, so that the first command on a new machine works.
    pub(crate) async fn databases(
        &self,
        settings: &Settings,
        opening: Opening,
    ) -> Result<Databases, CliError> {
        if opening == Opening::Reading {
            for (key, url) in [("ledger.url", &settings.ledger.url), ("source.url", settings.source_url())] {
                refuse_missing(key, url)?;
            }
        }
        let exclusive = opening == Opening::Worker;
        let connect = |max_connections| Connect { max_connections, prepared: settings.ledger.prepare };
        let ledger =
            ledger::open(&settings.ledger.url, connect(settings.ledger.max_connections), exclusive).await?;
        let SourceSettings { kind, max_connections, table, .. } = &settings.source;
        let (source_url, connect) = (settings.source_url(), connect(*max_connections));
        let source = match kind {
            SourceKind::AuditLog => crate::source::open(source_url, connect).await?,
            SourceKind::Table => crate::source::open_table(source_url, connect, table.clone())?,
        };
        let databases = Databases { ledger, source };
        match opening {
            Opening::Command => {
                reach("ledger", &settings.ledger.url).await?;
                if *settings.source_url() != settings.ledger.url {
                    reach("source", settings.source_url()).await?;
                }
                databases.prepare(settings).await?;
            }
            Opening::Reading => {
                reach("ledger", &settings.ledger.url).await?;
                databases.ledger.check().await?;
            }
            Opening::Worker | Opening::CommandWithoutCheck => {}
        }
        Ok(databases)
    }

    /// The operations of support.
    pub(crate) async fn admin(&self) -> Result<(Settings, Admin), CliError> {
        self.admin_for(Opening::Command).await
    }

    /// The same; `reads`: for a command that only looks, which makes nothing.
    pub(crate) async fn admin_who_reads(&self, reads: bool) -> Result<(Settings, Admin), CliError> {
        self.admin_for(if reads { Opening::Reading } else { Opening::Command }).await
    }

    async fn admin_for(&self, opening: Opening) -> Result<(Settings, Admin), CliError> {
        let settings = self.settings()?;
        let Databases { ledger, source } = self.databases(&settings, opening).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok((settings, Admin { ledger, source, clock, zones: Zones::load() }))
    }
}

/// That a server accepts connections. Who waits at a terminal is told at once; a worker waits for its
/// databases.
async fn reach(name: &str, url: &str) -> Result<(), CliError> {
    reached(url).await.map_err(|problem| CliError::Failed(format!("{name}: {problem}")))
}

/// That the file of a SQLite database is there, for who must not make it.
fn refuse_missing(key: &str, url: &str) -> Result<(), CliError> {
    let file = if Kind::of(url) == Ok(Kind::Sqlite) { sqlite_file(url) } else { None };
    match file {
        Some(file) if !file.exists() => Err(CliError::Usage(format!(
            "{key}: there is no database {}, and this command only reads; name the right one with --config or \
             AUDITFERRY_CONFIG, or make one here with `auditferry migrate`",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// The ledger that a listing has looked into, without its password.
pub(crate) fn ledger_name(settings: &Settings) -> String {
    format!("the ledger {}", masked(&settings.ledger.url))
}

/// An account id, as an argument.
pub(crate) fn account_id(text: &str) -> Result<AccountId, String> {
    text.parse().map_err(|error: auditferry_core::model::account::AccountIdError| error.to_string())
}
