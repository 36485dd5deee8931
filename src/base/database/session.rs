//! A connection to PostgreSQL that knows whether its statements have names.
//!
//! A pooler in transaction mode (PgBouncer) gives another server after each transaction, which knows no
//! name or somebody else's. So statements have none unless the operator says so (`ledger.prepare`), and
//! each runs in a transaction, a read too: even without a name it is parsed in one step and run in
//! another. `sqlx::query` wants names; here is decided whether it gets them. Outside of this folder nobody
//! has a connection without a session (`tests/pure/layers.rs`).

use std::fmt::{self, Debug, Formatter};
use std::ops::DerefMut;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection as _, Either, Execute, Executor, PgConnection, Postgres, SqlStr, Transaction};

/// A transaction, or what else leads to a connection, and whether its statements have names.
pub(crate) struct Session<C = Transaction<'static, Postgres>> {
    connection: C,
    prepared: bool,
}

/// A connection of a pool, without a transaction of sqlx's.
pub(crate) type Pooled = Session<PoolConnection<Postgres>>;

/// A connection of no pool.
pub(crate) type Apart = Session<Box<PgConnection>>;

impl<C> Session<C> {
    pub(super) fn new(connection: C, prepared: bool) -> Self {
        Self { connection, prepared }
    }
}

impl Session {
    /// Makes what was done in it last.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.connection.commit().await
    }

    /// The connection itself, for what gives names of its own and takes them back.
    pub(super) fn bare(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Pooled {
    /// Begins a COPY to us. It is one simple query, which has no name.
    pub(crate) async fn copy_out(
        &mut self,
        sql: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, sqlx::Error>>, sqlx::Error> {
        self.connection.copy_out_raw(sql).await
    }

    /// Does not give the connection back to its pool.
    pub(crate) fn close_on_drop(&mut self) {
        self.connection.close_on_drop();
    }
}

impl Apart {
    /// Begins a transaction.
    pub(crate) async fn begin(&mut self) -> Result<Session<Transaction<'_, Postgres>>, sqlx::Error> {
        Ok(Session::new(self.connection.begin().await?, self.prepared))
    }

    /// Says goodbye to the server.
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}

/// As sqlx's own connections have it, for statements that are compiled for both databases.
impl AsMut<Self> for Session {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

impl<C> Debug for Session<C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("prepared", &self.prepared).finish_non_exhaustive()
    }
}

/// A statement of a session. One whose text is made for the occasion is not kept, whatever the session says.
struct Statement<E> {
    statement: E,
    prepared: bool,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Statement<E> {
    fn sql(self) -> SqlStr {
        self.statement.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.statement.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.statement.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.prepared && self.statement.persistent()
    }
}

/// sqlx makes the other methods of these, as it does for a connection, so nothing is boxed twice.
impl<'c, C: DerefMut<Target = PgConnection> + Send> Executor<'c> for &'c mut Session<C> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        statement: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection.fetch_many(Statement { statement, prepared: self.prepared })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, statement: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection.fetch_optional(Statement { statement, prepared: self.prepared })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        if self.prepared {
            return self.connection.prepare_with(sql, parameters);
        }
        // sqlx would give it a name that nobody takes back.
        Box::pin(async { Err(sqlx::Error::Protocol("this session gives statements no names".to_owned())) })
    }
}
