//! Transactions that commit late.

use sqlx::{Connection as _, PgConnection};

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{emails, insert_on, rows};
use crate::support::run;

/// A transaction that is open before a slot and commits after it has the lower numbers and
/// the earlier times: it is delivered once, in the next window.
#[test]
fn late_commit() {
    run(async {
        let (app, bucket) = (App::postgres().await, Bucket::embedded().await);
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let worker = app.start().await;
        let (late, early, next) =
            (rows("acme", "late", 3), rows("acme", "early", 3), rows("acme", "next", 2));
        let mut connection = PgConnection::connect(&app.url).await.unwrap();
        let mut open = connection.begin().await.unwrap();
        insert_on(&mut open, &late).await;
        app.insert(&early).await;
        app.delivered(&bucket, "acme", 3).await;
        app.insert(&next).await;
        app.delivered(&bucket, "acme", 5).await;
        app.settle("acme").await;
        app.verify(&bucket, "acme", &[early.clone(), next.clone()].concat()).await;
        let before = app.windows("acme");
        open.commit().await.unwrap();
        let after = app.windows("acme");
        app.delivered(&bucket, "acme", 8).await;
        app.settle("acme").await;
        worker.stop().await;
        // Its own objects are in order; those before it stay as they were.
        let objects = app.verify(&bucket, "acme", &[early, next, late.clone()].concat()).await;
        let last = emails(&objects[objects.len() - 1..]);
        assert_eq!(last, late.iter().map(|row| row.email.clone()).collect());
        let window = app.deliveries("acme").last().unwrap()["window"].as_u64().unwrap();
        assert!((before..=after + 1).contains(&window), "window {window}, committed in {before} to {after}");
    });
}
