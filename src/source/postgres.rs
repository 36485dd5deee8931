//! Our own `audit_log` table on PostgreSQL.
//!
//! A bound is a snapshot. A watermark on `seq` or `occurred_at` would lose rows:
//! both are taken before the transaction commits. See ARCHITECTURE.md, "Bounds".

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgRow;

use super::{
    Adopted, Holder, Import, Progress, Result, Source, SourceError, Standing, Taker, Together, WAITING_LIMIT,
    Waiting, undelivered, with_mark, without_mark,
};
use crate::base::database::{self, Connect, Pg, Session};
use crate::base::sql_count::SqlCount;
use crate::base::sql_time::SqlTime;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Cursor, Mark, RecordSet, Watermark};
use auditferry_core::model::record::Record;

mod adoption;
mod browse;
mod by_time;
mod catalogue;
mod evidence;
mod home;
mod import;
mod marks;
mod reading;
mod rows;
mod sets;
mod together;

pub(super) use browse::{PostgresBrowser, begin as begin_browsing};
use home::{HOME, Home, shifted};
use import::PostgresImport;
use marks::{Marks, seen};
use reading::{Reading, Rows};
use rows::{COLUMNS, Handing, Page, Place};
use sets::{EVERYTHING, closed_set, set_parameters};

/// The table in which the source's applied migrations are kept.
const MIGRATIONS: &str = "auditferry_source_migrations";

/// Why a standby is not migrated.
const STANDBY: &str = "the source's database is a standby, on which nothing can be migrated; set ledger.migrate = \
    false for workers that read it, and run `auditferry migrate` with source.url set to its primary";

pub(super) struct PostgresSource {
    pool: Pg,
}

impl PostgresSource {
    pub(super) fn open(url: &str, connect: Connect) -> Result<Self> {
        Ok(Self { pool: database::postgres(url, connect).map_err(SourceError::Url)? })
    }

    /// Postgres gives transaction ids again when it crashes before a commit is on
    /// disk, and rows would then sit under the watermark. So a bound counts only once
    /// the log is flushed past the position read with it: the commit of the mark, later
    /// in the log, sees to that whatever the server's `synchronous_commit` is.
    async fn leave(&self, mark: &Mark) -> Result<()> {
        let mut tx = database::begin_unfiltered(&self.pool).await?;
        sqlx::query("SET LOCAL synchronous_commit = 'local'").execute(&mut tx).await?;
        sqlx::query("INSERT INTO auditferry_mark (ledger, number) VALUES ($1, $2)")
            .bind(&mark.ledger)
            .bind(SqlCount(mark.number))
            .execute(&mut tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Copies the next records of a closed set, at most `limit`, in the order of the index, if
    /// `marks` are there. Returns whether there are no more.
    async fn copy(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
        marks: &Marks<'_>,
        rows: &mut impl Rows<8>,
    ) -> Result<bool> {
        // Numbers by their types, so there is nothing to quote.
        let after = after.map(Place::of).transpose()?.map_or_else(String::new, |Place { tx, seq }| {
            format!(" AND (tx, seq) > ('{tx}'::xid8, {seq}::bigint)")
        });
        let sql = format!(
            "COPY (SELECT {COLUMNS} FROM audit_log WHERE {}{after} ORDER BY tx, seq LIMIT {limit}) \
             TO STDOUT (FORMAT binary)",
            closed_set(set)
        );
        let mut reading = Reading::begin(&self.pool).await?;
        let backend = database::in_time(set_parameters(reading.connection(), account, set, marks)).await?;
        let sent = reading.copy(backend, &sql, limit, rows).await?;
        Ok(sent < limit)
    }

    async fn capture_now(&self, mark: &Mark) -> Result<Bound> {
        // On a standby the list of running transactions is empty although some run, so
        // only what lies below all of them counts there. It replays only what the
        // primary has flushed.
        let mut tx = database::begin_unfiltered(&self.pool).await?;
        let row = Self::capture_row(&mut tx).await?;
        drop(tx);
        let (snapshot, home): (String, Home) = (row.try_get("bound")?, Home::of(&row)?);
        let bound = shifted(&snapshot, home.shift()).ok_or(SourceError::Foreign(snapshot))?;
        let label = home.label();
        match row.try_get::<Option<String>, _>("lsn")? {
            Some(lsn) => {
                self.leave(mark).await?;
                self.check_flushed(&lsn).await?;
                Ok(with_mark(&bound, &format!("{mark}@{label}")))
            }
            // Nothing can be written to a standby.
            None => Ok(with_mark(&bound, &format!("@{label}"))),
        }
    }

    /// What a bound is made of, in one statement.
    async fn capture_row(tx: &mut Session) -> Result<PgRow> {
        let sql = format!(
            "SELECT CASE WHEN standby THEN concat(pg_snapshot_xmin(snapshot), ':', \
             pg_snapshot_xmin(snapshot), ':') ELSE snapshot::text END AS bound, \
             CASE WHEN standby THEN NULL ELSE pg_current_wal_insert_lsn()::text END AS lsn, {HOME} \
             FROM (SELECT pg_current_snapshot() AS snapshot, pg_is_in_recovery() AS standby) AS captured"
        );
        Ok(sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *tx).await?)
    }

    async fn check_flushed(&self, lsn: &str) -> Result<()> {
        let mut tx = database::begin_unfiltered(&self.pool).await?;
        let flushed: bool = sqlx::query_scalar("SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn")
            .bind(lsn)
            .fetch_one(&mut tx)
            .await?;
        if flushed { Ok(()) } else { Err(SourceError::NotFlushed(lsn.to_owned())) }
    }
}

/// Whether a write was refused because the server is a standby.
fn is_read_only(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("25006")
}

fn migrator() -> sqlx::migrate::Migrator {
    database::migrator(
        &[
            ("audit_log", include_str!("../../migrations/postgres/source/0001_audit_log.sql")),
            ("self records", include_str!("../../migrations/postgres/source/0002_self_records.sql")),
            ("tx is given", include_str!("../../migrations/postgres/source/0003_tx_is_given.sql")),
            ("clusters", include_str!("../../migrations/postgres/source/0004_clusters.sql")),
            ("records by time", include_str!("../../migrations/postgres/source/0005_records_by_time.sql")),
        ],
        MIGRATIONS,
    )
}

/// `xmin` and `xmax` of a snapshot's text, `xmin:xmax:xip,…`.
fn horizon(bound: &Bound) -> Result<(u64, u64)> {
    let foreign = || SourceError::Foreign(bound.0.clone());
    let mut parts = without_mark(bound).0.split(':');
    let mut number = || parts.next()?.parse().ok();
    Ok((number().ok_or_else(foreign)?, number().ok_or_else(foreign)?))
}

#[async_trait]
impl Source for PostgresSource {
    async fn migrate(&self) -> Result<()> {
        super::encoding::check(&mut database::begin_unfiltered(&self.pool).await?).await?;
        let migrated = loop {
            let migrated = match by_time::build(&self.pool).await {
                Ok(()) => super::migrated(database::migrate_postgres(&self.pool, &migrator()).await),
                Err(error) => Err(error),
            };
            // Several that start at once may meet at the index: one of them is sent back, and finds what the others made.
            if !migrated.as_ref().is_err_and(by_time::met_another) {
                break migrated;
            }
            tokio::time::sleep(by_time::PAUSE).await;
        };
        match &migrated {
            Err(SourceError::Migrate(
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
            )) if is_read_only(error) => {
                return Err(SourceError::Unfit(STANDBY.to_owned()));
            }
            // A table that is not ours to change says so itself, in clearer words.
            Err(SourceError::Migrate(_)) => {
                catalogue::check(&mut database::begin_unfiltered(&self.pool).await?).await?;
            }
            _ => {}
        }
        migrated
    }

