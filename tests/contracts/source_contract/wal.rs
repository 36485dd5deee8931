//! After a crash Postgres gives transaction ids again that were not on disk. So a bound
//! counts only once the log is flushed past the position read with it.

use std::time::Duration;

use sqlx::PgConnection;

use crate::source_contract::bed::{Bed, between, mark, record};
use crate::support::postgres::Cluster;
use crate::support::{eventually, run};

/// A cluster that writes its log when it is told to, and seldom otherwise.
async fn lazy(name: &str) -> (Cluster, Bed, PgConnection) {
    let cluster = Cluster::start(name, &["wal_writer_delay=10s", "wal_writer_flush_after=0"]);
    let bed = Bed::on(&cluster).await;
    let watch = cluster.connect("postgres").await;
    (cluster, bed, watch)
}

/// The end of the log, once it is not on disk.
async fn unflushed(bed: &Bed, watch: &mut PgConnection) -> String {
    let mut application = bed.application().await;
    application.execute("SET synchronous_commit = off").await.unwrap();
    eventually("a commit that is not on disk", async || {
        application.insert("acme", &record("not on disk")).await.unwrap();
        sqlx::query_scalar(
            "SELECT pg_current_wal_insert_lsn()::text WHERE pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()",
        )
        .fetch_optional(&mut *watch)
        .await
        .unwrap()
    })
    .await
}

async fn is_flushed(lsn: &str, watch: &mut PgConnection) -> bool {
    sqlx::query_scalar("SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn")
        .bind(lsn)
        .fetch_one(watch)
        .await
        .unwrap()
}

#[test]
fn a_bound_is_given_once_its_commits_are_on_disk() {
    run(async {
        let (_cluster, bed, mut watch) = lazy("lazy-commits").await;
        for _ in 0..3 {
            let lsn = unflushed(&bed, &mut watch).await;
            let bound = bed.capture().await;
            assert!(is_flushed(&lsn, &mut watch).await, "{lsn} is not on disk, and {bound} was given");
        }
    });
}

#[test]
fn an_idle_writer_does_not_hold_a_bound_up() {
    run(async {
        let (_cluster, bed, mut watch) = lazy("lazy-writer").await;
        let mut idle = bed.application().await;
        idle.execute("BEGIN").await.unwrap();
        idle.insert("acme", &record("idle")).await.unwrap();
        let lsn: String = sqlx::query_scalar("SELECT pg_current_wal_insert_lsn()::text")
            .fetch_one(&mut watch)
            .await
            .unwrap();
        let bound = tokio::time::timeout(Duration::from_secs(60), bed.source.capture(&mark()))
            .await
            .expect("a bound while a writer is idle")
            .unwrap();
        assert!(is_flushed(&lsn, &mut watch).await);
        assert_eq!(bed.names(&between(&bed.source.beginning(), &bound)).await, [] as [&str; 0]);
        idle.execute("COMMIT").await.unwrap();
        let next = bed.capture().await;
        assert_eq!(bed.names(&between(&bound, &next)).await, ["idle"]);
    });
}
