//! Jobs of the API, as the ledger keeps them.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::Result;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::job::{Job, JobKind, JobResult, NewJob};

/// What came of storing a new job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobBegun {
    /// It is stored.
    New,
    /// Another one of its kind runs for the account: its id.
    Running(String),
}

/// Which jobs are listed.
#[derive(Debug, Clone)]
pub struct JobFilter {
    /// Of which account.
    pub account: AccountId,
    /// Of which kind.
    pub kind: JobKind,
    /// Only those that began before this one.
    pub before: Option<(Timestamp, String)>,
    /// At most so many.
    pub limit: u32,
}

/// What jobs ask for.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Stores a job that begins now, unless one of its kind runs for the account. Who asks for it with a key gets it
    /// once.
    async fn begin_job(&self, by: &By, new: &NewJob) -> Result<JobBegun>;
    /// Stores that a job is still being done, and how far it has come.
    async fn note_job(&self, id: &str, progress: Option<&Value>) -> Result<()>;
    /// Stores what came of a job.
    async fn end_job(&self, id: &str, result: &JobResult) -> Result<()>;
    /// The job of an id.
    async fn job(&self, id: &str) -> Result<Option<Job>>;
    /// Jobs, the newest first.
    async fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>>;
    /// Removes jobs that are not kept any more.
    async fn forget_jobs(&self) -> Result<()>;
}
