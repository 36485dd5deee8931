//! Log-ins that have begun, and sessions of browsers.

use sqlx::Row as _;
use sqlx::types::Json;

use super::{
    AccountId, Connection, FOR_UPDATE, LedgerError, Result, Row, SqlTime, Timestamp, identity, time,
};
use crate::ledger::Sha256;
use auditferry_core::model::access::Role;
use auditferry_core::model::actor::ActorKind;
use auditferry_core::model::session::Session;

/// A session with the token that has opened it.
const SELECT: &str = "SELECT s.id, s.actor_kind, s.actor_id, s.name, s.role, s.accounts, s.token_id, s.created_at, \
     s.last_used_at, s.idle_ends_at, s.ends_at, s.revoked_at, t.role AS token_role, t.accounts AS token_accounts, \
     t.expires_at AS token_expires_at, t.revoked_at AS token_revoked_at \
     FROM session s LEFT JOIN api_token t ON t.id = s.token_id";

pub(super) async fn begin_sign_in(
    connection: &mut Connection,
    sha256: &Sha256,
    return_to: &str,
    ends_at: Timestamp,
) -> Result<()> {
    sqlx::query("INSERT INTO sign_in (sha256, return_to, ends_at) VALUES ($1, $2, $3)")
        .bind(sha256.to_vec())
        .bind(return_to)
        .bind(SqlTime(ends_at))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn take_sign_in(
    connection: &mut Connection,
    sha256: &Sha256,
    now: Timestamp,
) -> Result<Option<String>> {
    let row = sqlx::query("DELETE FROM sign_in WHERE sha256 = $1 RETURNING return_to, ends_at")
        .bind(sha256.to_vec())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let ends_at = row.try_get::<SqlTime, _>("ends_at")?.0;
    Ok(if now < ends_at { Some(row.try_get("return_to")?) } else { None })
}

pub(super) async fn insert(connection: &mut Connection, session: &Session, sha256: &Sha256) -> Result<()> {
    sqlx::query(
        "INSERT INTO session (id, sha256, actor_kind, actor_id, name, role, accounts, token_id, created_at, \
         last_used_at, idle_ends_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&session.id)
    .bind(sha256.to_vec())
    .bind(session.actor_kind.as_str())
    .bind(&session.actor_id)
    .bind(&session.name)
    .bind(session.role.as_str())
    .bind(session.accounts.as_ref().map(Json))
    .bind(&session.token_id)
    .bind(SqlTime(session.created_at))
    .bind(SqlTime(session.last_used_at))
    .bind(SqlTime(session.idle_ends_at))
    .bind(SqlTime(session.ends_at))
    .execute(connection)
    .await?;
    Ok(())
}

fn session(row: &Row) -> Result<Session> {
    let at = |column: &str| row.try_get::<SqlTime, _>(column).map(|at| at.0);
    let maybe = |column: &str| row.try_get::<Option<SqlTime>, _>(column).map(|at| at.map(|at| at.0));
    let token_id: Option<String> = row.try_get("token_id")?;
    let (role, accounts) = match token_id {
        Some(_) => ("token_role", "token_accounts"),
        None => ("role", "accounts"),
    };
    let (role, kind): (String, String) = (row.try_get(role)?, row.try_get("actor_kind")?);
    let stored = |what: &str, word: &str| LedgerError::Stored(format!("a session has the {what} {word:?}"));
    let ends_at = at("ends_at")?;
    Ok(Session {
        id: row.try_get("id")?,
        actor_kind: ActorKind::stored(&kind).ok_or_else(|| stored("kind", &kind))?,
        actor_id: row.try_get("actor_id")?,
        name: row.try_get("name")?,
        role: Role::parse(&role).ok_or_else(|| stored("role", &role))?,
        accounts: row.try_get::<Option<Json<_>>, _>(accounts)?.map(|accounts| accounts.0),
        token_id,
        created_at: at("created_at")?,
        last_used_at: at("last_used_at")?,
        idle_ends_at: at("idle_ends_at")?,
        ends_at: maybe("token_expires_at")?.map_or(ends_at, |end| end.min(ends_at)),
        revoked_at: maybe("revoked_at")?.or(maybe("token_revoked_at")?),
    })
}

pub(super) async fn of_hash(connection: &mut Connection, sha256: &Sha256) -> Result<Option<Session>> {
    let sql = format!("{SELECT} WHERE s.sha256 = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(sha256.to_vec()).fetch_optional(connection).await?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn of_id(connection: &mut Connection, id: &str) -> Result<Option<Session>> {
    let lock = format!("SELECT id FROM session WHERE id = $1{FOR_UPDATE}");
    sqlx::query(sqlx::AssertSqlSafe(lock)).bind(id).fetch_optional(&mut *connection).await?;
    let sql = format!("{SELECT} WHERE s.id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn all(connection: &mut Connection) -> Result<Vec<Session>> {
    let sql = format!("{SELECT} ORDER BY s.created_at DESC, s.id");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter().map(session).collect()
}

pub(super) async fn used(
    connection: &mut Connection,
    id: &str,
    at: Timestamp,
    idle_ends_at: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE session SET last_used_at = $2, idle_ends_at = $3 \
         WHERE id = $1 AND last_used_at < $2 AND revoked_at IS NULL",
    )
    .bind(id)
    .bind(SqlTime(at))
    .bind(SqlTime(idle_ends_at))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn revoke(connection: &mut Connection, id: &str, at: Timestamp) -> Result<()> {
    sqlx::query("UPDATE session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id)
        .bind(time(Some(at)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the sessions that are limited to an account which is removed: they must not open a later one of the same id.
pub(super) async fn forget_account(connection: &mut Connection, account: &AccountId) -> Result<()> {
    let now = identity::now(connection).await?;
    for session in all(connection).await? {
        let limited = session.accounts.as_ref().is_some_and(|accounts| accounts.contains(account));
        if limited && session.token_id.is_none() {
            revoke(connection, &session.id, now).await?;
        }
    }
    Ok(())
}

pub(super) async fn forget(connection: &mut Connection, before: Timestamp) -> Result<()> {
    for table in ["sign_in", "session"] {
        let sql = format!("DELETE FROM {table} WHERE ends_at < $1");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(SqlTime(before)).execute(&mut *connection).await?;
    }
    Ok(())
}
