//! The health of accounts as SQL: the rule of `ledger/health.rs`, for a hundred thousand accounts at once.

use jiff::Timestamp;
use sqlx::Row as _;

use super::rows::{self, ACCOUNT_COLUMNS};
use super::{AccountId, Connection, NOW, Result, Sql, SqlCount, SqlTime, count, like};
use crate::ledger::{
    AccountFilter, AccountOrder, AccountPage, Circumstances, Health, JudgedAccount, LedgerError,
};
use auditferry_core::protocol::{SKEW_REFUSED, UNATTENDED_AFTER};

/// After every instant that there is: what is not known comes last.
const NEVER: Timestamp = Timestamp::MAX;

/// In which order accounts are read. It is said where they are read, so that a page needs no others: what is said around
/// a clock that is read, Postgres does not carry in there.
#[derive(Clone, Copy)]
enum Reading<'a> {
    /// In any.
    Any,
    /// In the order of ids, after one of them.
    ById(Option<&'a AccountId>),
}

/// `SELECT` of columns of the accounts that a filter takes, among which are `health` and `since`.
fn judged(columns: &str, around: Circumstances, filter: &AccountFilter, reading: Reading<'_>) -> Sql {
    let Circumstances { now, no_worker } = around;
    let ago = |span| now.checked_sub(span).unwrap_or(Timestamp::MIN);
    let ahead = now.checked_add(SKEW_REFUSED).unwrap_or(NEVER);
    let mut sql = Sql::new("SELECT ");
    sql.push(columns).push(
        " FROM (SELECT *, CASE health WHEN 'retrying' THEN coalesce(denied_since, \
           CASE WHEN open_window IS NOT NULL THEN last_slot ELSE next_slot END) \
           WHEN 'suspended' THEN suspended_at WHEN 'held' THEN trouble_at WHEN 'paused' THEN paused_at \
           WHEN 'unattended' THEN due_at WHEN 'expired' THEN addon_until END AS since \
         FROM (SELECT ",
    );
    sql.push(ACCOUNT_COLUMNS).push(
        ", due_at, CASE WHEN NOT addon_enabled THEN 'disabled' WHEN held IS NOT NULL THEN 'held' \
         WHEN paused_at IS NOT NULL THEN 'paused' WHEN destination_version IS NULL THEN 'no_destination' \
         WHEN last_slot > ",
    );
    sql.push_bind(SqlTime(ahead)).push(" THEN 'clock_ahead'");
    if no_worker {
        sql.push(" WHEN due_at IS NOT NULL THEN 'no_worker'");
    }
    sql.push(" WHEN due_at < ").push_bind(SqlTime(ago(UNATTENDED_AFTER)));
    sql.push(" AND (lease_until IS NULL OR lease_until <= (").push(NOW);
    sql.push(")) AND NOT EXISTS (SELECT 1 FROM change_log AS c WHERE c.account = account.id AND c.at > ");
    sql.push_bind(SqlTime(ago(UNATTENDED_AFTER))).push(
        ") THEN 'unattended' WHEN suspended_at IS NOT NULL THEN 'suspended' WHEN failures > 0 THEN 'retrying' \
         WHEN addon_until <= ",
    );
    sql.push_bind(SqlTime(now)).push(
        " AND next_slot IS NULL AND open_window IS NULL THEN 'expired' ELSE 'running' END AS health \
         FROM account WHERE true",
    );
    if let Reading::ById(Some(after)) = reading {
        sql.push(" AND id > ").push_bind(after.to_string());
    }
    if let Some(within) = filter.ending_within {
        sql.push(" AND addon_enabled AND addon_until > ").push_bind(SqlTime(now));
        sql.push(" AND addon_until <= ").push_bind(SqlTime(now.checked_add(within).unwrap_or(NEVER)));
    }
    if let Some(text) = &filter.text {
        let pattern = like::holding(&text.to_lowercase());
        sql.push(" AND lower(id) LIKE ").push_bind(pattern).push(" ESCAPE '!'");
    }
    if let Some(only) = &filter.only {
        sql.push(" AND id IN (NULL");
        for id in only {
            sql.push(", ").push_bind(id.to_string());
        }
        sql.push(")");
    }
    if let Reading::ById(_) = reading {
        sql.push(" ORDER BY id");
    }
    sql.push(") AS judged) AS listed WHERE true");
    if !filter.health.is_empty() {
        let names: Vec<String> =
            filter.health.iter().map(|health| format!("'{}'", health.as_str())).collect();
        sql.push(" AND health IN (").push(names.join(", ")).push(")");
    }
    sql
}

