//! The folders that objects lie in, and what a change of them does.

use crate::daemon::app::{App, EVERY_SECOND, YEARLY, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{Row, keys_of, rows};
use crate::support::run;

/// Inserts some rows and delivers them, without a worker that runs on.
async fn deliver(app: &App, account: &str, label: &str) -> Vec<Row> {
    let some = rows(account, label, 3);
    app.insert(&some).await;
    // The slot after them must have come.
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    app.cli(&["run", "--until-idle"]);
    some
}

/// The day of a key's name, written with these separators.
fn day(key: &str, separator: &str) -> String {
    let slot = crate::daemon::rows::slot_of(key);
    [&slot[..4], &slot[4..6], &slot[6..8]].join(separator)
}

/// What was delivered stays where it is, each row is there once, and a replay finds its old place.
#[test]
fn a_running_account_goes_on_in_other_folders() {
    run(async {
        for app in [App::sqlite(), App::postgres().await] {
            let bucket = Bucket::embedded().await;
            app.add("acme", &bucket, EVERY_SECOND, &["--max-records", "2"]);
            let mut all = deliver(&app, "acme", "contract").await;
            let before = keys_of(&bucket, "acme").await;
            assert!(before.iter().all(|key| key.starts_with("audit/acme/audit_acme_")), "{before:?}");

            app.cli(&["account", "set", "acme", "--path", "hive"]);
            all.extend(deliver(&app, "acme", "hive").await);
            let keys = keys_of(&bucket, "acme").await;
            assert_eq!(keys[..before.len()], before, "what was there is there, and sorts before");
            for key in &keys[before.len()..] {
                let folder = format!("audit/acme/dt={}/audit_acme_", day(key, "-"));
                assert!(key.starts_with(&folder), "{key} does not lie in {folder}");
            }
            app.verify(&bucket, "acme", &all).await;

            app.cli(&["account", "set", "acme", "--schedule", YEARLY, "--path", "dates"]);
            let lost = [&keys[0], keys.last().unwrap()];
            let bodies = [bucket.get(lost[0]).await.body, bucket.get(lost[1]).await.body];
            for key in lost {
                std::fs::remove_file(bucket.path(key)).unwrap();
            }
            let (code, report) = app.replay(&keys, &[]);
            assert_eq!(code, Some(0), "{report}");
            for (key, body) in lost.into_iter().zip(bodies) {
                assert_eq!(bucket.get(key).await.body, body, "{key} is there again");
            }
            app.verify(&bucket, "acme", &all).await;
        }
    });
}

#[test]
fn days_and_the_partitions_of_security_lake() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        app.add("daily", &bucket, EVERY_SECOND, &["--path", "dates"]);
        let all = deliver(&app, "daily", "dates").await;
        for key in keys_of(&bucket, "daily").await {
            assert!(key.starts_with(&format!("audit/daily/{}/audit_daily_", day(&key, "/"))), "{key}");
        }
        app.verify(&bucket, "daily", &all).await;

        app.cli(&[
            "account",
            "add",
            "--zone",
            "UTC",
            "--schedule",
            EVERY_SECOND,
            "--path",
            "security-lake",
            "lake",
        ]);
        let place: Vec<&str> = bucket.options.iter().map(String::as_str).collect();
        let set = [&["destination", "set", "--no-test", "lake"], &place[..]].concat();
        let refused = said(&app.try_cli(&set));
        assert!(refused.contains("prefix") && refused.contains("ext/"), "{refused}");
        app.cli(&[&set[..], &["--prefix", "ext/acme-audit/1.0/"]].concat());
        app.cli(&["addon", "enable", "lake"]);
        let all = deliver(&app, "lake", "lake").await;
        let folder = "ext/acme-audit/1.0/region=us-east-1/accountId=external_lake/eventDay=2";
        let keys = keys_of(&bucket, "lake").await;
        assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with(folder)), "{keys:?}");
        app.verify(&bucket, "lake", &all).await;

        let refused = said(&app.try_cli(&["account", "set", "daily", "--path", "security-lake"]));
        assert!(refused.contains("prefix") && refused.contains("ext/"), "{refused}");
        let azure = Bucket::azurite_with_connection_string().await;
        app.add("azure", &azure, YEARLY, &[]);
        let refused = said(&app.try_cli(&["account", "set", "azure", "--path", "security-lake"]));
        assert!(refused.contains("path") && refused.contains("hive"), "{refused}");
    });
}
