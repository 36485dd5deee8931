//! Jobs as they are told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::probes::{ProbeResult, ProbeStep};
use super::replay::Report;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::job::{JobProblem, JobState};

/// What all jobs have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobHead {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// How it is. `running` and `interrupted` may change; the other two are its end.
    pub state: JobState,
    /// Who asked for it. A customer reads their own name alone.
    pub asked_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it could not be done.
    pub problem: Option<JobProblem>,
}

/// A probe of a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProbeJob {
    /// What all jobs have.
    #[serde(flatten)]
    pub head: JobHead,
    /// The steps that have ended.
    pub steps: Vec<ProbeStep>,
    /// What it has found, when it is done.
    pub result: Option<ProbeResult>,
}

/// A replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplayJob {
    /// What all jobs have.
    #[serde(flatten)]
    pub head: JobHead,
    /// The first slot.
    pub from: Timestamp,
    /// The last slot.
    pub to: Timestamp,
    /// Whether objects get names in present time.
    pub as_new: bool,
    /// Whether objects are rebuilt and compared, and not put.
    pub dry_run: bool,
    /// How many objects it has looked at.
    pub objects: u64,
    /// What became of them, when it is done. At most 2,000 objects are named, those first that are not there.
    pub result: Option<Report>,
}
