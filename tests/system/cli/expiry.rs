//! Credentials that end: who learns it, and who is told.

use jiff::Timestamp;

use crate::support::bench::{Bench, S3};
use crate::support::entra_server;

/// An instant so many hours from now, in whole seconds.
fn in_hours(hours: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + hours * 3600).unwrap()
}

/// The lines of one run of the worker that tell of credentials.
fn warnings(bench: &Bench) -> Vec<String> {
    let log = bench.run("run --until-idle").err;
    log.lines()
        .filter(|line| line.contains("the credentials of the destination"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_end_that_a_person_gives_is_shown_and_warned_of_once() {
    let bench = Bench::with_acme().env("AUDITFERRY__LOG__LEVEL", "info");
    bench.file("secret", "HUSH");
    let set = |end: Timestamp| {
        format!("destination set acme {S3} --bucket acme-siem --replace --yes --expires {end}")
    };
    bench.refuses(&set(in_hours(-1)), &["expires", "has passed"]);
    let end = in_hours(6 * 24);
    let out = bench.does(&set(end));
    assert!(out.contains("Its credentials end at"), "{out}");
    bench.does("addon enable acme");
    let shown = bench.json("account show acme");
    assert_eq!(shown["credentials"]["at"], end.to_string());
    assert_eq!(shown["credentials"]["ended"], false);
    assert!(shown["credentials"]["fix"].as_str().unwrap().contains("destination rotate acme"), "{shown}");
    let check = bench.does("check");
    assert!(check.contains("note    the credentials of account acme end at"), "{check}");

    let told = warnings(&bench);
    assert!(told.len() == 1 && told[0].contains("end soon") && told[0].contains("acme"), "{told:?}");
    assert!(warnings(&bench).is_empty());

    // Nearer, and over.
    bench.does(&set(in_hours(20)));
    assert_eq!(warnings(&bench).len(), 1);
    crate::cli::databases::change(
        &bench,
        &format!("UPDATE destination SET ends_at = {}", in_hours(-30).as_microsecond()),
    );
    let told = warnings(&bench);
    assert!(told.len() == 1 && told[0].contains("have ended"), "{told:?}");
    assert!(warnings(&bench).is_empty());
    let shown = bench.does("account show acme");
    assert!(shown.contains("ENDED") && shown.contains("destination rotate acme"), "{shown}");
    assert!(bench.does("check").contains("have ended at"));
}

#[test]
fn a_signatures_own_end_is_learned_by_the_command_and_by_the_worker() {
    let end = in_hours(5 * 24);
    let signature = format!("sv=2024-11-04&sp=c&sr=c&se={end}&sig=HUSH");
    let bench = Bench::with_acme().env("AUDITFERRY__PUT__TIMEOUT", "2s");
    bench.file("sas", &signature);
    let azure = "--kind azure --container acme-siem --endpoint https://127.0.0.1:1 --sas-file sas";
    bench.does(&format!("destination set acme {azure} --no-test"));
    assert_eq!(bench.json("account show acme")["credentials"]["at"], end.to_string());

    // In a file that only the worker reads, it is known once the worker has opened it.
    bench.does(&format!("destination set acme {azure} --replace --yes --skip-secrets"));
    assert_eq!(bench.json("account show acme")["credentials"], serde_json::Value::Null);
    bench.does("account set acme --schedule '* * * * * *'");
    bench.does("addon enable acme");
    bench
        .file("one.jsonl", r#"{"Date":"2026-11-21T04:00:00Z","Email":"a@b","Action":"x","Description":"y"}"#);
    bench.does("import acme one.jsonl");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(bench.run("run --until-idle").code, Some(1), "nothing listens on port 1");
    assert_eq!(bench.json("account show acme")["credentials"]["at"], end.to_string());
}

#[test]
fn a_certificates_own_end_is_learned() {
    let bench = Bench::with_acme();
    bench.file("application.pem", entra_server::CERTIFICATE);
    let azure = "--kind azure --container acme-siem --endpoint https://acme.blob.core.windows.net --no-test";
    let by = "--tenant-id acme.onmicrosoft.com --client-id 11111111-2222 --client-certificate-file application.pem";
    // `openssl x509 -in tests/support/entra.pem -noout -enddate`
    let out = bench.does(&format!("destination set acme {azure} {by}"));
    assert!(out.contains("Its credentials end at 2126-10-28 18:02:50Z"), "{out}");
    assert_eq!(bench.json("account show acme")["credentials"]["at"], "2126-10-28T18:02:50Z");
    // What a person says counts when it is earlier.
    bench.does(&format!("destination set acme {azure} {by} --replace --yes --expires 2100-01-01"));
    assert_eq!(bench.json("account show acme")["credentials"]["at"], "2100-01-01T00:00:00Z");
}
