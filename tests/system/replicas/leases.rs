//! A lease is kept for as long as the work lasts, and given back when a worker stops.

use crate::support::by;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auditferry::delivery::worker::{Limits, Mode};
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::source::Source;
use auditferry_core::model::account::AccountId;
use futures::FutureExt as _;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::postgres::cluster;
use crate::support::rig::{LIMITS, Rig, at};
use crate::support::source::Watched;
use crate::support::{eventually, folder, run, secret};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// An account that is due on a ledger for several workers, whose source gives nothing
/// until it is told to.
struct Slow {
    rig: Rig,
    url: String,
    acme: AccountId,
    _bucket: EmbeddedBucket,
    pages: Arc<AtomicUsize>,
    answers: watch::Sender<bool>,
}

impl Slow {
    async fn new(name: &str) -> Self {
        let url = cluster().url(&cluster().create().await);
        let rig = Rig::open(&url).await;
        let listen = "127.0.0.1:0".parse().unwrap();
        let bucket = EmbeddedBucket::start(&folder(name), "acme", "AKIA", SECRET, listen).await.unwrap();
        let acme = rig.add("acme").await;
        let destination = crate::support::rig::bucket("acme", &bucket.endpoint(), secret(SECRET));
        rig.ledger.set_destination(&by(), &acme, &destination, &[]).await.unwrap();
        rig.insert(&acme, &["ana".to_owned()]).await;
        rig.clock.set(at("04:00"));
        Self { rig, url, acme, _bucket: bucket, pages: Arc::default(), answers: watch::Sender::new(false) }
    }

    /// Starts a worker; it ends when the token is cancelled.
    fn start(&self, owner: &str, lease: Duration, drain_timeout: Duration) -> (CancellationToken, Ended) {
        let (pages, answers) = (Arc::clone(&self.pages), self.answers.clone());
        let before_page = move || {
            pages.fetch_add(1, Ordering::SeqCst);
            let mut answers = answers.subscribe();
            async move { answers.wait_for(|open| *open).await.map(drop).unwrap() }.boxed()
        };
        let source: Arc<dyn Source> =
            Arc::new(Watched { source: Arc::clone(&self.rig.source), before_page, broken: false });
        let limits = Limits { concurrency: 1, lease, drain_timeout, ..LIMITS };
        let worker = self.rig.worker_with(owner, Duration::from_secs(30), source, limits);
        let stop = CancellationToken::new();
        (stop.clone(), tokio::spawn(async move { worker.run(Mode::Forever, stop).await.unwrap() }))
    }

    async fn pages(&self, count: usize) {
        eventually("a page is asked for", async || {
            (self.pages.load(Ordering::SeqCst) >= count).then_some(())
        })
        .await;
    }

    /// Who made the attempts for the one object of the account.
    async fn attempts(&self) -> Vec<String> {
        let filter = auditferry::ledger::DeliveryFilter { limit: 10, ..Default::default() };
        let delivered = eventually("the delivery", async || {
            let rows = self.rig.ledger.deliveries(&filter).await.unwrap();
            rows.into_iter().find(|row| row.state == "delivered")
        })
        .await;
        let attempts = self.rig.ledger.attempts(&self.acme, &delivered.key).await.unwrap();
        attempts.into_iter().map(|attempt| attempt.worker).collect()
    }

    /// Runs SQL past the ledger.
    async fn execute(&self, sql: &'static str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
}

type Ended = tokio::task::JoinHandle<std::collections::BTreeSet<AccountId>>;

#[test]
fn a_lease_outlives_a_source_that_is_slower_than_it_lasts() {
    run(async {
        let slow = Slow::new("slow").await;
        let lease = Duration::from_secs(3);
        let (stop_ana, ana) = slow.start("ana", lease, lease);
        slow.pages(1).await;
        let (stop_bo, bo) = slow.start("bo", lease, lease);
        tokio::time::sleep(lease * 2 + lease / 2).await;
        assert_eq!(slow.pages.load(Ordering::SeqCst), 1, "nobody else has begun");
        slow.answers.send_replace(true);
        assert_eq!(slow.attempts().await, ["ana"]);
        stop_ana.cancel();
        stop_bo.cancel();
        assert!(ana.await.unwrap().is_empty() && bo.await.unwrap().is_empty());
        assert_eq!(slow.pages.load(Ordering::SeqCst), 1);
    });
}

/// The same, on a database that forgets renewals: the other worker takes over, and the
/// first one stops before it has read anything.
#[test]
fn without_renewal_the_account_passes_on_and_the_first_worker_stops() {
    run(async {
        let slow = Slow::new("stolen").await;
        slow.execute(
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN NEW.lease_until := OLD.lease_until; RETURN NEW; END'; \
             CREATE TRIGGER forget BEFORE UPDATE ON account FOR EACH ROW \
             WHEN (NEW.lease_epoch = OLD.lease_epoch AND NEW.lease_until > OLD.lease_until) \
             EXECUTE FUNCTION forget()",
        )
        .await;
        let lease = Duration::from_secs(1);
        let (stop_ana, ana) = slow.start("ana", lease, Duration::from_secs(36_000));
        slow.pages(1).await;
        let (stop_bo, bo) = slow.start("bo", Duration::from_secs(60), lease);
        slow.pages(2).await;
        // It waits for its source until it hears that its lease is lost.
        stop_ana.cancel();
        eventually("ana stops", async || ana.is_finished().then_some(())).await;
        assert!(ana.await.unwrap().is_empty(), "losing a lease is no failure");
        slow.answers.send_replace(true);
        assert_eq!(slow.attempts().await, ["bo"]);
        stop_bo.cancel();
        bo.await.unwrap();
    });
}

#[test]
fn a_worker_that_stops_in_the_middle_hands_over_before_its_leases_end() {
    run(async {
        let slow = Slow::new("handed-over").await;
        let hours = Duration::from_secs(36_000);
        let (stop_ana, ana) = slow.start("ana", hours, Duration::from_millis(50));
        slow.pages(1).await;
        stop_ana.cancel();
        ana.await.unwrap();
        let (stop_bo, bo) = slow.start("bo", hours, hours);
        slow.pages(2).await;
        slow.answers.send_replace(true);
        assert_eq!(slow.attempts().await, ["bo"]);
        stop_bo.cancel();
        bo.await.unwrap();
    });
}
