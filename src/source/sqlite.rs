//! Our own `audit_log` table on SQLite.
//!
//! SQLite has one writer at a time and AUTOINCREMENT never gives a number again,
//! so `seq` is commit order and a bound is the highest one that is committed.

use async_trait::async_trait;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use sqlx::{Row as _, Sqlite, SqliteConnection, SqlitePool, Transaction};

mod browse;

pub(super) use browse::SqliteBrowser;

use super::{
    Import, NOTE_CHANGE, Result, Source, SourceError, WAITING_LIMIT, Waiting, mark_is_gone, undelivered,
    with_mark, without_mark,
};
use crate::base::database;
use crate::base::sql_count::SqlCount;
use crate::base::sql_time::SqlTime;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Cursor, Mark, RecordSet, Watermark};
use auditferry_core::model::record::Record;

/// The table in which the source's applied migrations are kept.
const MIGRATIONS: &str = "auditferry_source_migrations";

/// The records of `(lo, hi]`: `$1` account, `$2` lo, `$3` hi, `$4` since, `$5` until,
/// `$6` and `$7` what was delivered ahead. Texts of times compare like the times once
/// the `Z` is gone.
const CLOSED_SET: &str = "account_id = $1 AND seq > $2 AND seq <= $3 \
    AND ($4 IS NULL OR rtrim(occurred_at, 'Z') >= $4) \
    AND ($5 IS NULL OR rtrim(occurred_at, 'Z') < $5) \
    AND ($6 IS NULL OR NOT (seq <= $6 AND rtrim(occurred_at, 'Z') < $7))";

/// Without the records that a person chose to skip: `$9`, an array in JSON.
const NOT_SKIPPED: &str = "seq NOT IN (SELECT value FROM json_each($9))";

pub(super) struct SqliteSource {
    pool: SqlitePool,
}

impl SqliteSource {
    pub(super) async fn open(url: &str) -> Result<Self> {
        Ok(Self { pool: database::sqlite(url).await.map_err(SourceError::Url)? })
    }
}

fn migrator() -> sqlx::migrate::Migrator {
    database::migrator(
        &[
            ("audit_log", include_str!("../../migrations/sqlite/source/0001_audit_log.sql")),
            ("self records", include_str!("../../migrations/sqlite/source/0002_self_records.sql")),
            ("records by time", include_str!("../../migrations/sqlite/source/0003_records_by_time.sql")),
        ],
        MIGRATIONS,
    )
}

fn position(text: &str) -> Result<i64> {
    text.parse().map_err(|_| SourceError::Foreign(text.to_owned()))
}

/// The `seq` that a bound is.
fn seq_of(bound: &Bound) -> Result<i64> {
    position(without_mark(bound).0)
}

fn seqs(keys: &[String]) -> Result<Vec<i64>> {
    keys.iter().map(|key| position(key)).collect()
}

async fn leave(connection: &mut SqliteConnection, mark: &Mark) -> Result<()> {
    sqlx::query("INSERT INTO auditferry_mark (ledger, number) VALUES ($1, $2)")
        .bind(&mark.ledger)
        .bind(SqlCount(mark.number))
        .execute(connection)
        .await?;
    Ok(())
}

async fn newest_seq(connection: &mut SqliteConnection) -> Result<i64> {
    let newest = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM audit_log");
    Ok(newest.fetch_one(connection).await?)
}

/// `2026-11-21T04:00:00` and the digits of the second, if it has any, without the `Z`.
fn time_text(at: Timestamp) -> String {
    Offset::UTC.to_datetime(at).to_string()
}

fn parse_time(text: &str) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(text.strip_suffix('Z')?.parse::<DateTime>().ok()?).ok()
}

