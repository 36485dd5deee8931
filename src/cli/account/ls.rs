//! `auditferry account ls`

use clap::ValueEnum;
use jiff::SignedDuration;

use crate::cli::context::looked_in;
use crate::cli::output::Column;
use crate::cli::service::Service;
use crate::cli::{CliResult, ListArgs, output};
use crate::ledger::{AccountFilter, AccountOrder};
use crate::operations::listing::AccountRow;

#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Sort {
    Id,
    Oldest,
}

impl From<Sort> for AccountOrder {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Id => Self::Id,
            Sort::Oldest => Self::Oldest,
        }
    }
}

/// Parses a duration that may have days, of 24 hours each.
pub(super) fn days(text: &str) -> Result<SignedDuration, String> {
    let problem = || format!("{text:?} is not a duration; write it like 30d or 12h");
    let span: jiff::Span = text.parse().map_err(|_| problem())?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| problem())
}

const COLUMNS: [Column; 8] = [
    Column::new("ACCOUNT"),
    Column::new("HEALTH").painted(output::paint::health),
    Column::new("SINCE"),
    Column::new("ZONE").expendable(2),
    Column::new("ADD-ON UNTIL").expendable(1),
    Column::new("NEXT SLOT").expendable(3),
    Column::new("WINDOWS").expendable(4),
    Column::new("ERROR"),
];

pub(super) async fn ls(service: &dyn Service, filter: AccountFilter, list: &ListArgs) -> CliResult {
    let any = filter == AccountFilter::default();
    let accounts = service.accounts(filter, list.extent()).await?;
    if list.json {
        output::json(&accounts.rows);
        output::rest(&accounts, true);
        return Ok(());
    }
    let row = |row: &AccountRow| {
        vec![
            row.account.to_string(),
            row.health.as_str().to_owned(),
            output::maybe_utc(row.since),
            row.zone.clone(),
            output::maybe_utc(row.addon_until),
            output::maybe_utc(row.next_slot),
            row.windows.to_string(),
            row.error.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let rows: Vec<_> = accounts.rows.iter().map(row).collect();
    let place = looked_in(service);
    let empty = if any {
        format!("No accounts in {place}. Add one: auditferry account add ID --zone ZONE")
    } else {
        format!("No such accounts in {place}.")
    };
    output::table(&COLUMNS, &rows, &empty);
    output::rest(&accounts, false);
    Ok(())
}
