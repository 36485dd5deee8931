//! Stopped, killed, and started again: nothing lost, nothing twice.

use std::time::{Duration, Instant};

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::gate::{Door, Gate};
use crate::daemon::rows::{keys_of, rows};
use crate::support::{eventually, run};

/// An account whose store is behind a gate.
async fn gated(app: &App, door: Door) -> (Bucket, Gate) {
    let bucket = Bucket::embedded().await;
    let gate = Gate::before(bucket.address(), door).await;
    app.add_to("acme", &bucket.through(&gate.endpoint()), EVERY_SECOND, &[]);
    (bucket, gate)
}

#[test]
fn sigterm_lets_the_put_in_flight_end_and_exits_0() {
    run(async {
        let app = App::sqlite();
        let (bucket, gate) = gated(&app, Door::NoAnswers).await;
        let mut expected = rows("acme", "before", 5);
        app.insert(&expected).await;
        let mut worker = app.start().await;
        gate.answered().await;
        worker.signal("TERM");
        eventually("the worker says that it stops", async || worker.log().contains("stopping").then_some(()))
            .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(worker.ended().is_none(), "a put is in flight");
        gate.set(Door::Open);
        assert_eq!(worker.end().await.code(), Some(0));
        app.verify(&bucket, "acme", &expected).await;

        let more = rows("acme", "after", 3);
        app.insert(&more).await;
        expected.extend(more);
        let worker = app.start().await;
        app.delivered(&bucket, "acme", 8).await;
        app.settle("acme").await;
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}

/// The put outlives the drain, and reaches the store when the next worker runs already.
#[test]
fn a_drain_that_takes_too_long_ends_and_loses_nothing() {
    run(async {
        let app = App::sqlite().with("WORKER__DRAIN_TIMEOUT", "500ms");
        let (bucket, gate) = gated(&app, Door::Silent).await;
        let expected = rows("acme", "before", 5);
        app.insert(&expected).await;
        let worker = app.start().await;
        gate.asked().await;
        worker.stop().await;
        assert_eq!(bucket.keys().await, [""; 0]);
        gate.set(Door::Open);
        let worker = app.start().await;
        app.delivered(&bucket, "acme", 5).await;
        app.settle("acme").await;
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}

#[test]
fn a_second_sigterm_exits_at_once_and_loses_nothing() {
    run(async {
        let app = App::sqlite();
        let (bucket, gate) = gated(&app, Door::Silent).await;
        let expected = rows("acme", "before", 5);
        app.insert(&expected).await;
        let mut worker = app.start().await;
        gate.asked().await;
        worker.signal("TERM");
        eventually("the worker says that it stops", async || worker.log().contains("stopping").then_some(()))
            .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(worker.ended().is_none(), "a put is in flight");
        let asked = Instant::now();
        worker.signal("TERM");
        assert_eq!(worker.end().await.code(), Some(130));
        assert!(asked.elapsed() < Duration::from_secs(3), "at once took {:?}", asked.elapsed());
        assert_eq!(bucket.keys().await, [""; 0]);

        gate.set(Door::Open);
        let worker = app.start().await;
        app.delivered(&bucket, "acme", 5).await;
        app.settle("acme").await;
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}

/// The object is in the bucket and nobody knows: the next worker finds that it is ours.
#[test]
fn sigkill_between_the_put_and_its_answer() {
    run(async {
        let app = App::sqlite();
        let (bucket, gate) = gated(&app, Door::NoAnswers).await;
        let expected = rows("acme", "before", 5);
        app.insert(&expected).await;
        let worker = app.start().await;
        gate.answered().await;
        let there = eventually("the object", async || keys_of(&bucket, "acme").await.pop()).await;
        worker.kill();
        assert_eq!(app.deliveries("acme")[0]["state"], "sealed");

        gate.set(Door::Open);
        let worker = app.start().await;
        app.settle("acme").await;
        worker.stop().await;
        let objects = app.verify(&bucket, "acme", &expected).await;
        assert_eq!(objects[0].key, there);
        let outcomes: Vec<_> = app.attempts("acme", &there).iter().map(|a| a["outcome"].clone()).collect();
        assert_eq!(outcomes, [serde_json::Value::Null, "delivered".into()]);
    });
}

/// The same, and the rows are gone when the next worker looks: their object is in the bucket all the same.
#[test]
fn rows_that_are_gone_after_a_lost_answer_hold_the_account() {
    run(async {
        let app = App::sqlite();
        let (bucket, gate) = gated(&app, Door::NoAnswers).await;
        app.insert(&rows("acme", "before", 5)).await;
        let worker = app.start().await;
        gate.answered().await;
        eventually("the object", async || keys_of(&bucket, "acme").await.pop()).await;
        worker.kill();
        let mut database = crate::daemon::rows::sqlite(&app.url).await;
        sqlx::raw_sql("DROP TRIGGER audit_log_no_delete; DELETE FROM audit_log")
            .execute(&mut database)
            .await
            .unwrap();

        gate.set(Door::Open);
        let worker = app.start().await;
        let held = app.shown("acme", "held", |shown| shown["health"] == "held").await;
        worker.stop().await;
        assert_eq!(held["error"]["kind"], "content_changed", "{held}");
        assert!(held["error"]["fix"].as_str().unwrap().contains("rewind ACCOUNT --accept"), "{held}");
        assert!(held["retry_at"].is_null(), "nothing is tried while it is held: {held}");
        assert_eq!(app.deliveries("acme")[0]["state"], "sealed");
    });
}

/// Killed twice on its way through a window of 60 objects.
async fn killed_in_a_backlog(app: App) {
    let bucket = Bucket::embedded().await;
    app.add("acme", &bucket, EVERY_SECOND, &["--max-records", "5"]);
    let expected = rows("acme", "backlog", 300);
    app.insert(&expected).await;
    for enough in [5, 25] {
        let worker = app.start().await;
        eventually("some objects", async || (bucket.keys().await.len() >= enough).then_some(())).await;
        worker.kill();
        let there = bucket.keys().await.len();
        assert!(there < 60, "{there} objects: it was killed too late");
    }
    let worker = app.start().await;
    app.delivered(&bucket, "acme", 300).await;
    app.settle("acme").await;
    worker.stop().await;
    let objects = app.verify(&bucket, "acme", &expected).await;
    assert_eq!(objects.len(), 60);
}

#[test]
fn sigkill_in_a_backlog_on_sqlite() {
    run(async { killed_in_a_backlog(App::sqlite()).await });
}

/// The next worker takes over when the lease of the dead one has ended.
#[test]
fn sigkill_in_a_backlog_on_postgres() {
    run(async {
        let app = App::postgres().await;
        killed_in_a_backlog(app.with("WORKER__LEASE", "2s").with("PUT__TIMEOUT", "1s")).await;
    });
}
