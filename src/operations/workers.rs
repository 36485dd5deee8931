//! Whether workers run, in words.

use jiff::Timestamp;

use super::admin::{Admin, AdminError};

use auditferry_core::model::instant::span_text;
use auditferry_core::model::worker::{LastWorker, Presence};

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
    /// That no worker runs, if that is so, and since when.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn status_of_workers(&self) -> Result<Option<String>, AdminError> {
        let presence = Presence::of(&self.ledger.workers().await?);
        Ok(presence_words(&presence, self.clock.now()))
    }
}
