//! Downloads.

use jiff::SignedDuration;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::account_id;
use super::{
    AccountId, Connection, FOR_UPDATE, LedgerError, Result, Row, SKIP_LOCKED, SqlCount, SqlTime, Timestamp,
    count, identity, int, small,
};
use crate::ledger::downloads::{DOWNLOAD_ALIVE_WITHIN, DOWNLOAD_MAIL_LEASE, DueMail, Making};
use auditferry_core::model::bound::Bound;
use auditferry_core::model::download::{
    Download, DownloadProblem, DownloadState, MadeFile, MailState, MailWish, NewDownload,
};

const COLUMNS: &str = "id, account, name, wish, asked_by, state, tries, bound, records, percent, made, problem, \
    created_at, begun_at, ended_at, kept_until, mail, mail_state";

/// That a download is still made by whoever asks: `$1` its id, `$2` the attempt.
const OURS: &str = "id = $1 AND tries = $2 AND state = 'running'";

fn download(row: &Row) -> Result<Download> {
    let time = |column: &str| row.try_get::<Option<SqlTime>, _>(column).map(|at| at.map(|at| at.0));
    let (state, problem): (String, Option<String>) = (row.try_get("state")?, row.try_get("problem")?);
    let stored = |what: &str, word: &str| LedgerError::Stored(format!("a download has the {what} {word:?}"));
    let problem = problem.map(|word| {
        let json = serde_json::Value::String(word.clone());
        serde_json::from_value::<DownloadProblem>(json).map_err(|_| stored("problem", &word))
    });
    Ok(Download {
        new: NewDownload {
            id: row.try_get("id")?,
            account: account_id(row, "account")?,
            name: row.try_get("name")?,
            wish: row.try_get::<Json<_>, _>("wish")?.0,
            asked_by: row.try_get("asked_by")?,
            mail: row.try_get::<Option<Json<MailWish>>, _>("mail")?.map(|mail| mail.0),
        },
        state: DownloadState::stored(&state).ok_or_else(|| stored("state", &state))?,
        tries: small(row.try_get("tries")?),
        bound: row.try_get::<Option<String>, _>("bound")?.map(Bound),
        records: count(row.try_get("records")?),
        percent: small(row.try_get("percent")?),
        made: row.try_get::<Option<Json<MadeFile>>, _>("made")?.map(|made| made.0),
        problem: problem.transpose()?,
        mailed: match row.try_get::<Option<String>, _>("mail_state")? {
            Some(word) => Some(MailState::stored(&word).ok_or_else(|| stored("mail", &word))?),
            None => None,
        },
        created_at: row.try_get::<SqlTime, _>("created_at")?.0,
        begun_at: time("begun_at")?,
        ended_at: time("ended_at")?,
        kept_until: time("kept_until")?,
    })
}

pub(super) async fn add(connection: &mut Connection, new: &NewDownload, most: u32) -> Result<bool> {
    // Whoever asks for one at this moment waits here.
    let lock = format!("SELECT id FROM account WHERE id = $1{FOR_UPDATE}");
    let locked = sqlx::query(AssertSqlSafe(lock)).bind(new.account.as_str()).fetch_optional(&mut *connection);
    if locked.await?.is_none() {
        return Err(LedgerError::NoAccount(new.account.to_string()));
    }
    let unfinished: SqlCount = sqlx::query_scalar(
        "SELECT count(*) FROM download WHERE account = $1 AND state IN ('waiting', 'running')",
    )
    .bind(new.account.as_str())
    .fetch_one(&mut *connection)
    .await?;
    if count(unfinished) >= u64::from(most) {
        return Ok(false);
    }
    let now = identity::now(connection).await?;
    sqlx::query(
        "INSERT INTO download (id, account, name, wish, asked_by, state, created_at, mail, mail_state, mail_after) \
         VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7, $8, $6)",
    )
    .bind(&new.id)
    .bind(new.account.as_str())
    .bind(&new.name)
    .bind(Json(&new.wish))
    .bind(&new.asked_by)
    .bind(SqlTime(now))
    .bind(new.mail.as_ref().map(Json))
    .bind(new.mail.as_ref().map(|_| MailState::Wanted.as_str()))
    .execute(connection)
    .await?;
    Ok(true)
}

