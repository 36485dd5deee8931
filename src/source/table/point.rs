//! What a bound on a vendor's table holds, and what can be told from it.
//!
//! A transaction id here has 64 bits: the row's 32 and how often they wrapped round.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::source::{Result, SourceError};
use auditferry_core::model::bound::Bound;

/// The bound below everything.
const BEGINNING: &str = "beginning";

/// How many transaction ids can be told apart in the 32 bits that a row has.
pub(super) const DISTINCT_IDS: i64 = 1 << 32;

/// What had finished committing, and how to recognise it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Point {
    /// Every transaction below had finished.
    pub(super) horizon: i64,
    /// No transaction had this id yet, nor one above it.
    pub(super) next: i64,
    /// When it was captured, by the source's clock.
    pub(super) at: Timestamp,
    /// What had not finished got its id after this instant.
    pub(super) basis: Timestamp,
    /// Rows of an earlier time lie below, whatever their transaction.
    pub(super) floor: Timestamp,
    /// Rows of an earlier time are not looked at again.
    pub(super) deep: Timestamp,
    /// The PostgreSQL cluster.
    pub(super) cluster: String,
    /// The cluster's timeline.
    pub(super) timeline: i64,
    /// An account's rows below it, from `deep` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) below: Option<Tally>,
    /// An account's rows between the watermark and it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) window: Option<Tally>,
}

/// How many rows, and the sum of their hashes: the same rows give the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) records: i64,
    pub(super) sum: String,
}

impl Point {
    /// Reads a bound; none is the beginning.
    pub(super) fn parse(bound: &Bound) -> Result<Option<Self>> {
        if bound.0 == BEGINNING {
            return Ok(None);
        }
        serde_json::from_str(&bound.0).map(Some).map_err(|_| SourceError::Foreign(bound.0.clone()))
    }

    pub(super) fn beginning() -> Bound {
        Bound(BEGINNING.to_owned())
    }

    pub(super) fn bound(&self) -> Result<Bound> {
        let text = serde_json::to_string(self).map_err(|error| SourceError::Table(error.to_string()))?;
        Ok(Bound(text))
    }

    /// The same with the floors that follow from the instant.
    pub(super) fn resting_on(self, basis: Timestamp, lookback: std::time::Duration) -> Self {
        let floor = basis.saturating_sub(lookback).unwrap_or(Timestamp::MIN);
        let deep = floor.saturating_sub(lookback).unwrap_or(Timestamp::MIN);
        Self { basis, floor, deep, ..self }
    }

    /// After which instant every transaction that had not finished got its id.
    ///
    /// Ids are given in order. So if the horizon has reached what was the next id at an
    /// earlier capture, only later transactions are open. If it has not, one has been open
    /// since before, and what was known then still holds.
    pub(super) fn open_since(&self, earlier: &[Self]) -> Timestamp {
        let known = |before: &Self| if self.horizon >= before.next { before.at } else { before.basis };
        earlier.iter().map(known).max().map_or(self.at, |known| known.min(self.at))
    }

    /// The same bound once a person has accepted that rows below it changed: those, and
    /// what came too late, count as new.
    pub(super) fn forgiven(self) -> Self {
        Self { floor: self.deep, below: None, window: None, ..self }
    }
}

/// The next transaction id in 64 bits. `age`: how far it lies behind the id 3, modulo 2^32,
/// as `age('3'::xid)` gives it; `top`: an id in 64 bits that is not above it.
pub(super) fn next_id(age: i32, top: i64) -> i64 {
    let low = i64::from(age.cast_unsigned().wrapping_add(3));
    top + (low - top).rem_euclid(DISTINCT_IDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn point(horizon: i64, next: i64, at: i64) -> Point {
        let at = Timestamp::from_second(at).expect("instant");
        Point {
            horizon,
            next,
            at,
            basis: at,
            floor: at,
            deep: at,
            cluster: "7".into(),
            timeline: 1,
            below: None,
            window: None,
        }
    }

    #[test]
    fn a_bound_reads_back() {
        let tally = Some(Tally { records: 3, sum: "-17".into() });
        let point = Point { below: tally.clone(), window: tally, ..point(10, 12, 100) };
        assert_eq!(Point::parse(&point.bound().expect("text")).expect("parses"), Some(point));
        assert_eq!(Point::parse(&Point::beginning()).expect("parses"), None);
        assert!(Point::parse(&Bound("10:20:".into())).is_err());
    }

    #[test]
    fn a_transaction_that_stays_open_keeps_the_floor_where_it_was() {
        let lookback = Duration::from_secs(10);
        let first = point(100, 105, 1_000);
        assert_eq!(first.open_since(&[]).as_second(), 1_000);
        let first = first.resting_on(Timestamp::from_second(1_000).expect("instant"), lookback);
        assert_eq!((first.floor.as_second(), first.deep.as_second()), (990, 980));
        // 104 has been open since before the first; then it ends.
        let second = point(104, 300, 2_000);
        let since = second.open_since(std::slice::from_ref(&first));
        assert_eq!(since.as_second(), 1_000);
        let second = second.resting_on(since, lookback);
        let third = point(104, 400, 3_000);
        let since = third.open_since(std::slice::from_ref(&second));
        assert_eq!(since.as_second(), 1_000);
        let third = third.resting_on(since, lookback);
        assert_eq!(point(401, 500, 4_000).open_since(&[third]).as_second(), 3_000);
    }

    proptest! {
        /// Transactions of any length: none that is open at a bound began before its basis.
        #[test]
        fn what_is_open_began_after_the_basis(
            lengths in prop::collection::vec(1_i64..400, 1..60),
            pause in 1_usize..8,
        ) {
            // Transaction `id` begins at `id` and ends at `id + length`.
            let open = |id: usize, at: i64| (id as i64) <= at && at < id as i64 + lengths[id];
            let mut earlier: Vec<Point> = Vec::new();
            for at in (0..lengths.len()).step_by(pause) {
                let running = (0..lengths.len()).find(|id| open(*id, at as i64));
                let next = at as i64 + 1;
                let now = point(running.map_or(next, |id| id as i64), next, at as i64);
                let basis = now.open_since(&earlier);
                // The first capture, at 0, knows of nothing earlier.
                for id in (0..lengths.len()).filter(|id| open(*id, at as i64)) {
                    prop_assert!(id as i64 > basis.as_second() || basis.as_second() == 0);
                }
                earlier = vec![now.resting_on(basis, Duration::from_secs(1))];
            }
        }

        #[test]
        fn an_id_is_widened_to_the_next_one_above(top in 3_i64..1 << 62, ahead in 0_i64..DISTINCT_IDS) {
            let next = top + ahead;
            let low = u32::try_from(next.rem_euclid(DISTINCT_IDS)).expect("32 bits");
            let age = low.wrapping_sub(3).cast_signed();
            prop_assert_eq!(next_id(age, top), next);
        }
    }
}
