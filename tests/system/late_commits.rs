//! The torture of late commits: transactions that take from a millisecond to seconds, with
//! savepoints and rollbacks, are read every quarter of a second through the real source, and
//! in the same run with three watermarks that others use. Ours loses nothing; each of those does.
//!
//! `AUDITFERRY_TORTURE_SECONDS=120 cargo test --test system -- --nocapture late_commits::`

mod vendors_table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::postgres::busy_cluster;
use crate::support::run;
use auditferry::source::{self, Source};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Mark, RecordSet, Watermark};
use comfy_table::{Table, presets};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

const WRITERS: u64 = 20;
const POLL: Duration = Duration::from_millis(250);
/// How far the third watermark stays behind.
const LAG: Duration = Duration::from_secs(2);

fn writing_time() -> Duration {
    let seconds = std::env::var("AUDITFERRY_TORTURE_SECONDS").ok().map(|text| text.parse().expect("seconds"));
    Duration::from_secs(seconds.unwrap_or(20))
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// How long a transaction takes: mostly milliseconds, one in 20 up to 1 s, one in 50 up to 10 s.
    fn length(&mut self) -> Duration {
        Duration::from_millis(match self.below(100) {
            0..2 => 3_000 + self.below(7_000),
            2..7 => 100 + self.below(900),
            _ => 1 + self.below(40),
        })
    }
}

async fn sql(connection: &mut PgConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(connection).await.unwrap();
}

/// An application's insert: number and time are taken now, long before the commit.
async fn insert(connection: &mut PgConnection, name: &str) {
    sql(
        connection,
        &format!(
            "INSERT INTO audit_log (account_id, occurred_at, email, action) \
             VALUES ('acme', clock_timestamp(), '{name}', 'login')"
        ),
    )
    .await;
}

/// Writes transactions until the time is over; returns the names of what it committed.
async fn write(url: String, writer: u64, until: Instant) -> Vec<String> {
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let (mut dice, mut committed) = (Dice(writer), Vec::new());
    for transaction in 0.. {
        if Instant::now() >= until {
            break;
        }
        let (mut names, steps) = (Vec::new(), 1 + dice.below(4));
        let pause = dice.length() / u32::try_from(steps).unwrap();
        sql(&mut connection, "BEGIN").await;
        for step in 0..steps {
            let name = format!("{writer}.{transaction}.{step}");
            match dice.below(4) {
                0 => {
                    sql(&mut connection, "SAVEPOINT a").await;
                    insert(&mut connection, &format!("{name}.undone")).await;
                    sql(&mut connection, "ROLLBACK TO a").await;
                }
                1 => {
                    // More than 64 ids of one transaction are no longer listed by the server.
                    let deep = if dice.below(8) == 0 { "; SAVEPOINT c".repeat(70) } else { String::new() };
                    sql(&mut connection, &format!("SAVEPOINT a; SAVEPOINT b{deep}")).await;
                    insert(&mut connection, &name).await;
                    sql(&mut connection, "RELEASE a").await;
                    names.push(name);
                }
                _ => {
                    insert(&mut connection, &name).await;
                    names.push(name);
                }
            }
            tokio::time::sleep(pause).await;
        }
        if dice.below(6) == 0 {
            sql(&mut connection, "ROLLBACK").await;
        } else {
            sql(&mut connection, "COMMIT").await;
            committed.extend(names);
        }
        tokio::time::sleep(Duration::from_millis(dice.below(30))).await;
    }
    committed
}

/// How often each record was delivered.
type Delivered = BTreeMap<String, u32>;

/// The real source, and every window that was read.
struct Ours {
    source: Arc<dyn Source>,
    account: AccountId,
    lo: Bound,
    windows: Vec<(RecordSet, Vec<String>)>,
}

impl Ours {
    fn new(source: Arc<dyn Source>) -> Self {
        let lo = source.beginning();
        Self { source, account: "acme".parse().unwrap(), lo, windows: Vec::new() }
    }

    async fn poll(&mut self) {
        let mark = Mark { ledger: "torture".to_owned(), number: self.windows.len() as u64 + 1 };
        let captured = self.source.capture(&mark).await.unwrap();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let lo = Watermark { bound: self.lo.clone(), at, ahead: None, since: None };
        let hi = self.source.pin(&self.account, Some(&lo), &captured).await.unwrap();
        let set = RecordSet::between(self.lo.clone(), hi.clone());
        let names = self.read(&set).await;
        self.windows.push((set, names));
        self.lo = hi;
    }

    /// What all windows gave, once they have been read again by `reader`.
    async fn delivered(&self, reader: &Self) -> Delivered {
        let mut delivered = Delivered::new();
        for (set, names) in &self.windows {
            assert_eq!(&reader.read(set).await, names, "a window is closed: it reads the same for ever");
            for name in names {
                *delivered.entry(name.clone()).or_default() += 1;
            }
        }
        delivered
    }

    async fn read(&self, set: &RecordSet) -> Vec<String> {
        let (mut cursor, mut names, limit) = (None, Vec::new(), 200);
        loop {
            let page = self.source.read(&self.account, set, cursor.as_ref(), limit).await.unwrap();
            let over = page.len() < limit as usize;
            for (position, record) in page {
                cursor = Some(position);
                names.push(record.email);
            }
            if over {
                return names;
            }
        }
    }
}

