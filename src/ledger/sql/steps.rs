//! The steps of the protocol, several accounts in one transaction. Each decides on what it
//! has read under lock before it writes: one account's refusal leaves the others alone.

use std::collections::HashMap;

use jiff::Timestamp;

use super::super::super::group::{Group, Step};
use super::super::{Pool, begin};
use super::leases::Fenced;
use super::{
    Account, Attempt, Connection, Lease, LedgerError, NewWindow, Result, SealOutcome, SealedFacts, accounts,
    batch, leases, sealed,
};
use crate::protocol;

/// A window to plan.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) lease: Lease,
    pub(super) new: NewWindow,
}

impl Plan {
    pub(super) fn new(lease: &Lease, new: &NewWindow) -> Self {
        Self { lease: lease.clone(), new: new.clone() }
    }
}

/// An object to store before it is put.
#[derive(Clone)]
pub(super) struct Seal {
    pub(super) lease: Lease,
    pub(super) window: u64,
    pub(super) facts: SealedFacts,
    pub(super) at: Timestamp,
}

/// An attempt to store before it is made.
#[derive(Clone)]
pub(super) struct Journal {
    pub(super) lease: Lease,
    pub(super) window: u64,
    pub(super) facts: SealedFacts,
    pub(super) owner: String,
    pub(super) at: Timestamp,
}

/// What ends an object, or a window that has none (any more).
#[derive(Clone)]
pub(super) struct Ending {
    pub(super) lease: Lease,
    pub(super) window: u64,
    /// The attempt whose receipt is stored; none: the window has no further record.
    pub(super) delivered: Option<Attempt>,
    pub(super) at: Timestamp,
}

/// An account to give back.
#[derive(Clone)]
pub(super) struct Release(pub(super) Lease);

macro_rules! step {
    ($($step:ident => $answer:ty;)*) => {
        $(impl Step for $step {
            type Answer = $answer;

            fn lease(&self) -> &Lease {
                &self.lease
            }
        })*
    };
}

step! {
    Plan => ();
    Seal => SealOutcome;
    Journal => Attempt;
    Ending => bool;
}

impl Step for Release {
    type Answer = ();

    fn lease(&self) -> &Lease {
        &self.0
    }
}

/// All kinds of steps.
pub(in super::super) struct Steps {
    pub(super) plans: Group<Plan>,
    pub(super) seals: Group<Seal>,
    pub(super) journals: Group<Journal>,
    pub(super) endings: Group<Ending>,
    pub(super) releases: Group<Release>,
}

/// A group whose transactions are these.
macro_rules! group {
    ($pool:expr, $carry_out:path) => {{
        let pool = $pool.clone();
        Group::new(move |steps| {
            let pool = pool.clone();
            async move {
                let mut tx = begin(&pool).await?;
                let answers = $carry_out(&mut tx, &steps).await?;
                tx.commit().await?;
                Ok(answers)
            }
        })
    }};
}

impl Steps {
    pub(in super::super) fn new(pool: &Pool) -> Self {
        Self {
            plans: group!(pool, plan),
            seals: group!(pool, seal),
            journals: group!(pool, journal),
            endings: group!(pool, end),
            releases: group!(pool, release),
        }
    }
}

/// The account of a step, if its lease may still write.
async fn fenced<S: Step>(connection: &mut Connection, steps: &[S]) -> Result<HashMap<String, Fenced>> {
    leases::fenced_all(connection, steps.iter().map(Step::lease)).await
}

fn account(fenced: &HashMap<String, Fenced>, lease: &Lease) -> Result<Account> {
    Ok(leases::holding(fenced, lease)?.account.clone())
}

/// Puts answers of those that went on among the refusals of the others.
fn answers<A>(refusals: Vec<Result<()>>, answers: Vec<Result<A>>) -> Vec<Result<A>> {
    let mut answers = answers.into_iter();
    refusals
        .into_iter()
        .map(|refusal| match refusal {
            Ok(()) => answers.next().unwrap_or(Err(LedgerError::Database(sqlx::Error::RowNotFound))),
            Err(refusal) => Err(refusal),
        })
        .collect()
}

