//! Our own table by the time at which records occurred, in the order of the index `audit_log_time`.

use std::cmp::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row as _};

use super::PostgresSource;
use super::rows::Place as CommitPlace;
use super::sets::BY_THE_INDEX;
use crate::base::database::{self, Connect, Session};
use crate::base::sql_count::SqlCount;
use crate::base::sql_time::SqlTime;
use crate::source::browse::{
    Browser, COUNTING, Closed, Found, Look, RecordPage, condition, cut, patterns, place, within,
};
use crate::source::{Result, SourceError, without_mark};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::record::Record;
use auditferry_core::model::record_query::{Place, Turn};

/// A record's columns.
const COLUMNS: &str = "seq, occurred_at, email, action, action_id, description, ip_address";

/// The fields that a filter looks at.
const TEXTS: [&str; 5] = ["email", "action", "action_id", "description", "ip_address"];

/// Our own table on PostgreSQL, read by time.
pub(in crate::source) struct PostgresBrowser {
    source: PostgresSource,
    patience: Duration,
}

impl PostgresBrowser {
    pub(in crate::source) fn open(url: &str, connect: Connect, patience: Duration) -> Result<Self> {
        Ok(Self { source: PostgresSource::open(url, connect)?, patience })
    }

    /// A transaction that only reads, in which a statement may take `patience`.
    async fn begin(&self, patience: Duration) -> Result<Session> {
        begin(&self.source.pool, "BEGIN READ ONLY; SET LOCAL row_security = off", patience).await
    }
}

/// A transaction in which a statement may take `patience`, and follows the index.
pub(in crate::source) async fn begin(
    pool: &database::Pg,
    statement: &'static str,
    patience: Duration,
) -> Result<Session> {
    let mut tx = database::begin_with(pool, statement).await?;
    let sql = format!("SELECT set_config('statement_timeout', $1, true), {BY_THE_INDEX}");
    let millis = patience.as_millis().to_string();
    sqlx::query(AssertSqlSafe(sql)).bind(millis).execute(&mut tx).await?;
    Ok(tx)
}

/// Where a record stands: its time and its number.
fn spot(at: &Place) -> Result<(SqlTime, i64)> {
    let parse = || {
        let (micros, seq) = at.0.split_once('_')?;
        Some((SqlTime(Timestamp::from_microsecond(micros.parse().ok()?).ok()?), seq.parse().ok()?))
    };
    parse().ok_or(SourceError::NoPlace)
}

/// Binds what every statement begins with: `$1` account, `$2` `$3` the span, `$4` to `$8` the filter.
fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    account: &'q AccountId,
    look: &Look<'_>,
) -> Query<'q, Postgres, PgArguments> {
    let query = query.bind(account.as_str()).bind(SqlTime(look.span.from)).bind(SqlTime(look.span.to));
    patterns(look.filter).into_iter().fold(query, Query::bind).persistent(false)
}

fn wanted(look: &Look<'_>) -> String {
    format!(
        "account_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND {}",
        condition(TEXTS, look.filter, 4)
    )
}

fn record(row: &PgRow) -> Result<(Place, Record)> {
    let seq: i64 = row.try_get("seq")?;
    let SqlTime(occurred_at) = row.try_get("occurred_at")?;
    let record = Record {
        occurred_at,
        email: row.try_get("email")?,
        action: row.try_get("action")?,
        action_id: row.try_get("action_id")?,
        description: row.try_get("description")?,
        ip_address: row.try_get("ip_address")?,
    };
    Ok((place(occurred_at.as_microsecond(), seq), record))
}

