//! Warnings before credentials end: one line for each account and threshold, whoever of
//! the workers comes first.

use jiff::{SignedDuration, Timestamp};

use crate::ledger::{Result, Secrets};
use auditferry_core::model::expiry::Ending;
use auditferry_core::model::instant::span_text;

/// How many are read at once.
const PAGE: u32 = 500;

/// Warns of each end that has come nearer since it was warned of last.
pub(crate) async fn remind(ledger: &dyn Secrets, now: Timestamp) -> Result<()> {
    // An end that is as near as that counts too.
    let notice = Ending::NOTICE + SignedDuration::from_secs(1);
    let before = now.checked_add(notice).unwrap_or(Timestamp::MAX);
    let mut after = None;
    loop {
        let page = ledger.credentials_ending(before, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.account.clone());
        for ends in page {
            let Some(ending) = Ending::of(ends.at, now) else { continue };
            let told = ends.warned.is_some_and(|days| days <= ending.days());
            if told || !ledger.note_warned(&ends, ending.days()).await? {
                continue;
            }
            let (account, at) = (&ends.account, ends.at);
            if ending == Ending::Ended {
                tracing::warn!(account = %account, ended_at = %at, "the credentials of the destination have ended");
            } else {
                let left = span_text(at.duration_since(now));
                tracing::warn!(account = %account, ends_at = %at, left, "the credentials of the destination end soon");
            }
        }
    }
}
