//! Destinations that wait for the proof of their owners.

use sqlx::Row as _;
use sqlx::types::Json;

use super::{
    AccountId, AwaitedProof, Connection, Destination, NewProof, Result, SqlTime, Timestamp, count, int, small,
};

/// Stores what is awaited, in the place of what was.
pub(super) async fn insert(
    connection: &mut Connection,
    account: &AccountId,
    version: u64,
    proof: &NewProof,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO awaited_proof (account, version, key, token_sha256, asked_at, expires_at, tries_left) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account) DO UPDATE SET version = excluded.version, \
         key = excluded.key, token_sha256 = excluded.token_sha256, asked_at = excluded.asked_at, \
         expires_at = excluded.expires_at, tries_left = excluded.tries_left",
    )
    .bind(account.as_str())
    .bind(int(version))
    .bind(&proof.key)
    .bind(proof.token_sha256.to_vec())
    .bind(SqlTime(proof.asked_at))
    .bind(SqlTime(proof.expires_at))
    .bind(i64::from(proof.tries))
    .execute(connection)
    .await?;
    Ok(())
}

/// What is awaited. The account's row is locked first where it is to be changed.
pub(super) async fn awaited(
    connection: &mut Connection,
    account: &AccountId,
) -> Result<Option<AwaitedProof>> {
    let row = sqlx::query(
        "SELECT p.version, p.key, p.token_sha256, p.asked_at, p.expires_at, p.tries_left, d.spec \
         FROM awaited_proof p JOIN destination d ON d.account = p.account AND d.version = p.version \
         WHERE p.account = $1 AND d.account = $1",
    )
    .bind(account.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let hash: Vec<u8> = row.try_get("token_sha256")?;
    Ok(Some(AwaitedProof {
        version: count(row.try_get("version")?),
        destination: row.try_get::<Json<Destination>, _>("spec")?.0,
        key: row.try_get("key")?,
        token_sha256: hash
            .try_into()
            .map_err(|_| sqlx::Error::Decode("token_sha256 has not 32 bytes".into()))?,
        asked_at: row.try_get::<SqlTime, _>("asked_at")?.0,
        expires_at: row.try_get::<SqlTime, _>("expires_at")?.0,
        tries_left: small(row.try_get("tries_left")?),
    }))
}

pub(super) async fn set_tries(connection: &mut Connection, account: &AccountId, left: u32) -> Result<()> {
    sqlx::query("UPDATE awaited_proof SET tries_left = $2 WHERE account = $1")
        .bind(account.as_str())
        .bind(i64::from(left))
        .execute(connection)
        .await?;
    Ok(())
}

/// Awaits nothing any more; returns whether something was.
pub(super) async fn forget(connection: &mut Connection, account: &AccountId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM awaited_proof WHERE account = $1")
        .bind(account.as_str())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// When the owner of a version's place proved it theirs.
pub(super) async fn proved_at(
    connection: &mut Connection,
    account: &AccountId,
    version: u64,
) -> Result<Option<Timestamp>> {
    let row = sqlx::query("SELECT proved_at FROM destination WHERE account = $1 AND version = $2")
        .bind(account.as_str())
        .bind(int(version))
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<Option<SqlTime>, _>("proved_at")?.map(|at| at.0))
}

pub(super) async fn set_proved(
    connection: &mut Connection,
    account: &AccountId,
    version: u64,
    at: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE destination SET proved_at = $3 WHERE account = $1 AND version = $2")
        .bind(account.as_str())
        .bind(int(version))
        .bind(SqlTime(at))
        .execute(connection)
        .await?;
    Ok(())
}
