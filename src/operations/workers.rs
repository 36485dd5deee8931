//! Whether workers run, and what they wait for, in words.

use jiff::Timestamp;

use super::admin::{Admin, AdminError};

use auditferry_core::model::instant::span_text;
use auditferry_core::model::worker::{LastWorker, Presence};
use auditferry_core::text::count::counted;

/// That no worker runs; none while one does.
#[must_use]
pub fn presence_words(workers: &Presence, now: Timestamp) -> Option<String> {
    let ago = |at: &Timestamp| format!("{} ago", span_text(now.duration_since(*at)));
    match workers {
        Presence::Running(_) => None,
        Presence::Visits { ended_at } => {
            Some(format!("none runs now; the last `auditferry run --until-idle` ended {}", ago(ended_at)))
        }
        Presence::Gone(LastWorker::Never) => Some("none has run with this ledger yet".to_owned()),
        Presence::Gone(LastWorker::Stopped { id, at }) => {
            Some(format!("none runs: the last one, {id}, was stopped {}", ago(at)))
        }
        Presence::Gone(LastWorker::Silent { id, since }) => Some(format!(
            "none runs: the last one, {id}, is silent since {}, so it was killed or does not reach the ledger",
            ago(since)
        )),
    }
}

impl Admin {
    /// Whether anybody works with the ledger.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn presence(&self) -> Result<Presence, AdminError> {
        Ok(Presence::of(&self.ledger.workers().await?))
    }
}

/// What is due next, once nothing is due any more. `next`: the next slot, and of how many accounts it is.
#[must_use]
pub fn idle_words(next: Option<(Timestamp, u64)>) -> String {
    match next {
        Some((slot, accounts)) => format!(
            "nothing is due; the next slot is {}, of {}",
            slot.strftime("%Y-%m-%d %H:%M:%SZ"),
            counted(accounts, "account")
        ),
        None => "nothing is due, and no account has a next slot; `auditferry account ls` says why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_idle_says_what_comes_next() {
        let slot: Timestamp = "2026-11-30T16:00:00Z".parse().expect("an instant");
        assert_eq!(
            idle_words(Some((slot, 12))),
            "nothing is due; the next slot is 2026-11-30 16:00:00Z, of 12 accounts"
        );
        assert!(idle_words(Some((slot, 1))).ends_with("of 1 account"));
        assert!(idle_words(None).contains("no account has a next slot"));
    }
}
