//! The real program on a vendor's own table, as a role that may only SELECT.

use sqlx::PgConnection;

use crate::daemon::app::{App, EVERY_SECOND, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{insert_on, keys_of, rows, unpack};
use crate::support::postgres::Cluster;
use crate::support::{eventually, run, vendor};

/// The ledger on SQLite, the source on Postgres; and a connection of the table's owner.
pub(crate) async fn installed() -> (App, PgConnection) {
    installed_on(vendor::cluster()).await
}

async fn installed_on(cluster: &Cluster) -> (App, PgConnection) {
    let database = cluster.create().await;
    vendor::make(cluster, &database).await;
    let app = App::sqlite()
        .with("SOURCE__KIND", "table")
        .with("SOURCE__URL", &vendor::reader(cluster, &database))
        .with("SOURCE__TABLE__NAME", "audit_log")
        .with("SOURCE__TABLE__ACCOUNT", "account_id")
        .with("SOURCE__TABLE__KEY", "id")
        .with("SOURCE__TABLE__TIME", "occurred_at")
        .with("SOURCE__TABLE__EMAIL", "email")
        .with("SOURCE__TABLE__ACTION", "action")
        .with("SOURCE__TABLE__ACTION_ID", "action_id")
        .with("SOURCE__TABLE__DESCRIPTION", "description")
        .with("SOURCE__TABLE__IP_ADDRESS", "ip_address")
        .with("SOURCE__TABLE__LOOKBACK", "1h");
    (app, cluster.connect(&database).await)
}

#[test]
fn a_vendors_table_is_exported_and_a_changed_row_holds_its_account() {
    run(async {
        let (app, mut owner) = installed().await;
        let bucket = Bucket::embedded().await;
        assert!(app.cli(&["check"]).contains("ok      source"));
        assert!(app.cli(&["migrate"]).contains("public.audit_log is your own: it is only read"));
        app.add("acme", &bucket, EVERY_SECOND, &["--max-records", "3"]);
        app.add("beta", &bucket, EVERY_SECOND, &[]);
        let (acme, beta) = (rows("acme", "one", 7), rows("beta", "one", 2));
        insert_on(&mut owner, &[&acme[..], &beta].concat()).await;
        let worker = app.start().await;
        assert_eq!(worker.get("/readyz").await, Some((200, "ready\n".to_owned())));
        app.delivered(&bucket, "acme", 7).await;
        app.delivered(&bucket, "beta", 2).await;
        app.settle("acme").await;
        app.verify(&bucket, "acme", &acme).await;

        sqlx::raw_sql("UPDATE audit_log SET action = 'changed' WHERE email = 'one-3@acme.example' AND account_id = 'acme'")
            .execute(&mut owner)
            .await
            .unwrap();
        let shown = app.shown("acme", "held", |shown| shown["health"] == "held").await;
        assert_eq!(shown["error"]["kind"], "source_rewritten", "{shown}");
        let message = shown["error"]["message"].as_str().unwrap();
        assert!(message.contains("7 were there, and now 6 are"), "{message}");
        assert!(shown["advice"].as_str().unwrap().contains("account rewind ACCOUNT --accept"), "{shown}");
        assert!(worker.metric("auditferry_failures_total{kind=\"source_rewritten\"}").await >= 1.0);
        // The other account goes on, and a release alone is refused: the row is still another one.
        let more = rows("acme", "two", 2);
        insert_on(&mut owner, &[&more[..], &rows("beta", "two", 1)].concat()).await;
        app.delivered(&bucket, "beta", 3).await;
        let refused = app.try_cli(&["account", "release", "acme"]);
        assert!(!refused.status.success() && said(&refused).contains("it stays held"), "{}", said(&refused));
        app.shown("acme", "still held", |shown| shown["health"] == "held").await;
        app.verify(&bucket, "acme", &acme).await;

        app.cli(&["account", "rewind", "acme", "--accept"]);
        app.delivered(&bucket, "acme", 10).await;
        app.settle("acme").await;
        let mut again = Vec::new();
        for key in keys_of(&bucket, "acme").await.iter().filter(|key| key.contains("_g0002")) {
            again.extend(unpack(&bucket, key).await.records);
        }
        let again: Vec<_> = again.iter().map(|record| [&record["Email"], &record["Action"]]).collect();
        let names = ["one-3@acme.example", "two-0@acme.example", "two-1@acme.example"];
        assert_eq!(again.iter().map(|record| record[0].as_str().unwrap()).collect::<Vec<_>>(), names);
        assert_eq!(again[0][1], "changed");
        worker.stop().await;
    });
}

#[test]
fn a_table_that_cannot_be_read_ends_the_worker_with_the_fix() {
    run(async {
        let (app, _owner) = installed().await;
        let app = app.with("SOURCE__TABLE__ACTION", "acton");
        let ended = app.try_cli(&["run", "--until-idle"]);
        assert_eq!(ended.status.code(), Some(2), "{}", said(&ended));
        let check = app.try_cli(&["check"]);
        assert_eq!(check.status.code(), Some(1), "{}", said(&check));
        for text in [&ended.stderr, &check.stdout] {
            let text = String::from_utf8_lossy(text);
            assert!(text.contains("public.audit_log has no column acton (did you mean action"), "{text}");
        }
        let app = app.with("SOURCE__TABLE__ACTION", "action");
        app.cli(&["account", "add", "acme", "--zone", "UTC"]);
        std::fs::write(app.folder.join("records.jsonl"), "").unwrap();
        let import = app.try_cli(&["import", "acme", "records.jsonl"]);
        assert_eq!(import.status.code(), Some(2), "{}", said(&import));
        assert!(String::from_utf8_lossy(&import.stderr).contains("public.audit_log is your own table"));
    });
}

#[test]
fn an_id_that_the_column_cannot_hold_is_refused_or_shown() {
    run(async {
        let (app, mut owner) = installed().await;
        sqlx::raw_sql("ALTER TABLE audit_log ALTER COLUMN account_id TYPE integer USING 42")
            .execute(&mut owner)
            .await
            .unwrap();
        let refused = app.try_cli(&["account", "add", "acme", "--zone", "UTC"]);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        let problem = "the column account_id is a whole number";
        assert!(String::from_utf8_lossy(&refused.stderr).contains(problem), "{}", said(&refused));

        // From the beginning nothing is read yet.
        app.add("acme", &Bucket::embedded().await, EVERY_SECOND, &["--start", "beginning"]);
        let worker = app.start().await;
        let shown = app.shown("acme", "failing", |shown| shown["health"] == "retrying").await;
        assert_eq!(shown["error"]["kind"], "source_settings", "{shown}");
        assert!(shown["error"]["message"].as_str().unwrap().contains(problem), "{shown}");
        assert!(shown["advice"].as_str().unwrap().contains("or the account's id"), "{shown}");
        worker.stop().await;
    });
}

/// A fault of the data is none of the database: it names the row and what to do.
#[test]
fn a_row_that_cannot_be_a_record_holds_its_account_until_it_is_mended() {
    run(async {
        let (app, mut owner) = installed().await;
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let bad = "INSERT INTO audit_log (id, account_id, occurred_at, email, action) \
            VALUES (77, 'acme', 'infinity', 'ana', 'login')";
        sqlx::raw_sql(bad).execute(&mut owner).await.unwrap();
        let worker = app.start().await;
        let shown = app.shown("acme", "an error", |shown| shown["error"]["kind"] == "bad_record").await;
        let message = shown["error"]["message"].as_str().unwrap();
        assert!(message.contains("record 77 of the source: its occurred_at is infinity"), "{message}");
        assert!(
            shown["error"]["fix"].as_str().unwrap().contains("the row of the source that has this key"),
            "{shown}"
        );
        assert_eq!(shown["health"], "held");
        let refused = app.try_cli(&["account", "release", "acme"]);
        assert!(said(&refused).contains("it stays held: record 77 of the source"), "{}", said(&refused));
        sqlx::raw_sql("UPDATE audit_log SET occurred_at = now() WHERE id = 77")
            .execute(&mut owner)
            .await
            .unwrap();
        // Its window was planned with the row as it was.
        let still = app.try_cli(&["account", "release", "acme"]);
        assert!(said(&still).contains("auditferry account rewind"), "{}", said(&still));
        app.cli(&["account", "rewind", "acme", "--accept"]);
        app.delivered(&bucket, "acme", 1).await;
        worker.stop().await;
    });
}

/// An old transaction anywhere in the server holds records back: it is told once, and everywhere.
#[test]
fn a_transaction_that_holds_records_back_is_told() {
    run(async {
        let cluster = Cluster::start("held-back", &[]);
        let (app, mut owner) = installed_on(&cluster).await;
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let mut old = cluster.connect("postgres").await;
        sqlx::raw_sql("BEGIN; SELECT pg_current_xact_id()").execute(&mut old).await.unwrap();
        let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut old).await.unwrap();
        let records = rows("acme", "one", 2);
        insert_on(&mut owner, &records).await;
        let quiet = app.show("acme");
        assert!(quiet["held_back"].is_null(), "{quiet}");
        // Of another role's session a role that may only read sees no time.
        cluster.spend_ids(1_100).await;
        let worker = app.start().await;
        let held_back =
            async |so: fn(f64) -> bool| so(worker.metric("auditferry_source_held_back_seconds").await);
        eventually("the metric", async || held_back(|seconds| seconds >= 1.0).await.then_some(())).await;
        app.settle("acme").await;
        app.settle("acme").await;
        let who = format!("process {process} (user postgres, database postgres)");
        let shown = app.show("acme");
        assert_eq!(
            (&shown["health"], &shown["waiting"]["records"]),
            (&"running".into(), &2.into()),
            "{shown}"
        );
        assert_eq!(shown["held_back"]["who"], who, "{shown}");
        assert!(
            shown["advice"].as_str().unwrap().contains(&format!("pg_terminate_backend({process})")),
            "{shown}"
        );
        let check = app.cli(&["check"]);
        assert!(check.contains(&format!("note    source: {who} has a transaction open since 1")), "{check}");
        let told = worker.log().matches(&format!("{who} has a transaction open")).count();
        assert_eq!(told, 1, "{}", worker.log());

        sqlx::raw_sql("ROLLBACK").execute(&mut old).await.unwrap();
        app.delivered(&bucket, "acme", 2).await;
        eventually("the end of it", async || held_back(|seconds| seconds == 0.0).await.then_some(())).await;
        app.settle("acme").await;
        worker.stop().await;
        app.verify(&bucket, "acme", &records).await;
    });
}

