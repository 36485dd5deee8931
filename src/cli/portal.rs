//! `auditferry portal …`

use std::collections::BTreeSet;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;

use super::output::Column;
use super::{CliError, CliResult, Context, WhyArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::cli::notification::LanguageName;
use crate::operations::portal::NewLink;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::portal::{Capability, LinkKind, PortalActor, PortalSession, Theme};

/// How many sessions are listed.
const LISTED: u32 = 200;

#[derive(Subcommand)]
pub(super) enum PortalCommand {
    /// Make a link that opens the portal of an account once, within five minutes. It is shown once.
    #[command(
        after_help = "Examples:\n  auditferry portal link acme --actor jana.keller@acme.example\n  auditferry portal link acme --actor jana.keller@acme.example --capability export:read --capability export:manage --mail --reason 'ticket 4711'"
    )]
    Link {
        /// The account.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// The address of the person whose link it is; it stands on every page and in the change log.
        #[arg(long, value_name = "EMAIL")]
        actor: String,
        /// What tells the person from all others of the account; without it, the address.
        #[arg(long, value_name = "ID")]
        actor_id: Option<String>,
        /// What may be done with it; may be given several times. Without it, everything.
        #[arg(long = "capability", value_enum, value_name = "CAPABILITY")]
        capabilities: Vec<CapabilityName>,
        /// It goes by mail: it waits for 72 hours.
        #[arg(long)]
        mail: bool,
        /// How many minutes the session lasts once the link is opened: 5 to 1440.
        #[arg(long, value_name = "MINUTES", default_value_t = 60)]
        minutes: u32,
        /// Where the person goes back to: a URL of a site in portal.return_urls.
        #[arg(long, value_name = "URL")]
        return_url: Option<String>,
        /// The language of the pages.
        #[arg(long, value_enum, default_value_t = LanguageName::En)]
        language: LanguageName,
        /// How the pages look.
        #[arg(long, value_enum, default_value_t = ThemeName::System)]
        theme: ThemeName,
        /// Print all of it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// List the links and sessions of an account, the newest first, also those that ended in the last day.
    Ls {
        /// The account.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// For a program.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a link or a session: from the next request on it opens nothing.
    #[command(
        after_help = "Examples:\n  auditferry portal revoke acme 1f0a9c52d07be3aa --reason 'the mail went to somebody else'"
    )]
    Revoke {
        /// The account.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// The session's id, from `auditferry portal ls`.
        id: String,
        #[command(flatten)]
        why: WhyArgs,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum CapabilityName {
    /// See the records.
    #[value(name = "records:read")]
    RecordsRead,
    /// Download records.
    #[value(name = "records:download")]
    RecordsDownload,
    /// See how the export is.
    #[value(name = "export:read")]
    ExportRead,
    /// Set, replace and prove its destination.
    #[value(name = "export:manage")]
    ExportManage,
}

impl From<CapabilityName> for Capability {
    fn from(name: CapabilityName) -> Self {
        match name {
            CapabilityName::RecordsRead => Self::RecordsRead,
            CapabilityName::RecordsDownload => Self::RecordsDownload,
            CapabilityName::ExportRead => Self::ExportRead,
            CapabilityName::ExportManage => Self::ExportManage,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ThemeName {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
    /// As the person's system says.
    System,
}

impl From<ThemeName> for Theme {
    fn from(name: ThemeName) -> Self {
        match name {
            ThemeName::Light => Self::Light,
            ThemeName::Dark => Self::Dark,
            ThemeName::System => Self::System,
        }
    }
}

pub(super) async fn run(context: &Context, command: PortalCommand) -> CliResult {
    match command {
        PortalCommand::Link {
            account,
            actor,
            actor_id,
            capabilities,
            mail,
            minutes,
            return_url,
            language,
            theme,
            json,
            why,
        } => {
            let given: BTreeSet<Capability> = capabilities.into_iter().map(Capability::from).collect();
            let new = NewLink {
                capabilities: if given.is_empty() {
                    Capability::ALL.iter().copied().collect()
                } else {
                    given
                },
                actor: PortalActor { id: actor_id.unwrap_or_else(|| actor.clone()), email: actor },
                return_url,
                locale: language.into(),
                theme: theme.into(),
                link: if mail { LinkKind::Mail } else { LinkKind::Now },
                session_seconds: Some(minutes.saturating_mul(60)),
            };
            let made = context.service(Some(&why)).await?.create_portal_link(&account, &new).await?;
            if json {
                output::json(&made);
                return Ok(());
            }
            let Some(url) = &made.url else {
                return Err(CliError::Failed("the link was made without its token".to_owned()));
            };
            output::note(&format!(
                "Link {} of {} for {} made. It opens the portal once, until {}.",
                made.session.id,
                account,
                made.session.actor.email,
                output::utc(made.session.link_ends_at)
            ));
            output::line(url.as_str());
            Ok(())
        }
        PortalCommand::Ls { account, json } => {
            let service = context.service(None).await?;
            let sessions = service.portal_sessions(&account, LISTED).await?;
            if json {
                output::json(&sessions);
            } else {
                table(&sessions, service.now());
            }
            Ok(())
        }
        PortalCommand::Revoke { account, id, why } => {
            let email = context.service(Some(&why)).await?.revoke_portal_session(&account, &id).await?;
            output::line(format!("Session {id} of the portal ({email}) opens nothing any more."));
            Ok(())
        }
    }
}

const COLUMNS: [Column; 7] = [
    Column::new("SESSION"),
    Column::text("PERSON"),
    Column::text("MAY").expendable(2),
    Column::new("STATE"),
    Column::new("MADE").expendable(1),
    Column::text("MADE BY").expendable(3),
    Column::new("ENDS"),
];

fn table(sessions: &[PortalSession], now: Timestamp) {
    let row = |session: &PortalSession| {
        let may: Vec<&str> = session.capabilities.iter().map(|capability| capability.as_str()).collect();
        vec![
            session.id.clone(),
            session.actor.email.clone(),
            may.join(", "),
            session.state(now).as_str().to_owned(),
            output::utc(session.created_at),
            session.made_by.name.clone(),
            output::utc(session.ends_at.unwrap_or(session.link_ends_at)),
        ]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    output::table(&COLUMNS, &rows, "No sessions. Make a link: auditferry portal link ACCOUNT --actor EMAIL");
}
