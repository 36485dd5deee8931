//! Whether a worker can take what is due: what `/readyz` says beside "the databases answer".

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A claim that takes longer has no answer.
const LONGEST_CLAIM: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct State {
    claiming_since: Option<Instant>,
    problem: Option<String>,
}

/// How a worker's last claim went.
#[derive(Debug, Default)]
pub struct ClaimHealth(Mutex<State>);

impl ClaimHealth {
    /// A claim begins.
    pub fn begin(&self) {
        self.state().claiming_since = Some(Instant::now());
    }

    /// It ended. `problem`: why nothing was taken.
    pub fn end(&self, problem: Option<String>) {
        *self.state() = State { claiming_since: None, problem };
    }

    /// Why nothing is taken, if that is so.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let state = self.state();
        let hangs = state.claiming_since.is_some_and(|since| since.elapsed() > LONGEST_CLAIM);
        match &state.problem {
            Some(problem) => Some(format!("nothing was taken since the last look: {problem}")),
            None if hangs => Some(format!("a claim has had no answer for {} s", LONGEST_CLAIM.as_secs())),
            None => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_claim_counts_until_one_succeeds() {
        let health = ClaimHealth::default();
        assert_eq!(health.problem(), None);
        health.begin();
        assert_eq!(health.problem(), None, "it has only begun");
        health.end(Some("disk full".to_owned()));
        health.begin();
        assert!(health.problem().is_some_and(|problem| problem.contains("disk full")));
        health.end(None);
        assert_eq!(health.problem(), None);
    }
}
