//! Records that cannot be exported hold their account, and are left out when a person says so.

use sqlx::{Connection as _, PgConnection, raw_sql};

use crate::daemon::app::{App, EVERY_SECOND, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{Row, insert_on, rows, sqlite};
use crate::daemon::vendors_table;
use crate::support::run;

/// What `deliveries ls --windows` tells of records that were left out: key, reason.
fn left_out(app: &App) -> Vec<(String, String)> {
    let windows = app.json(["deliveries", "ls"], &["--windows", "--", "acme"]);
    let records = windows.as_array().unwrap().iter().flat_map(|window| window["skipped"].as_array().unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut told: Vec<_> = records.map(|record| (text(&record["key"]), text(&record["reason"]))).collect();
    told.sort();
    told
}

/// Of the account's rows, those of the two `keys` cannot be exported, and `good` can.
async fn they_are_left_out(app: App, keys: [&str; 2], good: &[Row]) {
    let bucket = Bucket::embedded().await;
    app.add("acme", &bucket, EVERY_SECOND, &["--start", "beginning", "--max-records", "2"]);
    let worker = app.start().await;
    let shown = app.shown("acme", "held", |shown| shown["health"] == "held").await;
    assert_eq!(shown["error"]["kind"], "bad_record", "{shown}");
    let message = shown["error"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("record {} of the source: ", keys[0])), "{message}");
    assert!(shown["advice"].as_str().unwrap().contains("auditferry records skip"), "{shown}");

    let skip =
        |key: &str, reason: &str| app.try_cli(&["records", "skip", "acme", "--key", key, "--reason", reason]);
    for (key, reason, problem) in [
        (
            "1",
            "why not",
            format!("key: \"1\" is not the record that cannot be exported; that is {:?}", keys[0]),
        ),
        (keys[1], "why not", format!("that is {:?}", keys[0])),
        (keys[0], " ", "it is empty; write some words".to_owned()),
    ] {
        let refused = skip(key, reason);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(&problem), "{problem}: {}", said(&refused));
    }
    let refused = app.try_cli(&["account", "release", "acme"]);
    assert!(said(&refused).contains("it stays held: record"), "{}", said(&refused));
    assert!(left_out(&app).is_empty());

    let skipped = skip(keys[0], "ticket 12");
    assert!(skipped.status.success(), "{}", said(&skipped));
    assert!(
        said(&skipped).contains(&format!("Record {} cannot be exported either", keys[1])),
        "{}",
        said(&skipped)
    );
    let second = format!("record {} of the source: ", keys[1]);
    let is_second = |shown: &serde_json::Value| {
        shown["error"]["message"].as_str().is_some_and(|message| message.contains(&second))
    };
    app.shown("acme", "held again", is_second).await;
    let skipped = skip(keys[1], "ticket 13");
    assert!(said(&skipped).contains("Account acme continues."), "{}", said(&skipped));

    app.delivered(&bucket, "acme", good.len()).await;
    app.settle("acme").await;
    app.verify(&bucket, "acme", good).await;
    assert_eq!(app.show("acme")["health"], "running");
    let expected = [(keys[0], "ticket 12"), (keys[1], "ticket 13")];
    let mut expected = expected.map(|(key, reason)| (key.to_owned(), reason.to_owned()));
    expected.sort();
    assert_eq!(left_out(&app), expected);
    assert!(app.cli(&["deliveries", "ls", "--windows", "acme"]).contains("ticket 12"));
    let changes = app.cli(&["changes", "ls"]);
    assert!(changes.contains("record skipped") && changes.contains("ticket 13"), "{changes}");
    let refused = skip(keys[0], "once more");
    assert!(said(&refused).contains("it is not held because of a record"), "{}", said(&refused));
    worker.stop().await;
}

#[test]
fn on_sqlite() {
    run(async {
        let app = App::sqlite();
        let good = rows("acme", "good", 5);
        app.insert(&good[..1]).await;
        let bad = "INSERT INTO audit_log (account_id, email, action) VALUES ('acme', CAST(X'ff41' AS TEXT), 'login')";
        raw_sql(bad).execute(&mut sqlite(&app.url).await).await.unwrap();
        app.insert(&good[1..4]).await;
        raw_sql(bad).execute(&mut sqlite(&app.url).await).await.unwrap();
        app.insert(&good[4..]).await;
        they_are_left_out(app, ["2", "6"], &good).await;
    });
}

#[test]
fn on_postgres() {
    run(async {
        let app = App::postgres().await;
        let good = rows("acme", "good", 5);
        let mut owner = PgConnection::connect(&app.url).await.unwrap();
        raw_sql("ALTER TABLE audit_log DROP CONSTRAINT audit_log_occurred_at_check")
            .execute(&mut owner)
            .await
            .unwrap();
        let bad = "INSERT INTO audit_log (account_id, occurred_at, email, action) VALUES ('acme', 'infinity', '', '')";
        app.insert(&good[..1]).await;
        raw_sql(bad).execute(&mut owner).await.unwrap();
        app.insert(&good[1..4]).await;
        raw_sql(bad).execute(&mut owner).await.unwrap();
        app.insert(&good[4..]).await;
        they_are_left_out(app, ["2", "6"], &good).await;
    });
}

#[test]
fn on_a_vendors_table() {
    run(async {
        let (app, mut owner) = vendors_table::installed().await;
        let good = rows("acme", "good", 5);
        insert_on(&mut owner, &good).await;
        let bad = "INSERT INTO audit_log (id, account_id, occurred_at, email, action) \
            VALUES (77, 'acme', 'infinity', '', ''), (76, 'acme', '-infinity', '', '')";
        raw_sql(bad).execute(&mut owner).await.unwrap();
        they_are_left_out(app, ["76", "77"], &good).await;
    });
}
