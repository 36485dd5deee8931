//! Ids of accounts: what a new one may be, and what becomes of one that is there.

use crate::support::by;
use auditferry::{ledger, source};
use auditferry_core::model::format::Format;

use sqlx::{AssertSqlSafe, Connection as _};

use crate::support::bench::Bench;
use crate::support::{rig, run};

/// 28 letters: a file's name of 279 bytes.
const LONG: &str = "監査監査監査監査監査監査監査監査監査監査監査監査監査監査";

#[test]
fn a_new_id_whose_names_fit_nowhere_or_that_nobody_can_tell_apart_is_refused() {
    let bench = Bench::with_acme();
    for (id, says) in [
        (LONG, ["account id", "252 bytes, at most 197"]),
        ("ac\u{202e}me", ["account id", "U+202E"]),
        ("acme\u{200b}", ["account id", "U+200B"]),
    ] {
        bench.refuses(&format!("account add '{id}' --zone UTC"), &says);
        bench.file("exports.toml", format!("[[export]]\naccount = \"{id}\"\nzone = \"UTC\"\n"));
        bench.refuses("apply exports.toml --dry-run", &says);
        bench.refuses("apply exports.toml", &says);
        std::fs::remove_file(bench.path("exports.toml")).expect("removed");
    }
    bench.does("account add 株式会社アクメ --zone Asia/Tokyo");
}

#[test]
fn a_long_id_that_is_there_goes_on_and_is_told() {
    run(async {
        let bench = Bench::with_acme();
        let url = format!("sqlite:{}", bench.path("auditferry.db").display());
        let beginning = source::open(&url, 1).await.expect("the source").beginning();
        let ledger = ledger::open(&url, 1, false).await.expect("the ledger");
        ledger.add_account(&by(), &rig::account(LONG, Format::default(), beginning)).await.expect("added");
        drop(ledger);
        let checked = bench.does("check");
        let note = format!("note    the names of account {LONG}'s objects have up to 310 bytes");
        assert!(checked.contains(&note) && !checked.contains("account acme's"), "{checked}");
        assert!(bench.does(&format!("account show {LONG}")).contains("up to 310 bytes: unzip"));
        assert_eq!(bench.json(&format!("account show {LONG}"))["long_names"], 310);
        bench.file(
            "exports.toml",
            format!("[[export]]\naccount = \"{LONG}\"\nzone = \"UTC\"\naddon = {{ enabled = true }}\n"),
        );
        bench.does("apply exports.toml");
    });
}

/// An account with slots every four hours, and what a statement makes of it.
async fn with_account(bench: &Bench, sql: &str) {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

const DAY: u64 = 86_400_000_000;

#[test]
fn an_account_that_no_worker_takes_is_not_told_to_run() {
    run(async {
        let bench = Bench::with_destination().visited();
        bench.does("addon enable acme");
        let shown = bench.json("account show acme");
        assert_eq!((&shown["health"], &shown["looked_at"]), (&"running".into(), &serde_json::Value::Null));
        assert!(bench.does("account show acme").contains("by no worker yet"));

        let past = format!("next_slot = next_slot - {DAY}, due_at = next_slot - {DAY}");
        with_account(&bench, &format!("UPDATE account SET {past}")).await;
        assert_eq!(bench.json("account show acme")["health"], "running", "it was just enabled");
        assert_eq!(bench.json("account ls")[0]["health"], "running", "it was just enabled");
        let long_ago = format!("DROP TRIGGER change_log_no_update; UPDATE change_log SET at = at - {DAY}");
        with_account(&bench, &long_ago).await;
        let shown = bench.json("account show acme");
        assert_eq!(
            (&shown["health"], &shown["unattended_since"]),
            (&"unattended".into(), &shown["next_slot"])
        );
        let told = bench.does("account show acme");
        assert!(told.contains("no worker has looked at it yet, although its slot at"), "{told}");
        assert!(told.contains("see that `auditferry run` runs"), "{told}");
        assert_eq!(bench.json("account ls")[0]["health"], "unattended");

        // A worker has it, or had it once.
        let leased = "lease_owner = 'w', lease_until = CAST(unixepoch() * 1000000 AS INTEGER) + 60000000";
        with_account(&bench, &format!("UPDATE account SET {leased}")).await;
        assert_eq!(bench.json("account show acme")["health"], "running");
        assert_eq!(bench.json("account ls")[0]["health"], "running");
        with_account(
            &bench,
            "UPDATE account SET lease_owner = NULL, lease_until = NULL, trouble_kind = 'source', \
             trouble_message = 'm', trouble_at = 1763700000000000",
        )
        .await;
        let told = bench.does("account show acme");
        assert!(told.contains("no worker has looked at it since 2025-11-21T04:40:00Z, although"), "{told}");
        assert_eq!(bench.json("account show acme")["looked_at"], "2025-11-21T04:40:00Z");
    });
}

#[test]
fn slots_that_a_wrong_clock_has_used_are_told_and_set_back() {
    run(async {
        let bench = Bench::with_destination().visited();
        bench.does("addon enable acme");
        assert!(!bench.does("check").contains("a clock was ahead"));
        let answer = bench.run("account rewind acme --accept");
        answer.is_refusal(2, &["it is not held; there is nothing to rewind"]);

        let later = format!(
            "last_slot = last_slot + 400 * {DAY}, next_slot = next_slot + 400 * {DAY}, due_at = next_slot"
        );
        with_account(&bench, &format!("UPDATE account SET {later}")).await;
        let shown = bench.json("account show acme");
        assert_eq!(shown["health"], "clock_ahead");
        assert!(shown["clock_ahead_until"].is_string(), "{shown}");
        let told = bench.does("account show acme");
        assert!(
            told.contains("a worker's clock was ahead") && told.contains("rewind acme --accept"),
            "{told}"
        );
        assert_eq!(bench.json("account ls")[0]["health"], "clock_ahead");
        let checked = bench.run("check");
        assert_eq!(checked.code, Some(1), "{checked}");
        assert!(checked.out.contains("FAILED  account acme: a clock was ahead"), "{checked}");

        let told = bench.does("account rewind --all --accept");
        assert!(told.contains("continues from its watermark as generation 2; next slot"), "{told}");
        assert!(told.contains("set its marker back to audit/acme/audit_acme_"), "{told}");
        assert_eq!(bench.json("account show acme")["health"], "running");
        bench.does("check");
        let changes = bench.does("changes ls acme");
        assert!(changes.contains("generation 1 -> 2"), "{changes}");
    });
}
