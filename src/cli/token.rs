//! `auditferry token …`

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;

use super::output::Column;
use super::{CliError, CliResult, Context, WhyArgs, account_id, output};
use crate::cli::completion::account_ids;
use crate::operations::tokens::NewToken;
use auditferry_core::model::access::Role;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::instant;
use auditferry_core::model::token::{ApiToken, Unusable};

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token for the API. It is shown once.
    #[command(
        after_help = "Examples:\n  auditferry token create 'back office' --role support --expires 2027-12-31\n  auditferry token create 'Acme admin' --role account-admin --account acme"
    )]
    Create {
        /// What it is for: the program or person that holds it.
        name: String,
        /// What its holder may do.
        #[arg(long, value_enum)]
        role: RoleName,
        /// Limit it to an account; may be given several times.
        #[arg(long = "account", value_name = "ACCOUNT", value_parser = account_id, add = account_ids())]
        accounts: Vec<AccountId>,
        /// When it ends by itself, as an instant or a date in UTC. Without it, it lasts until it is revoked.
        #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
        expires: Option<Timestamp>,
        /// Print all of it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        why: WhyArgs,
    },
    /// List tokens: whose, with which role, and when they were used last.
    Ls {
        /// For a program.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: from the next request on it opens nothing.
    #[command(
        after_help = "Examples:\n  auditferry token revoke 1f0a9c52d07be3aa --reason 'it was in a public repository'"
    )]
    Revoke {
        /// The token's id, from `auditferry token ls`.
        id: String,
        #[command(flatten)]
        why: WhyArgs,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum RoleName {
    /// May do everything.
    Operator,
    /// Reads all but secrets, switches add-ons, gets exports going again.
    Support,
    /// One account's destination and deliveries.
    AccountAdmin,
    /// Reads.
    Reader,
    /// Makes links to the portal, and nothing else: for the vendor's backend.
    Portal,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Operator => Self::Operator,
            RoleName::Support => Self::Support,
            RoleName::AccountAdmin => Self::AccountAdmin,
            RoleName::Reader => Self::Reader,
            RoleName::Portal => Self::Portal,
        }
    }
}

pub(super) async fn run(context: &Context, command: TokenCommand) -> CliResult {
    match command {
        TokenCommand::Create { name, role, accounts, expires, json, why } => {
            let service = context.service(Some(&why)).await?;
            let accounts = (!accounts.is_empty()).then(|| accounts.into_iter().collect());
            let new = NewToken { name, role: role.into(), accounts, expires_at: expires };
            let created = service.create_token(&new).await?;
            if json {
                output::json(&created);
                return Ok(());
            }
            let Some(secret) = &created.secret else {
                return Err(CliError::Failed("the token was made without a secret".to_owned()));
            };
            output::note(&format!(
                "Token {} made. It is shown this once; send it as `Authorization: Bearer TOKEN`.",
                created.token.id
            ));
            output::line(secret.as_str());
            Ok(())
        }
        TokenCommand::Ls { json } => {
            let service = context.service(None).await?;
            let tokens = service.tokens().await?;
            if json {
                output::json(&tokens);
            } else {
                table(&tokens, service.now());
            }
            Ok(())
        }
        TokenCommand::Revoke { id, why } => {
            let name = context.service(Some(&why)).await?.revoke_token(&id).await?;
            output::line(format!("Token {id} ({name}) opens nothing any more."));
            Ok(())
        }
    }
}

const COLUMNS: [Column; 7] = [
    Column::new("TOKEN"),
    Column::text("NAME"),
    Column::new("ROLE"),
    Column::text("ACCOUNTS").expendable(2),
    Column::new("STATE"),
    Column::new("LAST USED").expendable(1),
    Column::new("EXPIRES").expendable(3),
];

fn table(tokens: &[ApiToken], now: Timestamp) {
    let row = |token: &ApiToken| {
        let state = match token.grant(now) {
            Ok(_) => "active",
            Err(Unusable::Revoked) => "revoked",
            Err(Unusable::Expired) => "expired",
        };
        let accounts = token.accounts.as_ref().map_or_else(
            || "all".to_owned(),
            |accounts| accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", "),
        );
        vec![
            token.id.clone(),
            token.name.clone(),
            token.role.to_string(),
            accounts,
            state.to_owned(),
            output::maybe_utc(token.last_used_at),
            output::maybe_utc(token.expires_at),
        ]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    output::table(&COLUMNS, &rows, "No tokens. Make one: auditferry token create NAME --role support");
}
