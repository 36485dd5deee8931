//! Transactions of every kind on a vendor's table. Each test holds some open, so they are
//! on a server of their own, one after the other.

use std::sync::OnceLock;
use std::time::Duration;

use auditferry_core::model::bound::{Bound, Watermark};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::source_contract::bed::{Bed, between, id, record};
use crate::source_contract::counting::watermark;
use crate::support::postgres::Cluster;
use crate::support::run;

pub(super) const NONE: [&str; 0] = [];

/// A fresh table on a server that nobody else uses meanwhile.
async fn alone(lookback: Duration) -> (Bed, MutexGuard<'static, ()>) {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    static BUSY: Mutex<()> = Mutex::const_new(());
    let busy = BUSY.lock().await;
    let cluster = CLUSTER.get_or_init(|| Cluster::start("vendor-open", &["max_prepared_transactions=10"]));
    (Bed::table_on(cluster, lookback).await, busy)
}

const YEARS: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A bound of `acme` after what it has delivered.
pub(super) async fn pinned(bed: &Bed, after: Option<&Watermark>) -> Bound {
    let hi = bed.capture_now().await;
    bed.source.pin(&id("acme"), after, &hi).await.unwrap()
}

/// An insert whose time is now, and whose name is its email.
async fn insert_now(bed: &Bed, name: &str) {
    bed.application().await.execute(&now(name)).await.unwrap();
}

fn now(name: &str) -> String {
    format!("INSERT INTO audit_log (account_id, email, action) VALUES ('acme', '{name}', 'x')")
}

#[test]
fn what_commits_after_an_open_transaction_began_waits_for_its_end() {
    run(async {
        let (bed, _alone) = alone(YEARS).await;
        let mut late = bed.application().await;
        late.execute("BEGIN").await.unwrap();
        late.insert("acme", &record("late")).await.unwrap();
        bed.insert(&[record("1")]).await;
        let first = bed.capture_now().await;
        bed.insert(&[record("2")]).await;
        let window = between(&bed.source.beginning(), &first);
        assert_eq!(bed.names(&window).await, NONE);
        let waiting = bed.source.waiting(&id("acme"), &watermark(first.clone())).await.unwrap();
        assert_eq!(waiting.records, 2, "what waits for another's end is seen to wait");
        // Who holds it up is named, once that is worth a look.
        let now = jiff::Timestamp::now();
        let holder = bed.source.holder().await.unwrap().expect("the open transaction");
        assert!(!holder.is_old(now), "{holder:?}");
        let burn = "DO $$ BEGIN FOR i IN 1..1100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
        bed.application().await.execute(burn).await.unwrap();
        let holder = bed.source.holder().await.unwrap().expect("the open transaction");
        assert!(holder.is_old(now) && holder.who.starts_with("process "), "{holder:?}");
        late.execute("COMMIT").await.unwrap();
        assert_eq!(bed.source.holder().await.unwrap(), None);
        assert_eq!(bed.names(&window).await, NONE, "the window is closed");
        let second = bed.capture_now().await;
        assert_eq!(bed.names(&between(&first, &second)).await, ["late", "1", "2"]);
        assert_eq!(bed.names(&between(&second, &bed.capture_now().await)).await, NONE);
    });
}

