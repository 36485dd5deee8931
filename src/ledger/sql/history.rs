//! What the listings and the metrics ask.

use jiff::Timestamp;
use sqlx::Row as _;

use super::super::super::history::StateGauge;
use super::rows::account_id;
use super::{
    AccountId, AttemptRow, Connection, DeliveryFilter, DeliveryRow, Gauges, NOW, Result, Row, Signs,
    SqlCount, SqlTime, WindowRow, count, expiry, int, like, skipped, small,
};

pub(super) async fn deliveries(
    connection: &mut Connection,
    filter: &DeliveryFilter,
) -> Result<Vec<DeliveryRow>> {
    // What waits is looked at from its oldest end.
    let order = if filter.undelivered {
        "d.sealed_at, d.account, d.number, d.ordinal"
    } else {
        "d.sealed_at DESC, d.account, d.number DESC, d.ordinal DESC"
    };
    let after = if filter.undelivered {
        "(d.sealed_at, d.account, d.number, d.ordinal) > ($6, $7, $8, $9)"
    } else {
        "(d.sealed_at < $6 OR d.sealed_at = $6 AND (d.account > $7 OR d.account = $7 \
         AND (d.number < $8 OR d.number = $8 AND d.ordinal < $9)))"
    };
    let sql = format!(
        "SELECT d.account, d.number, d.ordinal, w.slot, d.key, d.state, d.records, d.content_bytes, \
         d.content_sha256, d.object_bytes, d.object_sha256, d.attempts, d.sealed_at, d.delivered_at, \
         d.error_kind, d.error \
         FROM delivery d JOIN export_window w ON w.account = d.account AND w.number = d.number \
         WHERE ($1 IS NULL OR d.account = $1) AND ($2 IS NULL OR d.key = $2 OR d.key LIKE $5 ESCAPE '!') \
         AND ($3 = 'any' OR d.state = $3) AND ($6 IS NULL OR {after}) AND ($10 IS NULL OR d.number = $10) ORDER BY {order} LIMIT $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(filter.account.as_ref().map(AccountId::as_str))
        .bind(filter.key.as_deref())
        .bind(if filter.undelivered { "sealed" } else { "any" })
        .bind(i64::from(filter.limit))
        .bind(filter.key.as_deref().map(like::ends_in))
        .bind(filter.after.as_ref().map(|after| SqlTime(after.sealed_at)))
        .bind(filter.after.as_ref().map(|after| after.account.as_str()))
        .bind(filter.after.as_ref().map(|after| int(after.window)))
        .bind(filter.after.as_ref().map(|after| i64::from(after.ordinal)))
        .bind(filter.window.map(int))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(DeliveryRow {
                account: account_id(row, "account")?,
                window: count(row.try_get("number")?),
                ordinal: small(row.try_get("ordinal")?),
                slot: row.try_get::<SqlTime, _>("slot")?.0,
                key: row.try_get("key")?,
                state: row.try_get("state")?,
                records: count(row.try_get("records")?),
                content_bytes: count(row.try_get("content_bytes")?),
                content_sha256: row.try_get("content_sha256")?,
                object_bytes: count(row.try_get("object_bytes")?),
                object_sha256: row.try_get("object_sha256")?,
                attempts: small(row.try_get("attempts")?),
                sealed_at: row.try_get::<SqlTime, _>("sealed_at")?.0,
                delivered_at: row.try_get::<Option<SqlTime>, _>("delivered_at")?.map(|at| at.0),
                error_kind: row.try_get("error_kind")?,
                error: row.try_get("error")?,
            })
        })
        .collect()
}

