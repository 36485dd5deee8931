//! The server: how many requests it takes, from whom, and with which certificate.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use crate::support::api::{Served, token};
use crate::support::bench::Bench;
use crate::support::run;

#[test]
fn too_many_requests_wait() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[("AUDITFERRY__API__REQUESTS_PER_MINUTE", "5")]);
        let client = served.client().with(&token(&bench, "reader", &[]));
        for _ in 0..5 {
            client.get("/accounts").await.is(200);
        }
        let refused = client.get("/accounts").await;
        refused.is_problem(429, "too_many_requests");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=13).contains(&wait), "{wait}");
        // Another token has its own.
        served.client().with(&token(&bench, "reader", &[])).get("/accounts").await.is(200);
    });
}

#[test]
fn whoever_guesses_tokens_has_to_wait() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[("AUDITFERRY__API__TRUSTED_PROXIES", "127.0.0.1")]);
        let from = |address: &str| served.client().header("x-forwarded-for", address);
        let guess = "afo_0000000000000000000000000000000000000000000000000";
        let mut waits = 0;
        for _ in 0..25 {
            let reply = from("192.0.2.7").with(guess).get("/accounts").await;
            waits += usize::from(reply.status == 429);
        }
        assert_eq!(waits, 5, "after twenty");
        let real = token(&bench, "reader", &[]);
        // Whoever has one is served all the same: others may guess from behind the same address.
        from("192.0.2.7").with(&real).get("/accounts").await.is(200);
        from("192.0.2.8").with(&real).get("/accounts").await.is(200);
    });
}

#[test]
fn an_address_that_others_reach_needs_tls() {
    let bench = Bench::with_acme();
    let refused = bench.with("AUDITFERRY__API__LISTEN", "0.0.0.0:9465").run("serve");
    refused.is_refusal(2, &["api.listen", "tokens would go there in the clear", "api.tls_certificate"]);
    bench.run("serve").is_refusal(2, &["api.listen", "nothing to serve"]);
    bench
        .with("AUDITFERRY__API__LISTEN", "127.0.0.1:0")
        .and("AUDITFERRY__API__TLS_CERTIFICATE", "no.pem")
        .and("AUDITFERRY__API__TLS_KEY", "no.key")
        .run("serve")
        .is_refusal(2, &["api.tls_certificate", "no.pem"]);
}

#[test]
fn a_head_that_never_ends_is_not_waited_for_by_others() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let address = served.url().trim_start_matches("http://").to_owned();
        let slow: Vec<_> = (0..200)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(&address).unwrap();
                stream.write_all(b"GET /api/v1/accounts HTTP/1.1\r\nhost: x\r\n").unwrap();
                stream
            })
            .collect();
        served.client().with(&token(&bench, "reader", &[])).get("/accounts").await.is(200);
        drop(slow);
        // A head that is too large is refused.
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"GET /api/v1/accounts HTTP/1.1\r\nhost: x\r\nx: ").unwrap();
        let _ = stream.write_all(&vec![b'a'; 64 * 1024]);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    });
}

/// What the server says of itself and of its callers has no secret in it.
#[test]
fn no_token_is_in_a_log() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[("AUDITFERRY__LOG__LEVEL", "trace")]);
        let secret = token(&bench, "operator", &[]);
        let client = served.client().with(&secret);
        client.get("/status").await.is(200);
        let made = client
            .send("POST", "/tokens", Some(&serde_json::json!({ "name": "n", "role": "reader" })))
            .await
            .is(201);
        let new = made["secret"].as_str().unwrap();
        let log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
        assert!(log.contains("serves the API"), "{log}");
        assert!(!log.contains(&secret) && !log.contains(new), "a token is in the log");
    });
}

/// What was asked before the server was told to end is answered to the last byte, and nothing is cut.
#[test]
fn a_server_that_ends_answers_what_was_asked() {
    run(async {
        let bench = Bench::with_acme();
        let mut served = Served::start(&bench, &[("AUDITFERRY__API__REQUESTS_PER_MINUTE", "1000000")]);
        let token = token(&bench, "reader", &[]);
        let address = served.url().trim_start_matches("http://").to_owned();
        let asking: Vec<_> = (0..20)
            .map(|_| {
                let (address, token) = (address.clone(), token.clone());
                std::thread::spawn(move || {
                    let mut answers = 0;
                    while let Ok(mut stream) = std::net::TcpStream::connect(&address) {
                        let head = format!(
                            "GET /api/v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
                        );
                        if stream.write_all(head.as_bytes()).is_err() {
                            break;
                        }
                        let mut answer = String::new();
                        match stream.read_to_string(&mut answer) {
                            // It was never taken up.
                            Err(_) => break,
                            Ok(0) => break,
                            Ok(_) => {}
                        }
                        assert!(answer.starts_with("HTTP/1.1 200") && answer.trim_end().ends_with('}'), "{answer}");
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(served.stop(), Some(0));
        let answers: u32 = asking.into_iter().map(|asking| asking.join().unwrap()).sum();
        assert!(answers > 20, "{answers}");
    });
}

/// A third of the places wait for heads that never end; the others are served, and the end comes in time.
#[test]
fn many_that_say_nothing_keep_nobody_out() {
    run(async {
        let bench = Bench::with_acme();
        let mut served = Served::start(&bench, &[]);
        let client = served.client().with(&token(&bench, "reader", &[]));
        let address = served.url().trim_start_matches("http://").to_owned();
        let silent: Vec<_> = (0..1_300)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(&address).unwrap();
                stream.write_all(b"GET /api/v1/accounts HTTP/1.1\r\nhost:").unwrap();
                stream
            })
            .collect();
        client.get("/accounts").await.is(200);
        assert_eq!(served.stop(), Some(0));
        drop(silent);
    });
}
