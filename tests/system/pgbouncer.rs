//! Ledger, source and exports through PgBouncer in transaction mode, without any setting of
//! ours: two processes at a time, on fewer servers than they have connections.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use crate::support::by;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::postgres::cluster;
use crate::support::rig::{Rig, at, bucket, emails};
use crate::support::{folder, pgbouncer, run, secret};
use auditferry::delivery::worker::Mode;
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::ledger::{self, DeliveryFilter};
use auditferry::source::{self, Source};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Mark, RecordSet};
use auditferry_core::model::destination::Destination;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The URL of a new database behind the pooler.
async fn database() -> String {
    pgbouncer::url(&cluster().create().await)
}

fn destination(endpoint: &str) -> Destination {
    bucket("acme", endpoint, secret(SECRET))
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("acct-{number:02}")).collect()
}

#[test]
fn many_migrate_at_once() {
    run(async {
        let url = database().await;
        let mut migrations = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let url = url.clone();
            migrations.spawn(async move {
                let (ledger, source) =
                    (ledger::open(&url, 4, false).await.unwrap(), source::open(&url, 4).await.unwrap());
                for _ in 0..2 {
                    ledger.migrate().await.unwrap();
                    source.migrate().await.unwrap();
                }
                ledger.check().await.unwrap();
                source.check().await.unwrap();
            });
        }
        while let Some(done) = migrations.join_next().await {
            done.expect("migrates");
        }
    });
}

