//! The workers' signs of life.

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Connection, NOW, Result, SqlTime, identity};
use auditferry_core::model::worker::{KnownWorker, REMEMBERED_FOR, SignOfLife, WorkerReport};

pub(super) async fn sign(connection: &mut Connection, sign: &SignOfLife) -> Result<()> {
    let sql = format!(
        "INSERT INTO worker (id, host, version, started_at, seen_at, report) VALUES ($1, $2, $3, $4, ({NOW}), $5) \
         ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, report = excluded.report"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(&sign.id)
        .bind(&sign.host)
        .bind(&sign.version)
        .bind(SqlTime(sign.since))
        .bind(Json(&sign.report))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn sign_off(connection: &mut Connection, id: &str) -> Result<()> {
    let sql = format!("UPDATE worker SET ended_at = ({NOW}), seen_at = ({NOW}) WHERE id = $1");
    sqlx::query(AssertSqlSafe(sql)).bind(id).execute(connection).await?;
    Ok(())
}

pub(super) async fn all(connection: &mut Connection) -> Result<Vec<KnownWorker>> {
    let sql = format!(
        "SELECT id, host, version, started_at, seen_at, ended_at, report, ({NOW}) AS asked_at FROM worker \
         ORDER BY seen_at DESC, id"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let time = |column: &str| row.try_get::<SqlTime, _>(column).map(|at| at.0);
            let seen_at = time("seen_at")?;
            let Json(report) = row.try_get::<Json<WorkerReport>, _>("report")?;
            Ok(KnownWorker {
                sign: SignOfLife {
                    id: row.try_get("id")?,
                    host: row.try_get("host")?,
                    version: row.try_get("version")?,
                    since: time("started_at")?,
                    report,
                },
                seen_at,
                silent_for: time("asked_at")?.duration_since(seen_at),
                ended_at: row.try_get::<Option<SqlTime>, _>("ended_at")?.map(|at| at.0),
            })
        })
        .collect()
}

pub(super) async fn forget(connection: &mut Connection) -> Result<()> {
    let now = identity::now(connection).await?;
    let before = now.checked_sub(REMEMBERED_FOR).unwrap_or(now);
    sqlx::query("DELETE FROM worker WHERE seen_at < $1 AND seen_at < (SELECT max(seen_at) FROM worker)")
        .bind(SqlTime(before))
        .execute(connection)
        .await?;
    Ok(())
}
