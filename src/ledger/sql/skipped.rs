//! Records that a person chose to leave out of their window.

use std::collections::HashMap;

use sqlx::Row as _;
use sqlx::types::Json;

use super::{AccountId, BadRecord, Connection, NewSkip, Result, SkippedRecord, SqlTime, count, int};
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::RecordSet;

/// Takes records out of a window's set, and notes who decided it.
pub(super) async fn insert(
    connection: &mut Connection,
    account: &AccountId,
    skip: &NewSkip,
    by: &By,
) -> Result<()> {
    let set = sqlx::query_scalar("SELECT record_set FROM export_window WHERE account = $1 AND number = $2")
        .bind(account.as_str())
        .bind(int(skip.window))
        .fetch_one(&mut *connection)
        .await?;
    let Json(mut set): Json<RecordSet> = set;
    set.skipped.extend(skip.records.iter().map(|record| record.key.clone()));
    sqlx::query("UPDATE export_window SET record_set = $3 WHERE account = $1 AND number = $2")
        .bind(account.as_str())
        .bind(int(skip.window))
        .bind(Json(set))
        .execute(&mut *connection)
        .await?;
    for BadRecord { key, problem } in &skip.records {
        sqlx::query(
            "INSERT INTO skipped_record (account, number, key, problem, reason, operator) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(account.as_str())
        .bind(int(skip.window))
        .bind(key)
        .bind(problem)
        .bind(&skip.reason)
        .bind(&by.actor.name)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// What was left out of an account's newest windows, by their numbers.
pub(super) async fn of_windows(
    connection: &mut Connection,
    account: &AccountId,
    windows: std::ops::RangeInclusive<u64>,
) -> Result<HashMap<u64, Vec<SkippedRecord>>> {
    let rows = sqlx::query(
        "SELECT number, key, problem, reason, skipped_at, operator FROM skipped_record \
         WHERE account = $1 AND number BETWEEN $2 AND $3 \
         ORDER BY number, skipped_at, key",
    )
    .bind(account.as_str())
    .bind(int(*windows.start()))
    .bind(int(*windows.end()))
    .fetch_all(connection)
    .await?;
    let mut skipped: HashMap<u64, Vec<SkippedRecord>> = HashMap::new();
    for row in rows {
        skipped.entry(count(row.try_get("number")?)).or_default().push(SkippedRecord {
            key: row.try_get("key")?,
            problem: row.try_get("problem")?,
            reason: row.try_get("reason")?,
            at: row.try_get::<SqlTime, _>("skipped_at")?.0,
            by: row.try_get("operator")?,
        });
    }
    Ok(skipped)
}
