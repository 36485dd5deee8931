//! Notices: what was told of each subject, and what is on its way.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::types::Json;

use super::channels::{CHANNEL_COLUMNS, audience, channel};
use super::rows::account_id;
use super::{Connection, Result, Row, SKIP_LOCKED, SqlCount, SqlTime, count, identity, int, small, time};
use crate::ledger::{ClaimedNotice, NoticeRow, Sent, StoredState};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::notification::{Audience, Notice, Target};

pub(super) async fn states(
    connection: &mut Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredState>> {
    let rows = sqlx::query(
        "SELECT subject, account, state, revision FROM notice_state WHERE subject > $1 ORDER BY subject LIMIT $2",
    )
    .bind(after.unwrap_or_default())
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    let state = |row: &Row| {
        let account = row.try_get::<Option<String>, _>("account")?;
        Ok(StoredState {
            subject: row.try_get("subject")?,
            account: account.map(|_| account_id(row, "account")).transpose()?,
            state: row.try_get::<Json<_>, _>("state")?.0,
            revision: count(row.try_get("revision")?),
        })
    };
    rows.iter().map(state).collect()
}

/// Stores a state over the one that was read. Returns whether that was still there.
pub(super) async fn store(connection: &mut Connection, new: &StoredState) -> Result<bool> {
    let account = new.account.as_ref().map(AccountId::as_str);
    let forgotten = new.state.topics.is_empty() && new.state.told_at.is_none();
    let done = if new.revision == 0 {
        // An account that was just removed has no state any more.
        sqlx::query(
            "INSERT INTO notice_state (subject, account, state, revision) SELECT $1, $2, $3, 1 \
             WHERE $2 IS NULL OR EXISTS (SELECT 1 FROM account WHERE id = $2) ON CONFLICT (subject) DO NOTHING",
        )
        .bind(&new.subject)
        .bind(account)
        .bind(Json(&new.state))
        .execute(connection)
        .await?
    } else if forgotten {
        sqlx::query("DELETE FROM notice_state WHERE subject = $1 AND revision = $2")
            .bind(&new.subject)
            .bind(int(new.revision))
            .execute(connection)
            .await?
    } else {
        sqlx::query(
            "UPDATE notice_state SET state = $3, revision = revision + 1 WHERE subject = $1 AND revision = $2",
        )
        .bind(&new.subject)
        .bind(int(new.revision))
        .bind(Json(&new.state))
        .execute(connection)
        .await?
    };
    Ok(done.rows_affected() == 1)
}

/// Stores a notice for every channel of an audience. Returns for how many.
pub(super) async fn insert(connection: &mut Connection, audience: &Audience, notice: &Notice) -> Result<u64> {
    let account = audience.account().map(AccountId::as_str);
    sqlx::query("INSERT INTO notice (id, account, queued_at, body) VALUES ($1, $2, $3, $4)")
        .bind(&notice.id)
        .bind(account)
        .bind(SqlTime(notice.at))
        .bind(Json(notice))
        .execute(&mut *connection)
        .await?;
    let whose = if account.is_some() { "account = $3" } else { "account IS NULL AND $3 IS NULL" };
    let sql = format!(
        "INSERT INTO notification_outbox (notice, channel, next_try_at) \
         SELECT $1, id, $2 FROM notification_channel WHERE disabled_at IS NULL AND {whose}"
    );
    let done = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&notice.id)
        .bind(SqlTime(notice.at))
        .bind(account)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

pub(super) async fn claim(
    connection: &mut Connection,
    limit: u32,
    hold: Duration,
) -> Result<Vec<ClaimedNotice>> {
    let now = identity::now(connection).await?;
    let until = now.checked_add(hold).unwrap_or(now);
    // Materialized, so that the limit holds whatever plan the update gets.
    let sql = format!(
        "WITH due AS MATERIALIZED (SELECT notice, channel FROM notification_outbox WHERE next_try_at <= $1 \
         AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY next_try_at LIMIT $3{SKIP_LOCKED}) \
         UPDATE notification_outbox SET claimed_until = $2, attempts = attempts + 1 \
         WHERE (notice, channel) IN (SELECT notice, channel FROM due) RETURNING notice, channel"
    );
    let taken = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(SqlTime(now))
        .bind(SqlTime(until))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
    let mut claimed = Vec::with_capacity(taken.len());
    let sql = format!(
        "SELECT {CHANNEL_COLUMNS}, n.body, o.attempts FROM notification_outbox AS o \
         JOIN notice AS n ON n.id = o.notice JOIN notification_channel AS c ON c.id = o.channel \
         WHERE o.notice = $1 AND o.channel = $2"
    );
    for row in &taken {
        let row = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(row.try_get::<String, _>("notice")?)
            .bind(row.try_get::<String, _>("channel")?)
            .fetch_one(&mut *connection)
            .await?;
        claimed.push(ClaimedNotice {
            notice: row.try_get::<Json<_>, _>("body")?.0,
            channel: channel(&row)?,
            attempt: small(row.try_get("attempts")?),
        });
    }
    Ok(claimed)
}

pub(super) async fn note_sent(
    connection: &mut Connection,
    claimed: &ClaimedNotice,
    sent: &Sent,
    answer: &str,
) -> Result<()> {
    let now = identity::now(connection).await?;
    let (next, delivered) = match sent {
        Sent::Delivered => (None, Some(now)),
        Sent::Later(at) => (Some(*at), None),
        Sent::GivenUp => (None, None),
    };
    // A delivery counts whatever began since; a failure only while nobody else has it, and while the channel
    // is not disabled.
    sqlx::query(
        "UPDATE notification_outbox SET next_try_at = $4, delivered_at = $5, answer = $6, claimed_until = NULL \
         WHERE notice = $1 AND channel = $2 AND delivered_at IS NULL \
         AND ($5 IS NOT NULL OR (attempts = $3 AND next_try_at IS NOT NULL))",
    )
    .bind(&claimed.notice.id)
    .bind(&claimed.channel.id)
    .bind(int(claimed.attempt.into()))
    .bind(time(next))
    .bind(time(delivered))
    .bind(answer)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn newest(
    connection: &mut Connection,
    account: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<NoticeRow>> {
    let rows = sqlx::query(
        "SELECT n.body, o.channel, c.target, c.account, o.attempts, o.next_try_at, o.delivered_at, o.answer \
         FROM notification_outbox AS o JOIN notice AS n ON n.id = o.notice \
         JOIN notification_channel AS c ON c.id = o.channel WHERE $1 IS NULL OR c.account = $1 \
         ORDER BY n.queued_at DESC, n.id, o.channel LIMIT $2",
    )
    .bind(account.map(AccountId::as_str))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    let maybe = |row: &Row, column: &str| {
        row.try_get::<Option<SqlTime>, _>(column).map(|at| at.map(|SqlTime(at)| at))
    };
    rows.iter()
        .map(|row| {
            Ok(NoticeRow {
                notice: row.try_get::<Json<_>, _>("body")?.0,
                channel: row.try_get("channel")?,
                kind: row.try_get::<Json<Target>, _>("target")?.0.kind().to_owned(),
                account: audience(row)?.account().cloned(),
                attempts: count(row.try_get::<SqlCount, _>("attempts")?),
                next_try_at: maybe(row, "next_try_at")?,
                delivered_at: maybe(row, "delivered_at")?,
                answer: row.try_get("answer")?,
            })
        })
        .collect()
}

pub(super) async fn forget(connection: &mut Connection, before: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM notice WHERE queued_at < $1").bind(SqlTime(before)).execute(connection).await?;
    Ok(())
}

pub(super) async fn take_turn(connection: &mut Connection, name: &str, hold: Duration) -> Result<bool> {
    let now = identity::now(connection).await?;
    let until = now.checked_add(hold).unwrap_or(now);
    let done = sqlx::query(
        "INSERT INTO turn (name, taken_until) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET taken_until = excluded.taken_until WHERE turn.taken_until <= $3",
    )
    .bind(name)
    .bind(SqlTime(until))
    .bind(SqlTime(now))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
