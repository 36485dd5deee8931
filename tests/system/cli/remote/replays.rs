//! Objects that are put again.

use serde_json::{Value, json};

use super::{Scene, assert_same, desk, proxied};
use crate::support::fault_proxy::{Canned, Fault};
use crate::support::{folder, run};

/// A report without the number of its replay, of which each command makes one.
fn report(text: &str) -> Value {
    let mut report: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    report["replay"].take();
    report
}

async fn replays_are_told_alike(on_postgres: bool) {
    let scene = Scene::new(on_postgres).await;
    let name = if on_postgres { "remote-replays-postgres" } else { "remote-replays-sqlite" };
    let _bucket = scene.delivers(name).await;
    let object = scene.bench.json("deliveries ls acme")[0].clone();
    let (slot, key) = (object["slot"].as_str().unwrap(), object["key"].as_str().unwrap());
    let line = format!("deliveries replay acme --from {slot} --to {key}");
    let open = scene.bench.json("deliveries ls broken")[0]["slot"].as_str().unwrap().to_owned();
    for line in [
        "deliveries ls --replays",
        "deliveries ls nobody --replays",
        &format!("{line} --dry-run"),
        &format!("{line} --dry-run --json"),
        &format!("deliveries replay broken --from {open} --to {open} --dry-run"),
        &format!("deliveries replay broken --from {open} --to {open}"),
        &format!("deliveries replay broken --from {slot} --to {key}"),
        "deliveries replay acme --from 20261121T040000Z --to 20261120T040000Z",
        "deliveries replay acme --from 20261121T040000Z --to 20261122T040000Z",
        "deliveries replay nobody --from 20261121T040000Z --to 20261122T040000Z",
        "deliveries replay acme --from soon --to later",
    ] {
        scene.is_same(line);
    }

    // What is there is left, what is missing comes back; each command puts it for itself.
    let file = folder(name).join("siem").join(key);
    for missing in [false, true] {
        let [direct, remote] = [&scene.bench, &scene.desk].map(|bench| {
            if missing {
                std::fs::remove_file(&file).unwrap();
            }
            let mut told = bench.run(&line);
            let number = told.out.rsplit("Replay ").next().unwrap().split(':').next().unwrap().to_owned();
            told.out = told.out.replace(&format!("Replay {number}:"), "Replay N:");
            told
        });
        assert_same(&direct, &remote);
        assert!(direct.code == Some(0) && direct.out.contains("Replay N: 3 of 3 objects"), "{direct}");
        assert_eq!(direct.out.contains("restored"), missing, "{direct}");
        assert!(file.exists());
    }
    let (direct, remote) = scene.both(&format!("{line} --json"));
    assert_eq!(report(&remote.out), report(&direct.out));
    for line in [
        "deliveries ls --replays",
        "deliveries ls acme --replays --limit 2",
        "deliveries ls --replays --all --json",
        &format!("deliveries show acme {key}"),
    ] {
        scene.is_same(line);
    }
    let rows = scene.desk.json("deliveries ls --replays --all");
    let by: std::collections::BTreeSet<_> =
        rows.as_array().unwrap().iter().map(|row| row["operator"].as_str().unwrap().to_owned()).collect();
    assert_eq!(by.len(), 2, "on the ledger a user, on the server the token: {by:?}");
    scene.bench.does("addon disable acme");
    scene.is_same(&line);
}

#[test]
fn replays_are_told_alike_on_sqlite() {
    run(replays_are_told_alike(false));
}

#[test]
fn replays_are_told_alike_on_postgres() {
    run(replays_are_told_alike(true));
}

/// A server names so many objects and no more; how many are not named is told.
#[test]
fn objects_that_are_not_named_are_counted() {
    run(async {
        let scene = Scene::new(false).await;
        let object = json!({
            "window": 1, "ordinal": 1, "slot": "2026-11-21T04:00:00Z", "key": "audit/a.zip", "put_as": null,
            "records": 7, "outcome": "missing", "message": "the source has deleted its records"
        });
        let job = json!({
            "id": "j1", "account": "acme", "state": "done", "asked_by": "ana", "reason": null,
            "begun_at": "2026-11-30T04:00:00Z", "ended_at": "2026-11-30T04:00:01Z", "problem": null,
            "from": "2026-11-21T04:00:00Z", "to": "2026-11-22T04:00:00Z", "as_new": false, "dry_run": false,
            "objects": 2501, "result": {
                "account": "acme", "replay": 4, "gone_on": false, "destination": "s3 siem", "total": 2501,
                "done": 2500, "objects": [object], "left_out": 2500
            }
        });
        let canned = Canned {
            status: 202,
            head: "content-type: application/json\r\n".to_owned(),
            body: job.to_string(),
        };
        let proxy = proxied(&scene, vec![Fault::AnswerInstead(canned)]).await;
        let told = desk(&proxy.url(), &scene.token)
            .run("deliveries replay acme --from 20261121T040000Z --to 20261122T040000Z");
        assert_eq!(told.code, Some(1), "{told}");
        assert!(told.out.contains("2500 more are not named"), "{told}");
        assert!(told.out.contains("Replay 4: 2500 of 2501 objects"), "{told}");
    });
}
