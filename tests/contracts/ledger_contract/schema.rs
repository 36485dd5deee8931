//! The schema: brought up to date once, and never taken for what it is not.

use crate::support::by;
use auditferry::ledger::{self, LedgerError};

use crate::ledger_contract::bed::{Bed, LONG, account, at, open, window};
use crate::support::run;

pub(crate) async fn migrating_twice_changes_nothing(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.ledger.migrate().await.unwrap();
    open(&bed.url).await.migrate().await.unwrap();
    bed.ledger.check().await.unwrap();
    assert_eq!(bed.account("acme").await, account("acme"));
}

pub(crate) async fn many_can_migrate_at_once(bed: Bed) {
    let url = bed.empty_url().await;
    let migrations = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            let ledger = open(&url).await;
            ledger.migrate().await?;
            ledger.check().await
        })
    });
    for migration in migrations.collect::<Vec<_>>() {
        migration.await.unwrap().unwrap();
    }
    open(&url).await.add_account(&by(), &account("acme")).await.unwrap();
}

pub(crate) async fn a_newer_ledger_is_refused(bed: Bed) {
    let (blob, yes) = if bed.is_postgres() { ("''::bytea", "true") } else { ("x''", "1") };
    bed.execute(&format!(
        "INSERT INTO auditferry_ledger_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'from the future', {yes}, {blob}, 0)"
    ))
    .await;
    assert!(matches!(bed.ledger.check().await, Err(LedgerError::Newer(999))));
    let newer = open(&bed.url).await;
    assert!(matches!(newer.migrate().await, Err(LedgerError::Newer(999))));
}

pub(crate) async fn an_empty_database_is_outdated(bed: Bed) {
    let ledger = open(&bed.empty_url().await).await;
    assert!(matches!(ledger.check().await, Err(LedgerError::Outdated)));
    ledger.migrate().await.unwrap();
    ledger.check().await.unwrap();
}

/// SQLite serves one worker; commands beside it may look and change.
#[test]
fn a_second_worker_on_a_sqlite_file_is_refused() {
    run(async {
        let url = Bed::sqlite_url();
        let worker = ledger::open(&url, 4, true).await.unwrap();
        worker.migrate().await.unwrap();
        let error = ledger::open(&url, 4, true).await.err().expect("refused");
        assert!(matches!(&error, LedgerError::InUse(file) if url.ends_with(file)), "{error}");
        open(&url).await.add_account(&by(), &account("acme")).await.unwrap();
        drop(worker);
        ledger::open(&url, 4, true).await.unwrap();
    });
}

/// Whoever holds the file is the only worker: the leases of a dead one end at once.
#[test]
fn a_new_worker_on_a_sqlite_file_takes_over_at_once() {
    run(async {
        let bed = Bed::sqlite().await;
        bed.ready("acme").await;
        let dead = bed.take().await;
        let beside = open(&bed.url).await;
        assert!(beside.claim("bo", at("04:00"), LONG, 1, &[]).await.unwrap().is_empty());
        let worker = ledger::open(&bed.url, 4, true).await.unwrap();
        let claims = worker.claim("bo", at("04:00"), LONG, 1, &[]).await.unwrap();
        assert!(claims[0].lease.epoch > dead.epoch);
        let late = bed.ledger.plan(&dead, &window("04:00", "20")).await;
        assert!(matches!(late, Err(LedgerError::LeaseLost(_))));
    });
}