/// A watermark that does not ask what has finished committing.
struct Naive {
    method: &'static str,
    /// Rows after `$1`, with the place of each.
    select: String,
    watermark: String,
    delivered: Delivered,
    /// A transaction of its own that commits once the watermark has passed its row: without
    /// it, the loss would be left to chance.
    late: Option<(PgConnection, String)>,
}

impl Naive {
    /// `place`: what the watermark is on. `until`: which rows are old enough.
    async fn new(url: &str, method: &'static str, place: &str, until: &str, kind: &str) -> Self {
        let select = format!(
            "SELECT email, ({place})::text AS place FROM audit_log \
             WHERE account_id = 'acme' AND {place} > $1::{kind} AND {until} ORDER BY {place}"
        );
        let mut late = PgConnection::connect(url).await.unwrap();
        sql(&mut late, "BEGIN").await;
        insert(&mut late, &format!("late for {method}")).await;
        let where_it_is = format!("SELECT ({place})::text FROM audit_log WHERE email = 'late for {method}'");
        let at: String = sqlx::query_scalar(AssertSqlSafe(where_it_is)).fetch_one(&mut late).await.unwrap();
        let watermark = if kind == "bigint" { "0" } else { "-infinity" };
        Self {
            method,
            select,
            watermark: watermark.to_owned(),
            delivered: Delivered::new(),
            late: Some((late, format!("SELECT $1::{kind} > '{at}'::{kind}"))),
        }
    }

    async fn poll(&mut self, connection: &mut PgConnection) {
        let rows = sqlx::query(AssertSqlSafe(self.select.clone()))
            .bind(&self.watermark)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        for row in rows {
            *self.delivered.entry(row.get("email")).or_default() += 1;
            self.watermark = row.get("place");
        }
        if let Some((mut late, passed)) = self.late.take() {
            let passed_it: bool = sqlx::query_scalar(AssertSqlSafe(passed.clone()))
                .bind(&self.watermark)
                .fetch_one(connection)
                .await
                .unwrap();
            if passed_it {
                sql(&mut late, "COMMIT").await;
            } else {
                self.late = Some((late, passed));
            }
        }
    }
}

/// What came of one method.
struct Figures {
    method: String,
    committed: usize,
    delivered: usize,
    lost: usize,
    twice: usize,
}

fn compare(method: &str, committed: &BTreeSet<String>, delivered: &Delivered) -> Figures {
    for name in delivered.keys() {
        assert!(committed.contains(name), "{method} delivered {name}, which was rolled back");
    }
    Figures {
        method: method.to_owned(),
        committed: committed.len(),
        delivered: delivered.len(),
        lost: committed.iter().filter(|name| !delivered.contains_key(*name)).count(),
        twice: delivered.values().filter(|times| **times > 1).count(),
    }
}

fn print(all: &[Figures], seconds: u64, windows: usize) {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["method", "committed", "delivered", "lost", "twice"]);
    for of in all {
        let numbers = [of.committed, of.delivered, of.lost, of.twice].map(|number| number.to_string());
        table.add_row(std::iter::once(of.method.clone()).chain(numbers));
    }
    println!("{WRITERS} writers for {seconds} s, {windows} windows:\n{table}");
}

#[test]
fn late_commits_are_lost_by_every_watermark_but_ours() {
    run(async {
        let url = busy_cluster().url(&busy_cluster().create().await);
        let source = source::open(&url, 4).await.unwrap();
        source.migrate().await.unwrap();
        let mut ours = Ours::new(source);
        let lagging = format!("occurred_at <= clock_timestamp() - interval '{} s'", LAG.as_secs());
        let mut naive = [
            Naive::new(&url, "id", "seq", "true", "bigint").await,
            Naive::new(&url, "created_at", "occurred_at", "true", "timestamptz").await,
            Naive::new(&url, "created_at, 2 s behind", "occurred_at", &lagging, "timestamptz").await,
        ];
        let time = writing_time();
        let until = Instant::now() + time;
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| tokio::spawn(write(url.clone(), writer, until))).collect();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        // To the end of the longest transaction, and until the one that lags has seen it.
        let mut over = None;
        while over.is_none_or(|at: Instant| at.elapsed() < LAG * 2) {
            if over.is_none() && writers.iter().all(tokio::task::JoinHandle::is_finished) {
                over = Some(Instant::now());
            }
            let next = tokio::time::Instant::now() + POLL;
            ours.poll().await;
            for method in &mut naive {
                method.poll(&mut connection).await;
            }
            tokio::time::sleep_until(next).await;
        }
        let mut committed = BTreeSet::new();
        for writer in writers {
            committed.extend(writer.await.expect("no writer failed"));
        }
        for method in &naive {
            assert!(method.late.is_none(), "the watermark of {:?} never passed its row", method.method);
            committed.insert(format!("late for {}", method.method));
        }
        let delivered = ours.delivered(&ours).await;
        let mut all = vec![compare("auditferry", &committed, &delivered)];
        all.extend(naive.iter().map(|naive| compare(naive.method, &committed, &naive.delivered)));
        print(&all, time.as_secs(), ours.windows.len());
        assert!(committed.len() > 1_000, "only {} records", committed.len());
        assert_eq!((all[0].lost, all[0].twice), (0, 0), "ours");
        for of in &all[1..] {
            assert!(of.lost >= 1, "the watermark on {} lost nothing: the test sees no loss", of.method);
        }
    });
}
