//! Our own `audit_log` table on PostgreSQL.
//!
//! A bound is a snapshot. A watermark on `seq` or `occurred_at` would lose rows:
//! both are taken before the transaction commits. See ARCHITECTURE.md, "Bounds".

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{PgPool, Postgres, Row as _, Transaction};

use super::{
    Import, Result, Source, SourceError, WAITING_LIMIT, Waiting, mark_is_gone, undelivered, with_mark,
    without_mark,
};
use crate::account::AccountId;
use crate::database;
use crate::record::Record;
use crate::sql_time::SqlTime;
use crate::window::{Bound, Cursor, Mark, RecordSet, Watermark};

/// The table in which the source's applied migrations are kept.
const MIGRATIONS: &str = "auditferry_source_migrations";

/// The records of `(lo, hi]`: `$1` account, `$2` lo, `$3` hi, `$4` since, `$5` until,
/// `$6` and `$7` what was delivered ahead. The first two conditions only narrow the
/// index scan; the snapshots decide.
const CLOSED_SET: &str = "account_id = $1 \
    AND tx >= pg_snapshot_xmin($2::text::pg_snapshot) AND tx < pg_snapshot_xmax($3::text::pg_snapshot) \
    AND NOT pg_visible_in_snapshot(tx, $2::text::pg_snapshot) \
    AND pg_visible_in_snapshot(tx, $3::text::pg_snapshot) \
    AND ($4::timestamptz IS NULL OR occurred_at >= $4) \
    AND ($5::timestamptz IS NULL OR occurred_at < $5) \
    AND ($6::text IS NULL \
         OR NOT (pg_visible_in_snapshot(tx, $6::text::pg_snapshot) AND occurred_at < $7::timestamptz))";

pub(super) struct PostgresSource {
    pool: PgPool,
}

impl PostgresSource {
    pub(super) fn open(url: &str, max_connections: u32) -> Result<Self> {
        Ok(Self { pool: database::postgres(url, max_connections).map_err(SourceError::Url)? })
    }

