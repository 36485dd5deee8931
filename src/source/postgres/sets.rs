//! The condition of the records of a closed set, and its parameters.

use jiff::Timestamp;
use sqlx::{PgExecutor, Row as _};

use super::marks::{Marks, seen};
use crate::source::patience::Backend;
use crate::source::{Result, without_mark};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::RecordSet;
use auditferry_core::model::record::allowed_instants;

/// A snapshot that has seen everything.
pub(super) const EVERYTHING: &str = "9223372036854775807:9223372036854775807:";

/// The condition of the transactions between two snapshots. Those from the end of `lo` to the beginning
/// of `hi` are most of them: to compare two numbers takes PostgreSQL a quarter of the time in which it
/// looks them up in both. The first two conditions only narrow the index scan.
pub(super) fn finished_between(lo: &str, hi: &str, lo_end: &str, hi_begin: &str) -> String {
    format!(
        "tx >= pg_snapshot_xmin({lo}) AND tx < pg_snapshot_xmax({hi}) AND (tx >= {lo_end} AND tx < {hi_begin} \
         OR NOT pg_visible_in_snapshot(tx, {lo}) AND pg_visible_in_snapshot(tx, {hi}))"
    )
}

/// The condition of the records of a closed set; that of several whole ones is in `together.rs`.
///
/// Parameters are settings of the transaction: COPY takes none, and text in a statement
/// would have to be quoted. Each is a subquery, which Postgres evaluates once and not per
/// row.
pub(super) fn closed_set(set: &RecordSet) -> String {
    let (lo, hi) = (setting("lo", "pg_snapshot"), setting("hi", "pg_snapshot"));
    let (lo_end, hi_begin) =
        (format!("(SELECT pg_snapshot_xmax({lo}))"), format!("(SELECT pg_snapshot_xmin({hi}))"));
    let mut sql = format!(
        "account_id = {} AND {}",
        setting("account", "text"),
        finished_between(&lo, &hi, &lo_end, &hi_begin)
    );
    if set.since.is_some() {
        sql += &format!(" AND occurred_at >= {}", setting("since", "timestamptz"));
    }
    if set.until.is_some() {
        sql += &format!(" AND occurred_at < {}", setting("until", "timestamptz"));
    }
    if set.ahead.is_some() {
        sql += &format!(
            " AND NOT (pg_visible_in_snapshot(tx, {}) AND occurred_at < {})",
            setting("ahead_bound", "pg_snapshot"),
            setting("ahead_before", "timestamptz"),
        );
    }
    // By seq alone, which no two rows have. Numbers by their types, so there is nothing to quote.
    let skipped: Vec<i64> = set.skipped.iter().filter_map(|key| key.parse().ok()).collect();
    if !skipped.is_empty() {
        let skipped: Vec<String> = skipped.iter().map(i64::to_string).collect();
        sql += &format!(" AND seq NOT IN ({})", skipped.join(", "));
    }
    sql
}

/// A parameter that [`set_parameters`] has set.
fn setting(name: &str, kind: &str) -> String {
    format!("(SELECT current_setting('auditferry.{name}')::{kind})")
}

/// Plans that follow the index: what Postgres guesses without the values of parameters must not
/// make it sort a million rows.
pub(super) const BY_THE_INDEX: &str = "set_config('enable_sort', 'off', true), \
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), \
    set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)";

/// Tells which process of the server answers, with what else is asked.
pub(super) const BACKEND: &str = "pg_backend_pid() AS backend";

/// Sets the parameters of a closed set, and how it is read. Looks for the marks of its bounds in
/// the same statement.
pub(super) async fn set_parameters(
    connection: impl PgExecutor<'_>,
    account: &AccountId,
    set: &RecordSet,
    marks: &Marks<'_>,
) -> Result<Backend> {
    let ahead = set.ahead.as_ref();
    let sql = format!(
        "SELECT {}, set_config('auditferry.account', $2, true), set_config('auditferry.lo', $3, true), \
         set_config('auditferry.hi', $4, true), set_config('auditferry.since', $5, true), \
         set_config('auditferry.until', $6, true), set_config('auditferry.ahead_bound', $7, true), \
         set_config('auditferry.ahead_before', $8, true), {BY_THE_INDEX}, {BACKEND}",
        seen()
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(marks.wanted())
        .bind(account.as_str())
        .bind(without_mark(&set.lo).0)
        .bind(without_mark(&set.hi).0)
        .bind(time(set.since))
        .bind(time(set.until))
        .bind(ahead.map(|ahead| without_mark(&ahead.bound).0))
        .bind(time(ahead.map(|ahead| ahead.before)))
        .fetch_one(connection)
        .await?;
    marks.seen(&row)?.recognise(marks)?;
    Ok(Backend(row.try_get("backend")?))
}

/// An instant as Postgres reads it: whole microseconds; it knows years before 1 in other words
/// only.
fn time(at: Option<Timestamp>) -> Option<String> {
    let at = at.map(|at| at.max(allowed_instants().start));
    at.and_then(|at| Timestamp::from_microsecond(at.as_microsecond()).ok()).map(|at| at.to_string())
}
