//! Notifications: from a failing account to whoever is told of it.

mod api;
mod emails;
mod replicas;
mod secrets;
mod warnings;
mod webhooks;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::support::bench::Bench;

/// A folder with an account whose destination refuses, and keys to seal with.
struct Scene {
    bench: Bench,
}

impl Scene {
    fn new() -> Self {
        Self::of(Bench::new())
    }

    fn of(bench: Bench) -> Self {
        let bench = bench.env("AUDITFERRY__KEYS__RING", "a=file:key");
        bench.does("keys generate --out key");
        bench.does("account add acme --zone Asia/Kolkata");
        bench.file("secret", "HUSH");
        bench.does(&format!("destination set acme {} --bucket acme-siem", crate::support::bench::S3));
        bench.does("addon enable acme");
        Self { bench }
    }

    async fn execute(&self, sql: &str) {
        let url = format!("sqlite:{}", self.bench.path("auditferry.db").display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The destination of an account refuses its objects since a while.
    async fn refuses(&self, account: &str) {
        self.execute(&format!(
            "UPDATE account SET failures = 2, trouble_kind = 'denied', trouble_message = 'AccessDenied at 10.9.8.7', \
             trouble_at = 1763700000000000, denied_since = 1763700000000000 WHERE id = '{account}'"
        ))
        .await;
    }

    /// It has taken what waited.
    async fn takes(&self, account: &str) {
        self.execute(&format!(
            "UPDATE account SET failures = 0, trouble_kind = NULL, trouble_message = NULL, trouble_at = NULL, \
             denied_since = NULL, watermark_at = watermark_at + 1000000 WHERE id = '{account}'"
        ))
        .await;
    }

    /// A worker comes, looks and goes.
    async fn look(&self) {
        self.execute("DELETE FROM turn").await;
        self.bench.does("run --until-idle");
    }

    /// What was told was told so many days ago.
    async fn days_later(&self, days: i64) {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
        self.execute(&format!(
            "UPDATE notice_state SET state = json_set(state, '$.told_at', '{at}', '$.topics.export.told.at', '{at}') \
             WHERE json_extract(state, '$.topics.export.told.at') IS NOT NULL"
        ))
        .await;
    }

    /// Adds a channel, and gives its id and its secret if one was made.
    fn add(&self, line: &str) -> (String, String) {
        let added = self.bench.json(&format!("notification add {line}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&added["channel"]["id"]), text(&added["secret"]))
    }
}
