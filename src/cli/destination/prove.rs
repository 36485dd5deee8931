//! `auditferry destination prove`, and the challenge that comes before it.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::given::typed;
use crate::cli::completion::account_ids;
use crate::cli::service::Service;
use crate::cli::{CliError, CliResult, WhyArgs, account_id, output};
use crate::ledger::Proof;
use crate::secrets::{self, Opened};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{Destination, SecretRef};
use auditferry_core::text::count::counted;
use auditferry_core::text::shell::shell_word;

#[derive(Args)]
pub(in crate::cli) struct ProveArgs {
    /// The account's id.
    #[arg(value_parser = account_id, add = account_ids())]
    account: AccountId,
    /// The file that holds the token; - is standard input. Without it, the token is asked for on a terminal.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) why: WhyArgs,
}

/// Says what is awaited, and how to go on.
pub(in crate::cli) fn tell(
    account: &AccountId,
    destination: &Destination,
    current: Option<&Destination>,
    (key, late): (&str, Timestamp),
) {
    let until = current.map_or_else(
        || "nothing is delivered until then".to_owned(),
        |current| format!("until then it continues with {current}"),
    );
    output::line(format!(
        "Account {account}: {destination} is written to as the worker itself, so its owner has to prove it theirs; \
         {until}.\nA token stands in {key} there. Whoever may read the bucket gives it back before {late}.\n\
         Next: auditferry destination prove {word}",
        late = output::utc(late),
        word = shell_word(account.as_str()),
    ));
}

pub(super) async fn prove(service: &dyn Service, args: &ProveArgs) -> CliResult {
    let usage = |error: secrets::SecretError| CliError::Usage(error.to_string());
    let token = match &args.token_file {
        Some(file) if file.as_os_str() == "-" => {
            secrets::read_input(std::io::stdin().lock()).map_err(usage)?
        }
        Some(file) => secrets::resolve(&SecretRef::File(file.clone()), &Opened::default()).map_err(usage)?,
        None => typed("token", "not shown")?,
    };
    let account = &args.account;
    let again = "set the destination again, which writes another token";
    match service.prove(account, &token).await? {
        Proof::Given { destination, version } => {
            output::line(format!("Its owner has proved {destination} theirs."));
            output::line(format!("Account {account} delivers to {destination} (version {version})."));
            Ok(())
        }
        Proof::Wrong { left: 0 } => Err(CliError::Failed(format!(
            "account {account}: this is not the token, and that was the last try; {again}"
        ))),
        Proof::Wrong { left } => Err(CliError::Failed(format!(
            "account {account}: this is not the token; it stands after \"token:\" in the object that `account show` \
             names ({} left)",
            counted(u64::from(left), "try")
        ))),
        Proof::Late => Err(CliError::Failed(format!("account {account}: the token has expired; {again}"))),
        Proof::NotAwaited => Err(CliError::Usage(format!(
            "account {account}: no proof is awaited; one is asked for by `destination set` where the worker's own \
             identity is used"
        ))),
    }
}
