//! How a table came into its cluster, as its rows and the catalogue show it.
//!
//! A row's system column `xmin` is the id of the transaction that wrote it into this cluster; `VACUUM
//! FREEZE`, `VACUUM FULL` and `CLUSTER` keep it. `pg_upgrade` takes files over and makes the catalogue
//! anew, with ids that go on: so rows are older than the catalogue's rows of their table. `pg_restore`
//! makes the table, loads its rows with one COPY, and makes its key and its triggers last: so restored
//! rows lie between the two, and what the application has inserted since then lies above both.

use sqlx::{AssertSqlSafe, Row as _};

use super::adoption::unsigned;
use crate::base::database::Session;
use crate::source::{Result, SourceError};

/// How many ids differ in the 32 bits that a row has.
const DISTINCT_IDS: u64 = 1 << 32;

/// The ids of this cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    /// Of our own transaction.
    pub(super) own: u64,
    /// That nobody has had yet.
    pub(super) next: u64,
    /// What makes a number of an id.
    pub(super) shift: u64,
}

impl Ids {
    /// The 64 bits of a column of 32: the newest id that it can be.
    pub(super) fn of(&self, column: &str) -> String {
        let next = self.next;
        format!(
            "({next} - ({DISTINCT_IDS} + {next} % {DISTINCT_IDS} - {column}::text::bigint) % {DISTINCT_IDS})"
        )
    }
}

/// What was found. All ids are this cluster's; numbers are as the rows have them.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The id with which the table was made here.
    made: u64,
    /// The id with which its key and triggers were made: a restore has loaded it before.
    pub(super) loaded: u64,
    /// The highest number of a row.
    pub(super) top: u64,
    /// Rows that are older than their table.
    carried: u64,
    /// Rows written since the table is here whose numbers are older.
    early: u64,
    /// Rows written since it was loaded.
    pub(super) since: u64,
    /// Those of them whose number is none of a transaction of that time.
    odd: u64,
    /// Tables (partitions) that were loaded by more than one transaction.
    scattered: u64,
    /// Whether some row that came since then has a smaller `seq` than a restored one.
    mixed: bool,
}

impl Evidence {
    pub(super) async fn find(tx: &mut Session, ids: &Ids) -> Result<Self> {
        let (id, shift) = (ids.of("xmin"), ids.shift);
        // System columns of a table are never changed, neither is a key without being made anew.
        let catalogue = format!(
            "SELECT (SELECT min({id}) FROM pg_attribute WHERE attrelid = to_regclass('audit_log') AND attnum < 0) \
             AS made, (SELECT min(id) FROM (\
             SELECT {id} AS id FROM pg_constraint WHERE conrelid = to_regclass('audit_log') AND contype = 'p' \
             UNION ALL SELECT {id} FROM pg_index WHERE indrelid = to_regclass('audit_log') \
             UNION ALL SELECT {id} FROM pg_trigger WHERE tgrelid = to_regclass('audit_log') AND NOT tgisinternal) \
             AS last) AS loaded"
        );
        let row = sqlx::query(AssertSqlSafe(catalogue)).fetch_one(&mut *tx).await?;
        let (made, loaded) = (unsigned(&row, "made")?, unsigned(&row, "loaded")?);
        let (made_number, loaded_number) = (made + shift, loaded + shift);
        let rows = format!(
            "SELECT coalesce(max(tx), 0) AS top, count(*) FILTER (WHERE id < {made}) AS carried, \
             count(*) FILTER (WHERE id >= {made} AND tx < {made_number}) AS early, \
             count(*) FILTER (WHERE id > {loaded}) AS since, \
             count(*) FILTER (WHERE id > {loaded} AND (tx <= {loaded_number} OR tx > id + {shift})) AS odd, \
             coalesce(max(seq) FILTER (WHERE id <= {loaded}) > min(seq) FILTER (WHERE id > {loaded}), false) AS mixed \
             FROM (SELECT seq, tx::text::bigint AS tx, {id} AS id FROM audit_log) AS record"
        );
        let row = sqlx::query(AssertSqlSafe(rows)).fetch_one(&mut *tx).await?;
        let scattered = format!(
            "SELECT count(*) AS scattered FROM (SELECT FROM (SELECT tableoid, {id} AS id FROM audit_log) AS record \
             WHERE id <= {loaded} GROUP BY tableoid HAVING min(id) <> max(id)) AS loads"
        );
        let loads = sqlx::query(AssertSqlSafe(scattered)).fetch_one(tx).await?;
        Ok(Self {
            made,
            loaded,
            top: unsigned(&row, "top")?,
            carried: unsigned(&row, "carried")?,
            early: unsigned(&row, "early")?,
            since: unsigned(&row, "since")?,
            odd: unsigned(&row, "odd")?,
            scattered: unsigned(&loads, "scattered")?,
            mixed: row.try_get("mixed")?,
        })
    }

