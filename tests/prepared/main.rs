//! Statements that are prepared once for each connection (`ledger.prepare`). A process of its
//! own, because the setting holds for a process.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "modules of a test are of no crate")]

#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;
use support::by;

use auditferry::base::database::prepare_statements;
use auditferry::delivery::worker::Mode;
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::ledger;
use support::postgres::cluster;
use support::rig::{Rig, at, bucket, emails};
use support::{folder, pgbouncer, run, secret};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn exports_go_their_way_with_prepared_statements() {
    prepare_statements(true);
    run(async {
        let rig = Rig::open(&cluster().url(&cluster().create().await)).await;
        let root = folder("prepared-s3");
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = EmbeddedBucket::start(&root, "acme", "AKIA", SECRET, listen).await.unwrap();
        let names: Vec<String> = (0..20).map(|number| format!("acct-{number:02}")).collect();
        for name in &names {
            let id = rig.add(name).await;
            let destination = bucket("acme", &server.endpoint(), secret(SECRET));
            rig.ledger.set_destination(&by(), &id, &destination, &[]).await.unwrap();
        }
        // The same statements again and again, over several connections.
        for slot in ["04:00", "08:00", "12:00"] {
            for name in &names {
                rig.insert(&name.parse().unwrap(), &[format!("{name}.{slot}")]).await;
            }
            rig.clock.set(at(slot));
            let worker = rig.worker("ana", Duration::from_secs(30));
            let failed = worker.run(Mode::UntilIdle, CancellationToken::new()).await.unwrap();
            assert!(failed.is_empty(), "{failed:?}");
            for name in &names {
                let key = format!("audit/{name}/audit_{name}_20261121T{}00Z.zip", slot.replace(':', ""));
                assert_eq!(
                    emails(&std::fs::read(root.join("acme").join(key)).unwrap()),
                    [format!("{name}.{slot}")]
                );
            }
        }
        // As every replica does at its start.
        rig.ledger.migrate().await.unwrap();
        rig.source.migrate().await.unwrap();
    });
}

#[test]
fn a_pooler_that_does_not_know_them_is_named_with_the_fix() {
    prepare_statements(true);
    run(async {
        let name = cluster().create().await;
        Rig::open(&cluster().url(&name)).await.add("acme").await;
        let acme = "acme".parse().unwrap();
        // They share servers, on which the first one's statements stand.
        for _ in 0..20 {
            let ledger = ledger::open(&pgbouncer::url(&name), 1, false).await.unwrap();
            if let Err(error) = ledger.account(&acme).await {
                assert!(error.to_string().ends_with("set ledger.prepare = false"), "{error}");
                return;
            }
        }
        panic!("no statement has a name");
    });
}
