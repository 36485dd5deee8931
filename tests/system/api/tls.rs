//! TLS of the API: its own certificate, read again when the files change.

use std::path::Path;
use std::time::Duration;

use crate::support::api::{Served, token};
use crate::support::bench::Bench;
use crate::support::{eventually, run};

const SUPPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support");

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(SUPPORT).join(name)).unwrap()
}

/// Who trusts one CA, and no other.
fn trusting(name: &str) -> reqwest::Client {
    let authority = reqwest::Certificate::from_pem(&pem(name)).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([authority])
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

#[test]
fn a_new_certificate_is_used_and_a_missing_one_changes_nothing() {
    run(async {
        let bench = Bench::with_acme();
        bench.file("api.pem", pem("signed.pem"));
        let file = bench.path("api.pem").display().to_string();
        let settings = [
            ("AUDITFERRY__API__TLS_CERTIFICATE", file.as_str()),
            ("AUDITFERRY__API__TLS_KEY", file.as_str()),
        ];
        let served = Served::start(&bench, &settings);
        let url = served.url().replace("http://", "https://");
        let token = token(&bench, "reader", &[]);
        let get = async |trusts: &str| {
            let request = trusting(trusts).get(format!("{url}/api/v1/accounts")).bearer_auth(&token);
            request.send().await.map(|answer| answer.status().as_u16())
        };
        assert_eq!(get("ca.pem").await.unwrap(), 200);
        assert!(get("self_signed.pem").await.is_err(), "its certificate is another's");
        assert!(reqwest::get(served.url()).await.is_err(), "nothing is served in the clear");

        bench.file("api.pem", pem("self_signed.pem"));
        eventually("the new certificate", async || get("ca.pem").await.err()).await;
        bench.file("api.pem", pem("signed.pem"));
        eventually("the one before", async || get("ca.pem").await.ok()).await;

        std::fs::remove_file(bench.path("api.pem")).unwrap();
        let log = || std::fs::read_to_string(bench.path("serve.log")).unwrap();
        eventually("a line of the log", async || {
            // A connection is enough, and no request is counted.
            let _ = get("self_signed.pem").await;
            log().contains("the API keeps its certificate").then_some(())
        })
        .await;
        assert_eq!(get("ca.pem").await.unwrap(), 200);
        assert!(log().contains("api.tls_certificate"), "{}", log());
    });
}
