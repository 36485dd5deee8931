//! Settings, and the options of accounts and add-ons.

use sqlx::{Connection as _, SqliteConnection};

use crate::support::bench::Bench;
use crate::support::run;

#[test]
fn an_unknown_setting_is_named_with_the_nearest_known_one() {
    let bench = Bench::with_acme();
    bench.file("auditferry.toml", "[worker]\nconcurency = 3\n");
    bench.refuses(
        "--config auditferry.toml account rm acme",
        &[
            "unknown key worker.concurency in auditferry.toml",
            "did you mean worker.concurrency",
            "lists all keys",
        ],
    );
    bench.with("AUDITFERRY__LEDGER__ULR", "sqlite:other.db").refuses(
        "account rm acme",
        &["unknown key ledger.ulr in the environment", "did you mean ledger.url"],
    );
    bench
        .with("AUDITFERRY__EXPRT__LAYOUT", "array")
        .refuses("account ls", &["unknown key exprt.layout", "export.layout"]);
}

#[test]
fn a_settings_file_that_cannot_be_read_is_refused() {
    let bench = Bench::with_acme();
    bench.refuses("--config nowhere.toml account rm acme", &["nowhere.toml", "No such file", "--config"]);
    bench
        .with("AUDITFERRY_CONFIG", "nowhere.toml")
        .refuses("account rm acme", &["nowhere.toml", "No such file"]);
    bench.file("broken.toml", "[worker\n");
    bench.refuses("--config broken.toml account rm acme", &["broken.toml", "line 1"]);
    bench.file("binary.toml", b"\xff\xfe");
    bench.refuses("--config binary.toml account rm acme", &["binary.toml", "UTF-8"]);
}

#[test]
fn a_setting_that_cannot_work_is_named_with_its_problem() {
    let bench = Bench::with_acme();
    let cases: [(&str, &str, &[&str]); 18] = [
        (
            "LOG__LEVEL",
            "verbose",
            &["log.level", "has a word that is not a level: \"verbose\"", "write error, warn"],
        ),
        ("LOG__LEVEL", "info,auditferry", &["log.level", "has a word that is not a level: \"auditferry\""]),
        ("LOG__FORMAT", "xml", &["log.format", "`xml`", "`text` or `json`"]),
        ("SOURCE__KIND", "mysql", &["source.kind", "`mysql`", "`audit_log` or `table`"]),
        ("EXPORT__CONTAINER", "rar", &["export.container", "`rar`", "`zip`"]),
        ("EXPORT__SCHEDULE", "0 */4 * *", &["export.schedule", "has 4 fields", "write minute hour day"]),
        ("EXPORT__SCHEDULE", "0 0 0 31 2 *", &["export.schedule", "never fires"]),
        ("EXPORT__SCHEDULE", "at noon every day of the", &["export.schedule", "does not parse"]),
        ("EXPORT__COMPRESSION", "12", &["export", "compression: 12", "0 to 9"]),
        ("EXPORT__COMPRESSION", "smallest", &["export.compression", "\"smallest\"", "\"best\""]),
        (
            "EXPORT__CONTAINER",
            "rar",
            &["export.container", "`rar`", "`zip`, `gzip`, `zstd`, `parquet`, `none`"],
        ),
        ("WORKER__LEASE", "10s", &["worker.lease", "put.timeout", "twice as long"]),
        ("WORKER__POLL_INTERVAL", "soon", &["worker.poll_interval", "\"soon\"", "\"30s\""]),
        ("SCHEDULE__SPREAD", "3h", &["schedule.spread", "more than 2h"]),
        ("WORKER__CONCURRENCY", "0", &["worker.concurrency", "at least 1"]),
        ("WORKER__CONCURRENCY", "many", &["worker.concurrency", "\"many\""]),
        ("HTTP__LISTEN", "9464", &["http.listen", "127.0.0.1:9464"]),
        ("CREDENTIALS__ALLOW_AMBIENT", "acme,", &["credentials.allow_ambient", "empty"]),
    ];
    for (name, value, says) in cases {
        bench.with(&format!("AUDITFERRY__{name}"), value).refuses("account rm acme", says);
    }
    bench
        .with("AUDITFERRY__LOG__LEVEL", "auditferry=loud")
        .refuses("account ls", &["log.level", "auditferry=loud", "write error, warn, info"]);
}