pub(super) async fn plan(connection: &mut Connection, steps: &[Plan]) -> Result<Vec<Result<()>>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let fenced = fenced(connection, steps).await?;
    let (mut refusals, mut planned) = (Vec::new(), Vec::new());
    for step in steps {
        let checked = leases::holding(&fenced, &step.lease).and_then(|fenced| {
            if !protocol::unchanged(step.lease.revision, fenced.revision) {
                return Err(LedgerError::Changed(step.lease.account.clone()));
            }
            batch::Planned::of(&fenced.account, &step.new)
        });
        refusals.push(checked.map(|row| planned.push(row)));
    }
    let taken = batch::plan(connection, &mut planned).await?;
    let planned: Vec<_> = planned.into_iter().map(|row| row.account).collect();
    let done: Vec<Account> =
        planned.iter().filter(|account| !taken.contains(account.id.as_str())).cloned().collect();
    accounts::write_progress(connection, &done).await?;
    let each = planned.iter().map(|account| {
        if taken.contains(account.id.as_str()) {
            let slot = account.last_slot;
            let problem = format!("account {}: a window of the slot {slot} is there already", account.id);
            return Err(LedgerError::Refused(problem));
        }
        Ok(())
    });
    Ok(answers(refusals, each.collect()))
}

async fn seal(connection: &mut Connection, steps: &[Seal]) -> Result<Vec<Result<SealOutcome>>> {
    let fenced = fenced(connection, steps).await?;
    let (mut refusals, mut held) = (Vec::new(), Vec::new());
    for step in steps {
        refusals.push(leases::holding(&fenced, &step.lease).map(|_| held.push(step)));
    }
    let outcomes = batch::seal(connection, &held).await?;
    Ok(answers(refusals, outcomes.into_iter().map(Ok).collect()))
}

async fn journal(connection: &mut Connection, steps: &[Journal]) -> Result<Vec<Result<Attempt>>> {
    let fenced = fenced(connection, steps).await?;
    let (mut refusals, mut held) = (Vec::new(), Vec::new());
    for step in steps {
        let checked = account(&fenced, &step.lease).and_then(|account| match account.due_at() {
            Some(_) => Ok(()),
            None => Err(LedgerError::Changed(account.id)),
        });
        refusals.push(checked.map(|()| held.push(step)));
    }
    let leases: Vec<Lease> = held.iter().map(|step| step.lease.clone()).collect();
    leases::renew(connection, &leases).await?;
    let attempts = batch::journal(connection, &held).await?;
    Ok(answers(refusals, attempts))
}

async fn end(connection: &mut Connection, steps: &[Ending]) -> Result<Vec<Result<bool>>> {
    let fenced = fenced(connection, steps).await?;
    let ends = batch::ends(connection, steps).await?;
    let (mut results, mut done) = (Vec::new(), Vec::new());
    let (mut changed, mut replaced) = (Vec::new(), Vec::new());
    for (step, end) in steps.iter().zip(ends) {
        let ended = account(&fenced, &step.lease).and_then(|mut account| {
            let (last, replaced) = end?.apply(&mut account, step)?;
            Ok((account, last, replaced))
        });
        results.push(ended.map(|(account, last, left)| {
            done.push((step, last));
            replaced.extend(left.then(|| account.id.clone()));
            changed.push(account);
            last
        }));
    }
    batch::end(connection, &done).await?;
    accounts::write_progress(connection, &changed).await?;
    for account in replaced {
        sealed::forget_replaced(connection, &account).await?;
    }
    Ok(results)
}

async fn release(connection: &mut Connection, steps: &[Release]) -> Result<Vec<Result<()>>> {
    let leases: Vec<Lease> = steps.iter().map(|step| step.0.clone()).collect();
    leases::release(connection, &leases).await?;
    Ok(steps.iter().map(|_| Ok(())).collect())
}