#[async_trait]
impl Browser for PostgresBrowser {
    async fn page(&self, account: &AccountId, look: &Look<'_>, turn: &Turn, size: u32) -> Result<RecordPage> {
        let (beyond, order, from) = match turn {
            Turn::First => ("", "DESC", None),
            Turn::Older(place) => (" AND (occurred_at, seq) < ($10, $11)", "DESC", Some(spot(place)?)),
            Turn::Newer(place) => (" AND (occurred_at, seq) > ($10, $11)", "ASC", Some(spot(place)?)),
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_log WHERE {}{beyond} ORDER BY occurred_at {order}, seq {order} LIMIT $9",
            wanted(look)
        );
        let rows = within(self.patience, async {
            let mut tx = self.begin(self.patience).await?;
            let query = bind(sqlx::query(AssertSqlSafe(sql)), account, look).bind(i64::from(size) + 1);
            let query = match from {
                Some((at, seq)) => query.bind(at).bind(seq),
                None => query,
            };
            Ok(query.fetch_all(&mut tx).await?)
        });
        let records = rows.await?.iter().map(record).collect::<Result<Vec<_>>>()?;
        Ok(cut(records, turn, size))
    }

    async fn record(&self, account: &AccountId, at: &Place) -> Result<Option<Found>> {
        let (occurred_at, seq) = spot(at)?;
        let sql = format!(
            "SELECT tx::text::bigint AS tx, {COLUMNS} FROM audit_log \
             WHERE account_id = $1 AND occurred_at = $2 AND seq = $3"
        );
        let row = within(self.patience, async {
            let mut tx = self.begin(self.patience).await?;
            let query = sqlx::query(AssertSqlSafe(sql)).bind(account.as_str()).bind(occurred_at).bind(seq);
            Ok(query.fetch_optional(&mut tx).await?)
        });
        let Some(row) = row.await? else { return Ok(None) };
        let tx = row.try_get::<i64, _>("tx")?.cast_unsigned();
        Ok(Some(Found {
            record: record(&row)?.1,
            cursor: CommitPlace { tx, seq }.cursor(),
            before: CommitPlace { tx, seq: seq - 1 }.cursor(),
        }))
    }

    async fn count(&self, account: &AccountId, look: &Look<'_>, most: u32) -> Result<u64> {
        let sql = format!(
            "SELECT count(*) AS records FROM (SELECT FROM audit_log WHERE {} \
             ORDER BY occurred_at DESC, seq DESC LIMIT $9) AS counted",
            wanted(look)
        );
        let patience = self.patience.min(COUNTING);
        let row = within(patience, async {
            let mut tx = self.begin(patience).await?;
            let query = bind(sqlx::query(AssertSqlSafe(sql)), account, look).bind(i64::from(most));
            Ok(query.fetch_one(&mut tx).await?)
        });
        Ok(row.await?.try_get::<SqlCount, _>("records")?.0)
    }

    async fn closed(
        &self,
        account: &AccountId,
        look: &Look<'_>,
        set: &Closed<'_>,
        patience: Duration,
    ) -> Result<Vec<(Place, Record)>> {
        let after = set.after.map(spot).transpose()?;
        let beyond = if after.is_some() { " AND (occurred_at, seq) > ($11, $12)" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_log WHERE {} AND pg_visible_in_snapshot(tx, $10::text::pg_snapshot){beyond} \
             ORDER BY occurred_at, seq LIMIT $9",
            wanted(look)
        );
        let rows = within(patience, async {
            let mut tx = self.begin(patience).await?;
            let query = bind(sqlx::query(AssertSqlSafe(sql)), account, look)
                .bind(i64::from(set.limit))
                .bind(without_mark(set.bound).0);
            let query = match after {
                Some((at, seq)) => query.bind(at).bind(seq),
                None => query,
            };
            Ok(query.fetch_all(&mut tx).await?)
        });
        rows.await?.iter().map(record).collect()
    }

    fn compare(&self, one: &Cursor, other: &Cursor) -> Option<Ordering> {
        Some(CommitPlace::of(one).ok()?.cmp(&CommitPlace::of(other).ok()?))
    }

    fn is_ours(&self) -> bool {
        true
    }
}
