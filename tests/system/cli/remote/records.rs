//! Records that are left out.

use auditferry::demo::bucket::EmbeddedBucket;

use super::{Scene, assert_same, deliver_now};
use crate::support::checker::Database;
use crate::support::{folder, run};

async fn records_are_left_out_alike(on_postgres: bool) {
    let scene = Scene::new(on_postgres).await;
    let name = if on_postgres { "remote-records-postgres" } else { "remote-records-sqlite" };
    let any = "127.0.0.1:0".parse().unwrap();
    let bucket = EmbeddedBucket::start(&folder(name), "siem", "AKIA", "HUSH", any).await.unwrap();
    scene.bench.file("secret", "HUSH");
    let bad = match &scene.database {
        Database::Sqlite(_) => {
            "INSERT INTO audit_log (account_id, email, action) VALUES ('ACCOUNT', CAST(X'ff41' AS TEXT), 'login')"
        }
        Database::Postgres(_) => {
            let free = "ALTER TABLE audit_log DROP CONSTRAINT audit_log_occurred_at_check";
            scene.database.execute(free).await;
            "INSERT INTO audit_log (account_id, occurred_at, email, action) VALUES ('ACCOUNT', 'infinity', '', '')"
        }
    };
    for account in ["one", "two"] {
        scene.bench.does(&format!("account add {account} --zone UTC --start beginning"));
        scene.bench.does(&format!(
            "destination set {account} --kind s3 --region us-east-1 --access-key-id AKIA --secret-access-key-file secret \
             --bucket siem --endpoint {} --allow-http --no-test",
            bucket.endpoint()
        ));
        scene.bench.does(&format!("addon enable {account}"));
        for _ in 0..3 {
            scene.database.execute(&bad.replace("ACCOUNT", account)).await;
        }
    }
    for account in ["one", "two"] {
        deliver_now(&scene.bench, account);
    }
    scene.is_same("records skip one --key 1 --reason early");
    scene.bench.run("run --until-idle");
    for account in ["one", "two"] {
        let shown = scene.bench.json(&format!("account show {account}"));
        assert_eq!(shown["error"]["kind"], "bad_record", "{shown}");
    }

    // The rows of `one` are 1 to 3, and those of `two` 4 to 6.
    let as_one = |text: &str| {
        let text = text.replace("two", "one");
        (1..=3).fold(text, |text, row| text.replace(&(row + 3).to_string(), &row.to_string()))
    };
    for (keys, code) in [
        ("--key 2", 2),
        ("--key 99", 2),
        ("--key 1 --key 99", 2),
        // One that is left is named, and holds the account when a worker comes to it.
        ("--key 1 --key 2", 0),
        ("--key 3", 2),
    ] {
        let direct = scene.bench.run(&format!("records skip one {keys} --reason 'ticket 12'"));
        let keys = (1..=3).rev().fold(keys.to_owned(), |keys, row| {
            keys.replace(&format!("--key {row}"), &format!("--key {}", row + 3))
        });
        let mut remote = scene.desk.run(&format!("records skip two {keys} --reason 'ticket 12'"));
        for text in [&mut remote.out, &mut remote.err] {
            *text = as_one(text);
        }
        assert_eq!(direct.code, Some(code), "{direct}");
        assert_same(&direct, &remote);
    }
    for line in [
        "records skip nobody --key 1 --reason x",
        "records skip one --key 1 --reason ' '",
        "deliveries ls two --windows",
    ] {
        scene.is_same(line);
    }
    let log = scene.bench.json("changes ls two --all");
    let skipped = log.as_array().unwrap().iter().filter(|change| change["reason"] == "ticket 12");
    assert!(skipped.clone().count() >= 2, "{log}");
    assert!(skipped.into_iter().all(|change| change["channel"] == "api"), "{log}");
}

#[test]
fn records_are_left_out_alike_on_sqlite() {
    run(records_are_left_out_alike(false));
}

#[test]
fn records_are_left_out_alike_on_postgres() {
    run(records_are_left_out_alike(true));
}
