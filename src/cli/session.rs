//! `auditferry session …`

use clap::Subcommand;
use jiff::Timestamp;

use super::output::Column;
use super::{CliResult, Context, WhyArgs, output};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::session::Session;

#[derive(Subcommand)]
pub(super) enum SessionCommand {
    /// List sessions of browsers, the newest first, also those that ended in the last day.
    Ls {
        /// For a program.
        #[arg(long)]
        json: bool,
    },
    /// End a session: from the next request on it opens nothing.
    #[command(
        after_help = "Examples:\n  auditferry session revoke 1f0a9c52d07be3aa --reason 'their laptop is lost'"
    )]
    Revoke {
        /// The session's id, from `auditferry session ls`.
        id: String,
        #[command(flatten)]
        why: WhyArgs,
    },
}

pub(super) async fn run(context: &Context, command: SessionCommand) -> CliResult {
    match command {
        SessionCommand::Ls { json } => {
            let service = context.service(None).await?;
            let sessions = service.sessions().await?;
            if json {
                output::json(&sessions);
            } else {
                table(&sessions, service.now());
            }
            Ok(())
        }
        SessionCommand::Revoke { id, why } => {
            let name = context.service(Some(&why)).await?.revoke_session(&id).await?;
            output::line(format!("Session {id} ({name}) opens nothing any more."));
            Ok(())
        }
    }
}

const COLUMNS: [Column; 8] = [
    Column::new("SESSION"),
    Column::text("NAME"),
    Column::new("ROLE"),
    Column::text("ACCOUNTS").expendable(3),
    Column::new("STATE"),
    Column::new("BEGAN").expendable(2),
    Column::new("LAST USED").expendable(1),
    Column::new("ENDS").expendable(4),
];

fn table(sessions: &[Session], now: Timestamp) {
    let row = |session: &Session| {
        let state = match (session.grant(now), session.revoked_at) {
            (Some(_), _) => "active",
            (None, Some(_)) => "revoked",
            (None, None) => "ended",
        };
        let accounts = session.accounts.as_ref().map_or_else(
            || "all".to_owned(),
            |accounts| accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", "),
        );
        vec![
            session.id.clone(),
            session.name.clone(),
            session.role.to_string(),
            accounts,
            state.to_owned(),
            output::utc(session.created_at),
            output::utc(session.last_used_at),
            output::utc(session.idle_ends_at.min(session.ends_at)),
        ]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    output::table(&COLUMNS, &rows, "No sessions. One begins when somebody signs in with a browser.");
}
