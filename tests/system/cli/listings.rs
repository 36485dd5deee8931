//! Listings: a table for a person, JSON with documented names for a program.

use serde_json::Value;

use crate::support::bench::Bench;

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

#[test]
fn an_empty_ledger_says_what_to_do() {
    let bench = Bench::new();
    bench.does("migrate");
    let ledger = "in the ledger sqlite:auditferry.db.";
    let add = "Add one: auditferry account add ID --zone ZONE";
    assert_eq!(bench.does("account ls"), format!("No accounts {ledger} {add}\n"));
    assert_eq!(bench.does("changes ls"), format!("No changes {ledger}\n"));
    assert_eq!(bench.json("account ls"), serde_json::json!([]));
    assert_eq!(bench.does("deliveries ls"), format!("No deliveries {ledger}\n"));
    assert_eq!(bench.json("deliveries ls"), serde_json::json!([]));
}

/// In a wrong folder, nobody is told that all accounts are gone, and nothing is left there.
#[test]
fn what_only_reads_makes_nothing() {
    let bench = Bench::new();
    for command in [
        "account ls",
        "account show acme",
        "deliveries ls",
        "deliveries show acme x",
        "changes ls",
        "addon show acme",
        "destination show acme",
        "destination test acme",
        "keys ls",
    ] {
        bench.refuses(command, &["ledger.url: there is no database auditferry.db", "auditferry migrate"]);
    }
    assert!(!bench.path("auditferry.db").exists());
    bench.does("migrate");
    bench
        .with("AUDITFERRY__SOURCE__URL", "sqlite:elsewhere.db")
        .refuses("account ls", &["source.url: there is no database elsewhere.db"]);
}

#[test]
fn accounts_are_listed_for_people_and_programs() {
    let bench = Bench::with_destination().visited();
    bench.does("account add 'b corp' --zone America/New_York");
    bench.does("addon enable acme --until 2090-01-01 --reason 'order 4711'");
    let table = bench.does("account ls");
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("ACCOUNT") && lines[0].contains("HEALTH") && lines[0].contains("NEXT SLOT"),
        "{table}"
    );
    assert!(
        lines[1].starts_with("acme ") && lines[1].contains("running") && lines[1].contains("Asia/Kolkata"),
        "{table}"
    );
    assert!(lines[2].starts_with("b corp ") && lines[2].contains("disabled"), "{table}");
    let list = bench.json("account ls");
    assert_eq!(
        names(&list[0]),
        [
            "account",
            "health",
            "since",
            "zone",
            "addon_until",
            "next_slot",
            "watermark_at",
            "windows",
            "error"
        ]
    );
    assert_eq!((&list[0]["account"], &list[0]["health"]), (&"acme".into(), &"running".into()));
    assert_eq!(list[0]["addon_until"], "2090-01-01T00:00:00Z");
    assert_eq!((&list[1]["account"], &list[1]["next_slot"]), (&"b corp".into(), &Value::Null));
}

#[test]
fn a_gap_is_among_the_windows() {
    let bench = Bench::with_destination();
    assert!(bench.does("deliveries ls acme --windows").starts_with("No windows in the ledger"));
    bench.does("addon enable acme");
    bench.does("addon disable acme");
    let said = bench.does("addon enable acme --from now");
    assert!(said.contains("auditferry deliveries ls acme --windows"), "{said}");
    let list = bench.json("deliveries ls acme --windows");
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    let gap = &list[0];
    assert_eq!(
        names(gap),
        ["account", "window", "slot", "from", "to", "state", "objects", "records", "skipped", "left_out"]
    );
    assert_eq!(
        (&gap["account"], &gap["window"], &gap["state"], &gap["objects"], &gap["records"]),
        (&"acme".into(), &1.into(), &"skipped".into(), &0.into(), &0.into())
    );
    assert_eq!(
        gap["to"],
        bench.json("account show acme")["watermark_at"],
        "it ends where the export goes on"
    );
    assert!(gap["from"].as_str() < gap["to"].as_str(), "{gap}");
    assert_eq!(gap["left_out"], 0);
    let table = bench.does("deliveries ls acme --windows");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("WINDOW  SLOT") && lines[1].starts_with("1 "), "{table}");
    assert!(lines[1].contains("skipped") && lines.len() == 2, "{table}");
    bench.refuses("deliveries ls nobody --windows", &["account nobody", "auditferry account ls"]);
    bench.refuses("deliveries ls --windows", &["<ACCOUNT>"]);
    bench.refuses("deliveries ls acme --windows --undelivered", &["cannot be used with"]);
}

