//! Replays: what they read of the past, and what is stored of them.

use jiff::Timestamp;
use sqlx::Row as _;

use super::super::super::replay::{
    NewReplay, PastObject, PastWindow, Replay, ReplayFilter, ReplayRow, ReplayedObject,
};
use super::rows::account_id;
use super::windows::{WINDOW_COLUMNS, window};
use super::{AccountId, Connection, FOR_UPDATE, Result, SqlCount, SqlTime, count, int, like, small};
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::protocol::Attempt;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// Windows with slots in a range, in the order of their numbers.
pub(super) async fn past_windows(
    connection: &mut Connection,
    account: &AccountId,
    (from, to): (Timestamp, Timestamp),
    after: u64,
    limit: u32,
) -> Result<Vec<PastWindow>> {
    let sql = format!(
        "SELECT {WINDOW_COLUMNS}, state FROM export_window \
         WHERE account = $1 AND slot >= $2 AND slot <= $3 AND number > $4 AND state <> 'skipped' \
         ORDER BY number LIMIT $5"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(account.as_str())
        .bind(SqlTime(from))
        .bind(SqlTime(to))
        .bind(int(after))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
    let mut windows = Vec::with_capacity(rows.len());
    for row in &rows {
        let window = window(row)?;
        let open = row.try_get::<String, _>("state")? == "open";
        let objects = past_objects(connection, account, window.number).await?;
        windows.push(PastWindow { window, open, objects });
    }
    Ok(windows)
}

async fn past_objects(
    connection: &mut Connection,
    account: &AccountId,
    number: u64,
) -> Result<Vec<PastObject>> {
    let rows = sqlx::query(
        "SELECT ordinal, key, records, content_sha256, cursor FROM delivery \
         WHERE account = $1 AND number = $2 AND state = 'delivered' ORDER BY ordinal",
    )
    .bind(account.as_str())
    .bind(int(number))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PastObject {
                ordinal: small(row.try_get("ordinal")?),
                key: ObjectKey::stored(row.try_get("key")?),
                records: count(row.try_get("records")?),
                content_sha256: row.try_get("content_sha256")?,
                cursor: row.try_get::<Option<String>, _>("cursor")?.map(Cursor),
            })
        })
        .collect()
}

/// Goes on with an unfinished replay, or begins another. The account's row is locked.
pub(super) async fn begin(
    connection: &mut Connection,
    account: &AccountId,
    new: &NewReplay,
    operator: &str,
) -> Result<Replay> {
    let unfinished: Option<SqlCount> = sqlx::query_scalar(
        "SELECT max(number) FROM replay WHERE account = $1 AND as_new AND from_slot = $2 AND to_slot = $3 \
         AND destination_version = $4 AND started_at >= $5 AND finished_at IS NULL",
    )
    .bind(account.as_str())
    .bind(SqlTime(new.from))
    .bind(SqlTime(new.to))
    .bind(int(new.destination_version))
    .bind(SqlTime(new.go_on_since))
    .fetch_one(&mut *connection)
    .await?;
    if let (true, Some(number)) = (new.as_new, unfinished.map(count)) {
        let earlier = objects(connection, account, number, None).await?;
        return Ok(Replay { account: account.clone(), number, earlier });
    }
    let number: SqlCount = sqlx::query_scalar(
        "INSERT INTO replay (account, number, as_new, from_slot, to_slot, destination_version, operator, \
         started_at) SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 FROM replay \
         WHERE account = $1 RETURNING number",
    )
    .bind(account.as_str())
    .bind(new.as_new)
    .bind(SqlTime(new.from))
    .bind(SqlTime(new.to))
    .bind(int(new.destination_version))
    .bind(operator)
    .bind(SqlTime(new.at))
    .fetch_one(connection)
    .await?;
    Ok(Replay { account: account.clone(), number: count(number), earlier: Vec::new() })
}

async fn objects(
    connection: &mut Connection,
    account: &AccountId,
    replay: u64,
    only: Option<(u64, u32)>,
) -> Result<Vec<ReplayedObject>> {
    let rows = sqlx::query(
        "SELECT number, ordinal, key, doubtful, outcome FROM replayed_object \
         WHERE account = $1 AND replay = $2 AND ($3 IS NULL OR number = $3) \
         AND ($4 IS NULL OR ordinal = $4) ORDER BY number, ordinal",
    )
    .bind(account.as_str())
    .bind(int(replay))
    .bind(only.map(|(window, _)| int(window)))
    .bind(only.map(|(_, ordinal)| i64::from(ordinal)))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ReplayedObject {
                window: count(row.try_get("number")?),
                ordinal: small(row.try_get("ordinal")?),
                key: ObjectKey::stored(row.try_get("key")?),
                doubtful: row.try_get("doubtful")?,
                outcome: row.try_get("outcome")?,
            })
        })
        .collect()
}

