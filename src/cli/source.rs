//! `auditferry source …`

use clap::Subcommand;

use super::{CliError, CliResult, Context, WhyArgs, output};
use crate::operations::admin::Adoption;
use crate::source::Move;
use auditferry_core::text::count::counted;

#[derive(Subcommand)]
pub(super) enum SourceCommand {
    /// After pg_upgrade, or after audit_log was dumped and restored into another PostgreSQL cluster: prove
    /// that nothing was lost on the way, and let the accounts that are held because of it go on.
    Adopt {
        /// Go ahead even if that cannot be proved for some accounts; they stay held, see `account rewind`.
        #[arg(long)]
        accept: bool,
        #[command(flatten)]
        why: WhyArgs,
    },
}

pub(super) async fn run(context: &Context, command: SourceCommand) -> CliResult {
    let (_, admin) = context.admin().await?;
    match command {
        SourceCommand::Adopt { accept, why } => report(&admin.adopt(&context.by(Some(&why)), accept).await?),
    }
}

fn report(adoption: &Adoption) -> CliResult {
    let source = &adoption.source;
    output::line(match source.moved {
        Move::None => "The source lives where it is known to live; nothing was to be adopted.".to_owned(),
        Move::Upgraded => {
            "The source was taken over with its files (pg_upgrade): its transaction ids continue.".to_owned()
        }
        Move::Restored { shift, renumbered } => format!(
            "The source was restored from a dump: its transaction ids continue above {shift}. Numbered anew: {} that \
             came since then.",
            counted(renumbered, "record")
        ),
    });
    if source.stamped > 0 {
        output::line(format!(
            "Numbered anew: {} whose transaction id no transaction here has had; no window has held any of them.",
            counted(source.stamped, "record")
        ));
    }
    for unproved in &source.unproved {
        output::line(format!("Not proved, and held: {unproved}."));
    }
    let mut held = source.unproved.len();
    for account in &adoption.accounts {
        match &account.stays_held {
            None => output::line(format!("Account {} continues.", account.account)),
            Some(problem) => {
                held += 1;
                output::line(format!("Account {} stays held: {problem}", account.account));
            }
        }
    }
    if held > 0 { Err(CliError::Reported) } else { Ok(()) }
}
