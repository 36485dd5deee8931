//! The shell around the production core, as `src/export.rs` is: it takes an effect,
//! does it against the models, and gives the event back.

use std::time::Duration;

use auditferry_core::protocol::{
    Effect, Event, HeadResult, PutAnswer, Setback, Stop, Task, Verdict, backoff, decide, is_suspended, judge,
    judge_head, next_task, slot_to_plan,
};
use auditferry_core::store::PutErrorKind;

use super::chance::Chance;
use super::checker::Broken;
use super::ledger::{Ledger, Refusal, Sealed};
use super::note;
use super::setup::Fault;
use super::source::Bound;
use super::store::{Key, Reply};
use super::time::{Time, slot_after, slot_at};
use super::variant::Variant;
use super::worker::{At, Receipt, Simulated, Waiting, Work};
use super::world::World;

/// What the protocol makes of an error of the ledger.
fn event(refusal: Refusal) -> Event<Simulated> {
    match refusal {
        Refusal::LeaseLost => Event::LeaseLost,
        Refusal::Changed => Event::Changed,
        Refusal::Refused | Refusal::Failed => Event::LedgerFailed,
    }
}

impl World {
    /// Does the next thing of one work; whether there was anything to do.
    pub(crate) fn work(&mut self, worker: usize, place: usize, chance: &mut Chance) -> bool {
        let mut work = self.workers[worker].works.swap_remove(place);
        let at = std::mem::take(&mut work.at);
        if let At::Wait(waiting) = at {
            work.at = At::Wait(waiting);
            self.workers[worker].works.push(work);
            return false;
        }
        if matches!(at, At::Release) {
            if !self.fault(Fault::Ledger, chance, 10) {
                self.ledger.release(&work.lease);
            }
            note!(self, "w{worker} a{} released", work.lease.account);
            return true;
        }
        work.at = self.advance(worker, &mut work, at, chance).unwrap_or_else(|refusal| {
            self.totals.lost_leases += u64::from(refusal == Refusal::LeaseLost);
            note!(self, "w{worker} a{} ledger: {refusal:?}", work.lease.account);
            At::Do(decide(event(refusal)))
        });
        self.workers[worker].works.push(work);
        true
    }

    fn advance(
        &mut self,
        worker: usize,
        work: &mut Work,
        at: At,
        chance: &mut Chance,
    ) -> Result<At, Refusal> {
        let account = work.lease.account;
        let clock = self.clock(worker);
        match at {
            At::Probe => Ok(self.probe(work, chance)),
            At::EndSuspension => {
                let lease = work.lease;
                self.ledger(chance, |ledger| ledger.end_suspension(&lease))?;
                note!(self, "w{worker} a{account} goes on after a probe");
                if self.variant == Variant::ProbeForgotten {
                    return Ok(At::Postpone(work.view.next_slot, Setback::NeedsCustomer));
                }
                Ok(Work::begin(&work.view))
            }
            At::Plan => self.plan(work, clock, chance),
            At::Load => Ok(self.load(work)),
            At::Repoint => {
                let lease = work.lease;
                self.ledger(chance, |ledger| ledger.repoint(&lease))?;
                note!(self, "w{worker} a{account} window repointed");
                work.newest = None;
                Ok(At::Load)
            }
            At::Do(effect) if effect.begins_work() && self.workers[worker].draining => Ok(At::Release),
            // Others wait: it goes to the end of the queue.
            At::Do(Effect::Seal) if work.served && chance.one_in(4) => Ok(At::Release),
            At::Do(effect) => self.carry_out(worker, work, effect, chance),
            At::StoreSealed(sealed) => {
                let lease = work.lease;
                let stored = self.ledger(chance, |ledger| ledger.seal(&lease, sealed))?;
                note!(self, "w{worker} a{account} sealed {sealed:?}: stored={stored}");
                if stored && !work.confirmed && self.variant != Variant::UnconfirmedPlan {
                    return Ok(At::Confirm(sealed));
                }
                Ok(At::Do(decide(if stored { Event::Sealed(sealed) } else { Event::Differs })))
            }
            At::Confirm(sealed) => {
                if self.fault(Fault::Source, chance, 8) {
                    return Ok(At::SetBack(Setback::Transient(None)));
                }
                if !self.leave_mark() {
                    return Ok(At::Release);
                }
                work.confirmed = true;
                Ok(At::Do(decide(Event::Sealed(sealed))))
            }
            At::Answered(waiting, reply) => Ok(self.judge(worker, work, waiting, reply, chance)),
            At::StoreFailure(waiting, kind, foreign) => {
                let lease = work.lease;
                let needs_customer = kind.needs_customer();
                let retry_at = if needs_customer { slot_after(clock) } else { clock + wait(work) };
                let definite = !kind.answer().leaves_doubt();
                let doubt = kind.answer().leaves_doubt() && self.variant != Variant::UnknownIsRefused;
                let setback = if needs_customer { Setback::NeedsCustomer } else { Setback::Transient(None) };
                let suspended = self.is_suspended(account);
                self.ledger(chance, |ledger| {
                    ledger.fail(&lease, &waiting.attempt, doubt, definite, (setback, clock, retry_at))
                })?;
                self.totals.suspensions += u64::from(!suspended && self.is_suspended(account));
                let event = if foreign { Event::Foreign } else { Event::Failed(setback) };
                Ok(At::Do(decide(event)))
            }
            At::SetBack(setback) => Ok(At::Postpone(self.ledger.account(account).state.next_slot, setback)),
            At::Postpone(seen, setback) => {
                let lease = work.lease;
                let retry_at = match setback {
                    Setback::NeedsCustomer => slot_after(clock),
                    Setback::Transient(_) => clock + wait(work),
                };
                self.ledger(chance, |ledger| ledger.postpone(&lease, retry_at, seen))?;
                Ok(At::Release)
            }
            At::Hold(hold) => {
                let lease = work.lease;
                self.ledger(chance, |ledger| ledger.hold(&lease, hold))?;
                note!(self, "w{worker} a{account} HELD {hold:?}");
                if self.restored {
                    // The attempt that created the object is lost.
                    self.noticed = true;
                } else if !work.strangers {
                    self.broken(Broken::HeldForNothing, format_args!("account {account}: {hold:?}"));
                }
                Ok(At::Release)
            }
            At::Wait(_) | At::Release => Ok(At::Release),
        }
    }

