//! Steps of several accounts in one transaction: what is asked for while a transaction
//! runs is done together in the next one. Nobody waits for company.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{Lease, LedgerError, Result};

/// Most steps of one transaction: bounds its time and the parameters of its statements.
const LARGEST: usize = 500;

/// What one account asks for.
pub(super) trait Step: Clone + Send + 'static {
    /// What it is told.
    type Answer: Send + 'static;

    /// The lease under which it is asked.
    fn lease(&self) -> &Lease;
}

type Asked<S> = (S, oneshot::Sender<Result<<S as Step>::Answer>>);

/// One kind of step.
pub(super) struct Group<S: Step> {
    queue: mpsc::Sender<Asked<S>>,
}

impl<S: Step> Group<S> {
    /// `run` carries out steps of different accounts in one transaction and answers each,
    /// in their order; it fails as a whole when the transaction does. Within a tokio runtime.
    pub(super) fn new<R, F>(run: R) -> Self
    where
        R: Fn(Vec<S>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<Result<S::Answer>>>> + Send + 'static,
    {
        let (queue, asked) = mpsc::channel(LARGEST);
        tokio::spawn(serve(asked, run));
        Self { queue }
    }

    /// Carries out a step.
    pub(super) async fn ask(&self, step: S) -> Result<S::Answer> {
        let (tell, told) = oneshot::channel();
        let closed = || LedgerError::Database(sqlx::Error::PoolClosed);
        self.queue.send((step, tell)).await.map_err(|_| closed())?;
        told.await.map_err(|_| closed())?
    }
}

async fn serve<S, R, F>(mut asked: mpsc::Receiver<Asked<S>>, run: R)
where
    S: Step,
    R: Fn(Vec<S>) -> F,
    F: Future<Output = Result<Vec<Result<S::Answer>>>>,
{
    let mut waiting: Vec<Asked<S>> = Vec::new();
    loop {
        if waiting.is_empty() {
            match asked.recv().await {
                Some(first) => waiting.push(first),
                None => return,
            }
        }
        while let Ok(next) = asked.try_recv() {
            waiting.push(next);
            if waiting.len() >= LARGEST {
                break;
            }
        }
        let (steps, tell): (Vec<S>, Vec<_>) = one_of_each_account(&mut waiting).into_iter().unzip();
        carry_out(&run, steps, tell).await;
    }
}

/// An account's second step needs what its first one leaves: it waits for the next
/// transaction.
fn one_of_each_account<S: Step>(waiting: &mut Vec<Asked<S>>) -> Vec<Asked<S>> {
    let mut seen = HashSet::new();
    let (now, later) = waiting.drain(..).partition(|(step, _)| seen.insert(step.lease().account.clone()));
    *waiting = later;
    now
}

async fn carry_out<S, R, F>(run: &R, steps: Vec<S>, tell: Vec<oneshot::Sender<Result<S::Answer>>>)
where
    S: Step,
    R: Fn(Vec<S>) -> F,
    F: Future<Output = Result<Vec<Result<S::Answer>>>>,
{
    match run(steps.clone()).await {
        Ok(answers) => {
            for (answer, tell) in answers.into_iter().zip(tell) {
                // Whoever asked may be gone; the step is done all the same.
                let _ = tell.send(answer);
            }
        }
        // The database refused something of one account: the others go without it.
        Err(LedgerError::Database(sqlx::Error::Database(_))) if steps.len() > 1 => {
            for (step, tell) in steps.into_iter().zip(tell) {
                let answer = run(vec![step]).await.and_then(|answers| {
                    answers.into_iter().next().unwrap_or(Err(LedgerError::Database(sqlx::Error::RowNotFound)))
                });
                let _ = tell.send(answer);
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for tell in tell {
                let _ = tell.send(Err(LedgerError::Together(Arc::clone(&error))));
            }
        }
    }
}