#[test]
fn a_bad_schedule_of_an_account_is_refused() {
    let bench = Bench::with_acme();
    for (schedule, problem) in [
        ("0 */4 * *", "has 4 fields"),
        ("", "has 0 fields"),
        ("0 0 25 * * *", "does not parse"),
        ("0 0 0 31 2 *", "never fires"),
        ("0 0 0 1 1 * 2024", "its years have passed"),
    ] {
        bench.refuses(&format!("account set acme --schedule '{schedule}'"), &["schedule", problem]);
        bench.refuses(&format!("account add beta --zone UTC --schedule '{schedule}'"), &[problem]);
    }
}

/// A contract's end is not lost when something else changes.
#[test]
fn an_addon_keeps_what_is_not_named() {
    let bench = Bench::with_acme();
    let addon = || bench.json("addon show acme")["addon"].clone();
    bench.does("addon enable acme --until 2087-12-31 --reason 'order 4711'");
    bench.does("addon enable acme --reason 'order 4712'");
    assert_eq!(
        (&addon()["until"], &addon()["reason"]),
        (&"2087-12-31T00:00:00Z".into(), &"order 4712".into())
    );
    let off = bench.does("addon disable acme --reason unpaid");
    assert!(off.contains("a put in flight may still finish"), "{off}");
    assert_eq!((&addon()["enabled"], &addon()["reason"]), (&false.into(), &"unpaid".into()));
    let on = bench.does("addon enable acme --from now");
    assert!(on.contains("is enabled, until 2087-12-31 00:00:00Z"), "{on}");
    assert!(addon()["reason"].is_null(), "it is not unpaid any more");
    let free = bench.does("addon enable acme --no-end");
    assert!(free.contains("is enabled, without end") && addon()["until"].is_null(), "{free}");
    bench.refuses("addon enable acme --no-end --until 2087-12-31", &["--no-end", "--until"]);
}

/// What a person wanted shows in the slots that follow.
#[test]
fn a_schedule_reads_as_in_cron_and_its_next_slots_are_shown() {
    let bench = Bench::with_acme();
    let set = bench.does("account set acme --schedule '30 6 * * 1-5'");
    assert!(set.contains("none, while its add-on is not enabled"), "{set}");
    for said in
        [bench.does("addon enable acme"), bench.does("account set acme --schedule '30 6 * * MON-FRI'")]
    {
        let slots: Vec<&str> =
            said.lines().skip_while(|line| *line != "Next slots in Asia/Kolkata:").skip(1).collect();
        assert_eq!(slots.len(), 5, "{said}");
        for slot in slots {
            assert!(slot.contains(" 06:30:00 +05:30 = ") && slot.ends_with("01:00:00Z"), "{slot}");
            assert!(!slot.contains("Sat ") && !slot.contains("Sun "), "{slot}");
        }
    }
}

/// Expressions with digits for days meant other days in ledgers of before.
#[test]
fn an_old_schedule_keeps_its_days_and_is_not_changed_without_a_word() {
    run(async {
        let bench = Bench::with_acme();
        bench.does("addon enable acme");
        let url = format!("sqlite:{}", bench.path("auditferry.db").display());
        let mut ledger = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("UPDATE account SET schedule = '0 0 6 * * 2', schedule_syntax = 1")
            .execute(&mut ledger)
            .await
            .unwrap();
        ledger.close().await.unwrap();
        let shown = bench.json("account show acme");
        assert_eq!(
            (&shown["schedule"], &shown["schedule_before"]),
            (&"0 0 6 * * MON".into(), &"0 0 6 * * 2".into())
        );
        assert!(bench.does("account show acme").contains("(written as \"0 0 6 * * 2\" when 1 was Sunday)"));

        let question = ["schedule: \"0 0 6 * * 2\" has two meanings", "write \"0 0 6 * * MON\" to keep it"];
        bench.refuses("account set acme --schedule '0 0 6 * * 2'", &question);
        let file = "[[export]]\naccount = \"acme\"\nzone = \"Asia/Kolkata\"\nschedule = ";
        bench.file("exports.toml", format!("{file}\"0 0 6 * * 2\"\n"));
        bench.refuses("apply exports.toml", &question);
        // Another change keeps it, and the same days are no change.
        let set = bench.does("account set acme --max-records 7");
        assert!(set.lines().filter(|line| line.starts_with("  Mon ")).count() == 5, "{set}");
        assert_eq!(bench.json("account show acme")["schedule_before"], "0 0 6 * * 2");
        bench.file("exports.toml", format!("{file}\"0 0 6 * * MON\"\nmax_records = 7\n"));
        assert!(bench.does("apply exports.toml").contains("Nothing to change"));

        bench.does("account set acme --schedule '0 0 6 * * TUE'");
        bench.does("account set acme --schedule '0 0 6 * * 2'");
        let shown = bench.json("account show acme");
        assert_eq!((&shown["schedule"], shown["schedule_before"].is_null()), (&"0 0 6 * * 2".into(), true));
    });
}

