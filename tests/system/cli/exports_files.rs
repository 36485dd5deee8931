//! `auditferry apply`: checks everything, then changes what differs, and nothing twice.

use crate::support::bench::Bench;

const TWO: &str = r#"
[[export]]
account = "acme"
zone = "Asia/Kolkata"
addon = { enabled = true, until = "2090-01-01", reason = "order 4711" }
[export.destination]
kind = "s3"
bucket = "acme-siem"
region = "eu-central-1"
credentials = { access_key = { id = "AKIA", secret = { file = "secret" } } }

[[export]]
account = "beta"
zone = "UTC"
schedule = "0 0 0 * * *"
container = "gzip"
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.file("secret", "HUSH");
    bench.file("two.toml", TWO);
    bench
}

#[test]
fn applying_twice_changes_nothing() {
    let bench = bench();
    let first = bench.does("apply two.toml --no-test");
    assert!(first.contains("+ account acme: Asia/Kolkata") && first.contains("4 changes made."), "{first}");
    let state = bench.state();
    assert_eq!(bench.does("apply two.toml --no-test"), "Nothing to change.\n");
    assert_eq!(bench.state(), state);
    let acme = bench.json("account show acme");
    assert_eq!(acme["addon_until"], "2090-01-01T00:00:00Z");
    assert_eq!(acme["addon_reason"], "order 4711");
    assert_eq!(acme["destination"], "s3://acme-siem/");
    assert_eq!(bench.json("account show beta")["format"]["container"], "gzip");
}

#[test]
fn a_dry_run_prints_the_difference_and_changes_nothing() {
    let bench = bench();
    bench.does("migrate");
    let state = bench.state();
    let printed = bench.does("apply two.toml --dry-run");
    assert!(
        printed.contains("+ account beta") && printed.contains("nothing was changed (--dry-run)"),
        "{printed}"
    );
    assert_eq!(bench.state(), state);
    bench.does("apply two.toml --no-test");
    bench.file("two.toml", TWO.replace("acme-siem", "acme-other").replace("gzip", "none"));
    let state = bench.state();
    let printed = bench.does("apply two.toml --dry-run --prune");
    assert!(printed.contains("~ account acme: destination s3://acme-siem/ -> s3://acme-other/"), "{printed}");
    assert!(printed.contains("~ account beta: container \"gzip\" -> \"none\""), "{printed}");
    assert_eq!(bench.state(), state);
    bench.does("apply two.toml --no-test");
    assert_eq!(bench.json("destination show acme")["bucket"], "acme-other");
}

