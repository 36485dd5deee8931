//! Jobs of the API.

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::account_id;
use super::{Connection, LedgerError, NOW, Result, Row, SqlTime, access, accounts, identity};
use crate::ledger::{JobBegun, JobFilter};
use auditferry_core::model::actor::By;
use auditferry_core::model::job::{ALIVE_WITHIN, Job, JobKind, JobResult, KEPT, NewJob};
use serde_json::Value;

pub(super) async fn begin(connection: &mut Connection, by: &By, new: &NewJob) -> Result<JobBegun> {
    // Whoever asks for the same at this moment waits here.
    accounts::lock(connection, by, &new.account).await?;
    let now = identity::now(connection).await?;
    let alive = now.checked_sub(ALIVE_WITHIN).unwrap_or(now);
    let running: Option<String> = sqlx::query_scalar(
        "SELECT id FROM job WHERE account = $1 AND kind = $2 AND ended_at IS NULL AND seen_at >= $3 LIMIT 1",
    )
    .bind(new.account.as_str())
    .bind(new.kind.as_str())
    .bind(SqlTime(alive))
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(id) = running {
        return Ok(JobBegun::Running(id));
    }
    sqlx::query(
        "INSERT INTO job (id, account, kind, asked_by, reason, request, begun_at, seen_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(&new.id)
    .bind(new.account.as_str())
    .bind(new.kind.as_str())
    .bind(&by.actor.name)
    .bind(&by.reason)
    .bind(Json(&new.request))
    .bind(SqlTime(now))
    .execute(&mut *connection)
    .await?;
    if let Some(key) = &by.terms.request {
        access::applied(connection, key).await?;
    }
    Ok(JobBegun::New)
}

pub(super) async fn note(connection: &mut Connection, id: &str, progress: Option<&Value>) -> Result<()> {
    let sql = format!(
        "UPDATE job SET seen_at = ({NOW}), progress = coalesce($2, progress) WHERE id = $1 AND ended_at IS NULL"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(id).bind(progress.map(Json)).execute(connection).await?;
    Ok(())
}

pub(super) async fn end(connection: &mut Connection, id: &str, result: &JobResult) -> Result<()> {
    let sql = format!(
        "UPDATE job SET seen_at = ({NOW}), ended_at = ({NOW}), result = $2 WHERE id = $1 AND ended_at IS NULL"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(id).bind(Json(result)).execute(connection).await?;
    Ok(())
}

const COLUMNS: &str =
    "id, account, kind, asked_by, reason, request, progress, result, begun_at, seen_at, ended_at";

fn job(row: &Row) -> Result<Job> {
    let time = |column: &str| row.try_get::<SqlTime, _>(column).map(|at| at.0);
    let kind: String = row.try_get("kind")?;
    Ok(Job {
        new: NewJob {
            id: row.try_get("id")?,
            account: account_id(row, "account")?,
            kind: JobKind::parse(&kind)
                .ok_or_else(|| LedgerError::Stored(format!("a job is of the kind {kind:?}")))?,
            request: row.try_get::<Json<_>, _>("request")?.0,
        },
        asked_by: row.try_get("asked_by")?,
        reason: row.try_get("reason")?,
        begun_at: time("begun_at")?,
        silent_for: time("asked_at")?.duration_since(time("seen_at")?),
        ended_at: row.try_get::<Option<SqlTime>, _>("ended_at")?.map(|at| at.0),
        progress: row.try_get::<Option<Json<_>>, _>("progress")?.map(|json| json.0),
        result: row.try_get::<Option<Json<_>>, _>("result")?.map(|json| json.0),
    })
}

pub(super) async fn one(connection: &mut Connection, id: &str) -> Result<Option<Job>> {
    let sql = format!("SELECT {COLUMNS}, ({NOW}) AS asked_at FROM job WHERE id = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(job).transpose()
}

pub(super) async fn list(connection: &mut Connection, filter: &JobFilter) -> Result<Vec<Job>> {
    let sql = format!(
        "SELECT {COLUMNS}, ({NOW}) AS asked_at FROM job WHERE account = $1 AND kind = $2 \
         AND ($3 IS NULL OR begun_at < $3 OR (begun_at = $3 AND id < $4)) ORDER BY begun_at DESC, id DESC LIMIT $5"
    );
    let (at, id) = filter.before.clone().map_or((None, None), |(at, id)| (Some(SqlTime(at)), Some(id)));
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(filter.account.as_str())
        .bind(filter.kind.as_str())
        .bind(at)
        .bind(id)
        .bind(i64::from(filter.limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(job).collect()
}

pub(super) async fn forget(connection: &mut Connection) -> Result<()> {
    let now = identity::now(connection).await?;
    sqlx::query("DELETE FROM job WHERE begun_at < $1")
        .bind(SqlTime(now.checked_sub(KEPT).unwrap_or(now)))
        .execute(connection)
        .await?;
    Ok(())
}
