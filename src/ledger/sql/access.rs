//! Tokens of the API, and writes that may come twice.

use jiff::SignedDuration;
use sqlx::Row as _;
use sqlx::types::Json;

use super::{
    AccountId, Connection, FOR_UPDATE, LedgerError, Result, Row, SqlTime, Timestamp, identity, time,
};
use crate::ledger::{Begun, REQUESTS_KEPT, Sha256, StoredAnswer};
use auditferry_core::model::access::Role;
use auditferry_core::model::actor::RequestKey;
use auditferry_core::model::token::ApiToken;

const TOKEN_COLUMNS: &str =
    "id, name, role, accounts, created_by, created_at, expires_at, revoked_at, last_used_at";

pub(super) async fn insert(connection: &mut Connection, token: &ApiToken, sha256: &Sha256) -> Result<()> {
    sqlx::query(
        "INSERT INTO api_token (id, name, role, accounts, sha256, created_by, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&token.id)
    .bind(&token.name)
    .bind(token.role.as_str())
    .bind(token.accounts.as_ref().map(Json))
    .bind(sha256.to_vec())
    .bind(&token.created_by)
    .bind(SqlTime(token.created_at))
    .bind(time(token.expires_at))
    .execute(connection)
    .await?;
    Ok(())
}

fn token(row: &Row) -> Result<ApiToken> {
    let maybe = |column: &str| row.try_get::<Option<SqlTime>, _>(column).map(|at| at.map(|at| at.0));
    let role: String = row.try_get("role")?;
    Ok(ApiToken {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: Role::parse(&role)
            .ok_or_else(|| LedgerError::Stored(format!("a token has the role {role:?}")))?,
        accounts: row.try_get::<Option<Json<_>>, _>("accounts")?.map(|accounts| accounts.0),
        created_by: row.try_get("created_by")?,
        created_at: row.try_get::<SqlTime, _>("created_at")?.0,
        expires_at: maybe("expires_at")?,
        revoked_at: maybe("revoked_at")?,
        last_used_at: maybe("last_used_at")?,
    })
}

pub(super) async fn all(connection: &mut Connection) -> Result<Vec<ApiToken>> {
    let sql = format!("SELECT {TOKEN_COLUMNS} FROM api_token ORDER BY created_at DESC, id");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter().map(token).collect()
}

pub(super) async fn of_hash(connection: &mut Connection, sha256: &Sha256) -> Result<Option<ApiToken>> {
    let sql = format!("SELECT {TOKEN_COLUMNS} FROM api_token WHERE sha256 = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(sha256.to_vec()).fetch_optional(connection).await?;
    row.as_ref().map(token).transpose()
}

pub(super) async fn of_id(connection: &mut Connection, id: &str) -> Result<Option<ApiToken>> {
    let sql = format!("SELECT {TOKEN_COLUMNS} FROM api_token WHERE id = $1{FOR_UPDATE}");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(token).transpose()
}

pub(super) async fn revoke(connection: &mut Connection, id: &str, at: Timestamp) -> Result<()> {
    sqlx::query("UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id)
        .bind(SqlTime(at))
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes an account that is removed out of the tokens that are limited to it: they must not open a later one of
/// the same id. One that is limited to it alone is revoked.
pub(super) async fn forget_account(connection: &mut Connection, account: &AccountId) -> Result<()> {
    let now = identity::now(connection).await?;
    for token in all(connection).await? {
        let Some(mut accounts) = token.accounts else { continue };
        if !accounts.remove(account) {
            continue;
        }
        if accounts.is_empty() {
            revoke(connection, &token.id, now).await?;
        }
        sqlx::query("UPDATE api_token SET accounts = $2 WHERE id = $1")
            .bind(&token.id)
            .bind(Json(&accounts))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn used(connection: &mut Connection, id: &str, at: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE api_token SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
    )
    .bind(id)
    .bind(SqlTime(at))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn begin_request(
    connection: &mut Connection,
    key: &RequestKey,
    sha256: &Sha256,
    stale: SignedDuration,
) -> Result<Begun> {
    let now = identity::now(connection).await?;
    // Of a day ago: the chore that removes such rows may not have come by.
    sqlx::query("DELETE FROM api_request WHERE principal = $1 AND key = $2 AND begun_at < $3")
        .bind(&key.principal)
        .bind(&key.key)
        .bind(SqlTime(now.checked_sub(REQUESTS_KEPT).unwrap_or(now)))
        .execute(&mut *connection)
        .await?;
    let new = sqlx::query(
        "INSERT INTO api_request (principal, key, sha256, begun_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (principal, key) DO NOTHING",
    )
    .bind(&key.principal)
    .bind(&key.key)
    .bind(sha256.to_vec())
    .bind(SqlTime(now))
    .execute(&mut *connection)
    .await?;
    if new.rows_affected() > 0 {
        return Ok(Begun::New);
    }
    let sql = format!(
        "SELECT sha256, begun_at, applied_at, status, headers, body FROM api_request \
         WHERE principal = $1 AND key = $2{FOR_UPDATE}"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&key.principal)
        .bind(&key.key)
        .fetch_optional(&mut *connection)
        .await?;
    // It was given up at this moment.
    let Some(row) = row else { return Ok(Begun::Running) };
    if row.try_get::<Vec<u8>, _>("sha256")? != sha256 {
        return Ok(Begun::Other);
    }
    if let Some(status) = row.try_get::<Option<i32>, _>("status")? {
        return Ok(Begun::Answered(StoredAnswer {
            status: u16::try_from(status)
                .map_err(|_| LedgerError::Stored(format!("an answer has the status {status}")))?,
            headers: row.try_get::<Option<Json<_>>, _>("headers")?.map(|json| json.0).unwrap_or_default(),
            body: row.try_get::<Option<Vec<u8>>, _>("body")?.unwrap_or_default(),
        }));
    }
    // Made, and not answered yet, or never.
    if row.try_get::<Option<SqlTime>, _>("applied_at")?.is_some() {
        return Ok(Begun::Applied);
    }
    if now.duration_since(row.try_get::<SqlTime, _>("begun_at")?.0) < stale {
        return Ok(Begun::Running);
    }
    // Whoever began it has died before it was made.
    sqlx::query("UPDATE api_request SET begun_at = $3 WHERE principal = $1 AND key = $2")
        .bind(&key.principal)
        .bind(&key.key)
        .bind(SqlTime(now))
        .execute(connection)
        .await?;
    Ok(Begun::New)
}

/// In the transaction of the change: from here on it must not be made again.
pub(super) async fn applied(connection: &mut Connection, key: &RequestKey) -> Result<()> {
    sqlx::query("UPDATE api_request SET applied_at = begun_at WHERE principal = $1 AND key = $2")
        .bind(&key.principal)
        .bind(&key.key)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn finish_request(
    connection: &mut Connection,
    key: &RequestKey,
    answer: Option<&StoredAnswer>,
) -> Result<()> {
    let Some(answer) = answer else {
        sqlx::query("DELETE FROM api_request WHERE principal = $1 AND key = $2 AND applied_at IS NULL")
            .bind(&key.principal)
            .bind(&key.key)
            .execute(connection)
            .await?;
        return Ok(());
    };
    sqlx::query(
        "UPDATE api_request SET status = $3, headers = $4, body = $5 WHERE principal = $1 AND key = $2",
    )
    .bind(&key.principal)
    .bind(&key.key)
    .bind(i32::from(answer.status))
    .bind(Json(&answer.headers))
    .bind(&answer.body)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn forget_requests(connection: &mut Connection) -> Result<()> {
    let now = identity::now(connection).await?;
    sqlx::query("DELETE FROM api_request WHERE begun_at < $1")
        .bind(SqlTime(now.checked_sub(REQUESTS_KEPT).unwrap_or(now)))
        .execute(connection)
        .await?;
    Ok(())
}
