//! The migrations of a database: run by one replica after the other, and compared with what is there.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{
    AssertSqlSafe, Connection as _, Database, Executor, FromRow, IntoArguments, PgConnection, SqlSafeStr,
};

use super::transactions::begin;
use super::{Pg, Session};

/// The lock under which migrations run, one arbitrary number for all replicas.
const MIGRATION_LOCK: i64 = 0x6175_6469_7466_6572;

/// Runs migrations on Postgres in one transaction, one replica after the other.
/// The lock belongs to the transaction, so that a pooler in transaction mode is fine.
pub(crate) async fn migrate_postgres(pg: &Pg, migrator: &Migrator) -> Result<(), MigrateError> {
    let mut tx = begin(pg).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut tx).await?;
    settle_schema(&mut tx, migrator).await?;
    // The migrator's own statements are named, as in every process that migrated through the
    // same server of a pooler before: begin without names, and leave none.
    forget_statements(tx.bare()).await?;
    migrator.run_direct(None, tx.bare(), false).await?;
    forget_statements(tx.bare()).await?;
    Ok(tx.commit().await?)
}

/// Lets migrations run in the schema where the tables are: `CREATE TABLE IF NOT EXISTS` looks into the first
/// schema of the search path alone, and would begin anew there.
///
/// # Errors
/// When the tables are in a schema of the database that this role does not look into.
pub(crate) async fn settle_schema(connection: &mut Session, migrator: &Migrator) -> Result<(), sqlx::Error> {
    let row: (Option<String>, Option<String>, Option<String>) = sqlx::query_as(
        "SELECT (SELECT set_config('search_path', quote_ident(nspname) || ', ' || current_setting('search_path'), \
         true) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
         WHERE pg_class.oid = to_regclass($1)), \
         (SELECT string_agg(quote_ident(nspname), ', ') FROM pg_class \
         JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE relname = $1 AND relkind IN ('r', 'p')), \
         current_schema()::text",
    )
    .bind(migrator.table_name.to_string())
    .fetch_one(connection)
    .await?;
    let (None, Some(schemas), here) = row else { return Ok(()) };
    let here = here.unwrap_or_else(|| "none".to_owned());
    Err(sqlx::Error::Io(std::io::Error::other(format!(
        "its tables are in the schema {schemas}, and this role looks into the schema {here}: nothing was made. \
         Let the role look there: ALTER ROLE ... IN DATABASE ... SET search_path = {schemas}; or, to begin anew \
         on purpose, rename the table {} there",
        migrator.table_name
    ))))
}

/// Leaves no named statement, on the server or in what the connection remembers of it.
async fn forget_statements(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.clear_cached_statements().await?;
    sqlx::raw_sql("DEALLOCATE ALL").execute(connection).await?;
    Ok(())
}

/// A migrator of embedded scripts, version 1, 2, 3 …, which keeps its own table and
/// leaves locking to the caller.
pub(crate) fn migrator(scripts: &[(&'static str, &'static str)], table: &'static str) -> Migrator {
    let migrations = (1..)
        .zip(scripts)
        .map(|(version, (name, sql))| {
            Migration::new(version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.set_locking(false).dangerous_set_table_name(table);
    migrator
}

/// Whether all migrations of a set are applied, and none that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaState {
    /// As this binary wants it.
    Current,
    /// Some migration is missing.
    Outdated,
    /// A migration is there that this binary does not know.
    Newer(i64),
}

/// Compares the applied migrations with the known ones. A database without their
/// table has none.
pub(crate) async fn schema_state<'c, D: Database>(
    migrator: &Migrator,
    connection: impl Executor<'c, Database = D>,
) -> Result<SchemaState, sqlx::Error>
where
    D::Arguments: IntoArguments<D>,
    for<'r> (i64,): FromRow<'r, D::Row>,
{
    let sql = format!("SELECT version FROM {} WHERE success", migrator.table_name);
    let applied: Vec<(i64,)> = match sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection).await {
        Ok(applied) => applied,
        Err(sqlx::Error::Database(error)) if is_missing_table(&*error) => Vec::new(),
        Err(error) => return Err(error),
    };
    let known = || migrator.iter().map(|migration| migration.version);
    if let Some((unknown,)) = applied.iter().find(|(version,)| !known().any(|k| k == *version)) {
        return Ok(SchemaState::Newer(*unknown));
    }
    let all = known().all(|version| applied.contains(&(version,)));
    Ok(if all { SchemaState::Current } else { SchemaState::Outdated })
}

/// Whether a database error says that a table is not there.
fn is_missing_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
}
