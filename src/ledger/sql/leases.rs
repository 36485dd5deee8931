//! Leases: who works on an account. Time is the database's own.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::Row as _;
use sqlx::types::Json;

use super::rows::{self, ACCOUNT_COLUMNS};
use super::{
    Account, CLAIM, Claim, Connection, FOR_UPDATE, LEASE_END, Lease, LedgerError, NOT_IN_1, Result, Sql,
    SqlTime,
};
use auditferry_core::protocol;

fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)
}

pub(super) async fn claim(
    connection: &mut Connection,
    owner: &str,
    now: Timestamp,
    ttl: Duration,
    limit: u32,
    full: &[String],
) -> Result<Vec<Claim>> {
    take(connection, "", owner, now, ttl, limit, full).await
}

pub(super) async fn claim_unplanned(
    connection: &mut Connection,
    owner: &str,
    now: Timestamp,
    ttl: Duration,
    limit: u32,
) -> Result<Vec<Claim>> {
    let unplanned = "AND open_window IS NULL AND suspended_at IS NULL";
    take(connection, unplanned, owner, now, ttl, limit, &[]).await
}

async fn take(
    connection: &mut Connection,
    condition: &str,
    owner: &str,
    now: Timestamp,
    ttl: Duration,
    limit: u32,
    full: &[String],
) -> Result<Vec<Claim>> {
    let [before, after] = CLAIM;
    let sql = format!("{before} {condition} {after} RETURNING {ACCOUNT_COLUMNS}, lease_epoch, revision");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(owner)
        .bind(SqlTime(now))
        .bind(micros(ttl))
        .bind(i64::from(limit))
        .bind(Json(full))
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
pub(super) async fn next_due(connection: &mut Connection, full: &[String]) -> Result<Option<Timestamp>> {
    let sql = format!(
        "SELECT due_at FROM account WHERE due_at IS NOT NULL AND lease_owner IS NULL \
         AND endpoint {NOT_IN_1} ORDER BY due_at LIMIT 1"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(Json(full)).fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get::<SqlTime, _>("due_at")).transpose()?.map(|at| at.0))
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
    if !protocol::lease_is_current(lease.epoch, row.try_get("lease_epoch")?, owned) {
        return Err(lost());
    }
    rows::account(&row)
}

/// Whether somebody has changed the account since the claim: what was decided then may not hold.
pub(super) async fn is_changed(connection: &mut Connection, lease: &Lease) -> Result<bool> {
    let revision: i64 = sqlx::query_scalar("SELECT revision FROM account WHERE id = $1")
        .bind(lease.account.as_str())
        .fetch_one(connection)
        .await?;
    Ok(!protocol::unchanged_since_claim(lease.revision, revision))
}

/// Renews leases that are still the newest of their accounts; returns the others.
pub(super) async fn renew(connection: &mut Connection, leases: &[Lease]) -> Result<Vec<Lease>> {
    lock(connection, leases).await?;
    renew_locked(connection, leases).await
}

/// As [`renew`], of accounts that are locked.
pub(super) async fn renew_locked(connection: &mut Connection, leases: &[Lease]) -> Result<Vec<Lease>> {
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("WITH held (id, epoch, micros) AS (");
    sql.push_values(leases, |mut row, lease| {
        row.push_bind(lease.account.as_str()).push_bind(lease.epoch).push_bind(micros(lease.ttl));
    });
    sql.push(format_args!(
        ") UPDATE account SET lease_until = {LEASE_END} FROM held \
         WHERE account.id = held.id AND lease_epoch = held.epoch AND lease_owner IS NOT NULL \
         RETURNING account.id"
    ));
    let rows = sql.build().persistent(false).fetch_all(connection).await?;
    let renewed = rows.iter().map(|row| row.try_get("id")).collect::<sqlx::Result<HashSet<String>>>()?;
    Ok(leases.iter().filter(|lease| !renewed.contains(lease.account.as_str())).cloned().collect())
}

/// Locks accounts in the order of their ids, as everybody does who locks several: in
/// different orders, two would wait for each other.
async fn lock(connection: &mut Connection, leases: &[Lease]) -> Result<()> {
    if !FOR_UPDATE.is_empty() && !leases.is_empty() {
        let mut sql = Sql::new("SELECT id FROM account WHERE id IN (");
        let mut ids = sql.separated(", ");
        leases.iter().for_each(|lease| {
            ids.push_bind(lease.account.as_str());
        });
        sql.push(format_args!(") ORDER BY id{FOR_UPDATE}"));
        sql.build().persistent(false).fetch_all(connection).await?;
    }
    Ok(())
}

/// What `Account::due_at` says once `retry_at` is gone.
pub(super) async fn retry_now(connection: &mut Connection) -> Result<()> {
    sqlx::query(
        "UPDATE account SET retry_at = NULL, \
         due_at = CASE WHEN open_window IS NULL THEN next_slot ELSE coalesce(served_at, last_slot) END \
         WHERE retry_at IS NOT NULL AND due_at IS NOT NULL",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives accounts back whose leases are still the newest.
pub(super) async fn release(connection: &mut Connection, leases: &[Lease]) -> Result<()> {
    lock(connection, leases).await?;
    release_locked(connection, leases).await
}

/// As [`release`], of accounts that are locked.
pub(super) async fn release_locked(connection: &mut Connection, leases: &[Lease]) -> Result<()> {
    if leases.is_empty() {
        return Ok(());
    }
    let mut sql =
        Sql::new("UPDATE account SET lease_owner = NULL, lease_until = NULL WHERE (id, lease_epoch) IN (");
    sql.push_values(leases, |mut row, lease| {
        row.push_bind(lease.account.as_str()).push_bind(lease.epoch);
    });
    sql.push(")");
    sql.build().persistent(false).execute(connection).await?;
    Ok(())
}

/// An account under lock, and what says whether a lease may write it.
pub(super) struct Fenced {
    pub(super) account: Account,
    pub(super) revision: i64,
    epoch: i64,
    owned: bool,
}

/// The accounts of some leases by their ids, under lock.
pub(super) async fn fenced_all(
    connection: &mut Connection,
    leases: impl IntoIterator<Item = &Lease>,
) -> Result<HashMap<String, Fenced>> {
    let mut sql = Sql::new(format!(
        "SELECT {ACCOUNT_COLUMNS}, lease_epoch, lease_owner, revision FROM account WHERE id IN ("
    ));
    let mut ids = sql.separated(", ");
    for lease in leases {
        ids.push_bind(lease.account.as_str());
    }
    sql.push(format_args!(") ORDER BY id{FOR_UPDATE}"));
    let mut fenced = HashMap::new();
    for row in sql.build().persistent(false).fetch_all(connection).await? {
        let account = rows::account(&row)?;
        let owned = row.try_get::<Option<String>, _>("lease_owner")?.is_some();
        let (epoch, revision) = (row.try_get("lease_epoch")?, row.try_get("revision")?);
        fenced.insert(account.id.to_string(), Fenced { account, revision, epoch, owned });
    }
    Ok(fenced)
}

/// The account of a lease that may still write.
pub(super) fn holding<'f>(fenced: &'f HashMap<String, Fenced>, lease: &Lease) -> Result<&'f Fenced> {
    fenced
        .get(lease.account.as_str())
        .filter(|fenced| protocol::lease_is_current(lease.epoch, fenced.epoch, fenced.owned))
        .ok_or_else(|| LedgerError::LeaseLost(lease.account.clone()))
}
