//! Ids of accounts: what a new one may be, and what becomes of one that is there.

use auditferry::{ledger, source};
use auditferry_core::model::window::Format;

use crate::bench::Bench;
use crate::support::{rig, run};

/// 28 letters: a file's name of 279 bytes.
const LONG: &str = "監査監査監査監査監査監査監査監査監査監査監査監査監査監査";

#[test]
fn a_new_id_whose_names_fit_nowhere_or_that_nobody_can_tell_apart_is_refused() {
    let bench = Bench::with_acme();
    for (id, says) in [
        (LONG, ["account id", "252 bytes, at most 198"]),
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
        ledger.add_account(&rig::account(LONG, Format::default(), beginning)).await.expect("added");
        drop(ledger);
        let checked = bench.does("check");
        let note = format!("note    the names of account {LONG}'s objects have up to 309 bytes");
        assert!(checked.contains(&note) && !checked.contains("account acme's"), "{checked}");
        assert!(bench.does(&format!("account show {LONG}")).contains("up to 309 bytes: unzip"));
        assert_eq!(bench.json(&format!("account show {LONG}"))["long_names"], 309);
        bench.file(
            "exports.toml",
            format!("[[export]]\naccount = \"{LONG}\"\nzone = \"UTC\"\naddon = {{ enabled = true }}\n"),
        );
        bench.does("apply exports.toml");
    });
}
