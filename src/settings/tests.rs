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

#[test]
fn a_provider_is_checked_before_anything_starts() {
    let oidc = |lines: &str, roles: &str| {
        let form = "[api.oidc]\nissuer = \"https://id.example/realms/ops\"\naudience = \"auditferry\"";
        load(&format!("{form}\n{lines}\n[api.oidc.roles]\n{roles}"), &[])
    };
    let good = oidc("claim = \"realm_access.roles\"", "operator = [\"ops\"]");
    let mapping = good.unwrap_or_else(|e| panic!("{e}")).api.oidc.mapping().expect("checked");
    assert_eq!(mapping.roles.get("ops"), Some(&auditferry_core::model::access::Role::Operator));
    for (lines, roles, says) in [
        ("", "", "api.oidc.roles: no value"),
        ("", "account_admin = [\"a\"]", "api.oidc.account_claim"),
        ("", "operator = [\"a\"]\nreader = [\"a\"]", "api.oidc.roles.reader: \"a\" stands in"),
        ("claim = \"a b\"", "operator = [\"a\"]", "api.oidc.claim"),
        ("clock_skew = \"6m\"", "operator = [\"a\"]", "api.oidc.clock_skew"),
        ("client_secret = \"HUSH\"", "operator = [\"a\"]", "write file:PATH or env:NAME"),
        ("client_secret = \"env:X\"", "operator = [\"a\"]", "api.oidc.client_id"),
    ] {
        let problem = oidc(lines, roles).err().expect("refused").to_string();
        assert!(problem.contains(says) && !problem.contains("HUSH"), "{problem}");
    }
    for bad in ["http://id.example", "id.example", "https://id.example?x=1", "http://localhost:8080"] {
        let problem = problem(&format!("[api.oidc]\nissuer = \"{bad}\""), &[]);
        assert!(problem.contains("api.oidc.issuer"), "{problem}");
    }
    assert!(problem("[api.oidc]\naudience = \"x\"", &[]).contains("api.oidc.issuer is empty"));
    assert!(problem("[api]\npublic_url = \"http://exports.example\"", &[]).contains("api.public_url"));
    assert!(problem("[api]\nsession_max = \"1m\"", &[]).contains("api.session_max"));
    let environment = [
        ("AUDITFERRY__API__OIDC__ISSUER", "https://id.example"),
        ("AUDITFERRY__API__OIDC__AUDIENCE", "a"),
        ("AUDITFERRY__API__OIDC__ROLES__OPERATOR", "ops,admins"),
    ];
    let settings = load("", &environment).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(settings.api.oidc.roles.operator, ["ops", "admins"]);
}
