//! Sends what is in the outbox. A notice is claimed, sent, and what came of it stored: at least once. It comes
//! twice only when the receiver has taken it and its answer, or our storing of that, was lost; then with the
//! same id.

use std::time::Duration;

use futures_util::future::join_all;

use super::sender::{SendError, Sender};
use crate::ledger::{ClaimedNotice, Ledger, Result, Sent};
use auditferry_core::model::notification::Disabled;
use auditferry_core::protocol::notify::retry_after;

/// How many are sent at once.
const AT_ONCE: u32 = 20;

/// Most rounds of one look, so that a chore ends.
const ROUNDS: u32 = 10;

/// For how long nobody else sends what is claimed; longer than a send may take.
const HOLD: Duration = Duration::from_secs(60);

/// Sends what is due.
///
/// # Errors
/// When the ledger fails. What was claimed is sent by somebody later.
pub async fn send_due(ledger: &dyn Ledger, sender: &Sender) -> Result<()> {
    for _ in 0..ROUNDS {
        let claimed = ledger.claim_notices(AT_ONCE, HOLD).await?;
        let full = claimed.len() == AT_ONCE as usize;
        let all = claimed.iter().map(|claimed| send_one(ledger, sender, claimed));
        for done in join_all(all).await {
            done?;
        }
        if !full {
            break;
        }
    }
    Ok(())
}

async fn send_one(ledger: &dyn Ledger, sender: &Sender, claimed: &ClaimedNotice) -> Result<()> {
    let ClaimedNotice { notice, channel, attempt } = claimed;
    let now = ledger.now().await?;
    let error = match sender.send(channel, notice, now).await {
        Ok(answer) => return ledger.note_sent(claimed, &Sent::Delivered, &answer).await,
        Err(error) => error,
    };
    let wait = match &error {
        SendError::Gone(_) => None,
        SendError::Failed(_, asked) => retry_after(*attempt).map(|wait| asked.unwrap_or(wait).max(wait)),
    };
    let sent = wait.and_then(|wait| now.checked_add(wait).ok()).map_or(Sent::GivenUp, Sent::Later);
    ledger.note_sent(claimed, &sent, error.problem()).await?;
    let (id, to, problem) = (channel.id.as_str(), channel.target.shown(), error.problem());
    match (&error, sent) {
        (SendError::Gone(_), _) => {
            let reason = format!("the receiver wants no more: {problem}");
            tracing::warn!(channel = id, to, problem, "a channel of notifications is disabled");
            ledger.disable_channel(id, &Disabled { at: now, reason }).await?;
        }
        (_, Sent::Later(at)) => {
            tracing::info!(channel = id, to, notice = notice.id, attempt, problem, retry_at = %at,
                "a notification was not taken; it is tried again");
        }
        _ => {
            tracing::warn!(
                channel = id,
                to,
                notice = notice.id,
                attempt,
                problem,
                "a notification is given up"
            );
        }
    }
    Ok(())
}
