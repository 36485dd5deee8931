//! Channels of notifications, and their sealed secrets.

use sqlx::Row as _;
use sqlx::types::Json;

use super::rows::account_id;
use super::{Connection, FOR_UPDATE, LedgerError, Result, Row, SealedId, SealedSecret, SqlTime, sealed};
use crate::ledger::ChannelSecret;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::notification::{Audience, Disabled, Language, NotificationChannel, Target};

/// The columns of a channel, with the names that [`channel`] reads.
pub(super) const CHANNEL_COLUMNS: &str = "c.id, c.account, c.target, c.language, c.created_by, c.created_at, \
    c.disabled_at, c.disabled_reason";

pub(super) fn audience(row: &Row) -> Result<Audience> {
    Ok(match row.try_get::<Option<String>, _>("account")? {
        None => Audience::Operator,
        Some(_) => Audience::Contacts(account_id(row, "account")?),
    })
}

pub(super) fn channel(row: &Row) -> Result<NotificationChannel> {
    let language: String = row.try_get("language")?;
    let language = Language::ALL.iter().find(|known| known.as_str() == language);
    let disabled_at: Option<SqlTime> = row.try_get("disabled_at")?;
    let reason: Option<String> = row.try_get("disabled_reason")?;
    Ok(NotificationChannel {
        id: row.try_get("id")?,
        audience: audience(row)?,
        target: row.try_get::<Json<Target>, _>("target")?.0,
        language: *language
            .ok_or_else(|| LedgerError::Stored("a channel has a language that is unknown".to_owned()))?,
        created_at: row.try_get::<SqlTime, _>("created_at")?.0,
        created_by: row.try_get("created_by")?,
        disabled: disabled_at.map(|at| Disabled { at: at.0, reason: reason.unwrap_or_default() }),
    })
}

pub(super) async fn insert(connection: &mut Connection, new: &NotificationChannel) -> Result<()> {
    sqlx::query(
        "INSERT INTO notification_channel (id, account, target, language, created_by, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&new.id)
    .bind(new.audience.account().map(AccountId::as_str))
    .bind(Json(&new.target))
    .bind(new.language.as_str())
    .bind(&new.created_by)
    .bind(SqlTime(new.created_at))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn page(
    connection: &mut Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<NotificationChannel>> {
    let sql = format!(
        "SELECT {CHANNEL_COLUMNS} FROM notification_channel AS c WHERE c.id > $1 ORDER BY c.id LIMIT $2"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(channel).collect()
}

pub(super) async fn one(connection: &mut Connection, id: &str) -> Result<Option<NotificationChannel>> {
    let sql = format!("SELECT {CHANNEL_COLUMNS} FROM notification_channel AS c WHERE c.id = $1{FOR_UPDATE}");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(channel).transpose()
}

/// Another target enables it: whoever gives one wants to hear.
pub(super) async fn set_target(connection: &mut Connection, id: &str, target: &Target) -> Result<()> {
    sqlx::query(
        "UPDATE notification_channel SET target = $2, disabled_at = NULL, disabled_reason = NULL WHERE id = $1",
    )
    .bind(id)
    .bind(Json(target))
    .execute(&mut *connection)
    .await?;
    let kept: Vec<&str> = target.sealed().into_iter().map(|id| id.0.as_str()).collect();
    let rows = sqlx::query("SELECT id FROM channel_secret WHERE channel = $1").bind(id);
    for row in rows.fetch_all(&mut *connection).await? {
        let secret: String = row.try_get("id")?;
        if !kept.contains(&secret.as_str()) {
            let gone = sqlx::query("DELETE FROM channel_secret WHERE channel = $1 AND id = $2");
            gone.bind(id).bind(secret).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

pub(super) async fn remove(connection: &mut Connection, id: &str) -> Result<()> {
    sqlx::query("DELETE FROM notification_channel WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

pub(super) async fn disable(connection: &mut Connection, id: &str, disabled: &Disabled) -> Result<()> {
    sqlx::query(
        "UPDATE notification_channel SET disabled_at = $2, disabled_reason = $3 \
         WHERE id = $1 AND disabled_at IS NULL",
    )
    .bind(id)
    .bind(SqlTime(disabled.at))
    .bind(&disabled.reason)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE notification_outbox SET next_try_at = NULL, claimed_until = NULL \
         WHERE channel = $1 AND next_try_at IS NOT NULL",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn audiences(connection: &mut Connection) -> Result<Vec<Audience>> {
    let sql = "SELECT DISTINCT account FROM notification_channel WHERE disabled_at IS NULL";
    sqlx::query(sql).fetch_all(connection).await?.iter().map(audience).collect()
}

pub(super) async fn insert_secret(
    connection: &mut Connection,
    channel: &str,
    secret: &SealedSecret,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO channel_secret (channel, id, key_id, wrapped_key, ciphertext) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(channel)
    .bind(&secret.id.0)
    .bind(&secret.wrapped.key)
    .bind(&secret.wrapped.data_key)
    .bind(&secret.ciphertext)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn secrets(
    connection: &mut Connection,
    after: Option<&(String, SealedId)>,
    not_with: Option<&str>,
    limit: u32,
) -> Result<Vec<ChannelSecret>> {
    let rows = sqlx::query(
        "SELECT channel, id, key_id, wrapped_key, ciphertext FROM channel_secret \
         WHERE (channel > $1 OR (channel = $1 AND id > $2)) AND ($3 IS NULL OR key_id <> $3) \
         ORDER BY channel, id LIMIT $4",
    )
    .bind(after.map_or("", |(channel, _)| channel.as_str()))
    .bind(after.map_or("", |(_, id)| id.0.as_str()))
    .bind(not_with)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok(ChannelSecret { channel: row.try_get("channel")?, secret: sealed::secret(row)? }))
        .collect()
}
