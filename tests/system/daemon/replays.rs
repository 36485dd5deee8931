//! An operator puts delivered objects again, beside a worker or without one.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::daemon::app::{App, EVERY_SECOND, YEARLY, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::gate::{Door, Gate};
use crate::daemon::rows::{Row, Unpacked, keys_of, rows, slot_of, sqlite, unpack};
use crate::support::run;

impl App {
    /// Runs a replay of all slots of some keys; its exit code and its report.
    pub(crate) fn replay(&self, keys: &[String], options: &[&str]) -> (Option<i32>, Value) {
        let range = ["deliveries", "replay", "acme", "--json", "--from", slot_of(&keys[0]), "--to"];
        let output = self.try_cli(&[&range[..], &[slot_of(keys.last().unwrap())], options].concat());
        let report = serde_json::from_slice(&output.stdout);
        (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {}", said(&output))))
    }

    /// Changes the source past its triggers.
    async fn tamper(&self, sql: &str) {
        if self.url.starts_with("postgres:") {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            let sql = format!("ALTER TABLE audit_log DISABLE TRIGGER ALL; {sql}");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        } else {
            let drop = "SELECT group_concat('DROP TRIGGER ' || name, '; ') FROM sqlite_schema \
                        WHERE type = 'trigger' AND tbl_name = 'audit_log'";
            let mut connection = sqlite(&self.url).await;
            let drop: String = sqlx::query_scalar(drop).fetch_one(&mut connection).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(format!("{drop}; {sql}"))).execute(&mut connection).await.unwrap();
        }
    }
}

/// The outcomes of a report, in order.
pub(crate) fn outcomes(report: &Value) -> Vec<&str> {
    report["objects"].as_array().unwrap().iter().map(|o| o["outcome"].as_str().unwrap()).collect()
}

async fn read(bucket: &Bucket, keys: &[String]) -> Vec<Unpacked> {
    let mut objects = Vec::new();
    for key in keys {
        objects.push(unpack(bucket, key).await);
    }
    objects
}

/// Two windows of two objects each, and no slot to come; returns the rows.
pub(crate) async fn delivered(app: &App, bucket: &Bucket) -> Vec<Row> {
    app.add("acme", bucket, EVERY_SECOND, &["--max-records", "2"]);
    let mut all = Vec::new();
    for label in ["one", "two"] {
        let some = rows("acme", label, 4);
        app.insert(&some).await;
        all.extend(some);
        // The slot after the account was made must have come.
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        app.cli(&["run", "--until-idle"]);
    }
    app.cli(&["account", "set", "acme", "--schedule", YEARLY]);
    app.verify(bucket, "acme", &all).await;
    all
}

