//! What is told before it harms.

use jiff::SignedDuration;

use auditferry::notifications::look::{Onlooker, look};
use auditferry_core::model::notification::{Change, Topic};

use super::Scene;
use crate::support::receiver::Receiver;
use crate::support::run;

fn titles(receiver: &Receiver) -> Vec<String> {
    let title = |json: serde_json::Value| json["data"]["title"].as_str().unwrap().to_owned();
    receiver.take().into_iter().map(|told| title(told.json())).collect()
}

#[test]
fn what_ends_is_told_at_each_threshold() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        scene.add(&format!("webhook --url {}", receiver.url()));
        let ends_in = async |days: i64| {
            scene
                .execute(&format!(
                    "UPDATE account SET addon_until = (unixepoch() + {days} * 86400 - 60) * 1000000; \
                     UPDATE notice_state SET state = json_set(state, '$.told_at', '2026-01-01T00:00:00Z')"
                ))
                .await;
            scene.look().await;
            titles(&receiver)
        };
        assert!(ends_in(31).await.is_empty());
        assert!(ends_in(30).await[0].contains("The add-on of account acme ends on"));
        assert!(ends_in(8).await.is_empty());
        assert_eq!(ends_in(7).await.len(), 1);
        assert_eq!(ends_in(1).await.len(), 1);
        assert!(ends_in(90).await.is_empty(), "that it was prolonged is no news");
    });
}

#[test]
fn credentials_that_end_are_told_to_their_account_too() {
    run(async {
        let (scene, receiver, people) = (Scene::new(), Receiver::start().await, Receiver::start().await);
        scene.add(&format!("webhook --url {}", receiver.url()));
        scene.add(&format!("webhook --url {} --account acme", people.url()));
        let ended = "UPDATE destination SET ends_at = (unixepoch() + 6 * 86400) * 1000000";
        scene.execute(ended).await;
        scene.look().await;
        assert!(titles(&receiver)[0].contains("The credentials with which account acme exports"));
        let told = people.take().remove(0).json();
        assert!(told["data"]["text"].as_str().unwrap().contains("Give us new credentials"), "{told}");
    });
}

#[test]
fn that_no_worker_ran_is_told_by_the_next_one() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        scene.add(&format!("webhook --url {}", receiver.url()));
        scene.look().await;
        // A worker was killed two hours ago.
        scene
            .execute(
                "DELETE FROM worker; INSERT INTO worker VALUES ('other', 'h', '1', 0, \
                 (unixepoch() - 7200) * 1000000, NULL, '{\"mode\":\"forever\"}')",
            )
            .await;
        scene.look().await;
        let told = titles(&receiver);
        assert!(told.len() == 1 && told[0].starts_with("A worker runs again; none ran since"), "{told:?}");
        scene.look().await;
        assert_eq!(receiver.count(), 0);
    });
}

/// Looks in this process, as nothing may take what waits.
async fn seen(scene: &Scene) -> Vec<(Topic, Change)> {
    seen_with(scene, None).await
}

/// The same, where the source keeps its rows for so long.
async fn seen_with(scene: &Scene, retention: Option<SignedDuration>) -> Vec<(Topic, Change)> {
    let url = format!("sqlite:{}", scene.bench.path("auditferry.db").display());
    let ledger = auditferry::ledger::open(&url, 1, false).await.unwrap();
    scene.execute("DELETE FROM turn; DELETE FROM notice").await;
    look(&*ledger, Onlooker::Other, retention).await.unwrap();
    let rows = ledger.notices(None, 50).await.unwrap();
    let mut told: Vec<_> =
        rows.iter().flat_map(|row| &row.notice.items).map(|item| (item.topic, item.change)).collect();
    told.sort_unstable();
    told
}

