//! A source or a ledger that goes back: never a silent skip, never an overwritten
//! object. Real files, real Postgres clusters, the real worker.

mod clock;
mod ledger_copies;
mod moves;
mod source_copies;

use crate::support::by;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::postgres::Cluster;
use crate::support::{eventually, folder, run, secret};

use auditferry::base::clock::{Clock, ManualClock};
use auditferry::base::zones::Zones;
use auditferry::delivery::export::{Exporter, Waits};
use auditferry::delivery::pipeline::ReadAhead;
use auditferry::delivery::worker::{Limits, Mode, Worker};
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::demo::listing;
use auditferry::destinations::cache::StoreCache;
use auditferry::ledger::{self, Account, ExportOptions};
use auditferry::observe::telemetry::Metrics;
use auditferry::operations::admin::Admin;
use auditferry::source;

use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::destination::{AccessKey, Destination, Place, S3, S3Credentials};
use auditferry_core::model::format::Format;
use auditferry_core::model::start::Start;

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A bucket, and the folder in which everything of a test lies.
struct Rig {
    folder: PathBuf,
    server: EmbeddedBucket,
}

/// An installation: a ledger and a source, opened afresh at each step, as a worker
/// finds them after an operator has exchanged a file or a server.
struct Installation {
    ledger: String,
    source: String,
}

impl Rig {
    async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = folder(&format!("rewind-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let listen = "127.0.0.1:0".parse().unwrap();
        let root = folder.join("s3");
        let server = EmbeddedBucket::start(&root, "acme", "AKIA", SECRET, listen).await.unwrap();
        Self { folder, server }
    }

    fn sqlite(&self, name: &str) -> String {
        format!("sqlite:{}", self.folder.join(name).display())
    }

    async fn admin(&self, of: &Installation, clock: &str) -> Admin {
        let ledger = ledger::open(&of.ledger, 4, false).await.unwrap();
        let source = source::open(&of.source, 4).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(at(clock)));
        Admin { ledger, source, clock, zones: Zones::load() }
    }

    /// An account `acme` that exports every four hours.
    async fn install(&self, ledger: String, source: String) -> Installation {
        let installation = Installation { ledger, source };
        let admin = self.admin(&installation, "00:00").await;
        admin.ledger.migrate().await.unwrap();
        admin.source.migrate().await.unwrap();
        let options = ExportOptions {
            zone: "UTC".to_owned(),
            schedule: "0 0 */4 * * *".to_owned(),
            format: Format::default(),
        };
        admin.add_account(&by(), &acme(), &options, Start::Now).await.unwrap();
        let destination = Destination {
            prefix: String::new(),
            allow_http: true,
            accept_overwrites: false,
            expires: None,
            place: Place::S3(S3 {
                bucket: "acme".to_owned(),
                region: "us-east-1".to_owned(),
                endpoint: Some(self.server.endpoint()),
                path_style: None,
                sse_kms_key_id: None,
                expected_bucket_owner: None,
                storage_class: None,
                checksum: None,
                request_payer: None,
                acl: None,
                sse: None,
                credentials: S3Credentials::AccessKey(AccessKey {
                    id: "AKIA".to_owned(),
                    secret: secret(SECRET),
                    session_token: None,
                }),
            }),
        };
        admin.set_destination(&by(), &acme(), &destination, &[], false).await.unwrap();
        let addon = AddOn { enabled: true, until: None, reason: None };
        admin.set_addon(&by(), &acme(), &AddOnChange::Declared(addon), None).await.unwrap();
        installation
    }

    /// Lets a worker do what is due at a time; returns the account after that.
    async fn work(&self, of: &Installation, clock: &str) -> Account {
        let Admin { ledger, source, clock, zones } = self.admin(of, clock).await;
        let exporter = Exporter {
            ledger: Arc::clone(&ledger),
            source,
            stores: StoreCache::new([], crate::support::dialer(Duration::from_secs(30))),
            zones,
            clock,
            metrics: Arc::new(Metrics::default()),
            waits: Waits {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(60),
                suspend_after: Duration::from_secs(7 * 24 * 3600),
            },
            spread: Duration::ZERO,
            read_ahead: ReadAhead::new(Format::default().max_bytes, 4),
            owner: "test".to_owned(),
            confirmations: Default::default(),
            draining: CancellationToken::new(),
        };
        let limits = Limits {
            concurrency: 4,
            per_endpoint: 4,
            poll_interval: Duration::from_millis(50),
            lease: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
        };
        // A ledger that went back ends the run with an error; what it did is what counts.
        let _ = Worker::new(Arc::new(exporter), limits).run(Mode::UntilIdle, CancellationToken::new()).await;
        ledger.account(&acme()).await.unwrap()
    }

