//! Sealed secrets of destinations; those of channels are read and wrapped anew in the same way.

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::account_id;
use super::{
    AccountId, Connection, Destination, HeldSecret, KeyUse, Result, Row, SealedId, SealedSecret, WrappedKey,
    count, int,
};

pub(super) async fn insert(
    connection: &mut Connection,
    account: &AccountId,
    version: u64,
    secret: &SealedSecret,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO sealed_secret (account, id, version, key_id, wrapped_key, ciphertext) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(account.as_str())
    .bind(&secret.id.0)
    .bind(int(version))
    .bind(&secret.wrapped.key)
    .bind(&secret.wrapped.data_key)
    .bind(&secret.ciphertext)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose sealed secrets: the table that holds them, and the column that says whose they are.
#[derive(Clone, Copy)]
pub(super) struct Holders {
    table: &'static str,
    column: &'static str,
}

/// Of the destinations of accounts.
pub(super) const ACCOUNTS: Holders = Holders { table: "sealed_secret", column: "account" };

/// Of channels of notifications.
pub(super) const CHANNELS: Holders = Holders { table: "channel_secret", column: "channel" };

pub(super) fn secret(row: &Row) -> Result<SealedSecret> {
    Ok(SealedSecret {
        id: SealedId(row.try_get("id")?),
        wrapped: WrappedKey { key: row.try_get("key_id")?, data_key: row.try_get("wrapped_key")? },
        ciphertext: row.try_get("ciphertext")?,
    })
}

pub(super) async fn one(
    connection: &mut Connection,
    Holders { table, column }: Holders,
    holder: &str,
    id: &SealedId,
) -> Result<Option<SealedSecret>> {
    let sql =
        format!("SELECT id, key_id, wrapped_key, ciphertext FROM {table} WHERE {column} = $1 AND id = $2");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(holder).bind(&id.0).fetch_optional(connection).await?;
    row.as_ref().map(secret).transpose()
}

pub(super) async fn page(
    connection: &mut Connection,
    after: Option<&(AccountId, SealedId)>,
    not_with: Option<&str>,
    limit: u32,
) -> Result<Vec<HeldSecret>> {
    let rows = sqlx::query(
        "SELECT s.account, s.id, s.key_id, s.wrapped_key, s.ciphertext, d.spec FROM sealed_secret s \
         JOIN destination d ON d.account = s.account AND d.version = s.version \
         WHERE (s.account > $1 OR (s.account = $1 AND s.id > $2)) AND ($3 IS NULL OR s.key_id <> $3) \
         ORDER BY s.account, s.id LIMIT $4",
    )
    .bind(after.map_or("", |(account, _)| account.as_str()))
    .bind(after.map_or("", |(_, id)| id.0.as_str()))
    .bind(not_with)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let destination = row.try_get::<Json<Destination>, _>("spec")?.0;
            Ok(HeldSecret { account: account_id(row, "account")?, destination, secret: secret(row)? })
        })
        .collect()
}

pub(super) async fn rewrap(
    connection: &mut Connection,
    Holders { table, column }: Holders,
    holder: &str,
    id: &SealedId,
    from: &WrappedKey,
    to: &WrappedKey,
) -> Result<bool> {
    let sql = format!(
        "UPDATE {table} SET key_id = $5, wrapped_key = $6 \
         WHERE {column} = $1 AND id = $2 AND key_id = $3 AND wrapped_key = $4"
    );
    let done = sqlx::query(AssertSqlSafe(sql))
        .bind(holder)
        .bind(&id.0)
        .bind(&from.key)
        .bind(&from.data_key)
        .bind(&to.key)
        .bind(&to.data_key)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn key_uses(connection: &mut Connection) -> Result<Vec<KeyUse>> {
    let sql = "SELECT key_id, count(*) AS secrets FROM (SELECT key_id FROM sealed_secret \
               UNION ALL SELECT key_id FROM channel_secret) AS held GROUP BY key_id ORDER BY key_id";
    let rows = sqlx::query(sql).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok(KeyUse { key: row.try_get("key_id")?, secrets: count(row.try_get("secrets")?) }))
        .collect()
}

/// Removes the secrets of destinations that were replaced, to which no open window goes, and
/// whose proof is not awaited.
pub(super) async fn forget_replaced(connection: &mut Connection, account: &AccountId) -> Result<()> {
    sqlx::query(
        "DELETE FROM sealed_secret WHERE account = $1 \
         AND version <> coalesce((SELECT destination_version FROM account WHERE id = $1), 0) \
         AND version NOT IN (SELECT destination_version FROM export_window \
                             WHERE account = $1 AND state = 'open') \
         AND version NOT IN (SELECT version FROM awaited_proof WHERE account = $1)",
    )
    .bind(account.as_str())
    .execute(connection)
    .await?;
    Ok(())
}
