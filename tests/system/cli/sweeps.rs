//! `auditferry apply` with a file that would stop many accounts.

use std::fmt::Write as _;

use crate::support::bench::Bench;

/// A file with accounts `a0`, `a1` and so on.
fn declared(count: usize, enabled: impl Fn(usize) -> bool) -> String {
    let mut text = String::new();
    for number in 0..count {
        let addon = enabled(number);
        write!(
            text,
            "[[export]]\naccount = \"a{number}\"\nzone = \"UTC\"\naddon = {{ enabled = {addon} }}\n\n"
        )
        .unwrap();
    }
    text
}

/// Ten accounts that are enabled.
fn ten() -> Bench {
    let bench = Bench::new();
    bench.file("ten.toml", declared(10, |_| true));
    bench.does("apply ten.toml");
    bench
}

fn accounts(bench: &Bench) -> usize {
    bench.json("account ls").as_array().unwrap().len()
}

#[test]
fn a_file_that_was_cut_removes_nobody_until_that_is_confirmed() {
    let bench = ten();
    let whole = declared(10, |_| true);
    let cut = &whole[..whole.len() * 3 / 10];
    bench.file("cut.toml", cut);
    let says = [
        "cut.toml: confirm: 7 accounts of 10 would be disabled or removed in one step",
        "7 accounts of 10 export now",
        "a3, a4, a5, a6, a7 and 2 more",
        "see that the file is the right one and whole",
        "--confirm 7",
    ];
    bench.refuses("apply cut.toml --prune", &says);
    bench.refuses("apply cut.toml --prune --confirm 6", &["6 was confirmed, and 7 accounts would be"]);
    let dry = bench.run("apply cut.toml --prune --dry-run");
    assert_eq!(dry.code, Some(0), "{dry}");
    assert!(dry.err.contains("It would be refused: confirm: 7 accounts of 10"), "{dry}");
    // Without --prune nobody is removed.
    assert_eq!(bench.does("apply cut.toml"), "Nothing to change.\n");
    assert_eq!(accounts(&bench), 10);
    bench.does("apply cut.toml --prune --confirm 7");
    assert_eq!(accounts(&bench), 3);
}

#[test]
fn many_addons_are_disabled_only_when_that_is_confirmed() {
    let bench = ten();
    bench.file("off.toml", declared(10, |number| number >= 6));
    bench.refuses("apply off.toml", &["6 accounts of 10 would be disabled or removed", "--confirm 6"]);
    let allowed = bench.with("AUDITFERRY__SAFETY__MAX_SHARE", "0.6").run("apply off.toml");
    assert_eq!(allowed.code, Some(0), "{allowed}");
    // What is off already is not stopped again.
    assert_eq!(bench.does("apply off.toml"), "Nothing to change.\n");
    bench.refuses("apply off.toml --confirm 6", &["6 was confirmed, and 0 accounts would be"]);
}

#[test]
fn a_small_installation_is_not_asked() {
    let bench = ten();
    bench.file("four.toml", declared(10, |number| number >= 4));
    bench.does("apply four.toml");
    for wrong in ["1.5", "-0.1", "nan"] {
        bench
            .with("AUDITFERRY__SAFETY__MAX_SHARE", wrong)
            .refuses("apply ten.toml", &["safety.max_share", "0.2"]);
    }
}
