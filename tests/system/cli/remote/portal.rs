//! Links to the portal.

use super::{Scene, assert_same};
use crate::support::run;

async fn links_are_told_alike(on_postgres: bool) {
    let scene = Scene::new(on_postgres).await;
    let bench = &scene.bench;
    bench.does("account add acme --zone UTC");
    for line in ["portal ls acme", "portal ls acme --json", "portal revoke acme 0000", "portal ls nowhere"] {
        scene.is_same(line);
    }
    let link =
        "portal link acme --actor jana@acme.example --capability export:read --mail --reason 'ticket 17'";
    // The server knows where its pages are; here it is a setting.
    let direct = bench.with("AUDITFERRY__API__PUBLIC_URL", super::PAGES).run(link);
    let remote = scene.desk.run(link);
    for answer in [&direct, &remote] {
        assert_eq!(answer.code, Some(0), "{answer}");
        assert!(answer.out.starts_with("https://exports.example/portal/enter#"), "{answer}");
        assert!(answer.err.contains("It opens the portal once, until"), "{answer}");
    }
    for bad in [
        "link nowhere --actor jana@acme.example",
        "link acme --actor jana",
        "link acme --actor a@b --minutes 3",
    ] {
        let bad = format!("portal {bad}");
        assert_same(
            &bench.with("AUDITFERRY__API__PUBLIC_URL", super::PAGES).run(&bad),
            &scene.desk.run(&bad),
        );
    }
    scene.is_same("portal ls acme");
    scene.is_same("portal ls acme --json");
    let sessions = scene.desk.json("portal ls acme");
    let id = |number: usize| sessions[number]["id"].as_str().unwrap().to_owned();
    for secret in [&direct.out, &remote.out].map(|out| out.trim().split('#').nth(1).unwrap().to_owned()) {
        assert!(!sessions.to_string().contains(&secret));
    }
    let ends = |number: usize| format!("portal revoke acme {} --reason 'sent to somebody else'", id(number));
    let (mut direct, mut remote) = (bench.run(&ends(0)), scene.desk.run(&ends(1)));
    for (answer, number) in [(&mut direct, 0), (&mut remote, 1)] {
        assert!(answer.code == Some(0) && answer.out.contains("opens nothing any more"), "{answer}");
        answer.out = answer.out.replace(&id(number), "ID");
    }
    assert_same(&direct, &remote);
    assert_eq!(scene.desk.does("portal ls acme").matches("revoked").count(), 2);
    let log = bench.json("changes ls acme");
    let reasons = log.as_array().unwrap().iter().filter(|change| change["reason"] == "ticket 17");
    assert_eq!(reasons.count(), 2, "{log}");
}

#[test]
fn links_are_told_alike_on_sqlite() {
    run(links_are_told_alike(false));
}

#[test]
fn links_are_told_alike_on_postgres() {
    run(links_are_told_alike(true));
}
