//! Connections and transactions, each bounded in time.

use std::time::Duration;

use super::{Pg, Pooled, Session};

/// How long one transaction of the ledger, or one question to a source, may take.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Begins a transaction of the ledger on Postgres. A worker that has vanished leaves no lock behind for
/// longer than it would have waited itself. A policy that would hide rows becomes an error.
const BEGIN_BOUNDED: &str = "BEGIN; SET LOCAL statement_timeout = '30s'; \
    SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL row_security = off";

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
pub(crate) async fn begin(pg: &Pg) -> Result<Session, sqlx::Error> {
    pg.on(|pool| async move { pool.begin().await }).await.map(|tx| pg.session(tx))
}

/// Begins a transaction with a statement of its own.
pub(crate) async fn begin_with(pg: &Pg, statement: &'static str) -> Result<Session, sqlx::Error> {
    pg.on(move |pool| async move { pool.begin_with(statement).await }).await.map(|tx| pg.session(tx))
}

/// Begins a transaction of a source: a policy that would hide rows becomes an error.
pub(crate) async fn begin_unfiltered(pg: &Pg) -> Result<Session, sqlx::Error> {
    begin_with(pg, "BEGIN; SET LOCAL row_security = off").await
}

/// Whether the database refused because our role lacks a right, or a policy would hide rows from it.
pub(crate) fn is_forbidden(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("42501")
}

/// Begins a transaction that the server ends when it takes too long.
pub(crate) async fn begin_bounded(pg: &Pg) -> Result<Session, sqlx::Error> {
    begin_with(pg, BEGIN_BOUNDED).await
}

/// Takes a connection; a server that is away is named.
pub(crate) async fn acquire(pg: &Pg) -> Result<Pooled, sqlx::Error> {
    pg.on(|pool| async move { pool.acquire().await }).await.map(|connection| pg.session(connection))
}
