//! Jobs: what takes longer than an answer of the API. They run in the process that was asked; their state is in the
//! ledger, so that every replica can be asked how they are.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::admin::AdminError;
use crate::ledger::{JobBegun, Ledger};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::job::{JobKind, JobProblem, JobResult, NewJob, SIGN_EVERY};
use auditferry_core::refusal::{Refusal, RefusalCode};

/// How many jobs one process does at a time.
const PLACES: u32 = 8;

/// How long a process that ends waits for its jobs to store that they were interrupted.
const CLOSING: Duration = Duration::from_secs(5);

/// How often it is tried to store what came of a job, a sign's time apart.
const TRIES: u32 = 5;

/// How far a job has come: what it tells is stored with the next sign of life.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Option<Value>>>);

impl Progress {
    /// Tells how far it has come. What was told before is replaced.
    pub fn tell(&self, value: Value) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn take(&self) -> Option<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What came of asking for a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// It has begun, under this id.
    Begun(String),
    /// This process does as many as it can: it may be asked for again in some seconds.
    Busy,
}

/// Does jobs.
#[derive(Clone)]
pub struct JobRunner {
    ledger: Arc<dyn Ledger>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl JobRunner {
    /// One that keeps its jobs in this ledger.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, places: Arc::new(Semaphore::new(PLACES as usize)), stop: CancellationToken::new() }
    }

    /// Begins a job. `work` is given where to tell how far it has come.
    ///
    /// # Errors
    /// When a job of this kind runs for the account, or the ledger fails.
    pub async fn begin<F, W>(
        &self,
        by: &By,
        account: &AccountId,
        (kind, request): (JobKind, Value),
        work: F,
    ) -> Result<Asked, AdminError>
    where
        F: FnOnce(Progress) -> W + Send + 'static,
        W: Future<Output = Result<Value, JobProblem>> + Send + 'static,
    {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) if !self.stop.is_cancelled() => place,
            _ => return Ok(Asked::Busy),
        };
        let id = format!("j{}", Uuid::new_v4().simple());
        let new = NewJob { id: id.clone(), account: account.clone(), kind, request };
        if let JobBegun::Running(other) = self.ledger.begin_job(by, &new).await? {
            let problem = format!("the {} {other} of it is under way", kind.as_str());
            return Err(Refusal::account(account, RefusalCode::UnderWay, problem)
                .fix("wait until that one has ended, then ask again")
                .into());
        }
        let (runner, job) = (self.clone(), id.clone());
        tokio::spawn(async move {
            runner.carry_out(&job, work).await;
            drop(place);
        });
        Ok(Asked::Begun(id))
    }

    /// Does a job, with signs of life until it ends, and stores what came of it.
    async fn carry_out<F, W>(&self, id: &str, work: F)
    where
        F: FnOnce(Progress) -> W,
        W: Future<Output = Result<Value, JobProblem>> + Send + 'static,
    {
        let progress = Progress::default();
        let mut working = tokio::spawn(work(progress.clone()));
        let every = SIGN_EVERY.unsigned_abs();
        let result = loop {
            tokio::select! {
                () = self.stop.cancelled() => {
                    working.abort();
                    break JobResult::Interrupted;
                }
                done = &mut working => break match done {
                    Ok(Ok(value)) => JobResult::Done(value),
                    Ok(Err(problem)) => JobResult::Failed(problem),
                    Err(error) => {
                        tracing::error!(job = id, error = %error, "a job has ended by a mistake of the program");
                        JobResult::Failed(JobProblem {
                            status: 500,
                            code: "internal".to_owned(),
                            detail: "an error of auditferry; its log has the cause".to_owned(),
                            field: None,
                            fix: None,
                        })
                    }
                },
                () = tokio::time::sleep(every) => {
                    if let Err(error) = self.ledger.note_job(id, progress.take().as_ref()).await {
                        tracing::warn!(job = id, error = %error, "a job's sign of life was not stored");
                    }
                }
            }
        };
        for attempt in 1..=TRIES {
            match self.ledger.end_job(id, &result).await {
                Ok(()) => return,
                Err(error) if attempt == TRIES => {
                    tracing::warn!(job = id, error = %error, "what came of a job was not stored; it will show as interrupted");
                }
                Err(_) => tokio::time::sleep(every).await,
            }
        }
    }

    /// Interrupts all jobs, and waits until that is stored, or for a few seconds.
    pub async fn close(&self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(CLOSING, self.places.acquire_many(PLACES)).await;
    }
}