    fn is_suspended(&self, account: u8) -> bool {
        is_suspended(self.ledger.account(account).state.denied.as_ref())
    }

    /// One object of no bytes, beside what the account delivers.
    fn probe(&mut self, work: &Work, chance: &mut Chance) -> At {
        let account = work.lease.account;
        let version = self.ledger.account(account).state.destination;
        let refused = self.store.denied.contains(&(account, version)) || self.fault(Fault::Store, chance, 4);
        note!(self, "a{account} is suspended and probed, refused={refused}");
        if refused { At::Postpone(work.view.next_slot, Setback::NeedsCustomer) } else { At::EndSuspension }
    }

    fn plan(&mut self, work: &mut Work, clock: Time, chance: &mut Chance) -> Result<At, Refusal> {
        let (lease, view) = (work.lease, work.view);
        let due = slot_to_plan(Some(slot_at(clock)), view.last_slot, clock, view.next_slot);
        let (Some(hi), Some(slot)) = (work.captured, due) else {
            let next = slot_after(view.last_slot.max(clock));
            self.ledger(chance, |ledger| ledger.set_next_slot(&lease, Some(next)))?;
            return Ok(At::Release);
        };
        if view.watermark.rewound(hi) {
            return Ok(At::Do(decide(Event::Rewound)));
        }
        let enabled = self.ledger.account(lease.account).state.enabled;
        self.ledger(chance, |ledger| ledger.plan(&lease, slot, hi))?;
        if !enabled {
            self.broken(Broken::StartedWhileDisabled, format_args!("account {}", lease.account));
        }
        note!(self, "a{} planned slot {slot} up to {hi:?}", lease.account);
        Ok(At::Load)
    }

    fn load(&mut self, work: &mut Work) -> At {
        let Some((mut window, taken_up)) = self.ledger.open(work.lease.account) else { return At::Release };
        if self.variant == Variant::BoundReadAgain && work.captured.is_none() {
            window.hi = self.source.capture(self.setup.standby);
        }
        work.window = Some(window);
        // As it is opened now: a ledger that goes back meanwhile may not know this destination.
        work.bucket = self.ledger.account(work.lease.account).buckets[window.destination];
        work.cursor = taken_up.cursor.filter(|_| self.variant != Variant::CursorForgotten);
        work.ordinal = taken_up.ordinal;
        work.exhausted = taken_up.exhausted;
        work.doubtful = taken_up.doubtful;
        // An attempt is made only once it was.
        work.confirmed = taken_up.doubtful;
        match next_task(work.moved(), work.doubtful, false) {
            Task::Repoint => At::Repoint,
            Task::Deliver => At::Do(decide(Event::Resumed)),
        }
    }