#[test]
fn one_account_is_explained_on_one_screen() {
    let bench = Bench::with_destination().visited();
    let disabled = bench.does("account show acme");
    assert!(
        disabled.contains("disabled") && disabled.contains("`auditferry addon enable acme`"),
        "{disabled}"
    );
    bench.does("addon enable acme --until 2090-01-01 --reason 'order 4711'");
    let shown = bench.does("account show acme");
    for fact in [
        "health         running",
        "add-on         active, until ",
        "(order 4711)",
        "destination    s3://acme-siem/",
        "schedule       \"0 0 */4 * * *\" in Asia/Kolkata",
        "+05:30 = ",
        "last delivery  none yet",
        "waiting        0 records",
    ] {
        assert!(shown.contains(fact), "{shown}\nlacks {fact:?}");
    }
    assert!(shown.lines().count() <= 21, "{shown}");
    let json = bench.json("account show acme");
    for name in [
        "account",
        "health",
        "advice",
        "zone",
        "schedule",
        "format",
        "addon",
        "addon_until",
        "addon_reason",
        "destination",
        "watermark_at",
        "next_slot",
        "retry_at",
        "open_window",
        "waiting",
        "last_delivery",
        "error",
    ] {
        assert!(json.get(name).is_some(), "{name} is missing in {json}");
    }
    assert_eq!(json["destination"], "s3://acme-siem/");

    bench.does("destination rm acme");
    let without = bench.does("account show acme");
    assert!(
        without.contains("no_destination") && without.contains("auditferry destination set acme"),
        "{without}"
    );
}

#[test]
fn an_account_is_paused_and_resumed() {
    let bench = Bench::with_destination().visited();
    bench.does("addon enable acme");
    let paused = bench.does("account pause acme --reason 'bucket moves'");
    assert!(paused.contains("`auditferry account resume acme`"), "{paused}");
    let since = bench.json("account show acme")["paused"]["at"].clone();
    bench.does("account pause acme");
    let shown = bench.json("account show acme");
    assert_eq!(shown["paused"], serde_json::json!({ "at": since, "reason": "bucket moves" }), "idempotent");
    assert_eq!((&shown["health"], &shown["denied_since"]), (&"paused".into(), &Value::Null));
    assert_eq!(bench.json("account ls")[0]["health"], "paused");
    let screen = bench.does("account show acme");
    for fact in ["health         paused", "`auditferry account resume acme`", "(bucket moves)"] {
        assert!(screen.contains(fact), "{screen}\nlacks {fact:?}");
    }
    assert!(bench.does("account resume acme").contains("continues from its watermark"));
    assert_eq!(bench.json("account show acme")["health"], "running");
    assert!(bench.does("account resume acme").contains("nothing was changed"));
    bench.refuses("account pause nobody", &["account nobody", "auditferry account ls"]);
}

#[test]
fn what_is_typed_next_is_quoted_for_a_shell() {
    let bench = Bench::new();
    let printed = bench.does("account add 'b corp' --zone UTC");
    assert!(printed.contains("auditferry destination set 'b corp'"), "{printed}");
    assert!(bench.does("account show 'b corp'").contains("auditferry addon enable 'b corp'"));
}

#[test]
fn the_add_on_is_shown_with_its_end_and_reason() {
    let bench = Bench::with_acme();
    assert!(bench.does("addon show acme").contains("add-on     disabled"));
    bench.does("addon enable acme --until 2090-01-01T00:00:00Z --reason 'order 4711'");
    let shown = bench.does("addon show acme");
    assert!(
        shown.contains("active") && shown.contains("2090-01-01 00:00:00Z") && shown.contains("order 4711"),
        "{shown}"
    );
    let json = bench.json("addon show acme");
    assert_eq!(
        json,
        serde_json::json!({
            "account": "acme", "state": "active",
            "addon": { "enabled": true, "until": "2090-01-01T00:00:00Z", "reason": "order 4711" },
        })
    );
    bench.does("addon disable acme --reason 'not paid'");
    assert_eq!(bench.json("addon show acme")["state"], "disabled");
    assert_eq!(bench.json("account show acme")["addon_reason"], "not paid");
}

#[test]
fn options_of_an_account_are_changed_and_kept() {
    let bench = Bench::with_acme();
    bench.does("account set acme --zone asia/tokyo --schedule '0 0 0 * * *' --container gzip --layout array --empty-windows object --max-records 5 --max-bytes 1000 --compression 0 --record-format snake_case --envelope false --absent omit --max-field-bytes 0 --path contract --source Acme");
    let shown = bench.json("account show acme");
    assert_eq!((&shown["zone"], &shown["schedule"]), (&"Asia/Tokyo".into(), &"0 0 0 * * *".into()));
    let format = serde_json::json!({
        "container": "gzip", "layout": "array", "empty_windows": "object",
        "max_records": 5, "max_bytes": 1000, "compression": 0,
        "record_format": "snake_case", "envelope": false, "absent": "omit", "max_field_bytes": 0,
        "path": "contract", "source": "Acme", "siem": "none",
    });
    assert_eq!(shown["format"], format);
    bench.does("account set acme --layout lines");
    assert_eq!(bench.json("account show acme")["format"]["container"], "gzip");
}

#[test]
fn an_object_that_is_not_known_is_not_shown() {
    let bench = Bench::with_acme();
    bench.refuses(
        "deliveries show acme audit/x.zip",
        &["account acme", "\"audit/x.zip\"", "auditferry deliveries ls"],
    );
    assert!(bench.does("deliveries ls acme --undelivered").starts_with("No undelivered objects in the"));
}

#[test]
fn help_and_version_are_printed() {
    let bench = Bench::new();
    let help = bench.does("--help");
    for command in [
        "run",
        "demo",
        "check",
        "migrate",
        "apply",
        "account",
        "destination",
        "addon",
        "deliveries",
        "import",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}\nlacks {command}");
    }
    assert!(bench.does("--version").starts_with("auditferry "));
}