/// What is missing comes back with the same bytes; what is there is left; the worker goes on.
#[test]
fn missing_objects_come_back_under_their_own_names_beside_the_worker() {
    run(async {
        let (app, bucket) = (App::postgres().await, Bucket::embedded().await);
        let mut expected = delivered(&app, &bucket).await;
        app.cli(&["account", "set", "acme", "--schedule", EVERY_SECOND]);
        let worker = app.start().await;
        let keys = keys_of(&bucket, "acme").await;
        let before: Vec<_> = read(&bucket, &keys).await.into_iter().map(|o| o.object.body).collect();
        for key in [&keys[0], &keys[3]] {
            std::fs::remove_file(bucket.path(key)).unwrap();
        }
        std::fs::write(bucket.path(&keys[1]), b"a stranger's, or damaged").unwrap();
        let (code, dry) = app.replay(&keys, &["--dry-run"]);
        assert_eq!((code, outcomes(&dry)), (Some(0), vec!["reproducible"; 4]));
        assert!(!bucket.path(&keys[0]).exists() && dry["replay"].is_null(), "{dry}");
        let more = rows("acme", "three", 3);
        app.insert(&more).await;
        let (code, report) = app.replay(&keys, &[]);
        assert_eq!(outcomes(&report), ["restored", "exists", "exists", "restored"], "{report}");
        assert_eq!(code, Some(0), "{report}");
        app.settle("acme").await;
        worker.stop().await;
        assert_eq!(std::fs::read(bucket.path(&keys[1])).unwrap(), b"a stranger's, or damaged");
        std::fs::write(bucket.path(&keys[1]), &before[1]).unwrap();
        for (key, body) in keys.iter().zip(&before) {
            assert_eq!(bucket.get(key).await.body, *body, "{key}");
        }
        expected.extend(more);
        app.verify(&bucket, "acme", &expected).await;

        // The history tells when, by whom, and under which name.
        let listed = app.json(["deliveries", "ls"], &["--replays", "acme"]);
        let told = listed.as_array().unwrap();
        assert_eq!(told.len(), 4);
        assert_eq!((&told[0]["key"], &told[0]["put_as"]), (&keys[3].clone().into(), &keys[3].clone().into()));
        assert!(told[0]["operator"].as_str().unwrap().contains("uid") && told[0]["finished_at"].is_string());
        let shown = app.json(["deliveries", "show"], &["acme", &keys[0]]);
        assert_eq!(shown["replays"][0]["outcome"], "restored");
        assert!(app.cli(&["deliveries", "show", "acme", &keys[0]]).contains("restored"));
    });
}

/// Rows that are gone or changed: nothing else is put under the old names.
#[test]
fn what_the_source_does_not_give_any_more_is_not_put() {
    run(async {
        for app in [App::sqlite(), App::postgres().await] {
            let bucket = Bucket::embedded().await;
            delivered(&app, &bucket).await;
            let keys = keys_of(&bucket, "acme").await;
            app.tamper(
                "DELETE FROM audit_log WHERE email LIKE 'one-1@%' OR email LIKE 'one-2@%'; \
                 UPDATE audit_log SET description = 'other' WHERE email LIKE 'two-3@%'",
            )
            .await;
            for key in &keys {
                std::fs::remove_file(bucket.path(key)).unwrap();
            }
            let (code, report) = app.replay(&keys, &[]);
            assert_eq!(outcomes(&report), ["missing", "missing", "restored", "differs"], "{report}");
            assert_eq!(code, Some(1));
            assert!(
                report["objects"][1]["message"].as_str().unwrap().contains("1 of its 2 records"),
                "{report}"
            );
            assert_eq!(keys_of(&bucket, "acme").await, [keys[2].clone()]);
        }
    });
}

/// A customer who moved: everything is put into the new bucket, below its prefix.
#[test]
fn a_new_bucket_gets_the_past_below_its_own_prefix() {
    run(async {
        let (app, old, new) = (App::sqlite(), Bucket::embedded().await, Bucket::embedded().await);
        delivered(&app, &old).await;
        let keys = keys_of(&old, "acme").await;
        app.set_destination("acme", &new.options, &["--replace", "--yes", "--prefix", "siem/audit/"]);
        let (code, report) = app.replay(&keys, &[]);
        assert_eq!((code, outcomes(&report)), (Some(0), vec!["restored"; 4]), "{report}");
        let moved = keys_of(&new, "acme").await;
        assert_eq!(moved, keys.iter().map(|key| format!("siem/audit/{key}")).collect::<Vec<_>>());
        for (key, moved) in keys.iter().zip(&moved) {
            assert_eq!(old.get(key).await.body, new.get(moved).await.body);
        }
    });
}

