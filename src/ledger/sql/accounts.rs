//! Accounts and their destinations.

use sqlx::AssertSqlSafe;
use sqlx::Row as _;
use sqlx::types::Json;

use super::rows::{self, ACCOUNT_COLUMNS};
use super::{
    Account, AccountId, By, Connection, Destination, FOR_UPDATE, LedgerError, Result, Sql, SqlCount, SqlTime,
    count, int, time,
};

pub(super) async fn read(connection: &mut Connection, id: &AccountId, lock: &str) -> Result<Account> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = $1{lock}");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(connection).await?;
    rows::account(&row.ok_or_else(|| LedgerError::NoAccount(id.to_string()))?)
}

/// Reads an account that somebody changes, under lock, if it is still as they have seen it.
pub(super) async fn lock(connection: &mut Connection, by: &By, id: &AccountId) -> Result<Account> {
    let account = read(connection, id, FOR_UPDATE).await?;
    match by.terms.expects {
        Some(expected) if revision(connection, id).await? != expected => Err(LedgerError::Stale(id.clone())),
        _ => Ok(account),
    }
}

/// How often people have changed an account.
pub(super) async fn revision(connection: &mut Connection, id: &AccountId) -> Result<u64> {
    let revision: Option<SqlCount> = sqlx::query_scalar("SELECT revision FROM account WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    revision.map(count).ok_or_else(|| LedgerError::NoAccount(id.to_string()))
}

pub(super) async fn list(
    connection: &mut Connection,
    after: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<Account>> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM account WHERE id > $1 ORDER BY id LIMIT $2");
    let after = after.map_or("", AccountId::as_str);
    let rows =
        sqlx::query(AssertSqlSafe(sql)).bind(after).bind(i64::from(limit)).fetch_all(connection).await?;
    rows.iter().map(rows::account).collect()
}

pub(super) async fn insert(connection: &mut Connection, account: &Account) -> Result<()> {
    let inserted = sqlx::query(
        "INSERT INTO account (id, zone, schedule, format, created_at, watermark, watermark_at, last_slot, \
         schedule_syntax, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 2, $9) ON CONFLICT (id) DO NOTHING",
    )
    .bind(account.id.as_str())
    .bind(&account.zone)
    .bind(&account.schedule)
    .bind(Json(&account.format))
    .bind(SqlTime(account.created_at))
    .bind(&account.watermark.bound.0)
    .bind(SqlTime(account.watermark.at))
    .bind(SqlTime(account.last_slot))
    // So that what was seen of an account of this id that was removed is not taken for this one.
    .bind(account.created_at.as_microsecond().max(0))
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(LedgerError::AccountExists(account.id.clone()));
    }
    write(connection, account).await
}

