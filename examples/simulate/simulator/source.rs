//! A model of the source: transactions that take their ids early and commit late or
//! never, and bounds that are snapshots.

/// A transaction's place in the bit masks.
pub(crate) type Tx = u8;
/// Most transactions, and most records: both are bits of a word.
pub(crate) const MOST: usize = 60;

/// Records as a set of bits.
pub(crate) type Records = u64;

/// Where a reader stands: a place in the order of (transaction, id).
pub(crate) type Cursor = Option<u16>;

/// What had finished committing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Postgres: transactions below `xmax` that did not run.
    Snapshot { xmax: Tx, running: u64 },
    /// The broken kind: ids below this one.
    Id(u8),
}

impl Bound {
    pub(crate) const BEGINNING: Self = Self::Snapshot { xmax: 0, running: 0 };

    fn xmin(running: u64, xmax: Tx) -> Tx {
        u8::try_from(running.trailing_zeros()).unwrap_or(Tx::MAX).min(xmax)
    }

    /// Whether `hi` stands behind `self`, as the real source finds out.
    pub(crate) fn rewound(self, hi: Self) -> bool {
        match (self, hi) {
            (Self::Snapshot { xmax: a, running: x }, Self::Snapshot { xmax: b, running: y }) => {
                b < a || Self::xmin(y, b) < Self::xmin(x, a)
            }
            (Self::Id(a), Self::Id(b)) => b < a,
            _ => false,
        }
    }
}

/// The content of an object: its records, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Content {
    pub(crate) records: Records,
}

impl Content {
    pub(crate) fn len(self) -> u32 {
        self.records.count_ones()
    }
}

#[derive(Clone, Copy)]
struct Row {
    account: u8,
    tx: Tx,
}

/// The table and its transactions.
#[derive(Default)]
pub(crate) struct Source {
    begun: Tx,
    running: u64,
    committed: u64,
    rows: Vec<Row>,
    /// The newest mark that the ledger has left.
    pub(crate) newest_mark: u64,
}

impl Source {
    pub(crate) fn begun(&self) -> usize {
        self.begun.into()
    }

    pub(crate) fn begin(&mut self) {
        self.running |= 1 << self.begun;
        self.begun += 1;
    }

    /// A running transaction; the `n`-th of them, counted around.
    pub(crate) fn running(&self, n: usize) -> Option<Tx> {
        let count = self.running.count_ones() as usize;
        let nth = n.checked_rem(count)?;
        (0..self.begun).filter(|tx| self.running >> tx & 1 == 1).nth(nth)
    }

    pub(crate) fn insert(&mut self, tx: Tx, account: u8) {
        if self.rows.len() < MOST {
            self.rows.push(Row { account, tx });
        }
    }

    pub(crate) fn end(&mut self, tx: Tx, commit: bool) {
        self.running &= !(1 << tx);
        self.committed |= u64::from(commit) << tx;
    }

    /// What has finished committing. On a standby the running transactions are not
    /// known, so that only what lies below all of them counts.
    pub(crate) fn capture(&self, standby: bool) -> Bound {
        let xmin = Bound::xmin(self.running, self.begun);
        if standby {
            return Bound::Snapshot { xmax: xmin, running: 0 };
        }
        Bound::Snapshot { xmax: self.begun, running: self.running }
    }

    /// The broken bound that forgets the running transactions.
    pub(crate) fn capture_blind(&self) -> Bound {
        Bound::Snapshot { xmax: self.begun, running: 0 }
    }

    /// The broken bound: one above the highest committed id.
    pub(crate) fn capture_id(&self) -> Bound {
        let highest = (0..self.rows.len()).rev().find(|id| self.is_committed(*id));
        Bound::Id(highest.map_or(0, |id| u8::try_from(id + 1).unwrap_or(u8::MAX)))
    }

    fn is_committed(&self, id: usize) -> bool {
        self.committed >> self.rows[id].tx & 1 == 1
    }

    fn is_visible(&self, id: usize, bound: Bound) -> bool {
        match bound {
            Bound::Snapshot { xmax, running } => {
                let tx = self.rows[id].tx;
                tx < xmax && running >> tx & 1 == 0
            }
            Bound::Id(above) => id < above.into(),
        }
    }

    /// The committed records of an account up to a bound; without one, all.
    pub(crate) fn committed(&self, account: u8, up_to: Option<Bound>) -> Records {
        let belongs = |id: &usize| {
            self.rows[*id].account == account
                && self.is_committed(*id)
                && up_to.is_none_or(|bound| self.is_visible(*id, bound))
        };
        (0..self.rows.len()).filter(belongs).fold(0, |set, id| set | 1 << id)
    }

    /// The next records of the closed set after a cursor, in commit order: what goes
    /// into one object, the cursor after it, and whether nothing follows.
    pub(crate) fn read(
        &self,
        account: u8,
        (lo, hi): (Bound, Bound),
        after: Cursor,
        limit: u32,
    ) -> (Content, Cursor, bool) {
        let mut content = Content::default();
        let mut cursor = after;
        loop {
            let next = (0..self.rows.len())
                .filter(|id| self.rows[*id].account == account && self.is_committed(*id))
                .filter(|id| self.is_visible(*id, hi) && !self.is_visible(*id, lo))
                .map(|id| (u16::from(self.rows[id].tx) << 8 | u16::try_from(id).unwrap_or(0), id))
                .filter(|(place, _)| cursor.is_none_or(|cursor| *place > cursor))
                .min();
            match next {
                None => return (content, cursor, true),
                Some(_) if content.len() >= limit => return (content, cursor, false),
                Some((place, id)) => {
                    content.records |= 1 << id;
                    cursor = Some(place);
                }
            }
        }
    }
}
