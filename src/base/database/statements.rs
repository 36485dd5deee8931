//! Statements of ours, with or without names.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::database::HasStatementCache;
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{Database, FromRow, Postgres, SqlSafeStr};

/// Whether statements on Postgres have names, see [`prepare_statements`].
pub(super) static PREPARED: AtomicBool = AtomicBool::new(false);
/// Most statements that a connection keeps: more than there are of fixed text.
pub(super) const PREPARED_STATEMENTS: usize = 200;

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
pub(super) fn query_as<'q, D: Database + HasStatementCache, O>(
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
