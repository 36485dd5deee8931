//! A vendor's own table on PostgreSQL, of which we only SELECT.
//!
//! A row's system column `xmin` tells which transaction wrote it. A bound is the horizon:
//! below it every transaction has finished, a savepoint's too. See ARCHITECTURE.md,
//! "A vendor's table", for why the set between two of them is closed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::{AssertSqlSafe, Row as _};

use super::patience::patiently;
use super::{Adopted, Holder, Import, Kept, Result, Source, SourceError, Standing, WAITING_LIMIT, Waiting};
use crate::base::database::{self, Connect, Pg, Session};
use crate::base::sql_count::SqlCount;
use crate::base::sql_time::SqlTime;
use crate::settings::TableSettings;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Cursor, Mark, RecordSet, Watermark};
use auditferry_core::model::record::Record;

mod browse;
mod catalogue;
mod columns;
mod node;
mod point;
mod record;
mod rows;

pub(super) use browse::TableBrowser;
use columns::Columns;
use node::Node;
use point::{DISTINCT_IDS, Point, Tally};
use record::{parse_cursor, record};
use rows::{Rows, Set};

/// How often, and with which pause, the server is asked whether its log is on disk: half a minute.
const FLUSH_ASKED: u32 = 600;
const FLUSH_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct TableSource {
    pool: Pg,
    settings: TableSettings,
    /// What the catalogue said when it was last asked.
    columns: RwLock<Option<Arc<Columns>>>,
}

/// One look at the table: all its statements see the same rows.
struct Look {
    pool: Pg,
    tx: Session,
    node: Node,
    columns: Arc<Columns>,
}

impl TableSource {
    pub(super) fn open(url: &str, connect: Connect, settings: TableSettings) -> Result<Self> {
        let pool = database::postgres(url, connect).map_err(SourceError::Url)?;
        Ok(Self { pool, settings, columns: RwLock::new(None) })
    }

    fn name(&self) -> String {
        format!("{}.{}", self.settings.schema, self.settings.name)
    }

    async fn begin(&self) -> Result<Session> {
        // A policy that would hide rows becomes an error.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off";
        Ok(database::begin_with(&self.pool, begin).await?)
    }

