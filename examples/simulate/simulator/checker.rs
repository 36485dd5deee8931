//! What must hold after every step, and at the end.

use std::fmt;

use super::note;
use super::source::Records;
use super::store::{Key, Object, Owner};
use super::world::World;

/// A promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    RecordTwice,
    ObjectCreatedTwice,
    ObjectChanged,
    /// The watermark stands above a record that is in no object.
    WatermarkPast,
    WatermarkBack,
    /// An object was created before one that sorts after it.
    OutOfOrder,
    /// The ledger calls delivered what is not in the bucket.
    NothingThere,
    /// A stranger's object counts as delivered.
    StrangerCounted,
    /// An account waits for a person without a cause.
    HeldForNothing,
    StartedWhileDisabled,
    /// A record was delivered that support had skipped.
    SkippedDelivered,
    /// Something is undelivered long after the last fault.
    Stuck,
}

/// A broken promise and where it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) broken: Broken,
    pub(crate) what: String,
}

/// What happened in a run, or in many.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Totals {
    /// Steps while there were faults.
    pub(crate) steps: u64,
    pub(crate) crashes: u64,
    /// Times that a worker found its lease gone.
    pub(crate) lost_leases: u64,
    pub(crate) attempts: u64,
    /// Times that an account was suspended.
    pub(crate) suspensions: u64,
    /// Objects that were found to be there, and ours, by a later attempt.
    pub(crate) found: u64,
    pub(crate) objects: u64,
    pub(crate) records: u64,
    /// Runs that ended early: a stranger's object met an attempt whose forerunner nobody
    /// knows the end of, which cannot be told from our own without the right to read.
    pub(crate) blind: u64,
    /// Times that a copy took the ledger's place.
    pub(crate) restores: u64,
    /// Slots beside the schedule.
    pub(crate) asked: u64,
    /// Runs that ended because that was noticed.
    pub(crate) noticed: u64,
    /// Runs that ended early: the ledger lost an attempt and nothing else, and its window went to
    /// another bucket before the next try could meet the object.
    pub(crate) lost_attempts: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.lost_leases += other.lost_leases;
        self.attempts += other.attempts;
        self.suspensions += other.suspensions;
        self.found += other.found;
        self.objects += other.objects;
        self.records += other.records;
        self.blind += other.blind;
        self.restores += other.restores;
        self.asked += other.asked;
        self.noticed += other.noticed;
        self.lost_attempts += other.lost_attempts;
    }
}

/// What the checker remembers of an account.
#[derive(Default, Clone, Copy)]
pub(crate) struct Seen {
    /// Records in objects that count.
    delivered: Records,
    /// Records that support skipped.
    skipped: Records,
    /// Committed records under the watermark.
    under: Records,
}

impl Seen {
    /// The ledger has gone back: what it lost of the watermark and of skips was never promised again.
    pub(crate) fn go_back(&mut self, then: &Self) {
        self.skipped = then.skipped;
        self.under = then.under;
    }
}

impl World {
    pub(crate) fn broken(&mut self, broken: Broken, what: fmt::Arguments<'_>) {
        if !self.ended() {
            note!(self, "BROKEN {broken:?}: {what}");
            self.violation = Some(Violation { broken, what: what.to_string() });
        }
    }

    /// An object that we put has just been created: the newest of the store.
    pub(crate) fn created(&mut self, object: Object) {
        let place = (object.key, object.bucket);
        let same = |other: &&Object| (other.key, other.bucket) == place;
        let earlier = &self.store.objects[..self.store.objects.len() - 1];
        if let Some(before) = earlier.iter().find(same) {
            let changed = before.content != object.content || before.owner == Owner::Stranger;
            let broken = if changed { Broken::ObjectChanged } else { Broken::ObjectCreatedTwice };
            return self.broken(broken, format_args!("{object:?}"));
        }
        if self.ledger.given_up.contains(&place) {
            // It landed after its window had left: its records are, or will be, elsewhere.
            if let Some(late) = self.store.objects.last_mut() {
                late.owner = Owner::GivenUp;
            }
            return;
        }
        let elsewhere = |other: &Object| other.key == object.key && other.bucket != object.bucket;
        if self.restored && earlier.iter().any(elsewhere) {
            self.totals.lost_attempts += 1;
            self.lost_attempt = true;
            return;
        }
        let sorts_after = |other: &Object| {
            let same_bucket = other.bucket == object.bucket && other.key.account == object.key.account;
            other.owner == Owner::Us && same_bucket && other.key > object.key
        };
        if earlier.iter().any(sorts_after) {
            self.broken(Broken::OutOfOrder, format_args!("{object:?}"));
        }
        let seen = self.seen[usize::from(object.key.account)];
        if seen.delivered & object.content.records != 0 {
            self.broken(Broken::RecordTwice, format_args!("{object:?}"));
        }
        // A put that the ledger has lost may land after a skip that did not know of it.
        if seen.skipped & object.content.records != 0 && self.restored {
            self.totals.lost_attempts += 1;
            self.lost_attempt = true;
            return;
        }
        if seen.skipped & object.content.records != 0 {
            self.broken(Broken::SkippedDelivered, format_args!("{object:?}"));
        }
        self.seen[usize::from(object.key.account)].delivered |= object.content.records;
        self.totals.objects += 1;
        self.totals.records += u64::from(object.content.len());
        self.dirty = true;
    }

