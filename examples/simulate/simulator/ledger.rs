//! A model of the ledger: each function is one transaction. What it decides comes from
//! the production rules; the statements in `src/ledger/sql` call the same ones.

use auditferry_core::protocol::{self, Attempt, Denied, Hold, Resealed, ResumePoint, Setback, StoredObject};

use super::setup::Setup;
use super::source::{Bound, Content, Cursor};
use super::store::Key;
use super::time::{Time, slot_after};
use super::variant::Variant;

/// Why a transaction was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    LeaseLost,
    Changed,
    /// The account's state contradicts the request.
    Refused,
    /// The database failed; perhaps after the commit.
    Failed,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) account: u8,
    pub(crate) epoch: i64,
    pub(crate) revision: i64,
}

/// What a worker sees of an account at its claim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    pub(crate) enabled: bool,
    /// The version of the newest destination: its place in the list.
    pub(crate) destination: usize,
    pub(crate) watermark: Bound,
    pub(crate) windows: u64,
    pub(crate) last_slot: Time,
    pub(crate) next_slot: Option<Time>,
    pub(crate) open: Option<u64>,
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Time>,
    pub(crate) held: Option<Hold>,
    /// When the open window's newest object was delivered.
    pub(crate) served_at: Option<Time>,
    pub(crate) denied: Option<Denied<Time>>,
}

impl State {
    pub(crate) fn due_at(&self) -> Option<Time> {
        let may_start = self.enabled && self.held.is_none();
        protocol::due_at(
            may_start,
            self.open.map(|_| self.served_at.unwrap_or(self.last_slot)),
            self.next_slot,
            self.retry_at,
        )
    }

    pub(crate) fn clear_trouble(&mut self) {
        self.failures = 0;
        self.retry_at = None;
        self.denied = None;
    }

    /// A failure of the newest destination.
    fn blame(&mut self, setback: Setback, at: Time, suspend_after: Time) {
        if setback == Setback::NeedsCustomer {
            let too_long = |since| at - since >= suspend_after;
            self.denied = Some(protocol::record_denial(self.denied, at, too_long));
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) number: u64,
    pub(crate) slot: Time,
    pub(crate) lo: Bound,
    pub(crate) hi: Bound,
    pub(crate) destination: usize,
}

/// An object of the open window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) sealed: Sealed,
    pub(crate) delivered: bool,
    pub(crate) attempts: u32,
    pub(crate) doubtful: bool,
    /// For the checker: attempts whose definite outcome is stored.
    pub(crate) settled: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    pub(crate) key: Key,
    pub(crate) content: Content,
    pub(crate) cursor: Cursor,
    pub(crate) last: bool,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) state: State,
    /// The bucket of each destination that it ever had.
    pub(crate) buckets: Vec<u8>,
    pub(crate) window: Option<Window>,
    pub(crate) rows: Vec<Row>,
    epoch: i64,
    owned: bool,
    pub(crate) until: Option<Time>,
    revision: i64,
}

impl Account {
    fn row(&mut self, ordinal: u32) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.sealed.key.ordinal == ordinal)
    }

    fn close(&mut self, number: u64, variant: Variant) -> Result<(), Refusal> {
        let window = self.window.filter(|window| window.number == number).ok_or(Refusal::Refused)?;
        let moved_before = variant == Variant::WatermarkBeforePut;
        if !moved_before && !protocol::ends_at(&self.state.watermark, &window.lo, self.state.open, number) {
            return Err(Refusal::Refused);
        }
        self.end(&window);
        Ok(())
    }

    pub(crate) fn end(&mut self, window: &Window) {
        self.state.watermark = window.hi;
        self.state.open = None;
        self.state.served_at = None;
        self.window = None;
        self.rows.clear();
        self.state.clear_trouble();
    }
}

