//! Our own table on SQLite by the time at which records occurred, in the order of the index `audit_log_time`.
//!
//! Filters are looked at here and not in SQL: SQLite knows the case of ASCII letters only. A search that takes too long
//! ends with its next row, because nobody takes it any more.

use std::cmp::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row as _};

use super::{SqliteSource, position, record, seq_of, time_text};
use crate::source::browse::{Browser, COUNTING, Closed, Found, Look, RecordPage, cut, within};
use crate::source::{Result, SourceError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::record::Record;
use auditferry_core::model::record_query::{Place, Turn};

/// A record's columns, and its time as the index has it.
const COLUMNS: &str = "seq, occurred_at, email, action, action_id, description, ip_address, \
    rtrim(occurred_at, 'Z') AS at";

/// Our own table on SQLite, read by time.
pub(in crate::source) struct SqliteBrowser {
    source: SqliteSource,
    patience: Duration,
}

/// Which rows are read, and from where on.
struct Reading {
    /// From this time on.
    from: String,
    /// Before this time.
    to: String,
    /// Beyond this row, in the direction of reading.
    beyond: Option<(String, i64)>,
    ascending: bool,
    /// No row that came later.
    newest: i64,
    limit: usize,
}

impl SqliteBrowser {
    pub(in crate::source) async fn open(url: &str, patience: Duration) -> Result<Self> {
        Ok(Self { source: SqliteSource::open(url).await?, patience })
    }

    async fn read(
        &self,
        account: &AccountId,
        look: &Look<'_>,
        reading: Reading,
    ) -> Result<Vec<(Place, Record)>> {
        let (order, beyond) = if reading.ascending { ("ASC", ">") } else { ("DESC", "<") };
        // The first of the two narrows the index; of the plus sign SQLite knows that it is not to be used for it.
        let beyond = match &reading.beyond {
            None => String::new(),
            Some(_) => format!(
                " AND rtrim(occurred_at, 'Z') {beyond}= $5 AND (+rtrim(occurred_at, 'Z'), +seq) {beyond} ($5, $6)"
            ),
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_log WHERE account_id = $1 AND rtrim(occurred_at, 'Z') >= $2 \
             AND rtrim(occurred_at, 'Z') < $3 AND +seq <= $4{beyond} \
             ORDER BY rtrim(occurred_at, 'Z') {order}, seq {order}"
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(account.as_str())
            .bind(reading.from)
            .bind(reading.to)
            .bind(reading.newest);
        let query = match reading.beyond {
            Some((at, seq)) => query.bind(at).bind(seq),
            None => query,
        };
        let mut rows = query.fetch(&self.source.pool);
        let mut found = Vec::new();
        while found.len() < reading.limit
            && let Some(row) = rows.try_next().await?
        {
            let (_, record) = record(&row)?;
            if look.filter.matches(&record.borrow()) {
                let (at, seq): (String, i64) = (row.try_get("at")?, row.try_get("seq")?);
                found.push((Place(format!("{at}_{seq}")), record));
            }
        }
        Ok(found)
    }
}

/// Where a record stands: its time as the index has it, and its number.
fn spot(place: &Place) -> Result<(String, i64)> {
    let (at, seq) = place.0.split_once('_').ok_or(SourceError::NoPlace)?;
    Ok((at.to_owned(), seq.parse().map_err(|_| SourceError::NoPlace)?))
}

#[async_trait]
impl Browser for SqliteBrowser {
    async fn page(&self, account: &AccountId, look: &Look<'_>, turn: &Turn, size: u32) -> Result<RecordPage> {
        let beyond = match turn {
            Turn::First => None,
            Turn::Older(place) | Turn::Newer(place) => Some(spot(place)?),
        };
        let reading = Reading {
            from: time_text(look.span.from),
            to: time_text(look.span.to),
            beyond,
            ascending: matches!(turn, Turn::Newer(_)),
            newest: i64::MAX,
            limit: size as usize + 1,
        };
        let records = limited(self.patience, self.read(account, look, reading)).await?;
        Ok(cut(records, turn, size))
    }

    async fn record(&self, account: &AccountId, place: &Place) -> Result<Option<Found>> {
        let (at, seq) = spot(place)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_log WHERE account_id = $1 AND rtrim(occurred_at, 'Z') = $2 AND seq = $3"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(account.as_str()).bind(at).bind(seq);
        let row = within(self.patience, async { Ok(query.fetch_optional(&self.source.pool).await?) });
        let Some(row) = row.await? else { return Ok(None) };
        let (cursor, record) = record(&row)?;
        Ok(Some(Found { record, cursor, before: Cursor((seq - 1).to_string()) }))
    }

    async fn count(&self, account: &AccountId, look: &Look<'_>, most: u32) -> Result<u64> {
        let reading = Reading {
            from: time_text(look.span.from),
            to: time_text(look.span.to),
            beyond: None,
            ascending: false,
            newest: i64::MAX,
            limit: most as usize,
        };
        let patience = self.patience.min(COUNTING);
        Ok(limited(patience, self.read(account, look, reading)).await?.len() as u64)
    }

    async fn closed(
        &self,
        account: &AccountId,
        look: &Look<'_>,
        set: &Closed<'_>,
        patience: Duration,
    ) -> Result<Vec<(Place, Record)>> {
        let reading = Reading {
            from: time_text(look.span.from),
            to: time_text(look.span.to),
            beyond: set.after.map(spot).transpose()?,
            ascending: true,
            newest: seq_of(set.bound)?,
            limit: set.limit as usize,
        };
        limited(patience, self.read(account, look, reading)).await
    }

    fn compare(&self, one: &Cursor, other: &Cursor) -> Option<Ordering> {
        Some(position(&one.0).ok()?.cmp(&position(&other.0).ok()?))
    }

    fn is_ours(&self) -> bool {
        true
    }
}

/// SQLite breaks nothing off by itself.
async fn limited<T>(patience: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(patience, answer).await.unwrap_or(Err(SourceError::TooSlow(patience)))
}
