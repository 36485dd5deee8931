//! Another bucket while the worker runs.

use std::time::Duration;

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::gate::{Door, Gate};
use crate::daemon::rows::{emails, keys_of, rows, unpack};
use crate::support::child::free_address;
use crate::support::{eventually, run};

#[test]
fn a_destination_replaced_while_the_worker_runs() {
    run(async {
        let (app, old, new) = (App::postgres().await, Bucket::embedded().await, Bucket::embedded().await);
        app.add("acme", &old, EVERY_SECOND, &["--max-records", "2"]);
        let second = app.try_cli(
            &[
                &["destination", "set", "acme"],
                &new.options.iter().map(String::as_str).collect::<Vec<_>>()[..],
            ]
            .concat(),
        );
        assert_eq!(second.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&second.stderr).contains("--replace"));

        let worker = app.start().await;
        let mut expected = rows("acme", "before", 3);
        app.insert(&expected).await;
        app.delivered(&old, "acme", 3).await;
        for round in 0..16 {
            let more = rows("acme", &format!("round-{round}"), 3);
            app.insert(&more).await;
            expected.extend(more);
            if round == 8 {
                app.set_destination("acme", &new.options, &["--replace", "--yes"]);
            }
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
        everything_across(&app, &old, &new, &expected).await;
        worker.stop().await;
    });
}

/// The old bucket took an object, and its answer was lost: it is not put into the new one.
#[test]
fn an_object_of_unknown_fate_is_looked_for_in_the_old_bucket_first() {
    run(async {
        let app = App::sqlite().with("PUT__TIMEOUT", "1s");
        let (old, new) = (Bucket::embedded().await, Bucket::embedded().await);
        let gate = Gate::before(old.address(), Door::NoAnswers).await;
        app.add_to("acme", &old.through(&gate.endpoint()), EVERY_SECOND, &["--max-records", "2"]);
        let mut expected = rows("acme", "before", 5);
        app.insert(&expected).await;
        let worker = app.start().await;
        app.shown("acme", "in doubt", |shown| shown["error"]["kind"] == "unknown").await;
        app.set_destination("acme", &new.options, &["--replace", "--yes"]);
        gate.set(Door::Open);
        let more = rows("acme", "after", 2);
        app.insert(&more).await;
        expected.extend(more);
        everything_across(&app, &old, &new, &expected).await;
        worker.stop().await;
    });
}

/// Nothing reached the old store: its window goes to the new one, under the same slot.
#[test]
fn a_window_that_never_reached_the_old_bucket_goes_to_the_new_one() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        let nobody = format!("http://{}", free_address());
        app.add_to("acme", &bucket.through(&nobody), EVERY_SECOND, &[]);
        let expected = rows("acme", "waiting", 3);
        app.insert(&expected).await;
        let worker = app.start().await;
        app.shown("acme", "unreachable", |shown| shown["error"]["kind"] == "unreachable").await;
        let stuck = app.deliveries("acme");
        app.set_destination("acme", &bucket.options, &["--replace", "--yes"]);
        app.delivered(&bucket, "acme", 3).await;
        app.settle("acme").await;
        worker.stop().await;
        let objects = app.verify(&bucket, "acme", &expected).await;
        assert_eq!(objects[0].key, stuck[0]["key"]);
    });
}

/// That two buckets together hold exactly these rows, first the one and then the other.
async fn everything_across(app: &App, old: &Bucket, new: &Bucket, expected: &[crate::daemon::rows::Row]) {
    let last = &expected.last().unwrap().email;
    eventually("the last row", async || {
        let newest = unpack(new, keys_of(new, "acme").await.last()?).await;
        emails(&[newest]).contains(last).then_some(())
    })
    .await;
    app.settle("acme").await;
    let mut objects = Vec::new();
    for bucket in [old, new] {
        for key in keys_of(bucket, "acme").await {
            objects.push(unpack(bucket, &key).await);
        }
    }
    assert!(objects.is_sorted_by(|one, next| one.key < next.key), "the old bucket's keys come first");
    app.compare("acme", &objects, expected);
}
