//! Arguments that many commands take.

use clap::Args;

use crate::operations::listing::{Extent, SHOWN};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::words;

/// What every command takes that changes something.
#[derive(Args)]
pub(crate) struct WhyArgs {
    /// The reason, for the change log and the next person who looks.
    #[arg(long, value_parser = words)]
    pub(super) reason: Option<String>,
}

/// What every listing takes.
#[derive(Args)]
pub(crate) struct ListArgs {
    /// Show at most this many rows [default: 50].
    #[arg(long, conflicts_with = "all")]
    limit: Option<u32>,
    /// Show all rows.
    #[arg(long)]
    all: bool,
    /// Print JSON, for a program.
    #[arg(long)]
    pub(super) json: bool,
}

impl ListArgs {
    pub(super) fn extent(&self) -> Extent {
        if self.all { Extent::All } else { Extent::First(self.limit.unwrap_or(SHOWN)) }
    }
}

/// An account id, as an argument.
pub(crate) fn account_id(text: &str) -> Result<AccountId, String> {
    text.parse().map_err(|error: auditferry_core::model::account::AccountIdError| error.to_string())
}
