//! One look at everything, and who works.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _};
use std::process::Stdio;
use std::time::Duration;

use crate::support::bench::Bench;
use crate::support::{eventually, run};

async fn execute(bench: &Bench, sql: &str) {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn states(status: &Value) -> Vec<String> {
    let accounts = status["accounts"].as_array().unwrap();
    accounts
        .iter()
        .map(|count| format!("{} {}", count["accounts"], count["health"].as_str().unwrap()))
        .collect()
}

#[test]
fn that_no_worker_runs_is_said_first() {
    let bench = Bench::with_destination();
    bench.does("addon enable acme");
    let shown = bench.does("account show acme");
    assert!(shown.starts_with("worker         none has run with this ledger yet\n"), "{shown}");
    assert!(shown.contains("health         no_worker") && shown.contains("`auditferry run`"), "{shown}");
    assert_eq!(bench.json("account ls --failing")[0]["health"], "no_worker");
    let status = bench.does("status");
    assert!(status.starts_with("worker      none has run with this ledger yet\n"), "{status}");
    assert!(status.contains("accounts    1 no_worker"), "{status}");

    bench.does("run --until-idle");
    assert_eq!(bench.json("account show acme")["health"], "running", "one is expected to come again");
    let said = bench.json("account show acme")["no_worker"].as_str().unwrap().to_owned();
    assert!(said.starts_with("none runs now; the last `auditferry run --until-idle` ended"), "{said}");
}

#[test]
fn a_worker_is_seen_while_it_runs_and_missed_when_it_was_killed() {
    run(async {
        let bench = Bench::with_destination();
        bench.does("addon enable acme");
        let worker = bench.worker("");
        let status = eventually("a worker that has done its chores", async || {
            let status = bench.json("status");
            let chores = status["workers"][0]["chores"].as_array()?.clone();
            let done = chores.iter().filter(|chore| chore["last_success"].is_string()).count();
            (done == 8 && status["workers"][0]["waits_for"]["kind"] == "slot").then_some(status)
        })
        .await;
        let seen = &status["workers"][0];
        assert_eq!((&seen["state"], &status["no_worker"]), (&"running".into(), &Value::Null), "{seen}");
        assert_eq!(
            (&seen["exports"], &seen["leases"], &seen["problem"]),
            (&0.into(), &0.into(), &Value::Null)
        );
        let names: Vec<&str> =
            seen["chores"].as_array().unwrap().iter().map(|chore| chore["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "discard outbox",
                "forget old requests",
                "forget old workers",
                "queue notifications",
                "remove old marks",
                "send notifications",
                "warn of ending credentials",
                "watch for open transactions"
            ]
        );
        assert_eq!(states(&status), ["1 running"]);
        let slot = &bench.json("account show acme")["next_slot"];
        assert_eq!(&status["next_slots"][0]["at"], slot);
        let told = bench.does("status");
        assert!(told.contains("waits for the next slot"), "{told}");
        let shown = bench.does("account show acme");
        assert!(!shown.lines().any(|line| line.starts_with("worker ")), "nothing to say: {shown}");

        drop(worker);
        execute(&bench, "UPDATE worker SET seen_at = seen_at - 61000000").await;
        let status = bench.json("status");
        assert_eq!(
            (&status["workers"][0]["state"], states(&status)),
            (&"silent".into(), vec!["1 no_worker".to_owned()])
        );
        let said = status["no_worker"].as_str().unwrap();
        assert!(said.contains("is silent since") && said.contains("killed"), "{said}");
    });
}

#[test]
fn a_worker_that_is_stopped_says_so() {
    run(async {
        let bench = Bench::with_destination();
        let worker = bench.worker("");
        eventually("a sign of life", async || {
            (bench.json("status")["workers"][0]["state"] == "running").then_some(())
        })
        .await;
        std::process::Command::new("kill").arg(worker.id().to_string()).status().unwrap();
        let said = eventually("its last word", async || {
            bench.json("status")["no_worker"].as_str().map(str::to_owned)
        })
        .await;
        assert!(said.contains("was stopped"), "{said}");
        assert_eq!(bench.json("status")["workers"][0]["state"], "ended");
    });
}

#[test]
fn what_fails_and_what_ends_is_listed_with_what_to_do() {
    run(async {
        let bench = Bench::with_destination().visited();
        bench.does("addon enable acme --until 2090-01-01");
        execute(
            &bench,
            "UPDATE account SET failures = 2, trouble_kind = 'denied', trouble_message = 'AccessDenied', \
             trouble_at = 1763700000000000, addon_until = CAST(unixepoch() + 86400 AS INTEGER) * 1000000",
        )
        .await;
        let status = bench.json("status");
        let failing = &status["failing"];
        assert_eq!((&failing["total"], &failing["first"][0]["health"]), (&1.into(), &"retrying".into()));
        assert_eq!(failing["first"][0]["reason"], "AccessDenied");
        assert!(failing["first"][0]["fix"].as_str().unwrap().contains("s3:PutObject"), "{failing}");
        assert_eq!(
            (&status["ending"]["total"], &status["ending"]["first"][0]["what"]),
            (&1.into(), &"add_on".into())
        );
        let told = bench.does("status");
        for words in ["Failing, for the longest first", "AccessDenied", "Ending within 30 days", "add-on"] {
            assert!(told.contains(words), "{told}\nlacks {words}");
        }
        // A source that is away leaves the rest.
        execute(&bench, "UPDATE account SET next_slot = 1763700000000000, due_at = 1763700000000000").await;
        execute(&bench, "ALTER TABLE audit_log RENAME TO gone").await;
        let status = bench.json("status");
        assert_eq!(status["oldest_undelivered"]["slot"], "2025-11-21T04:40:00Z");
        assert_eq!(status["oldest_undelivered"]["oldest_record"], Value::Null);
    });
}

#[test]
fn it_can_be_watched() {
    let bench = Bench::with_destination();
    let mut watching = bench.command(&["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let out = watching.stdout.take().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        use std::io::BufRead as _;
        for line in std::io::BufReader::new(out).lines() {
            let _ = tell.send(line.unwrap_or_default());
        }
    });
    let mut times = 0;
    while times < 2 {
        let line = told.recv_timeout(Duration::from_secs(60)).expect("a line");
        times += usize::from(line.starts_with("accounts"));
    }
    watching.kill().unwrap();
    watching.wait().unwrap();
    bench.refuses("status --watch --json", &["cannot be used with"]);
}
