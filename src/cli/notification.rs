//! `auditferry notification …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::output::Column;
use super::{CliError, CliResult, Context, WhyArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::ledger::{Ledger, NoticeRow};
use crate::notifications::message::Message;
use crate::notifications::sender::Sender;
use crate::operations::notifications::{Added, ChannelView, Given, NewTarget};
use crate::secrets::{Opened, read_input, resolve};
use crate::settings::Settings;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::SecretRef;
use auditferry_core::model::notification::{Audience, Language};

#[derive(Subcommand)]
pub(super) enum NotificationCommand {
    /// Add a channel over which somebody is told when exports fail, last in failing, and work again.
    #[command(subcommand)]
    Add(AddCommand),
    /// List channels.
    Ls {
        /// For a program.
        #[arg(long)]
        json: bool,
    },
    /// Remove a channel, and what is on its way over it.
    Rm {
        /// The channel's id, from `auditferry notification ls`.
        id: String,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Give a webhook another secret. For a day the one before signs too.
    #[command(after_help = "Examples:\n  auditferry notification rotate n0a1b2c3d4e5f")]
    Rotate {
        /// The channel's id, from `auditferry notification ls`.
        id: String,
        #[command(flatten)]
        secret: SecretArgs,
        /// Print all of it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// Send a message over a channel now, and say what its receiver answers.
    Test {
        /// The channel's id, from `auditferry notification ls`.
        id: String,
        /// For a program.
        #[arg(long)]
        json: bool,
    },
    /// What was told lately, over which channel, and whether it was taken.
    Log {
        /// Only to the people of this account.
        #[arg(long, value_parser = account_id, add = account_ids())]
        account: Option<AccountId>,
        /// Show at most this many rows.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// For a program.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum AddCommand {
    /// A program that takes webhooks by the specification Standard Webhooks.
    #[command(
        after_help = "Examples:\n  auditferry notification add webhook --url https://hooks.example.com/auditferry\n  auditferry notification add webhook --account acme --url https://acme.example/hook --secret-file /run/secrets/hook"
    )]
    Webhook {
        /// Its URL.
        #[arg(long, value_name = "URL")]
        url: String,
        #[command(flatten)]
        secret: SecretArgs,
        #[command(flatten)]
        to: AudienceArgs,
    },
    /// Slack, or what takes the same message (Mattermost, Discord with /slack behind its URL).
    #[command(
        after_help = "The URL is a secret, so that it is no argument. Without an option it is read from standard input and sealed: auditferry notification add slack < FILE.\n\nExamples:\n  auditferry notification add slack --url-file /run/secrets/slack\n  auditferry notification add slack --url-env SLACK_URL"
    )]
    Slack {
        /// A file that holds the URL, on every worker.
        #[arg(long, value_name = "PATH", conflicts_with = "url_env")]
        url_file: Option<PathBuf>,
        /// An environment variable of every worker that holds the URL.
        #[arg(long, value_name = "NAME")]
        url_env: Option<String>,
        /// Read the file or the variable once, here, and seal the URL in the ledger.
        #[arg(long)]
        seal: bool,
        #[command(flatten)]
        to: AudienceArgs,
    },
    /// A mailbox, over the mail server of [email] in the settings.
    #[command(
        after_help = "Examples:\n  auditferry notification add email --to ops@example.com\n  auditferry notification add email --to it@acme.example --account acme --language de"
    )]
    Email {
        /// Its address.
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        #[command(flatten)]
        audience: AudienceArgs,
    },
}

#[derive(Args)]
pub(super) struct AudienceArgs {
    /// Tell the people of this account, of its own destination. Without it, the operator is told of everything.
    #[arg(long, value_parser = account_id, add = account_ids())]
    account: Option<AccountId>,
    /// In which language.
    #[arg(long, value_enum, default_value = "en")]
    language: LanguageName,
    /// Print all of it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    why: WhyArgs,
}