    async fn works(&self, of: &Installation, clock: &str) {
        let account = self.work(of, clock).await;
        assert_eq!((account.held, account.failures), (None, 0), "{:?}", account.trouble);
    }

    async fn rewind(&self, of: &Installation, clock: &str) -> Account {
        self.admin(of, clock).await.rewind(&by(), &acme(), None).await.unwrap()
    }

    /// `HHMMSS…: emails` of each object.
    fn objects(&self) -> Vec<String> {
        let mut shown = Vec::new();
        for object in listing::zips(&self.folder.join("s3/acme")).unwrap() {
            let emails: Vec<String> = object
                .lines
                .iter()
                .map(|line| {
                    let value: serde_json::Value = serde_json::from_str(line).unwrap();
                    value["Email"].as_str().unwrap().to_owned()
                })
                .collect();
            let name = object.key.strip_prefix("audit/acme/audit_acme_").unwrap();
            let name = name.strip_prefix("20261121T").unwrap_or(name);
            shown.push(format!("{}: {}", name.strip_suffix(".zip").unwrap(), emails.join(" ")));
        }
        shown
    }
}

fn acme() -> AccountId {
    "acme".parse().unwrap()
}

/// A time of the day, or of another day: `24T04:00`, `2027-12-26T04:00`.
fn at(clock: &str) -> Timestamp {
    if clock.starts_with("20") && clock.len() > 8 {
        return format!("{clock}:00Z").parse().unwrap();
    }
    let day = if clock.contains('T') { "" } else { "21T" };
    format!("2026-11-{day}{clock}:00Z").parse().unwrap()
}

/// Inserts past our code, as an application does.
async fn insert(source: &str, email: &str, setting: &str) {
    let sql = format!("INSERT INTO audit_log (account_id, email, action) VALUES ('acme', '{email}', 'x')");
    if source.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(source).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = eventually("Postgres", async || PgConnection::connect(source).await.ok()).await;
        sqlx::raw_sql(AssertSqlSafe(format!("{setting}; {sql}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Copies a SQLite database. Its last connection closes a moment after the pool is
/// dropped, moves its log into the file and removes the log by name: not before that is
/// the file whole, or its place free for another. Two that close at the same moment may
/// each leave that to the other: then one more does it, which must have read something.
async fn copy(from: &std::path::Path, to: &std::path::Path) {
    for database in [from, to] {
        let log = PathBuf::from(format!("{}-wal", database.display()));
        let url = format!("sqlite:{}", database.display());
        eventually("the end of the log", async || {
            if log.exists() {
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql("SELECT 1 FROM sqlite_schema").execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            (!log.exists()).then_some(())
        })
        .await;
    }
    let _ = std::fs::remove_file(to);
    std::fs::copy(from, to).unwrap();
}

async fn sql(cluster: &Cluster, statement: &str) {
    let mut connection = cluster.connect("postgres").await;
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
}

#[test]
fn a_clock_that_jumps_by_days_doubles_and_loses_nothing() {
    run(async {
        let rig = Rig::new().await;
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        for (email, clock) in [
            ("a", "04:00"),
            ("b", "24T04:00"),
            ("c", "08:00"),
            ("d", "12:00"),
            ("e", "24T03:59"),
            ("f", "24T08:00"),
        ] {
            insert(&here.source, email, "").await;
            rig.works(&here, clock).await;
        }
        // After a jump back nothing is due until the clock has come by the newest slot.
        assert_eq!(rig.objects(), ["040000Z: a", "20261124T040000Z: b", "20261124T080000Z: c d e f"]);
    });
}

#[test]
fn a_zone_that_changes_between_slots_leaves_no_gap_and_doubles_no_slot() {
    run(async {
        let rig = Rig::new().await;
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        let steps = [
            ("a", "04:00", "Asia/Kolkata"),
            ("b", "06:30", "America/New_York"),
            ("c", "09:00", "UTC"),
            ("d", "09:30", "Asia/Kathmandu"),
            ("e", "10:15", "UTC"),
            ("f", "12:00", "UTC"),
        ];
        for (email, clock, next_zone) in steps {
            insert(&here.source, email, "").await;
            rig.works(&here, clock).await;
            let admin = rig.admin(&here, clock).await;
            let format = admin.ledger.account(&acme()).await.unwrap().format;
            let schedule = "0 0 */4 * * *".to_owned();
            let options = ExportOptions { zone: next_zone.to_owned(), schedule, format };
            admin.set_options(&by(), &acme(), &options).await.unwrap();
        }
        let objects = rig.objects();
        let all: Vec<&str> =
            objects.iter().flat_map(|object| object.split(": ").nth(1).unwrap().split(' ')).collect();
        assert_eq!(all, ["a", "b", "c", "d", "e", "f"], "{objects:?}");
    });
}
