//! Statements that are prepared once for each connection (`ledger.prepare`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use crate::support::postgres::cluster;
use crate::support::rig::{Rig, at, bucket, emails};
use crate::support::{by, folder, pgbouncer, run, secret};
use auditferry::base::database::Connect;
use auditferry::delivery::worker::Mode;
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::ledger;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn exports_go_their_way_with_prepared_statements() {
    run(async {
        let url = cluster().url(&cluster().create().await);
        let rig = Rig::open_with(&url, Connect { max_connections: 8, prepared: true }).await;
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
    run(async {
        let name = cluster().create().await;
        Rig::open(&cluster().url(&name)).await.add("acme").await;
        let (acme, url) = ("acme".parse().unwrap(), pgbouncer::url(&name));
        let prepared = Connect { max_connections: 1, prepared: true };
        // They share servers, on which the first one's statements stand.
        for _ in 0..20 {
            let ledger = ledger::open(&url, prepared, false).await.unwrap();
            if let Err(error) = ledger.account(&acme).await {
                assert!(error.to_string().ends_with("set ledger.prepare = false"), "{error}");
                // Beside them, on the same servers.
                let ledger = ledger::open(&url, 1, false).await.unwrap();
                ledger.account(&acme).await.expect("statements without names");
                return;
            }
        }
        panic!("no statement has a name");
    });
}