pub(super) async fn list(
    connection: &mut Connection,
    account: &AccountId,
    limit: u32,
) -> Result<Vec<Download>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM download WHERE account = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(account.as_str()).bind(i64::from(limit));
    query.fetch_all(connection).await?.iter().map(download).collect()
}

pub(super) async fn one(
    connection: &mut Connection,
    account: &AccountId,
    id: &str,
) -> Result<Option<Download>> {
    let sql = format!("SELECT {COLUMNS} FROM download WHERE id = $1 AND account = $2");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(account.as_str());
    query.fetch_optional(connection).await?.as_ref().map(download).transpose()
}

pub(super) async fn begin(connection: &mut Connection, per_account: u32) -> Result<Option<Making>> {
    let now = identity::now(connection).await?;
    let alive = SqlTime(now.checked_sub(DOWNLOAD_ALIVE_WITHIN).unwrap_or(now));
    let sql = format!(
        "SELECT {COLUMNS} FROM download WHERE (state = 'waiting' OR (state = 'running' AND seen_at < $1)) \
         AND (SELECT count(*) FROM download other WHERE other.account = download.account \
              AND other.state = 'running' AND other.seen_at >= $1) < $2 \
         ORDER BY created_at, id LIMIT 1{SKIP_LOCKED}"
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(alive)
        .bind(i64::from(per_account))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(found) = row.as_ref().map(download).transpose()? else { return Ok(None) };
    let tries = found.tries + 1;
    sqlx::query(
        "UPDATE download SET state = 'running', tries = $2, begun_at = $3, seen_at = $3, records = 0, percent = 0 \
         WHERE id = $1",
    )
    .bind(&found.new.id)
    .bind(i64::from(tries))
    .bind(SqlTime(now))
    .execute(connection)
    .await?;
    let download = Download { state: DownloadState::Running, tries, begun_at: Some(now), ..found };
    Ok(Some(Making { download, tries }))
}

pub(super) async fn bind(connection: &mut Connection, making: &Making, bound: &Bound) -> Result<bool> {
    let sql = format!("UPDATE download SET bound = $3 WHERE {OURS} AND bound IS NULL");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&making.download.new.id).bind(i64::from(making.tries));
    Ok(query.bind(&bound.0).execute(connection).await?.rows_affected() > 0)
}

pub(super) async fn name_file(connection: &mut Connection, making: &Making, file: &str) -> Result<bool> {
    let sql = format!("INSERT INTO download_file (file, download) SELECT $3, id FROM download WHERE {OURS}");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&making.download.new.id).bind(i64::from(making.tries));
    Ok(query.bind(file).execute(connection).await?.rows_affected() > 0)
}

pub(super) async fn note(
    connection: &mut Connection,
    making: &Making,
    records: u64,
    percent: u32,
) -> Result<bool> {
    let now = identity::now(connection).await?;
    let sql = format!("UPDATE download SET seen_at = $3, records = $4, percent = $5 WHERE {OURS}");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&making.download.new.id).bind(i64::from(making.tries));
    let query = query.bind(SqlTime(now)).bind(int(records)).bind(i64::from(percent));
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

pub(super) async fn complete(
    connection: &mut Connection,
    making: &Making,
    records: u64,
    made: &MadeFile,
    keep: SignedDuration,
) -> Result<bool> {
    let now = identity::now(connection).await?;
    let kept_until = now.checked_add(keep).unwrap_or(Timestamp::MAX);
    let sql = format!(
        "UPDATE download SET state = 'completed', ended_at = $3, kept_until = $4, records = $5, percent = 100, \
         made = $6 WHERE {OURS}"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&making.download.new.id).bind(i64::from(making.tries));
    let query = query.bind(SqlTime(now)).bind(SqlTime(kept_until)).bind(int(records)).bind(Json(made));
    if query.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    // What earlier attempts have left.
    sqlx::query("UPDATE download_file SET download = NULL WHERE download = $1 AND file <> $2")
        .bind(&making.download.new.id)
        .bind(&made.file)
        .execute(connection)
        .await?;
    Ok(true)
}

