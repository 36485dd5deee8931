//! A vendor's table by the time at which records occurred. Its index begins with the time, or the account and it.

use std::cmp::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row as _};

use super::columns::Columns;
use super::node::Node;
use super::point::Point;
use super::record::{parse_cursor, record};
use super::rows::Rows;
use super::{Arc, TableSource};
use crate::base::database::{Connect, Session};
use crate::base::sql_count::SqlCount;
use crate::base::sql_time::SqlTime;
use crate::settings::TableSettings;
use crate::source::browse::{
    Browser, COUNTING, Closed, Found, Look, RecordPage, cut, patterns, place, within,
};
use crate::source::{Result, SourceError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::record::Record;
use auditferry_core::model::record_query::{Place, Turn};

/// As every look at the table, without its own time.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off";

/// A vendor's table, read by time.
pub(in crate::source) struct TableBrowser {
    source: TableSource,
    patience: Duration,
}

impl TableBrowser {
    pub(in crate::source) fn open(
        url: &str,
        connect: Connect,
        table: TableSettings,
        patience: Duration,
    ) -> Result<Self> {
        Ok(Self { source: TableSource::open(url, connect, table)?, patience })
    }

    /// A transaction in which a statement may take `patience`, and how the table is read.
    async fn begin(&self, account: &AccountId, patience: Duration) -> Result<(Session, Arc<Columns>)> {
        let mut tx = crate::source::postgres::begin_browsing(&self.source.pool, BEGIN, patience).await?;
        let columns = self.source.columns(&mut tx).await?;
        columns.check_account(account)?;
        Ok((tx, columns))
    }

    fn read(&self, row: &sqlx::postgres::PgRow) -> Result<(Place, Record)> {
        let (cursor, record) = record(row, &self.source.settings.time)?;
        let key = cursor.0.split_once(':').map(|(_, key)| key).unwrap_or_default();
        Ok((place(record.occurred_at.as_microsecond(), key), record))
    }
}

/// A place is a cursor with another sign between its parts.
fn spot(place: &Place) -> Result<(SqlTime, String)> {
    parse_cursor(&Cursor(place.0.replacen('_', ":", 1))).map_err(|_| SourceError::NoPlace)
}

/// What PostgreSQL says of a key that is none of the column's type.
fn no_key<T>(answer: Result<T>) -> Result<T> {
    answer.map_err(|error| match &error {
        SourceError::Database(sqlx::Error::Database(database))
            if matches!(database.code().as_deref(), Some("22P02" | "22003")) =>
        {
            SourceError::NoPlace
        }
        _ => error,
    })
}

/// Binds the span and the filter.
fn bind<'q>(query: Query<'q, Postgres, PgArguments>, look: &Look<'_>) -> Query<'q, Postgres, PgArguments> {
    let query = query.bind(SqlTime(look.span.from)).bind(SqlTime(look.span.to));
    patterns(look.filter).into_iter().fold(query, Query::bind).persistent(false)
}

#[async_trait]
impl Browser for TableBrowser {
    async fn page(&self, account: &AccountId, look: &Look<'_>, turn: &Turn, size: u32) -> Result<RecordPage> {
        let (beyond, ascending, from) = match turn {
            Turn::First => (None, false, None),
            Turn::Older(place) => (Some("<"), false, Some(spot(place)?)),
            Turn::Newer(place) => (Some(">"), true, Some(spot(place)?)),
        };
        let rows = within(self.patience, async {
            let (mut tx, columns) = self.begin(account, self.patience).await?;
            let query = sqlx::query(AssertSqlSafe(columns.by_time(look.filter, beyond, ascending)))
                .bind(account.as_str());
            let query = bind(query, look).bind(i64::from(size) + 1);
            let query = match from {
                Some((at, key)) => query.bind(at).bind(key),
                None => query,
            };
            Ok(query.fetch_all(&mut tx).await?)
        });
        let records = no_key(rows.await)?.iter().map(|row| self.read(row)).collect::<Result<Vec<_>>>()?;
        Ok(cut(records, turn, size))
    }

    async fn record(&self, account: &AccountId, place: &Place) -> Result<Option<Found>> {
        let (at, key) = spot(place)?;
        let row = within(self.patience, async {
            let (mut tx, columns) = self.begin(account, self.patience).await?;
            let query = sqlx::query(AssertSqlSafe(columns.one())).bind(account.as_str()).bind(at).bind(key);
            Ok(query.fetch_optional(&mut tx).await?)
        });
        let Some(row) = no_key(row.await)? else { return Ok(None) };
        let (cursor, record) = record(&row, &self.source.settings.time)?;
        // Of the same key, so that it is of the key's type.
        let before = match cursor.0.split_once(':') {
            Some((_, key)) => Cursor(format!("{}:{key}", record.occurred_at.as_microsecond() - 1)),
            None => cursor.clone(),
        };
        Ok(Some(Found { record, cursor, before }))
    }

    async fn count(&self, account: &AccountId, look: &Look<'_>, most: u32) -> Result<u64> {
        let patience = self.patience.min(COUNTING);
        let row = within(patience, async {
            let (mut tx, columns) = self.begin(account, patience).await?;
            let query = sqlx::query(AssertSqlSafe(columns.count_by_time(look.filter))).bind(account.as_str());
            Ok(bind(query, look).bind(i64::from(most)).fetch_one(&mut tx).await?)
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
        let Some(hi) = Point::parse(set.bound)? else { return Ok(Vec::new()) };
        let after = set.after.map(spot).transpose()?;
        let rows = within(patience, async {
            let begun = crate::source::postgres::begin_browsing(&self.source.pool, BEGIN, patience);
            let mut tx = begun.await?;
            let node = Node::ask(&mut tx).await?;
            node.check(&hi)?;
            let columns = self.source.columns(&mut tx).await?;
            columns.check_account(account)?;
            let bounded =
                Rows { since: Some(look.span.from), until: Some(look.span.to), ..Rows::between(None, &hi) };
            let query = sqlx::query(AssertSqlSafe(columns.closed_by_time(look.filter)));
            let query = bounded.bind(query, account, &node).bind(after.as_ref().map(|(at, _)| *at));
            let query = query.bind(after.map(|(_, key)| key)).bind(i64::from(set.limit));
            let query = patterns(look.filter).into_iter().fold(query, Query::bind);
            Ok(query.persistent(false).fetch_all(&mut tx).await?)
        });
        no_key(rows.await)?.iter().map(|row| self.read(row)).collect()
    }

    fn compare(&self, one: &Cursor, other: &Cursor) -> Option<Ordering> {
        let (one, other) = (parse_cursor(one).ok()?, parse_cursor(other).ok()?);
        let keys = match (one.1.parse::<i64>(), other.1.parse::<i64>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            // A uuid is written so that its text has its order.
            _ => one.1.cmp(&other.1),
        };
        Some(one.0.0.cmp(&other.0.0).then(keys))
    }

    fn is_ours(&self) -> bool {
        false
    }
}