/// New names sort after what was delivered, in the order of what was delivered, and before
/// the next slot's; while a slot is near, nothing gets one.
#[test]
fn replays_as_new_sort_between_the_last_slot_and_the_next() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        delivered(&app, &bucket).await;
        let keys = keys_of(&bucket, "acme").await;
        for number in 1..=2 {
            let (code, report) = app.replay(&keys, &["--as-new"]);
            assert_eq!((code, outcomes(&report)), (Some(0), vec!["created"; 4]), "{report}");
            assert_eq!((&report["replay"], &report["gone_on"]), (&number.into(), &false.into()));
        }
        let all = keys_of(&bucket, "acme").await;
        assert_eq!((all.len(), &all[..4]), (12, &keys[..]), "after everything that was delivered");
        let objects = read(&bucket, &all).await;
        for (number, object) in objects.iter().enumerate() {
            assert_eq!(object.content, objects[number % 4].content, "{}", object.key);
        }
        for (number, key) in all[4..].iter().enumerate() {
            let suffix = format!("_r000{}_000{}.zip", number / 4 + 1, number % 4 + 1);
            assert!(key.ends_with(&suffix), "{key}");
        }
        let shown = app.json(["deliveries", "show"], &["acme", &all[4]]);
        assert_eq!(
            (&shown["delivery"]["key"], &shown["replays"][0]["put_as"]),
            (&keys[0].clone().into(), &all[4].clone().into())
        );

        app.cli(&["account", "set", "acme", "--schedule", EVERY_SECOND]);
        let (code, report) = app.replay(&keys, &["--as-new"]);
        assert_eq!((code, outcomes(&report)), (Some(1), vec!["not_tried"; 4]), "{report}");
        assert!(
            report["objects"][0]["message"].as_str().unwrap().contains("has come or is near"),
            "{report}"
        );
        app.cli(&["run", "--until-idle"]);
        assert_eq!(keys_of(&bucket, "acme").await, all);
    });
}

/// The command dies while a put has no answer: run again, it goes on, and nothing is there
/// under two new names.
#[test]
fn a_replay_that_was_killed_is_gone_on_with() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        delivered(&app, &bucket).await;
        let keys = keys_of(&bucket, "acme").await;
        let gate = Gate::before(bucket.address(), Door::NoAnswers).await;
        app.set_destination("acme", &bucket.through(&gate.endpoint()), &["--replace", "--yes"]);
        let range = ["--from", slot_of(&keys[0]), "--to", slot_of(&keys[3])];
        let words = [&["deliveries", "replay", "acme", "--as-new"], &range[..]].concat();
        let mut child = app.spawn(&words);
        gate.answered().await;
        child.kill().unwrap();
        child.wait().unwrap();
        gate.set(Door::Open);
        let first = keys_of(&bucket, "acme").await.pop().unwrap();
        assert!(first.ends_with("_r0001_0001.zip"), "{first}");
        let (code, report) = app.replay(&keys, &["--as-new"]);
        assert_eq!((code, outcomes(&report)), (Some(0), vec!["created"; 4]), "{report}");
        assert_eq!((&report["replay"], &report["gone_on"]), (&1.into(), &true.into()));
        assert_eq!(report["objects"][0]["put_as"], first);
        assert_eq!(keys_of(&bucket, "acme").await.len(), 8);
    });
}

#[test]
fn a_replay_needs_an_add_on_a_destination_and_something_delivered() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        delivered(&app, &bucket).await;
        let refused = |options: &[&str], says: &str| {
            let output = app.try_cli(&[&["deliveries", "replay", "acme"], options].concat());
            let told = said(&output);
            assert!(output.status.code() == Some(2) && told.contains(says), "{told}");
        };
        let all = ["--from", "2020-01-01", "--to", "2090-01-01"];
        refused(&["--from", "yesterday", "--to", "2090-01-01"], "20261121T040000Z");
        refused(&["--from", "2020-01-02", "--to", "2020-01-01"], "swap them");
        refused(&["--from", "2020-01-01", "--to", "2020-01-02"], "no object was delivered");
        app.cli(&["addon", "disable", "acme"]);
        refused(&all, "its add-on is disabled");
        app.cli(&["addon", "enable", "acme"]);
        app.cli(&["destination", "rm", "acme"]);
        refused(&all, "it has no destination");
        assert_eq!(app.json(["deliveries", "ls"], &["--replays"]), serde_json::json!([]));
    });
}
