//! What a shell completes: commands, options, and the ids of accounts.

use std::process::Command;

use crate::support::bench::Bench;

/// What bash is offered for a line, whose last word is being typed.
pub(super) fn completed(bench: &Bench, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = bench.command(&["--", "auditferry"]);
    command.args(&words).env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
    let output = command.output().expect("auditferry");
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[test]
fn account_ids_commands_and_options_are_completed() {
    let bench = Bench::new();
    for id in ["acme", "acme-eu", "beta"] {
        bench.does(&format!("account add {id} --zone UTC"));
    }
    assert_eq!(completed(&bench, "account show ac"), ["acme", "acme-eu"]);
    assert_eq!(completed(&bench, "destination rotate acme"), ["acme", "acme-eu"]);
    assert_eq!(completed(&bench, "addon disable b"), ["beta"]);
    assert!(completed(&bench, "account show ").starts_with(&["acme".to_owned(), "acme-eu".to_owned()]));
    assert!(completed(&bench, "account show zz").is_empty());
    assert_eq!(completed(&bench, "deliv"), ["deliveries"]);
    assert!(completed(&bench, "account ls --fail").contains(&"--failing".to_owned()));
}

#[test]
fn without_a_ledger_nothing_is_offered_and_nothing_is_made() {
    let bench = Bench::new();
    assert!(completed(&bench, "account show ac").is_empty());
    assert!(!bench.path("auditferry.db").exists(), "to complete a line makes no ledger");
}

#[test]
fn each_shell_gets_a_script_that_asks_this_program() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = bench.does(&format!("completions {shell}"));
        assert!(script.contains("COMPLETE") && script.contains("auditferry"), "{shell}: {script}");
    }
    bench.file("script", bench.does("completions bash"));
    let read = Command::new("bash").arg("-n").arg(bench.path("script")).status().expect("bash");
    assert!(read.success(), "bash does not read the script");
    assert!(!bench.path("auditferry.db").exists(), "a completion script makes no ledger");
}
