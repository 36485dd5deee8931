//! The log of changes: rows are only ever added, in the transaction of what they tell.

use serde_json::Value;
use sqlx::Row as _;
use sqlx::types::Json;

use super::super::super::change::{difference, facts};
use super::rows::account_id;
use super::{
    Account, AccountId, Change, ChangeFilter, Connection, FieldChange, Result, Row, SqlTime, access, count,
    int, like, time,
};
use auditferry_core::model::actor::{ActorKind, By, Channel};

/// Stores what somebody did to an account.
pub(super) async fn record(
    connection: &mut Connection,
    by: &By,
    account: &AccountId,
    action: &str,
    fields: &[FieldChange],
) -> Result<()> {
    let seq = insert(connection, by, account.as_str(), action, fields).await?;
    // A row of its own, and no position in the log: numbers are given before they commit.
    let sql = "INSERT INTO change_outbox (seq) VALUES ($1)";
    sqlx::query(sql).bind(seq).execute(connection).await?;
    Ok(())
}

/// Stores what somebody did to what belongs to no account.
pub(super) async fn record_general(
    connection: &mut Connection,
    by: &By,
    action: &str,
    fields: &[FieldChange],
) -> Result<()> {
    insert(connection, by, "", action, fields).await?;
    Ok(())
}

async fn insert(
    connection: &mut Connection,
    By { actor, reason, terms }: &By,
    account: &str,
    action: &str,
    fields: &[FieldChange],
) -> Result<i64> {
    if let Some(key) = &terms.request {
        access::applied(connection, key).await?;
    }
    let seq: i64 = sqlx::query_scalar(
        "INSERT INTO change_log (by_whom, account, action, fields, actor_kind, actor_id, channel, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING seq",
    )
    .bind(&actor.name)
    .bind(account)
    .bind(action)
    .bind(Json(fields))
    .bind(actor.kind.as_str())
    .bind(&actor.id)
    .bind(actor.channel.as_str())
    .bind(reason)
    .fetch_one(&mut *connection)
    .await?;
    Ok(seq)
}

/// Stores what a change made of an account; nothing when it made nothing of it.
pub(super) async fn record_edit(
    connection: &mut Connection,
    by: &By,
    action: &str,
    before: &Value,
    after: &Account,
) -> Result<()> {
    let fields = difference(before, &facts(after));
    if fields.is_empty() {
        return Ok(());
    }
    let all = |table: &str| fields.iter().all(|change| change.field.starts_with(table));
    // The first enablement is where an account begins.
    let begins = ["starts_when_enabled", "watermark_at"];
    let of_addon =
        |change: &FieldChange| change.field.starts_with("addon") || begins.contains(&change.field.as_str());
    let enabled = fields.iter().any(|change| change.field == "addon.enabled");
    let action = match action {
        "account changed" if all("addon") || enabled && fields.iter().all(of_addon) => "add-on changed",
        "account changed" if all("destination_version") => "destination removed",
        other => other,
    };
    record(connection, by, &after.id, action, &fields).await
}

pub(super) async fn list(connection: &mut Connection, filter: &ChangeFilter) -> Result<Vec<Change>> {
    let rows = sqlx::query(
        "SELECT seq, at, by_whom, account, action, fields, actor_kind, actor_id, channel, reason FROM change_log \
         WHERE ($1 IS NULL OR account = $1) AND ($2 IS NULL OR by_whom LIKE $2 ESCAPE '!') \
         AND ($3 IS NULL OR at >= $3) AND ($4 IS NULL OR at < $4) AND ($6 IS NULL OR seq < $6) \
         AND ($7 IS NULL OR action NOT LIKE $7) ORDER BY seq DESC LIMIT $5",
    )
    .bind(filter.account.as_ref().map(AccountId::as_str))
    .bind(filter.by.as_deref().map(like::holding))
    .bind(time(filter.since))
    .bind(time(filter.until))
    .bind(i64::from(filter.limit))
    .bind(filter.before.map(int))
    .bind(filter.without_portal.then_some("portal %"))
    .fetch_all(connection)
    .await?;
    rows.iter().map(change).collect()
}

fn change(row: &Row) -> Result<Change> {
    let kind: Option<String> = row.try_get("actor_kind")?;
    let channel: Option<String> = row.try_get("channel")?;
    Ok(Change {
        number: count(row.try_get("seq")?),
        at: row.try_get::<SqlTime, _>("at")?.0,
        by: row.try_get("by_whom")?,
        actor_kind: kind.as_deref().and_then(ActorKind::stored),
        actor_id: row.try_get("actor_id")?,
        channel: channel.as_deref().and_then(Channel::stored),
        reason: row.try_get("reason")?,
        account: (!row.try_get::<&str, _>("account")?.is_empty())
            .then(|| account_id(row, "account"))
            .transpose()?,
        action: row.try_get("action")?,
        fields: row.try_get::<Json<Vec<FieldChange>>, _>("fields")?.0,
    })
}

pub(super) async fn pending(connection: &mut Connection, limit: u32) -> Result<Vec<Change>> {
    let rows = sqlx::query(
        "SELECT c.seq, c.at, c.by_whom, c.account, c.action, c.fields, c.actor_kind, c.actor_id, c.channel, c.reason \
         FROM change_outbox o JOIN change_log c ON c.seq = o.seq ORDER BY c.seq LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(change).collect()
}

pub(super) async fn mark_published(connection: &mut Connection, numbers: &[u64]) -> Result<()> {
    for number in numbers {
        let sql = "DELETE FROM change_outbox WHERE seq = $1";
        sqlx::query(sql).bind(int(*number)).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn discard_outbox(connection: &mut Connection) -> Result<()> {
    sqlx::query("DELETE FROM change_outbox").execute(connection).await?;
    Ok(())
}