#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) accounts: Vec<Account>,
    /// The newest mark that it has counted.
    mark: u64,
    /// For the checker: doubtful objects of buckets that a window has left.
    pub(crate) given_up: Vec<(Key, u8)>,
    suspend_after: Time,
    variant: Variant,
}

impl Ledger {
    pub(crate) fn new(setup: &Setup, beginning: Bound, now: Time, variant: Variant) -> Self {
        let account = |_| Account {
            state: State {
                enabled: true,
                destination: 0,
                watermark: beginning,
                windows: 0,
                last_slot: now,
                next_slot: Some(slot_after(now)),
                open: None,
                failures: 0,
                retry_at: None,
                held: None,
                served_at: None,
                denied: None,
            },
            buckets: vec![0],
            window: None,
            rows: Vec::new(),
            epoch: 0,
            owned: false,
            until: None,
            revision: 0,
        };
        let accounts = (0..setup.accounts).map(account).collect();
        Self { accounts, mark: 0, given_up: Vec::new(), suspend_after: setup.suspend_after, variant }
    }

    /// The next mark, counted before it is left in the source.
    pub(crate) fn next_mark(&mut self) -> u64 {
        self.mark += 1;
        self.mark
    }

    /// `now` by the worker's clock decides what is due, `database` what has expired. `epoch`: none
    /// is given twice, by a copy of the ledger neither.
    pub(crate) fn claim(
        &mut self,
        now: Time,
        database: Time,
        (ttl, epoch): (Time, i64),
    ) -> Option<(Lease, State)> {
        let free = |account: &Account| account.until.is_none_or(|until| until < database);
        let due = |account: &Account| account.state.due_at().filter(|at| *at <= now && free(account));
        let (_, at) =
            self.accounts.iter().enumerate().filter_map(|(at, account)| Some((due(account)?, at))).min()?;
        let account = &mut self.accounts[at];
        account.epoch = epoch;
        account.owned = true;
        account.until = Some(database + ttl);
        let lease = Lease {
            account: u8::try_from(at).unwrap_or(0),
            epoch: account.epoch,
            revision: account.revision,
        };
        Some((lease, account.state))
    }

    pub(crate) fn account(&self, account: u8) -> &Account {
        &self.accounts[usize::from(account)]
    }

    pub(crate) fn account_mut(&mut self, account: u8) -> &mut Account {
        &mut self.accounts[usize::from(account)]
    }

    fn fenced(&mut self, lease: &Lease, fence: bool) -> Result<&mut Account, Refusal> {
        let account = &mut self.accounts[usize::from(lease.account)];
        if fence && !protocol::lease_is_current(lease.epoch, account.epoch, account.owned) {
            return Err(Refusal::LeaseLost);
        }
        Ok(account)
    }

    pub(crate) fn release(&mut self, lease: &Lease) {
        let account = self.account_mut(lease.account);
        if account.epoch == lease.epoch {
            account.owned = false;
            account.until = None;
        }
    }

    pub(crate) fn plan(&mut self, lease: &Lease, slot: Time, hi: Bound) -> Result<(), Refusal> {
        let old_view = self.variant == Variant::PlanOnOldView;
        let early = self.variant == Variant::WatermarkBeforePut;
        let account = self.fenced(lease, true)?;
        if !old_view && !protocol::unchanged_since_claim(lease.revision, account.revision) {
            return Err(Refusal::Changed);
        }
        let state = &mut account.state;
        let number = protocol::next_window(state.open, state.windows).ok_or(Refusal::Refused)?;
        let lo = state.watermark;
        account.window = Some(Window { number, slot, lo, hi, destination: state.destination });
        state.windows = number;
        state.open = Some(number);
        state.last_slot = slot;
        state.next_slot = Some(slot_after(slot));
        state.clear_trouble();
        if early {
            state.watermark = hi;
        }
        Ok(())
    }

    pub(crate) fn set_next_slot(&mut self, lease: &Lease, next_slot: Option<Time>) -> Result<(), Refusal> {
        let account = self.fenced(lease, true)?;
        if protocol::unchanged_since_claim(lease.revision, account.revision) {
            account.state.next_slot = next_slot;
        }
        Ok(())
    }

