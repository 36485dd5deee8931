//! The steps of the protocol, those of several accounts and of all kinds in one transaction.
//! Each decides on what it has read under lock before it writes: one account's refusal leaves
//! the others alone.

use std::collections::HashMap;

use jiff::Timestamp;

use super::super::super::group::{Ask, Group};
use super::super::{Pool, begin, reading};
use super::leases::Fenced;
use super::{
    Account, AccountId, Attempt, Connection, Lease, LedgerError, NewWindow, OpenWindow, Result, SealOutcome,
    SealedFacts, accounts, batch, leases, sealed, windows,
};
use crate::base::database::in_time;
use auditferry_core::protocol;
use auditferry_core::store::StoreIds;

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
    /// What the store called the object and the request.
    pub(super) ids: StoreIds,
    pub(super) at: Timestamp,
}

/// An account to give back.
#[derive(Clone)]
pub(super) struct Release {
    pub(super) lease: Lease,
}

/// An account whose open window is asked for.
#[derive(Clone)]
pub(super) struct Look(pub(super) AccountId);

impl Ask for Look {
    type Output = Option<OpenWindow>;

    fn account(&self) -> &AccountId {
        &self.0
    }
}

/// A kind of step.
pub(super) trait Kind: Into<Step> {
    /// What it is told.
    type Output;

    /// Its answer; none when it is that of another kind.
    fn answer(answer: StepOutput) -> Option<Self::Output>;
}

macro_rules! kinds {
    ($($kind:ident => $answer:ty;)*) => {
        /// A step of any kind.
        #[derive(Clone)]
        pub(super) enum Step {
            $($kind($kind),)*
        }

        /// What a step is told.
        pub(super) enum StepOutput {
            $($kind($answer),)*
        }

        impl Step {
            fn lease(&self) -> &Lease {
                match self {
                    $(Self::$kind(step) => &step.lease,)*
                }
            }
        }

        $(
            impl Kind for $kind {
                type Output = $answer;

                fn answer(answer: StepOutput) -> Option<$answer> {
                    if let StepOutput::$kind(answer) = answer { Some(answer) } else { None }
                }
            }

            impl From<$kind> for Step {
                fn from(step: $kind) -> Self {
                    Self::$kind(step)
                }
            }
        )*
    };
}

kinds! {
    Plan => ();
    Seal => SealOutcome;
    Journal => Attempt;
    Ending => bool;
    Release => ();
}

impl Ask for Step {
    type Output = StepOutput;

    fn account(&self) -> &AccountId {
        &self.lease().account
    }
}

/// What waits for the next transactions.
pub(in super::super) struct Steps {
    steps: Group<Step>,
    looks: Group<Look>,
}

impl Steps {
    pub(in super::super) fn new(pool: &Pool) -> Self {
        let (write, read) = (pool.clone(), pool.clone());
        Self {
            steps: Group::new(move |steps: Vec<Step>| {
                let pool = write.clone();
                in_time(async move {
                    let mut tx = begin(&pool).await?;
                    let answers = carry_out(&mut tx, &steps).await?;
                    tx.commit().await?;
                    Ok(answers)
                })
            }),
            looks: Group::new(move |looks: Vec<Look>| {
                let pool = read.clone();
                in_time(async move {
                    let ids: Vec<_> = looks.iter().map(|look| look.0.as_str()).collect();
                    let mut open = windows::open(reading(&pool).await?.as_mut(), &ids).await?;
                    Ok(ids.iter().map(|id| Ok(open.remove(*id))).collect())
                })
            }),
        }
    }

    /// Carries out a step, together with what else waits.
    pub(super) async fn ask<K: Kind>(&self, step: K) -> Result<K::Output> {
        K::answer(self.steps.ask(step.into()).await?).ok_or_else(no_answer)
    }

    /// The account's open window.
    pub(super) async fn look(&self, id: &AccountId) -> Result<Option<OpenWindow>> {
        self.looks.ask(Look(id.clone())).await
    }
}

fn no_answer() -> LedgerError {
    LedgerError::Stopped
}

/// Carries out steps of different accounts.
async fn carry_out(connection: &mut Connection, steps: &[Step]) -> Result<Vec<Result<StepOutput>>> {
    let fenced = leases::fenced_all(connection, steps.iter().map(Step::lease)).await?;
    let mut answers: Vec<Result<StepOutput>> = steps.iter().map(|_| Err(no_answer())).collect();
    let mut changed = Vec::new();
    macro_rules! each {
        ($kind:ident, $found:ident => $told:expr) => {
            let (places, $found): (Vec<_>, Vec<_>) = (0..)
                .zip(steps)
                .filter_map(
                    |(place, step)| if let Step::$kind(step) = step { Some((place, step)) } else { None },
                )
                .unzip();
            let told = if $found.is_empty() { Vec::new() } else { $told };
            for (place, answer) in Vec::<usize>::into_iter(places).zip(told) {
                answers[place] = answer.map(StepOutput::$kind);
            }
        };
    }
    each!(Plan, found => plan(connection, &fenced, found, &mut changed).await?);
    each!(Seal, found => seal(connection, &fenced, found).await?);
    each!(Journal, found => journal(connection, &fenced, found).await?);
    each!(Ending, found => end(connection, &fenced, found, &mut changed).await?);
    accounts::write_progress(connection, &changed).await?;
    each!(Release, found => release(connection, found).await?);
    Ok(answers)
}

