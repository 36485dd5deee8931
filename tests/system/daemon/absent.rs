//! What a source does not know is `null` in the object, however that source says it.

use serde_json::{Value, json};

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{insert_on, keys_of, rows, unpack};
use crate::daemon::vendors_table;
use crate::support::run;

const FIELDS: [&str; 5] = ["Email", "Action", "Action ID", "Description", "IP Address"];

/// The texts of the only record that a worker delivers of account acme.
async fn delivered(app: &App, bucket: &Bucket) -> [Value; 5] {
    let worker = app.start().await;
    app.delivered(bucket, "acme", 1).await;
    worker.stop().await;
    let [key] = &keys_of(bucket, "acme").await[..] else { panic!("one object") };
    let object = unpack(bucket, key).await;
    let [record] = &object.records[..] else { panic!("one record") };
    FIELDS.map(|field| record[field].clone())
}

async fn own_table(app: App, id: Option<&str>) {
    let bucket = Bucket::embedded().await;
    app.add("acme", &bucket, EVERY_SECOND, &[]);
    let mut row = rows("acme", "absent", 1).remove(0);
    (row.email, row.description) = (String::new(), String::new());
    (row.action_id, row.ip) = (id.map(str::to_owned), id.map(str::to_owned));
    app.insert(&[row]).await;
    assert_eq!(
        delivered(&app, &bucket).await,
        [json!(null), json!("role.granted"), json!(null), json!(null), json!(null)]
    );
}

#[test]
fn in_our_own_table_on_sqlite() {
    run(async {
        own_table(App::sqlite(), None).await;
        own_table(App::sqlite(), Some("")).await;
    });
}

#[test]
fn in_our_own_table_on_postgres() {
    run(async {
        own_table(App::postgres().await, None).await;
        own_table(App::postgres().await, Some("")).await;
    });
}

#[test]
fn in_a_vendors_table_whose_columns_may_be_null() {
    run(async {
        for absent in ["NULL", "''"] {
            let (app, mut owner) = vendors_table::installed().await;
            let bucket = Bucket::embedded().await;
            app.add("acme", &bucket, EVERY_SECOND, &[]);
            insert_on(&mut owner, &rows("acme", "absent", 1)).await;
            let forget = format!(
                "ALTER TABLE audit_log ALTER COLUMN email DROP NOT NULL; \
                 UPDATE audit_log SET email = {absent}, action_id = {absent}, description = {absent}, \
                 ip_address = {absent}"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(forget)).execute(&mut owner).await.unwrap();
            let found = delivered(&app, &bucket).await;
            assert_eq!(found, [json!(null), json!("role.granted"), json!(null), json!(null), json!(null)]);
        }
    });
}

#[test]
fn in_a_file_that_is_imported() {
    run(async {
        let date = jiff::Timestamp::now();
        let csv = format!("Date,Email,Action,Action ID,Description,IP Address\n{date},,login,,,\n");
        let files = [
            ("records.csv", csv),
            ("records.jsonl", format!(r#"{{"Date":"{date}","Email":"","Action":"login","Description":""}}"#)),
            (
                "null.jsonl",
                format!(r#"{{"Date":"{date}","Email":null,"Action":"login","Description":null}}"#),
            ),
        ];
        for (name, text) in files {
            let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
            app.add("acme", &bucket, EVERY_SECOND, &[]);
            std::fs::write(app.folder.join(name), text).unwrap();
            app.cli(&["import", "acme", name]);
            let found = delivered(&app, &bucket).await;
            assert_eq!(found, [json!(null), json!("login"), json!(null), json!(null), json!(null)], "{name}");
        }
    });
}
