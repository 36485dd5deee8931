//! Channels of notifications.

use serde_json::Value;

use super::{Scene, assert_same, desk, proxied};
use crate::support::bench::{Answer, Bench};
use crate::support::fault_proxy::Fault;
use crate::support::receiver::{Receiver, Reply};
use crate::support::run;

/// A secret that signs.
const SIGNS: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The newest channel's id.
fn newest(bench: &Bench, before: &[String]) -> String {
    let all = ids(bench);
    all.into_iter().find(|id| !before.contains(id)).expect("a new one")
}

fn ids(bench: &Bench) -> Vec<String> {
    let listed = bench.json("notification ls");
    listed.as_array().unwrap().iter().map(|channel| channel["id"].as_str().unwrap().to_owned()).collect()
}

/// Without an id, a secret that was made, and the time of day.
fn bare(mut answer: Answer, id: &str) -> Answer {
    for text in [&mut answer.out, &mut answer.err] {
        let lines = text.lines().map(|line| line.replace(id, "ID"));
        let lines = lines.map(|line| if line.starts_with("whsec_") { "SECRET".to_owned() } else { line });
        *text = lines.collect::<Vec<_>>().join("\n");
        if let Some(at) = text.find(" sign until ") {
            text.truncate(at);
        }
    }
    answer
}

async fn notifications_are_told_alike(on_postgres: bool) {
    let (scene, receiver) = (Scene::new(on_postgres).await, Receiver::start().await);
    for bench in [&scene.bench, &scene.desk] {
        bench.file("signs", SIGNS);
        bench.file("url", "https://hooks.slack.com/services/HUSH\n");
    }
    scene.bench.does("account add acme --zone UTC --start beginning");
    let url = receiver.url();
    for line in [
        "notification ls",
        "notification ls --json",
        "notification log",
        "notification log --json",
        "notification log --account nobody",
        "notification add webhook --url http://10.0.0.1/",
        "notification add webhook --url nowhere",
        &format!("notification add webhook --url {url} --account nobody"),
        &format!("notification add webhook --url {url} --secret-file secret --seal"),
        &format!("notification add webhook --url {url} --secret-file none --seal"),
        "notification add slack --url-file signs --seal",
        "notification add email --to nobody",
        "notification add email --to ana@example.com",
        "notification rm n0000",
        "notification rotate n0000",
        "notification test n0000",
    ] {
        scene.bench.file("secret", "HUSH");
        scene.is_same(line);
    }
    // A server reads no file and no variable of its own for somebody who asks from afar.
    for line in [
        &format!("notification add webhook --url {url} --secret-file signs"),
        "notification add slack --url-env HOME",
        "notification rotate n0000 --secret-env HOME",
    ] {
        scene.desk.run(line).is_refusal(2, &["would be read by each worker", "--seal"]);
    }
    assert!(ids(&scene.bench).is_empty());

    let mut made: Vec<(String, String)> = Vec::new();
    for line in [
        &format!("webhook --url {url} --reason 'ticket 1'"),
        &format!("webhook --url {url} --account acme --language de --secret-file signs --seal"),
        "slack --url-file url --seal",
    ] {
        let [(direct, one), (remote, two)] = [&scene.bench, &scene.desk].map(|bench| {
            let before = ids(&scene.bench);
            let answer = bench.run(&format!("notification add {line}"));
            assert_eq!(answer.code, Some(0), "{answer}");
            let id = newest(&scene.bench, &before);
            (bare(answer, &id), id)
        });
        assert_same(&direct, &remote);
        made.push((one, two));
    }
    let from_input = scene.desk.run_with_input("notification add slack", "https://hooks.slack.com/HUSH\n");
    assert_eq!(from_input.code, Some(0), "{from_input}");
    scene.is_same("notification ls");
    scene.is_same("notification ls --json");

    let (one, two) = made[0].clone();
    for (line, code) in [
        ("test", 0),
        ("test --json", 0),
        ("test", 1),
        ("test --json", 1),
        ("rotate", 0),
        ("rotate --secret-file signs --seal", 0),
        ("rotate --secret-file secret --seal", 2),
        ("rm", 0),
        ("rm", 2),
    ] {
        let (verb, options) = line.split_once(' ').unwrap_or((line, ""));
        let [direct, remote] = [(&scene.bench, &one), (&scene.desk, &two)].map(|(bench, id)| {
            if code == 1 {
                receiver.answers(&[Reply::Status(500)]);
            }
            bare(bench.run(&format!("notification {verb} {id} {options}")), id)
        });
        assert_eq!(direct.code, Some(code), "{direct}");
        assert_same(&direct, &remote);
    }
    assert_eq!(receiver.take().len(), 8);
    scene.is_same(&format!("notification rotate {}", made[2].1));
    let rotated = scene.desk.json(&format!("notification rotate {}", made[1].1));
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_"), "{rotated}");
    assert_eq!(rotated["channel"]["account"], "acme");

    // Something is told, and how that went.
    let to = format!("notification add webhook --url {url}");
    let added: Value = scene.desk.json(&to);
    assert!(added["secret"].as_str().unwrap().starts_with("whsec_"), "{added}");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(20);
    let soon = soon.strftime("%Y-%m-%dT%H:%M:%SZ");
    scene.bench.does(&format!("addon enable acme --until {soon}"));
    scene.bench.does("run --until-idle");
    let log = scene.bench.json("notification log");
    assert!(!log.as_array().unwrap().is_empty());
    for line in ["", "--json", "--limit 1", "--account acme", "--account acme --json"] {
        scene.is_same(&format!("notification log {line}"));
    }
    let changes = scene.bench.json("changes ls --all").to_string();
    assert!(changes.contains("ticket 1") && !changes.contains("HUSH") && !changes.contains(SIGNS));

    // A secret is told once: who has lost it makes another.
    let proxy = proxied(&scene, vec![Fault::AnswerLost]).await;
    let lost = desk(&proxy.url(), &scene.token).run(&to);
    lost.is_refusal(1, &["was lost", "auditferry notification rotate n"]);
}

#[test]
fn notifications_are_told_alike_on_sqlite() {
    run(notifications_are_told_alike(false));
}

#[test]
fn notifications_are_told_alike_on_postgres() {
    run(notifications_are_told_alike(true));
}
