//! The document of the API is the one that is committed.

use crate::support::api::Served;
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
