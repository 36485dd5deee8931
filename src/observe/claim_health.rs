//! Whether a worker can claim due accounts and store its steps: what `/readyz` reports besides whether the
//! databases answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A claim that takes longer than this counts as hanging.
const LONGEST_CLAIM: Duration = Duration::from_secs(60);
/// How long a step that the ledger did not store counts: by then it has been tried again.
const STEP_COUNTS: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
struct State {
    claiming_since: Option<Instant>,
    problem: Option<String>,
    /// The last step of an export that the ledger did not store, until one is stored.
    step: Option<(Instant, String)>,
}

/// How a worker's last claim went, and whether its ledger stores what exports do: on a full disk a claim
/// may still succeed, which changes rows and adds none.
#[derive(Debug, Default)]
pub struct ClaimHealth(Mutex<State>);

impl ClaimHealth {
    /// A claim begins.
    pub fn begin(&self) {
        self.state().claiming_since = Some(Instant::now());
    }

    /// The claim has ended. `problem`: why it failed, if it did.
    pub fn end(&self, problem: Option<String>) {
        let mut state = self.state();
        state.claiming_since = None;
        state.problem = problem;
    }

    /// The ledger's database did not store a step of an export.
    pub fn step_failed(&self, problem: String) {
        self.state().step = Some((Instant::now(), problem));
    }

    /// The ledger's database has stored a step of an export.
    pub fn step_stored(&self) {
        self.state().step = None;
    }

    /// Why this worker is not ready, if it is not.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let state = self.state();
        let hangs = state.claiming_since.is_some_and(|since| since.elapsed() > LONGEST_CLAIM);
        match &state.problem {
            Some(problem) => Some(format!("no account was claimed at the last try: {problem}")),
            None if state.step.as_ref().is_some_and(|(at, _)| at.elapsed() < STEP_COUNTS) => state
                .step
                .as_ref()
                .map(|(_, problem)| format!("the ledger did not store a step of an export: {problem}")),
            None if hangs => {
                Some(format!("the ledger has not answered a claim for {} s", LONGEST_CLAIM.as_secs()))
            }
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

    #[test]
    fn a_step_that_was_not_stored_counts_until_an_export_ends() {
        let health = ClaimHealth::default();
        health.step_failed("no space left".to_owned());
        health.begin();
        health.end(None);
        assert!(health.problem().is_some_and(|problem| problem.contains("no space left")), "claims go on");
        health.step_stored();
        assert_eq!(health.problem(), None);
    }
}