fn stored(name: &str) -> Result<Health> {
    Health::parse(name).ok_or_else(|| {
        LedgerError::from(sqlx::Error::Decode(format!("{name:?} is no state of health").into()))
    })
}

pub(super) async fn page(
    connection: &mut Connection,
    around: Circumstances,
    page: &AccountPage,
) -> Result<Vec<JudgedAccount>> {
    let oldest = page.filter.order == AccountOrder::Oldest;
    let after = page.after.as_ref().map(|after| &after.account);
    let reading = if oldest { Reading::Any } else { Reading::ById(after) };
    let mut sql = judged("*", around, &page.filter, reading);
    if let Some(after) = page.after.as_ref().filter(|_| oldest) {
        sql.push(" AND (coalesce(since, ").push_bind(SqlTime(NEVER)).push("), id) > (");
        sql.push_bind(SqlTime(after.since.unwrap_or(NEVER))).push(", ");
        sql.push_bind(after.account.to_string()).push(")");
    }
    if oldest {
        sql.push(" ORDER BY coalesce(since, ").push_bind(SqlTime(NEVER)).push("), id LIMIT ");
    } else {
        sql.push(" ORDER BY id LIMIT ");
    }
    sql.push_bind(i64::from(page.limit));
    let rows = sql.build().persistent(false).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(JudgedAccount {
                account: rows::account(row)?,
                health: stored(row.try_get("health")?)?,
                since: row.try_get::<Option<SqlTime>, _>("since")?.map(|at| at.0),
            })
        })
        .collect()
}

/// How many accounts a filter takes.
pub(super) async fn number(
    connection: &mut Connection,
    around: Circumstances,
    filter: &AccountFilter,
) -> Result<u64> {
    let mut sql = judged("count(*) AS accounts", around, filter, Reading::Any);
    Ok(count(sql.build().persistent(false).fetch_one(connection).await?.try_get("accounts")?))
}

/// How many accounts are of each health, the worst first.
pub(super) async fn counts(connection: &mut Connection, around: Circumstances) -> Result<Vec<(Health, u64)>> {
    let mut sql = judged("health, count(*) AS accounts", around, &AccountFilter::default(), Reading::Any);
    sql.push(" GROUP BY health");
    let rows = sql.build().persistent(false).fetch_all(connection).await?;
    let mut counts = rows
        .iter()
        .map(|row| {
            let accounts: SqlCount = row.try_get("accounts")?;
            Ok((stored(row.try_get("health")?)?, count(accounts)))
        })
        .collect::<Result<Vec<_>>>()?;
    counts.sort_unstable();
    Ok(counts)
}

/// The next instants at which accounts are due, and how many.
pub(super) async fn next_slots(
    connection: &mut Connection,
    after: Timestamp,
    limit: u32,
) -> Result<Vec<(Timestamp, u64)>> {
    let rows = sqlx::query(
        "SELECT due_at, count(*) AS accounts FROM account WHERE due_at > $1 GROUP BY due_at ORDER BY due_at LIMIT $2",
    )
    .bind(SqlTime(after))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<SqlTime, _>("due_at")?.0, count(row.try_get("accounts")?))))
        .collect()
}

/// Of the accounts that may start, the one whose slot waits for the longest.
pub(super) async fn oldest_undelivered(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<Option<(AccountId, Timestamp)>> {
    let row = sqlx::query(
        "SELECT id, CASE WHEN open_window IS NOT NULL THEN last_slot ELSE next_slot END AS slot FROM account \
         WHERE addon_enabled AND paused_at IS NULL AND destination_version IS NOT NULL \
         AND (open_window IS NOT NULL OR next_slot <= $1) ORDER BY slot, id LIMIT 1",
    )
    .bind(SqlTime(now))
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((rows::account_id(&row, "id")?, row.try_get::<SqlTime, _>("slot")?.0))).transpose()
}

/// How many accounts each worker holds now.
pub(super) async fn leases(connection: &mut Connection) -> Result<Vec<(String, u64)>> {
    let sql = format!(
        "SELECT lease_owner, count(*) AS accounts FROM account WHERE lease_until > ({NOW}) AND lease_owner IS NOT NULL \
         GROUP BY lease_owner ORDER BY lease_owner"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("lease_owner")?, count(row.try_get("accounts")?)))).collect()
}
