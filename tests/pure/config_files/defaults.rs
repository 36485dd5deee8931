//! `config/default.toml`

use std::collections::{BTreeMap, BTreeSet};

use auditferry::settings::DEFAULTS;

use super::{defaults, is_documented, key_of, known_settings, read, repository, settings};
use auditferry_core::model::account::AccountId;

#[test]
fn the_defaults_are_the_file_and_load_as_a_file_too() {
    assert_eq!(DEFAULTS, read("config/default.toml"));
    let as_file = settings(Some(&repository("config/default.toml")), &[]);
    assert_eq!(as_file.unwrap_or_else(|error| panic!("{error}")).effective, defaults().effective);
}

#[test]
fn every_default_is_documented() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    let mut section = "";
    let mut found = BTreeSet::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some(name) = key_of(line) {
            assert!(is_documented(&lines, at), "{section}.{name} has no comment above it");
            assert!(!line.starts_with('#'), "{section}.{name} is commented out");
            found.insert(format!("{section}.{name}"));
        }
    }
    assert_eq!(found, known_settings());
}

#[test]
fn every_default_is_read_by_the_code() {
    for key in known_settings() {
        let name = format!("AUDITFERRY__{}", key.to_uppercase().replace('.', "__"));
        let impossible = settings(None, &[(&name, "\u{1}impossible")]);
        let problem = impossible.err().unwrap_or_else(|| panic!("nobody reads {key}"));
        assert!(problem.contains(&key), "the message does not name {key}: {problem}");
    }
}

#[test]
fn a_changed_copy_of_the_defaults_is_in_force() {
    let changes = [
        ("ledger.url", "\"sqlite:auditferry.db\"", "\"sqlite:other.db\""),
        ("ledger.migrate", "true", "false"),
        ("source.table.schema", "\"public\"", "\"audit\""),
        ("source.table.lookback", "\"24h\"", "\"2h\""),
        ("worker.concurrency", "128", "9"),
        ("worker.lease", "\"2m\"", "\"3m\""),
        ("put.timeout", "\"60s\"", "\"61s\""),
        ("http.listen", "\"127.0.0.1:9464\"", "\"127.0.0.1:9465\""),
        ("log.format", "\"text\"", "\"json\""),
        ("credentials.allow_ambient", "[]", "[\"acme\"]"),
        ("credentials.token_hosts", "[]", "[\"blobs.example.com\"]"),
        ("export.schedule", "\"0 0 */4 * * *\"", "\"0 0 0 * * *\""),
        ("export.container", "\"zip\"", "\"gzip\""),
        ("export.layout", "\"lines\"", "\"array\""),
        ("export.empty_windows", "\"skip\"", "\"object\""),
        ("export.max_records", "100000", "7"),
        ("export.record_format", "\"display\"", "\"snake_case\""),
        ("export.absent", "\"null\"", "\"omit\""),
    ];
    let mut text = DEFAULTS.to_owned();
    let mut expected: BTreeMap<String, String> = defaults().effective.into_iter().collect();
    for (key, old, new) in changes {
        let name = key.rsplit_once('.').unwrap().1;
        let line = format!("\n{name} = {old}");
        assert!(text.contains(&line), "{line}");
        text = text.replacen(&line, &format!("\n{name} = {new}"), 1);
        expected.insert(key.to_owned(), new.trim_matches('"').to_owned());
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auditferry.toml");
    std::fs::write(&file, text).unwrap();
    let loaded = settings(Some(&file), &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.effective.into_iter().collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(loaded.export.format.max_records, 7);
    assert_eq!(loaded.source.table.lookback.0, std::time::Duration::from_secs(7_200));
    assert_eq!(loaded.credentials.allow_ambient, ["acme".parse::<AccountId>().unwrap()]);
}