    fn carry_out(
        &mut self,
        worker: usize,
        work: &mut Work,
        effect: Effect<Simulated>,
        chance: &mut Chance,
    ) -> Result<At, Refusal> {
        let (lease, account) = (work.lease, work.lease.account);
        let window = work.window;
        let event = match (effect, window) {
            (Effect::Seal, Some(_)) if work.exhausted => Event::Exhausted,
            (Effect::Seal, Some(window)) => {
                if self.fault(Fault::Source, chance, 8) {
                    return Ok(At::SetBack(Setback::Transient(None)));
                }
                let set = (window.lo, window.hi);
                let (content, cursor, last) =
                    self.source.read(account, set, work.cursor, self.setup.max_records);
                let wanted = work.ordinal == 1 && self.setup.empty_objects;
                if content.len() > 0 || wanted {
                    let wall = self.variant == Variant::WallClockKey;
                    let slot = if wall { self.clock(worker) } else { window.slot };
                    let key = Key { account, slot, ordinal: work.ordinal };
                    work.cursor = cursor;
                    return Ok(At::StoreSealed(Sealed { key, content, cursor, last }));
                }
                Event::Exhausted
            }
            (Effect::Journal(sealed), Some(_)) => {
                let lives = (self.now, self.ttl);
                let enabled = self.ledger.account(account).state.enabled;
                let (attempt, unsettled) =
                    self.ledger(chance, |ledger| ledger.journal(&lease, sealed.key.ordinal, lives))?;
                note!(self, "w{worker} a{account} journaled {attempt:?}");
                if !enabled {
                    self.broken(Broken::StartedWhileDisabled, format_args!("account {account}"));
                }
                work.unsettled = unsettled;
                self.totals.attempts += 1;
                Event::Journaled(sealed, attempt)
            }
            (Effect::Put(sealed, attempt), Some(window)) => {
                let bucket = work.bucket;
                let unreachable = self.fault(Fault::Store, chance, 10);
                if unreachable {
                    let waiting = Waiting { request: 0, sealed, attempt };
                    return Ok(At::Answered(waiting, Reply::Failed(PutErrorKind::Unreachable)));
                }
                let request = self.store.send(sealed.key, bucket, window.destination, sealed.content);
                note!(self, "w{worker} a{account} sent {:?} to bucket {bucket}", sealed.key);
                return Ok(At::Wait(Waiting { request, sealed, attempt }));
            }
            (Effect::Commit(receipt), Some(_)) => {
                let last = self.commit(worker, work, &receipt, chance)?;
                note!(self, "w{worker} a{account} committed {:?}, last={last}", receipt.attempt);
                work.ordinal += 1;
                work.served = true;
                work.exhausted = last;
                Event::Committed { last }
            }
            (Effect::Close, Some(window)) => {
                self.ledger(chance, |ledger| ledger.close(&lease, window.number))?;
                note!(self, "w{worker} a{account} closed window {}", window.number);
                Event::Committed { last: true }
            }
            (Effect::Stop(stop), _) => return Ok(Self::stop(work, stop)),
            (_, None) => Event::LedgerFailed,
        };
        Ok(At::Do(decide(event)))
    }

    fn commit(
        &mut self,
        worker: usize,
        work: &Work,
        receipt: &Receipt,
        chance: &mut Chance,
    ) -> Result<bool, Refusal> {
        let (lease, account) = (work.lease, work.lease.account);
        if let (Variant::UnfencedCommit, Some(window)) = (self.variant, work.window) {
            // Neither the epoch nor the watermark's place is looked at.
            let row = self.ledger.account_mut(account);
            row.rows.iter_mut().for_each(|row| row.delivered |= row.sealed.key == receipt.sealed.key);
            if receipt.sealed.last {
                row.end(&window);
            }
            self.dirty = true;
            return Ok(receipt.sealed.last);
        }
        let clock = self.clock(worker);
        // It may be stored although the answer is lost.
        let mut stored = false;
        let committed = self.ledger(chance, |ledger| {
            let last = ledger.commit(&lease, &receipt.attempt, clock)?;
            stored = true;
            Ok(last)
        });
        if stored {
            let bucket = work.window.map(|_| work.bucket);
            let there = bucket.is_some_and(|bucket| self.store.find(receipt.sealed.key, bucket).is_some());
            if !there {
                self.broken(Broken::NothingThere, format_args!("{:?}", receipt.sealed.key));
            }
            if let Some(bucket) = bucket {
                self.take_back(receipt.sealed.key, bucket);
            }
        }
        committed
    }

