//! Support pauses an account; a customer's refusals suspend it.

use std::time::Duration;

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::run;

/// Nothing of a paused account is delivered, the others go on, and it misses nothing.
#[test]
fn a_paused_account_goes_on_from_its_watermark() {
    run(async {
        let app = App::sqlite();
        let (paused, other) = (Bucket::embedded().await, Bucket::embedded().await);
        app.add("paused", &paused, EVERY_SECOND, &[]);
        app.add("other", &other, EVERY_SECOND, &[]);
        let worker = app.start().await;
        let mut expected = rows("paused", "before", 2);
        app.insert(&expected).await;
        app.delivered(&paused, "paused", 2).await;
        app.cli(&["account", "pause", "paused", "--reason", "bucket moves"]);
        // A window that was in flight has ended when the lease is given back.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (while_paused, beside) = (rows("paused", "while", 2), rows("other", "beside", 2));
        app.insert(&[&while_paused[..], &beside].concat()).await;
        app.delivered(&other, "other", 2).await;
        app.settle("other").await;
        app.verify(&paused, "paused", &expected).await;
        assert_eq!(app.show("paused")["health"], "paused");
        assert_eq!(worker.metric("auditferry_accounts{state=\"paused\"}").await, 1.0);
        app.cli(&["account", "resume", "paused"]);
        expected.extend(while_paused);
        app.delivered(&paused, "paused", 4).await;
        app.settle("paused").await;
        worker.stop().await;
        app.verify(&paused, "paused", &expected).await;
    });
}

/// After the first refusal, here: probes only, until one succeeds.
#[test]
fn a_suspended_account_goes_on_by_itself_once_a_probe_succeeds() {
    run(async {
        let app = App::sqlite().with("WORKER__SUSPEND_AFTER", "1s");
        let bucket = Bucket::embedded().await;
        let mut place = bucket.with_wrong_secret();
        let at = 1 + place.iter().position(|word| word == "--secret-access-key-file").unwrap();
        let key = app.folder.join("key");
        let right =
            &bucket.options[1 + bucket.options.iter().position(|word| *word == place[at - 1]).unwrap()];
        std::fs::copy(&place[at], &key).unwrap();
        place[at] = key.display().to_string();
        app.add_to("acme", &place, EVERY_SECOND, &[]);
        let expected = rows("acme", "one", 3);
        app.insert(&expected).await;
        let worker = app.start().await;
        let shown = app.shown("acme", "suspended", |shown| shown["health"] == "suspended").await;
        assert!(shown["advice"].as_str().unwrap().contains("auditferry account resume acme"), "{shown}");
        assert!(shown["denied_since"].as_str() < shown["suspended_at"].as_str(), "{shown}");
        assert_eq!(worker.metric("auditferry_accounts{state=\"suspended\"}").await, 1.0);
        let attempts = app.deliveries("acme")[0]["attempts"].clone();
        let first = shown["error"]["at"].clone();
        app.shown("acme", "another probe", |shown| shown["error"]["at"] != first).await;
        assert_eq!(app.deliveries("acme")[0]["attempts"], attempts, "the object is not put");
        std::fs::copy(right, &key).unwrap();
        app.delivered(&bucket, "acme", 3).await;
        app.settle("acme").await;
        assert_eq!(app.show("acme")["health"], "running");
        assert!(worker.log().contains("account suspended"), "the log says so");
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}