#[derive(Args)]
pub(super) struct SecretArgs {
    /// A file that holds the secret (whsec_…), on every worker. Without one, a secret is made, sealed and shown once.
    #[arg(long, value_name = "PATH", conflicts_with = "secret_env")]
    secret_file: Option<PathBuf>,
    /// An environment variable of every worker that holds the secret.
    #[arg(long, value_name = "NAME")]
    secret_env: Option<String>,
    /// Read the file or the variable once, here, and seal the secret in the ledger.
    #[arg(long)]
    seal: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LanguageName {
    /// English.
    En,
    /// German.
    De,
}

impl From<LanguageName> for Language {
    fn from(name: LanguageName) -> Self {
        match name {
            LanguageName::En => Self::En,
            LanguageName::De => Self::De,
        }
    }
}

fn named(file: Option<PathBuf>, variable: Option<String>) -> Option<SecretRef> {
    file.map(SecretRef::File).or(variable.map(SecretRef::Env))
}

/// What a reference names, read here if it is to be sealed.
fn given(reference: SecretRef, seal: bool) -> Result<Given, CliError> {
    if !seal {
        return Ok(Given::Named(reference));
    }
    let secret = resolve(&reference, &Opened::default());
    Ok(Given::Sealed(secret.map_err(|error| CliError::Usage(error.to_string()))?))
}

impl SecretArgs {
    fn given(self) -> Result<Option<Given>, CliError> {
        named(self.secret_file, self.secret_env).map(|reference| given(reference, self.seal)).transpose()
    }
}

/// What sends notices.
pub(super) async fn sender(
    settings: &Settings,
    ledger: &std::sync::Arc<dyn Ledger>,
) -> Result<Sender, CliError> {
    let vault = super::destination::vault(settings, ledger).await?;
    let stores = super::destination::bare_stores(settings)?;
    Ok(Sender::new(stores.dialer().clone(), vault, settings.email.clone()))
}

pub(super) async fn run(context: &Context, command: NotificationCommand) -> CliResult {
    match command {
        NotificationCommand::Add(command) => {
            let (new, to) = new_target(command)?;
            let audience = to.account.map_or(Audience::Operator, Audience::Contacts);
            let service = context.service(Some(&to.why)).await?;
            let added = service.add_channel(audience, to.language.into(), new).await?;
            let words = format!(
                "Notification {} added. Try it: auditferry notification test {}",
                added.channel.id, added.channel.id
            );
            tell_added(&added, &words, to.json);
            Ok(())
        }
        NotificationCommand::Ls { json } => {
            let channels = context.service(None).await?.channels().await?;
            if json {
                output::json(&channels);
            } else {
                table(&channels);
            }
            Ok(())
        }
        NotificationCommand::Rm { id, why } => {
            let to = context.service(Some(&why)).await?.remove_channel(&id).await?;
            output::line(format!("Notification {id} ({to}) removed."));
            Ok(())
        }
        NotificationCommand::Rotate { id, secret, json, why } => {
            let secret = secret.given()?;
            let added = context.service(Some(&why)).await?.rotate_channel(&id, secret).await?;
            let until = output::maybe_utc(added.channel.rotating_until);
            tell_added(
                &added,
                &format!("Both secrets of {id} sign until {until}, then the new one alone."),
                json,
            );
            Ok(())
        }
        NotificationCommand::Test { id, json } => {
            let tried = context.service(None).await?.try_channel(&id).await?;
            if json {
                output::json(&tried);
            } else if tried.delivered {
                output::line(format!("The receiver took it: {}", tried.answer));
            }
            match tried.delivered {
                true => Ok(()),
                false if json => Err(CliError::Reported),
                false => Err(CliError::Failed(format!("the receiver did not take it: {}", tried.answer))),
            }
        }
        NotificationCommand::Log { account, limit, json } => {
            let rows = context.service(None).await?.notices(account.as_ref(), limit).await?;
            if json {
                output::json(&rows);
            } else {
                log(&rows);
            }
            Ok(())
        }
    }
}

fn new_target(command: AddCommand) -> Result<(NewTarget, AudienceArgs), CliError> {
    Ok(match command {
        AddCommand::Webhook { url, secret, to } => (NewTarget::Webhook { url, secret: secret.given()? }, to),
        AddCommand::Email { to, audience } => (NewTarget::Email { to }, audience),
        AddCommand::Slack { url_file, url_env, seal, to } => {
            let url = match named(url_file, url_env) {
                Some(reference) => given(reference, seal)?,
                None => {
                    let url = read_input(std::io::stdin().lock());
                    Given::Sealed(
                        url.map_err(|error| CliError::Usage(format!("{error}; or give --url-file")))?,
                    )
                }
            };
            (NewTarget::Slack { url }, to)
        }
    })
}

fn tell_added(added: &Added, words: &str, json: bool) {
    let secret = added.secret.as_ref().map(crate::secrets::Secret::expose);
    if json {
        output::json(&serde_json::json!({ "channel": added.channel, "secret": secret }));
        return;
    }
    output::note(words);
    if let Some(secret) = secret {
        output::note("Its secret is shown this once; the receiver checks signatures with it:");
        output::line(secret);
    }
}

const COLUMNS: [Column; 6] = [
    Column::new("NOTIFICATION"),
    Column::new("KIND"),
    Column::text("FOR"),
    Column::text("TO"),
    Column::new("LANGUAGE").expendable(1),
    Column::text("STATE"),
];

fn table(channels: &[ChannelView]) {
    let row = |channel: &ChannelView| {
        let state = match (&channel.disabled, channel.rotating_until) {
            (Some(disabled), _) => format!("disabled: {}", disabled.reason),
            (None, Some(until)) => format!("active, two secrets until {}", output::utc(until)),
            (None, None) => "active".to_owned(),
        };
        vec![
            channel.id.clone(),
            channel.kind.clone(),
            channel.account.clone().unwrap_or_else(|| "operator".to_owned()),
            channel.to.clone(),
            channel.language.to_string(),
            state,
        ]
    };
    let rows: Vec<_> = channels.iter().map(row).collect();
    output::table(&COLUMNS, &rows, "Nobody is told. Add a channel: auditferry notification add --help");
}

const LOG_COLUMNS: [Column; 6] = [
    Column::new("TIME"),
    Column::new("NOTIFICATION"),
    Column::text("FOR"),
    Column::new("STATE"),
    Column::text("WHAT"),
    Column::text("ANSWER").expendable(1),
];

fn log(rows: &[NoticeRow]) {
    let row = |row: &NoticeRow| {
        let state = match (row.delivered_at, row.next_try_at) {
            (Some(_), _) => "delivered",
            (None, Some(_)) if row.attempts == 0 => "queued",
            (None, Some(_)) => "tried again",
            (None, None) => "given up",
        };
        let audience = row.account.clone().map_or(Audience::Operator, Audience::Contacts);
        vec![
            output::utc(row.notice.at),
            row.channel.clone(),
            row.account.as_ref().map_or_else(|| "operator".to_owned(), ToString::to_string),
            state.to_owned(),
            Message::of(&row.notice, &audience, Language::En).title,
            row.answer.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    output::table(&LOG_COLUMNS, &rows, "Nothing was told yet.");
}