/// `check` compares what may be deleted with what is there, before an account is held for it.
#[test]
fn rows_that_are_deleted_too_early_are_told() {
    run(async {
        let (app, mut owner) = installed().await;
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &["--start", "beginning"]);
        app.add("beta", &bucket, EVERY_SECOND, &["--start", "beginning"]);
        let acme = rows("acme", "one", 2);
        // Earlier than the lookback, so that nobody watches them.
        let mut beta = rows("beta", "one", 3);
        for row in &mut beta {
            row.at -= jiff::SignedDuration::from_hours(3);
        }
        insert_on(&mut owner, &[&acme[..], &beta].concat()).await;
        let worker = app.start().await;
        app.delivered(&bucket, "acme", 2).await;
        app.delivered(&bucket, "beta", 3).await;
        app.settle("acme").await;
        app.settle("beta").await;
        worker.stop().await;
        let told = |check: &str| check.lines().filter(|line| line.starts_with("note    source")).count();
        let check = app.cli(&["check"]);
        let oldest = beta[0].at.strftime("%Y-%m-%d %H:%M:%S");
        assert!(check.contains("exported rows that occurred before"), "{check}");
        assert!(check.contains(&format!("the oldest is of {oldest}")), "{check}");
        assert_eq!(told(&check), 1, "{check}");

        sqlx::raw_sql("DELETE FROM audit_log WHERE account_id = 'beta' OR email = 'one-1@acme.example'")
            .execute(&mut owner)
            .await
            .unwrap();
        let check = app.cli(&["check"]);
        assert!(check.contains("account acme will be held at its next window"), "{check}");
        assert!(check.contains("2 were there, and now 1 are"), "{check}");
        assert!(check.contains("3 records of account beta's window"), "{check}");
        assert_eq!(told(&check), 3, "{check}");

        // Times that put a row before everything that was exported.
        sqlx::raw_sql(
            "INSERT INTO audit_log (id, account_id, occurred_at, email, action) VALUES \
             (901, 'beta', '-infinity', '', ''), (902, 'beta', '0001-01-01Z', '', '')",
        )
        .execute(&mut owner)
        .await
        .unwrap();
        let check = app.cli(&["check"]);
        assert!(check.contains("rows of account beta (2) have a time before the year 1"), "{check}");
        assert_eq!(told(&check), 4, "{check}");
    });
}
