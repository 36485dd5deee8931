//! What holds the horizon back, for a person to see.

use jiff::Timestamp;
use sqlx::{Postgres, Row as _, Transaction};

use crate::base::database;
use crate::base::sql_time::SqlTime;
use crate::source::Result;

/// What is said of the oldest open transaction, once it is older than a minute. Of other
/// roles' sessions a role without `pg_read_all_stats` sees no time, only how many ids ago.
pub(super) async fn advice(tx: &mut Transaction<'static, Postgres>) -> Result<Vec<String>> {
    let row = database::query(
        "SELECT who, since, transactions FROM ( \
         SELECT concat('process ', pid) AS who, xact_start AS since, age(backend_xid) AS transactions \
         FROM pg_stat_activity WHERE backend_xid IS NOT NULL \
         UNION ALL \
         SELECT concat('the prepared transaction ', quote_literal(gid)), prepared, age(transaction) \
         FROM pg_prepared_xacts) AS open \
         ORDER BY transactions DESC LIMIT 1",
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let now: SqlTime = database::query_scalar("SELECT now()").fetch_one(&mut **tx).await?;
    let since = row.try_get::<Option<SqlTime>, _>("since")?.map(|since| since.0);
    Ok(words(row.try_get("who")?, since, row.try_get("transactions")?, now.0).into_iter().collect())
}

fn words(who: &str, since: Option<Timestamp>, transactions: i32, now: Timestamp) -> Option<String> {
    let open = match since {
        Some(since) if now.duration_since(since).as_secs() < 60 => return None,
        Some(since) => format!("since {since}"),
        None if transactions < 1_000 => return None,
        None => format!("since {transactions} transactions ago"),
    };
    Some(format!(
        "{who} has a transaction open {open}. What committed after its beginning, in any database of the server, is \
         exported once it has ended"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_open_for_long_is_named() {
        let at = |second| Timestamp::from_second(second).expect("instant");
        let said =
            |since: Option<i64>, transactions| words("process 7", since.map(at), transactions, at(1_000));
        assert_eq!(said(Some(941), 5), None);
        assert_eq!(said(None, 999), None);
        assert!(
            said(Some(940), 5)
                .expect("named")
                .contains("process 7 has a transaction open since 1970-01-01T00:15:40Z")
        );
        assert!(said(None, 1_000).expect("named").contains("1000 transactions ago"));
    }
}