/// What workers have left of an account: of its two newest windows, of which a person may have
/// skipped one.
pub(super) async fn signs(
    connection: &mut Connection,
    account: &AccountId,
    changed_since: Timestamp,
) -> Result<Signs> {
    let sql = format!(
        "SELECT trouble_at, coalesce(lease_until > ({NOW}), $2) OR EXISTS \
         (SELECT 1 FROM change_log AS c WHERE c.account = account.id AND c.at > $3) AS attended, \
         (SELECT max(planned_at) FROM export_window AS w WHERE w.account = id AND w.number > windows - 2 \
          AND w.state <> 'skipped') AS planned_at, \
         (SELECT max(closed_at) FROM export_window AS w WHERE w.account = id AND w.number > windows - 2) AS closed_at, \
         (SELECT max(sealed_at) FROM delivery AS d WHERE d.account = id AND d.number > windows - 2) AS sealed_at, \
         (SELECT max(started_at) FROM attempt AS a WHERE a.account = id AND a.number > windows - 2) AS started_at, \
         (SELECT max(finished_at) FROM attempt AS a WHERE a.account = id AND a.number > windows - 2) AS finished_at \
         FROM account WHERE id = $1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(account.as_str())
        .bind(false)
        .bind(SqlTime(changed_since))
        .fetch_one(connection)
        .await?;
    let mut looked_at = None;
    for trace in ["trouble_at", "planned_at", "closed_at", "sealed_at", "started_at", "finished_at"] {
        looked_at = looked_at.max(row.try_get::<Option<SqlTime>, _>(trace)?.map(|at| at.0));
    }
    Ok(Signs { attended: row.try_get("attended")?, looked_at })
}

pub(super) async fn newest_watermark(connection: &mut Connection) -> Result<Option<Timestamp>> {
    let newest = sqlx::query_scalar::<_, Option<SqlTime>>("SELECT max(watermark_at) FROM account");
    Ok(newest.fetch_one(connection).await?.map(|at| at.0))
}

pub(super) async fn windows(
    connection: &mut Connection,
    account: &AccountId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<WindowRow>> {
    // A window's own numbers are stored when it closes; an open one has some already.
    let rows = sqlx::query(
        "SELECT w.account, w.number, w.slot, w.from_at, w.to_at, w.state, w.left_out, count(d.key) AS objects, \
         CAST(coalesce(sum(d.records), 0) AS bigint) AS records \
         FROM export_window w LEFT JOIN delivery d \
           ON d.account = w.account AND d.number = w.number AND d.state = 'delivered' \
         WHERE w.account = $1 AND ($3 IS NULL OR w.number < $3) \
         GROUP BY w.account, w.number, w.slot, w.from_at, w.to_at, w.state, w.left_out ORDER BY w.number DESC LIMIT $2",
    )
    .bind(account.as_str())
    .bind(i64::from(limit))
    .bind(before.map(int))
    .fetch_all(&mut *connection)
    .await?;
    let number = |row: &Row| -> Result<u64> { Ok(count(row.try_get("number")?)) };
    let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
    let mut skipped = skipped::of_windows(connection, account, number(oldest)?..=number(newest)?).await?;
    rows.iter()
        .map(|row| {
            let window = count(row.try_get("number")?);
            let state: String = row.try_get("state")?;
            let skipped = skipped.remove(&window).unwrap_or_default();
            let left_out = match state.as_str() {
                "skipped" => row.try_get::<Option<SqlCount>, _>("left_out")?.map(count),
                _ => Some(skipped.len() as u64),
            };
            Ok(WindowRow {
                account: account_id(row, "account")?,
                window,
                slot: row.try_get::<SqlTime, _>("slot")?.0,
                from: row.try_get::<SqlTime, _>("from_at")?.0,
                to: row.try_get::<SqlTime, _>("to_at")?.0,
                state,
                objects: count(row.try_get("objects")?),
                records: count(row.try_get("records")?),
                skipped,
                left_out,
            })
        })
        .collect()
}

pub(super) async fn attempts(
    connection: &mut Connection,
    account: &AccountId,
    key: &str,
) -> Result<Vec<AttemptRow>> {
    let rows = sqlx::query(
        "SELECT attempt, worker, started_at, finished_at, outcome, message, store_version, request_id FROM attempt \
         WHERE account = $1 AND key = $2 ORDER BY started_at, attempt",
    )
    .bind(account.as_str())
    .bind(key)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AttemptRow {
                number: small(row.try_get("attempt")?),
                worker: row.try_get("worker")?,
                started_at: row.try_get::<SqlTime, _>("started_at")?.0,
                finished_at: row.try_get::<Option<SqlTime>, _>("finished_at")?.map(|at| at.0),
                outcome: row.try_get("outcome")?,
                message: row.try_get("message")?,
                version: row.try_get("store_version")?,
                request_id: row.try_get("request_id")?,
            })
        })
        .collect()
}

pub(super) async fn gauges(connection: &mut Connection, now: Timestamp) -> Result<Gauges> {
    let rows = sqlx::query(
        "SELECT state, count(*) AS accounts, min(watermark_at) AS oldest_watermark, \
         min(undelivered) AS oldest_undelivered FROM ( \
           SELECT watermark_at, \
             CASE WHEN open_window IS NOT NULL THEN last_slot WHEN next_slot <= $1 THEN next_slot END \
               AS undelivered, \
             CASE WHEN NOT addon_enabled THEN 'disabled' WHEN held IS NOT NULL THEN 'held' \
               WHEN paused_at IS NOT NULL THEN 'paused' \
               WHEN destination_version IS NULL THEN 'no_destination' \
               WHEN suspended_at IS NOT NULL THEN 'suspended' \
               WHEN failures > 0 THEN 'retrying' \
               WHEN addon_until <= $1 AND next_slot IS NULL AND open_window IS NULL THEN 'expired' \
               ELSE 'active' END AS state \
           FROM account) AS states GROUP BY state ORDER BY state",
    )
    .bind(SqlTime(now))
    .fetch_all(&mut *connection)
    .await?;
    let states = rows
        .iter()
        .map(|row| {
            let maybe = |column: &str| row.try_get::<Option<SqlTime>, _>(column).map(|at| at.map(|at| at.0));
            Ok(StateGauge {
                state: row.try_get("state")?,
                accounts: count(row.try_get("accounts")?),
                oldest_watermark: maybe("oldest_watermark")?,
                oldest_undelivered: maybe("oldest_undelivered")?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(Gauges { states, credentials: expiry::counts(connection, now).await? })
}