    /// Postgres gives transaction ids again when it crashes before a commit is on
    /// disk, and rows would then sit under the watermark. So a bound counts only once
    /// the log is flushed past the position read with it: the commit of the mark, later
    /// in the log, sees to that whatever the server's `synchronous_commit` is.
    async fn leave(&self, mark: &Mark) -> Result<()> {
        let mut tx = database::begin(&self.pool).await?;
        database::query("SET LOCAL synchronous_commit = 'local'").execute(&mut *tx).await?;
        database::query("INSERT INTO auditferry_mark (ledger, number) VALUES ($1, $2)")
            .bind(&mark.ledger)
            .bind(i64::try_from(mark.number).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn check_flushed(&self, lsn: &str) -> Result<()> {
        let mut tx = database::begin(&self.pool).await?;
        let flushed: bool = database::query_scalar("SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn")
            .bind(lsn)
            .fetch_one(&mut *tx)
            .await?;
        if flushed { Ok(()) } else { Err(SourceError::NotFlushed(lsn.to_owned())) }
    }
}

fn migrator() -> sqlx::migrate::Migrator {
    let script = include_str!("../../migrations/postgres/source/0001_audit_log.sql");
    database::migrator(&[("audit_log", script)], MIGRATIONS)
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
        super::migrated(database::migrate_postgres(&self.pool, &migrator()).await)
    }

    async fn check(&self) -> Result<()> {
        super::schema_result(database::schema_state(&migrator(), &self.pool).await?)
    }

    fn shares_bounds(&self) -> bool {
        true
    }

    fn beginning(&self) -> Bound {
        Bound("1:1:".to_owned())
    }

    async fn capture(&self, mark: &Mark) -> Result<Bound> {
        // On a standby the list of running transactions is empty although some run, so
        // only what lies below all of them counts there. It replays only what the
        // primary has flushed.
        let mut tx = database::begin(&self.pool).await?;
        let row = database::query(
            "SELECT CASE WHEN standby THEN concat(pg_snapshot_xmin(snapshot), ':', \
             pg_snapshot_xmin(snapshot), ':') ELSE snapshot::text END AS bound, \
             CASE WHEN standby THEN NULL ELSE pg_current_wal_insert_lsn()::text END AS lsn, \
             (SELECT system_identifier::text FROM pg_control_system()) AS cluster \
             FROM (SELECT pg_current_snapshot() AS snapshot, pg_is_in_recovery() AS standby) AS captured",
        )
        .fetch_one(&mut *tx)
        .await?;
        drop(tx);
        let (bound, cluster): (String, String) = (row.try_get("bound")?, row.try_get("cluster")?);
        match row.try_get::<Option<String>, _>("lsn")? {
            Some(lsn) => {
                self.leave(mark).await?;
                self.check_flushed(&lsn).await?;
                Ok(with_mark(&bound, &format!("{mark}@{cluster}")))
            }
            // Nothing can be written to a standby.
            None => Ok(with_mark(&bound, &format!("@{cluster}"))),
        }
    }

    async fn newest_mark(&self, ledger: &str) -> Result<u64> {
        let mut tx = database::begin(&self.pool).await?;
        let number: i64 =
            database::query_scalar("SELECT coalesce(max(number), 0) FROM auditferry_mark WHERE ledger = $1")
                .bind(ledger)
                .fetch_one(&mut *tx)
                .await?;
        Ok(u64::try_from(number).unwrap_or(0))
    }

    async fn recognise(&self, _: &AccountId, bound: &Bound) -> Result<()> {
        let (_, Some(mark)) = without_mark(bound) else { return Ok(()) };
        let (mark, cluster) = mark.split_once('@').ok_or_else(|| SourceError::Foreign(bound.0.clone()))?;
        let found = Mark::parse(mark);
        let mut tx = database::begin(&self.pool).await?;
        let row = database::query(
            "SELECT (SELECT system_identifier::text FROM pg_control_system()) AS cluster, \
             EXISTS (SELECT 1 FROM auditferry_mark WHERE ledger = $1 AND number = $2) AS there",
        )
        .bind(found.as_ref().map(|mark| mark.ledger.as_str()))
        .bind(found.as_ref().map(|mark| i64::try_from(mark.number).unwrap_or(i64::MAX)))
        .fetch_one(&mut *tx)
        .await?;
        let now: String = row.try_get("cluster")?;
        if now != cluster {
            return Err(SourceError::Rewound(format!(
                "it is the PostgreSQL cluster {now}, and records were exported from cluster {cluster}: \
                 it was restored from a dump, upgraded, or source.url was changed"
            )));
        }
        if found.is_some() && !row.try_get::<bool, _>("there")? {
            return Err(mark_is_gone(mark));
        }
        Ok(())
    }

    fn check_order(&self, lo: &Bound, hi: &Bound) -> Result<()> {
        let (before, after) = (horizon(lo)?, horizon(hi)?);
        if after.0 < before.0 || after.1 < before.1 {
            return Err(SourceError::Rewound(format!("it stands at {hi}, behind {lo}")));
        }
        Ok(())
    }

    async fn forget_marks(&self, ledger: &str, before: Timestamp) -> Result<()> {
        let mut tx = database::begin(&self.pool).await?;
        database::query("DELETE FROM auditferry_mark WHERE ledger = $1 AND captured_at < $2")
            .bind(ledger)
            .bind(SqlTime(before))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn read(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Record)>> {
        let (tx, seq) = match after {
            None => ("0".to_owned(), 0),
            Some(cursor) => parse_cursor(cursor)?,
        };
        // ORDER BY takes an output column's name before a column's: `tx` would be its text.
        let sql = format!(
            "SELECT tx::text AS tx, seq, occurred_at, email, action, action_id, description, ip_address \
             FROM audit_log WHERE {CLOSED_SET} AND (tx, seq) > ($8::text::xid8, $9) \
             ORDER BY audit_log.tx, audit_log.seq LIMIT $10"
        );
        let mut reading = database::begin(&self.pool).await?;
        let rows = database::query(sqlx::AssertSqlSafe(sql))
            .bind(account.as_str())
            .bind(without_mark(&set.lo).0)
            .bind(without_mark(&set.hi).0)
            .bind(set.since.map(SqlTime))
            .bind(set.until.map(SqlTime))
            .bind(set.ahead.as_ref().map(|ahead| without_mark(&ahead.bound).0))
            .bind(set.ahead.as_ref().map(|ahead| SqlTime(ahead.before)))
            .bind(tx)
            .bind(seq)
            .bind(i64::from(limit))
            .fetch_all(&mut *reading)
            .await?;
        rows.iter()
            .map(|row| {
                let cursor = format!("{}:{}", row.try_get::<String, _>("tx")?, row.try_get::<i64, _>("seq")?);
                let record = Record {
                    occurred_at: row.try_get::<SqlTime, _>("occurred_at")?.0,
                    email: row.try_get("email")?,
                    action: row.try_get("action")?,
                    action_id: row.try_get("action_id")?,
                    description: row.try_get("description")?,
                    ip_address: row.try_get("ip_address")?,
                };
                Ok((Cursor(cursor), record))
            })
            .collect()
    }

    async fn waiting(&self, account: &AccountId, watermark: &Watermark) -> Result<Waiting> {
        let mut tx = database::begin(&self.pool).await?;
        let hi: String =
            database::query_scalar("SELECT pg_current_snapshot()::text").fetch_one(&mut *tx).await?;
        let set = undelivered(watermark, Bound(hi));
        let sql = format!(
            "SELECT count(*) AS records, min(occurred_at) AS oldest \
             FROM (SELECT occurred_at FROM audit_log WHERE {CLOSED_SET} LIMIT $8) AS waiting"
        );
        let row = database::query(sqlx::AssertSqlSafe(sql))
            .bind(account.as_str())
            .bind(without_mark(&set.lo).0)
            .bind(without_mark(&set.hi).0)
            .bind(set.since.map(SqlTime))
            .bind(set.until.map(SqlTime))
            .bind(set.ahead.as_ref().map(|ahead| without_mark(&ahead.bound).0))
            .bind(set.ahead.as_ref().map(|ahead| SqlTime(ahead.before)))
            .bind(i64::from(WAITING_LIMIT))
            .fetch_one(&mut *tx)
            .await?;
        Ok(Waiting {
            records: u64::try_from(row.try_get::<i64, _>("records")?).unwrap_or(0),
            oldest: row.try_get::<Option<SqlTime>, _>("oldest")?.map(|at| at.0),
        })
    }

    async fn import(&self, account: &AccountId) -> Result<Box<dyn Import>> {
        Ok(Box::new(PostgresImport { tx: database::begin(&self.pool).await?, account: account.clone() }))
    }
}

/// A cursor is `tx:seq` of the last record that was read.
fn parse_cursor(cursor: &Cursor) -> Result<(String, i64)> {
    let foreign = || SourceError::Foreign(cursor.0.clone());
    let (tx, seq) = cursor.0.split_once(':').ok_or_else(foreign)?;
    let _: u64 = tx.parse().map_err(|_| foreign())?;
    Ok((tx.to_owned(), seq.parse().map_err(|_| foreign())?))
}

struct PostgresImport {
    tx: Transaction<'static, Postgres>,
    account: AccountId,
}

#[async_trait]
impl Import for PostgresImport {
    async fn append(&mut self, records: &[Record]) -> Result<()> {
        let column = |value: fn(&Record) -> &str| records.iter().map(value).collect::<Vec<_>>();
        let optional = |value: fn(&Record) -> Option<&str>| records.iter().map(value).collect::<Vec<_>>();
        let micros: Vec<i64> = records.iter().map(|record| record.occurred_at.as_microsecond()).collect();
        database::query(
            "INSERT INTO audit_log (account_id, occurred_at, email, action, action_id, description, ip_address) \
             SELECT $1, timestamptz 'epoch' + micros * interval '1 microsecond', email, action, action_id, \
             description, ip_address \
             FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) \
             WITH ORDINALITY AS row (micros, email, action, action_id, description, ip_address, place) \
             ORDER BY place",
        )
        .bind(self.account.as_str())
        .bind(micros)
        .bind(column(|record| &record.email))
        .bind(column(|record| &record.action))
        .bind(optional(|record| record.action_id.as_deref()))
        .bind(column(|record| &record.description))
        .bind(optional(|record| record.ip_address.as_deref()))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Ok(self.tx.commit().await?)
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

    #[test]
    fn a_cursor_reads_back() {
        assert_eq!(parse_cursor(&Cursor("7:9".into())).expect("parses"), ("7".to_owned(), 9));
        assert!(parse_cursor(&Cursor("7".into())).is_err());
    }
}