/// A savepoint has an id of its own, which stands in no snapshot. While its transaction is
/// open, the snapshot's text says that it has finished.
#[test]
fn a_savepoint_counts_with_its_transaction() {
    run(async {
        let (bed, _alone) = alone(YEARS).await;
        let mut late = bed.application().await;
        late.execute("BEGIN; SAVEPOINT a").await.unwrap();
        late.insert("acme", &record("kept")).await.unwrap();
        late.execute("RELEASE a; SAVEPOINT b").await.unwrap();
        late.insert("acme", &record("given up")).await.unwrap();
        late.execute("ROLLBACK TO b; SAVEPOINT c; SAVEPOINT d").await.unwrap();
        late.insert("acme", &record("nested")).await.unwrap();
        bed.insert(&[record("other")]).await;
        let mut watch = PgConnection::connect(&bed.url).await.unwrap();
        // What the row "kept" has as xmin: the next id after its transaction's own.
        let said: bool = sqlx::query_scalar(
            "SELECT pg_visible_in_snapshot((pg_snapshot_xmin(now)::text::bigint + 1)::text::xid8, now) \
             FROM pg_current_snapshot() AS now",
        )
        .fetch_one(&mut watch)
        .await
        .unwrap();
        assert!(said, "the snapshot does not know of savepoints");
        let first = bed.capture_now().await;
        assert_eq!(bed.names(&between(&bed.source.beginning(), &first)).await, NONE);
        late.execute("RELEASE c").await.unwrap();
        late.insert("acme", &record("last")).await.unwrap();
        late.execute("COMMIT").await.unwrap();
        let second = bed.capture_now().await;
        assert_eq!(bed.names(&between(&first, &second)).await, ["kept", "nested", "other", "last"]);
    });
}

#[test]
fn a_prepared_transaction_comes_once_when_it_is_committed() {
    run(async {
        let (bed, _alone) = alone(YEARS).await;
        let mut late = bed.application().await;
        late.execute("BEGIN").await.unwrap();
        late.insert("acme", &record("prepared")).await.unwrap();
        late.execute("PREPARE TRANSACTION 'late'").await.unwrap();
        bed.insert(&[record("1")]).await;
        let first = bed.capture_now().await;
        assert_eq!(bed.names(&between(&bed.source.beginning(), &first)).await, NONE);
        let advice = bed.source.advice().await.unwrap();
        assert_eq!(advice, NONE, "it is not old");
        late.execute("COMMIT PREPARED 'late'").await.unwrap();
        let second = bed.capture_now().await;
        assert_eq!(bed.names(&between(&first, &second)).await, ["prepared", "1"]);
    });
}

/// The floor of a bound does not go past a transaction that is open: however long it is, its
/// rows are found.
#[test]
fn a_transaction_may_be_longer_than_the_lookback() {
    run(async {
        let (bed, _alone) = alone(Duration::from_secs(1)).await;
        insert_now(&bed, "before").await;
        let mut at = watermark(pinned(&bed, None).await);
        let mut late = bed.application().await;
        // The time of its row is when it began.
        late.execute(&format!("BEGIN; {}", now("late"))).await.unwrap();
        let mut names = Vec::new();
        for round in 0..5 {
            insert_now(&bed, &round.to_string()).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let hi = pinned(&bed, Some(&at)).await;
            names.extend(bed.names(&between(&at.bound, &hi)).await);
            at = watermark(hi);
        }
        assert_eq!(names, NONE);
        late.execute("COMMIT").await.unwrap();
        for _ in 0..2 {
            let hi = pinned(&bed, Some(&at)).await;
            names.extend(bed.names(&between(&at.bound, &hi)).await);
            at = watermark(hi);
        }
        assert_eq!(names, ["late", "0", "1", "2", "3", "4"]);
    });
}

/// The check of what was delivered and the count for the next time see the same rows.
#[test]
fn an_update_that_is_open_while_a_window_is_planned_is_noticed_later() {
    run(async {
        let (bed, _alone) = alone(YEARS).await;
        bed.insert(&[record("1"), record("2")]).await;
        let at = watermark(pinned(&bed, Some(&watermark(bed.source.beginning()))).await);
        let mut late = bed.application().await;
        late.execute("BEGIN; UPDATE audit_log SET action = 'other' WHERE email = '1'").await.unwrap();
        let at = watermark(pinned(&bed, Some(&at)).await);
        late.execute("COMMIT").await.unwrap();
        let hi = bed.capture_now().await;
        let error = bed.source.pin(&id("acme"), Some(&at), &hi).await.unwrap_err();
        assert!(error.to_string().contains("2 were there, and now 1 are"), "{error}");
    });
}
