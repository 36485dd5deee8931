//! A ledger that is replaced by an older copy of itself, and two ledgers of one source or bucket.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::{Installation, Rig, acme, copy, insert};
use crate::support::by;
use crate::support::postgres::Cluster;
use crate::support::{eventually, run};
use auditferry_core::protocol::Hold;

#[test]
fn a_ledger_restored_from_an_older_backup_holds_every_account() {
    run(async {
        let rig = Rig::new().await;
        let files = (rig.folder.join("ledger.db"), rig.folder.join("backup.db"));
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        copy(&files.0, &files.1).await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;

        copy(&files.1, &files.0).await;
        insert(&here.source, "c", "").await;
        let account = rig.work(&here, "12:00").await;
        assert_eq!(account.held, Some(Hold::LedgerRewound));
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b"], "nothing is delivered on an old memory");

        // What is delivered again is told apart by its name; nothing is replaced.
        rig.rewind(&here, "13:00").await;
        rig.works(&here, "16:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", "160000Z_g0002: b c"]);
    });
}

#[test]
fn a_second_installation_at_the_same_bucket_is_held() {
    run(async {
        let rig = Rig::new().await;
        let first = rig.install(rig.sqlite("first.db"), rig.sqlite("first-source.db")).await;
        let second = rig.install(rig.sqlite("second.db"), rig.sqlite("second-source.db")).await;
        insert(&first.source, "a", "").await;
        insert(&second.source, "b", "").await;
        rig.works(&first, "04:00").await;
        let account = rig.work(&second, "04:00").await;
        assert_eq!(account.held, Some(Hold::ForeignObject));
        assert!(account.trouble.unwrap().message.contains("did not put stands under the key"));
        assert_eq!(rig.objects(), ["040000Z: a"]);
    });
}

/// What a copy of the ledger holds that was taken when the mark of the next window was counted and
/// the window was not stored yet: everything of `before`, and the count.
async fn count_mark_of_newest_window(of: &Installation, in_copy: &str) {
    let windows = "SELECT CAST(record_set AS TEXT) FROM export_window ORDER BY number DESC LIMIT 1";
    let set: String = if of.ledger.starts_with("sqlite") {
        let mut ledger = SqliteConnection::connect(&of.ledger).await.unwrap();
        sqlx::query_scalar(windows).fetch_one(&mut ledger).await.unwrap()
    } else {
        let mut ledger = PgConnection::connect(&of.ledger).await.unwrap();
        sqlx::query_scalar(windows).fetch_one(&mut ledger).await.unwrap()
    };
    let set: serde_json::Value = serde_json::from_str(&set).unwrap();
    let (_, mark) = set["hi"].as_str().unwrap().split_once('#').unwrap();
    let number: i64 = mark.rsplit_once('/').unwrap().1.split('@').next().unwrap().parse().unwrap();
    let count = format!("UPDATE ledger_identity SET mark = {number}");
    if in_copy.starts_with("sqlite") {
        let mut copy = SqliteConnection::connect(in_copy).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(count)).execute(&mut copy).await.unwrap();
        copy.close().await.unwrap();
    } else {
        let mut copy = PgConnection::connect(in_copy).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(count)).execute(&mut copy).await.unwrap();
    }
}

/// The ledger's copy takes its place after the window that it lacks was delivered.
async fn a_window_is_missing(rig: &Rig, here: &Installation) {
    let account = rig.work(here, "12:00").await;
    assert_eq!(account.held, Some(Hold::LedgerRewound), "{:?}", rig.objects());
    assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b"]);
    // Nothing can show that this is over.
    let refused =
        rig.admin(here, "12:30").await.release(&by(), &acme()).await.expect_err("refused").to_string();
    assert!(refused.contains("account rewind acme --accept"), "{refused}");
    assert_eq!(rig.work(here, "12:40").await.held, Some(Hold::LedgerRewound));
    rig.rewind(here, "13:00").await;
    insert(&here.source, "c", "").await;
    rig.works(here, "16:00").await;
    // What the ledger lost comes again, under a name that says so.
    assert_eq!(rig.objects(), ["040000Z: a", "080000Z: b", "160000Z_g0002: b c"]);
}

#[test]
fn a_sqlite_ledger_copied_between_count_and_plan_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        let files = (rig.folder.join("ledger.db"), rig.folder.join("copy.db"));
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        copy(&files.0, &files.1).await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;
        count_mark_of_newest_window(&here, &rig.sqlite("copy.db")).await;

        copy(&files.1, &files.0).await;
        a_window_is_missing(&rig, &here).await;
    });
}

#[test]
fn a_postgres_ledger_copied_between_count_and_plan_holds_the_account() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("ledger-copy", &[]);
        let (database, source) = (cluster.create().await, cluster.create().await);
        let mut here = rig.install(cluster.url(&database), cluster.url(&source)).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        eventually("a copy", async || {
            let copy = format!("CREATE DATABASE ledger_copy TEMPLATE {database}");
            let mut connection = cluster.connect("postgres").await;
            sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut connection).await.ok()
        })
        .await;
        insert(&here.source, "b", "").await;
        rig.works(&here, "08:00").await;
        count_mark_of_newest_window(&here, &cluster.url("ledger_copy")).await;

        here.ledger = cluster.url("ledger_copy");
        a_window_is_missing(&rig, &here).await;
    });
}
