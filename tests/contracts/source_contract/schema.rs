//! The table: made once, and never taken for what it is not.

use auditferry::source::SourceError;

use crate::source_contract::bed::{Bed, open, record};

pub(crate) async fn migrating_twice_changes_nothing(bed: Bed) {
    bed.insert(&[record("1")]).await;
    bed.source.migrate().await.unwrap();
    open(&bed.url).await.migrate().await.unwrap();
    bed.source.check().await.unwrap();
    assert_eq!(bed.everything().await, [record("1")]);
}

pub(crate) async fn many_can_migrate_at_once(bed: Bed) {
    let url = bed.empty_url().await;
    let migrations = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            let source = open(&url).await;
            source.migrate().await?;
            source.check().await
        })
    });
    for migration in migrations.collect::<Vec<_>>() {
        migration.await.unwrap().unwrap();
    }
}

pub(crate) async fn an_empty_database_is_not_current(bed: Bed) {
    let source = open(&bed.empty_url().await).await;
    let error = source.check().await.unwrap_err();
    assert!(matches!(&error, SourceError::Schema(state) if state.starts_with("not current")), "{error}");
    source.migrate().await.unwrap();
    source.check().await.unwrap();
}

pub(crate) async fn a_newer_source_is_refused(bed: Bed) {
    let (blob, yes) = if bed.is_postgres() { ("''::bytea", "true") } else { ("x''", "1") };
    let sql = format!(
        "INSERT INTO auditferry_source_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'from the future', {yes}, {blob}, 0)"
    );
    bed.application().await.execute(&sql).await.unwrap();
    let error = bed.source.check().await.unwrap_err();
    assert!(matches!(&error, SourceError::Schema(state) if state.starts_with("newer")), "{error}");
    bed.source.migrate().await.unwrap_err();
}
