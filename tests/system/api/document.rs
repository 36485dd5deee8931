//! The document of the API is the one that is committed.

use crate::support::api::{Served, token};
use crate::support::bench::Bench;
use crate::support::run;

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let now = served.client().get("/openapi.json").await.text + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        if std::env::var_os("AUDITFERRY_REWRITE").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == now,
            "docs/openapi.json is not current; AUDITFERRY_REWRITE=1 cargo test --test system -- api::document"
        );
        let document: serde_json::Value = serde_json::from_str(&now).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let told = format!("{method} {path}");
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{told}");
                assert!(operation["responses"]["4XX"].is_object(), "{told}");
            }
        }
    });
}

/// Requests of every form that the document allows, and of many that it forbids, as each role.
#[test]
fn a_fuzzer_finds_nothing_in_it() {
    let tools = std::env::var("AUDITFERRY_TEST_TOOLS").expect("AUDITFERRY_TEST_TOOLS: run ./scripts/test");
    let program = std::path::Path::new(&tools).join("venv/bin/schemathesis");
    let bench = Bench::with_destination();
    bench.does("account add beta --zone UTC");
    let settings = [
        ("AUDITFERRY__API__REQUESTS_PER_MINUTE", "10000000"),
        ("AUDITFERRY__API__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let served = Served::start(&bench, &settings);
    for role in ["operator", "support", "account-admin", "reader", "portal"] {
        let limits: &[&str] = if role == "account-admin" { &["acme"] } else { &[] };
        let secret = token(&bench, role, limits);
        let done = std::process::Command::new(&program)
            .current_dir(bench.path(""))
            .arg("--config-file")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/system/api/schemathesis.toml"))
            .arg("run")
            .arg(format!("{}/api/v1/openapi.json", served.url()))
            .args(["--url", &format!("{}/api/v1", served.url()), "--header"])
            .arg(format!("Authorization: Bearer {secret}"))
            .args([
                "--phases",
                "examples,coverage,fuzzing",
                "--max-examples",
                "8",
                "--seed",
                "1",
                "--no-color",
            ])
            .output()
            .expect("schemathesis; ./scripts/test installs it");
        let out = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{role}: {out}\n{}", String::from_utf8_lossy(&done.stderr));
    }
    let log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}