pub(super) async fn give_back(connection: &mut Connection, making: &Making) -> Result<()> {
    let sql = format!("UPDATE download SET state = 'waiting', seen_at = NULL WHERE {OURS}");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&making.download.new.id).bind(i64::from(making.tries));
    query.execute(connection).await?;
    Ok(())
}

async fn loosen(connection: &mut Connection, id: &str) -> Result<()> {
    sqlx::query("UPDATE download_file SET download = NULL WHERE download = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn fail(
    connection: &mut Connection,
    making: &Making,
    problem: DownloadProblem,
) -> Result<bool> {
    let now = identity::now(connection).await?;
    let word = serde_json::to_value(problem).ok().and_then(|word| word.as_str().map(str::to_owned));
    let sql = format!("UPDATE download SET state = 'failed', ended_at = $3, problem = $4 WHERE {OURS}");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&making.download.new.id).bind(i64::from(making.tries));
    if query.bind(SqlTime(now)).bind(word).execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    loosen(connection, &making.download.new.id).await?;
    Ok(true)
}

pub(super) async fn take_mail(connection: &mut Connection) -> Result<Option<DueMail>> {
    let now = identity::now(connection).await?;
    let sql = format!(
        "SELECT {COLUMNS}, mail_tries FROM download WHERE mail_state = 'wanted' AND mail_after <= $1 \
         AND state IN ('completed', 'failed', 'expired') ORDER BY mail_after, id LIMIT 1{SKIP_LOCKED}"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(SqlTime(now)).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let (found, tries) = (download(&row)?, small(row.try_get("mail_tries")?) + 1);
    let session = found.new.mail.as_ref().map_or("", |mail| mail.session.as_str());
    let may: SqlCount =
        sqlx::query_scalar("SELECT count(*) FROM portal_session WHERE id = $1 AND revoked_at IS NULL")
            .bind(session)
            .fetch_one(&mut *connection)
            .await?;
    sqlx::query("UPDATE download SET mail_tries = $2, mail_after = $3 WHERE id = $1")
        .bind(&found.new.id)
        .bind(i64::from(tries))
        .bind(SqlTime(now.checked_add(DOWNLOAD_MAIL_LEASE).unwrap_or(now)))
        .execute(connection)
        .await?;
    Ok(Some(DueMail { download: found, tries, may: count(may) > 0 }))
}

pub(super) async fn end_mail(
    connection: &mut Connection,
    mail: &DueMail,
    state: MailState,
    after: SignedDuration,
) -> Result<()> {
    let now = identity::now(connection).await?;
    // Another process may have taken it meanwhile.
    sqlx::query("UPDATE download SET mail_state = $3, mail_after = $4 WHERE id = $1 AND mail_tries = $2")
        .bind(&mail.download.new.id)
        .bind(i64::from(mail.tries))
        .bind(state.as_str())
        .bind(SqlTime(now.checked_add(after).unwrap_or(now)))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn delete(connection: &mut Connection, account: &AccountId, id: &str) -> Result<bool> {
    let deleted = sqlx::query("DELETE FROM download WHERE id = $1 AND account = $2")
        .bind(id)
        .bind(account.as_str())
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

pub(super) async fn expire(connection: &mut Connection, before: Timestamp) -> Result<()> {
    let now = SqlTime(identity::now(connection).await?);
    let over = "state = 'completed' AND kept_until <= $1";
    let sql = format!(
        "UPDATE download_file SET download = NULL WHERE download IN (SELECT id FROM download WHERE {over})"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(now).execute(&mut *connection).await?;
    let sql = format!("UPDATE download SET state = 'expired' WHERE {over}");
    sqlx::query(AssertSqlSafe(sql)).bind(now).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM download WHERE created_at < $1 AND state IN ('expired', 'failed')")
        .bind(SqlTime(before))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn loose(connection: &mut Connection, limit: u32) -> Result<Vec<String>> {
    let sql = "SELECT file FROM download_file WHERE download IS NULL ORDER BY file LIMIT $1";
    Ok(sqlx::query_scalar(sql).bind(i64::from(limit)).fetch_all(connection).await?)
}

pub(super) async fn forget_file(connection: &mut Connection, file: &str) -> Result<()> {
    sqlx::query("DELETE FROM download_file WHERE file = $1 AND download IS NULL")
        .bind(file)
        .execute(connection)
        .await?;
    Ok(())
}