/// Rows that are deleted at the source before they are exported are told before that, and once at each step.
#[test]
fn records_that_are_deleted_soon_are_told() {
    run(async {
        let scene = Scene::new();
        scene.add("webhook --url https://hooks.example.com/");
        scene.bench.does("account pause acme");
        let age = async |days: u32| {
            let ago = format!("(unixepoch() - {days} * 86400) * 1000000");
            scene
                .execute(&format!(
                    "UPDATE account SET watermark_at = {ago}; UPDATE notice_state SET state = \
                     json_set(state, '$.told_at', '2026-01-01T00:00:00Z')"
                ))
                .await;
        };
        let kept = Some(SignedDuration::from_hours(24 * 100));
        let told = [(Topic::Retention, Change::Began)];
        age(74).await;
        assert_eq!(seen_with(&scene, kept).await, []);
        age(76).await;
        assert_eq!(seen(&scene).await, [], "nothing is deleted there");
        assert_eq!(seen_with(&scene, kept).await, told);
        age(77).await;
        assert_eq!(seen_with(&scene, kept).await, []);
        age(101).await;
        assert_eq!(seen_with(&scene, kept).await, [(Topic::Retention, Change::Worsened)]);
        let log = scene.bench.does("notification log");
        assert!(log.contains("are being deleted at the source that were not exported"), "{log}");
    });
}

#[test]
fn a_refused_change_of_many_accounts_is_told_once_a_day() {
    run(async {
        let scene = Scene::new();
        scene.add("webhook --url https://hooks.example.com/");
        for number in 0..9 {
            scene.bench.does(&format!("account add a{number} --zone UTC"));
        }
        scene.bench.file(
            "exports.toml",
            "[[export]]\naccount = \"acme\"\nzone = \"Asia/Kolkata\"\naddon = { enabled = true }\n",
        );
        scene.bench.does("apply exports.toml --prune --dry-run --no-test");
        for _ in 0..2 {
            scene.bench.refuses("apply exports.toml --prune --no-test", &["--confirm 9"]);
        }
        let log = scene.bench.json("notification log");
        assert_eq!(log.as_array().unwrap().len(), 1, "{log}");
        assert_eq!(log[0]["notice"]["items"][0]["topic"], "sweep");
        assert!(log[0]["notice"]["items"][0]["message"].as_str().unwrap().contains("9 accounts"), "{log}");
    });
}

#[test]
fn clocks_chores_and_slots_that_wait_are_told() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        scene.add(&format!("webhook --url {}", receiver.url()));
        scene.look().await;
        // A worker that is alive for as long as the test lasts, and an account that nobody has changed lately.
        scene
            .execute(
                "INSERT INTO worker VALUES ('other', 'h', '1', 0, (unixepoch() + 3600) * 1000000, NULL, \
                 '{\"clock_ahead_seconds\":90,\"chores\":[{\"name\":\"remove old marks\",\"period_seconds\":3600,\
                 \"last_run\":null,\"last_success\":null,\"failing_since\":\"2026-01-01T00:00:00Z\",\"error\":\"denied\"}]}'); \
                 UPDATE account SET next_slot = (unixepoch() - 1200) * 1000000, \
                 due_at = (unixepoch() - 1200) * 1000000; \
                 DROP TRIGGER change_log_no_update; UPDATE change_log SET at = 0",
            )
            .await;
        let began = |topic| (topic, Change::Began);
        assert_eq!(
            seen(&scene).await,
            [began(Topic::Backlog), began(Topic::Chores)],
            "a clock may be set right"
        );
        scene
            .execute("UPDATE notice_state SET state = json_set(state, '$.topics.clock.since', '2026-01-01T00:00:00Z')")
            .await;
        assert_eq!(seen(&scene).await, [began(Topic::Clock)]);

        scene
            .execute(
                "UPDATE worker SET report = json_set(report, '$.clock_ahead_seconds', 0, '$.chores', json('[]')) \
                 WHERE id = 'other'; UPDATE account SET due_at = next_slot + 9000000000; \
                 UPDATE notice_state SET state = json_set(state, '$.told_at', '2026-01-01T00:00:00Z')",
            )
            .await;
        let over = |topic| (topic, Change::Recovered);
        assert_eq!(seen(&scene).await, [over(Topic::Backlog), over(Topic::Clock), over(Topic::Chores)]);
        assert_eq!(seen(&scene).await, []);
    });
}
