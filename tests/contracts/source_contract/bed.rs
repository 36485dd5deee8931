//! A fresh source for one test, and an application that writes to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use auditferry::settings::TableSettings;
use auditferry::source::{self, Browser, Source};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Mark, RecordSet};
use auditferry_core::model::record::Record;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::source_contract::together::{Taking, begin};
use crate::support::postgres::{Cluster, cluster};
use crate::support::{eventually, folder, vendor};

/// A source that nobody else has.
pub(crate) struct Bed {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) url: String,
    /// The source is a vendor's table.
    pub(crate) vendor: bool,
    /// How a vendor's table is read.
    pub(crate) reader: Option<(String, TableSettings)>,
}

impl Bed {
    pub(crate) async fn sqlite() -> Self {
        Self::migrated(Self::sqlite_url()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::on(cluster()).await
    }

    pub(crate) async fn on(cluster: &Cluster) -> Self {
        Self::migrated(cluster.url(&cluster.create().await)).await
    }

    /// A vendor's table that is looked at as far back as any test's records are.
    pub(crate) async fn table() -> Self {
        Self::table_on(vendor::cluster(), Duration::from_secs(100 * 365 * 86_400)).await
    }

    pub(crate) async fn table_on(cluster: &Cluster, lookback: Duration) -> Self {
        let database = cluster.create().await;
        vendor::make(cluster, &database).await;
        Self::reading(cluster, &database, &vendor::settings(lookback))
    }

    /// A source that reads a table that is there, as a role that may only read.
    pub(crate) fn reading(cluster: &Cluster, database: &str, settings: &TableSettings) -> Self {
        let reader = vendor::reader(cluster, database);
        let source = source::open_table(&reader, 8, settings.clone()).expect("opens");
        Self { source, url: cluster.url(database), vendor: true, reader: Some((reader, settings.clone())) }
    }

    async fn migrated(url: String) -> Self {
        let bed = Self { source: open(&url).await, url, vendor: false, reader: None };
        bed.source.migrate().await.expect("migrates");
        bed
    }

    /// What reads it by time.
    pub(crate) async fn browser(&self, patience: Duration) -> Arc<dyn Browser> {
        match &self.reader {
            Some((reader, settings)) => {
                source::open_table_browser(reader, 4, settings.clone(), patience).expect("opens")
            }
            None => source::open_browser(&self.url, 4, patience).await.expect("opens"),
        }
    }

    fn sqlite_url() -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("sqlite:{}", folder("sources").join(format!("{number}.db")).display())
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// A database of the same kind with nothing in it.
    pub(crate) async fn empty_url(&self) -> String {
        if self.is_postgres() { cluster().url(&cluster().create().await) } else { Self::sqlite_url() }
    }

    pub(crate) async fn application(&self) -> Application {
        if self.is_postgres() {
            Application::Postgres(PgConnection::connect(&self.url).await.unwrap())
        } else {
            Application::Sqlite(SqliteConnection::connect(&self.url).await.unwrap())
        }
    }

    /// Inserts records of `acme`, each in a transaction of its own.
    pub(crate) async fn insert(&self, records: &[Record]) {
        let mut application = self.application().await;
        for record in records {
            application.insert("acme", record).await.unwrap();
        }
    }

    /// Inserts records of `acme` that occurred at these times of the day.
    pub(crate) async fn insert_at(&self, times: &[&str]) {
        let records: Vec<_> =
            times.iter().map(|time| Record { occurred_at: at(time), ..record(time) }).collect();
        self.insert(&records).await;
    }

    /// The names in the order in which this source gives them: a vendor's table by their times.
    pub(crate) fn in_order<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        let mut names = names.to_vec();
        if self.vendor {
            names.sort_unstable();
        }
        names
    }

    /// A bound after everything that is committed. On a vendor's table a transaction of
    /// another test may hold it up for a moment.
    pub(crate) async fn capture(&self) -> Bound {
        if self.vendor {
            let mut watch = PgConnection::connect(&self.url).await.unwrap();
            let ended = "SELECT pg_current_xact_id()::text::bigint";
            let ended: i64 = sqlx::query_scalar(ended).fetch_one(&mut watch).await.unwrap();
            eventually("older transactions end", async || {
                let horizon = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
                let horizon: i64 = sqlx::query_scalar(horizon).fetch_one(&mut watch).await.unwrap();
                (horizon > ended).then_some(())
            })
            .await;
        }
        self.capture_now().await
    }