    async fn look_up(&self, tx: &mut Session) -> Result<Arc<Columns>> {
        let columns = Arc::new(catalogue::look_up(tx, &self.settings).await?);
        *self.columns.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&columns));
        Ok(columns)
    }

    /// What the catalogue said when it was last asked; it is asked when it never was.
    async fn columns(&self, tx: &mut Session) -> Result<Arc<Columns>> {
        let known = self.columns.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(columns) => Ok(columns),
            None => self.look_up(tx).await,
        }
    }

    async fn look(&self) -> Result<Look> {
        database::in_time(async {
            let mut tx = self.begin().await?;
            let node = Node::ask(&mut tx).await?;
            let columns = self.columns(&mut tx).await?;
            Ok(Look { pool: self.pool.clone(), tx, node, columns })
        })
        .await
    }

    /// Waits until the log is on disk up to a position: until then a crash could undo commits
    /// that we have seen, and their ids would be given again. We write nothing, but a
    /// transaction that takes an id and ends makes the server write its log soon.
    async fn flush(&self, lsn: &str) -> Result<()> {
        for asked in 0..FLUSH_ASKED {
            if database::in_time(self.is_flushed(lsn, asked == 0)).await? {
                return Ok(());
            }
            tokio::time::sleep(FLUSH_PAUSE).await;
        }
        Err(SourceError::NotFlushed(lsn.to_owned()))
    }

    async fn is_flushed(&self, lsn: &str, hurry: bool) -> Result<bool> {
        let mut tx = database::begin(&self.pool).await?;
        let flushed: bool = sqlx::query_scalar("SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn")
            .bind(lsn)
            .fetch_one(&mut tx)
            .await?;
        if hurry && !flushed {
            // As text: of a type that it does not know, sqlx asks in between.
            sqlx::query("SELECT pg_current_xact_id()::text").execute(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(flushed)
    }

    /// That an account's rows below a point are what they were.
    async fn verify(&self, look: &mut Look, account: &AccountId, point: &Point) -> Result<()> {
        look.node.check(point)?;
        if look.node.top - point.horizon >= DISTINCT_IDS {
            return Err(SourceError::Rewritten(format!(
                "the source has given more than 4 billion transaction ids since {}, so that rows of {} from before \
                 and after it look alike. Go on with `auditferry account rewind {account} --accept --from INSTANT`",
                point.at,
                self.name()
            )));
        }
        let Some(before) = &point.below else { return Ok(()) };
        let now = look.tally(account, &Rows::below(point)).await?;
        if now == *before { Ok(()) } else { Err(self.changed(&look.node, point, before, &now)) }
    }

    /// What it means that rows are not what they were.
    fn changed(&self, node: &Node, point: &Point, before: &Tally, now: &Tally) -> SourceError {
        let (table, was, is) = (self.name(), before.records, now.records);
        let found = format!(
            "of the account's rows in {table} that were committed up to {} and occurred since {}, {was} were there, \
             and now {is} are{}",
            point.at,
            point.deep,
            if was == is { ", but not the same" } else { "" }
        );
        if node.timeline != point.timeline {
            return SourceError::Rewound(format!(
                "{found}; the server's timeline was {} and is {}: it was restored from a backup, or failed over to a \
                 standby that had not received the last commits",
                point.timeline, node.timeline
            ));
        }
        SourceError::Rewritten(found)
    }

    /// That a page which ends its set saw the rows for which the window was planned.
    async fn verify_window(&self, look: &mut Look, account: &AccountId, set: &Set) -> Result<()> {
        let Some(hi) = &set.hi else { return Ok(()) };
        let Some(before) = &hi.window else { return Ok(()) };
        let rows = Rows { since: set.since, ..Rows::between(set.lo.as_ref(), hi) };
        let now = look.tally(account, &rows).await?;
        if now == *before { Ok(()) } else { Err(self.changed(&look.node, hi, before, &now)) }
    }
}

impl Look {
    async fn tally(&mut self, account: &AccountId, rows: &Rows<'_>) -> Result<Tally> {
        let sql = self.columns.tally();
        let query = rows.bind(sqlx::query(AssertSqlSafe(sql)), account, &self.node);
        let row = patiently(&self.pool, self.node.backend, query.fetch_one(&mut self.tx)).await?;
        Ok(Tally { records: row.try_get("records")?, sum: row.try_get("sum")? })
    }
}

#[async_trait]
impl Source for TableSource {
    async fn migrate(&self) -> Result<()> {
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        super::encoding::check(&mut tx).await?;
        super::functions::check(&mut tx, &super::functions::VENDORS).await?;
        self.look_up(&mut tx).await?;
        // As the worker does before it captures.
        Node::ask(&mut tx).await.map(drop)
    }

    async fn advice(&self) -> Result<Vec<String>> {
        let mut tx = self.begin().await?;
        Ok(catalogue::advice(&mut tx, &self.settings).await?.into_iter().collect())
    }

    async fn holder(&self) -> Result<Option<Holder>> {
        database::in_time(async { Holder::ask(&mut self.begin().await?).await }).await
    }

    fn beginning(&self) -> Bound {
        Point::beginning()
    }

    async fn capture(&self, _: &Mark) -> Result<Bound> {
        let mut look = self.look().await?;
        let next = database::in_time(look.node.next_id(&mut look.tx)).await?;
        let Node { at, horizon, timeline, .. } = look.node;
        let point = Point {
            horizon,
            next,
            at,
            basis: at,
            floor: at,
            deep: at,
            cluster: look.node.cluster.clone(),
            timeline,
            below: None,
            window: None,
        };
        if let Some(lsn) = database::in_time(look.node.end_of_log(&mut look.tx)).await? {
            drop(look);
            self.flush(&lsn).await?;
        }
        point.resting_on(at, self.settings.lookback.0).bound()
    }

    async fn pin(&self, account: &AccountId, after: Option<&Watermark>, hi: &Bound) -> Result<Bound> {
        let Some(hi) = Point::parse(hi)? else { return Ok(hi.clone()) };
        let mut look = self.look().await?;
        look.columns.check_account(account)?;
        look.node.check(&hi)?;
        let mut earlier = Vec::new();
        for bound in after.iter().flat_map(|watermark| watermark.bounds()) {
            let Some(point) = Point::parse(bound)? else { continue };
            check_order(&point, &hi)?;
            self.verify(&mut look, account, &point).await?;
            earlier.push(point);
        }
        let basis = hi.open_since(&earlier);
        let mut hi = hi.resting_on(basis, self.settings.lookback.0);
        // In the snapshot in which what lies below was verified: a row that changes now is missed later.
        hi.below = Some(look.tally(account, &Rows::below(&hi)).await?);
        if let Some(watermark) = after {
            let lo = Point::parse(&watermark.bound)?;
            let rows = Rows { since: watermark.since, ..Rows::between(lo.as_ref(), &hi) };
            hi.window = Some(look.tally(account, &rows).await?);
        }
        hi.bound()
    }

    /// Nothing can be written to a vendor's table.
    fn keeps_marks(&self) -> bool {
        false
    }

    async fn leave_mark(&self, _: &Mark) -> Result<()> {
        Ok(())
    }

    async fn newest_mark(&self, _: &str) -> Result<u64> {
        Ok(0)
    }

    async fn recognise(&self, account: &AccountId, bound: &Bound) -> Result<()> {
        let Some(point) = Point::parse(bound)? else { return Ok(()) };
        self.verify(&mut self.look().await?, account, &point).await
    }

    fn check_order(&self, lo: &Bound, hi: &Bound) -> Result<()> {
        match (Point::parse(lo)?, Point::parse(hi)?) {
            (None, _) => Ok(()),
            (Some(lo), Some(hi)) => check_order(&lo, &hi),
            (Some(lo), None) => Err(behind(0, &lo)),
        }
    }

    async fn kept(&self, account: &AccountId, watermark: &Watermark) -> Result<Option<Kept>> {
        let points = watermark.bounds().map(Point::parse).collect::<Result<Vec<_>>>()?;
        let Some(needed_since) = points.iter().flatten().map(|point| point.deep).min() else {
            return Ok(None);
        };
        let mut look = self.look().await?;
        let sql = look.columns.oldest();
        let query = sqlx::query(AssertSqlSafe(sql)).bind(account.as_str()).bind(i64::from(WAITING_LIMIT));
        let row = patiently(&self.pool, look.node.backend, query.fetch_one(&mut look.tx)).await?;
        let oldest = row.try_get::<Option<SqlTime>, _>("oldest").unwrap_or(None).map(|at| at.0);
        let early = row.try_get::<SqlCount, _>("early")?.0;
        Ok(Some(Kept { needed_since, oldest, early }))
    }

    fn forgive(&self, bound: &Bound) -> Result<Bound> {
        match Point::parse(bound)? {
            None => Ok(bound.clone()),
            Some(point) => point.forgiven().bound(),
        }
    }

    async fn adopt(&self, _: &[Standing], _: bool) -> Result<Adopted> {
        Err(SourceError::Table(format!(
            "source.kind: {} is your own table, of which we only read, and nothing can be left in it that shows a move \
             to another PostgreSQL cluster; go on with `auditferry account rewind ACCOUNT --accept --from INSTANT`",
            self.name()
        )))
    }

    async fn forget_marks(&self, _: &str, _: Timestamp, _: SignedDuration) -> Result<()> {
        Ok(())
    }

    async fn read(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Record)>> {
        let (at, key) = after.map(parse_cursor).transpose()?.unzip();
        let skipped = set.skipped.clone();
        let set = Set::of(set)?;
        let mut look = self.look().await?;
        look.columns.check_account(account)?;
        for point in set.lo.iter().chain(&set.hi) {
            look.node.check(point)?;
        }
        let sql = look.columns.page();
        let query = set
            .rows()
            .bind(sqlx::query(AssertSqlSafe(sql)), account, &look.node)
            .bind(at)
            .bind(key)
            .bind(i64::from(limit))
            .bind(&skipped);
        let rows = patiently(&self.pool, look.node.backend, query.fetch_all(&mut look.tx)).await?;
        if rows.len() < limit as usize {
            // With what is skipped: it is among the rows that were counted.
            self.verify_window(&mut look, account, &set).await?;
        }
        rows.iter().map(|row| record(row, &self.settings.time)).collect()
    }

    async fn waiting(&self, account: &AccountId, watermark: &Watermark) -> Result<Waiting> {
        // With what waits for the end of an older transaction: it has been committed.
        let set = Set::of(&super::undelivered(watermark, Point::beginning()))?;
        let mut look = self.look().await?;
        look.columns.check_account(account)?;
        let sql = look.columns.count();
        let query = set.rows().bind(sqlx::query(AssertSqlSafe(sql)), account, &look.node);
        let query = query.bind(i64::from(WAITING_LIMIT));
        let row = patiently(&self.pool, look.node.backend, query.fetch_one(&mut look.tx)).await?;
        Ok(Waiting {
            records: row.try_get::<SqlCount, _>("records")?.0,
            oldest: row.try_get::<Option<SqlTime>, _>("oldest")?.map(|at| at.0),
        })
    }

    async fn import(&self, _: &AccountId) -> Result<Box<dyn Import>> {
        Err(SourceError::Table(format!(
            "source.kind: {} is your own table, of which we only read; insert records as your application does",
            self.name()
        )))
    }
}

fn check_order(lo: &Point, hi: &Point) -> Result<()> {
    if hi.horizon < lo.horizon { Err(behind(hi.horizon, lo)) } else { Ok(()) }
}

fn behind(horizon: i64, point: &Point) -> SourceError {
    SourceError::Rewound(format!(
        "its transactions have come to {horizon}, and at {} they had come to {}",
        point.at, point.horizon
    ))
}
