//! The server on which a command works, when it does not work on the ledger itself.

use std::path::PathBuf;

use clap::Args;

use super::kept_tokens::{KeptTokens, folder};
use super::{CliError, output};
use crate::client::{Client, ClientError, ServerAddress};
use crate::secrets::{self, Opened, Secret, SecretError};
use auditferry_core::model::destination::SecretRef;

/// The variable that may hold the token.
const TOKEN: &str = "AUDITFERRY_TOKEN";

/// Which server is asked, and how. A token is never an argument: other users of the machine could read it.
#[derive(Args, Clone)]
pub(super) struct ServerArgs {
    /// Work on the API that is served at this address, and not on the ledger itself. The token is that of
    /// --api-token-file, of the variable AUDITFERRY_TOKEN, or the one that `auditferry login` has kept.
    #[arg(long, global = true, env = "AUDITFERRY_SERVER", value_name = "URL", help_heading = HEADING)]
    server: Option<String>,
    /// A file that holds the token.
    #[arg(long, global = true, env = "AUDITFERRY_TOKEN_FILE", value_name = "FILE", help_heading = HEADING)]
    api_token_file: Option<PathBuf>,
    /// A file with certificates of CAs that are trusted besides those of the system.
    #[arg(long, global = true, env = "AUDITFERRY_CA_FILE", value_name = "FILE", help_heading = HEADING)]
    ca_file: Option<PathBuf>,
    /// Send the token without TLS to another machine: only where the network between is trusted.
    #[arg(long, global = true, help_heading = HEADING)]
    insecure_http: bool,
}

/// Under which they stand in the help.
const HEADING: &str = "On a server";

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Usage(message) => Self::Usage(message),
            ClientError::Failed(message) => Self::Failed(message),
            ClientError::Refused(refused) if refused.usage => Self::Usage(refused.sentence),
            ClientError::Refused(refused) => Self::Failed(refused.sentence),
        }
    }
}

impl ServerArgs {
    /// As the environment alone says.
    pub(super) fn of_environment() -> Self {
        let given = |name| std::env::var_os(name).map(PathBuf::from);
        Self {
            server: std::env::var("AUDITFERRY_SERVER").ok(),
            api_token_file: given("AUDITFERRY_TOKEN_FILE"),
            ca_file: given("AUDITFERRY_CA_FILE"),
            insecure_http: false,
        }
    }

    /// The server that is asked; an empty variable names none.
    pub(super) fn named(&self) -> Option<&str> {
        self.server.as_deref().filter(|server| !server.is_empty())
    }

    /// An address, checked. `name`: of the option or argument that gave it.
    pub(super) fn address(&self, name: &str, text: &str) -> Result<ServerAddress, CliError> {
        ServerAddress::parse(text, self.insecure_http)
            .map_err(|problem| CliError::Usage(format!("{name}: {problem}")))
    }

    /// A client of the server that is asked; none: the command works on the ledger.
    pub(super) fn client(&self) -> Result<Option<Client>, CliError> {
        let Some(text) = self.named() else { return Ok(None) };
        let server = self.address("--server", text)?;
        let token = match self.given()? {
            Some(token) => token,
            None => KeptTokens::read(&folder()?)?.of(&server).ok_or_else(|| {
                CliError::Usage(format!(
                    "there is no token for {server}; keep one with `auditferry login {server}`, or name a file with \
                     --api-token-file"
                ))
            })?,
        };
        self.client_with(server, token).map(Some)
    }

    /// A client of a server with a token.
    pub(super) fn client_with(&self, server: ServerAddress, token: Secret) -> Result<Client, CliError> {
        let authorities = self.ca_file.as_ref().filter(|file| !file.as_os_str().is_empty());
        Ok(Client::new(server, token, authorities)?)
    }

    /// The token that a file or the environment gives.
    pub(super) fn given(&self) -> Result<Option<Secret>, CliError> {
        let resolve = |reference| secrets::resolve(&reference, &Opened::default());
        let given = match self.api_token_file.as_ref().filter(|file| !file.as_os_str().is_empty()) {
            Some(file) => resolve(SecretRef::File(file.clone())).map(Some),
            None if std::env::var_os(TOKEN).is_some_and(|value| !value.is_empty()) => {
                resolve(SecretRef::Env(TOKEN.to_owned())).map(Some)
            }
            None => Ok(None),
        };
        let usage = |error: SecretError| CliError::Usage(format!("the token: {error}"));
        given.map_err(usage)?.as_ref().map(whole).transpose()
    }
}

/// A token that may be sent.
pub(super) fn whole(token: &Secret) -> Result<Secret, CliError> {
    let text = token.expose().trim();
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(text.to_owned()));
    }
    // What it is, is not shown: it may be another secret.
    Err(CliError::Usage(
        "the token is not one line of plain letters; give it as `auditferry token create` has printed it"
            .into(),
    ))
}

/// Why a command does not work on a server.
pub(super) fn only_on_the_ledger(command: &str) -> CliError {
    CliError::Usage(format!(
        "`auditferry {command}` works on the ledger only: run it where the ledger is, without --server and \
         AUDITFERRY_SERVER"
    ))
}

/// What a person is told who uses a token of a server.
pub(super) fn tell_holder(server: &ServerAddress, holder: &crate::operations::tokens::TokenHolder) {
    let accounts = holder.accounts.as_ref().map_or_else(String::new, |accounts| {
        let ids: Vec<&str> =
            accounts.iter().map(auditferry_core::model::account::AccountId::as_str).collect();
        format!(" for {}", ids.join(", "))
    });
    let end = holder
        .expires_at
        .map_or_else(|| "without end".to_owned(), |end| format!("until {}", output::utc(end)));
    output::line(format!("{server} knows this token as {} ({}{accounts}), {end}.", holder.name, holder.role));
}