    /// Whether the table's files are those of another cluster.
    pub(super) fn is_upgrade(&self) -> bool {
        self.carried > 0
    }

    /// That ids went on above `end`, where all bounds end, when its files were taken over.
    pub(super) fn check_upgrade(&self, ids: &Ids, end: u64) -> Result<()> {
        if self.early > 0 || self.made + ids.shift < end {
            return Err(SourceError::Unproved(format!(
                "audit_log has the files of another cluster, but transaction ids did not go on above the accounts' \
                 bounds ({} rows, ids from {} on, bounds up to {end}); go on with `auditferry account rewind \
                 ACCOUNT --accept --from INSTANT`",
                self.early,
                self.made + ids.shift
            )));
        }
        Ok(())
    }

    /// That restored rows can be told from those that came since then.
    pub(super) fn check_restore(&self) -> Result<()> {
        let problem = if self.scattered > 0 {
            "its rows were restored by more than one transaction (pg_dump --inserts, or the application wrote \
             meanwhile); restore it with COPY, pg_dump's default, and let the application write when that has ended"
        } else if self.odd > 0 {
            "rows were written after its key and triggers were made whose transaction ids are none of that time \
             (pg_restore --data-only into a table that was there, or a rewrite of the table such as pg_repack); \
             restore the table as a whole, with its definition"
        } else if self.mixed {
            "rows that came after the restore have smaller numbers (seq) than restored ones; restore the sequence \
             with the table"
        } else {
            return Ok(());
        };
        Err(SourceError::Unproved(format!(
            "what was restored of audit_log cannot be told from what came later: {problem}. Or go on with \
             `auditferry account rewind ACCOUNT --accept --from INSTANT`, which may deliver records again"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        Evidence {
            made: 100,
            loaded: 110,
            top: 5_000,
            carried: 0,
            early: 3,
            since: 2,
            odd: 0,
            scattered: 0,
            mixed: false,
        }
    }

    #[test]
    fn an_upgrade_is_known_by_ids_that_went_on() {
        let ids = Ids { own: 200, next: 201, shift: 1_000 };
        let upgraded = Evidence { carried: 3, early: 0, ..evidence() };
        assert!(upgraded.is_upgrade() && !evidence().is_upgrade());
        upgraded.check_upgrade(&ids, 1_100).expect("went on");
        upgraded.check_upgrade(&ids, 1_101).expect_err("the bound is above the table");
        let early = Evidence { early: 1, ..upgraded };
        early.check_upgrade(&ids, 1_000).expect_err("a number from before");
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        evidence().check_restore().expect("one load");
        for (broken, said) in [
            (Evidence { scattered: 1, ..evidence() }, "--inserts"),
            (Evidence { odd: 1, ..evidence() }, "--data-only"),
            (Evidence { mixed: true, ..evidence() }, "sequence"),
        ] {
            let error = broken.check_restore().expect_err("refused").to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
