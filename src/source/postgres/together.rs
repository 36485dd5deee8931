//! The first records of several closed sets in one COPY. Most windows that begin at one instant
//! are small: a transaction of their own and a plan cost them more than their records do.

use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::marks::{Marks, SEEN};
use super::reading::{Reading, Rows, malformed};
use super::{BY_THE_INDEX, COLUMNS, Place, PostgresSource, record, time};
use crate::copy::Row;
use crate::database;
use crate::source::{Beginning, Progress, Result, Source as _, SourceError, Taken, without_mark};
use crate::window::RecordSet;

/// Most sets of one COPY. Twice as many would save a tenth more.
pub(super) const MOST: usize = 16;

/// The sets, as they stand in a setting of the transaction: COPY takes no parameters.
const ASKED: &str = "ROWS FROM (jsonb_to_recordset(current_setting('auditferry.asked')::jsonb) AS \
    (account text, lo pg_snapshot, hi pg_snapshot, since timestamptz, until timestamptz, \
    ahead_bound pg_snapshot, ahead_before timestamptz)) WITH ORDINALITY \
    AS asked (account, lo, hi, since, until, ahead_bound, ahead_before, place)";

/// The condition of `super::closed_set`, for each of [`ASKED`].
const CLOSED_SET: &str = "account_id = asked.account \
    AND tx >= pg_snapshot_xmin(asked.lo) AND tx < pg_snapshot_xmax(asked.hi) \
    AND NOT pg_visible_in_snapshot(tx, asked.lo) AND pg_visible_in_snapshot(tx, asked.hi) \
    AND (asked.since IS NULL OR occurred_at >= asked.since) \
    AND (asked.until IS NULL OR occurred_at < asked.until) \
    AND (asked.ahead_bound IS NULL \
    OR NOT (pg_visible_in_snapshot(tx, asked.ahead_bound) AND occurred_at < asked.ahead_before))";

/// A row of [`ASKED`].
#[derive(Serialize)]
struct Asked<'s> {
    account: &'s str,
    lo: &'s str,
    hi: &'s str,
    since: Option<String>,
    until: Option<String>,
    ahead_bound: Option<&'s str>,
    ahead_before: Option<String>,
}

impl<'s> Asked<'s> {
    fn of(account: &'s str, set: &'s RecordSet) -> Self {
        let ahead = set.ahead.as_ref();
        Self {
            account,
            lo: without_mark(&set.lo).0,
            hi: without_mark(&set.hi).0,
            since: time(set.since),
            until: time(set.until),
            ahead_bound: ahead.map(|ahead| without_mark(&ahead.bound).0),
            ahead_before: time(ahead.map(|ahead| ahead.before)),
        }
    }
}

pub(super) async fn hand_over_first(source: &PostgresSource, limit: u32, beginnings: &mut [Beginning<'_>]) {
    if let [Beginning { account, set, taker, progress }] = beginnings {
        *progress = source.hand_over(account, set, None, limit, *taker).await;
        return;
    }
    let mut handing = Handing {
        sets: beginnings
            .iter_mut()
            .map(|beginning| Set { beginning, last: None, received: 0, over: false })
            .collect(),
        pausing: None,
    };
    let ended = handing.copy(source, limit).await.is_ok();
    for Set { beginning, last, received, over } in handing.sets {
        if let Ok(progress) = &mut beginning.progress {
            *progress =
                Progress { cursor: last.map(Place::cursor), exhausted: ended && !over && received < limit };
        }
    }
}

/// Records of several sets that are handed over as they come.
struct Handing<'h, 'b> {
    sets: Vec<Set<'h, 'b>>,
    /// Who must pause.
    pausing: Option<usize>,
}

struct Set<'h, 'b> {
    beginning: &'h mut Beginning<'b>,
    /// The last record that was taken.
    last: Option<Place>,
    /// How many came, taken or not.
    received: u32,
    /// Whether nothing more is taken of it.
    over: bool,
}

impl Set<'_, '_> {
    fn fail(&mut self, error: SourceError) {
        self.beginning.progress = Err(error);
        self.over = true;
    }
}

impl Handing<'_, '_> {
    async fn copy(&mut self, source: &PostgresSource, limit: u32) -> Result<()> {
        let mut reading = Reading::begin(&source.pool).await?;
        self.set_parameters(&mut reading).await?;
        let sql = format!(
            "COPY (SELECT read.*, place FROM {ASKED}, LATERAL (SELECT {COLUMNS} FROM audit_log \
             WHERE {CLOSED_SET} ORDER BY tx, seq LIMIT {limit}) AS read) TO STDOUT (FORMAT binary)"
        );
        reading.copy(&sql, u32::MAX, self).await.map(drop)
    }

    /// `super::set_parameters` for several sets. One of which a mark is gone gets nothing.
    async fn set_parameters(&mut self, reading: &mut Reading) -> Result<()> {
        let sets: Vec<&RecordSet> = self.sets.iter().map(|set| set.beginning.set).collect();
        let marks: Vec<Result<Marks<'_>>> = sets.iter().map(|set| Marks::of(set.bounds())).collect();
        let all = Marks::all(marks.iter().flatten());
        let asked: Vec<_> = self
            .sets
            .iter()
            .map(|set| Asked::of(set.beginning.account.as_str(), set.beginning.set))
            .collect();
        let asked = serde_json::to_string(&asked).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let sql = format!("SELECT {SEEN}, set_config('auditferry.asked', $2, true), {BY_THE_INDEX}");
        let row = database::query(AssertSqlSafe(sql))
            .bind(all.wanted())
            .bind(asked)
            .fetch_one(reading.connection())
            .await?;
        let seen = all.seen(&row)?;
        for (set, marks) in self.sets.iter_mut().zip(marks) {
            if let Err(error) = marks.and_then(|marks| seen.recognise(&marks)) {
                set.fail(error);
            }
        }
        Ok(())
    }
}

impl Rows<9> for Handing<'_, '_> {
    fn row(&mut self, row: &Row<'_, 9>) -> Result<Taken> {
        let number = row.bigint(8).map_err(malformed)?;
        let index = usize::try_from(number - 1).ok();
        let set = index.and_then(|index| self.sets.get_mut(index)).ok_or_else(|| unasked(number))?;
        set.received += 1;
        if set.over {
            return Ok(Taken::Yes);
        }
        let (place, record) = match record(row) {
            Ok(found) => found,
            Err(error) => {
                set.fail(error);
                return Ok(Taken::Yes);
            }
        };
        // SQL promises the order of a set only for a query that is sorted as a whole.
        if set.last.is_some_and(|last| last >= place) {
            return Err(unasked(number));
        }
        let taken = set.beginning.taker.take(&record);
        match taken {
            Taken::No => set.over = true,
            Taken::Yes | Taken::Pause => set.last = Some(place),
        }
        self.pausing = index.filter(|_| taken == Taken::Pause);
        Ok(if taken == Taken::Pause { Taken::Pause } else { Taken::Yes })
    }

    async fn pause(&mut self) {
        if let Some(set) = self.pausing.take().and_then(|index| self.sets.get_mut(index)) {
            set.beginning.taker.pause().await;
        }
    }
}

fn unasked(number: i64) -> SourceError {
    SourceError::Database(sqlx::Error::Protocol(format!(
        "a COPY of several sets is not in order at {number}"
    )))
}
