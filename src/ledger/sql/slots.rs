//! Windows by their slots.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Connection, LedgerError, Result, SqlCount, SqlTime, count};
use crate::ledger::{SlotRange, SlotWindow, WindowState};

/// The windows of a range of slots. A window's counts are stored when it closes; an open one has
/// some already.
pub(super) async fn windows(connection: &mut Connection, range: &SlotRange) -> Result<Vec<SlotWindow>> {
    let order = if range.newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT w.number, w.slot, w.state, w.from_at, w.to_at, w.closed_at, w.left_out, count(d.key) AS objects, \
         CAST(coalesce(sum(d.records), 0) AS bigint) AS records \
         FROM export_window w LEFT JOIN delivery d \
           ON d.account = w.account AND d.number = w.number AND d.state = 'delivered' \
         WHERE w.account = $1 AND w.slot >= $2 AND w.slot <= $3 \
         GROUP BY w.number, w.slot, w.state, w.from_at, w.to_at, w.closed_at, w.left_out \
         ORDER BY w.slot {order} LIMIT $4"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(range.account.as_str())
        .bind(SqlTime(range.from))
        .bind(SqlTime(range.to))
        .bind(i64::from(range.limit))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let state: String = row.try_get("state")?;
            let state = WindowState::stored(&state)
                .ok_or_else(|| LedgerError::Stored(format!("a window is {state:?}")))?;
            Ok(SlotWindow {
                window: count(row.try_get("number")?),
                slot: row.try_get::<SqlTime, _>("slot")?.0,
                state,
                from: row.try_get::<SqlTime, _>("from_at")?.0,
                to: row.try_get::<SqlTime, _>("to_at")?.0,
                closed_at: row.try_get::<Option<SqlTime>, _>("closed_at")?.map(|at| at.0),
                objects: count(row.try_get("objects")?),
                records: count(row.try_get("records")?),
                left_out: row.try_get::<Option<SqlCount>, _>("left_out")?.map(count),
            })
        })
        .collect()
}