    /// Support has skipped the committed records between two places of the watermark.
    pub(crate) fn skipped(&mut self, account: u8, before: Records) {
        let now = self.source.committed(account, Some(self.ledger.account(account).state.watermark));
        self.seen[usize::from(account)].skipped |= now & !before;
    }

    /// Objects that a window has just left behind in another bucket, in doubt, do not count.
    fn give_up(&mut self) {
        for object in &mut self.store.objects {
            let left = self.ledger.given_up.contains(&(object.key, object.bucket));
            if left && object.owner == Owner::Us {
                object.owner = Owner::GivenUp;
                self.seen[usize::from(object.key.account)].delivered &= !object.content.records;
            }
        }
    }

    /// The ledger has gone back to before a window left a bucket: what lies there counts again.
    pub(crate) fn know_left_objects_again(&mut self) {
        for object in self.store.objects.iter_mut().filter(|object| object.owner == Owner::GivenUp) {
            if !self.ledger.given_up.contains(&(object.key, object.bucket)) {
                object.owner = Owner::Us;
                self.seen[usize::from(object.key.account)].delivered |= object.content.records;
            }
        }
    }

    /// A window has come back to a bucket where it had left an object in doubt: it counts again.
    pub(crate) fn take_back(&mut self, key: Key, bucket: u8) {
        let place = (key, bucket);
        if !self.ledger.given_up.contains(&place) {
            return;
        }
        self.ledger.given_up.retain(|left| *left != place);
        for object in self.store.objects.iter_mut().filter(|object| (object.key, object.bucket) == place) {
            if object.owner == Owner::GivenUp {
                object.owner = Owner::Us;
                self.seen[usize::from(key.account)].delivered |= object.content.records;
            }
        }
    }

    /// After every step that wrote something.
    pub(crate) fn check(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        if !self.ledger.given_up.is_empty() {
            self.give_up();
        }
        for account in 0..self.ledger.accounts.len() {
            let id = u8::try_from(account).unwrap_or(0);
            let watermark = self.ledger.accounts[account].state.watermark;
            let under = self.source.committed(id, Some(watermark));
            let seen = self.seen[account];
            let missing = under & !seen.delivered & !seen.skipped;
            if missing != 0 {
                self.broken(Broken::WatermarkPast, format_args!("account {account}: records {missing:b}"));
            }
            if seen.under & !under != 0 {
                self.broken(Broken::WatermarkBack, format_args!("account {account}: to {watermark:?}"));
            }
            self.seen[account].under = under;
        }
    }

    /// What is committed, not skipped and not in an object.
    pub(crate) fn undelivered(&self, account: usize) -> Records {
        let all = self.source.committed(u8::try_from(account).unwrap_or(0), None);
        all & !self.seen[account].delivered & !self.seen[account].skipped
    }

    /// Whether everything is done: no work, no put under way, nothing undelivered.
    pub(crate) fn is_over(&self) -> bool {
        let accounts = self.ledger.accounts.iter();
        let idle =
            accounts.clone().all(|account| account.state.open.is_none() && account.state.held.is_none());
        idle && self.store.requests.is_empty()
            && self.workers.iter().all(|worker| worker.works.is_empty())
            && (0..self.ledger.accounts.len()).all(|account| self.undelivered(account) == 0)
    }

    /// The rounds after the last fault are used up.
    pub(crate) fn stuck(&mut self) {
        for account in 0..self.ledger.accounts.len() {
            let state = self.ledger.accounts[account].state;
            let missing = self.undelivered(account);
            if missing != 0 || state.open.is_some() || state.held.is_some() {
                self.broken(Broken::Stuck, format_args!("account {account}: {missing:b} missing, {state:?}"));
            }
        }
        self.broken(Broken::Stuck, format_args!("a worker is still at work"));
    }
}
