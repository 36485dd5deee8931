//! The index by time of a table that is in use.

use sqlx::{Connection as _, PgConnection};

use crate::source_contract::bed::{Bed, record};
use crate::support::{eventually, run};

/// A table as the version before has left it, with a record.
async fn before() -> (Bed, PgConnection) {
    let bed = Bed::postgres().await;
    bed.insert(&[record("1")]).await;
    let mut connection = PgConnection::connect(&bed.url).await.unwrap();
    let undo = "DROP INDEX audit_log_time; DELETE FROM auditferry_source_migrations WHERE version = 5";
    sqlx::raw_sql(undo).execute(&mut connection).await.unwrap();
    (bed, connection)
}

async fn is_valid(connection: &mut PgConnection) -> Option<bool> {
    let sql = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('audit_log_time')";
    sqlx::query_scalar(sql).fetch_optional(connection).await.unwrap()
}

#[test]
fn nobody_who_writes_waits_for_it() {
    run(async {
        let (bed, mut watch) = before().await;
        // Somebody who has written and is not done yet: the index waits for them.
        let mut slow = bed.application().await;
        slow.execute("BEGIN").await.unwrap();
        slow.insert("acme", &record("2")).await.unwrap();
        let source = bed.source.clone();
        let migrating = tokio::spawn(async move { source.migrate().await });
        eventually("the index waits", async || {
            let sql = "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted \
                       AND query LIKE 'CREATE INDEX%' AND datname = current_database())";
            let waits: bool = sqlx::query_scalar(sql).fetch_one(&mut watch).await.unwrap();
            waits.then_some(())
        })
        .await;
        let mut other = bed.application().await;
        other.execute("SET lock_timeout = '5s'").await.unwrap();
        other.insert("acme", &record("3")).await.expect("it does not wait");
        assert!(!migrating.is_finished());
        slow.execute("COMMIT").await.unwrap();
        migrating.await.unwrap().expect("migrates");
        assert_eq!(is_valid(&mut watch).await, Some(true));
        bed.source.check().await.expect("current");
    });
}

#[test]
fn one_that_was_left_half_built_is_built_anew() {
    run(async {
        let (bed, mut connection) = before().await;
        let half = "CREATE INDEX audit_log_time ON audit_log (account_id, occurred_at, seq); \
                    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'audit_log_time'::regclass";
        sqlx::raw_sql(half).execute(&mut connection).await.unwrap();
        bed.source.migrate().await.expect("migrates");
        assert_eq!(is_valid(&mut connection).await, Some(true));
    });
}

#[test]
fn many_can_build_it_at_once() {
    run(async {
        let (bed, mut connection) = before().await;
        let migrating = (0..6).map(|_| bed.source.migrate());
        for migrated in futures::future::join_all(migrating).await {
            migrated.expect("migrates");
        }
        bed.source.migrate().await.expect("migrates");
        assert_eq!(is_valid(&mut connection).await, Some(true));
    });
}
