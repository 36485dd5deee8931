//! Whether a vendor's table keeps its rows for as long as exports need them.

use jiff::Timestamp;

use super::findings::Findings;
use super::{CliResult, PAGE, output};
use crate::cli::{CliError, Databases};
use crate::ledger::{Account, WindowRow};
use crate::source::{Kept, SourceError, WAITING_LIMIT};
use auditferry_core::model::account::AccountId;
use auditferry_core::text::count::counted;

/// How many of an account's windows are looked at.
const WINDOWS: u32 = 100;
/// Most accounts that are named.
const NAMED: usize = 20;

/// Compares what must be there with what is, for each account whose add-on is enabled: reads what was
/// exported lately once more, as the next window will.
pub(super) async fn tell(found: &mut Findings, databases: &Databases) -> CliResult {
    let mut needed: Option<(Timestamp, AccountId)> = None;
    let mut oldest: Option<Timestamp> = None;
    let mut problems = Vec::new();
    let mut after = None;
    loop {
        let page = databases.ledger.accounts(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for account in page.iter().filter(|account| account.addon.enabled && account.held.is_none()) {
            let Some(kept) = databases.source.kept(&account.id, &account.watermark).await? else { continue };
            if needed.as_ref().is_none_or(|(since, _)| kept.needed_since < *since) {
                needed = Some((kept.needed_since, account.id.clone()));
            }
            oldest = oldest.into_iter().chain(kept.oldest).min();
            problems.extend(early(account, &kept));
            problems.extend(problem(databases, account, &kept).await?);
        }
    }
    let Some((since, account)) = needed else { return Ok(()) };
    let oldest = oldest
        .map_or_else(|| "there is none".to_owned(), |at| format!("the oldest is of {}", output::utc(at)));
    found.note(format!(
        "source: exported rows that occurred before {} may be deleted (account {account} needs the later ones, \
         until two further windows of it are delivered); of the rows that are there {oldest}",
        output::utc(since)
    ));
    for problem in problems.iter().take(NAMED) {
        found.note(format!("source: {problem}"));
    }
    if let Some(more) = problems.len().checked_sub(NAMED).filter(|more| *more > 0) {
        found.note(format!("source: {} more like these", counted(more as u64, "account")));
    }
    Ok(())
}

/// Rows whose time says that they were exported long ago.
fn early(account: &Account, kept: &Kept) -> Option<String> {
    let more = if kept.early >= u64::from(WAITING_LIMIT) { " or more" } else { "" };
    (kept.early > 0).then(|| {
        format!(
            "rows of account {} ({}{more}) have a time before the year 1 (-infinity, or a zero time), so that no window \
             has them: they are never exported; give them the time at which they occurred",
            account.id, kept.early
        )
    })
}

/// What is missing for an account, or may be soon.
async fn problem(databases: &Databases, account: &Account, kept: &Kept) -> Result<Option<String>, CliError> {
    let id = &account.id;
    for bound in account.watermark.bounds() {
        match databases.source.recognise(id, bound).await {
            Ok(()) => {}
            Err(error @ (SourceError::Rewritten(_) | SourceError::Rewound(_))) => {
                return Ok(Some(format!(
                    "account {id} will be held at its next window: {error}. Let the table keep its rows for longer"
                )));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let windows = databases.ledger.windows(id, None, WINDOWS).await?;
    Ok(gone(&windows, kept).map(|window| {
        format!(
            "{} of account {id}'s window {}, delivered up to {}: nothing of it is in the table any more; rows seem to be \
             deleted when they are exported, and not later, or they occurred earlier than source.table.lookback \
             allows. Let the table keep them for longer",
            counted(window.records, "record"),
            window.window,
            output::utc(window.to)
        )
    }))
}

/// A delivered window whose records are all gone although some may be needed.
fn gone<'w>(windows: &'w [WindowRow], kept: &Kept) -> Option<&'w WindowRow> {
    windows.iter().find(|window| {
        window.state == "delivered"
            && window.records > 0
            && window.to > kept.needed_since
            && kept.oldest.is_none_or(|oldest| window.to <= oldest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_needed_window_without_rows_is_told() {
        let at = |second| Timestamp::from_second(second).expect("instant");
        let window = |number, to: i64, records, state: &str| WindowRow {
            account: "acme".parse().expect("id"),
            window: number,
            slot: at(to),
            from: at(to - 10),
            to: at(to),
            state: state.to_owned(),
            objects: 1,
            records,
            skipped: Vec::new(),
            left_out: Some(0),
        };
        let windows = [
            window(4, 400, 1, "open"),
            window(3, 300, 0, "delivered"),
            window(2, 200, 5, "delivered"),
            window(1, 100, 5, "delivered"),
        ];
        let found = |needed: i64, oldest: Option<i64>| {
            let kept = Kept { needed_since: at(needed), oldest: oldest.map(at), early: 0 };
            gone(&windows, &kept).map(|window| window.window)
        };
        assert_eq!(found(150, Some(250)), Some(2), "its rows are gone and were needed since 150");
        assert_eq!(found(150, None), Some(2));
        assert_eq!(found(150, Some(195)), None, "a row of its time is there");
        assert_eq!(found(250, Some(350)), None, "nobody needs it any more");
    }
}
