//! Listings that are longer than what is shown at first, narrow terminals, and names that customers quote.

use serde_json::Value;

use crate::cli::databases::change;
use crate::support::bench::{Bench, S3};

/// An account with so many objects that are sealed and not delivered.
fn failing(objects: u32) -> Bench {
    let bench = Bench::with_destination();
    bench.does("addon enable acme");
    let mut sql = String::new();
    for number in 1..=objects {
        let at = 1_795_000_000_000_000_u64 + u64::from(number) * 1_000_000;
        sql.push_str(&format!(
            "INSERT INTO export_window (account, number, slot, state, record_set, from_at, to_at, zone, format, prefix, \
             destination_version, content_version, generation) VALUES ('acme', {number}, {at}, 'delivered', '{{}}', 0, \
             {at}, 'UTC', '{{}}', '', 1, 1, 1); \
             INSERT INTO delivery (account, number, ordinal, key, state, records, content_bytes, content_sha256, \
             object_bytes, object_sha256, ends_window, sealed_at) VALUES ('acme', {number}, 1, \
             'siem/audit/acme/audit_acme_{number:04}.zip', 'sealed', 1, 1, 'c', 1, 'o', 1, {at});"
        ));
    }
    change(&bench, &sql);
    bench
}

fn keys(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect()
}

#[test]
fn what_is_left_out_of_a_listing_is_told() {
    let bench = failing(64);
    let table = bench.does("deliveries ls --undelivered");
    assert!(table.ends_with("50 of 64 shown; --all shows the rest\n"), "{table}");
    let answer = bench.run("deliveries ls --undelivered --json");
    assert!(answer.err.contains("50 of 64 shown; --all shows the rest"), "{answer}");
    let list: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(keys(&list).len(), 50);
    assert!(keys(&list)[0].ends_with("0001.zip"), "the oldest first");
    assert!(keys(&bench.json("deliveries ls"))[0].ends_with("0064.zip"), "the newest first");
    for line in ["deliveries ls --undelivered --all", "deliveries ls --limit 64"] {
        let answer = bench.run(&format!("{line} --json"));
        assert!(answer.code == Some(0) && answer.err.is_empty(), "{answer}");
        assert_eq!(keys(&serde_json::from_str(&answer.out).unwrap()).len(), 64);
    }
    assert!(bench.does("deliveries ls acme --windows").ends_with("50 of 64 shown; --all shows the rest\n"));
    assert!(bench.does("changes ls --limit 1").contains("1 of 3 shown; --all shows the rest"));
    bench.refuses("deliveries ls --all --limit 3", &["cannot be used with"]);
}

#[test]
fn accounts_are_chosen_and_ordered() {
    let bench = Bench::new();
    let export = |number: u32| format!("[[export]]\naccount = \"a{number:02}\"\nzone = \"UTC\"\n");
    bench.file("exports.toml", (1..=60).map(export).collect::<String>());
    bench.does("apply exports.toml");
    let table = bench.does("account ls");
    assert!(table.contains("50 of 60 shown") && table.lines().count() == 52, "{table}");
    assert_eq!(bench.json("account ls --all").as_array().unwrap().len(), 60);
    let header = table.lines().next().unwrap();
    assert!(header.contains("SINCE") && header.contains("ADD-ON UNTIL"), "{header}");

    bench.does("account pause a07");
    bench.file("secret", "HUSH");
    for account in ["a11", "a33"] {
        bench.does(&format!("destination set {account} {S3} --bucket acme-siem"));
    }
    bench.does("addon enable a09 --until 2090-01-01");
    change(
        &bench,
        "UPDATE account SET addon_enabled = 1, held = 'content_changed', \
         trouble_kind = 'content_changed', trouble_message = 'm', trouble_at = 1763700000000000 WHERE id = 'a11'; \
         UPDATE account SET addon_enabled = 1, failures = 3, suspended_at = \
         1763600000000000, denied_since = 1763500000000000 WHERE id = 'a33'",
    );
    let ids = |line: &str| -> Vec<String> {
        let list = bench.json(line);
        list.as_array().unwrap().iter().map(|row| row["account"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("account ls --failing"), ["a11", "a33"]);
    assert_eq!(ids("account ls --failing --sort oldest"), ["a33", "a11"]);
    assert_eq!(ids("account ls --ending-within 30000d"), ["a09"]);
    assert_eq!(ids("account ls --ending-within 30d"), Vec::<String>::new());
    bench.refuses("account ls --ending-within soon", &["30d"]);
    assert!(bench.does("account ls --ending-within 1h").starts_with("No such accounts in the ledger"));
}

#[test]
fn a_narrow_terminal_breaks_no_word() {
    let bench = failing(2);
    let narrow = bench.with("COLUMNS", "60").run("deliveries ls --undelivered");
    assert!(narrow.out.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    assert!(narrow.out.contains('…') && narrow.out.contains("0001.zip"), "{narrow}");
    assert!(!narrow.out.contains('\u{1b}'), "{narrow}");
    let forced = bench.with("CLICOLOR_FORCE", "1").run("deliveries ls");
    assert!(forced.out.contains("\u{1b}[33msealed"), "{forced}");
    let both = bench.env("CLICOLOR_FORCE", "1").with("NO_COLOR", "1").run("deliveries ls").out;
    assert!(!both.contains('\u{1b}'), "{both}");
}

#[test]
fn an_object_is_found_by_the_name_of_its_file() {
    let bench = failing(2);
    let shown = bench.json("deliveries show acme audit_acme_0002.zip");
    assert_eq!(shown["delivery"]["key"], "siem/audit/acme/audit_acme_0002.zip");
    bench.refuses("deliveries show acme audit_acme_000_.zip", &["knows no object"]);
    bench.refuses(
        "deliveries replay acme --from audit_beta_20261121T040000Z.zip --to 20261121T080000Z",
        &["account acme", "\"beta\"", "name an object of this account"],
    );
    let replay = bench.run(
        "deliveries replay acme --from siem/audit/acme/audit_acme_20261121T040000Z.zip --to \
         audit_acme_20261121T080000Z_0002.zip",
    );
    assert!(replay.code == Some(2) && replay.err.contains("deliveries ls"), "{replay}");
}
