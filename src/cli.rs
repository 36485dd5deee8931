//! The command line: its commands, and the program from start to end.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::error::finish;
use crate::settings::{SourceKind, TableSettings};
use auditferry_core::model::actor::words;

mod error;
mod context;
mod args;
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
mod kept_tokens;
mod keys;
mod login;
mod notification;
mod output;
mod portal;
mod records;
mod replay;
mod run;
mod source;
mod serve;
mod server;
mod service;
mod session;
mod status;
mod token;

pub(crate) use self::args::{ListArgs, WhyArgs, account_id};
pub(crate) use self::context::{Context, Databases, Opening};
pub(crate) use self::error::{CliError, CliResult};

/// Delivers every account's audit log to the account's own bucket, on schedule.
#[derive(Parser)]
#[command(name = "auditferry", version, propagate_version = true)]
struct Cli {
    /// The settings file; without one, the defaults and the environment apply.
    #[arg(long, global = true, env = "AUDITFERRY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Your name in the change log, where several people share one user of the operating system.
    #[arg(long = "as", global = true, env = "AUDITFERRY_ACTOR", value_name = "NAME", value_parser = words)]
    called: Option<String>,
    #[command(flatten)]
    server: server::ServerArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the worker: export what is due at each slot, until stopped.
    #[command(after_help = "Examples:\n  auditferry run\n  auditferry run --until-idle")]
    Run(run::RunArgs),
    /// Serve the API without a worker, until stopped.
    #[command(after_help = "Examples:\n  AUDITFERRY__API__LISTEN=127.0.0.1:9465 auditferry serve")]
    Serve,
    /// See the main job at work, with nothing to install: makes a folder and fills it.
    Demo(demo::DemoArgs),
    /// How all accounts are, what fails and what to do about it, what ends soon, and who works.
    #[command(
        after_help = "Examples:\n  auditferry status\n  auditferry status --watch\n  auditferry status --json"
    )]
    Status(status::StatusArgs),
    /// Test every connection, and print the settings that differ from the defaults.
    #[command(after_help = "Examples:\n  auditferry check\n  auditferry check --destinations --json")]
    Check(check::CheckArgs),
    /// Keep the token of a server, for commands with --server. It is asked for, or read from standard input.
    #[command(
        after_help = "Examples:\n  auditferry login https://audit.example.com\n  auditferry login https://audit.internal:9465 --ca-file ca.pem"
    )]
    Login {
        /// The address of the server.
        url: String,
    },
    /// Forget the token of a server that is kept here.
    Logout {
        /// The address of the server.
        url: String,
    },
    /// Bring the schema of the ledger and of our own audit_log table up to date.
    Migrate,
    /// Create and change accounts, destinations and add-ons as an exports file declares them.
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
    /// Make, list and revoke tokens of the API.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// List and end the sessions of browsers.
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Make, list and revoke links to the portal of customers' admins.
    #[command(subcommand)]
    Portal(portal::PortalCommand),
    /// Tell people when exports fail, last in failing, and work again.
    #[command(subcommand)]
    Notification(notification::NotificationCommand),
    /// Who changed what in the ledger.
    #[command(subcommand)]
    Changes(changes::ChangesCommand),
    /// Let exports continue after the source was moved to another database server.
    #[command(subcommand)]
    Source(self::source::SourceCommand),
    /// Load audit records from a file, all or none of them.
    Import(import::ImportArgs),
    /// Ask the worker on this machine whether it is alive; for a container's health check.
    Health,
    /// Write a manual page for each command.
    Man {
        /// The folder; it is created if it does not exist.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Its name, if it can only work on the ledger itself.
    fn ledger_only(&self) -> Option<&'static str> {
        match self {
            Self::Run(_) => Some("run"),
            Self::Serve => Some("serve"),
            Self::Demo(_) => Some("demo"),
            Self::Check(_) => Some("check"),
            Self::Migrate => Some("migrate"),
            Self::Apply(_) => Some("apply"),
            Self::Import(_) => Some("import"),
            Self::Source(_) => Some("source"),
            Self::Destination(command) => command.ledger_only(),
            Self::Keys(command) => command.ledger_only(),
            Self::Account(_)
            | Self::Addon(_)
            | Self::Changes(_)
            | Self::Deliveries(_)
            | Self::Notification(_)
            | Self::Portal(_)
            | Self::Records(_)
            | Self::Session(_)
            | Self::Status(_)
            | Self::Token(_)
            | Self::Health
            | Self::Login { .. }
            | Self::Logout { .. }
            | Self::Man { .. }
            | Self::Completions { .. } => None,
        }
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
    let context = Context { config: cli.config, called: cli.called, server: cli.server };
    if let Some(name) = cli.command.ledger_only().filter(|_| context.server.named().is_some()) {
        return Err(server::only_on_the_ledger(name));
    }
    match cli.command {
        Command::Login { url } => login::login(&context.server, &url).await,
        Command::Logout { url } => login::logout(&context.server, &url),
        Command::Run(args) => run::run(&context, &args).await,
        Command::Serve => serve::serve(&context).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Check(args) => check::check(&context, &args).await,
        Command::Status(args) => status::status(&context, &args).await,
        Command::Migrate => migrate(&context).await,
        Command::Apply(args) => apply::apply(&context, &args).await,
        Command::Account(command) => account::run(&context, command).await,
        Command::Destination(command) => destination::run(&context, command).await,
        Command::Addon(command) => addon::run(&context, command).await,
        Command::Deliveries(command) => deliveries::run(&context, command).await,
        Command::Records(command) => records::run(&context, command).await,
        Command::Keys(command) => keys::run(&context, command).await,
        Command::Token(command) => token::run(&context, command).await,
        Command::Session(command) => session::run(&context, command).await,
        Command::Portal(command) => portal::run(&context, command).await,
        Command::Notification(command) => notification::run(&context, command).await,
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
