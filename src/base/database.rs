//! What the ledger's and the source's databases have in common: their URLs,
//! their connections and their migrations.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::database::HasStatementCache;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use url::Url;

use sqlx::{
    AssertSqlSafe, Connection as _, Database, Executor, FromRow, IntoArguments, PgConnection, Postgres,
    SqlSafeStr, SqlitePool, Transaction,
};

mod address;
mod parameters;
mod reason;
mod role;
mod servers;
mod words;

use address::Address;
pub(crate) use reason::reached;
pub(crate) use servers::Pg;
use servers::Servers;
pub(crate) use words::{migration_words, words};

/// How long a connection may take to come, from the pool or the server.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that is idle, or comes back, may take to answer. One that does not is
/// closed: its server has vanished without a word, and TCP notices after a quarter of an hour.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was used within this time is not asked again.
const FRESH: Duration = Duration::from_secs(1);
/// How long one transaction of the ledger, or one question to a source, may take.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Begins a transaction of the ledger on Postgres. A worker that has vanished leaves no lock behind for
/// longer than it would have waited itself. A policy that would hide rows becomes an error.
pub(crate) const BEGIN_BOUNDED: &str = "BEGIN; SET LOCAL statement_timeout = '30s'; \
    SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL row_security = off";
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

/// The URL without its secrets, for people to read: what cannot be read as a URL is not shown.
#[must_use]
pub fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| !scheme.contains(':')) else {
        return match url.split_once(':') {
            Some(("sqlite", path)) if !path.contains("://") => url.to_owned(),
            Some((scheme, _)) if scheme.len() < 20 && scheme.chars().all(char::is_alphanumeric) => {
                format!("{scheme}:***")
            }
            _ => "***".to_owned(),
        };
    };
    // A password with a character that ends it early: nobody knows which part is secret. sqlx's and ours may
    // differ in what they take for a URL.
    let several = rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains(','));
    let unread = if several { Address::parse(url).is_err() } else { Url::parse(url).is_err() };
    let misread = unread || rest.split_once('?').is_some_and(|(_, query)| query.contains('@'));
    if misread {
        return format!("{scheme}://***");
    }
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
                Some((name, _)) if !parameters::SHOWN.contains(&name) => format!("{name}=***"),
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
pub(crate) fn postgres(url: &str, max_connections: u32) -> Result<Pg, String> {
    let Address { servers, session, .. } = Address::parse(url)?;
    let servers: Vec<PgConnectOptions> = servers.into_iter().map(ours).collect();
    let first = servers.first().cloned().unwrap_or_default();
    let servers = Arc::new(Servers::new(servers, session));
    let (arriving, idling) = (Arc::clone(&servers), Arc::clone(&servers));
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let servers = Arc::clone(&arriving);
            Box::pin(async move {
                if servers.is_plain() || servers.takes(connection).await? {
                    return Ok(());
                }
                Err(sqlx::Error::Protocol("the server is not what target_session_attrs asks for".to_owned()))
            })
        })
        .before_acquire(move |connection, met| {
            let servers = Arc::clone(&idling);
            Box::pin(async move {
                if connection.is_in_transaction() {
                    return Ok(false);
                }
                if met.idle_for < FRESH {
                    return Ok(true);
                }
                ping(connection).await?;
                if servers.is_plain() { Ok(true) } else { servers.takes(connection).await }
            })
        })
        .after_release(|connection, _| Box::pin(async move { ping(connection).await.map(|()| true) }))
        .connect_lazy_with(first);
    Ok(Pg::new(pool, servers))
}

/// A server with what we ask of every one.
fn ours(server: PgConnectOptions) -> PgConnectOptions {
    let named = server.get_application_name().is_some();
    let server = server
        // PgBouncer refuses to start a session with it, and we have no floating-point numbers.
        .extra_float_digits(None)
        // Else what the migrator keeps would be gone.
        .statement_cache_capacity(if PREPARED.load(Ordering::Relaxed) { PREPARED_STATEMENTS } else { 0 });
    if named { server } else { server.application_name("auditferry") }
}

/// What a person should know of a URL's parameters.
#[must_use]
pub(crate) fn notes(url: &str) -> Vec<String> {
    let address = Address::parse(url).ok().filter(|_| Kind::of(url) == Ok(Kind::Postgres));
    address.map(|address| address.notes).unwrap_or_default()
}

/// That a connection answers, in time.
async fn ping(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match tokio::time::timeout(PING_TIMEOUT, connection.ping()).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer(PING_TIMEOUT)),
    }
}

/// What a database answers within [`TRANSACTION_TIMEOUT`]. The connection of a question that was
/// not answered is closed when it comes back to its pool.
///
/// # Errors
/// When it does not answer in time.
pub(crate) async fn in_time<T, E: From<sqlx::Error>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(TRANSACTION_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer(TRANSACTION_TIMEOUT).into()),
    }
}