/// Plans windows, in a transaction of their own.
pub(super) async fn plan_all(connection: &mut Connection, plans: &[Plan]) -> Result<Vec<Result<()>>> {
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    let fenced = leases::fenced_all(connection, plans.iter().map(|plan| &plan.lease)).await?;
    let mut changed = Vec::new();
    let planned = plan(connection, &fenced, plans.iter().collect(), &mut changed).await?;
    accounts::write_progress(connection, &changed).await?;
    Ok(planned)
}

type Held = HashMap<String, Fenced>;

/// Puts answers of those that went on among the refusals of the others.
fn answers<A>(refusals: Vec<Result<()>>, answers: Vec<Result<A>>) -> Vec<Result<A>> {
    let mut answers = answers.into_iter();
    refusals
        .into_iter()
        .map(|refusal| match refusal {
            Ok(()) => answers.next().unwrap_or_else(|| Err(no_answer())),
            Err(refusal) => Err(refusal),
        })
        .collect()
}

async fn plan(
    connection: &mut Connection,
    held: &Held,
    steps: Vec<&Plan>,
    changed: &mut Vec<Account>,
) -> Result<Vec<Result<()>>> {
    let (mut refusals, mut planned) = (Vec::new(), Vec::new());
    for step in steps {
        let checked = leases::holding(held, &step.lease).and_then(|fenced| {
            if !protocol::unchanged_since_claim(step.lease.revision, fenced.revision) {
                return Err(LedgerError::Changed(step.lease.account.clone()));
            }
            batch::Planned::of(&fenced.account, &step.new)
        });
        refusals.push(checked.map(|row| planned.push(row)));
    }
    let taken = batch::plan(connection, &mut planned).await?;
    let each = planned.into_iter().map(|row| {
        let account = row.account;
        if taken.contains(account.id.as_str()) {
            return Err(LedgerError::SlotTaken(account.id.clone(), account.last_slot));
        }
        changed.push(account);
        Ok(())
    });
    Ok(answers(refusals, each.collect()))
}

async fn seal(
    connection: &mut Connection,
    held: &Held,
    steps: Vec<&Seal>,
) -> Result<Vec<Result<SealOutcome>>> {
    let (mut refusals, mut fit) = (Vec::new(), Vec::new());
    for step in steps {
        refusals.push(leases::holding(held, &step.lease).map(|_| fit.push(step)));
    }
    let outcomes = batch::seal(connection, &fit).await?;
    Ok(answers(refusals, outcomes))
}

async fn journal(
    connection: &mut Connection,
    held: &Held,
    steps: Vec<&Journal>,
) -> Result<Vec<Result<Attempt>>> {
    let (mut refusals, mut fit) = (Vec::new(), Vec::new());
    for step in steps {
        let checked = leases::holding(held, &step.lease).and_then(|fenced| match fenced.account.due_at() {
            Some(_) => Ok(()),
            None => Err(LedgerError::Changed(step.lease.account.clone())),
        });
        refusals.push(checked.map(|()| fit.push(step)));
    }
    let leases: Vec<Lease> = fit.iter().map(|step| step.lease.clone()).collect();
    leases::renew_locked(connection, &leases).await?;
    let attempts = batch::journal(connection, &fit).await?;
    Ok(answers(refusals, attempts))
}

async fn end(
    connection: &mut Connection,
    held: &Held,
    steps: Vec<&Ending>,
    changed: &mut Vec<Account>,
) -> Result<Vec<Result<bool>>> {
    let ends = batch::ends(connection, &steps).await?;
    let (mut results, mut done, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
    for (step, end) in steps.into_iter().zip(ends) {
        let ended = leases::holding(held, &step.lease).and_then(|fenced| {
            let mut account = fenced.account.clone();
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
    for account in replaced {
        sealed::forget_replaced(connection, &account).await?;
    }
    Ok(results)
}

/// Whoever has lost the account has nothing to give back.
async fn release(connection: &mut Connection, steps: Vec<&Release>) -> Result<Vec<Result<()>>> {
    let leases: Vec<Lease> = steps.iter().map(|step| step.lease.clone()).collect();
    leases::release_locked(connection, &leases).await?;
    Ok(steps.iter().map(|_| Ok(())).collect())
}