#[test]
fn accounts_are_kept_while_many_ask_at_once() {
    run(async {
        let rig = Arc::new(Rig::open(&database().await).await);
        let mut tasks = tokio::task::JoinSet::new();
        for name in names(12) {
            let rig = Arc::clone(&rig);
            tasks.spawn(async move {
                let id = rig.add(&name).await;
                let wanted = destination("http://127.0.0.1:1");
                rig.ledger.set_destination(&by(), &id, &wanted, &[]).await.unwrap();
                for hour in [5, 6, 7] {
                    let slot = at(&format!("0{hour}:00"));
                    let mut edit = |account: &mut ledger::Account| {
                        account.next_slot = Some(slot);
                        Ok(())
                    };
                    rig.ledger.edit_account(&by(), &id, &mut edit).await.unwrap();
                    let account = rig.ledger.account(&id).await.unwrap();
                    assert_eq!((account.id, account.next_slot), (id.clone(), Some(slot)));
                    assert_eq!(rig.ledger.destination(&id).await.unwrap(), Some(wanted.clone()));
                    assert!(rig.ledger.open_window(&id).await.unwrap().is_none());
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("an account");
        }
        let listed = rig.ledger.accounts(None, 100).await.unwrap();
        assert_eq!(listed.iter().map(|account| account.id.to_string()).collect::<Vec<_>>(), names(12));
    });
}

#[test]
fn two_workers_claim_every_account_once() {
    run(async {
        let url = database().await;
        let rig = Rig::open(&url).await;
        for name in names(40) {
            let id = rig.add(&name).await;
            rig.ledger.set_destination(&by(), &id, &destination("http://127.0.0.1:1"), &[]).await.unwrap();
        }
        let mut workers = tokio::task::JoinSet::new();
        for owner in ["ana", "bo"] {
            let ledger = ledger::open(&url, 8, false).await.unwrap();
            workers.spawn(async move {
                let mut mine = Vec::new();
                while mine.len() < 40 {
                    let claims =
                        ledger.claim(owner, at("04:00"), Duration::from_secs(60), 3, &[]).await.unwrap();
                    if claims.is_empty() {
                        break;
                    }
                    mine.extend(claims.into_iter().map(|claim| claim.account.id.to_string()));
                }
                mine
            });
        }
        let mut claimed: Vec<String> = workers.join_all().await.into_iter().flatten().collect();
        claimed.sort();
        assert_eq!(claimed, names(40));
    });
}

async fn read_all(source: &dyn Source, account: &AccountId, lo: &Bound, hi: &Bound) -> Vec<String> {
    let set = RecordSet::between(lo.clone(), hi.clone());
    let (mut cursor, mut read) = (None, Vec::new());
    loop {
        let page = source.read(account, &set, cursor.as_ref(), 7).await.unwrap();
        let over = page.len() < 7;
        for (position, record) in page {
            cursor = Some(position);
            read.push(record.email);
        }
        if over {
            return read;
        }
    }
}

#[test]
fn a_source_captures_and_reads_while_others_do() {
    run(async {
        let url = database().await;
        let rig = Arc::new(Rig::open(&url).await);
        let mut readers = tokio::task::JoinSet::new();
        for name in names(8) {
            let rig = Arc::clone(&rig);
            readers.spawn(async move {
                let account: AccountId = name.parse().unwrap();
                let mut lo = rig.source.beginning();
                for window in 0..4_u64 {
                    let wanted: Vec<_> = (0..20).map(|place| format!("{name}.{window}.{place}")).collect();
                    rig.insert(&account, &wanted).await;
                    let mark = Mark { ledger: name.clone(), number: window + 1 };
                    let hi = rig.source.capture(&mark).await.unwrap();
                    rig.source.recognise(&account, &hi).await.unwrap();
                    rig.source.check_order(&lo, &hi).unwrap();
                    assert_eq!(read_all(&*rig.source, &account, &lo, &hi).await, wanted);
                    assert_eq!(rig.source.newest_mark(&name).await.unwrap(), window + 1);
                    lo = hi;
                }
            });
        }
        while let Some(done) = readers.join_next().await {
            done.expect("a reader");
        }
    });
}

#[test]
fn two_workers_export_everything_once() {
    run(async {
        let url = database().await;
        let rig = Rig::open(&url).await;
        let root = folder("pgbouncer-s3");
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = EmbeddedBucket::start(&root, "acme", "AKIA", SECRET, listen).await.unwrap();
        let mut expected = BTreeMap::new();
        for slot in ["04:00", "08:00"] {
            for name in names(10) {
                let id = name.parse().unwrap();
                if slot == "04:00" {
                    rig.add(&name).await;
                    rig.ledger
                        .set_destination(&by(), &id, &destination(&server.endpoint()), &[])
                        .await
                        .unwrap();
                }
                let wanted: Vec<_> = (0..30).map(|place| format!("{name}.{slot}.{place}")).collect();
                rig.insert(&id, &wanted).await;
                let key = format!("audit/{name}/audit_{name}_20261121T{}00Z.zip", slot.replace(':', ""));
                expected.insert(key, wanted);
            }
            let workers = ["ana", "bo"].map(|owner| async {
                let second = Rig::open(&url).await;
                second.clock.set(at(slot));
                let worker = second.worker(owner, Duration::from_secs(30));
                worker.run(Mode::UntilIdle, CancellationToken::new()).await.unwrap()
            });
            for failed in futures::future::join_all(workers).await {
                assert!(failed.is_empty(), "{failed:?}");
            }
        }
        let filter = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
        let deliveries = rig.ledger.deliveries(&filter).await.unwrap();
        assert!(deliveries.iter().all(|row| row.state == "delivered"), "{deliveries:?}");
        let found: BTreeMap<String, Vec<String>> = deliveries
            .into_iter()
            .map(|row| (row.key.clone(), emails(&std::fs::read(root.join("acme").join(row.key)).unwrap())))
            .collect();
        assert_eq!(found, expected);
    });
}

/// Not a promise but a price: what a round of reads and writes costs, directly and pooled.
/// `cargo test --test system -- --ignored --nocapture pgbouncer::`
#[test]
#[ignore = "prints times"]
#[allow(clippy::print_stdout, reason = "as its name says")]
fn what_it_costs() {
    run(async {
        let name = cluster().create().await;
        for (way, url) in [("direct", cluster().url(&name)), ("pooled", pgbouncer::url(&name))] {
            let rig = Rig::open(&url).await;
            let id: AccountId = way.parse().unwrap();
            rig.add(way).await;
            rig.ledger.set_destination(&by(), &id, &destination("http://127.0.0.1:1"), &[]).await.unwrap();
            rig.insert(&id, &names(50)).await;
            let rounds = 500;
            let start = Instant::now();
            for _ in 0..rounds {
                rig.ledger.account(&id).await.unwrap();
            }
            let read = start.elapsed() / rounds;
            let start = Instant::now();
            for _ in 0..rounds {
                let claims =
                    rig.ledger.claim("ana", at("04:00"), Duration::from_secs(60), 1, &[]).await.unwrap();
                rig.ledger.release(&claims[0].lease).await.unwrap();
            }
            let claim = start.elapsed() / rounds;
            let hi = rig.source.capture(&Mark { ledger: way.to_owned(), number: 1 }).await.unwrap();
            let start = Instant::now();
            for _ in 0..rounds {
                read_all(&*rig.source, &id, &rig.source.beginning(), &hi).await;
            }
            let pages = start.elapsed() / rounds / 8;
            println!("{way}: account {read:?}, claim and release {claim:?}, page of records {pages:?}");
        }
    });
}
