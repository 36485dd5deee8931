//! Which server answers: a crashed one, a standby, one that was promoted.

use std::time::Duration;

use auditferry::source::SourceError;
use sqlx::{AssertSqlSafe, PgConnection};

use super::commits::{NONE, pinned};
use crate::source_contract::bed::{Bed, between, id, record};
use crate::source_contract::counting::watermark;
use crate::support::postgres::Cluster;
use crate::support::{eventually, run, vendor};

const YEARS: Duration = Duration::from_secs(100 * 365 * 86_400);

async fn on(cluster: &Cluster, sql: &str) {
    let mut connection = cluster.connect("postgres").await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

async fn count(watch: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_log").fetch_one(watch).await.unwrap()
}

async fn arrived(watch: &mut PgConnection, rows: i64) {
    eventually("the standby has them", async || (count(watch).await == rows).then_some(())).await;
}

/// Waits until so many standbys stream.
async fn streams(watch: &mut PgConnection, wanted: i64) {
    eventually("standbys come and go", async || {
        let streams = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
        let streams: i64 = sqlx::query_scalar(streams).fetch_one(&mut *watch).await.unwrap();
        (streams == wanted).then_some(())
    })
    .await;
}

/// A bound that covers everything committed; on a standby, once it has heard what runs.
async fn complete(
    bed: &Bed,
    lo: &auditferry_core::model::bound::Bound,
    names: &[&str],
) -> auditferry_core::model::bound::Bound {
    eventually("a bound above all of them", async || {
        let hi = pinned(bed, Some(&watermark(lo.clone()))).await;
        (bed.names(&between(lo, &hi)).await.len() >= names.len()).then_some(hi)
    })
    .await
}

#[test]
fn a_standby_and_its_primary_give_the_same_sets_and_a_promotion_is_seen_through() {
    run(async {
        let primary = Cluster::start("vendor-primary", &[]);
        let database = primary.create().await;
        vendor::make(&primary, &database).await;
        let settings = vendor::settings(YEARS);
        let bed = Bed::reading(&primary, &database, &settings);
        let standby = primary.standby("vendor-standby");
        let mut watch = standby.connect(&database).await;
        let reader = Bed::reading(&standby, &database, &settings);
        reader.source.check().await.unwrap();

        let mut late = bed.application().await;
        late.execute("BEGIN; SAVEPOINT a").await.unwrap();
        late.insert("acme", &record("late")).await.unwrap();
        bed.insert(&[record("1")]).await;
        arrived(&mut watch, 1).await;
        let start = reader.source.beginning();
        let first = pinned(&reader, Some(&watermark(start.clone()))).await;
        assert_eq!(
            reader.names(&between(&start, &first)).await,
            NONE,
            "what lies above an open transaction waits"
        );
        late.execute("COMMIT").await.unwrap();
        bed.insert(&[record("2")]).await;
        arrived(&mut watch, 3).await;
        let second = complete(&reader, &first, &["late", "1", "2"]).await;
        assert_eq!(reader.names(&between(&start, &first)).await, NONE, "the window is closed");
        assert_eq!(reader.names(&between(&first, &second)).await, ["late", "1", "2"]);
        // The same set, whichever server is asked.
        assert_eq!(bed.names(&between(&first, &second)).await, ["late", "1", "2"]);

        // A standby that has not come so far says so, and nobody is held for it.
        on(&standby, "SELECT pg_wal_replay_pause()").await;
        eventually("replay stands", async || {
            let mut connection = standby.connect("postgres").await;
            let paused: bool = sqlx::query_scalar("SELECT pg_get_wal_replay_pause_state() = 'paused'")
                .fetch_one(&mut connection)
                .await
                .unwrap();
            paused.then_some(())
        })
        .await;
        bed.insert(&[record("3")]).await;
        let third = pinned(&bed, Some(&watermark(second.clone()))).await;
        let behind = reader.source.recognise(&id("acme"), &third).await.unwrap_err();
        assert!(matches!(&behind, SourceError::Behind(_)), "{behind}");
        let behind = reader.source.read(&id("acme"), &between(&second, &third), None, 10).await.unwrap_err();
        assert!(matches!(&behind, SourceError::Behind(_)), "{behind}");
        on(&standby, "SELECT pg_wal_replay_resume()").await;
        arrived(&mut watch, 4).await;
        complete(&reader, &second, &["3"]).await;
        reader.source.recognise(&id("acme"), &third).await.unwrap();

        // Promoted with everything, it goes on.
        drop(primary);
        on(&standby, "SELECT pg_promote()").await;
        reader.insert(&[record("4")]).await;
        let fourth = complete(&reader, &third, &["4"]).await;
        assert_eq!(reader.names(&between(&third, &fourth)).await, ["4"]);
    });
}

#[test]
fn a_promoted_standby_that_lacks_rows_or_gives_their_ids_again_is_recognised() {
    run(async {
        let primary = Cluster::start("vendor-lost", &[]);
        let database = primary.create().await;
        vendor::make(&primary, &database).await;
        let settings = vendor::settings(YEARS);
        let bed = Bed::reading(&primary, &database, &settings);
        bed.insert(&[record("a")]).await;
        let standby = primary.standby("vendor-lost-standby");
        let mut watch = standby.connect(&database).await;
        arrived(&mut watch, 1).await;
        let mut on_primary = primary.connect("postgres").await;
        streams(&mut on_primary, 1).await;
        on(&standby, "ALTER SYSTEM SET primary_conninfo = ''").await;
        on(&standby, "SELECT pg_reload_conf()").await;
        streams(&mut on_primary, 0).await;
        // One account loses a row; of the other a new row gets its id, below the watermark.
        bed.insert(&[record("b")]).await;
        let beginning = watermark(bed.source.beginning());
        let ours = pinned(&bed, Some(&beginning)).await;
        let captured = bed.capture_now().await;
        let quiet = bed.source.pin(&id("quiet"), Some(&beginning), &captured).await.unwrap();
        drop(primary);
        on(&standby, "SELECT pg_promote()").await;
        let reader = Bed::reading(&standby, &database, &settings);
        let rewound = reader.source.recognise(&id("acme"), &ours).await.unwrap_err();
        assert!(matches!(&rewound, SourceError::Rewound(_) | SourceError::Behind(_)), "{rewound}");
        let mut application = reader.application().await;
        for _ in 0..30 {
            application.insert("quiet", &record("d")).await.unwrap();
            application.insert("acme", &record("c")).await.unwrap();
        }
        for (account, bound) in [("acme", &ours), ("quiet", &quiet)] {
            let rewound = reader.source.recognise(&id(account), bound).await.unwrap_err();
            assert!(
                matches!(&rewound, SourceError::Rewound(why) if why.contains("timeline was 1 and is 2")),
                "{account}: {rewound}"
            );
        }
    });
}

/// Commits that are not on disk are undone by a crash, and their ids given again. So a bound
/// is given once the log is on disk, although we write nothing.
#[test]
fn a_bound_is_given_once_its_commits_are_on_disk() {
    run(async {
        // The log writer sleeps for 3 s, and an idle writer holds a part of a page open.
        let cluster = Cluster::start("vendor-lazy", &["wal_writer_delay=3s", "wal_writer_flush_after=0"]);
        let bed = Bed::table_on(&cluster, YEARS).await;
        let mut idle = bed.application().await;
        let mut lazy = bed.application().await;
        lazy.execute("SET synchronous_commit = off").await.unwrap();
        let mut watch = cluster.connect("postgres").await;
        for round in 0..2 {
            lazy.insert("acme", &record("lazy")).await.unwrap();
            if round == 1 {
                idle.execute("BEGIN").await.unwrap();
                idle.insert("acme", &record("idle")).await.unwrap();
            }
            let lsn: String = sqlx::query_scalar("SELECT pg_current_wal_insert_lsn()::text")
                .fetch_one(&mut watch)
                .await
                .unwrap();
            let bound = bed.capture_now().await;
            let flushed: bool = sqlx::query_scalar("SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn")
                .bind(&lsn)
                .fetch_one(&mut watch)
                .await
                .unwrap();
            assert!(flushed, "{lsn} is not on disk, and {bound} was given");
        }
    });
}

#[test]
fn another_cluster_is_noticed() {
    run(async {
        let bed = Bed::table().await;
        bed.insert(&[record("a")]).await;
        let bound = pinned(&bed, None).await;
        let other = Cluster::start("vendor-other", &[]);
        let there = Bed::table_on(&other, YEARS).await;
        let error = there.source.recognise(&id("acme"), &bound).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::Rewound(why) if why.contains("it is the PostgreSQL cluster")),
            "{error}"
        );
    });
}
