//! `auditferry run --until-idle`, as a cron job uses it.

use jiff::Timestamp;

use crate::daemon::app::{App, EVERY_SECOND, YEARLY, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::run;

/// Waits until an account's next slot has come.
async fn due(app: &App, account: &str) {
    let due = |shown: &serde_json::Value| {
        shown["next_slot"].as_str().is_some_and(|at| at.parse::<Timestamp>().unwrap() <= Timestamp::now())
    };
    app.shown(account, "due", due).await;
}

#[test]
fn until_idle_says_by_its_exit_code_whether_all_is_delivered() {
    run(async {
        let app = App::sqlite();
        let idle = app.try_cli(&["run", "--until-idle"]);
        assert_eq!(idle.status.code(), Some(0), "nobody to export: {}", said(&idle));
        assert!(said(&idle).contains("nothing is due, and no account has a next slot"), "{}", said(&idle));

        let (fine, locked) = (Bucket::embedded().await, Bucket::embedded().await);
        app.add("later", &fine, YEARLY, &[]);
        app.insert(&rows("later", "not-due", 2)).await;
        let idle = app.try_cli(&["run", "--until-idle"]);
        assert_eq!(idle.status.code(), Some(0), "nothing is due: {}", said(&idle));
        let next: Timestamp = app.show("later")["next_slot"].as_str().unwrap().parse().unwrap();
        let told =
            format!("nothing is due; the next slot is {}, of 1 account", next.strftime("%Y-%m-%d %H:%M:%SZ"));
        let log = String::from_utf8_lossy(&idle.stderr);
        assert!(log.contains(&told), "{log}\nlacks {told}");

        app.add("fine", &fine, EVERY_SECOND, &["--max-records", "2"]);
        let mut expected = rows("fine", "one", 5);
        app.insert(&expected).await;
        due(&app, "fine").await;
        let done = app.try_cli(&["run", "--until-idle"]);
        assert_eq!(done.status.code(), Some(0), "all is delivered: {}", said(&done));
        app.verify(&fine, "fine", &expected).await;

        app.add_to("locked", &locked.with_wrong_secret(), EVERY_SECOND, &[]);
        let (more, stuck) = (rows("fine", "two", 2), rows("locked", "two", 2));
        app.insert(&[&more[..], &stuck].concat()).await;
        expected.extend(more);
        due(&app, "locked").await;
        let failed = app.try_cli(&["run", "--until-idle"]);
        assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
        let error = String::from_utf8_lossy(&failed.stderr);
        assert!(error.contains("account locked failed; see `auditferry account show locked`"), "{error}");
        assert!(!error.contains("account fine failed"), "{error}");
        app.verify(&fine, "fine", &expected).await;

        // It is tried again at each run, whatever the next slot.
        app.set_destination("locked", &locked.options, &["--replace", "--yes"]);
        let done = app.try_cli(&["run", "--until-idle"]);
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        app.verify(&locked, "locked", &stuck).await;
        app.verify(&fine, "later", &[]).await;
    });
}
