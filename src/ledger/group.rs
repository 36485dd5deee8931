//! Steps of several accounts in one transaction: what is asked for while a transaction
//! runs is done together in the next one. Nobody waits for company.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{LedgerError, Result};
use auditferry_core::model::account::AccountId;

/// Most steps of one transaction: bounds its time and the parameters of its statements.
const LARGEST: usize = 500;

/// Most transactions at once: one works while another waits for the disk. With more of them
/// each would carry fewer steps.
const AT_ONCE: usize = 2;

/// What is asked for an account.
pub(super) trait Ask: Clone + Send + 'static {
    /// What it is told.
    type Output: Send + 'static;

    /// For whom.
    fn account(&self) -> &AccountId;
}

type Asked<S> = (S, oneshot::Sender<Result<<S as Ask>::Output>>);

/// Those who ask together.
pub(super) struct Group<S: Ask> {
    queue: mpsc::Sender<Asked<S>>,
}

impl<S: Ask> Group<S> {
    /// `run` carries out steps of different accounts in one transaction and answers each,
    /// in their order; it fails as a whole when the transaction does. Within a tokio runtime.
    pub(super) fn new<R, F>(run: R) -> Self
    where
        R: Fn(Vec<S>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<Result<S::Output>>>> + Send + 'static,
    {
        let (queue, asked) = mpsc::channel(LARGEST);
        tokio::spawn(serve(asked, run));
        Self { queue }
    }

    /// Carries out a step.
    pub(super) async fn ask(&self, step: S) -> Result<S::Output> {
        let (tell, told) = oneshot::channel();
        let closed = || LedgerError::Stopped;
        self.queue.send((step, tell)).await.map_err(|_| closed())?;
        told.await.map_err(|_| closed())?
    }
}

async fn serve<S, R, F>(mut asked: mpsc::Receiver<Asked<S>>, run: R)
where
    S: Ask,
    R: Fn(Vec<S>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<Result<S::Output>>>> + Send + 'static,
{
    let run = Arc::new(run);
    let mut waiting: Vec<Asked<S>> = Vec::new();
    let mut busy: HashSet<AccountId> = HashSet::new();
    let mut running: JoinSet<Vec<AccountId>> = JoinSet::new();
    let mut over = false;
    loop {
        while waiting.len() < LARGEST
            && let Ok(next) = asked.try_recv()
        {
            waiting.push(next);
        }
        let turn = if running.len() < AT_ONCE { take(&mut waiting, &busy) } else { Vec::new() };
        if !turn.is_empty() {
            let accounts: Vec<_> = turn.iter().map(|(step, _)| step.account().clone()).collect();
            busy.extend(accounts.iter().cloned());
            let run = Arc::clone(&run);
            running.spawn(async move {
                let (steps, tell) = turn.into_iter().unzip();
                carry_out(&*run, steps, tell).await;
                accounts
            });
            continue;
        }
        if over && running.is_empty() {
            return;
        }
        tokio::select! {
            next = asked.recv(), if !over && waiting.len() < LARGEST => match next {
                Some(next) => waiting.push(next),
                None => over = true,
            },
            done = running.join_next(), if !running.is_empty() => match done {
                Some(Ok(accounts)) => accounts.iter().for_each(|id| _ = busy.remove(id)),
                // Who asks from now on is told that nobody serves.
                _ => return,
            },
        }
    }
}

/// One step of each account that is not in a transaction: an account's second step needs what
/// its first one leaves.
fn take<S: Ask>(waiting: &mut Vec<Asked<S>>, busy: &HashSet<AccountId>) -> Vec<Asked<S>> {
    let mut seen = busy.clone();
    let mut turn = Vec::new();
    for asked in std::mem::take(waiting) {
        if seen.insert(asked.0.account().clone()) {
            turn.push(asked);
        } else {
            waiting.push(asked);
        }
    }
    turn
}

async fn carry_out<S, R, F>(run: &R, steps: Vec<S>, tell: Vec<oneshot::Sender<Result<S::Output>>>)
where
    S: Ask,
    R: Fn(Vec<S>) -> F,
    F: Future<Output = Result<Vec<Result<S::Output>>>>,
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
                let answer = run(vec![step])
                    .await
                    .and_then(|answers| answers.into_iter().next().unwrap_or(Err(LedgerError::Stopped)));
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;
    use crate::base::settled::settle;

    #[derive(Clone)]
    struct Numbered(AccountId, usize);

    impl Ask for Numbered {
        type Output = usize;

        fn account(&self) -> &AccountId {
            &self.0
        }
    }

    fn step(account: usize, number: usize) -> Numbered {
        Numbered(format!("acct-{account}").parse().expect("id"), number)
    }

    type Carried = Arc<Mutex<Vec<Vec<Numbered>>>>;

    /// A group whose transactions wait for `gate`, and what each of them carried.
    fn group(gate: &Arc<Semaphore>) -> (Arc<Group<Numbered>>, Carried) {
        let carried = Arc::new(Mutex::new(Vec::new()));
        let (gate, told) = (Arc::clone(gate), Arc::clone(&carried));
        let group = Group::new(move |steps: Vec<Numbered>| {
            let (gate, told) = (Arc::clone(&gate), Arc::clone(&told));
            async move {
                told.lock().expect("lock").push(steps.clone());
                gate.acquire().await.expect("gate").forget();
                Ok(steps.into_iter().map(|step| Ok(step.1)).collect())
            }
        });
        (Arc::new(group), carried)
    }

    fn ask(group: &Arc<Group<Numbered>>, step: Numbered) -> tokio::task::JoinHandle<Result<usize>> {
        let group = Arc::clone(group);
        tokio::spawn(async move { group.ask(step).await })
    }

    #[tokio::test]
    async fn who_asks_while_transactions_run_shares_the_next() {
        let gate = Arc::new(Semaphore::new(0));
        let (group, carried) = group(&gate);
        let mut asked = Vec::new();
        for number in 0..6 {
            asked.push(ask(&group, step(number, number)));
            settle().await;
        }
        gate.add_permits(AT_ONCE + 1);
        for (number, told) in asked.into_iter().enumerate() {
            assert_eq!(told.await.expect("task").expect("answer"), number, "each is told its own answer");
        }
        let sizes: Vec<usize> = carried.lock().expect("lock").iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 1, 4]);
    }

    #[tokio::test]
    async fn an_accounts_second_step_waits_for_the_first() {
        let gate = Arc::new(Semaphore::new(0));
        let (group, carried) = group(&gate);
        let first = ask(&group, step(1, 1));
        settle().await;
        let second = ask(&group, step(1, 2));
        settle().await;
        assert_eq!(carried.lock().expect("lock").len(), 1, "although another transaction could run");
        gate.add_permits(2);
        assert_eq!(first.await.expect("task").expect("answer"), 1);
        assert_eq!(second.await.expect("task").expect("answer"), 2);
    }

    #[tokio::test]
    async fn a_refusal_of_one_leaves_the_others_alone() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let group: Arc<Group<Numbered>> =
            Arc::new(Group::new(move |steps: Vec<Numbered>| {
                counted.fetch_add(1, Ordering::Relaxed);
                async move {
                    // Long enough that the others wait together.
                    settle().await;
                    Ok(steps
                        .into_iter()
                        .map(|step| {
                            if step.1 == 3 { Err(LedgerError::NoAccount("three".into())) } else { Ok(step.1) }
                        })
                        .collect())
                }
            }));
        let asked: Vec<_> = (0..8).map(|number| ask(&group, step(number, number))).collect();
        for (number, told) in asked.into_iter().enumerate() {
            assert_eq!(told.await.expect("task").ok(), (number != 3).then_some(number));
        }
        assert!(runs.load(Ordering::Relaxed) < 8);
    }
}
