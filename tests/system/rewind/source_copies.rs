//! A source that is replaced by an older copy of itself, or by another cluster.

use sqlx::AssertSqlSafe;

use super::{Installation, Rig, acme, copy, insert, sql};
use crate::support::by;
use crate::support::postgres::Cluster;
use crate::support::{eventually, run};
use auditferry_core::protocol::Hold;

#[test]
fn a_sqlite_source_replaced_by_an_older_copy_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let files = (rig.folder.join("source.db"), rig.folder.join("backup.db"));
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        copy(&files.0, &files.1).await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;

        copy(&files.1, &files.0).await;
        // It gets the number that b had, which lies under the watermark.
        insert(&here.source, "c", "").await;
        let account = rig.work(&here, "12:00").await;
        assert_eq!(account.held, Some(Hold::SourceRewound));
        let message = account.trouble.unwrap().message;
        assert!(message.contains("is not there. It was restored from an older backup"), "{message}");
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b"]);

        let refused =
            rig.admin(&here, "12:30").await.release(&by(), &acme()).await.expect_err("refused").to_string();
        assert!(refused.contains("it stays held") && refused.contains("rewind acme --accept"), "{refused}");
        assert_eq!(rig.rewind(&here, "13:00").await.generation, 2);
        rig.works(&here, "16:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", "160000Z_g0002: c"]);
    });
}

#[test]
fn a_restored_base_backup_of_postgres_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("before-backup", &[]);
        let database = cluster.create().await;
        let mut here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        let backup = cluster.backup("after-backup");
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;

        drop(cluster);
        let restored = backup.restore();
        here.source = restored.url(&database);
        // Rows of transactions whose ids were given before, enough to pass the old bound.
        for _ in 0..30 {
            insert(&here.source, "c", "").await;
        }
        let account = rig.work(&here, "12:00").await;
        assert_eq!(account.held, Some(Hold::SourceRewound), "{:?}", rig.objects());
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b"]);

        rig.rewind(&here, "13:00").await;
        rig.works(&here, "16:00").await;
        let all = ["c"; 30].join(" ");
        assert_eq!(rig.objects()[2], format!("160000Z_g0002: {all}"));
    });
}

/// Two clusters, of which the second follows the first, and an account that has
/// delivered `a`.
async fn followed(rig: &Rig, name: &str) -> (Cluster, Cluster, String, Installation) {
    let primary = Cluster::start(&format!("{name}-primary"), &[]);
    let database = primary.create().await;
    let here = rig.install(rig.sqlite("ledger.db"), primary.url(&database)).await;
    insert(&here.source, "a", "").await;
    rig.works(&here, "04:00").await;
    let standby = primary.standby(&format!("{name}-standby"));
    (primary, standby, database, here)
}

pub(super) async fn wait_for(cluster: &Cluster, database: &str, condition: &str) {
    let mut connection = cluster.connect(database).await;
    let query = format!("SELECT 1 WHERE {condition}");
    eventually(condition, async || {
        sqlx::query_scalar::<_, i32>(AssertSqlSafe(query.clone()))
            .fetch_optional(&mut connection)
            .await
            .unwrap()
    })
    .await;
}

#[test]
fn a_promoted_standby_that_lacks_the_last_rows_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let (primary, standby, database, mut here) = followed(&rig, "lagging").await;
        wait_for(&standby, &database, "EXISTS (SELECT FROM audit_log WHERE email = 'a')").await;
        sql(&standby, "ALTER SYSTEM SET primary_conninfo = ''").await;
        sql(&standby, "SELECT pg_reload_conf()").await;
        wait_for(&primary, "postgres", "NOT EXISTS (SELECT FROM pg_stat_replication)").await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;

        drop(primary);
        sql(&standby, "SELECT pg_promote()").await;
        here.source = standby.url(&database);
        for _ in 0..30 {
            insert(&here.source, "c", "").await;
        }
        let account = rig.work(&here, "12:00").await;
        assert_eq!(account.held, Some(Hold::SourceRewound), "{:?}", rig.objects());
        rig.rewind(&here, "13:00").await;
        rig.works(&here, "16:00").await;
        let all = ["c"; 30].join(" ");
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", &format!("160000Z_g0002: {all}")]);
    });
}

#[test]
fn a_promoted_standby_that_has_everything_goes_on() {
    run(async {
        let rig = Rig::new().await;
        let (primary, standby, database, mut here) = followed(&rig, "level").await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;
        insert(&here.source, "c", "").await;
        wait_for(&standby, &database, "EXISTS (SELECT FROM audit_log WHERE email = 'c')").await;

        drop(primary);
        sql(&standby, "SELECT pg_promote()").await;
        here.source = standby.url(&database);
        insert(&here.source, "d", "").await;
        rig.works(&here, "12:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", "120000Z: c d"]);
    });
}

#[test]
fn a_crash_that_undoes_unflushed_commits_undoes_nothing_that_was_exported() {
    run(async {
        let lazy = ["wal_writer_delay=10s", "wal_writer_flush_after=0"];
        let rig = Rig::new().await;
        let cluster = Cluster::start("crashing", &lazy);
        let database = cluster.create().await;
        let mut here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
        insert(&here.source, "a", "SET synchronous_commit = off").await;
        rig.works(&here, "04:00").await;
        insert(&here.source, "b", "SET synchronous_commit = off").await;

        let cluster = cluster.crash("crashed", &lazy);
        here.source = cluster.url(&database);
        for email in ["c", "d"] {
            insert(&here.source, email, "SET synchronous_commit = off").await;
        }
        rig.works(&here, "08:00").await;
        // b was confirmed by a server that was told not to wait for its disk: it is gone
        // from the audit log, or it is there and delivered.
        let mut connection = cluster.connect(&database).await;
        let there: Vec<String> =
            sqlx::query_scalar("SELECT email FROM audit_log WHERE email <> 'a' ORDER BY seq")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        assert_eq!(rig.objects(), ["040000Z: a".to_owned(), format!("080000Z: {}", there.join(" "))]);
    });
}

#[test]
fn another_cluster_behind_the_same_name_is_noticed() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("one", &[]);
        let database = cluster.create().await;
        let mut here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
        let other = Cluster::start("other", &[]);
        let database = other.create().await;
        here.source = other.url(&database);
        rig.admin(&here, "01:00").await.source.migrate().await.unwrap();
        let account = rig.work(&here, "04:00").await;
        assert_eq!(account.held, Some(Hold::SourceRewound));
        assert!(account.trouble.unwrap().message.contains("it is the PostgreSQL cluster"));
    });
}
