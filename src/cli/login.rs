//! `auditferry login` and `auditferry logout`: the token of a server, kept for its user.

use std::io::IsTerminal as _;

use super::destination::typed;
use super::kept_tokens::{KeptTokens, folder};
use super::server::{ServerArgs, tell_holder, whole};
use super::{CliError, CliResult, output};
use crate::client::Asked;
use crate::operations::tokens::TokenHolder;
use crate::secrets;

/// Asks for a token, tries it, and keeps it.
pub(super) async fn login(server: &ServerArgs, url: &str) -> CliResult {
    let address = server.address("URL", url)?;
    // Before a person types.
    let folder = folder()?;
    let mut kept = KeptTokens::read(&folder)?;
    let token = match server.given()? {
        Some(token) => token,
        None if std::io::stdin().is_terminal() => whole(&typed("token", "not shown")?)?,
        None => {
            let read = secrets::read_input(std::io::stdin().lock());
            whole(&read.map_err(|error| CliError::Usage(format!("the token: {error}")))?)?
        }
    };
    let client = server.client_with(address.clone(), token.clone())?;
    let holder: TokenHolder = client.read(Asked::get(&["token"])).await?;
    kept.keep(&address, &token);
    let path = kept.write(&folder)?;
    tell_holder(&address, &holder);
    output::line(format!("It is kept in {}, for commands with --server {address}.", path.display()));
    Ok(())
}

/// Forgets a token.
pub(super) fn logout(server: &ServerArgs, url: &str) -> CliResult {
    let address = server.address("URL", url)?;
    let folder = folder()?;
    let mut kept = KeptTokens::read(&folder)?;
    if !kept.forget(&address) {
        output::line(format!("No token for {address} is kept; nothing was changed."));
        return Ok(());
    }
    kept.write(&folder)?;
    output::line(format!(
        "The token for {address} is forgotten here. It still opens what it did: `auditferry token revoke` ends it."
    ));
    Ok(())
}