    /// `seen`: the slot before the failure, which only a broken protocol stores.
    pub(crate) fn postpone(
        &mut self,
        lease: &Lease,
        retry_at: Time,
        seen: Option<Time>,
    ) -> Result<(), Refusal> {
        let old_view = self.variant == Variant::PostponeOnOldView;
        let account = self.fenced(lease, true)?;
        if old_view {
            account.state.next_slot = seen;
        }
        account.state.failures += 1;
        account.state.retry_at = Some(retry_at);
        Ok(())
    }

    /// A probe has succeeded.
    pub(crate) fn end_suspension(&mut self, lease: &Lease) -> Result<(), Refusal> {
        let forget = self.variant == Variant::ProbeForgotten;
        let account = self.fenced(lease, true)?;
        if !forget {
            account.state.clear_trouble();
        }
        Ok(())
    }

    /// The open window and where it goes on; a read, not fenced.
    pub(crate) fn open(&self, account: u8) -> Option<(Window, ResumePoint<u16>)> {
        let account = self.account(account);
        let rows = account.rows.iter().rev().map(|row| StoredObject {
            ordinal: row.sealed.key.ordinal,
            delivered: row.delivered,
            cursor: row.sealed.cursor,
            ends_window: row.sealed.last,
            doubtful: row.doubtful,
            attempted: row.attempts > 0,
        });
        account.window.map(|window| (window, protocol::resume_point(rows)))
    }

    /// Lets the window go to the newest destination. A doubtful object may now stand in
    /// a bucket where nobody looks for it.
    pub(crate) fn repoint(&mut self, lease: &Lease) -> Result<(), Refusal> {
        let forget = self.variant == Variant::DoubtForgottenByRepoint;
        let forget_return = self.variant == Variant::DoubtForgottenByReturn;
        let given_up = self.given_up.clone();
        let account = self.fenced(lease, true)?;
        let window = account.window.as_mut().ok_or(Refusal::Refused)?;
        let before = account.buckets[window.destination];
        window.destination = account.state.destination;
        let same_place = before == account.buckets[window.destination];
        if same_place && !forget {
            return Ok(());
        }
        let after = account.buckets[window.destination];
        let known = |key: Key| !forget_return && given_up.contains(&(key, after));
        let mut left = Vec::new();
        for row in account.rows.iter_mut().filter(|row| !row.delivered) {
            if row.doubtful && !same_place {
                left.push((row.sealed.key, before));
            }
            // A doubt belongs to a bucket, and comes back with it.
            row.doubtful = !same_place && known(row.sealed.key);
            row.attempts = if row.doubtful { row.attempts.max(1) } else { 0 };
            row.settled = 0;
        }
        self.given_up.extend(left);
        Ok(())
    }

    /// Whether the object is stored; otherwise it differs from what was attempted.
    pub(crate) fn seal(&mut self, lease: &Lease, sealed: Sealed) -> Result<bool, Refusal> {
        let account = self.fenced(lease, true)?;
        // The statement refers to a window that must be there.
        account.state.open.ok_or(Refusal::Failed)?;
        // A worker that goes on after its ledger went back may be ahead of it.
        let follows = sealed.key.ordinal - 1;
        if follows > 0 && !account.row(follows).is_some_and(|row| row.delivered) {
            return Err(Refusal::Changed);
        }
        let before = account.row(sealed.key.ordinal);
        let resealed = before.as_ref().map(|row| Resealed {
            delivered: row.delivered,
            attempts: row.attempts,
            same_content: row.sealed.content == sealed.content,
        });
        if !protocol::may_seal(resealed) {
            return Ok(false);
        }
        match before {
            // As the statement does it: what stays is the key of the first time.
            Some(row) => row.sealed = Sealed { key: row.sealed.key, ..sealed },
            None => {
                account.rows.push(Row { sealed, delivered: false, attempts: 0, doubtful: false, settled: 0 });
            }
        }
        Ok(true)
    }