#[test]
fn an_unknown_time_zone_is_named_with_near_ones() {
    let bench = Bench::with_acme();
    bench.refuses(
        "account add beta --zone Asia/Kolkta",
        &["zone", "\"Asia/Kolkta\"", "did you mean Asia/Kolkata"],
    );
    bench.refuses("account set acme --zone Europe/Berln", &["did you mean Europe/Berlin", "names look like"]);
    bench.refuses("account set acme --zone ''", &["zone", "names look like Europe/Berlin"]);
    bench.refuses("account set acme --zone ../../etc/passwd", &["zone", "is not an IANA time zone"]);
}

#[test]
fn a_format_that_cannot_work_is_refused() {
    let bench = Bench::with_acme();
    bench.refuses("account set acme --compression 12", &["compression: 12", "0 to 9"]);
    bench.refuses("account set acme --max-records 0", &["max_records", "at least 1"]);
    bench.refuses("account set acme --max-bytes 0", &["max_bytes", "between 1 and"]);
    bench.refuses(
        "account set acme --container rar",
        &["--container", "`zip`, `gzip`, `zstd`, `parquet`, `none`"],
    );
    bench.refuses("account set acme --layout table", &["--layout", "`lines` or `array`"]);
    bench.refuses("account set acme --empty-windows maybe", &["--empty-windows", "`skip` or `object`"]);
    bench
        .refuses("account add beta --zone UTC --start yesterday", &["--start", "\"yesterday\"", "beginning"]);
}

#[test]
fn an_id_that_cannot_be_one_is_refused() {
    let bench = Bench::with_acme();
    let long = "x".repeat(300);
    bench.refuses("account add '' --zone UTC", &["account id", "it is empty", "the vendor's own id"]);
    bench.refuses(
        &format!("account add {long} --zone UTC"),
        &["account id", "300 bytes", "at most 200", "shorter"],
    );
    bench.refuses(&format!("account add {} --zone UTC", "é".repeat(90)), &["encoded form", "540 bytes"]);
    bench.refuses("account add 'a\tb' --zone UTC", &["control character U+0009", "remove it"]);
    bench.does(&format!("account add {} --zone UTC", "y".repeat(197)));
    for good in ["a/b", "..", "with spaces", "100%", "Zürich"] {
        bench.does(&format!("account add '{good}' --zone UTC"));
        assert_eq!(bench.json(&format!("account show '{good}'"))["account"], good);
    }
}

#[test]
fn an_account_that_is_there_is_not_added_again() {
    let bench = Bench::with_acme();
    bench.refuses("account add acme --zone UTC", &["account acme", "exists already", "account set"]);
    for line in
        ["account show nobody", "account rm nobody", "account set nobody --zone UTC", "addon enable nobody"]
    {
        bench.refuses(line, &["account nobody", "there is none", "auditferry account ls"]);
    }
    bench.refuses("account release acme", &["account acme", "not held"]);
}

#[test]
fn an_add_on_ends_in_the_future_and_goes_on_from_its_watermark() {
    let bench = Bench::with_acme();
    bench.refuses(
        "addon enable acme --until 2020-01-01",
        &["until", "2020-01-01", "has passed", "later instant"],
    );
    bench.refuses(
        "addon enable acme --until someday",
        &["--until", "\"someday\"", "write it like 2027-01-01"],
    );
    bench.refuses("addon enable acme --until 2090-01-01T00:00:00.5Z", &["until", "parts of a second"]);
    bench
        .refuses("addon enable acme --from beginning", &["from", "beginning", "not sent twice", "write now"]);
    bench.refuses("addon enable acme --from 2026-01-01", &["from", "not sent twice"]);
}

#[test]
fn an_enabled_account_is_not_removed_by_accident() {
    let bench = Bench::with_acme();
    bench.does("addon enable acme");
    bench.refuses("account rm acme", &["account acme", "add-on is enabled", "disable it first", "--force"]);
    bench.does("addon disable acme");
    bench.does("account rm acme");
    assert_eq!(bench.json("account ls").as_array().unwrap().len(), 0);
}

#[test]
fn a_command_that_does_not_exist_is_refused() {
    let bench = Bench::with_acme();
    bench.refuses("acount ls", &["unrecognized subcommand 'acount'", "account"]);
    bench.refuses("account add", &["required", "--zone"]);
    bench.refuses("completions powershel", &["powershel"]);
    bench.refuses("demo --slots 0", &["--slots", "1..=100"]);
}
