//! Leases: who works on an account. Time is the database's own.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::Row as _;

use super::rows::{self, ACCOUNT_COLUMNS};
use super::{Account, CLAIM, Claim, Connection, FOR_UPDATE, Lease, LedgerError, RENEW, Result, SqlTime};
use crate::protocol;

fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)
}

pub(super) async fn claim(
    connection: &mut Connection,
    owner: &str,
    now: Timestamp,
    ttl: Duration,
    limit: u32,
) -> Result<Vec<Claim>> {
    let sql = format!("{CLAIM} RETURNING {ACCOUNT_COLUMNS}, lease_epoch, revision");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(owner)
        .bind(SqlTime(now))
        .bind(micros(ttl))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let account = rows::account(row)?;
            let lease = Lease {
                account: account.id.clone(),
                epoch: row.try_get("lease_epoch")?,
                revision: row.try_get("revision")?,
                ttl,
            };
            Ok(Claim { lease, account })
        })
        .collect()
}

/// When the next account that nobody works on is due.
pub(super) async fn next_due(connection: &mut Connection) -> Result<Option<Timestamp>> {
    let sql = "SELECT min(due_at) AS due_at FROM account WHERE due_at IS NOT NULL AND lease_owner IS NULL";
    let row = sqlx::query(sql).fetch_one(connection).await?;
    Ok(row.try_get::<Option<SqlTime>, _>("due_at")?.map(|at| at.0))
}

/// The account under lock, if the lease still is the newest one. Every write of a
/// worker begins with this: a worker that lost its lease can change nothing.
pub(super) async fn fenced(connection: &mut Connection, lease: &Lease) -> Result<Account> {
    let sql =
        format!("SELECT {ACCOUNT_COLUMNS}, lease_epoch, lease_owner FROM account WHERE id = $1{FOR_UPDATE}");
    let lost = || LedgerError::LeaseLost(lease.account.clone());
    let row = sqlx::query(AssertSqlSafe(sql)).bind(lease.account.as_str()).fetch_optional(connection).await?;
    let row = row.ok_or_else(lost)?;
    let owned = row.try_get::<Option<String>, _>("lease_owner")?.is_some();
    if !protocol::holds(lease.epoch, row.try_get("lease_epoch")?, owned) {
        return Err(lost());
    }
    rows::account(&row)
}

/// That nobody has changed the account since the claim: what was decided then still holds.
pub(super) async fn unchanged(connection: &mut Connection, lease: &Lease) -> Result<()> {
    let revision: i64 = sqlx::query_scalar("SELECT revision FROM account WHERE id = $1")
        .bind(lease.account.as_str())
        .fetch_one(connection)
        .await?;
    if protocol::unchanged(lease.revision, revision) {
        Ok(())
    } else {
        Err(LedgerError::Changed(lease.account.clone()))
    }
}

pub(super) async fn renew(connection: &mut Connection, lease: &Lease) -> Result<()> {
    sqlx::query(RENEW)
        .bind(lease.account.as_str())
        .bind(lease.epoch)
        .bind(micros(lease.ttl))
        .execute(connection)
        .await?;
    Ok(())
}

/// What `Account::due_at` says once `retry_at` is gone.
pub(super) async fn retry_now(connection: &mut Connection) -> Result<()> {
    sqlx::query(
        "UPDATE account SET retry_at = NULL, \
         due_at = CASE WHEN open_window IS NOT NULL THEN $1 ELSE next_slot END \
         WHERE retry_at IS NOT NULL AND due_at IS NOT NULL",
    )
    .bind(SqlTime(Timestamp::UNIX_EPOCH))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn release(connection: &mut Connection, lease: &Lease) -> Result<()> {
    sqlx::query(
        "UPDATE account SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_epoch = $2",
    )
    .bind(lease.account.as_str())
    .bind(lease.epoch)
    .execute(connection)
    .await?;
    Ok(())
}
