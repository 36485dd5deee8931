//! No account waits longer than its turn: not behind a destination that hangs, not behind
//! a backlog without end.

use crate::support::by;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auditferry::base::clock::Clock as _;
use auditferry::delivery::worker::{Limits, Mode};
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::ledger::{Account, DeliveryFilter, DeliveryRow};
use auditferry_core::model::account::AccountId;
use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::support::fault_proxy::{Canned, Fault, FaultProxy};
use crate::support::rig::{LIMITS, Rig, at, bucket};
use crate::support::source::Watched;
use crate::support::{eventually, folder, run, secret};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// Longer than any test.
const LONG: Duration = Duration::from_secs(36_000);

struct Installation {
    rig: Rig,
    server: EmbeddedBucket,
}

impl Installation {
    async fn new(name: &str) -> Self {
        let folder = folder(name);
        let rig = Rig::open(&format!("sqlite:{}", folder.join("ledger.db").display())).await;
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = EmbeddedBucket::start(&folder.join("s3"), "siem", "AKIA", SECRET, listen).await.unwrap();
        Self { rig, server }
    }

    /// An account whose objects hold one record each, and so many records.
    async fn account(&self, name: &str, endpoint: &str, records: usize) -> AccountId {
        let id = self.rig.add(name).await;
        self.rig
            .ledger
            .set_destination(&by(), &id, &bucket("siem", endpoint, secret(SECRET)), &[])
            .await
            .unwrap();
        let mut edit = |account: &mut Account| {
            account.format.max_records = 1;
            Ok(())
        };
        self.rig.ledger.edit_account(&by(), &id, &mut edit).await.unwrap();
        let emails: Vec<String> = (0..records).map(|number| format!("{name}-{number}")).collect();
        self.rig.insert(&id, &emails).await;
        id
    }

    fn address(&self) -> SocketAddr {
        self.server.endpoint().trim_start_matches("http://").parse().unwrap()
    }

    /// Lets the clock go on from 04:00, by a step each millisecond, so that waits end.
    fn ticking(&self, step: Duration) -> tokio::task::JoinHandle<()> {
        let clock = self.rig.clock.clone();
        tokio::spawn(async move {
            for ticks in 1.. {
                tokio::time::sleep(Duration::from_millis(1)).await;
                clock.set(at("04:00") + step * ticks);
            }
        })
    }

    /// Starts a worker. The clock goes on with each page that it reads: a place in the
    /// queue is an instant.
    fn start(&self, limits: Limits) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        let clock = self.rig.clock.clone();
        let before_page = move || {
            clock.set(clock.now() + Duration::from_millis(1));
            futures::future::ready(()).boxed()
        };
        let source = Arc::new(Watched { source: Arc::clone(&self.rig.source), before_page, broken: false });
        let worker = self.rig.worker_with("ana", LONG, source, limits);
        let stop = CancellationToken::new();
        let ended = stop.clone();
        (stop, tokio::spawn(async move { drop(worker.run(Mode::Forever, ended).await.unwrap()) }))
    }

    /// The accounts of the deliveries, in the order in which they were stored.
    async fn delivered(&self) -> Vec<String> {
        let filter = DeliveryFilter { limit: 1_000, ..DeliveryFilter::default() };
        let mut rows: Vec<DeliveryRow> = self.rig.ledger.deliveries(&filter).await.unwrap();
        rows.retain(|row| row.state == "delivered");
        rows.reverse();
        rows.iter().map(|row| row.account.to_string()).collect()
    }
}