/// Stores that an object is about to be put, unless another command has got ahead with it.
pub(super) async fn journal(
    connection: &mut Connection,
    replay: &Replay,
    object: &ReplayedObject,
    at: Timestamp,
) -> Result<()> {
    // Two commands may go on with one replay: one after the other.
    let lock = format!("SELECT number FROM replay WHERE account = $1 AND number = $2{FOR_UPDATE}");
    sqlx::query(sqlx::AssertSqlSafe(lock))
        .bind(replay.account.as_str())
        .bind(int(replay.number))
        .fetch_one(&mut *connection)
        .await?;
    let this = Some((object.window, object.ordinal));
    let before = objects(connection, &replay.account, replay.number, this).await?.pop();
    let doubtful = before.as_ref().is_some_and(|row| row.doubtful);
    let elsewhere = before.is_some_and(|row| row.is_there() || (row.doubtful && row.key != object.key));
    if elsewhere || doubtful != object.doubtful {
        let problem = format!("another command is putting window {} again", object.window);
        return Err(Refusal::account(&replay.account, RefusalCode::UnderWay, problem)
            .fix("wait for it")
            .into());
    }
    sqlx::query(
        "INSERT INTO replayed_object (account, replay, number, ordinal, key, doubtful, started_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (account, replay, number, ordinal) DO UPDATE SET key = excluded.key, \
         doubtful = excluded.doubtful, started_at = excluded.started_at, finished_at = NULL, \
         outcome = NULL, message = NULL",
    )
    .bind(replay.account.as_str())
    .bind(int(replay.number))
    .bind(int(object.window))
    .bind(i64::from(object.ordinal))
    .bind(object.key.as_str())
    .bind(Attempt::DOUBTFUL_UNDER_WAY)
    .bind(SqlTime(at))
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores what became of an object.
pub(super) async fn finish_object(
    connection: &mut Connection,
    replay: &Replay,
    object: &ReplayedObject,
    message: Option<&str>,
    at: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE replayed_object SET doubtful = $5, outcome = $6, message = $7, finished_at = $8 \
         WHERE account = $1 AND replay = $2 AND number = $3 AND ordinal = $4",
    )
    .bind(replay.account.as_str())
    .bind(int(replay.number))
    .bind(int(object.window))
    .bind(i64::from(object.ordinal))
    .bind(object.doubtful)
    .bind(object.outcome.as_deref())
    .bind(message)
    .bind(SqlTime(at))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn finish(connection: &mut Connection, replay: &Replay, at: Timestamp) -> Result<()> {
    sqlx::query("UPDATE replay SET finished_at = $3 WHERE account = $1 AND number = $2")
        .bind(replay.account.as_str())
        .bind(int(replay.number))
        .bind(SqlTime(at))
        .execute(connection)
        .await?;
    Ok(())
}

/// Objects of replays, newest first: all, of one account, or of one object by either name.
pub(super) async fn list(connection: &mut Connection, filter: &ReplayFilter) -> Result<Vec<ReplayRow>> {
    let ReplayFilter { account, key, after, limit } = filter;
    let rows = sqlx::query(
        "SELECT o.account, o.replay, r.operator, o.number, o.ordinal, d.key, o.key AS put_as, \
         r.destination_version, o.started_at, o.finished_at, o.outcome, o.message \
         FROM replayed_object o \
         JOIN replay r ON r.account = o.account AND r.number = o.replay \
         JOIN delivery d ON d.account = o.account AND d.number = o.number AND d.ordinal = o.ordinal \
         WHERE ($1 IS NULL OR o.account = $1) AND ($2 IS NULL OR d.key = $2 OR o.key = $2 \
           OR d.key LIKE $4 ESCAPE '!' OR o.key LIKE $4 ESCAPE '!') \
         AND ($5 IS NULL OR o.started_at < $5 OR (o.started_at = $5 AND (o.account > $6 OR (o.account = $6 \
           AND (o.replay < $7 OR (o.replay = $7 AND (o.number < $8 OR (o.number = $8 AND o.ordinal < $9)))))))) \
         ORDER BY o.started_at DESC, o.account, o.replay DESC, o.number DESC, o.ordinal DESC LIMIT $3",
    )
    .bind(account.as_ref().map(AccountId::as_str))
    .bind(key)
    .bind(i64::from(*limit))
    .bind(key.as_deref().map(like::ends_in))
    .bind(after.as_ref().map(|after| SqlTime(after.started_at)))
    .bind(after.as_ref().map(|after| after.account.as_str()))
    .bind(after.as_ref().map(|after| int(after.replay)))
    .bind(after.as_ref().map(|after| int(after.window)))
    .bind(after.as_ref().map(|after| i64::from(after.ordinal)))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ReplayRow {
                account: account_id(row, "account")?,
                replay: count(row.try_get("replay")?),
                operator: row.try_get("operator")?,
                window: count(row.try_get("number")?),
                ordinal: small(row.try_get("ordinal")?),
                key: row.try_get("key")?,
                put_as: row.try_get("put_as")?,
                destination_version: count(row.try_get("destination_version")?),
                started_at: row.try_get::<SqlTime, _>("started_at")?.0,
                finished_at: row.try_get::<Option<SqlTime>, _>("finished_at")?.map(|at| at.0),
                outcome: row.try_get("outcome")?,
                message: row.try_get("message")?,
            })
        })
        .collect()
}
