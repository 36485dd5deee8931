//! The ledger, past the program: many accounts at once, and what it says of a run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::Result;
use crate::bed::{Bed, Databases, Export, execute};

/// The account that others are copies of.
const TEMPLATE: &str = "template";

/// Adds an account for each row of `rows`, which are SQL with the columns `id`, `zone`, `schedule`
/// and `slot`, the next that it has; the program adds the one that they are copies of. `more`:
/// further lines of TOML.
pub(crate) async fn add(
    bed: &Bed,
    databases: &Databases,
    prefix: &str,
    more: &str,
    rows: &str,
) -> Result<()> {
    let schedule = "0 0 0 1 1 *";
    bed.apply(databases, &Export { account: TEMPLATE, schedule, prefix, more })?;
    let mut connection = PgConnection::connect(&databases.ledger).await?;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute \
         WHERE attrelid = 'account'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "id" => "made.id".to_owned(),
            "zone" | "schedule" => format!("made.{column}"),
            "next_slot" | "due_at" => "made.slot".to_owned(),
            other => format!("template.{other}"),
        })
        .collect();
    let sql = format!(
        "CREATE TEMPORARY TABLE made AS {rows}; \
         INSERT INTO account ({}) SELECT {} FROM made, account AS template WHERE template.id = '{TEMPLATE}'; \
         INSERT INTO destination (account, version, spec) SELECT made.id, version, spec \
         FROM made, destination AS template WHERE template.account = '{TEMPLATE}'; \
         DELETE FROM account WHERE id = '{TEMPLATE}'",
        columns.join(", "),
        values.join(", "),
    );
    execute(&databases.ledger, &sql).await?;
    // What a database that has been there for a while knows of its tables.
    for sql in ["VACUUM ANALYZE account", "VACUUM ANALYZE destination"] {
        execute(&databases.ledger, sql).await?;
    }
    Ok(())
}

/// How much a database has done so far.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) transactions: u64,
    /// Reads and writes, without BEGIN and COMMIT; 0 where nothing counts them.
    pub(crate) statements: u64,
}

impl Work {
    /// Servers count a connection's work when it ends, or a second later.
    pub(crate) async fn of(url: &str) -> Result<Self> {
        let name = url.rsplit('/').next().unwrap_or_default();
        let mut connection = PgConnection::connect(&url.replace(name, "postgres")).await?;
        let transactions: i64 =
            sqlx::query_scalar("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1")
                .bind(name)
                .fetch_one(&mut connection)
                .await?;
        let counted = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'";
        let statements: i64 = match sqlx::query_scalar::<_, i64>(counted).fetch_one(&mut connection).await? {
            0 => 0,
            _ => {
                sqlx::query_scalar(
                    "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements \
                     JOIN pg_database ON pg_database.oid = dbid WHERE datname = $1",
                )
                .bind(name)
                .fetch_one(&mut connection)
                .await?
            }
        };
        connection.close().await?;
        Ok(Self { transactions: u64::try_from(transactions)?, statements: u64::try_from(statements)? })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            transactions: self.transactions - before.transactions,
            statements: self.statements - before.statements,
        }
    }
}

/// Settings of a server that counts its statements.
pub(crate) const COUNTING: [&str; 3] = [
    "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.track_utility=off",
    "pg_stat_statements.track_planning=on",
];

/// What a kind of statement took of a database.
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) calls: u64,
    pub(crate) milliseconds: f64,
}

/// The statements that took most of a database, those of several rows under the text of one.
pub(crate) async fn costliest(url: &str, most: i64) -> Result<Vec<Statement>> {
    let name = url.rsplit('/').next().unwrap_or_default();
    let mut connection = PgConnection::connect(&url.replace(name, "postgres")).await?;
    let rows = sqlx::query(
        "SELECT text, sum(calls)::bigint AS calls, sum(total_plan_time + total_exec_time) AS milliseconds \
         FROM (SELECT regexp_replace(regexp_replace(regexp_replace(query, '\\s+', ' ', 'g'), \
         '\\(\\$[0-9, $]*\\)', '($)', 'g'), '(\\(\\$\\), )+', '', 'g') AS text, * \
         FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid WHERE datname = $1) AS counted \
         GROUP BY text ORDER BY milliseconds DESC LIMIT $2",
    )
    .bind(name)
    .bind(most)
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    rows.iter()
        .map(|row| {
            let (text, calls): (String, i64) = (row.try_get("text")?, row.try_get("calls")?);
            Ok(Statement { text, calls: u64::try_from(calls)?, milliseconds: row.try_get("milliseconds")? })
        })
        .collect()
}

/// Lets the server count statements.
pub(crate) async fn count_statements(bed: &Bed) -> Result<()> {
    execute(&bed.cluster.url("postgres"), "CREATE EXTENSION pg_stat_statements").await
}

/// What the ledger says of its deliveries.
pub(crate) struct Delivered {
    pub(crate) objects: u64,
    pub(crate) records: u64,
    pub(crate) attempts: u64,
    /// Objects by worker, the busiest first.
    pub(crate) by_worker: Vec<u64>,
    /// When the last was in the bucket.
    pub(crate) last: Timestamp,
    /// Seconds from slot to object of each object, sorted, by whether its account is a small one.
    pub(crate) small: Vec<f64>,
    pub(crate) large: Vec<f64>,
}

/// `came`: from when times are counted, where that is not the slot.
pub(crate) async fn delivered(ledger: &str, came: Option<Timestamp>) -> Result<Delivered> {
    let mut connection = PgConnection::connect(ledger).await?;
    let rows = sqlx::query(
        "SELECT account LIKE 'acct-%' AS small, delivery.records, delivery.attempts, \
         extract(epoch FROM delivered_at - coalesce($1::text::timestamptz, slot))::float8 AS late, (extract(epoch FROM delivered_at) * 1000000)::bigint AS at, \
         (SELECT worker FROM attempt WHERE attempt.account = delivery.account \
          AND attempt.number = delivery.number AND attempt.ordinal = delivery.ordinal \
          ORDER BY attempt DESC LIMIT 1) AS worker \
         FROM delivery JOIN export_window USING (account, number) WHERE delivery.state = 'delivered'",
    )
    .bind(came.map(|came| came.to_string()))
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    let (mut small, mut large) = (Vec::new(), Vec::new());
    let (mut attempts, mut records, mut last) = (0, 0, 0);
    let mut workers = BTreeMap::<String, u64>::new();
    for row in &rows {
        if row.try_get("small")? { &mut small } else { &mut large }.push(row.try_get("late")?);
        attempts += u64::try_from(row.try_get::<i64, _>("attempts")?)?;
        records += u64::try_from(row.try_get::<i64, _>("records")?)?;
        last = last.max(row.try_get::<i64, _>("at")?);
        *workers.entry(row.try_get("worker")?).or_default() += 1;
    }
    small.sort_by(f64::total_cmp);
    large.sort_by(f64::total_cmp);
    let mut by_worker: Vec<u64> = workers.into_values().collect();
    by_worker.sort_unstable_by_key(|objects| std::cmp::Reverse(*objects));
    let last = Timestamp::from_microsecond(last)?;
    Ok(Delivered { objects: rows.len() as u64, records, attempts, by_worker, last, small, large })
}
