//! Where destinations may lead, and what stands between.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;

use crate::support::bench::{Bench, S3};
use crate::support::gcs_server::known_key;

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

/// A destination of each kind, at an endpoint where nobody listens.
fn each_kind(bench: &Bench) -> [String; 3] {
    bench.file("secret", "sv=2024-11-04&sr=c&sp=c&sig=HUSH");
    bench.file("key.json", known_key());
    let kinds = [
        format!("{S3} --bucket acme-siem"),
        "--kind azure --bucket acme-siem --sas-file secret --no-test".to_owned(),
        "--kind gcs --bucket acme-siem --service-account-file key.json --no-test".to_owned(),
    ];
    kinds.map(|kind| {
        format!("destination set acme {kind} --endpoint http://127.0.0.1:1 --allow-http --replace --yes")
    })
}

#[test]
fn the_environments_proxy_is_asked_only_when_the_operator_says_so() {
    let bench = Bench::with_acme();
    for set in each_kind(&bench) {
        bench.does(&set);
        let (asked, says) = asks_the_proxy(&bench, &[]);
        assert!(!asked && says.contains("unreachable"), "{says}");
        let (asked, says) = asks_the_proxy(&bench, &[("AUDITFERRY__NETWORK__ENVIRONMENT_PROXY", "true")]);
        assert!(asked, "{says}");
    }
}

/// A proxy that answers everything with a page of its own.
fn portal(answer: &'static str) -> String {
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", proxy.local_addr().expect("address"));
    std::thread::spawn(move || {
        for mut socket in proxy.incoming().flatten() {
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut buffer = [0; 4096];
                match socket.read(&mut buffer) {
                    Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_page_of_the_environments_proxy_is_no_delivery() {
    let bench = Bench::with_acme();
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 20\r\nconnection: close\r\n\r\n<html>Sign in</html>",
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
    ] {
        let portal = portal(answer);
        for set in each_kind(&bench) {
            bench.does(&set);
            let mut command = bench.command(&["destination", "test", "acme"]);
            command.env("AUDITFERRY__NETWORK__ENVIRONMENT_PROXY", "true");
            for name in ["HTTP_PROXY", "http_proxy"] {
                command.env(name, &portal);
            }
            let output = command.output().expect("the program");
            let says = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(1), "{set}: {says}");
            assert!(says.contains("unknown: HTTP 20") && says.contains("captive portal"), "{set}: {says}");
        }
    }
}