/// The error of a database that gave no answer within a time.
pub(crate) fn no_answer(within: Duration) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        format!(
            "no answer within {} s; see that it runs, and that the network between it and the worker lets \
             packets through",
            within.as_secs()
        ),
    ))
}

/// Begins a transaction; a server that is away is named.
pub(crate) async fn begin(pg: &Pg) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pg.on(|pool| async move { pool.begin().await }).await
}

/// Begins a transaction with a statement of its own.
pub(crate) async fn begin_with(
    pg: &Pg,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pg.on(move |pool| async move { pool.begin_with(statement).await }).await
}

/// Begins a transaction of a source: a policy that would hide rows becomes an error.
pub(crate) async fn begin_unfiltered(pg: &Pg) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_with(pg, "BEGIN; SET LOCAL row_security = off").await
}

/// Whether the database refused because our role lacks a right, or a policy would hide rows from it.
pub(crate) fn is_forbidden(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("42501")
}

/// Begins a transaction that the server ends when it takes too long.
pub(crate) async fn begin_bounded(pg: &Pg) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_with(pg, BEGIN_BOUNDED).await
}

/// Takes a connection; a server that is away is named.
pub(crate) async fn acquire(pg: &Pg) -> Result<PoolConnection<Postgres>, sqlx::Error> {
    pg.on(|pool| async move { pool.acquire().await }).await
}

/// Whether statements on Postgres have names, see [`prepare_statements`].
static PREPARED: AtomicBool = AtomicBool::new(false);
/// Most statements that a connection keeps: more than there are of fixed text.
const PREPARED_STATEMENTS: usize = 200;

/// Says, once and before anything connects, whether statements on Postgres are prepared once
/// for each connection. They are half the round trips, but a pooler in transaction mode must
/// know them. It holds for the process: a statement does not know its connection.
pub fn prepare_statements(prepare: bool) {
    PREPARED.store(prepare, Ordering::Relaxed);
}

/// A statement of ours. On Postgres it has no name and is not kept, unless the operator says
/// so: a pooler in transaction mode gives another server after each transaction, which knows
/// no name or somebody else's. Even without a name it is prepared and run in two steps, so
/// it needs a transaction around it, a single one too.
pub(crate) fn query<'q, D: Database + HasStatementCache>(
    sql: impl SqlSafeStr,
) -> Query<'q, D, <D as Database>::Arguments> {
    sqlx::query(sql).persistent(kept::<D>())
}

/// As [`query`], for one value per row.
pub(crate) fn query_scalar<'q, D: Database + HasStatementCache, O>(
    sql: impl SqlSafeStr,
) -> QueryScalar<'q, D, O, <D as Database>::Arguments>
where
    (O,): for<'r> FromRow<'r, D::Row>,
{
    sqlx::query_scalar(sql).persistent(kept::<D>())
}

/// As [`query`], for rows of a type.
fn query_as<'q, D: Database + HasStatementCache, O>(
    sql: impl SqlSafeStr,
) -> QueryAs<'q, D, O, <D as Database>::Arguments>
where
    O: for<'r> FromRow<'r, D::Row>,
{
    sqlx::query_as(sql).persistent(kept::<D>())
}

fn kept<D: Database>() -> bool {
    D::NAME != Postgres::NAME || PREPARED.load(Ordering::Relaxed)
}

/// Opens a SQLite file, which is made when it is not there. Every commit reaches
/// the disk before it is answered: the ledger's promises rest on it.
///
/// # Errors
/// A sentence with the file and the fix.
pub(crate) async fn sqlite(url: &str) -> Result<SqlitePool, String> {
    if url.split_once(':').is_some_and(|(_, path)| path.contains("://")) {
        return Err("after sqlite: stands another URL; write sqlite:PATH, or only the other URL".to_owned());
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| format!("{error}; write sqlite:PATH"))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let file = options.get_filename().display().to_string();
    if let Some(path) = sqlite_file(url) {
        make_private(&path);
    }
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // After a full disk sqlx still counts a transaction that SQLite has rolled back by itself.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
    pool.connect_with(options).await.map_err(|error| {
        let problem = error.as_database_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
        format!(
            "{file}: {problem}; name a SQLite file in a folder that is there and that this user may write"
        )
    })
}

