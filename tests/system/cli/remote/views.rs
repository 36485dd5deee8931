//! Every listing and view.

use super::{Scene, assert_same, plain};
use crate::support::run;

/// The same without seconds: of an instant that each command has for itself.
fn without_seconds(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("Z") {
        let (before, after) = rest.split_at(at);
        let kept = before.len().saturating_sub(3);
        let is_time = before.is_char_boundary(kept) && before[kept..].starts_with(':');
        out.push_str(if is_time { &before[..kept] } else { before });
        out.push('Z');
        rest = &after[1..];
    }
    out + rest
}

/// Every listing and view, of a ledger with deliveries, failures and more rows than a page has.
async fn what_there_is_is_told_alike(on_postgres: bool) {
    let scene = Scene::new(on_postgres).await;
    for line in [
        "account ls",
        "account ls --failing",
        "deliveries ls",
        "deliveries ls --undelivered",
        "deliveries ls nobody --windows",
        "changes ls nobody",
        "keys ls",
        "status",
    ] {
        scene.is_same(line);
    }

    let _bucket = scene.delivers(if on_postgres { "remote-postgres" } else { "remote-sqlite" }).await;
    let bench = &scene.bench;
    let objects = bench.json("deliveries ls acme");
    let key = objects[0]["key"].as_str().unwrap();
    let export = |number: u32| format!("[[export]]\naccount = \"x{number:03}\"\nzone = \"UTC\"\n");
    bench.file("exports.toml", (1..=450).map(export).collect::<String>());
    bench.does("apply exports.toml");

    let views = [
        "status".to_owned(),
        "account ls".to_owned(),
        "account ls --failing".to_owned(),
        "account ls --failing --sort oldest".to_owned(),
        "account ls --ending-within 12h".to_owned(),
        "account ls --ending-within 3000d --limit 1".to_owned(),
        "account ls --limit 210".to_owned(),
        "account ls --all".to_owned(),
        "account ls --limit 0".to_owned(),
        "account show acme".to_owned(),
        "account show broken".to_owned(),
        "account show x001".to_owned(),
        "account show nobody".to_owned(),
        "account show acme --at 'yesterday 08:00'".to_owned(),
        "account show acme --at 2026-11-29T08:00:00Z".to_owned(),
        "account show acme --at 'today 23:59'".to_owned(),
        "addon show acme".to_owned(),
        "destination show acme".to_owned(),
        "destination test acme".to_owned(),
        "destination test broken".to_owned(),
        "deliveries ls".to_owned(),
        "deliveries ls acme --limit 2".to_owned(),
        "deliveries ls --undelivered".to_owned(),
        "deliveries ls acme --windows".to_owned(),
        "deliveries ls --replays".to_owned(),
        format!("deliveries show acme {key}"),
        format!("deliveries show acme {}", key.rsplit('/').next().unwrap()),
        "deliveries show acme nothing.zip".to_owned(),
        "changes ls".to_owned(),
        "changes ls --all".to_owned(),
        "changes ls --limit 300".to_owned(),
        "changes ls acme --since 2026-01-01".to_owned(),
        "changes ls --by nobody".to_owned(),
        "token ls".to_owned(),
        "keys ls".to_owned(),
    ];
    for line in &views {
        let line = line.as_str();
        scene.is_same(line);
        if line.starts_with("destination test") {
            continue;
        }
        if line == "status" {
            let (mut direct, mut remote) = (scene.bench.json("status"), scene.desk.json("status"));
            for status in [&mut direct, &mut remote] {
                status["at"].take();
                status["no_worker"].take();
            }
            assert_eq!(remote, direct);
            continue;
        }
        let (mut direct, mut remote) = scene.both(&format!("{line} --json"));
        if line.starts_with("account show") {
            // How long ago the last worker ended.
            for answer in [&mut direct, &mut remote] {
                answer.out = plain(&answer.out);
            }
        }
        assert_eq!(
            (remote.code, &remote.out, &remote.err),
            (direct.code, &direct.out, &direct.err),
            "{line}"
        );
    }
    // What each command does at a time of its own.
    let (direct, remote) =
        (scene.bench.run("account deliver-now x001"), scene.desk.run("account deliver-now x001"));
    assert_same(&direct, &remote);
    let (direct, remote) =
        (scene.bench.run("account deliver-now acme"), scene.desk.run("account deliver-now broken"));
    assert!(direct.code == Some(0) && remote.code == Some(2), "{direct}{remote}");
    assert!(remote.err.contains("is in delivery") || remote.err.contains("broken"), "{remote}");
    let again = scene.desk.run("account deliver-now acme");
    let direct = scene.bench.run("account deliver-now acme");
    assert_eq!(without_seconds(&plain(&again.err)), without_seconds(&plain(&direct.err)), "{direct}{again}");
}

#[test]
fn what_there_is_is_told_alike_on_sqlite() {
    run(what_there_is_is_told_alike(false));
}

#[test]
fn what_there_is_is_told_alike_on_postgres() {
    run(what_there_is_is_told_alike(true));
}
