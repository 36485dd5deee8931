//! A source or a ledger that goes back: never a silent skip, never an overwritten
//! object. Real files, real Postgres clusters, the real worker.

mod clock;
mod moves;

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
use auditferry_core::protocol::Hold;
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

#[test]
fn a_sqlite_source_replaced_by_an_older_copy_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let files = (rig.folder.join("source.db"), rig.folder.join("backup.db"));
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        copy(&files.0, &files.1).await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;

        copy(&files.1, &files.0).await;
        // It gets the number that b had, which lies under the watermark.
        insert(&here.source, "c", "").await;
        let account = rig.work(&here, "12:00").await;
        assert_eq!(account.held, Some(Hold::SourceRewound));
        let message = account.trouble.unwrap().message;
        assert!(message.contains("is not there. It was restored from an older backup"), "{message}");
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b"]);

        let refused =
            rig.admin(&here, "12:30").await.release(&by(), &acme()).await.expect_err("refused").to_string();
        assert!(refused.contains("it stays held") && refused.contains("rewind acme --accept"), "{refused}");
        assert_eq!(rig.rewind(&here, "13:00").await.generation, 2);
        rig.works(&here, "16:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", "160000Z_g0002: c"]);
    });
}

#[test]
fn a_restored_base_backup_of_postgres_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("before-backup", &[]);
        let database = cluster.create().await;
        let mut here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        let backup = cluster.backup("after-backup");
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;

        drop(cluster);
        let restored = backup.restore();
        here.source = restored.url(&database);
        // Rows of transactions whose ids were given before, enough to pass the old bound.
        for _ in 0..30 {
            insert(&here.source, "c", "").await;
        }
        let account = rig.work(&here, "12:00").await;
        assert_eq!(account.held, Some(Hold::SourceRewound), "{:?}", rig.objects());
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b"]);

        rig.rewind(&here, "13:00").await;
        rig.works(&here, "16:00").await;
        let all = ["c"; 30].join(" ");
        assert_eq!(rig.objects()[2], format!("160000Z_g0002: {all}"));
    });
}

/// Two clusters, of which the second follows the first, and an account that has
/// delivered `a`.
async fn followed(rig: &Rig, name: &str) -> (Cluster, Cluster, String, Installation) {
    let primary = Cluster::start(&format!("{name}-primary"), &[]);
    let database = primary.create().await;
    let here = rig.install(rig.sqlite("ledger.db"), primary.url(&database)).await;
    insert(&here.source, "a", "").await;
    rig.works(&here, "04:00").await;
    let standby = primary.standby(&format!("{name}-standby"));
    (primary, standby, database, here)
}

async fn sql(cluster: &Cluster, statement: &str) {
    let mut connection = cluster.connect("postgres").await;
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
}

async fn wait_for(cluster: &Cluster, database: &str, condition: &str) {
    let mut connection = cluster.connect(database).await;
    let query = format!("SELECT 1 WHERE {condition}");
    eventually(condition, async || {
        sqlx::query_scalar::<_, i32>(AssertSqlSafe(query.clone()))
            .fetch_optional(&mut connection)
            .await
            .unwrap()
    })
    .await;
}

#[test]
fn a_promoted_standby_that_lacks_the_last_rows_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let (primary, standby, database, mut here) = followed(&rig, "lagging").await;
        wait_for(&standby, &database, "EXISTS (SELECT FROM audit_log WHERE email = 'a')").await;
        sql(&standby, "ALTER SYSTEM SET primary_conninfo = ''").await;
        sql(&standby, "SELECT pg_reload_conf()").await;
        wait_for(&primary, "postgres", "NOT EXISTS (SELECT FROM pg_stat_replication)").await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;

        drop(primary);
        sql(&standby, "SELECT pg_promote()").await;
        here.source = standby.url(&database);
        for _ in 0..30 {
            insert(&here.source, "c", "").await;
        }
        let account = rig.work(&here, "12:00").await;
        assert_eq!(account.held, Some(Hold::SourceRewound), "{:?}", rig.objects());
        rig.rewind(&here, "13:00").await;
        rig.works(&here, "16:00").await;
        let all = ["c"; 30].join(" ");
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", &format!("160000Z_g0002: {all}")]);
    });
}

#[test]
fn a_promoted_standby_that_has_everything_goes_on() {
    run(async {
        let rig = Rig::new().await;
        let (primary, standby, database, mut here) = followed(&rig, "level").await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;
        insert(&here.source, "c", "").await;
        wait_for(&standby, &database, "EXISTS (SELECT FROM audit_log WHERE email = 'c')").await;

        drop(primary);
        sql(&standby, "SELECT pg_promote()").await;
        here.source = standby.url(&database);
        insert(&here.source, "d", "").await;
        rig.works(&here, "12:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", "120000Z: c d"]);
    });
}

#[test]
fn a_crash_that_undoes_unflushed_commits_undoes_nothing_that_was_exported() {
    run(async {
        let lazy = ["wal_writer_delay=10s", "wal_writer_flush_after=0"];
        let rig = Rig::new().await;
        let cluster = Cluster::start("crashing", &lazy);
        let database = cluster.create().await;
        let mut here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
        insert(&here.source, "a", "SET synchronous_commit = off").await;
        rig.works(&here, "04:00").await;
        insert(&here.source, "b", "SET synchronous_commit = off").await;

        let cluster = cluster.crash("crashed", &lazy);
        here.source = cluster.url(&database);
        for email in ["c", "d"] {
            insert(&here.source, email, "SET synchronous_commit = off").await;
        }
        rig.works(&here, "08:00").await;
        // b was confirmed by a server that was told not to wait for its disk: it is gone
        // from the audit log, or it is there and delivered.
        let mut connection = cluster.connect(&database).await;
        let there: Vec<String> =
            sqlx::query_scalar("SELECT email FROM audit_log WHERE email <> 'a' ORDER BY seq")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        assert_eq!(rig.objects(), ["040000Z: a".to_owned(), format!("080000Z: {}", there.join(" "))]);
    });
}

