//! `auditferry account deliver-now`: a slot beside the schedule.

use std::time::Duration;

use jiff::Timestamp;

use crate::daemon::app::{App, EVERY_SECOND, YEARLY, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::{eventually, run};

/// Asks for it; in the second in which the account was added that is refused.
async fn deliver_now(app: &App) -> String {
    eventually("a slot beside the schedule", async || {
        let answer = app.try_cli(&["account", "deliver-now", "acme", "--reason", "bucket policy mended"]);
        if answer.status.success() {
            return Some(String::from_utf8(answer.stdout).unwrap());
        }
        let said = said(&answer);
        assert!(said.contains("its newest slot is"), "{said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        None
    })
    .await
}

async fn delivers_beside_its_schedule(app: App) {
    let bucket = Bucket::embedded().await;
    app.add("acme", &bucket, YEARLY, &[]);
    let mut expected = rows("acme", "one", 2);
    app.insert(&expected).await;
    let regular = app.show("acme")["next_slot"].clone();
    let begin = Timestamp::now().as_second();
    let told = deliver_now(&app).await;
    assert!(told.contains("delivers what it has as the slot") && told.contains("--until-idle"), "{told}");
    let change = &app.json(["changes", "ls"], &["--limit", "1", "acme"])[0];
    assert_eq!(
        (&change["action"], &change["reason"]),
        (&"slot added".into(), &"bucket policy mended".into())
    );

    app.cli(&["run", "--until-idle"]);
    app.verify(&bucket, "acme", &expected).await;
    let first = app.deliveries("acme").remove(0);
    let slot: Timestamp = first["slot"].as_str().unwrap().parse().unwrap();
    assert!((begin..=Timestamp::now().as_second()).contains(&slot.as_second()), "{first}");
    let named = format!("audit_acme_{}.zip", slot.strftime("%Y%m%dT%H%M%SZ"));
    assert!(first["key"].as_str().unwrap().ends_with(&named), "{first} is not {named}");
    assert_eq!(&change["fields"][0]["to"], &first["slot"]);
    assert_eq!(app.show("acme")["next_slot"], regular, "the schedule stays");
    let last_days = &app.show("acme")["last_days"]["slots"];
    assert_eq!((&last_days[0]["state"], &last_days[0]["scheduled"]), (&"delivered".into(), &false.into()));

    // The slots of the schedule go on after it.
    app.cli(&["account", "set", "acme", "--schedule", EVERY_SECOND]);
    let more = rows("acme", "two", 2);
    app.insert(&more).await;
    expected.extend(more);
    let due = |shown: &serde_json::Value| {
        shown["next_slot"].as_str().is_some_and(|at| at.parse::<Timestamp>().unwrap() <= Timestamp::now())
    };
    app.shown("acme", "due", due).await;
    app.cli(&["run", "--until-idle"]);
    app.verify(&bucket, "acme", &expected).await;
}

#[test]
fn an_account_delivers_beside_its_schedule() {
    run(async { delivers_beside_its_schedule(App::sqlite()).await });
}

#[test]
fn an_account_delivers_beside_its_schedule_on_postgres() {
    run(async { delivers_beside_its_schedule(App::postgres().await).await });
}

/// Although the slots of the schedule are spread.
#[test]
fn a_running_worker_takes_it_at_once() {
    run(async {
        let app = App::sqlite().with("SCHEDULE__SPREAD", "2h");
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, YEARLY, &[]);
        let expected = rows("acme", "one", 3);
        app.insert(&expected).await;
        let worker = app.start().await;
        app.runs().await;
        let told = deliver_now(&app).await;
        assert!(told.contains("A running worker takes it at once"), "{told}");
        app.delivered(&bucket, "acme", 3).await;
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}