#[async_trait]
impl Source for SqliteSource {
    async fn migrate(&self) -> Result<()> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        super::migrated(migrator().run_direct(None, &mut *tx, false).await)?;
        Ok(tx.commit().await?)
    }

    async fn check(&self) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        super::schema_result(database::schema_state(&migrator(), &mut *connection).await?)
    }

    fn shares_bounds(&self) -> bool {
        true
    }

    fn beginning(&self) -> Bound {
        Bound("0".to_owned())
    }

    fn keeps_marks(&self) -> bool {
        true
    }

    async fn leave_mark(&self, mark: &Mark) -> Result<()> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        leave(&mut tx, mark).await?;
        Ok(tx.commit().await?)
    }

    async fn capture(&self, mark: &Mark) -> Result<Bound> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        leave(&mut tx, mark).await?;
        let newest = newest_seq(&mut tx).await?;
        tx.commit().await?;
        Ok(with_mark(&newest.to_string(), &mark.to_string()))
    }

    async fn newest_mark(&self, ledger: &str) -> Result<u64> {
        let SqlCount(number) =
            sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM auditferry_mark WHERE ledger = $1")
                .bind(ledger)
                .fetch_one(&self.pool)
                .await?;
        Ok(number)
    }

    async fn newest_mark_of_others(&self, ledger: &str) -> Result<Option<Timestamp>> {
        let newest: Option<SqlTime> =
            sqlx::query_scalar("SELECT max(captured_at) FROM auditferry_mark WHERE ledger <> $1")
                .bind(ledger)
                .fetch_one(&self.pool)
                .await?;
        Ok(newest.map(|at| at.0))
    }

    async fn recognise(&self, _: &AccountId, bound: &Bound) -> Result<()> {
        let (_, Some(text)) = without_mark(bound) else { return Ok(()) };
        let mark = Mark::parse(text).ok_or_else(|| SourceError::Foreign(bound.0.clone()))?;
        let there: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM auditferry_mark WHERE ledger = $1 AND number = $2")
                .bind(&mark.ledger)
                .bind(i64::try_from(mark.number).unwrap_or(i64::MAX))
                .fetch_optional(&self.pool)
                .await?;
        there.map(drop).ok_or_else(|| mark_is_gone(text))
    }

    fn check_order(&self, lo: &Bound, hi: &Bound) -> Result<()> {
        if seq_of(hi)? < seq_of(lo)? {
            return Err(SourceError::Rewound(format!("it stands at {hi}, behind {lo}")));
        }
        Ok(())
    }

    async fn forget_marks(&self, ledger: &str, before: Timestamp, kept: SignedDuration) -> Result<()> {
        sqlx::query(
            "DELETE FROM auditferry_mark WHERE ledger = $1 \
             AND captured_at < min($2, (unixepoch() - $3) * 1000000)",
        )
        .bind(ledger)
        .bind(SqlTime(before))
        .bind(kept.as_secs())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn read(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Record)>> {
        let lo = seq_of(&set.lo)?;
        let from = after.map_or(Ok(lo), |cursor| position(&cursor.0))?;
        let sql = format!(
            "SELECT seq, occurred_at, email, action, action_id, description, ip_address \
             FROM audit_log WHERE {CLOSED_SET} AND {NOT_SKIPPED} ORDER BY seq LIMIT $8"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(account.as_str())
            .bind(from.max(lo))
            .bind(seq_of(&set.hi)?)
            .bind(set.since.map(time_text))
            .bind(set.until.map(time_text))
            .bind(set.ahead.as_ref().map(|ahead| seq_of(&ahead.bound)).transpose()?)
            .bind(set.ahead.as_ref().map(|ahead| time_text(ahead.before)))
            .bind(i64::from(limit))
            .bind(sqlx::types::Json(seqs(&set.skipped)?))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(record).collect()
    }

    async fn waiting(&self, account: &AccountId, watermark: &Watermark) -> Result<Waiting> {
        let set =
            undelivered(watermark, Bound(newest_seq(&mut *self.pool.acquire().await?).await?.to_string()));
        let sql = format!(
            "SELECT count(*) AS records, min(rtrim(occurred_at, 'Z')) || 'Z' AS oldest \
             FROM (SELECT occurred_at FROM audit_log WHERE {CLOSED_SET} LIMIT $8)"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(account.as_str())
            .bind(seq_of(&set.lo)?)
            .bind(seq_of(&set.hi)?)
            .bind(set.since.map(time_text))
            .bind(set.until.map(time_text))
            .bind(set.ahead.as_ref().map(|ahead| seq_of(&ahead.bound)).transpose()?)
            .bind(set.ahead.as_ref().map(|ahead| time_text(ahead.before)))
            .bind(i64::from(WAITING_LIMIT))
            .fetch_one(&self.pool)
            .await?;
        Ok(Waiting {
            records: row.try_get::<SqlCount, _>("records")?.0,
            // One that is no text says so when it is read.
            oldest: row.try_get::<Option<String>, _>("oldest").ok().flatten().as_deref().and_then(parse_time),
        })
    }

    async fn import(&self, account: &AccountId) -> Result<Box<dyn Import>> {
        let tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Box::new(SqliteImport { tx, account: account.clone() }))
    }
}

fn record(row: &sqlx::sqlite::SqliteRow) -> Result<(Cursor, Record)> {
    let seq: i64 = row.try_get("seq")?;
    // SQLite takes any bytes for a text.
    let unreadable = |column: &str| SourceError::BadRecord {
        key: seq.to_string(),
        problem: format!("{column} is not UTF-8"),
    };
    let text = |column: &str| row.try_get::<String, _>(column).map_err(|_| unreadable(column));
    let maybe = |column: &str| row.try_get::<Option<String>, _>(column).map_err(|_| unreadable(column));
    let occurred_at = text("occurred_at")?;
    let occurred_at = parse_time(&occurred_at).ok_or_else(|| SourceError::BadRecord {
        key: seq.to_string(),
        problem: format!("occurred_at {occurred_at:?} is not an instant"),
    })?;
    let record = Record {
        occurred_at,
        email: text("email")?,
        action: text("action")?,
        action_id: maybe("action_id")?,
        description: text("description")?,
        ip_address: maybe("ip_address")?,
    };
    Ok((Cursor(seq.to_string()), record))
}

struct SqliteImport {
    tx: Transaction<'static, Sqlite>,
    account: AccountId,
}

#[async_trait]
impl Import for SqliteImport {
    async fn append(&mut self, records: &[Record]) -> Result<()> {
        for record in records {
            sqlx::query(
                "INSERT INTO audit_log (account_id, occurred_at, email, action, action_id, description, \
                 ip_address) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(self.account.as_str())
            .bind(format!("{}Z", time_text(record.occurred_at)))
            .bind(&record.email)
            .bind(&record.action)
            .bind(&record.action_id)
            .bind(&record.description)
            .bind(&record.ip_address)
            .execute(&mut *self.tx)
            .await?;
        }
        Ok(())
    }

    async fn note_change(&mut self, ledger: &str, number: u64) -> Result<bool> {
        let noted =
            sqlx::query(NOTE_CHANGE).bind(ledger).bind(SqlCount(number)).execute(&mut *self.tx).await?;
        Ok(noted.rows_affected() > 0)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_stored_so_that_texts_compare_like_instants() {
        let at = |text: &str| text.parse::<Timestamp>().expect("instant");
        assert_eq!(time_text(at("2026-11-21T04:00:00.120Z")), "2026-11-21T04:00:00.12");
        assert_eq!(time_text(at("2026-11-21T04:00:00Z")), "2026-11-21T04:00:00");
        assert_eq!(parse_time("2026-11-21T04:00:00.12Z"), Some(at("2026-11-21T04:00:00.12Z")));
        assert_eq!(parse_time("2026-11-21 04:00"), None);
    }
}
