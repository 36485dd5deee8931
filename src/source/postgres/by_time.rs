//! The index by time of a table that is in use: built beside the migrations, which run in a transaction, so that nobody
//! who writes has to wait for it.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::migrate::MigrateError;

use crate::base::database::{self, Pg};
use crate::source::{Result, SourceError};

/// How long whoever has met another one waits.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// What is known of the index before the migration that wants it.
const STATE: &str = "SELECT to_regclass('audit_log') IS NOT NULL AND c.relkind = 'r' AND NOT pg_is_in_recovery() \
    AND pg_has_role(c.relowner, 'USAGE') \
    AND to_regclass('auditferry_source_migrations') IS NOT NULL AS ours, i.indisvalid AS valid, EXISTS (SELECT FROM pg_stat_progress_create_index \
    WHERE relid = c.oid) AS building FROM (SELECT to_regclass('audit_log') AS oid) AS t \
    LEFT JOIN pg_class AS c ON c.oid = t.oid \
    LEFT JOIN pg_index AS i ON i.indexrelid = to_regclass('audit_log_time')";

/// Builds the index, if the table is there without it. One that was left half-built is built anew.
///
/// A table that is partitioned has it from the migration, which blocks writers meanwhile: PostgreSQL builds none on such a
/// table in another way.
pub(super) async fn build(pool: &Pg) -> Result<()> {
    let mut tx = database::begin_unfiltered(pool).await?;
    let row = sqlx::query(STATE).fetch_one(&mut tx).await?;
    let (ours, valid, building): (Option<bool>, Option<bool>, bool) =
        (row.try_get("ours")?, row.try_get("valid")?, row.try_get("building")?);
    drop(tx);
    if ours != Some(true) || valid == Some(true) || building {
        return Ok(());
    }
    tracing::info!("the index audit_log_time is built; the source can be written to meanwhile");
    let mut connection = database::acquire(pool).await?;
    if valid == Some(false) {
        sqlx::raw_sql("DROP INDEX CONCURRENTLY IF EXISTS audit_log_time").execute(&mut connection).await?;
    }
    sqlx::raw_sql(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_time ON audit_log (account_id, occurred_at, seq)",
    )
    .execute(&mut connection)
    .await?;
    Ok(())
}

/// Whether somebody else builds or migrates at this moment: a deadlock with them, or the index that they have just made.
pub(super) fn met_another(error: &SourceError) -> bool {
    let error = match error {
        SourceError::Database(error)
        | SourceError::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            error
        }
        _ => return false,
    };
    let Some(error) = error.as_database_error() else { return false };
    match error.code().as_deref() {
        Some("40P01") => true,
        Some("42P07" | "23505") => {
            error.message().contains("audit_log_time")
                || error.constraint() == Some("pg_class_relname_nsp_index")
        }
        _ => false,
    }
}
