//! What the ledger's and the source's databases have in common: their URLs,
//! their connections and their migrations.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, SqlitePool};

mod address;
mod migrations;
mod parameters;
mod reason;
mod role;
mod servers;
mod session;
mod transactions;
mod url;
mod words;

use address::Address;
pub(crate) use migrations::{SchemaState, migrate_postgres, migrator, schema_state, settle_schema};
pub(crate) use reason::reached;
pub(crate) use servers::Pg;
use servers::Servers;
pub(crate) use session::{Pooled, Session};
pub(crate) use transactions::{
    acquire, begin, begin_bounded, begin_unfiltered, begin_with, in_time, is_forbidden, no_answer,
};
pub(crate) use url::notes;
pub use url::{Kind, masked};
pub(crate) use words::{migration_words, words};

/// How long a connection may take to come, from the pool or the server.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that is idle, or comes back, may take to answer. One that does not is
/// closed: its server has vanished without a word, and TCP notices after a quarter of an hour.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was used within this time is not asked again.
const FRESH: Duration = Duration::from_secs(1);
/// How long SQLite waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Most statements with names that a connection keeps: more than there are of fixed text.
const KEPT_STATEMENTS: usize = 200;

/// How Postgres is connected to. A number alone is that of the connections, on which no statement has a name.
#[derive(Debug, Clone, Copy)]
pub struct Connect {
    /// Most connections at once.
    pub max_connections: u32,
    /// Whether statements are prepared once for each connection, and have a name on it. They are half the
    /// round trips, but a pooler in transaction mode must know them.
    pub prepared: bool,
}

impl From<u32> for Connect {
    fn from(max_connections: u32) -> Self {
        Self { max_connections, prepared: false }
    }
}

/// Connects to Postgres. Connections are made when they are needed, so that a
/// worker starts, and says what is wrong, while its database is away.
///
/// # Errors
/// A sentence, without the URL, which may hold a password.
pub(crate) fn postgres(url: &str, connect: Connect) -> Result<Pg, String> {
    let Connect { max_connections, prepared } = connect;
    let Address { servers, session, .. } = Address::parse(url)?;
    let servers: Vec<PgConnectOptions> = servers.into_iter().map(|server| ours(server, prepared)).collect();
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
    Ok(Pg::new(pool, servers, prepared))
}

/// A server with what we ask of every one.
fn ours(server: PgConnectOptions, prepared: bool) -> PgConnectOptions {
    let named = server.get_application_name().is_some();
    let server = server
        // PgBouncer refuses to start a session with it, and we have no floating-point numbers.
        .extra_float_digits(None)
        // Else what the migrator keeps would be gone.
        .statement_cache_capacity(if prepared { KEPT_STATEMENTS } else { 0 });
    if named { server } else { server.application_name("auditferry") }
}

/// That a connection answers, in time.
async fn ping(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match tokio::time::timeout(PING_TIMEOUT, connection.ping()).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer(PING_TIMEOUT)),
    }
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

#[cfg(test)]
mod tests;