/// Eight accounts go to an endpoint that never answers, and eight to one that does. They
/// are due at the same instant, and the hanging ones come first.
#[test]
fn an_endpoint_that_hangs_leaves_places_to_the_others() {
    run(async {
        let here = Installation::new("hanging").await;
        let hang = std::iter::repeat_n(Fault::Late(LONG), 100);
        let proxy = FaultProxy::start(here.address(), hang).await;
        for number in 0..8 {
            here.account(&format!("a-hangs-{number}"), &proxy.url(), 1).await;
            here.account(&format!("good-{number}"), &here.server.endpoint(), 1).await;
        }
        here.rig.clock.set(at("04:00"));
        let (stop, ended) =
            here.start(Limits { concurrency: 4, per_endpoint: 3, drain_timeout: Duration::ZERO, ..LIMITS });
        let good = eventually("the good ones are delivered", async || {
            let delivered = here.delivered().await;
            (delivered.len() == 8).then_some(delivered)
        })
        .await;
        assert!(good.iter().all(|account| account.starts_with("good")), "{good:?}");
        let held = eventually("the others hang", async || {
            let seen = proxy.seen();
            (seen.len() >= 3).then_some(seen)
        })
        .await;
        assert_eq!(held.len(), 3, "no more than the endpoint's share is under way");
        assert!(held.iter().all(|seen| seen.answers.is_empty()));
        stop.cancel();
        ended.await.unwrap();
    });
}

/// One account has forty objects to deliver, the only place is its own, and then another
/// account is due.
#[test]
fn a_backlog_makes_way_after_each_object() {
    run(async {
        let here = Installation::new("backlog").await;
        here.account("backlog", &here.server.endpoint(), 40).await;
        here.rig.clock.set(at("04:00"));
        let (stop, ended) = here.start(Limits { concurrency: 1, per_endpoint: 1, ..LIMITS });
        eventually("the backlog has begun", async || (!here.delivered().await.is_empty()).then_some(()))
            .await;
        here.account("small", &here.server.endpoint(), 2).await;
        let all = eventually("everything", async || {
            let delivered = here.delivered().await;
            (delivered.len() == 42).then_some(delivered)
        })
        .await;
        let last = all.iter().rposition(|account| account == "small").unwrap();
        assert!(last < 41, "the backlog ends after the small one: {all:?}");
        assert_eq!(all[41], "backlog");
        stop.cancel();
        ended.await.unwrap();
    });
}

/// Four backlogs and one place: they take turns.
#[test]
fn backlogs_take_turns() {
    run(async {
        let here = Installation::new("turns").await;
        for number in 0..4 {
            here.account(&format!("backlog-{number}"), &here.server.endpoint(), 3).await;
        }
        here.rig.clock.set(at("04:00"));
        let (stop, ended) = here.start(Limits { concurrency: 1, per_endpoint: 1, ..LIMITS });
        let all = eventually("everything", async || {
            let delivered = here.delivered().await;
            (delivered.len() == 12).then_some(delivered)
        })
        .await;
        // The first keeps its place while the others are planned: nobody else may begin then.
        let mut had: BTreeMap<_, _> =
            all.iter().filter(|account| **account != all[0]).map(|account| (account, 0)).collect();
        for account in &all {
            had.entry(account).and_modify(|count| *count += 1);
            let (least, most) = (had.values().min().unwrap(), had.values().max().unwrap());
            assert!(most - least <= 1, "{all:?}");
        }
        stop.cancel();
        ended.await.unwrap();
    });
}

/// An endpoint that throttles gets fewer puts at a time, and loses nothing.
#[test]
fn an_endpoint_that_throttles_is_served_all_the_same() {
    run(async {
        let here = Installation::new("throttled").await;
        let busy = Canned {
            status: 503,
            head: "content-type: application/xml\r\n".to_owned(),
            body: "<Error><Code>SlowDown</Code><Message>less</Message></Error>".to_owned(),
        };
        let proxy = FaultProxy::start(here.address(), std::iter::repeat_n(Fault::Answer(busy), 6)).await;
        for number in 0..6 {
            here.account(&format!("acme-{number}"), &proxy.url(), 2).await;
        }
        here.rig.clock.set(at("04:00"));
        let ticks = here.ticking(Duration::from_millis(100));
        let (stop, ended) = here.start(Limits { concurrency: 6, per_endpoint: 6, ..LIMITS });
        eventually("everything", async || (here.delivered().await.len() == 12).then_some(())).await;
        assert_eq!(proxy.seen().len(), 12 + 6);
        ticks.abort();
        stop.cancel();
        ended.await.unwrap();
    });
}