    /// The attempt, and for the checker whether an earlier one is in truth unsettled.
    pub(crate) fn journal(
        &mut self,
        lease: &Lease,
        ordinal: u32,
        (now, ttl): (Time, Time),
    ) -> Result<(Attempt, bool), Refusal> {
        let forget = self.variant == Variant::DoubtForgottenByCrash;
        let account = self.fenced(lease, true)?;
        account.state.due_at().ok_or(Refusal::Changed)?;
        account.until = Some(now + ttl);
        let window = account.state.open.ok_or(Refusal::Refused)?;
        let row = account.row(ordinal).filter(|row| !row.delivered).ok_or(Refusal::Failed)?;
        let unsettled = row.attempts > row.settled;
        row.attempts += 1;
        let attempt = Attempt { window, ordinal, number: row.attempts, doubtful: row.doubtful };
        if !forget {
            row.doubtful = Attempt::DOUBTFUL_UNDER_WAY;
        }
        Ok((attempt, unsettled))
    }

    /// `definite`: for the checker, whether the store said for sure that it did not create.
    pub(crate) fn fail(
        &mut self,
        lease: &Lease,
        attempt: &Attempt,
        leaves_doubt: bool,
        definite: bool,
        (setback, at, retry_at): (Setback, Time, Time),
    ) -> Result<(), Refusal> {
        let fence = self.variant != Variant::UnfencedFail;
        let forget = self.variant == Variant::DoubtForgottenByRefusal;
        let suspend_after = self.suspend_after;
        let account = self.fenced(lease, fence)?;
        let row = account.row(attempt.ordinal).ok_or(Refusal::Refused)?;
        row.doubtful = if forget { leaves_doubt } else { attempt.doubtful_after(leaves_doubt) };
        row.settled += u32::from(definite);
        let goes_to = account.window.map(|window| window.destination);
        let state = &mut account.state;
        state.failures += 1;
        let newest = goes_to == Some(state.destination);
        state.retry_at = newest.then_some(retry_at);
        if newest {
            state.blame(setback, at, suspend_after);
        }
        Ok(())
    }

    /// Whether it closed the window.
    pub(crate) fn commit(&mut self, lease: &Lease, attempt: &Attempt, clock: Time) -> Result<bool, Refusal> {
        let variant = self.variant;
        let account = self.fenced(lease, true)?;
        if account.state.open != Some(attempt.window) {
            return Err(Refusal::Failed);
        }
        let row = account.row(attempt.ordinal).filter(|row| !row.delivered).ok_or(Refusal::Failed)?;
        let last = row.sealed.last;
        row.delivered = true;
        row.doubtful = false;
        if last && let Err(refusal) = account.close(attempt.window, variant) {
            // The transaction is rolled back.
            if let Some(row) = account.row(attempt.ordinal) {
                row.delivered = false;
                row.doubtful = true;
            }
            return Err(refusal);
        }
        account.state.served_at = (!last).then_some(clock);
        account.state.clear_trouble();
        Ok(last)
    }

    pub(crate) fn close(&mut self, lease: &Lease, number: u64) -> Result<(), Refusal> {
        let variant = self.variant;
        self.fenced(lease, true)?.close(number, variant)
    }

    pub(crate) fn hold(&mut self, lease: &Lease, hold: Hold) -> Result<(), Refusal> {
        let fence = self.variant != Variant::UnfencedFail;
        self.fenced(lease, fence)?.state.held = Some(hold);
        Ok(())
    }

    /// Counts a change that a person makes, and makes it.
    pub(crate) fn edit(&mut self, account: u8, edit: impl FnOnce(&mut Account)) {
        let account = self.account_mut(account);
        account.revision += 1;
        edit(account);
    }
}
