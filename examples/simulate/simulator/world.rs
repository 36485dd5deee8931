//! The world of a run: everything that happens, one step after the other.

use super::chance::Chance;
use super::checker::{Seen, Totals, Violation};
use super::ledger::{Account, Ledger};
use super::note;
use super::setup::{Fault, Setup};
use super::source::{Bound, Records, Source};
use super::store::{Owner, Reply, Request, Store};
use super::time::{SLOT, Time};
use super::variant::Variant;
use super::worker::{At, Work, Worker};

/// Rounds after the last fault within which everything must be delivered.
const CALM_ROUNDS: usize = 2_000;
const DAY: Time = 86_400;

/// Everything of one run.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) variant: Variant,
    pub(crate) now: Time,
    pub(crate) ttl: Time,
    pub(crate) calm: bool,
    pub(crate) source: Source,
    pub(crate) ledger: Ledger,
    pub(crate) store: Store,
    pub(crate) workers: Vec<Worker>,
    /// A bound that support has captured to skip to: account, bound, windows then.
    pub(crate) skip: Option<(u8, Bound, u64)>,
    pub(crate) seen: Vec<Seen>,
    /// Whether something was written since the last check.
    pub(crate) dirty: bool,
    pub(crate) violation: Option<Violation>,
    /// See [`Totals::blind`]; the run ends.
    pub(crate) blind: bool,
    /// Leases that were given, by whichever copy of the ledger.
    leases: i64,
    /// A copy of the ledger, and what the checker had seen then.
    copy: Option<(Ledger, Vec<Seen>)>,
    /// Whether a copy has taken the ledger's place.
    pub(crate) restored: bool,
    /// Whether that was noticed, and all accounts are held; the run ends.
    pub(crate) noticed: bool,
    /// See [`Totals::lost_attempts`]; the run ends.
    pub(crate) lost_attempt: bool,
    pub(crate) totals: Totals,
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(setup: Setup, variant: Variant, traced: bool) -> Self {
        let now = 10 * SLOT + 60;
        let beginning = if variant == Variant::BoundFromMaxId { Bound::Id(0) } else { Bound::BEGINNING };
        Self {
            setup,
            variant,
            now,
            ttl: setup.ttl,
            calm: false,
            source: Source::default(),
            ledger: Ledger::new(&setup, beginning, now, variant),
            store: Store::default(),
            workers: (0..setup.workers).map(|_| Worker::default()).collect(),
            skip: None,
            seen: vec![Seen::default(); setup.accounts],
            dirty: false,
            violation: None,
            blind: false,
            leases: 0,
            copy: None,
            restored: false,
            noticed: false,
            lost_attempt: false,
            totals: Totals::default(),
            trace: traced.then(Vec::new),
        }
    }

    /// Whether a fault happens now.
    pub(crate) fn fault(&self, fault: Fault, chance: &mut Chance, one_in: usize) -> bool {
        !self.calm && self.setup.has(fault) && chance.one_in(one_in)
    }

    /// What a worker takes for the time.
    pub(crate) fn clock(&self, worker: usize) -> Time {
        self.now + self.workers[worker].skew
    }

    /// Whether there is anything more to see.
    pub(crate) fn ended(&self) -> bool {
        self.violation.is_some() || self.blind || self.noticed || self.lost_attempt
    }

    /// One step of the time of faults.
    pub(crate) fn step(&mut self, word: u64) {
        let chance = &mut Chance::new(word);
        self.totals.steps += 1;
        if self.setup.restores {
            self.copy_or_restore(&mut Chance::new(!word));
        }
        if self.setup.asks {
            self.ask_for_a_slot(&mut Chance::new(word.rotate_left(32)));
        }
        match chance.below(100) {
            0..50 => self.worker(chance),
            50..65 => self.network(chance),
            65..80 => self.transact(chance),
            80..90 => self.pass_time(chance),
            90..97 => self.trouble(chance),
            _ => self.people(chance),
        }
        self.check();
    }

    /// A copy of the ledger is taken at any moment, and takes its place at a later one. Workers go
    /// on, as after a failover, or begin anew.
    fn copy_or_restore(&mut self, chance: &mut Chance) {
        match chance.below(40) {
            0 | 1 => self.copy = Some((self.ledger.clone(), self.seen.clone())),
            2 => {
                let Some((ledger, then)) = self.copy.take() else { return };
                note!(self, "an older copy takes the ledger's place");
                self.ledger = ledger;
                for (seen, then) in self.seen.iter_mut().zip(&then) {
                    seen.go_back(then);
                }
                self.know_left_objects_again();
                self.skip = None;
                self.restored = true;
                self.totals.restores += 1;
                if chance.one_in(2) {
                    self.workers.iter_mut().for_each(|worker| worker.works.clear());
                }
            }
            _ => {}
        }
    }

    /// Counts a mark and leaves it, as `src/capture.rs` does; false when the ledger has gone back.
    pub(crate) fn leave_mark(&mut self) -> bool {
        let newest = self.source.newest_mark;
        let mark = self.ledger.next_mark();
        if mark <= newest {
            note!(self, "mark {mark} was given before, {newest} is the newest: the ledger has gone back");
            self.noticed = true;
            return false;
        }
        self.source.newest_mark = mark;
        true
    }

    fn worker(&mut self, chance: &mut Chance) {
        let at = chance.below(self.workers.len());
        let worker = &mut self.workers[at];
        if worker.down || worker.paused {
            let back = chance.one_in(6);
            worker.down &= !back;
            worker.paused &= !back;
            return;
        }
        let works = worker.works.len();
        if works == 0 {
            worker.draining = false;
        }
        if works == 0 || (works < self.setup.concurrency && chance.one_in(4)) {
            self.claim(at, chance);
        } else {
            let place = chance.below(works);
            self.work(at, place, chance);
        }
    }

    /// Takes due accounts, as many as there is room for; returns whether there were any.
    fn claim(&mut self, at: usize, chance: &mut Chance) -> bool {
        let (clock, ttl) = (self.clock(at), self.ttl);
        let mut batch = Vec::new();
        while self.workers[at].works.len() + batch.len() < self.setup.concurrency {
            self.leases += 1;
            let lives = (ttl, self.leases);
            let Some((lease, view)) = self.ledger.claim(clock, self.now, lives) else { break };
            note!(self, "w{at} claims a{} epoch {}", lease.account, lease.epoch);
            batch.push(Work::new(lease, view));
        }
        // One bound for all of the batch, captured after the claims.
        let needed = batch.iter().any(|work| matches!(work.at, At::Plan));
        if needed && self.fault(Fault::Source, chance, 8) {
            batch.iter().for_each(|work| self.ledger.release(&work.lease));
            return true;
        }
        if needed && !self.leave_mark() {
            return true;
        }
        let captured = needed.then(|| self.capture());
        let any = !batch.is_empty();
        for mut work in batch {
            work.captured = captured;
            self.workers[at].works.push(work);
        }
        any
    }

    fn network(&mut self, chance: &mut Chance) {
        if self.store.requests.is_empty() {
            return;
        }
        let at = chance.below(self.store.requests.len());
        if self.fault(Fault::Late, chance, 3) {
            let id = self.store.requests[at].id;
            note!(self, "request {id} takes long, its sender gives up");
            self.answer(id, Reply::status(408, ""));
        } else {
            self.land(at, chance);
        }
    }

    /// A request arrives at the store.
    fn land(&mut self, at: usize, chance: &mut Chance) {
        let mut request = self.store.requests.swap_remove(at);
        let denied = self.store.denied.contains(&(request.key.account, request.version));
        let error = self.fault(Fault::Store, chance, 4);
        let reply = match chance.below(8) {
            _ if denied => Reply::status(403, "AccessDenied"),
            0 if error => Reply::status(409, "ConditionalRequestConflict"),
            1 if error => Reply::status(429, ""),
            2 if error => Reply::status(404, "NoSuchBucket"),
            3 if error => Reply::status(503, "SlowDown"),
            4 if error => Reply::status(500, "InternalError"),
            which => {
                let reply = self.put(&request);
                // A 5xx says nothing about whether the object was created.
                if error && which == 5 { Reply::status(500, "InternalError") } else { reply }
            }
        };
        let lost = self.fault(Fault::Lost, chance, 3);
        // The condition on networks: what was answered with a refusal is not carried out
        // later. A proxy that repeats such a request makes our own object look foreign.
        let refused = match reply {
            Reply::Created => false,
            Reply::Exists { .. } => true,
            Reply::Failed(kind) => !kind.answer().leaves_doubt(),
        };
        let again = !refused && self.fault(Fault::Twice, chance, 4);
        let id = request.id;
        note!(self, "request {id} for {:?} lands: {reply:?}, lost={lost}", request.key);
        if request.answered {
            self.answer(id, if lost { Reply::status(408, "") } else { reply });
        }
        if again {
            request.answered = false;
            self.store.requests.push(request);
        }
    }

    fn put(&mut self, request: &Request) -> Reply {
        let reply = self.store.put(request, Owner::Us, self.variant == Variant::Overwrite);
        if let (Reply::Created, Some(object)) = (reply, self.store.objects.last().copied()) {
            self.created(object);
        }
        reply
    }

    /// The sender learns something, if it still waits.
    fn answer(&mut self, id: u32, reply: Reply) {
        for work in self.workers.iter_mut().flat_map(|worker| &mut worker.works) {
            match std::mem::take(&mut work.at) {
                At::Wait(waiting) if waiting.request == id => work.at = At::Answered(waiting, reply),
                at => work.at = at,
            }
        }
    }

    fn transact(&mut self, chance: &mut Chance) {
        self.dirty = true;
        let running = self.source.running(chance.below(64));
        match (chance.below(4), running) {
            (0, _) | (_, None) if self.source.begun() < self.setup.transactions => self.source.begin(),
            (1 | 2, Some(tx)) => {
                let account = chance.below(self.setup.accounts);
                self.source.insert(tx, u8::try_from(account).unwrap_or(0));
                note!(self, "tx {tx} inserts for a{account}");
            }
            (_, Some(tx)) => {
                let commit = !self.fault(Fault::Rollback, chance, 3);
                self.source.end(tx, commit);
                note!(self, "tx {tx} ends, commit={commit}");
            }
            _ => {}
        }
    }

    fn pass_time(&mut self, chance: &mut Chance) {
        let most = match chance.below(4) {
            0 => 30,
            1 if self.setup.has(Fault::Expiry) => 2 * self.ttl + 2,
            2 if self.setup.has(Fault::Expiry) || chance.one_in(3) => SLOT,
            _ => 5,
        };
        self.now += 1 + chance.seconds(most);
    }

    /// The rounds after the last fault.
    pub(crate) fn calm_down(&mut self) {
        self.begin_calm();
        let chance = &mut Chance::new(1);
        for _ in 0..CALM_ROUNDS {
            if self.ended() || self.is_over() {
                return;
            }
            let mut busy = false;
            while let (false, Some(last)) = (self.ended(), self.store.requests.len().checked_sub(1)) {
                self.land(last, chance);
                busy = true;
            }
            for at in 0..self.workers.len() {
                busy |= self.claim(at, chance);
                for place in (0..self.workers[at].works.len()).rev() {
                    busy |= self.work(at, place, chance);
                }
                self.check();
            }
            if !busy {
                self.now = self.next_instant();
            }
            self.let_held_accounts_go();
        }
        self.stuck();
    }

    /// When something can happen, by the one clock that all agree on now.
    fn next_instant(&self) -> Time {
        let due = |account: &Account| {
            let due = account.state.due_at()?;
            Some(account.until.map_or(due, |until| due.max(until + 1)))
        };
        let next = self.ledger.accounts.iter().filter_map(due).filter(|at| *at > self.now).min();
        next.unwrap_or(self.now + SLOT)
    }

    fn begin_calm(&mut self) {
        note!(self, "no more faults from here on");
        self.calm = true;
        self.ttl = 600;
        while let Some(tx) = self.source.running(0) {
            self.source.end(tx, true);
        }
        for worker in &mut self.workers {
            (worker.skew, worker.down, worker.paused, worker.draining) = (0, false, false, false);
        }
        self.store.denied.clear();
        self.store.objects.retain(|object| object.owner != Owner::Stranger);
        for account in 0..self.setup.accounts {
            if !self.ledger.accounts[account].state.enabled {
                self.ledger.edit(u8::try_from(account).unwrap_or(0), |account| account.set_enabled(true));
            }
        }
        self.dirty = true;
        self.check();
    }

    /// A person looks at each held account and removes the cause.
    pub(crate) fn let_held_accounts_go(&mut self) {
        for account in 0..self.setup.accounts {
            if self.ledger.accounts[account].state.held.is_some() {
                self.store.objects.retain(|object| object.owner != Owner::Stranger);
                let id = u8::try_from(account).unwrap_or(0);
                self.ledger.edit(id, Account::let_go);
                note!(self, "a person lets a{account} go");
            }
        }
    }

    /// The committed records under the watermark of an account.
    pub(crate) fn under(&self, account: u8) -> Records {
        self.source.committed(account, Some(self.ledger.account(account).state.watermark))
    }

    /// Days, forwards or backwards.
    pub(crate) fn some_skew(chance: &mut Chance) -> Time {
        if chance.one_in(3) { 0 } else { chance.seconds(10 * DAY) - 5 * DAY }
    }
}
