//! What the ledger's and the source's databases have in common: their URLs,
//! their connections and their migrations.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Executor, FromRow, IntoArguments, PgPool, Pool, SqlSafeStr as _, SqlitePool};

/// How long a connection may take to come, from the pool or the server.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long SQLite waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The lock under which migrations run, one arbitrary number for all replicas.
const MIGRATION_LOCK: i64 = 0x6175_6469_7466_6572;

/// The databases that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL 15 or newer.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Kind {
    /// The database that a URL means.
    ///
    /// # Errors
    /// When the scheme is of neither; the message never repeats the URL, which may hold a password.
    pub fn of(url: &str) -> Result<Self, String> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("sqlite") => Ok(Self::Sqlite),
            Some(scheme) if scheme.len() < 20 => Err(format!(
                "the scheme {scheme:?} is not known; write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE"
            )),
            _ => Err("it has no scheme; write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE".into()),
        }
    }
}

/// The URL without its password, for people to read.
#[must_use]
pub fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(r, q)| (r, Some(q)));
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => rest.to_owned(),
    };
    let query = query.map_or(String::new(), |query| {
        let shown: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, _)) if name.contains("password") => format!("{name}=***"),
                _ => pair.to_owned(),
            })
            .collect();
        format!("?{}", shown.join("&"))
    });
    format!("{scheme}://{rest}{query}")
}

/// Connects to Postgres. Connections are made when they are needed, so that a
/// worker starts, and says what is wrong, while its database is away.
///
/// # Errors
/// A sentence, without the URL, which may hold a password.
pub(crate) fn postgres(url: &str, max_connections: u32) -> Result<PgPool, String> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| format!("{error}; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"))?
        .application_name("auditferry");
    Ok(PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options))
}

/// Opens a SQLite file, which is made when it is not there. Every commit reaches
/// the disk before it is answered: the ledger's promises rest on it.
///
/// # Errors
/// A sentence with the file and the fix.
pub(crate) async fn sqlite(url: &str) -> Result<SqlitePool, String> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| format!("{error}; write sqlite:PATH"))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let file = options.get_filename().display().to_string();
    let pool = SqlitePoolOptions::new().max_connections(4).acquire_timeout(ACQUIRE_TIMEOUT);
    pool.connect_with(options).await.map_err(|error| {
        let problem = error.as_database_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
        format!(
            "{file}: {problem}; name a SQLite file in a folder that is there and that this user may write"
        )
    })
}

/// A database's error for a person; sqlx's own words for a server that is away are of its pool.
pub(crate) fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => format!(
            "it gave no connection within {} s; see that it runs, and that the URL names its host, port and user",
            ACQUIRE_TIMEOUT.as_secs()
        ),
        other => other.to_string(),
    }
}

/// A migration's error for a person.
pub(crate) fn migration_words(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(error) => words(error),
        other => other.to_string(),
    }
}

/// The file behind a SQLite URL, if it has one.
pub(crate) fn sqlite_file(url: &str) -> Option<std::path::PathBuf> {
    let options = SqliteConnectOptions::from_str(url).ok()?;
    let file = options.get_filename();
    (!file.as_os_str().is_empty() && !url.contains(":memory:")).then(|| file.to_owned())
}

/// Runs migrations on Postgres in one transaction, one replica after the other.
/// The lock belongs to the transaction, so that a pooler in transaction mode is fine.
pub(crate) async fn migrate_postgres(pool: &PgPool, migrator: &Migrator) -> Result<(), MigrateError> {
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *tx).await?;
    migrator.run_direct(None, &mut *tx, false).await?;
    Ok(tx.commit().await?)
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
pub(crate) async fn schema_state<D>(migrator: &Migrator, pool: &Pool<D>) -> Result<SchemaState, sqlx::Error>
where
    D: sqlx::Database,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'q> D::Arguments: IntoArguments<D>,
    for<'r> (i64,): FromRow<'r, D::Row>,
{
    let sql = format!("SELECT version FROM {} WHERE success", migrator.table_name);
    let applied: Vec<(i64,)> = match sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool).await {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(
            masked("postgres://ana:s3cret@db/x?sslmode=require"),
            "postgres://ana:***@db/x?sslmode=require"
        );
        assert_eq!(
            masked("postgres://db/x?user=ana&password=s3cret"),
            "postgres://db/x?user=ana&password=***"
        );
        assert_eq!(masked("postgres://ana:p@ss@db/x"), "postgres://ana:***@db/x");
        assert_eq!(masked("sqlite:ledger.db"), "sqlite:ledger.db");
    }

    #[test]
    fn an_unknown_scheme_is_explained_without_the_url() {
        assert!(Kind::of("mysql://root:pw@x").expect_err("refused").contains("mysql"));
        assert!(!Kind::of("mysql://root:pw@x").expect_err("refused").contains("pw"));
        assert_eq!(Kind::of("sqlite::memory:"), Ok(Kind::Sqlite));
    }
}