    pub(crate) async fn capture_now(&self) -> Bound {
        self.source.capture(&mark()).await.unwrap()
    }

    /// The records of `acme` in a set.
    pub(crate) async fn read(&self, set: &RecordSet) -> Vec<Record> {
        self.read_in_pages(&id("acme"), set, 1000).await
    }

    pub(crate) async fn read_in_pages(&self, account: &AccountId, set: &RecordSet, size: u32) -> Vec<Record> {
        let (mut records, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.source.read(account, set, cursor.as_ref(), size).await.unwrap();
            let count = page.len();
            assert!(count <= size as usize);
            for (position, record) in page {
                cursor = Some(position);
                records.push(record);
            }
            if count < size as usize {
                return records;
            }
        }
    }

    /// [`Bed::read`]; where several sets are begun at once, the first records come just so.
    async fn read_both_ways(&self, set: &RecordSet) -> Vec<Record> {
        let read = self.read(set).await;
        if self.source.together().is_none() || !set.is_whole() {
            return read;
        }
        let mut taking = [Taking::of("acme", set), Taking::of("nobody", set), Taking::of("acme", set)];
        for progress in begin(self, 1_000, &mut taking).await.expect("read") {
            progress.expect("read");
        }
        let [first, nobody, last] = taking.map(|taking| taking.taken);
        assert!(first == read && last == read && nobody.is_empty(), "together with others");
        read
    }

    /// Everything of `acme` that has finished committing.
    pub(crate) async fn everything(&self) -> Vec<Record> {
        self.read_both_ways(&between(&self.source.beginning(), &self.capture().await)).await
    }

    /// The emails of the records in a set: they name the records of most tests.
    pub(crate) async fn names(&self, set: &RecordSet) -> Vec<String> {
        self.read_both_ways(set).await.into_iter().map(|record| record.email).collect()
    }
}

/// A connection of the vendor's application.
pub(crate) enum Application {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Application {
    pub(crate) async fn execute(&mut self, sql: &str) -> sqlx::Result<()> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
        }
    }

    pub(crate) async fn insert(&mut self, account: &str, record: &Record) -> sqlx::Result<()> {
        const COLUMNS: &str = "account_id, occurred_at, email, action, action_id, description, ip_address";
        macro_rules! insert {
            ($connection:expr, $time:literal) => {{
                let values = concat!("$1, ", $time, ", $3, $4, $5, $6, $7");
                let sql = format!("INSERT INTO audit_log ({COLUMNS}) VALUES ({values})");
                sqlx::query(AssertSqlSafe(sql))
                    .bind(account)
                    .bind(record.occurred_at.to_string())
                    .bind(&record.email)
                    .bind(&record.action)
                    .bind(&record.action_id)
                    .bind(&record.description)
                    .bind(&record.ip_address)
                    .execute($connection)
                    .await
                    .map(drop)
            }};
        }
        match self {
            Self::Sqlite(connection) => insert!(connection, "$2"),
            Self::Postgres(connection) => insert!(connection, "$2::text::timestamptz"),
        }
    }
}

pub(crate) async fn open(url: &str) -> Arc<dyn Source> {
    source::open(url, 8).await.expect("opens")
}

pub(crate) fn id(name: &str) -> AccountId {
    name.parse().expect("id")
}

/// A time of the day of the tests, `04:00` or `04:00:00.5`.
pub(crate) fn at(clock: &str) -> Timestamp {
    let clock = if clock.len() == 5 { format!("{clock}:00") } else { clock.to_owned() };
    format!("2026-11-21T{clock}Z").parse().expect("a time of the day")
}

pub(crate) fn record(email: &str) -> Record {
    Record {
        occurred_at: at("04:00"),
        email: email.to_owned(),
        action: "login".to_owned(),
        action_id: Some("7".to_owned()),
        description: "signed in".to_owned(),
        ip_address: Some("192.0.2.1".to_owned()),
    }
}

pub(crate) fn between(lo: &Bound, hi: &Bound) -> RecordSet {
    RecordSet::between(lo.clone(), hi.clone())
}

/// A mark that nobody has left yet.
pub(crate) fn mark() -> Mark {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Mark { ledger: "ledger".to_owned(), number: NEXT.fetch_add(1, Ordering::Relaxed) }
}
