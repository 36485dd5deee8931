//! Many accounts that are due at one instant: planned together, and delivered with few
//! transactions of the ledger.

use crate::support::by;
use std::sync::Arc;
use std::time::Duration;

use auditferry::delivery::worker::{Limits, Mode};
use auditferry::demo::bucket::EmbeddedBucket;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::postgres::cluster;
use crate::support::rig::{LIMITS, Rig, at, bucket};
use crate::support::{eventually, folder, run, secret};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const LONG: Duration = Duration::from_secs(36_000);

/// Accounts and their records on Postgres, inserted past the library, which adds one at a
/// time; they are due at 04:00.
struct Herd {
    rig: Rig,
    server: EmbeddedBucket,
    connection: tokio::sync::Mutex<PgConnection>,
}

impl Herd {
    async fn new(name: &str) -> Self {
        let url = cluster().url(&cluster().create().await);
        let rig = Rig::open(&url).await;
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = EmbeddedBucket::start(&folder(name), "siem", "AKIA", SECRET, listen).await.unwrap();
        let connection = tokio::sync::Mutex::new(PgConnection::connect(&url).await.unwrap());
        Self { rig, server, connection }
    }

    async fn add(&self, endpoint: &str, accounts: usize, records: usize) {
        let template = self.rig.add("template").await;
        self.rig
            .ledger
            .set_destination(&by(), &template, &bucket("siem", endpoint, secret(SECRET)), &[])
            .await
            .unwrap();
        self.execute(&format!(
            "CREATE TEMPORARY TABLE herd AS SELECT account.* FROM account, generate_series(1, {accounts}); \
             UPDATE herd SET id = 'acct-' || nextval('herd_number'); \
             INSERT INTO account SELECT * FROM herd; \
             INSERT INTO destination (account, version, spec) \
             SELECT herd.id, 1, spec FROM herd, destination WHERE destination.account = 'template'; \
             DELETE FROM account WHERE id = 'template'; \
             INSERT INTO audit_log (account_id, occurred_at, email, action, description) \
             SELECT herd.id, '2026-11-21T01:00:00Z', 'ana@acme.example', 'role.granted', \
             'Granted \"Admin\" to li ' || number FROM herd, generate_series(1, {records}) AS number; \
             ANALYZE"
        ))
        .await;
    }

    async fn execute(&self, sql: &str) {
        let mut connection = self.connection.lock().await;
        sqlx::raw_sql("CREATE SEQUENCE IF NOT EXISTS herd_number").execute(&mut *connection).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *connection).await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> usize {
        let counted: i64 =
            sqlx::query_scalar(sql).fetch_one(&mut *self.connection.lock().await).await.unwrap();
        usize::try_from(counted).unwrap()
    }

    async fn windows(&self, state: &'static str) -> usize {
        match state {
            "open" => self.count("SELECT count(*) FROM export_window WHERE state = 'open'").await,
            _ => self.count("SELECT count(*) FROM export_window WHERE state = 'delivered'").await,
        }
    }

    /// Transactions that have written something so far; each takes a number.
    async fn transactions(&self) -> usize {
        self.count("SELECT pg_current_xact_id()::text::bigint").await
    }

    /// Transactions of the database so far, those of this test's own connection too.
    async fn asked(&self) -> usize {
        self.count(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()",
        )
        .await
    }

    fn limits(places: usize) -> Limits {
        Limits { concurrency: places, per_endpoint: places, drain_timeout: Duration::ZERO, ..LIMITS }
    }

    async fn run(&self, places: usize) {
        self.rig.clock.set(at("04:00"));
        let source = Arc::clone(&self.rig.source);
        let worker = self.rig.worker_with("ana", LONG, source, Self::limits(places));
        let failed = worker.run(Mode::UntilIdle, CancellationToken::new()).await.unwrap();
        assert!(failed.is_empty(), "{failed:?}");
    }
}

/// One place, a store that never answers, and 700 accounts: the window of each is stored
/// all the same, and they share a few bounds.
#[test]
fn what_waits_for_a_place_is_planned_together() {
    run(async {
        let herd = Herd::new("planned").await;
        let address = herd.server.endpoint().trim_start_matches("http://").parse().unwrap();
        let proxy = FaultProxy::start(address, std::iter::repeat_n(Fault::Late(LONG), 10)).await;
        herd.add(&proxy.url(), 700, 1).await;
        herd.rig.clock.set(at("04:00"));
        let before = herd.transactions().await;
        let worker = herd.rig.worker_with("ana", LONG, Arc::clone(&herd.rig.source), Herd::limits(1));
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let running = tokio::spawn(async move { worker.run(Mode::Forever, ended).await.unwrap() });
        eventually("all are planned", async || (herd.windows("open").await == 700).then_some(())).await;
        let spent = herd.transactions().await - before;
        stop.cancel();
        running.await.unwrap();
        assert!(spent < 200, "{spent} transactions");
        let bounds = herd.count("SELECT count(DISTINCT record_set ->> 'hi') FROM export_window").await;
        assert!(bounds <= 4, "{bounds} bounds");
    });
}

/// From the claim to the release, a small window writes in six transactions of the
/// ledger when it is alone. Forty at a time share them: about one is left for each.
#[test]
fn small_windows_share_their_transactions() {
    run(async {
        let herd = Herd::new("shared").await;
        herd.add(&herd.server.endpoint(), 300, 3).await;
        let before = herd.transactions().await;
        herd.run(40).await;
        let spent = herd.transactions().await - before;
        assert_eq!(herd.windows("delivered").await, 300);
        assert!(spent < 300 * 3 / 2, "{spent} transactions for 300 windows");
    });
}

/// Whatever it claimed last, a worker with nothing to do asks its ledger when it polls.
#[test]
fn an_idle_worker_asks_rarely() {
    run(async {
        let herd = Herd::new("idle").await;
        herd.add(&herd.server.endpoint(), 20, 1).await;
        herd.rig.clock.set(at("04:00"));
        let limits = Limits { poll_interval: LONG, ..Herd::limits(4) };
        let worker = herd.rig.worker_with("ana", LONG, Arc::clone(&herd.rig.source), limits);
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let running = tokio::spawn(async move { worker.run(Mode::Forever, ended).await.unwrap() });
        eventually("all are delivered", async || (herd.windows("delivered").await == 20).then_some(())).await;
        // Its last transactions are counted within a second or two.
        let mut before = 0;
        eventually("quiet", async || {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            let counted = herd.asked().await;
            let quiet = counted - before < 10;
            before = counted;
            quiet.then_some(())
        })
        .await;
        stop.cancel();
        running.await.unwrap();
    });
}
