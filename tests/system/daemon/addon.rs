//! The paid add-on: its end, its pauses, and what is skipped on purpose.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection as _, PgConnection};

use crate::daemon::app::{App, EVERY_SECOND, YEARLY, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{rows, slot_of, sqlite};
use crate::support::run;

/// Between two slots the add-on ends: what occurred before is delivered in a window that is
/// named after the end, and nothing more until it is enabled again.
async fn expiry(app: App) {
    let bucket = Bucket::embedded().await;
    app.add("acme", &bucket, YEARLY, &[]);
    let end = Timestamp::from_second(Timestamp::now().as_second() + 3).unwrap();
    app.cli(&["addon", "enable", "acme", "--until", &end.to_string(), "--reason", "trial"]);
    let before = rows("acme", "before", 4);
    let mut ahead = rows("acme", "ahead", 2);
    for row in &mut ahead {
        row.at = end + SignedDuration::from_mins(5);
    }
    ahead[1].at = end;
    app.insert(&[&before[..], &ahead].concat()).await;
    let worker = app.start().await;
    app.delivered(&bucket, "acme", before.len()).await;
    let shown = app.shown("acme", "expired", |shown| shown["health"] == "expired").await;
    assert_eq!((&shown["addon"], &shown["next_slot"]), (&"expired".into(), &serde_json::Value::Null));
    assert_eq!(shown["waiting"]["records"], ahead.len());

    let after = rows("acme", "after", 3);
    let mut late = rows("acme", "late", 2);
    for row in &mut late {
        row.at = end - SignedDuration::from_secs(1);
    }
    app.insert(&[&after[..], &late].concat()).await;
    // Slots come all the same.
    app.cli(&["account", "set", "acme", "--schedule", EVERY_SECOND]);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let objects = app.verify(&bucket, "acme", &before).await;
    assert_eq!(objects.len(), 1);
    assert_eq!(slot_of(&objects[0].key), end.strftime("%Y%m%dT%H%M%SZ").to_string());

    let ended = app.try_cli(&["addon", "enable", "acme"]);
    assert!(said(&ended).contains("has passed; give a later instant"), "{}", said(&ended));
    app.cli(&["addon", "enable", "acme", "--no-end"]);
    let expected = [before, ahead, after, late].concat();
    app.delivered(&bucket, "acme", expected.len()).await;
    app.settle("acme").await;
    worker.stop().await;
    app.verify(&bucket, "acme", &expected).await;
}

#[test]
fn expiry_between_two_slots_on_sqlite() {
    run(async { expiry(App::sqlite()).await });
}

#[test]
fn expiry_between_two_slots_on_postgres() {
    run(async { expiry(App::postgres().await).await });
}

/// What commits before the first enablement is exported only when the start says so.
#[test]
fn an_account_starts_with_its_first_enablement() {
    run(async {
        for (start, counts) in [(None, false), (Some("enabled"), false), (Some("now"), true)] {
            let (app, bucket) = (App::postgres().await, Bucket::embedded().await);
            let options = start.map(|start| ["--start", start]);
            let add = ["account", "add", "acme", "--zone", "UTC", "--schedule", EVERY_SECOND];
            let added = app.cli(&[&add[..], options.as_ref().map_or(&[], |options| &options[..])].concat());
            assert_eq!(added.contains("from the first enablement of its add-on"), !counts, "{added}");
            app.set_destination("acme", &bucket.options, &[]);
            let early = rows("acme", "early", 2);
            app.insert(&early).await;
            let shown = app.show("acme");
            assert_eq!(shown["starts_when_enabled"], !counts);
            assert_eq!(shown["waiting"]["records"], if counts { 2 } else { 0 });

            app.cli(&["addon", "enable", "acme"]);
            let late = rows("acme", "late", 2);
            app.insert(&late).await;
            let worker = app.start().await;
            let expected = if counts { [&early[..], &late].concat() } else { late };
            app.delivered(&bucket, "acme", expected.len()).await;
            // The second enablement goes on from the watermark.
            app.cli(&["addon", "disable", "acme"]);
            let meanwhile = rows("acme", "meanwhile", 1);
            app.insert(&meanwhile).await;
            app.cli(&["addon", "enable", "acme"]);
            let expected = [expected, meanwhile].concat();
            app.delivered(&bucket, "acme", expected.len()).await;
            app.settle("acme").await;
            app.verify(&bucket, "acme", &expected).await;
            worker.stop().await;
        }
    });
}

/// Waits out the window in flight, if there is one.
async fn disable(app: &App) {
    app.cli(&["addon", "disable", "acme", "--reason", "unpaid"]);
    app.shown("acme", "idle", |shown| shown["open_window"].is_null()).await;
}

async fn pauses(app: App, skipped: impl AsyncFn(&str) -> i64) {
    let bucket = Bucket::embedded().await;
    app.add("acme", &bucket, EVERY_SECOND, &[]);
    let worker = app.start().await;
    let mut expected = rows("acme", "before", 3);
    app.insert(&expected).await;
    app.delivered(&bucket, "acme", 3).await;

    disable(&app).await;
    let paused = rows("acme", "paused", 3);
    app.insert(&paused).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    app.verify(&bucket, "acme", &expected).await;
    let shown = app.show("acme");
    assert_eq!((&shown["health"], &shown["waiting"]["records"]), (&"disabled".into(), &3.into()));
    app.cli(&["addon", "enable", "acme"]);
    expected.extend(paused);
    app.delivered(&bucket, "acme", 6).await;

    disable(&app).await;
    app.insert(&rows("acme", "never-sent", 3)).await;
    app.cli(&["addon", "enable", "acme", "--from", "now"]);
    let last = rows("acme", "last", 2);
    app.insert(&last).await;
    expected.extend(last);
    app.delivered(&bucket, "acme", 8).await;
    app.settle("acme").await;
    worker.stop().await;
    app.verify(&bucket, "acme", &expected).await;
    assert_eq!(skipped(&app.url).await, 1, "the gap is recorded");
    let windows = app.json(["deliveries", "ls"], &["acme", "--windows", "--limit", "10000"]);
    let windows = windows.as_array().unwrap();
    let records = |state: &str| -> Vec<_> {
        let of_state = windows.iter().filter(|window| window["state"] == state);
        of_state.map(|window| window["records"].as_u64().unwrap()).collect()
    };
    assert_eq!((records("skipped"), records("delivered").iter().sum()), (vec![0], 8), "{windows:?}");
}

const SKIPPED: &str = "SELECT count(*) FROM export_window WHERE account = 'acme' AND state = 'skipped'";

#[test]
fn pauses_continue_from_the_watermark_or_skip_on_sqlite() {
    let skipped =
        async |url: &str| sqlx::query_scalar(SKIPPED).fetch_one(&mut sqlite(url).await).await.unwrap();
    run(async { pauses(App::sqlite(), skipped).await });
}

#[test]
fn pauses_continue_from_the_watermark_or_skip_on_postgres() {
    let skipped = async |url: &str| {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query_scalar(SKIPPED).fetch_one(&mut connection).await.unwrap()
    };
    run(async { pauses(App::postgres().await, skipped).await });
}
