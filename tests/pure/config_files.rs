//! The files that ship are what the code reads: every key is known, documented and in force.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use auditferry::settings::Settings;

mod alerts;
mod defaults;
mod deploy;
mod example;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn settings(file: Option<&Path>, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load_with(file, environment.collect::<HashMap<_, _>>()).map_err(|error| error.to_string())
}

fn defaults() -> Settings {
    settings(None, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// `section.key` of every setting.
fn known_settings() -> BTreeSet<String> {
    defaults().effective.into_iter().map(|(key, _)| key).collect()
}

/// The name of a line `name = value`, also of one that is commented out.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let (name, value) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (plain && !value.trim().is_empty()).then_some(name)
}

/// Whether prose stands above a line, with nothing but other keys in between.
fn is_documented(lines: &[&str], at: usize) -> bool {
    let above = lines[..at].iter().rev().find(|line| key_of(line).is_none());
    above.is_some_and(|line| line.starts_with("# "))
}

fn help(command: &str) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_auditferry")).args(command.split(' ')).arg("--help").output();
    let output = output.expect("the binary");
    assert!(output.status.success(), "auditferry {command} --help");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What stands between a mark and the next one, for each place of the first.
fn between<'a>(text: &'a str, before: &str, after: &[char]) -> Vec<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split(after).next().unwrap()).collect()
}
