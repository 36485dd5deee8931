//! Where destinations may lead, and what stands between.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::bench::{Bench, S3};

const ALLOW: &str = "AUDITFERRY__NETWORK__ALLOW";

#[test]
fn an_endpoint_that_leads_inside_is_refused_unless_the_operator_allows_it() {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH");
    let set = |endpoint: &str| {
        format!("destination set acme {S3} --bucket acme-siem --allow-http --endpoint {endpoint}")
    };
    let says = ["destination.endpoint", "is not a public one", "network.allow"];
    for endpoint in ["http://169.254.169.254", "https://10.0.0.1:9000", "https://minio"] {
        bench.refuses(&set(endpoint), &says);
    }
    let closed = bench.with(ALLOW, "10.0.0.1");
    closed.run(&set("http://127.0.0.1:1")).is_refusal(2, &says);
    assert_eq!(closed.run(&set("https://10.0.0.1:9000")).code, Some(0));
    // Taken back, it is refused where it is used.
    let test = bench.run("destination test acme");
    assert_eq!(test.code, Some(1), "{test}");
    assert!(test.out.contains("10.0.0.1 is not a public one (private)"), "{test}");
}

#[test]
fn an_entry_that_is_nothing_is_named() {
    let bench = Bench::with_acme();
    bench.with(ALLOW, "10.0.0.0/33").refuses(
        "account ls",
        &["network.allow", "10.0.0.0/33", "neither an address, a range nor a host name"],
    );
}

/// Whether somebody connects to the proxy while acme's destination is tested.
fn asks_the_proxy(bench: &Bench, settings: &[(&str, &str)]) -> (bool, String) {
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    proxy.set_nonblocking(true).expect("a listener");
    let address = format!("http://{}", proxy.local_addr().expect("address"));
    let mut command = bench.command(&["destination", "test", "acme"]);
    command.envs(settings.iter().copied()).env("AUDITFERRY__PUT__TIMEOUT", "2s");
    for name in ["HTTP_PROXY", "http_proxy"] {
        command.env(name, &address);
    }
    let output = command.output().expect("the program");
    let asked = match proxy.accept() {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    };
    (asked, String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_environments_proxy_is_asked_only_when_the_operator_says_so() {
    let bench = Bench::with_acme();
    bench.file("secret", "sv=2024-11-04&sr=c&sp=c&sig=HUSH");
    let azure = "--kind azure --bucket acme-siem --sas-file secret --no-test";
    for kind in [format!("{S3} --bucket acme-siem"), azure.to_owned()] {
        bench.does(&format!(
            "destination set acme {kind} --endpoint http://127.0.0.1:1 --allow-http --replace"
        ));
        let (asked, says) = asks_the_proxy(&bench, &[]);
        assert!(!asked && says.contains("unreachable"), "{says}");
        let (asked, says) = asks_the_proxy(&bench, &[("AUDITFERRY__NETWORK__ENVIRONMENT_PROXY", "true")]);
        assert!(asked, "{says}");
    }
}

/// Google's client cannot be told to leave the proxy alone, so it is not used then.
#[test]
fn a_proxy_in_the_environment_is_named_before_googles_client_is_used() {
    let bench = Bench::with_acme();
    bench.file("secret", "{}");
    let set = "destination set acme --kind gcs --bucket acme-siem --service-account-file secret";
    bench.with("HTTPS_PROXY", "http://127.0.0.1:1").refuses(
        set,
        &["HTTPS_PROXY is set in the worker's environment", "network.environment_proxy = true"],
    );
    bench.refuses(set, &["type is missing"]);
}
