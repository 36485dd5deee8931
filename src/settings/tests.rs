use super::*;

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("auditferry.toml");
    std::fs::write(&path, file).expect("write");
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::load_with(Some(&path), environment)
}

fn problem(file: &str, environment: &[(&str, &str)]) -> String {
    load(file, environment).err().expect("refused").to_string()
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let settings = load(
        "[worker]\nconcurrency = 3\nlease = \"5m\"",
        &[("AUDITFERRY__WORKER__CONCURRENCY", "7"), ("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme,beta")],
    )
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(settings.worker.concurrency, 7);
    assert_eq!(settings.worker.lease.0, Duration::from_secs(300));
    assert_eq!(settings.export.schedule, "0 0 */4 * * *");
    assert_eq!(settings.credentials.allow_ambient.len(), 2);
    assert_eq!(settings.source_url(), "sqlite:auditferry.db");
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let file = problem("[worker]\nconcurency = 3", &[]);
    assert!(
        file.contains("unknown key worker.concurency") && file.contains("did you mean worker.concurrency"),
        "{file}"
    );
    let environment = problem("", &[("AUDITFERRY__LEDGER__ULR", "x")]);
    assert!(environment.contains("ledger.ulr in the environment (did you mean ledger.url"), "{environment}");
}

#[test]
fn values_that_cannot_work_are_explained() {
    assert!(problem("[worker]\nlease = \"10s\"", &[]).contains("worker.lease"));
    assert!(problem("[worker]\npoll_interval = \"soon\"", &[]).contains("\"soon\" is not a duration"));
    assert!(problem("[http]\nlisten = \"9464\"", &[]).contains("http.listen"));
    assert!(problem("[export]\nschedule = \"0 */4 * *\"", &[]).contains("has 4 fields"));
    assert!(problem("[export]\ncompression = 12", &[]).contains("compression: 12"));
    assert!(problem("[worker]\nconcurrency = \"many\"", &[]).contains("concurrency"));
    let url = problem("[ledger]\nurl = \"mysql://root:hunter2@x\"", &[]);
    assert!(url.contains("ledger.url") && !url.contains("hunter2"), "{url}");
}
