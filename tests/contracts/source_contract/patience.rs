//! A server that works on an answer is waited for, however long it says nothing.

use sqlx::{Connection as _, PgConnection};

use crate::source_contract::bed::{Bed, between, record};
use crate::support::run;

/// Longer than the silence after which the server is asked what it does.
const WORKS: &str = "SELECT pg_sleep(25)";

async fn is_waited_for(bed: Bed) {
    bed.insert(&[record("one")]).await;
    let set = between(&bed.source.beginning(), &bed.capture().await);
    let mut other = PgConnection::connect(&bed.url).await.unwrap();
    let lock = "BEGIN; LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    let working = async {
        sqlx::raw_sql(WORKS).execute(&mut other).await.unwrap();
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    };
    let (records, ()) = tokio::join!(bed.read(&set), working);
    assert_eq!(records.len(), 1);
}

#[test]
fn a_server_that_works_for_long_is_waited_for() {
    run(async {
        tokio::join!(is_waited_for(Bed::postgres().await), is_waited_for(Bed::table().await));
    });
}
