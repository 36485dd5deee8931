//! What is tried before it is set, what a check prints, and manual pages.

use crate::support::bench::{Bench, S3};

fn exports(count: u32) -> String {
    let export = |number: u32| {
        format!(
            "[[export]]\naccount = \"a{number:02}\"\nzone = \"UTC\"\n[export.destination]\nkind = \"s3\"\nbucket = \
             \"acme-siem\"\nregion = \"eu-central-1\"\nendpoint = \"http://127.0.0.1:1\"\nallow_http = true\ncredentials = \
             {{ access_key = {{ id = \"AKIA\", secret = {{ file = \"secret\" }} }} }}\n"
        )
    };
    (1..=count).map(export).collect()
}

#[test]
fn a_file_with_broken_destinations_changes_nothing() {
    let bench = Bench::new();
    bench.file("secret", "HUSH");
    bench.file("exports.toml", exports(20));
    bench.does("migrate");
    let before = bench.state();
    let refused = bench.run("apply exports.toml");
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.out.contains("FAILED  a01: unreachable") && refused.out.contains("fix: "), "{refused}");
    assert!(
        refused.out.contains("20 of 20 destinations do not accept objects. Nothing was changed."),
        "{refused}"
    );
    assert_eq!(bench.state(), before);
    assert!(bench.does("apply exports.toml --no-test").contains("40 changes made."));
    assert_eq!(bench.does("apply exports.toml"), "Nothing to change.\n", "what is as it was is not tried");

    bench.file(
        "exports.toml",
        exports(20).replacen("bucket = \"acme-siem\"", "bucket = \"acme-siem\"\nprefix = \"x/\"", 1),
    );
    let planned = bench.does("apply exports.toml --dry-run");
    assert!(
        planned.contains("(prefix: none -> x/)") && planned.contains("1 change; nothing was"),
        "{planned}"
    );
}

#[test]
fn a_check_prints_results_first_and_what_differs() {
    let bench = Bench::with_destination().env("AUDITFERRY__WORKER__CONCURRENCY", "7");
    let said = bench.does("check");
    assert!(said.starts_with("ok      certificates: ") && said.contains("\nok      ledger\n"), "{said}");
    assert!(said.contains("differ from the defaults") && said.contains("worker.concurrency = 7"), "{said}");
    assert!(!said.contains("put.timeout"), "{said}");
    assert!(bench.does("check --all").contains("put.timeout"));
    let json = bench.json("check");
    assert_eq!(json["findings"][1], serde_json::json!({ "result": "ok", "text": "ledger" }));
    assert_eq!(json["settings"]["worker.concurrency"], "7");
    assert!(json["settings"]["put.timeout"].is_null(), "{json}");
}

/// A store that takes connections and never answers: each step is told as it begins.
#[test]
fn a_test_of_a_store_that_hangs_tells_its_steps_and_what_to_do() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bench = Bench::with_acme().env("AUDITFERRY__PUT__TIMEOUT", "2s");
    bench.file("secret", "HUSH");
    bench.does(&format!("destination set acme {S3} --bucket acme-siem --endpoint {url} --allow-http"));
    let answer = bench.run("destination test acme");
    assert_eq!(answer.code, Some(1), "{answer}");
    assert!(
        answer.err.contains("…       connect\n") && answer.err.contains("…       authenticate"),
        "{answer}"
    );
    assert!(answer.out.contains("run the test again") && !answer.out.contains("nothing: it is"), "{answer}");
}

#[test]
fn a_manual_page_is_made_for_each_command() {
    let bench = Bench::new();
    bench.does("man --out man/pages");
    let page = std::fs::read_to_string(bench.path("man/pages/auditferry-destination-rotate.1")).unwrap();
    assert!(page.contains("auditferry destination rotate acme"), "{page}");
    assert!(bench.path("man/pages/auditferry.1").exists());
    bench.file("file", "");
    bench.refuses("man --out file", &["--out file", "name a folder"]);
}

#[test]
fn a_city_leads_to_its_zone() {
    let bench = Bench::new();
    bench.does("migrate");
    bench.refuses("account add acme --zone Berlin", &["did you mean Europe/Berlin?"]);
}

/// The key that `keys generate` names is the one that the ledger then asks for.
#[test]
fn the_id_of_a_key_is_the_same_everywhere() {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH");
    let made = bench.does("keys generate --out sealing.key --id 2026-11");
    let line = made.lines().find_map(|line| line.split_once("AUDITFERRY__KEYS__RING=")).expect("a line").1;
    assert_eq!(line, format!("2026-11=file:{}", bench.path("sealing.key").canonicalize().unwrap().display()));
    let set = format!("destination set acme {S3} --bucket acme-siem --seal");
    assert_eq!(bench.with("AUDITFERRY__KEYS__RING", line).run(&set).code, Some(0));
    let other = line.replacen("2026-11", "2026-11-30", 1);
    let run = bench.with("AUDITFERRY__KEYS__RING", &other).run("run --until-idle");
    run.is_refusal(
        2,
        &["1 secret that is sealed with key 2026-11", "it has 2026-11-30", "under that very id"],
    );
    bench.refuses("keys generate --out other.key --id 'No key'", &["1 to 64 of a-z"]);
}
