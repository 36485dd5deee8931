//! Who the ledger is, and the marks that it leaves in sources.

use jiff::Timestamp;
use sqlx::Row as _;

use super::{Connection, Hold, Mark, Result, SqlTime, Trouble, count, int};

pub(super) async fn id(connection: &mut Connection) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT id FROM ledger_identity").fetch_one(connection).await?)
}

pub(super) async fn now(connection: &mut Connection) -> Result<Timestamp> {
    Ok(sqlx::query_scalar::<_, SqlTime>(super::NOW).fetch_one(connection).await?.0)
}

pub(super) async fn next_mark(connection: &mut Connection) -> Result<Mark> {
    let sql = "UPDATE ledger_identity SET mark = mark + 1 RETURNING id, mark";
    let row = sqlx::query(sql).fetch_one(connection).await?;
    Ok(Mark { ledger: row.try_get("id")?, number: count(row.try_get("mark")?) })
}

/// Takes over the numbers that were used already, and holds every account.
pub(super) async fn mark_ledger_rewound(
    connection: &mut Connection,
    newest: u64,
    trouble: &Trouble,
) -> Result<()> {
    sqlx::query("UPDATE ledger_identity SET mark = $1 WHERE mark < $1")
        .bind(int(newest))
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE account SET held = $1, trouble_kind = $1, trouble_message = $2, trouble_at = $3, \
         due_at = NULL, revision = revision + 1 WHERE held IS NULL",
    )
    .bind(Hold::LedgerRewound.as_str())
    .bind(&trouble.message)
    .bind(SqlTime(trouble.at))
    .execute(connection)
    .await?;
    Ok(())
}