#[test]
fn only_what_is_undeclared_is_pruned_and_only_when_asked() {
    let bench = bench();
    bench.does("account add old --zone UTC");
    bench.does("apply two.toml --no-test");
    let accounts = |bench: &Bench| {
        let list = bench.json("account ls");
        list.as_array().unwrap().iter().map(|a| a["account"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(accounts(&bench), ["acme", "beta", "old"]);
    let printed = bench.does("apply two.toml --prune --no-test");
    assert!(
        printed.contains("- account old, with its history") && printed.contains("1 change made"),
        "{printed}"
    );
    assert_eq!(accounts(&bench), ["acme", "beta"]);
}

#[test]
fn a_file_that_declares_nobody_never_means_nobody() {
    let bench = bench();
    bench.does("apply two.toml --no-test");
    for nothing in ["", "# nothing yet\n", "export = []\n"] {
        bench.file("empty.toml", nothing);
        bench.refuses(
            "apply empty.toml --prune",
            &["empty.toml", "declares no [[export]]", "never means \"nobody\""],
        );
    }
    bench.refuses("apply nowhere.toml --prune", &["nowhere.toml", "No such file"]);
    bench.file("half.toml", "[[export]]\naccount = \"acme\"\nzone = [\n");
    bench.refuses("apply half.toml --prune", &["half.toml", "line 3"]);
    bench.file("binary.toml", b"\xff\xfe\x00");
    bench.refuses("apply binary.toml --prune", &["binary.toml", "UTF-8"]);
}

#[test]
fn two_exports_of_one_account_are_refused() {
    let bench = bench();
    bench.file("twice.toml", format!("{TWO}\n[[export]]\naccount = \"acme\"\nzone = \"UTC\"\n"));
    bench.refuses("apply twice.toml", &["twice.toml", "account acme is declared twice", "merge the two"]);
}

/// A good first export, and a second one with something wrong in it.
fn second(wrong: &str) -> String {
    format!("[[export]]\naccount = \"first\"\nzone = \"UTC\"\n\n[[export]]\n{wrong}\n")
}

#[test]
fn everything_is_checked_before_anything_is_changed() {
    let bench = bench();
    bench.does("migrate");
    let long = "x".repeat(201);
    let s3 = "[export.destination]\nkind = \"s3\"\nregion = \"r\"\n";
    let cases: [(String, &[&str]); 16] = [
        (
            "account = \"b\"\nzone = \"Europe/Berln\"".into(),
            &["account b", "zone", "did you mean Europe/Berlin"],
        ),
        ("account = \"b\"\nzone = \"UTC\"\nschedule = \"0 0 * *\"".into(), &["account b", "has 4 fields"]),
        ("account = \"b\"\nzone = \"UTC\"\nshedule = \"x\"".into(), &["line 8", "`shedule`", "`schedule`"]),
        (
            "account = \"b\"\nzone = \"UTC\"\ncompression = 10".into(),
            &["account b", "compression: 10", "0 to 9"],
        ),
        ("account = \"b\"\nzone = \"UTC\"\nmax_records = -1".into(), &["line 8", "-1"]),
        ("account = \"b\"\nzone = \"UTC\"\ncontainer = \"rar\"".into(), &["line 8", "`rar`", "`zip`"]),
        ("account = \"b\"\nzone = \"UTC\"\nstart = \"yesterday\"".into(), &["line 8", "start", "beginning"]),
        ("account = \"b\"\nzone = \"UTC\"\nstart = 2026-01-01".into(), &["line 8", "an instant, in quotes"]),
        ("zone = \"UTC\"".into(), &["line 5", "missing field `account`"]),
        ("account = \"b\"".into(), &["line 5", "missing field `zone`"]),
        ("account = \"\"\nzone = \"UTC\"".into(), &["line 6", "account id", "it is empty"]),
        (format!("account = \"{long}\"\nzone = \"UTC\""), &["line 6", "201 bytes", "at most 200"]),
        (
            "account = \"b\"\nzone = \"UTC\"\naddon = { enabled = true, until = \"2020-01-01\" }".into(),
            &["account b", "until", "has passed"],
        ),
        (
            "account = \"b\"\nzone = \"UTC\"\naddon = { enabled = true, until = 2090-01-01T00:00:00Z }"
                .into(),
            &["line 8", "an instant in quotes"],
        ),
        (
            format!("account = \"b\"\nzone = \"UTC\"\n{s3}bucket = \"Bad\"\ncredentials = \"ambient\""),
            &["account b", "destination.bucket", "as S3 shows it"],
        ),
        (
            format!(
                "account = \"b\"\nzone = \"UTC\"\n{s3}bucket = \"good\"\nendpont = \"https://x\"\ncredentials = \"ambient\""
            ),
            &["`endpont`", "`endpoint`"],
        ),
    ];
    for (wrong, says) in cases {
        bench.file("exports.toml", second(&wrong));
        bench.refuses("apply exports.toml", &[says, &["exports.toml"]].concat());
        bench.refuses("apply exports.toml --dry-run", says);
    }
}

#[test]
fn secrets_are_read_before_anything_is_changed() {
    let bench = bench();
    bench.does("migrate");
    std::fs::remove_file(bench.path("secret")).unwrap();
    bench.refuses("apply two.toml", &["two.toml", "account acme", "file = \"secret\"", "No such file"]);
    bench.does("apply two.toml --skip-secrets");
    let connection = "account = \"c\"\nzone = \"UTC\"\n[export.destination]\nkind = \"azure\"\ncontainer = \"abc\"\n\
        credentials = { connection_string = { env = \"CONNECTION\" } }";
    bench.file("exports.toml", second(connection));
    bench.refuses("apply exports.toml", &["account c", "env = \"CONNECTION\"", "is not set"]);
    bench.with("CONNECTION", "AccountName=acme;AccountKey=HUSH!").refuses(
        "apply exports.toml",
        &["account c", "credentials.connection_string", "AccountKey is not base64"],
    );
}

#[test]
fn the_example_is_applied() {
    let bench = Bench::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/exports.example.toml");
    let printed = bench.does(&format!("apply {example} --skip-secrets"));
    assert!(
        printed.contains("+ account globex") && printed.contains("destination azure://initech-siem/"),
        "{printed}"
    );
    assert_eq!(bench.does(&format!("apply {example} --skip-secrets")), "Nothing to change.\n");
}
