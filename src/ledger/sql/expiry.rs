//! When the credentials of destinations end, and who has been warned.

use jiff::Timestamp;
use sqlx::Row as _;

use super::rows::account_id;
use super::{
    AccountId, Connection, CredentialsEnd, Result, SqlCount, SqlTime, accounts, count, int, small, time,
};
use auditferry_core::model::expiry::Ending;

pub(super) async fn end(connection: &mut Connection, id: &AccountId) -> Result<Option<Timestamp>> {
    // The account is named for both tables: their ids have different collations on Postgres, so that what is known of
    // one opens no index of the other.
    let end: Option<Option<SqlTime>> = sqlx::query_scalar(
        "SELECT d.ends_at FROM destination d JOIN account a ON a.id = d.account \
         AND a.destination_version = d.version WHERE a.id = $1 AND d.account = $1",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(end.flatten().map(|end| end.0))
}

/// Stores the earlier of two ends: what the credentials say, and what the destination says.
/// Another end than before is warned about anew.
pub(super) async fn note(
    connection: &mut Connection,
    id: &AccountId,
    version: u64,
    end: Option<Timestamp>,
) -> Result<()> {
    let said = accounts::destination(connection, id, version).await?.expires;
    sqlx::query(
        "UPDATE destination SET ends_at = $3, warned = NULL \
         WHERE account = $1 AND version = $2 AND ends_at IS DISTINCT FROM $3",
    )
    .bind(id.as_str())
    .bind(int(version))
    .bind(time(end.into_iter().chain(said).min()))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn ending(
    connection: &mut Connection,
    before: Timestamp,
    after: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<CredentialsEnd>> {
    let rows = sqlx::query(
        "SELECT d.account, d.version, d.ends_at, d.warned FROM destination d \
         JOIN account a ON a.id = d.account AND a.destination_version = d.version \
         WHERE d.ends_at < $1 AND d.account > $2 AND a.addon_enabled ORDER BY d.account LIMIT $3",
    )
    .bind(SqlTime(before))
    .bind(after.map_or("", AccountId::as_str))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(CredentialsEnd {
                account: account_id(row, "account")?,
                version: count(row.try_get("version")?),
                at: row.try_get::<SqlTime, _>("ends_at")?.0,
                warned: row.try_get::<Option<SqlCount<u32>>, _>("warned")?.map(small),
            })
        })
        .collect()
}

pub(super) async fn warned(connection: &mut Connection, ending: &CredentialsEnd, days: u32) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE destination SET warned = $4 WHERE account = $1 AND version = $2 AND ends_at = $3 \
         AND (warned IS NULL OR warned > $4)",
    )
    .bind(ending.account.as_str())
    .bind(int(ending.version))
    .bind(SqlTime(ending.at))
    .bind(i64::from(days))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// How many credentials of destinations in use end until an instant.
pub(super) async fn number(connection: &mut Connection, before: Timestamp) -> Result<u64> {
    let accounts: SqlCount = sqlx::query_scalar(
        "SELECT count(*) FROM destination d JOIN account a ON a.id = d.account \
         AND a.destination_version = d.version WHERE d.ends_at <= $1 AND a.addon_enabled",
    )
    .bind(SqlTime(before))
    .fetch_one(connection)
    .await?;
    Ok(count(accounts))
}

/// How many accounts' credentials end within each of the thresholds, the nearer ones
/// included, and how many have ended.
pub(super) async fn counts(connection: &mut Connection, now: Timestamp) -> Result<Vec<(Ending, u64)>> {
    let mut counts = Vec::with_capacity(Ending::ALL.len());
    for ending in Ending::ALL {
        let before = now.checked_add(ending.left()).unwrap_or(now);
        counts.push((ending, number(connection, before).await?));
    }
    Ok(counts)
}
