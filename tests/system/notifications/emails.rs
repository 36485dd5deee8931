//! Email, as a mail server gets it.

use super::Scene;
use crate::support::bench::Bench;
use crate::support::mail_server::{MailServer, Speaks};
use crate::support::run;

const OWN_CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ca.pem");

fn scene(server: &MailServer, tls: &str) -> Scene {
    let port = server.address.port().to_string();
    let bench = Bench::new()
        .env("SSL_CERT_FILE", OWN_CA)
        .env("AUDITFERRY__LOG__LEVEL", "trace")
        .env("AUDITFERRY__EMAIL__HOST", "127.0.0.1")
        .env("AUDITFERRY__EMAIL__PORT", &port)
        .env("AUDITFERRY__EMAIL__TLS", tls)
        .env("AUDITFERRY__EMAIL__USERNAME", "exports")
        .env("AUDITFERRY__EMAIL__PASSWORD", "file:mail-password")
        .env("AUDITFERRY__EMAIL__FROM", "Exports <exports@example.com>");
    bench.file("mail-password", "hush-mail-password\n");
    Scene::of(bench)
}

async fn a_mail_arrives(speaks: Speaks, tls: &str) {
    let server = MailServer::start(speaks).await;
    let scene = scene(&server, tls);
    scene.add("email --to it@acme.example --account acme");
    scene.refuses("acme").await;
    scene.look().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{:?}", scene.bench.json("notification log"));
    let mail = &mails[0];
    let id = scene.bench.json("notification log")[0]["notice"]["id"].as_str().unwrap().to_owned();
    for part in [
        &format!("Message-ID: <{id}@example.com>"),
        "To: it@acme.example",
        "From: Exports <exports@example.com>",
        "multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "acme-siem",
    ] {
        assert!(mail.contains(part), "{mail}\nlacks {part}");
    }
    // Login and mail were encrypted, and nothing else came before but the question for it.
    let plain: Vec<String> =
        server.said().into_iter().filter(|(encrypted, _)| !encrypted).map(|(_, said)| said).collect();
    assert!(plain.iter().all(|said| said.starts_with("EHLO") || said == "STARTTLS"), "{plain:?}");
    let encrypted = server.said().into_iter().filter(|(encrypted, _)| *encrypted);
    assert!(encrypted.into_iter().any(|(_, said)| said.starts_with("AUTH PLAIN")));
}

#[test]
fn over_starttls() {
    run(a_mail_arrives(Speaks::Starttls, "starttls"));
}

#[test]
fn over_tls_from_the_first_byte() {
    run(a_mail_arrives(Speaks::Implicit, "implicit"));
}

#[test]
fn nothing_is_sent_without_encryption_or_to_an_unknown_certificate() {
    run(async {
        let server = MailServer::start(Speaks::Plain).await;
        let scene = scene(&server, "starttls");
        let (id, _) = scene.add("email --to ops@example.com");
        let answer = scene.bench.run(&format!("notification test {id}"));
        assert_eq!(answer.code, Some(1), "{answer}");
        assert!(
            server.said().iter().all(|(_, said)| said.starts_with("EHLO") || said == "QUIT"),
            "{:?}",
            server.said()
        );

        let server = MailServer::start(Speaks::Implicit).await;
        let scene = self::scene(&server, "implicit");
        let (id, _) = scene.add("email --to ops@example.com");
        let system = scene.bench.with("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
        let answer = system.run(&format!("notification test {id}"));
        answer.is_refusal(1, &["certificate"]);
        assert!(server.said().is_empty(), "{:?}", server.said());
    });
}

#[test]
fn the_password_is_in_no_message() {
    run(async {
        let server = MailServer::start(Speaks::Implicit).await;
        let scene = scene(&server, "implicit");
        let (id, _) = scene.add("email --to ops@example.com");
        scene.bench.file("mail-password", "wrong-mail-password");
        let answer = scene.bench.run(&format!("notification test {id}"));
        answer.is_refusal(1, &["refuses the login", "email.password"]);
        for form in ["wrong-mail-password", "AGV4cG9ydHM"] {
            assert!(!answer.err.contains(form) && !answer.out.contains(form), "{answer}");
        }
        let pasted = scene.bench.with("AUDITFERRY__EMAIL__PASSWORD", "HUSH").run("notification ls");
        pasted.is_refusal(2, &["email.password", "file:PATH"]);
    });
}
