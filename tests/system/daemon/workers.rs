//! Two workers on one Postgres ledger.

use std::collections::{BTreeMap, BTreeSet};

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{Row, rows};
use crate::support::run;

#[test]
fn two_workers_on_one_ledger() {
    run(async {
        let app = App::postgres().await.with("WORKER__CONCURRENCY", "3");
        let bucket = Bucket::embedded().await;
        let accounts: Vec<String> = (0..20).map(|index| format!("tenant-{index:02}")).collect();
        let mut exports = String::new();
        for account in &accounts {
            exports += &format!(
                "[[export]]\naccount = {account:?}\nzone = \"Europe/Berlin\"\nschedule = {EVERY_SECOND:?}\n\
                 addon = {{ enabled = true }}\n{}\n",
                bucket.exports_line()
            );
        }
        std::fs::write(app.folder.join("exports.toml"), exports).unwrap();
        app.cli(&["apply", "exports.toml"]);

        let (first, second) = (app.start().await, app.start().await);
        let mut expected: BTreeMap<&String, Vec<Row>> = BTreeMap::new();
        for round in 0..2 {
            let mut batch = Vec::new();
            for account in &accounts {
                let new = rows(account, &format!("round-{round}"), 3);
                batch.extend(new.clone());
                expected.entry(account).or_default().extend(new);
            }
            app.insert(&batch).await;
            for (account, rows) in &expected {
                app.delivered(&bucket, account, rows.len()).await;
            }
        }
        app.settle(&accounts[0]).await;
        let records = |worker| async move {
            crate::daemon::app::Worker::metric(worker, "auditferry_records_total").await
        };
        let (of_first, of_second) = (records(&first).await, records(&second).await);
        assert!(of_first > 0.0 && of_second > 0.0, "{of_first} and {of_second} records");
        assert_eq!(of_first + of_second, 120.0, "each record is counted once");
        first.stop().await;
        second.stop().await;

        let mut owners = BTreeSet::new();
        for (account, rows) in &expected {
            for object in app.verify(&bucket, account, rows).await {
                if owners.len() == 2 {
                    continue;
                }
                for attempt in app.attempts(account, &object.key) {
                    owners.insert(attempt["worker"].as_str().unwrap().to_owned());
                }
            }
        }
        assert_eq!(owners.len(), 2, "who made the attempts: {owners:?}");
    });
}