#[test]
fn a_ledger_restored_from_an_older_backup_holds_every_account() {
    run(async {
        let rig = Rig::new().await;
        let files = (rig.folder.join("ledger.db"), rig.folder.join("backup.db"));
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        copy(&files.0, &files.1).await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;

        copy(&files.1, &files.0).await;
        insert(&here.source, "c", "").await;
        let account = rig.work(&here, "12:00").await;
        assert_eq!(account.held, Some(Hold::LedgerRewound));
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b"], "nothing is delivered on an old memory");

        // What is delivered again is told apart by its name; nothing is replaced.
        rig.rewind(&here, "13:00").await;
        rig.works(&here, "16:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", "160000Z_g0002: b c"]);
    });
}

#[test]
fn a_second_installation_at_the_same_bucket_is_held() {
    run(async {
        let rig = Rig::new().await;
        let first = rig.install(rig.sqlite("first.db"), rig.sqlite("first-source.db")).await;
        let second = rig.install(rig.sqlite("second.db"), rig.sqlite("second-source.db")).await;
        insert(&first.source, "a", "").await;
        insert(&second.source, "b", "").await;
        rig.works(&first, "04:00").await;
        let account = rig.work(&second, "04:00").await;
        assert_eq!(account.held, Some(Hold::ForeignObject));
        assert!(account.trouble.unwrap().message.contains("did not put stands under the key"));
        assert_eq!(rig.objects(), ["040000Z: a"]);
    });
}

#[test]
fn another_cluster_behind_the_same_name_is_noticed() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("one", &[]);
        let database = cluster.create().await;
        let mut here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
        let other = Cluster::start("other", &[]);
        let database = other.create().await;
        here.source = other.url(&database);
        rig.admin(&here, "01:00").await.source.migrate().await.unwrap();
        let account = rig.work(&here, "04:00").await;
        assert_eq!(account.held, Some(Hold::SourceRewound));
        assert!(account.trouble.unwrap().message.contains("it is the PostgreSQL cluster"));
    });
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

/// What a copy of the ledger holds that was taken when the mark of the next window was counted and
/// the window was not stored yet: everything of `before`, and the count.
async fn count_mark_of_newest_window(of: &Installation, in_copy: &str) {
    let windows = "SELECT CAST(record_set AS TEXT) FROM export_window ORDER BY number DESC LIMIT 1";
    let set: String = if of.ledger.starts_with("sqlite") {
        let mut ledger = SqliteConnection::connect(&of.ledger).await.unwrap();
        sqlx::query_scalar(windows).fetch_one(&mut ledger).await.unwrap()
    } else {
        let mut ledger = PgConnection::connect(&of.ledger).await.unwrap();
        sqlx::query_scalar(windows).fetch_one(&mut ledger).await.unwrap()
    };
    let set: serde_json::Value = serde_json::from_str(&set).unwrap();
    let (_, mark) = set["hi"].as_str().unwrap().split_once('#').unwrap();
    let number: i64 = mark.rsplit_once('/').unwrap().1.split('@').next().unwrap().parse().unwrap();
    let count = format!("UPDATE ledger_identity SET mark = {number}");
    if in_copy.starts_with("sqlite") {
        let mut copy = SqliteConnection::connect(in_copy).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(count)).execute(&mut copy).await.unwrap();
        copy.close().await.unwrap();
    } else {
        let mut copy = PgConnection::connect(in_copy).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(count)).execute(&mut copy).await.unwrap();
    }
}

/// The ledger's copy takes its place after the window that it lacks was delivered.
async fn a_window_is_missing(rig: &Rig, here: &Installation) {
    let account = rig.work(here, "12:00").await;
    assert_eq!(account.held, Some(Hold::LedgerRewound), "{:?}", rig.objects());
    assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b"]);
    // Nothing can show that this is over.
    let refused =
        rig.admin(here, "12:30").await.release(&by(), &acme()).await.expect_err("refused").to_string();
    assert!(refused.contains("account rewind acme --accept"), "{refused}");
    assert_eq!(rig.work(here, "12:40").await.held, Some(Hold::LedgerRewound));
    rig.rewind(here, "13:00").await;
    insert(&here.source, "c", "").await;
    rig.works(here, "16:00").await;
    // What the ledger lost comes again, under a name that says so.
    assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", "160000Z_g0002: b c"]);
}

#[test]
fn a_sqlite_ledger_copied_between_count_and_plan_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        let files = (rig.folder.join("ledger.db"), rig.folder.join("copy.db"));
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        copy(&files.0, &files.1).await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;
        count_mark_of_newest_window(&here, &rig.sqlite("copy.db")).await;

        copy(&files.1, &files.0).await;
        a_window_is_missing(&rig, &here).await;
    });
}

#[test]
fn a_postgres_ledger_copied_between_count_and_plan_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("ledger-copy", &[]);
        let (database, source) = (cluster.create().await, cluster.create().await);
        let mut here = rig.install(cluster.url(&database), cluster.url(&source)).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        eventually("a copy", async || {
            let copy = format!("CREATE DATABASE ledger_copy TEMPLATE {database}");
            let mut connection = cluster.connect("postgres").await;
            sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut connection).await.ok()
        })
        .await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;
        count_mark_of_newest_window(&here, &cluster.url("ledger_copy")).await;

        here.ledger = cluster.url("ledger_copy");
        a_window_is_missing(&rig, &here).await;
    });
}
