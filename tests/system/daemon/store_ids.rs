//! What a store calls an object and a request is shown with the attempt: its support asks for it first.

use serde_json::Value;

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::{eventually, run};

impl App {
    /// The newest object of account acme: its first attempt, and what a person is shown.
    async fn first_attempt(&self) -> (Value, String) {
        eventually("an attempt", async || {
            let key = self.deliveries("acme").first()?["key"].as_str()?.to_owned();
            let shown = self.json(["deliveries", "show"], &["--", "acme", &key]);
            let attempt = shown["attempts"].get(0)?.clone();
            let text = self.cli(&["deliveries", "show", "acme", &key]);
            attempt["outcome"].is_string().then_some((attempt, text))
        })
        .await
    }
}

async fn shown(app: App) {
    let bucket = Bucket::azurite_with_connection_string().await;
    app.add("acme", &bucket, EVERY_SECOND, &[]);
    app.insert(&rows("acme", "one", 1)).await;
    let worker = app.start().await;
    app.delivered(&bucket, "acme", 1).await;
    app.settle("acme").await;
    worker.stop().await;
    let (attempt, text) = app.first_attempt().await;
    assert_eq!(attempt["outcome"], "delivered", "{attempt}");
    for id in [&attempt["version"], &attempt["request_id"]] {
        let id = id.as_str().unwrap_or_else(|| panic!("{attempt}"));
        assert!(!id.is_empty() && text.contains(id), "{id} in {text}");
    }
    assert!(text.contains("ETAG OR GENERATION") && text.contains("REQUEST ID"), "{text}");
}

#[test]
fn of_a_put_with_the_ledger_on_sqlite() {
    run(async { shown(App::sqlite()).await });
}

#[test]
fn of_a_put_with_the_ledger_on_postgres() {
    run(async { shown(App::postgres().await).await });
}

#[test]
fn of_a_refusal() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::azurite_with_connection_string().await);
        app.add_to("acme", &bucket.with_useless_sas(), EVERY_SECOND, &[]);
        app.insert(&rows("acme", "one", 1)).await;
        let worker = app.start().await;
        let (attempt, text) = app.first_attempt().await;
        worker.stop().await;
        assert_ne!(attempt["outcome"], "delivered", "{attempt}");
        assert_eq!(attempt["version"], Value::Null, "{attempt}");
        let id = attempt["request_id"].as_str().unwrap_or_else(|| panic!("{attempt}"));
        assert!(text.contains(id), "{id} in {text}");
    });
}
