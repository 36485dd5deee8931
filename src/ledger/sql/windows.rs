//! Windows and their objects, of one account. What many accounts do at once is in `batch.rs`.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use sqlx::Row as _;
use sqlx::types::Json;

use super::super::super::record_set;
use super::rows::account_id;
use super::{
    Account, AccountId, Attempt, Connection, Destination, Failure, Gap, IS_IN_1, NewWindow, OpenWindow,
    Result, Row, SqlCount, SqlTime, Watermark, accounts, count, int, small,
};
use auditferry_core::model::bound::{Cursor, RecordSet};
use auditferry_core::model::format::Format;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::model::window::Window;
use auditferry_core::protocol::{self, ResumePoint, StoredObject};
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::store::PutErrorKind;

pub(super) const WINDOW_COLUMNS: &str = "account, number, slot, record_set, from_at, to_at, zone, format, \
    prefix, destination_version, content_version, generation";

/// Records a gap: a window that is never delivered, from the watermark to another.
pub(super) async fn skip(
    connection: &mut Connection,
    account: &mut Account,
    watermark: &Watermark,
    Gap { slot, left_out }: Gap,
) -> Result<()> {
    if let Some(open) = account.open_window {
        let problem = format!("window {open} is being delivered; its records cannot be skipped any more");
        return Err(Refusal::account(&account.id, RefusalCode::WindowInDelivery, problem)
            .fix("wait for it, or see why it fails with `auditferry account show`")
            .into());
    }
    let number = account.windows + 1;
    let (hi, to) = (watermark.bound.clone(), watermark.at);
    let new = NewWindow { slot, hi, to, until: None, next_slot: None, begins: None };
    let version = account.destination_version.unwrap_or(0);
    insert(
        &mut *connection,
        account,
        number,
        "skipped",
        &record_set(&account.watermark, &new),
        &new,
        version,
        "",
    )
    .await?;
    sqlx::query("UPDATE export_window SET left_out = $3 WHERE account = $1 AND number = $2")
        .bind(account.id.as_str())
        .bind(int(number))
        .bind(left_out.map(int))
        .execute(&mut *connection)
        .await?;
    account.windows = number;
    account.watermark = watermark.clone();
    account.last_slot = account.last_slot.max(slot);
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
async fn insert(
    connection: &mut Connection,
    account: &Account,
    number: u64,
    state: &str,
    set: &RecordSet,
    new: &NewWindow,
    destination_version: u64,
    prefix: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO export_window (account, number, slot, state, record_set, from_at, to_at, zone, format, \
         prefix, destination_version, content_version, generation) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(account.id.as_str())
    .bind(int(number))
    .bind(SqlTime(new.slot))
    .bind(state)
    .bind(Json(set))
    .bind(SqlTime(account.watermark.at))
    .bind(SqlTime(new.to))
    .bind(&account.zone)
    .bind(Json(&account.format))
    .bind(prefix)
    .bind(int(destination_version))
    .bind(i64::from(account.format.content_version()))
    .bind(i64::from(account.generation))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) fn window(row: &Row) -> Result<Window> {
    let instant = |column: &str| row.try_get::<SqlTime, _>(column).map(|at| at.0);
    Ok(Window {
        account: account_id(row, "account")?,
        number: count(row.try_get("number")?),
        slot: instant("slot")?,
        set: row.try_get::<Json<RecordSet>, _>("record_set")?.0,
        from: instant("from_at")?,
        to: instant("to_at")?,
        zone: row.try_get("zone")?,
        format: row.try_get::<Json<Format>, _>("format")?.0,
        prefix: row.try_get("prefix")?,
        destination_version: count(row.try_get("destination_version")?),
        content_version: small(row.try_get("content_version")?),
        generation: small(row.try_get("generation")?),
    })
}

/// The open windows of some accounts.
pub(super) async fn open(connection: &mut Connection, ids: &[&str]) -> Result<HashMap<String, OpenWindow>> {
    let sql = format!(
        "SELECT {WINDOW_COLUMNS}, spec, ends_at FROM export_window \
         LEFT JOIN (SELECT account, version AS destination_version, spec, ends_at FROM destination) AS destination \
         USING (account, destination_version) WHERE state = 'open' AND account {IS_IN_1}"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(Json(ids)).fetch_all(&mut *connection).await?;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    // The two newest, newest first.
    let sql = format!(
        "SELECT account, ordinal, delivery.key, delivery.state, cursor, ends_window, doubtful, attempts \
         FROM export_window JOIN delivery USING (account, number) \
         WHERE export_window.state = 'open' AND account {IS_IN_1} AND ordinal > \
         (SELECT max(ordinal) - 2 FROM delivery AS newest \
          WHERE newest.account = delivery.account AND newest.number = delivery.number) \
         ORDER BY account, ordinal DESC"
    );
    let mut newest: HashMap<String, Vec<(StoredObject<Cursor>, ObjectKey)>> = HashMap::new();
    for row in sqlx::query(AssertSqlSafe(sql)).bind(Json(ids)).fetch_all(connection).await? {
        newest
            .entry(row.try_get("account")?)
            .or_default()
            .push((stored_object(&row)?, ObjectKey::stored(row.try_get("key")?)));
    }
    let open = rows.iter().map(|row| {
        let (window, destination) = (window(row)?, row.try_get::<Json<Destination>, _>("spec")?.0);
        let credentials_end = row.try_get::<Option<SqlTime>, _>("ends_at")?.map(|at| at.0);
        let account = window.account.to_string();
        let objects = newest.remove(&account).unwrap_or_default().into_iter();
        let (objects, keys): (Vec<_>, Vec<_>) = objects
            .map(|(object, key)| {
                let ordinal = object.ordinal;
                (object, (ordinal, key))
            })
            .unzip();
        let ResumePoint { ordinal, cursor, exhausted, doubtful, attempted } = protocol::resume_point(objects);
        let key = keys.into_iter().find(|(sealed, _)| *sealed == ordinal).map(|(_, key)| key);
        Ok((
            account,
            OpenWindow {
                window,
                destination,
                credentials_end,
                ordinal,
                key,
                cursor,
                exhausted,
                doubtful,
                attempted,
            },
        ))
    });
    open.collect()
}

fn stored_object(row: &Row) -> Result<StoredObject<Cursor>> {
    Ok(StoredObject {
        ordinal: small(row.try_get("ordinal")?),
        delivered: row.try_get::<String, _>("state")? == "delivered",
        cursor: row.try_get::<Option<String>, _>("cursor")?.map(Cursor),
        ends_window: row.try_get("ends_window")?,
        doubtful: row.try_get("doubtful")?,
        attempted: row.try_get::<i64, _>("attempts")? > 0,
    })
}

/// The version of the destination that a window goes to.
pub(super) async fn destination_version(
    connection: &mut Connection,
    account: &AccountId,
    window: u64,
) -> Result<u64> {
    let version: SqlCount = sqlx::query_scalar(
        "SELECT destination_version FROM export_window WHERE account = $1 AND number = $2",
    )
    .bind(account.as_str())
    .bind(int(window))
    .fetch_one(connection)
    .await?;
    Ok(count(version))
}

pub(super) async fn repoint(connection: &mut Connection, account: &Account, window: u64) -> Result<()> {
    let Some(version) = account.destination_version else {
        return Err(Refusal::account(&account.id, RefusalCode::NoDestination, "it has no destination").into());
    };
    let before = destination_version(connection, &account.id, window).await?;
    let before = accounts::destination(connection, &account.id, before).await?;
    let after = accounts::destination(connection, &account.id, version).await?;
    let format: Json<Format> =
        sqlx::query_scalar("SELECT format FROM export_window WHERE account = $1 AND number = $2")
            .bind(account.id.as_str())
            .bind(int(window))
            .fetch_one(&mut *connection)
            .await?;
    let prefix = after.key_prefix(format.path);
    // New credentials for the same bucket: what was attempted there stays attempted.
    if !after.may_share_objects(&before) {
        move_undelivered(connection, &account.id, window, &after, &prefix).await?;
    }
    sqlx::query(
        "UPDATE export_window SET destination_version = $3, prefix = $4 WHERE account = $1 AND number = $2",
    )
    .bind(account.id.as_str())
    .bind(int(window))
    .bind(int(version))
    .bind(prefix)
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives the undelivered objects of a window their names at another place. Whether one may stand
/// there already is what the attempts say that were made at that place, however long ago; where
/// none was made, the object may be another one.
async fn move_undelivered(
    connection: &mut Connection,
    account: &AccountId,
    window: u64,
    after: &Destination,
    new_prefix: &str,
) -> Result<()> {
    let rows = sqlx::query(
        "SELECT delivery.ordinal, delivery.key, prefix FROM delivery JOIN export_window USING (account, number) \
         WHERE account = $1 AND number = $2 AND delivery.state = 'sealed'",
    )
    .bind(account.as_str())
    .bind(int(window))
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let ordinal: i64 = row.try_get("ordinal")?;
        let (key, prefix): (String, String) = (row.try_get("key")?, row.try_get("prefix")?);
        let name = key.strip_prefix(prefix.as_str()).unwrap_or(&key);
        let doubtful = left_in_doubt(connection, account, (window, ordinal), after).await?;
        sqlx::query(
            "UPDATE delivery SET key = $4, doubtful = $5, attempts = CASE WHEN NOT $5 THEN 0 \
             WHEN attempts = 0 THEN 1 ELSE attempts END \
             WHERE account = $1 AND number = $2 AND ordinal = $3",
        )
        .bind(account.as_str())
        .bind(int(window))
        .bind(ordinal)
        .bind(format!("{new_prefix}{name}"))
        .bind(doubtful)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Whether an attempt for an object may have created it at a place.
async fn left_in_doubt(
    connection: &mut Connection,
    account: &AccountId,
    (window, ordinal): (u64, i64),
    place: &Destination,
) -> Result<bool> {
    let attempts = sqlx::query(
        "SELECT DISTINCT destination_version AS version, outcome FROM attempt \
         WHERE account = $1 AND number = $2 AND ordinal = $3 AND destination_version IS NOT NULL",
    )
    .bind(account.as_str())
    .bind(int(window))
    .bind(ordinal)
    .fetch_all(&mut *connection)
    .await?;
    for row in attempts {
        // One without an outcome was under way when its worker ended.
        let kind = row.try_get::<Option<String>, _>("outcome")?.map(|name| PutErrorKind::parse(&name));
        if kind.flatten().is_some_and(|kind| !kind.answer().leaves_doubt()) {
            continue;
        }
        let version = count(row.try_get("version")?);
        if place.may_share_objects(&accounts::destination(connection, account, version).await?) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn fail(
    connection: &mut Connection,
    account: &AccountId,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<()> {
    finish(connection, account, attempt, failure).await?;
    sqlx::query(
        "UPDATE delivery SET doubtful = $4, error_kind = $5, error = $6 \
         WHERE account = $1 AND number = $2 AND ordinal = $3",
    )
    .bind(account.as_str())
    .bind(int(attempt.window))
    .bind(i64::from(attempt.ordinal))
    .bind(attempt.doubtful_after(failure.doubtful))
    .bind(failure.kind.as_str())
    .bind(&failure.message)
    .execute(connection)
    .await?;
    Ok(())
}

async fn finish(
    connection: &mut Connection,
    account: &AccountId,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<()> {
    sqlx::query(
        "UPDATE attempt SET finished_at = $5, outcome = $6, message = $7, request_id = $8 \
         WHERE account = $1 AND number = $2 AND ordinal = $3 AND attempt = $4",
    )
    .bind(account.as_str())
    .bind(int(attempt.window))
    .bind(i64::from(attempt.ordinal))
    .bind(i64::from(attempt.number))
    .bind(SqlTime(failure.at))
    .bind(failure.kind.as_str())
    .bind(&failure.message)
    .bind(failure.request_id.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

/// Where the watermark stood before each of the newest windows, newest first.
pub(super) async fn earlier_watermarks(
    connection: &mut Connection,
    account: &AccountId,
    limit: u32,
) -> Result<Vec<Watermark>> {
    let rows = sqlx::query(
        "SELECT record_set, from_at FROM export_window WHERE account = $1 ORDER BY number DESC LIMIT $2",
    )
    .bind(account.as_str())
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let set = row.try_get::<Json<RecordSet>, _>("record_set")?.0;
            let at = row.try_get::<SqlTime, _>("from_at")?.0;
            Ok(Watermark { bound: set.lo, at, ahead: set.ahead, since: set.since })
        })
        .collect()
}

/// Begins a new generation at a watermark; a window in delivery is given up.
pub(super) async fn rewind(
    connection: &mut Connection,
    account: &mut Account,
    watermark: &Watermark,
) -> Result<()> {
    sqlx::query("UPDATE export_window SET state = 'abandoned' WHERE account = $1 AND state = 'open'")
        .bind(account.id.as_str())
        .execute(connection)
        .await?;
    account.open_window = None;
    account.served_at = None;
    account.watermark = watermark.clone();
    account.generation += 1;
    account.held = None;
    account.clear_trouble();
    Ok(())
}
