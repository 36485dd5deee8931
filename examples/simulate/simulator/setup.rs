//! What a run is made of. Each seed switches some faults on and leaves others out:
//! with all of them at once, the long stories that need calm in between never happen.

use super::chance::Chance;
use super::time::{SLOT, Time};

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A worker dies between two steps.
    Crash,
    /// A worker stands still, perhaps for longer than its lease.
    Pause,
    /// A worker is told to stop.
    Drain,
    /// Worker clocks are wrong by days, and jump.
    Clock,
    /// Time passes in the middle of the work, and leases run out.
    Expiry,
    /// Answers of the store are lost.
    Lost,
    /// Puts land after their sender has given up.
    Late,
    /// A put lands twice.
    Twice,
    /// 409, 429, 404, 5xx, connection refused.
    Store,
    /// 403 for a while.
    Denied,
    /// Other people's objects under our keys.
    Stranger,
    /// The ledger's database fails, before or after the commit.
    Ledger,
    /// The source's database fails.
    Source,
    /// Transactions are rolled back.
    Rollback,
    /// Support disables, enables and skips.
    Support,
    /// The customer replaces the destination.
    Replace,
}

impl Fault {
    const ALL: [Self; 16] = [
        Self::Crash,
        Self::Pause,
        Self::Drain,
        Self::Clock,
        Self::Expiry,
        Self::Lost,
        Self::Late,
        Self::Twice,
        Self::Store,
        Self::Denied,
        Self::Stranger,
        Self::Ledger,
        Self::Source,
        Self::Rollback,
        Self::Support,
        Self::Replace,
    ];

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The size of a run and its faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) workers: usize,
    pub(crate) accounts: usize,
    pub(crate) transactions: usize,
    /// Most accounts that a worker works on at a time.
    pub(crate) concurrency: usize,
    /// Most records of an object.
    pub(crate) max_records: u32,
    /// Whether an empty window gives an object.
    pub(crate) empty_objects: bool,
    /// Whether the source is a standby.
    pub(crate) standby: bool,
    /// Whether we may look at objects that exist.
    pub(crate) readable: bool,
    /// How long a lease lasts while there are faults; 0: anybody may take over at once.
    pub(crate) ttl: Time,
    /// For how long a customer's side may refuse before it is only probed.
    pub(crate) suspend_after: Time,
    /// Whether a copy of the ledger takes its place: a restored backup, or a standby that lagged.
    pub(crate) restores: bool,
    /// Whether a customer may go back to a bucket of before.
    pub(crate) returns: bool,
    /// Whether support asks for slots beside the schedule.
    pub(crate) asks: bool,
    faults: u32,
}

impl Setup {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let often = 1 + chance.below(3);
        let bits = Fault::ALL.into_iter().filter(|_| chance.one_in(often));
        let faults = bits.fold(0, |bits, fault| bits | fault.bit());
        let (workers, accounts) = (1 + chance.below(3), 1 + chance.below(3));
        let transactions = 4 + chance.below(17);
        Self {
            faults,
            restores: false,
            returns: false,
            asks: false,
            workers,
            accounts,
            transactions,
            // Not drawn anew: the seeds that are kept as tests would tell other stories.
            readable: transactions.is_multiple_of(2),
            concurrency: 1 + chance.below(2),
            max_records: 1 + u32::try_from(chance.below(3)).unwrap_or(0),
            empty_objects: chance.one_in(4),
            standby: chance.one_in(4),
            ttl: [0, 60, 600][chance.below(3)],
            suspend_after: [0, SLOT, 3 * SLOT][chance.below(3)],
        }
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults & fault.bit() != 0
    }

    pub(crate) fn names(&self) -> Vec<Fault> {
        Fault::ALL.into_iter().filter(|fault| self.has(*fault)).collect()
    }

    /// Smaller runs, to be tried when one has failed.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut all: Vec<Self> = self.names().into_iter().map(|fault| self.without(fault)).collect();
        all.extend((1..self.workers).map(|workers| Self { workers, ..*self }));
        all.extend((1..self.accounts).map(|accounts| Self { accounts, ..*self }));
        all.extend((1..self.transactions).map(|transactions| Self { transactions, ..*self }));
        all.extend((1..self.concurrency).map(|concurrency| Self { concurrency, ..*self }));
        if self.empty_objects {
            all.push(Self { empty_objects: false, ..*self });
        }
        if self.restores {
            all.push(Self { restores: false, ..*self });
        }
        if self.returns {
            all.push(Self { returns: false, ..*self });
        }
        if self.asks {
            all.push(Self { asks: false, ..*self });
        }
        if self.standby {
            all.push(Self { standby: false, ..*self });
        }
        if self.ttl != 60 {
            all.push(Self { ttl: 60, ..*self });
        }
        all
    }

    fn without(&self, fault: Fault) -> Self {
        Self { faults: self.faults & !fault.bit(), ..*self }
    }
}