/// Stores everything of an account but its lease.
pub(super) async fn write(connection: &mut Connection, account: &Account) -> Result<()> {
    sqlx::query(
        "UPDATE account SET zone = $2, schedule = $3, format = $4, addon_enabled = $5, addon_until = $6, \
         addon_reason = $7, destination_version = $8, watermark = $9, watermark_at = $10, \
         watermark_ahead = $11, watermark_since = $12, windows = $13, last_slot = $14, next_slot = $15, \
         open_window = $16, failures = $17, retry_at = $18, trouble_kind = $19, trouble_message = $20, \
         trouble_at = $21, held = $22, due_at = $23, generation = $24, paused_at = $25, paused_reason = $26, \
         denied_since = $27, suspended_at = $28, endpoint = $29, \
         served_at = $30, starts_when_enabled = $31, schedule_syntax = $32 WHERE id = $1",
    )
    .bind(account.id.as_str())
    .bind(&account.zone)
    .bind(account.schedule_before.as_ref().unwrap_or(&account.schedule))
    .bind(Json(&account.format))
    .bind(account.addon.enabled)
    .bind(time(account.addon.until))
    .bind(&account.addon.reason)
    .bind(account.destination_version.map(int))
    .bind(&account.watermark.bound.0)
    .bind(SqlTime(account.watermark.at))
    .bind(account.watermark.ahead.as_ref().map(Json))
    .bind(time(account.watermark.since))
    .bind(int(account.windows))
    .bind(SqlTime(account.last_slot))
    .bind(time(account.next_slot))
    .bind(account.open_window.map(int))
    .bind(i64::from(account.failures))
    .bind(time(account.retry_at))
    .bind(account.trouble.as_ref().map(|trouble| trouble.kind.as_str()))
    .bind(account.trouble.as_ref().map(|trouble| trouble.message.as_str()))
    .bind(time(account.trouble.as_ref().map(|trouble| trouble.at)))
    .bind(account.held.map(auditferry_core::protocol::Hold::as_str))
    .bind(time(account.due_at()))
    .bind(i64::from(account.generation))
    .bind(time(account.paused.as_ref().map(|pause| pause.at)))
    .bind(account.paused.as_ref().and_then(|pause| pause.reason.as_deref()))
    .bind(time(account.denied.map(|denied| denied.since)))
    .bind(time(account.denied.and_then(|denied| denied.suspended_at)))
    .bind(&account.endpoint)
    .bind(time(account.served_at))
    .bind(account.starts_when_enabled)
    .bind(if account.schedule_before.is_some() { 1_i32 } else { 2 })
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores how far accounts are, which is all that a step of the protocol changes.
pub(super) async fn write_progress(connection: &mut Connection, accounts: &[Account]) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(
        "WITH new (id, watermark, watermark_at, watermark_ahead, watermark_since, windows, last_slot, \
         next_slot, open_window, failures, retry_at, trouble_kind, trouble_message, trouble_at, due_at, \
         endpoint, served_at, denied_since, suspended_at) AS (",
    );
    sql.push_values(accounts, |mut row, account| {
        let trouble = account.trouble.as_ref();
        row.push_bind(account.id.as_str())
            .push_bind(account.watermark.bound.0.as_str())
            .push_bind(SqlTime(account.watermark.at))
            .push_bind(account.watermark.ahead.as_ref().map(Json))
            .push_bind(time(account.watermark.since))
            .push_bind(int(account.windows))
            .push_bind(SqlTime(account.last_slot))
            .push_bind(time(account.next_slot))
            .push_bind(account.open_window.map(int))
            .push_bind(i64::from(account.failures))
            .push_bind(time(account.retry_at))
            .push_bind(trouble.map(|trouble| trouble.kind.as_str()))
            .push_bind(trouble.map(|trouble| trouble.message.as_str()))
            .push_bind(time(trouble.map(|trouble| trouble.at)))
            .push_bind(time(account.due_at()))
            .push_bind(account.endpoint.as_str())
            .push_bind(time(account.served_at))
            .push_bind(time(account.denied.map(|denied| denied.since)))
            .push_bind(time(account.denied.and_then(|denied| denied.suspended_at)));
    });
    sql.push(
        ") UPDATE account SET watermark = new.watermark, watermark_at = new.watermark_at, \
         watermark_ahead = new.watermark_ahead, watermark_since = new.watermark_since, \
         windows = new.windows, last_slot = new.last_slot, next_slot = new.next_slot, \
         open_window = new.open_window, failures = new.failures, retry_at = new.retry_at, \
         trouble_kind = new.trouble_kind, trouble_message = new.trouble_message, \
         trouble_at = new.trouble_at, due_at = new.due_at, endpoint = new.endpoint, \
         served_at = new.served_at, denied_since = new.denied_since, suspended_at = new.suspended_at \
         FROM new WHERE account.id = new.id",
    );
    sql.build().persistent(false).execute(connection).await?;
    Ok(())
}

pub(super) async fn external_id(
    connection: &mut Connection,
    id: &AccountId,
    lock: &str,
) -> Result<Option<String>> {
    let sql = format!("SELECT external_id FROM account WHERE id = $1{lock}");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(connection).await?;
    Ok(row.ok_or_else(|| LedgerError::NoAccount(id.to_string()))?.try_get("external_id")?)
}

pub(super) async fn set_external_id(connection: &mut Connection, id: &AccountId, new: &str) -> Result<()> {
    sqlx::query("UPDATE account SET external_id = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(new)
        .execute(connection)
        .await?;
    Ok(())
}

/// Counts a change that a person made.
pub(super) async fn count_change(connection: &mut Connection, id: &AccountId) -> Result<()> {
    let sql = "UPDATE account SET revision = revision + 1 WHERE id = $1";
    sqlx::query(sql).bind(id.as_str()).execute(connection).await?;
    Ok(())
}

pub(super) async fn delete(connection: &mut Connection, id: &AccountId) -> Result<()> {
    sqlx::query("DELETE FROM account WHERE id = $1").bind(id.as_str()).execute(connection).await?;
    Ok(())
}

pub(super) async fn insert_destination(
    connection: &mut Connection,
    id: &AccountId,
    destination: &Destination,
) -> Result<u64> {
    let row = sqlx::query(
        "INSERT INTO destination (account, version, spec, ends_at) \
         SELECT $1, coalesce(max(version), 0) + 1, $2, $3 FROM destination WHERE account = $1 RETURNING version",
    )
    .bind(id.as_str())
    .bind(Json(destination))
    .bind(time(destination.expires))
    .fetch_one(connection)
    .await?;
    Ok(count(row.try_get("version")?))
}

pub(super) async fn destination(
    connection: &mut Connection,
    id: &AccountId,
    version: u64,
) -> Result<Destination> {
    let row = sqlx::query("SELECT spec FROM destination WHERE account = $1 AND version = $2")
        .bind(id.as_str())
        .bind(int(version))
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<Json<Destination>, _>("spec")?.0)
}
