//! Sessions of the portal.

use jiff::SignedDuration;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::account_id;
use super::{
    AccountId, Connection, Destination, FOR_UPDATE, LedgerError, Result, Row, SqlTime, Timestamp, count,
    identity,
};
use crate::ledger::Sha256;
use auditferry_core::model::actor::ActorKind;
use auditferry_core::model::notification::Language;
use auditferry_core::model::portal::{LinkKind, LinkMaker, PortalActor, PortalSession, Theme};

const COLUMNS: &str = "id, account, capabilities, actor_id, actor_email, return_url, locale, theme, link, maker_kind, \
     maker_id, maker_name, created_at, link_ends_at, seconds, opened_at, ends_at, revoked_at";

pub(super) async fn insert(connection: &mut Connection, new: &PortalSession, link: &Sha256) -> Result<()> {
    sqlx::query(
        "INSERT INTO portal_session (id, link_sha256, account, capabilities, actor_id, actor_email, return_url, locale, \
         theme, link, maker_kind, maker_id, maker_name, created_at, link_ends_at, seconds) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(&new.id)
    .bind(link.to_vec())
    .bind(new.account.as_str())
    .bind(Json(&new.capabilities))
    .bind(&new.actor.id)
    .bind(&new.actor.email)
    .bind(&new.return_url)
    .bind(new.locale.as_str())
    .bind(new.theme.as_str())
    .bind(new.link.as_str())
    .bind(new.made_by.kind.as_str())
    .bind(&new.made_by.id)
    .bind(&new.made_by.name)
    .bind(SqlTime(new.created_at))
    .bind(SqlTime(new.link_ends_at))
    .bind(i64::from(new.seconds))
    .execute(connection)
    .await?;
    Ok(())
}

fn session(row: &Row) -> Result<PortalSession> {
    let at = |column: &str| row.try_get::<SqlTime, _>(column).map(|at| at.0);
    let maybe = |column: &str| row.try_get::<Option<SqlTime>, _>(column).map(|at| at.map(|at| at.0));
    let text = |column: &str| row.try_get::<String, _>(column);
    let stored = |what: &str, word: &str| {
        LedgerError::Stored(format!("a session of the portal has the {what} {word:?}"))
    };
    let (kind, locale, theme, link) = (text("maker_kind")?, text("locale")?, text("theme")?, text("link")?);
    let seconds: i64 = row.try_get("seconds")?;
    Ok(PortalSession {
        id: text("id")?,
        account: account_id(row, "account")?,
        capabilities: row.try_get::<Json<_>, _>("capabilities")?.0,
        actor: PortalActor { id: text("actor_id")?, email: text("actor_email")? },
        return_url: row.try_get("return_url")?,
        locale: Language::ALL
            .iter()
            .copied()
            .find(|known| known.as_str() == locale)
            .ok_or_else(|| stored("locale", &locale))?,
        theme: Theme::parse(&theme).ok_or_else(|| stored("theme", &theme))?,
        link: LinkKind::parse(&link).ok_or_else(|| stored("link", &link))?,
        made_by: LinkMaker {
            kind: ActorKind::stored(&kind).ok_or_else(|| stored("maker", &kind))?,
            id: text("maker_id")?,
            name: text("maker_name")?,
        },
        created_at: at("created_at")?,
        link_ends_at: at("link_ends_at")?,
        seconds: u32::try_from(seconds).map_err(|_| stored("length", &seconds.to_string()))?,
        opened_at: maybe("opened_at")?,
        ends_at: maybe("ends_at")?,
        revoked_at: maybe("revoked_at")?,
    })
}

async fn one(connection: &mut Connection, column: &str, sha256: &Sha256) -> Result<Option<PortalSession>> {
    let sql = format!("SELECT {COLUMNS} FROM portal_session WHERE {column} = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(sha256.to_vec()).fetch_optional(connection).await?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn of_link(connection: &mut Connection, link: &Sha256) -> Result<Option<PortalSession>> {
    one(connection, "link_sha256", link).await
}

pub(super) async fn of_secret(connection: &mut Connection, secret: &Sha256) -> Result<Option<PortalSession>> {
    one(connection, "secret_sha256", secret).await
}

/// The condition is in the statement that uses the link up: of two that come at once, one finds it.
pub(super) async fn open(
    connection: &mut Connection,
    link: &Sha256,
    secret: &Sha256,
    at: Timestamp,
) -> Result<Option<PortalSession>> {
    let Some(waiting) = of_link(connection, link).await? else { return Ok(None) };
    let lasts = SignedDuration::from_secs(i64::from(waiting.seconds));
    let sql = format!(
        "UPDATE portal_session SET secret_sha256 = $2, opened_at = $3, ends_at = $4 \
         WHERE link_sha256 = $1 AND opened_at IS NULL AND revoked_at IS NULL AND link_ends_at > $3 \
         RETURNING {COLUMNS}"
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(link.to_vec())
        .bind(secret.to_vec())
        .bind(SqlTime(at))
        .bind(SqlTime(at.saturating_add(lasts).unwrap_or(at)))
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn end(connection: &mut Connection, id: &str, at: Timestamp) -> Result<()> {
    sqlx::query("UPDATE portal_session SET ends_at = $2 WHERE id = $1 AND ends_at > $2")
        .bind(id)
        .bind(SqlTime(at))
        .execute(connection)
        .await?;
    Ok(())
}

/// A session of an account, which stays as it is until the transaction ends.
pub(super) async fn locked(
    connection: &mut Connection,
    account: &AccountId,
    id: &str,
) -> Result<Option<PortalSession>> {
    let sql = format!("SELECT {COLUMNS} FROM portal_session WHERE account = $1 AND id = $2{FOR_UPDATE}");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(account.as_str()).bind(id);
    query.fetch_optional(connection).await?.as_ref().map(session).transpose()
}

pub(super) async fn revoke(connection: &mut Connection, id: &str, at: Timestamp) -> Result<()> {
    sqlx::query("UPDATE portal_session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id)
        .bind(SqlTime(at))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn list(
    connection: &mut Connection,
    account: &AccountId,
    limit: u32,
) -> Result<Vec<PortalSession>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM portal_session WHERE account = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(account.as_str()).bind(i64::from(limit));
    query.fetch_all(connection).await?.iter().map(session).collect()
}

pub(super) async fn past_destinations(
    connection: &mut Connection,
    account: &AccountId,
    limit: u32,
) -> Result<Vec<(u64, Destination)>> {
    let rows = sqlx::query(
        "SELECT version, spec FROM destination WHERE account = $1 ORDER BY version DESC LIMIT $2",
    )
    .bind(account.as_str())
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    let read = |row: &Row| Ok((count(row.try_get("version")?), row.try_get::<Json<_>, _>("spec")?.0));
    rows.iter().map(read).collect()
}

/// Revokes what there is of an account that is removed: it must not open a later one of the same id.
pub(super) async fn forget_account(connection: &mut Connection, account: &AccountId) -> Result<()> {
    let now = identity::now(connection).await?;
    sqlx::query("UPDATE portal_session SET revoked_at = $2 WHERE account = $1 AND revoked_at IS NULL")
        .bind(account.as_str())
        .bind(SqlTime(now))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn forget(connection: &mut Connection, before: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM portal_session WHERE link_ends_at < $1 AND (ends_at IS NULL OR ends_at < $1)")
        .bind(SqlTime(before))
        .execute(connection)
        .await?;
    Ok(())
}