    async fn check(&self) -> Result<()> {
        let mut tx = database::begin_unfiltered(&self.pool).await?;
        super::schema_result(database::schema_state(&migrator(), &mut tx).await?)?;
        super::encoding::check(&mut tx).await?;
        super::functions::check(&mut tx, &super::functions::OWN).await?;
        catalogue::check(&mut tx).await?;
        // As the worker does, but for the mark.
        Self::capture_row(&mut tx).await.map(drop)
    }

    async fn advice(&self) -> Result<Vec<String>> {
        let mut tx = database::begin_unfiltered(&self.pool).await?;
        let mut advice = catalogue::advice(&mut tx).await?;
        advice.extend(home::advice(&mut tx).await?);
        Ok(advice)
    }

    /// A snapshot lists what is open, and nothing waits for it. A standby's does not.
    async fn holder(&self) -> Result<Option<Holder>> {
        database::in_time(async {
            let mut tx = database::begin_unfiltered(&self.pool).await?;
            let standby = sqlx::query_scalar("SELECT pg_is_in_recovery()");
            if standby.fetch_one(&mut tx).await? { Holder::ask(&mut tx).await } else { Ok(None) }
        })
        .await
    }

    fn shares_bounds(&self) -> bool {
        true
    }

    fn keeps_marks(&self) -> bool {
        true
    }

    async fn leave_mark(&self, mark: &Mark) -> Result<()> {
        match database::in_time(self.leave(mark)).await {
            Err(SourceError::Database(error)) if is_read_only(&error) => Ok(()),
            other => other,
        }
    }

    fn beginning(&self) -> Bound {
        Bound("1:1:".to_owned())
    }

    async fn capture(&self, mark: &Mark) -> Result<Bound> {
        database::in_time(self.capture_now(mark)).await
    }

    async fn newest_mark(&self, ledger: &str) -> Result<u64> {
        database::in_time(async {
            let mut tx = database::begin_unfiltered(&self.pool).await?;
            let SqlCount(number) =
                sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM auditferry_mark WHERE ledger = $1")
                    .bind(ledger)
                    .fetch_one(&mut tx)
                    .await?;
            Ok(number)
        })
        .await
    }

