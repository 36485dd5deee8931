//! Jobs: what somebody asked the API for and what takes longer than an answer, such as a replay.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::account::AccountId;

/// How often the process that does a job says that it still does.
pub const SIGN_EVERY: SignedDuration = SignedDuration::from_secs(2);

/// A job that was not heard of for longer ended with its process.
pub const ALIVE_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// How long a job can be read.
pub const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// A destination is tried.
    Probe,
    /// Delivered objects are put again.
    Replay,
    /// A destination is tried that is not set yet.
    Trial,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Probe, Self::Replay, Self::Trial];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Replay => "replay",
            Self::Trial => "trial",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It is being done.
    Running,
    /// It came to its end; what came of it is in its result.
    Done,
    /// It could not be done; its problem says why.
    Failed,
    /// The process that did it has ended. Ask for it again.
    Interrupted,
}

/// Why a job could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobProblem {
    /// The HTTP status that a request would have been answered with.
    pub status: u16,
    /// The code, as in a problem document.
    pub code: String,
    /// What happened, in a sentence.
    pub detail: String,
    /// The field with the wrong value, if it is one field.
    pub field: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
}

/// What came of a job that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobResult {
    /// It was done: what came of it.
    Done(Value),
    /// It could not be done.
    Failed(JobProblem),
    /// Its process was told to stop.
    Interrupted,
}

/// A job about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// What is done.
    pub kind: JobKind,
    /// What was asked for.
    pub request: Value,
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What was asked for.
    pub new: NewJob,
    /// Who asked for it.
    pub asked_by: String,
    /// Why.
    pub reason: Option<String>,
    /// When it began.
    pub begun_at: Timestamp,
    /// How long ago its process was heard of.
    pub silent_for: SignedDuration,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How far it has come.
    pub progress: Option<Value>,
    /// What came of it.
    pub result: Option<JobResult>,
}

impl Job {
    /// How it is.
    #[must_use]
    pub fn state(&self) -> JobState {
        match &self.result {
            Some(JobResult::Done(_)) => JobState::Done,
            Some(JobResult::Failed(_)) => JobState::Failed,
            Some(JobResult::Interrupted) => JobState::Interrupted,
            None if self.silent_for > ALIVE_WITHIN => JobState::Interrupted,
            None => JobState::Running,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_silent_ended_with_its_process() {
        let mut job = Job {
            new: NewJob {
                id: "j1".to_owned(),
                account: "acme".parse().expect("id"),
                kind: JobKind::Probe,
                request: Value::Null,
            },
            asked_by: "ana".to_owned(),
            reason: None,
            begun_at: Timestamp::UNIX_EPOCH,
            silent_for: ALIVE_WITHIN,
            ended_at: None,
            progress: None,
            result: None,
        };
        assert_eq!(job.state(), JobState::Running);
        job.silent_for = ALIVE_WITHIN + SignedDuration::from_millis(1);
        assert_eq!(job.state(), JobState::Interrupted);
        job.result = Some(JobResult::Done(Value::Null));
        assert_eq!(job.state(), JobState::Done, "however long ago that was");
    }

    #[test]
    fn names_are_read_again() {
        for kind in JobKind::ALL {
            assert_eq!(JobKind::parse(kind.as_str()), Some(kind));
        }
    }
}
