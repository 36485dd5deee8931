//! What became of an account's slots.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::support::bench::Bench;
use crate::support::run;

/// Changes the ledger by hand.
pub(super) async fn execute(bench: &Bench, sql: &str) {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// An account in UTC that was added ten days ago, with its slots of yesterday as windows: 00:00 delivered,
/// 04:00 late, 08:00 empty, 12:00 in the window of 16:00, 20:00 in delivery.
pub(super) async fn history() -> Bench {
    let bench = Bench::new();
    bench.does("account add acme --zone UTC");
    bench.file("secret", "HUSH");
    bench.does(
        "destination set acme --kind s3 --bucket acme-siem --region eu-central-1 --access-key-id AKIA \
         --secret-access-key-file secret --no-test",
    );
    bench.does("addon enable acme");
    execute(
        &bench,
        "DROP TRIGGER change_log_no_update; \
         UPDATE change_log SET at = at - 864000000000; \
         UPDATE account SET created_at = created_at - 864000000000, watermark_at = watermark_at - 864000000000;",
    )
    .await;
    for (number, hour, minutes, state, records) in [
        (1, 0, 1, "delivered", 3),
        (2, 4, 20, "delivered", 5),
        (3, 8, 1, "delivered", 0),
        (4, 16, 2, "delivered", 7),
        (5, 20, 0, "open", 0),
    ] {
        let slot = format!("((unixepoch('now', 'start of day') - 86400 + {hour} * 3600) * 1000000)");
        let closed =
            if state == "open" { "NULL".to_owned() } else { format!("{slot} + {minutes} * 60000000") };
        execute(
            &bench,
            &format!(
                "INSERT INTO export_window (account, number, slot, state, record_set, from_at, to_at, zone, format, \
                 prefix, destination_version, content_version, generation, closed_at) SELECT id, {number}, {slot}, \
                 '{state}', '{{\"lo\":\"0\",\"hi\":\"0\"}}', {slot}, {slot}, zone, format, '', 1, 2, 1, {closed} FROM account"
            ),
        )
        .await;
        if records > 0 {
            execute(
                &bench,
                &format!(
                    "INSERT INTO delivery (account, number, ordinal, key, state, records, content_sha256, content_bytes, \
                     object_sha256, object_bytes, ends_window, attempts, sealed_at, delivered_at) VALUES ('acme', \
                     {number}, 1, 'audit/acme/{number}.zip', 'delivered', {records}, '', 1, '', 1, 1, 1, {slot}, {closed}); \
                     INSERT INTO attempt (account, number, ordinal, attempt, key, worker, object_sha256, started_at, \
                     finished_at, outcome) VALUES ('acme', {number}, 1, 1, 'audit/acme/{number}.zip', 'w1', '', {slot}, \
                     {closed}, 'delivered')"
                ),
            )
            .await;
        }
    }
    execute(
        &bench,
        "UPDATE account SET windows = 5, open_window = 5, last_slot = (SELECT max(slot) FROM export_window)",
    )
    .await;
    bench
}

/// The states of one day's slots.
fn of_day<'v>(view: &'v Value, day: &str) -> Vec<&'v str> {
    let slots = view["last_days"]["slots"].as_array().unwrap().iter();
    slots
        .filter(|slot| slot["slot"].as_str().unwrap().starts_with(day))
        .map(|slot| slot["state"].as_str().unwrap())
        .collect()
}

pub(super) fn yesterday() -> String {
    let today = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    today.strftime("%Y-%m-%d").to_string()
}

#[test]
fn a_strip_tells_what_became_of_the_last_slots() {
    run(async {
        let bench = history().await;
        let view = bench.json("account show acme");
        let day = of_day(&view, &yesterday());
        assert_eq!(day, ["delivered", "late", "empty", "merged", "delivered", "open"], "{view}");
        let before = view["last_days"]["slots"].as_array().unwrap().iter();
        let before: Vec<&Value> =
            before.filter(|slot| slot["slot"].as_str().unwrap() < yesterday().as_str()).collect();
        assert!(before.len() > 40, "{}", before.len());
        assert!(before.iter().all(|slot| slot["state"] == "merged" && slot["window"] == 1), "{before:?}");

        let told = bench.with("COLUMNS", "80").run("account show acme").out;
        let strip: Vec<&str> =
            told.lines().skip_while(|line| !line.starts_with("The last 14 days")).collect();
        assert_eq!(strip[0], "The last 14 days in UTC");
        assert!(strip[1..].iter().all(|line| line.len() <= 80), "{strip:?}");
        assert!(strip[1..].iter().any(|line| line.contains(" #L.m#o")), "{strip:?}");
        let legend = "# delivered  . no records  L late by more than 15 minutes  o not delivered yet";
        assert_eq!(strip[strip.len() - 2..], [legend, "m in a later object"], "{strip:?}");

        // With colours the same, and no colour where nothing stands out.
        let coloured = bench.with("CLICOLOR_FORCE", "1").run("account show acme").out;
        assert!(coloured.contains("\u{1b}[32m#\u{1b}[0m\u{1b}[33mL\u{1b}[0m."), "{coloured}");
    });
}

#[test]
fn a_strip_knows_pauses_and_what_fails() {
    run(async {
        let bench = history().await;
        bench.does("account pause acme --reason 'bucket moves'");
        let slot = |hour| format!("(unixepoch('now', 'start of day') - 86400 + {hour} * 3600) * 1000000");
        let begin = format!(
            "UPDATE change_log SET at = {} + 1 WHERE seq = (SELECT max(seq) FROM change_log)",
            slot(8)
        );
        execute(&bench, &begin).await;
        bench.does("account resume acme");
        let end = format!(
            "UPDATE change_log SET at = {} + 1 WHERE seq = (SELECT max(seq) FROM change_log)",
            slot(12)
        );
        execute(&bench, &end).await;
        execute(
            &bench,
            "UPDATE account SET failures = 1, trouble_kind = 'denied', trouble_message = 'AccessDenied', \
             trouble_at = 1763700000000000",
        )
        .await;
        let view = bench.json("account show acme");
        let day = of_day(&view, &yesterday());
        assert_eq!(day, ["delivered", "late", "empty", "paused", "delivered", "failing"], "{view}");
        // Before it was added there was nothing.
        let first =
            view["last_days"]["slots"][0]["slot"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let ago = jiff::Timestamp::now().duration_since(first);
        assert!(ago < jiff::SignedDuration::from_hours(240), "{ago}");
    });
}

#[test]
fn only_the_newest_of_many_slots_are_shown() {
    run(async {
        let bench = Bench::new();
        bench.does("account add acme --zone UTC --schedule '* * * * *'");
        execute(&bench, "UPDATE account SET created_at = created_at - 864000000000").await;
        let view = bench.json("account show acme");
        assert_eq!(view["last_days"]["slots"].as_array().unwrap().len(), 100);
        assert_eq!(view["last_days"]["cut"], true);
        assert_eq!(view["last_days"]["slots"][0]["state"], "disabled");
        let told = bench.does("account show acme");
        assert!(told.contains("The last 14 days in UTC, the newest 100 slots\n"), "{told}");
    });
}

#[test]
fn a_new_account_has_no_slots_yet() {
    let bench = Bench::with_destination();
    bench.does("account set acme --schedule '@yearly'");
    let told = bench.does("account show acme");
    assert!(told.ends_with("\nThe last 14 days in Asia/Kolkata\nNo slot has come yet.\n"), "{told}");
}