    async fn newest_mark_of_others(&self, ledger: &str) -> Result<Option<Timestamp>> {
        database::in_time(async {
            let mut tx = database::begin(&self.pool).await?;
            let newest: Option<SqlTime> =
                sqlx::query_scalar("SELECT max(captured_at) FROM auditferry_mark WHERE ledger <> $1")
                    .bind(ledger)
                    .fetch_one(&mut tx)
                    .await?;
            Ok(newest.map(|at| at.0))
        })
        .await
    }

    async fn recognise(&self, _: &AccountId, bound: &Bound) -> Result<()> {
        let marks = Marks::of([bound])?;
        if marks.is_empty() {
            return Ok(());
        }
        database::in_time(async {
            let mut tx = database::begin_unfiltered(&self.pool).await?;
            let sql = format!("SELECT {}", seen());
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(marks.wanted());
            marks.seen(&query.fetch_one(&mut tx).await?)?.recognise(&marks)
        })
        .await
    }

    /// [`Source::hand_over`] looks for the marks itself, in its own transaction.
    async fn recognise_set(&self, _: &AccountId, _: &RecordSet) -> Result<()> {
        Ok(())
    }

    fn check_order(&self, lo: &Bound, hi: &Bound) -> Result<()> {
        let (before, after) = (horizon(lo)?, horizon(hi)?);
        if after.0 < before.0 || after.1 < before.1 {
            return Err(SourceError::Rewound(format!("it stands at {hi}, behind {lo}")));
        }
        Ok(())
    }

    async fn forget_marks(&self, ledger: &str, before: Timestamp, kept: SignedDuration) -> Result<()> {
        database::in_time(async {
            let mut tx = database::begin_unfiltered(&self.pool).await?;
            sqlx::query(
                "DELETE FROM auditferry_mark WHERE ledger = $1 \
                 AND captured_at < least($2, now() - $3 * interval '1 second')",
            )
            .bind(ledger)
            .bind(SqlTime(before))
            .bind(kept.as_secs())
            .execute(&mut tx)
            .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn read(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Record)>> {
        let mut page = Page(Vec::new());
        // What was delivered once may be read again when its marks are long forgotten.
        self.copy(account, set, after, limit, &Marks::default(), &mut page).await?;
        Ok(page.0)
    }

    async fn hand_over(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
        taker: &mut dyn Taker,
    ) -> Result<Progress> {
        let mut handing = Handing { taker, last: None };
        let marks = Marks::of(set.bounds())?;
        let exhausted = self.copy(account, set, after, limit, &marks, &mut handing).await?;
        Ok(Progress { cursor: handing.last.map(Place::cursor), exhausted })
    }

    fn together(&self) -> Option<&dyn Together> {
        Some(self)
    }

    async fn has_ids_to_come(&self) -> Result<bool> {
        let mut tx = database::begin_unfiltered(&self.pool).await?;
        let shift = home::ask(&mut tx).await?.shift();
        Ok(home::ids_to_come(&mut tx, shift).await?.0 > 0)
    }

    async fn adopt(&self, standings: &[Standing], accept: bool) -> Result<Adopted> {
        self.adopt_here(standings, accept).await
    }

    async fn waiting(&self, account: &AccountId, watermark: &Watermark) -> Result<Waiting> {
        database::in_time(async {
            let mut tx = database::begin_unfiltered(&self.pool).await?;
            // What is seen has been committed, whatever else its number says: with what waits for the end of
            // an older transaction, and what has come from another cluster.
            let set = undelivered(watermark, Bound(EVERYTHING.to_owned()));
            // Counting is no reading: a person may ask while the source is not recognised.
            set_parameters(&mut tx, account, &set, &Marks::default()).await?;
            let sql = format!(
                "SELECT count(*) AS records, min(occurred_at) AS oldest \
                 FROM (SELECT occurred_at FROM audit_log WHERE {} LIMIT {WAITING_LIMIT}) AS waiting",
                closed_set(&set)
            );
            let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut tx).await?;
            Ok(Waiting {
                records: row.try_get::<SqlCount, _>("records")?.0,
                oldest: row.try_get::<Option<SqlTime>, _>("oldest")?.map(|at| at.0),
            })
        })
        .await
    }

    async fn import(&self, account: &AccountId) -> Result<Box<dyn Import>> {
        Ok(Box::new(PostgresImport {
            tx: database::begin_unfiltered(&self.pool).await?,
            account: account.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_tells_its_horizon() {
        assert_eq!(horizon(&Bound("10:20:12,15".into())).expect("parses"), (10, 20));
        assert_eq!(horizon(&Bound("10:20:#led/3@77".into())).expect("parses"), (10, 20));
        assert!(horizon(&Bound("42".into())).is_err());
    }
}