/// Makes a file that is not there, readable by this user alone: it will hold audit records. SQLite gives
/// its log the same rights. Whatever fails here fails again, and is told, when the database is opened.
fn make_private(path: &std::path::Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// The file behind a SQLite URL, if it has one.
pub(crate) fn sqlite_file(url: &str) -> Option<std::path::PathBuf> {
    let options = SqliteConnectOptions::from_str(url).ok()?;
    let file = options.get_filename();
    (!file.as_os_str().is_empty() && !url.contains(":memory:")).then(|| file.to_owned())
}

/// Runs migrations on Postgres in one transaction, one replica after the other.
/// The lock belongs to the transaction, so that a pooler in transaction mode is fine.
pub(crate) async fn migrate_postgres(pg: &Pg, migrator: &Migrator) -> Result<(), MigrateError> {
    let mut tx = begin(pg).await?;
    query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *tx).await?;
    settle_schema(&mut tx, migrator).await?;
    // The migrator's own statements are named, as in every process that migrated through the
    // same server of a pooler before: begin without names, and leave none.
    forget_statements(&mut tx).await?;
    migrator.run_direct(None, &mut *tx, false).await?;
    forget_statements(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// Lets migrations run in the schema where the tables are: `CREATE TABLE IF NOT EXISTS` looks into the first
/// schema of the search path alone, and would begin anew there.
///
/// # Errors
/// When the tables are in a schema of the database that this role does not look into.
pub(crate) async fn settle_schema(
    connection: &mut PgConnection,
    migrator: &Migrator,
) -> Result<(), sqlx::Error> {
    let row: (Option<String>, Option<String>, Option<String>) = query_as(
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
pub(crate) async fn schema_state<D>(
    migrator: &Migrator,
    connection: &mut D::Connection,
) -> Result<SchemaState, sqlx::Error>
where
    D: Database + HasStatementCache,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'q> D::Arguments: IntoArguments<D>,
    for<'r> (i64,): FromRow<'r, D::Row>,
{
    let sql = format!("SELECT version FROM {} WHERE success", migrator.table_name);
    let applied: Vec<(i64,)> = match query_as(AssertSqlSafe(sql)).fetch_all(connection).await {
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
        assert_eq!(masked("postgres://ana:s3cret@a:1,b:2/x?port=3"), "postgres://ana:***@a:1,b:2/x?port=3");
        assert_eq!(masked("postgres://ana:s3/cr,et@a:1,b:2/x"), "postgres://***");
        assert_eq!(
            masked("postgres://db/x?sslmode=require&sslpassword=s3cret"),
            "postgres://db/x?sslmode=require&sslpassword=***"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        for url in [
            "postgres:/ana:s3cret@db/x",
            "postgres:ana:s3cret@db/x",
            "sqlite:postgres://ana:s3cret@db/x",
            "postgres://ana:s3cret?more@db/x",
            "postgres://ana:12?s3cret@db/x",
            "ana:s3cret@db",
            "s3cret",
        ] {
            assert!(!masked(url).contains("s3cret"), "{}", masked(url));
            let refused = match Kind::of(url) {
                Err(problem) => problem,
                Ok(Kind::Postgres) => postgres(url, 1).map(drop).expect_err("refused"),
                Ok(Kind::Sqlite) => continue,
            };
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_parameter_that_nobody_reads_is_refused_without_its_value() {
        let refused = postgres("postgres://db/x?sslpassword=s3cret", 1).map(drop).expect_err("refused");
        assert!(
            refused.contains("\"sslpassword\" cannot be kept") && !refused.contains("s3cret"),
            "{refused}"
        );
        assert!(postgres("postgres://db/x?sslmode=require&application_name=a", 1).is_ok());
        let refused = sqlite("sqlite:postgres://ana:s3cret@db/x").await.map(drop).expect_err("refused");
        assert!(!refused.contains("s3cret"), "{refused}");
    }

    #[tokio::test]
    async fn a_new_database_is_readable_by_its_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("x.db");
        let pool = sqlite(&format!("sqlite:{}", path.display())).await.expect("opens");
        sqlx::raw_sql("CREATE TABLE x (y)").execute(&pool).await.expect("a table");
        for file in ["x.db", "x.db-wal"] {
            let mode = std::fs::metadata(folder.path().join(file)).expect("file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    /// As a full disk leaves it: SQLite has rolled back by itself, and sqlx has not heard of it.
    #[tokio::test]
    async fn a_connection_whose_transaction_broke_is_not_used_again() {
        let folder = tempfile::tempdir().expect("folder");
        let url = format!("sqlite:{}", folder.path().join("x.db").display());
        let pool = sqlite(&url).await.expect("opens");
        for _ in 0..8 {
            let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.expect("begins");
            sqlx::raw_sql("ROLLBACK").execute(&mut *tx).await.expect("rolls back");
            tx.commit().await.expect_err("nothing to commit");
        }
        let tx = pool.begin_with("BEGIN IMMEDIATE").await.expect("begins");
        tx.commit().await.expect("commits");
    }

    #[test]
    fn an_unknown_scheme_is_explained_without_the_url() {
        assert!(Kind::of("mysql://root:pw@x").expect_err("refused").contains("mysql"));
        assert!(!Kind::of("mysql://root:pw@x").expect_err("refused").contains("pw"));
        assert_eq!(Kind::of("sqlite::memory:"), Ok(Kind::Sqlite));
    }
}
