//! The first records of several whole sets in one COPY. Most windows that begin at one instant
//! are small: a transaction of their own and a plan cost them more than their records do.

use async_trait::async_trait;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Row as _};

use super::marks::{Marks, seen};
use super::reading::{Reading, Rows, malformed};
use super::rows::{COLUMNS, Place, record};
use super::sets::{BACKEND, BY_THE_INDEX, finished_between};
use super::{PostgresSource, horizon};
use crate::base::database;
use crate::source::copy::Row;
use crate::source::patience::Backend;
use crate::source::{Beginning, Progress, Result, Source as _, SourceError, Taken, Together, without_mark};

/// Most sets of one COPY: enough that the statement itself costs little.
const MOST: usize = 16;

/// Most rows that come although nobody wants them. With more of them each set is better read
/// alone, where a reading can be broken off.
const THROWN_AWAY: u32 = 256;

/// The sets, as they stand in a setting of the transaction: COPY takes no parameters.
const ASKED: &str = "ROWS FROM (jsonb_to_recordset(current_setting('auditferry.asked')::jsonb) \
    AS (account text, lo pg_snapshot, hi pg_snapshot, lo_end xid8, hi_begin xid8, most bigint)) WITH ORDINALITY \
    AS asked (account, lo, hi, lo_end, hi_begin, most, place)";

/// A row of [`ASKED`].
#[derive(Serialize)]
struct Asked<'s> {
    account: &'s str,
    lo: &'s str,
    hi: &'s str,
    /// Where `lo` ends, and where `hi` begins: calculated in the statement it would be for each row.
    lo_end: String,
    hi_begin: String,
    most: u32,
}

#[async_trait]
impl Together for PostgresSource {
    fn most(&self) -> usize {
        MOST
    }

    async fn hand_over_first(&self, beginnings: &mut [Beginning<'_>]) -> Result<()> {
        // What fails then is its own matter.
        if let [Beginning { account, set, limit, taker, progress }] = beginnings {
            *progress = self.hand_over(account, set, None, *limit, *taker).await;
            return Ok(());
        }
        let set = |beginning| Set { beginning, last: None, received: 0, over: false };
        let mut handing =
            Handing { sets: beginnings.iter_mut().map(set).collect(), pausing: None, thrown_away: 0 };
        let mut reading = Reading::begin(&self.pool).await?;
        let backend = database::in_time(handing.set_parameters(&mut reading)).await?;
        let set = finished_between("asked.lo", "asked.hi", "asked.lo_end", "asked.hi_begin");
        let sql = format!(
            "COPY (SELECT read.*, place FROM {ASKED}, LATERAL (SELECT {COLUMNS} FROM audit_log \
             WHERE account_id = asked.account AND {set} ORDER BY tx, seq LIMIT asked.most) AS read) \
             TO STDOUT (FORMAT binary)"
        );
        reading.copy(backend, &sql, u32::MAX, &mut handing).await?;
        for Set { beginning, last, received, over } in handing.sets {
            let exhausted = !over && received < beginning.limit;
            if let Ok(progress) = &mut beginning.progress {
                *progress = Progress { cursor: last.map(Place::cursor), exhausted };
            }
        }
        Ok(())
    }
}

/// Records of several sets that are handed over as they come.
struct Handing<'h, 'b> {
    sets: Vec<Set<'h, 'b>>,
    /// Who must pause.
    pausing: Option<usize>,
    /// How many rows came for sets that are over.
    thrown_away: u32,
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
    /// `super::set_parameters` for several sets. One of which a mark is gone gets nothing.
    async fn set_parameters(&mut self, reading: &mut Reading) -> Result<Backend> {
        let marks: Vec<Result<Marks<'_>>> =
            self.sets.iter().map(|set| Marks::of(set.beginning.set.bounds())).collect();
        let all = Marks::all(marks.iter().flatten());
        let asked =
            self.sets.iter().map(|Set { beginning: Beginning { account, set, limit, .. }, .. }| {
                let ((_, lo_end), (hi_begin, _)) = (horizon(&set.lo)?, horizon(&set.hi)?);
                let (lo, hi) = (without_mark(&set.lo).0, without_mark(&set.hi).0);
                let (lo_end, hi_begin) = (lo_end.to_string(), hi_begin.to_string());
                Ok(Asked { account: account.as_str(), lo, hi, lo_end, hi_begin, most: *limit })
            });
        let asked = serde_json::to_string(&asked.collect::<Result<Vec<_>>>()?);
        let seen = seen();
        let sql =
            format!("SELECT {seen}, set_config('auditferry.asked', $2, true), {BY_THE_INDEX}, {BACKEND}");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(all.wanted())
            .bind(asked.map_err(|error| sqlx::Error::Encode(error.into()))?)
            .fetch_one(reading.connection())
            .await?;
        let seen = all.seen(&row)?;
        let known: Vec<Result<()>> =
            marks.into_iter().map(|marks| marks.and_then(|marks| seen.recognise(&marks))).collect();
        for (set, known) in self.sets.iter_mut().zip(known) {
            if let Err(error) = known {
                set.fail(error);
            }
        }
        Ok(Backend(row.try_get("backend")?))
    }
}

impl Rows<9> for Handing<'_, '_> {
    fn row(&mut self, row: &Row<'_, 9>) -> Result<Taken> {
        let number = row.bigint(8).map_err(malformed)?;
        let index = usize::try_from(number - 1).ok();
        let set = index.and_then(|index| self.sets.get_mut(index)).ok_or_else(|| broken("another set"))?;
        set.received += 1;
        if set.over {
            self.thrown_away += 1;
            return if self.thrown_away > THROWN_AWAY { Err(broken("too much")) } else { Ok(Taken::Yes) };
        }
        let (place, record) = match record(row) {
            Ok(found) => found,
            Err(error @ SourceError::BadRecord { .. }) => {
                set.fail(error);
                return Ok(Taken::Yes);
            }
            Err(error) => return Err(error),
        };
        // The statement as a whole is not sorted: SQL itself promises no order then.
        if set.last.is_some_and(|last| last >= place) {
            return Err(broken("another order"));
        }
        match set.beginning.taker.take(&record) {
            // Not `Taken::No`: the others still want theirs.
            Taken::No => set.over = true,
            Taken::Yes => set.last = Some(place),
            Taken::Pause => {
                set.last = Some(place);
                self.pausing = index;
                return Ok(Taken::Pause);
            }
        }
        Ok(Taken::Yes)
    }

    async fn pause(&mut self) {
        if let Some(set) = self.pausing.take().and_then(|index| self.sets.get_mut(index)) {
            set.beginning.taker.pause().await;
        }
    }
}

fn broken(what: &str) -> SourceError {
    SourceError::Database(sqlx::Error::Protocol(format!("a COPY of several sets gave {what}")))
}
