//! The transaction that holds records back: what committed after its beginning is exported once it has
//! ended. A vendor's table waits for every older transaction of the server, and so does a standby.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::Result;
use crate::base::database::Session;
use crate::base::sql_time::SqlTime;

/// For how long a transaction is open before anybody is told, in seconds.
const TOLD_AFTER: i64 = 60;

/// How many transactions later somebody is told where its time cannot be seen.
const TOLD_AFTER_IDS: i64 = 1_000;

/// The oldest open transaction of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Holder {
    /// Whose it is: a process with its user and database, a prepared transaction, or one of the primary.
    pub who: String,
    /// Since when it is open; absent: only the server's administrator sees it.
    pub since: Option<Timestamp>,
    /// How many transactions have begun since then.
    pub transactions: i64,
    /// What ends it.
    pub fix: String,
}

impl Holder {
    /// Asks a server for its oldest open transaction. Of other roles' sessions a role without
    /// `pg_read_all_stats` sees no time, only how many ids ago.
    pub(super) async fn ask(tx: &mut Session) -> Result<Option<Self>> {
        let row = sqlx::query(
            "SELECT concat('process ', pid, ' (user ', usename, ', database ', datname, ')') AS who, \
             xact_start AS since, age(backend_xid)::bigint AS transactions, \
             concat('see pg_stat_activity, and end it with SELECT pg_terminate_backend(', pid, ')') AS fix \
             FROM pg_stat_activity WHERE backend_xid IS NOT NULL \
             UNION ALL \
             SELECT concat('the prepared transaction ', quote_literal(gid), ' (user ', owner, ', database ', database, \
             ')'), prepared, age(transaction)::bigint, concat('end it with COMMIT PREPARED or ROLLBACK PREPARED ', \
             quote_literal(gid), ' in that database') FROM pg_prepared_xacts \
             UNION ALL \
             SELECT concat('the transaction ', first, ' of the primary'), NULL, behind, \
             concat('on the primary, see pg_stat_activity where backend_xid = ''', first % 4294967296, '''::xid') \
             FROM (SELECT pg_snapshot_xmin(s)::text::bigint AS first, \
             pg_snapshot_xmax(s)::text::bigint - pg_snapshot_xmin(s)::text::bigint AS behind \
             FROM pg_current_snapshot() AS s) AS standby WHERE pg_is_in_recovery() AND behind > 0 \
             ORDER BY transactions DESC LIMIT 1",
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            who: row.try_get("who")?,
            since: row.try_get::<Option<SqlTime>, _>("since")?.map(|since| since.0),
            transactions: row.try_get("transactions")?,
            fix: row.try_get("fix")?,
        }))
    }

    /// Whether it is open for so long that somebody should know.
    #[must_use]
    pub fn is_old(&self, now: Timestamp) -> bool {
        match self.since {
            Some(since) => now.duration_since(since).as_secs() >= TOLD_AFTER,
            None => self.transactions >= TOLD_AFTER_IDS,
        }
    }

    /// What a person should know of it.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { who, transactions, fix, .. } = self;
        let open = match self.since {
            Some(since) => format!("since {since}"),
            None => format!("since {transactions} transactions ago"),
        };
        format!(
            "{who} has a transaction open {open}. What committed after its beginning, in any database of the server, \
             is exported once it has ended: {fix}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_open_for_long_is_named() {
        let at = |second| Timestamp::from_second(second).expect("instant");
        let holder = |since: Option<i64>, transactions| Holder {
            who: "process 7 (user app, database shop)".to_owned(),
            since: since.map(at),
            transactions,
            fix: "end it".to_owned(),
        };
        let said = |since, transactions| {
            Some(holder(since, transactions))
                .filter(|holder| holder.is_old(at(1_000)))
                .map(|holder| holder.words())
        };
        assert_eq!(said(Some(941), 5_000), None);
        assert_eq!(said(None, 999), None);
        let named = said(Some(940), 5).expect("named");
        assert!(named.starts_with(
            "process 7 (user app, database shop) has a transaction open since 1970-01-01T00:15:40Z"
        ));
        assert!(said(None, 1_000).expect("named").contains("1000 transactions ago"));
    }
}
