//! The examples in the help are commands that the program takes; options of one cloud stand together.

use clap::Command;

fn examples(command: &Command, found: &mut Vec<String>) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    found.extend(
        help.lines().map(str::trim).filter(|line| line.starts_with("auditferry ")).map(str::to_owned),
    );
    command.get_subcommands().for_each(|below| examples(below, found));
}

#[test]
fn every_example_is_a_command() {
    let mut found = Vec::new();
    examples(&auditferry::cli::command(), &mut found);
    assert!(found.len() >= 15, "{found:?}");
    for line in found {
        let words = shlex::split(&line).expect("words");
        auditferry::cli::command()
            .try_get_matches_from(words)
            .unwrap_or_else(|error| panic!("{line}\n{error}"));
    }
}

#[test]
fn options_of_a_destination_stand_by_cloud() {
    let program = auditferry::cli::command();
    let destination = program.find_subcommand("destination").expect("a command");
    for name in ["set", "rotate"] {
        let command = destination.find_subcommand(name).expect("a command");
        let heading = |option: &str| {
            let found = command.get_arguments().find(|arg| arg.get_long() == Some(option)).expect(option);
            found.get_help_heading().map(str::to_owned)
        };
        assert_eq!(heading("access-key-id").as_deref(), Some("Amazon S3 and compatible stores"));
        assert_eq!(heading("impersonate").as_deref(), Some("Google Cloud Storage"));
        assert_eq!(heading("sas-file").as_deref(), Some("Azure Blob Storage"));
        for option in ["expires", "no-test", "reason"] {
            assert_eq!(heading(option), None, "{name} --{option}");
        }
    }
}
