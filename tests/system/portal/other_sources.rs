//! Records and downloads of sources on PostgreSQL: our own table, and a vendor's, of which we only read.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::downloads::{ask, fetched};
use super::{Browser, link};
use crate::support::api::Served;
use crate::support::bench::Bench;
use crate::support::postgres::cluster;
use crate::support::{run, vendor};

/// Inserts records of an account, one a second until now.
async fn insert(connection: &mut PgConnection, account: &str, count: u32) {
    let sql = format!(
        "INSERT INTO audit_log (account_id, occurred_at, email, action, description) \
         SELECT '{account}', now() - i * interval '1 second', 'ana@{account}.example', 'login', 'number ' || i \
         FROM generate_series(1, {count}) AS i"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// Looks at the records of `acme`, turns a page, looks at one, and downloads all.
async fn looked_at(bench: &Bench, records: usize) -> String {
    let store = bench.path("files").display().to_string();
    let served = Served::start(bench, &[("AUDITFERRY__DOWNLOADS__STORE", &store)]);
    let mut browser = Browser::new(&served);
    browser.is_in(&link(bench, &served, "acme", "")).await;
    let page = browser.get("/portal/logs?user=ana").await;
    page.says(200, &format!("{records} records, newest first")).says(200, "number 1</td>");
    let older = page.text.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&");
    browser.get(&older).await.says(200, &format!("{} of {records} records", records - 20));
    let first = page.text.split("id=\"r0\"").nth(1).unwrap().split("href=\"").nth(1).unwrap();
    let one = first.split('"').next().unwrap().replace("&#38;", "&").replace("#record", "");
    browser.get(&one).await.says(200, "id=\"record\"").says(200, "number 1");
    let id = ask(&mut browser, "all", "ndjson").await;
    fetched(&mut browser, &id).await.text
}

#[test]
fn our_own_table_on_postgres_is_seen_and_downloaded() {
    run(async {
        let database = cluster().create().await;
        let bench = Bench::new().env("AUDITFERRY__LEDGER__URL", &cluster().url(&database));
        bench.does("account add acme --zone UTC");
        let mut owner = PgConnection::connect(&cluster().url(&database)).await.unwrap();
        insert(&mut owner, "acme", 25).await;
        insert(&mut owner, "beta", 25).await;
        let text = looked_at(&bench, 25).await;
        assert_eq!(text.matches("\"Action\":\"login\"").count(), 25);
        assert!(!text.contains("beta"));
        let noted: i64 =
            sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action LIKE 'auditferry.audit_log%'")
                .fetch_one(&mut owner)
                .await
                .unwrap();
        assert_eq!(noted, 3, "opened, asked, downloaded");
    });
}

#[test]
fn a_vendors_table_is_seen_and_downloaded_and_nothing_is_written() {
    run(async {
        let cluster = vendor::cluster();
        let database = cluster.create().await;
        vendor::make(cluster, &database).await;
        let bench = [
            ("KIND", "table"),
            ("URL", &vendor::reader(cluster, &database)),
            ("TABLE__NAME", "audit_log"),
            ("TABLE__ACCOUNT", "account_id"),
            ("TABLE__KEY", "id"),
            ("TABLE__TIME", "occurred_at"),
            ("TABLE__EMAIL", "email"),
            ("TABLE__ACTION", "action"),
            ("TABLE__DESCRIPTION", "description"),
            ("TABLE__LOOKBACK", "1h"),
        ]
        .into_iter()
        .fold(Bench::new(), |bench, (name, value)| bench.env(&format!("AUDITFERRY__SOURCE__{name}"), value));
        bench.does("account add acme --zone UTC");
        let mut owner = cluster.connect(&database).await;
        insert(&mut owner, "acme", 25).await;
        insert(&mut owner, "beta", 25).await;
        let text = looked_at(&bench, 25).await;
        assert_eq!(text.lines().count(), 25);
        assert!(!text.contains("beta"));
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM audit_log").fetch_one(&mut owner).await.unwrap();
        assert_eq!(rows, 50);
        assert!(!bench.does("check").contains("no index of"));
        vendor::sql(
            cluster,
            &database,
            &["DROP INDEX audit_log_account_id_occurred_at_idx", "CREATE INDEX ON audit_log (occurred_at)"],
        )
        .await;
        let said = bench.run("check");
        assert!(
            format!("{said}").contains("no index of public.audit_log begins with account_id and occurred_at"),
            "{said}"
        );
    });
}