    fn judge(
        &mut self,
        worker: usize,
        work: &mut Work,
        waiting: Waiting,
        reply: Reply,
        chance: &mut Chance,
    ) -> At {
        let (answer, kind, strangers) = match reply {
            Reply::Created => (PutAnswer::Created, None, false),
            Reply::Exists { strangers } => (PutAnswer::Exists, Some(PutErrorKind::Exists), strangers),
            Reply::Failed(kind) => (kind.answer(), Some(kind), false),
        };
        let verdict = match (self.variant, answer) {
            (Variant::ExistsIsError, PutAnswer::Exists) => Verdict::Open,
            (Variant::ExistsIsSuccess, PutAnswer::Exists) => Verdict::Delivered,
            (Variant::CommitWithoutReceipt, PutAnswer::Unknown) => Verdict::Delivered,
            _ => judge(answer, waiting.attempt.doubtful),
        };
        let mut seen = false;
        let verdict = match verdict {
            Verdict::Head => {
                let sight = self.look(strangers, chance);
                seen = self.setup.readable && sight != HeadResult::Failed;
                judge_head(sight, waiting.attempt.number)
            }
            verdict => verdict,
        };
        let account = work.lease.account;
        note!(self, "w{worker} a{account} learns {reply:?}: {verdict:?}");
        match (verdict, kind) {
            (Verdict::Delivered, _) => {
                self.totals.found += u64::from(answer == PutAnswer::Exists);
                if strangers && (work.unsettled || self.restored) && !seen {
                    self.blind = true;
                } else if strangers {
                    self.broken(Broken::StrangerCounted, format_args!("{:?}", waiting.sealed.key));
                }
                let receipt = Receipt { attempt: waiting.attempt, sealed: waiting.sealed };
                At::Do(decide(Event::Delivered(receipt)))
            }
            (Verdict::Foreign, _) => {
                work.strangers = strangers;
                At::StoreFailure(waiting, PutErrorKind::Exists, true)
            }
            (Verdict::Open | Verdict::Head, kind) => {
                At::StoreFailure(waiting, kind.unwrap_or(PutErrorKind::Unknown), false)
            }
        }
    }

    /// Looks at the object under a doubtful key, where the customer lets us.
    fn look(&mut self, strangers: bool, chance: &mut Chance) -> HeadResult {
        if !self.setup.readable || self.variant == Variant::SightIgnored {
            return HeadResult::Hidden;
        }
        if self.fault(Fault::Store, chance, 10) {
            return HeadResult::Failed;
        }
        if strangers { HeadResult::Foreign } else { HeadResult::Ours }
    }

    fn stop(work: &Work, stop: Stop) -> At {
        match stop {
            Stop::Later(Setback::NeedsCustomer)
                if next_task(work.moved(), work.doubtful, true) == Task::Repoint =>
            {
                At::Repoint
            }
            Stop::Closed | Stop::Reload | Stop::Later(_) => At::Release,
            Stop::Held(hold) => At::Hold(hold),
        }
    }

    /// One transaction; it may fail, before or after its commit.
    fn ledger<R>(
        &mut self,
        chance: &mut Chance,
        transaction: impl FnOnce(&mut Ledger) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let fails = self.fault(Fault::Ledger, chance, 15);
        if fails && chance.one_in(2) {
            return Err(Refusal::Failed);
        }
        let result = transaction(&mut self.ledger);
        self.dirty = true;
        if fails && result.is_ok() { Err(Refusal::Failed) } else { result }
    }

    /// What the source says has finished committing.
    pub(crate) fn capture(&self) -> Bound {
        match self.variant {
            Variant::BoundFromMaxId => self.source.capture_id(),
            Variant::BoundIgnoresRunning => self.source.capture_blind(),
            _ => self.source.capture(self.setup.standby),
        }
    }
}

/// The wait after a failure, as the account was seen at the claim.
fn wait(work: &Work) -> Time {
    let second = Duration::from_secs(1);
    let wait = backoff(work.view.failures + 1, second * 5, second * 600, None, 0.5);
    i64::try_from(wait.as_secs()).unwrap_or(0)
}
