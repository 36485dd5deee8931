//! Replays over the API: jobs whose state every replica tells.

use serde_json::{Value, json};

use crate::daemon::app::App;
use crate::daemon::bucket::Bucket;
use crate::daemon::gate::{Door, Gate};
use crate::daemon::replays::{delivered, outcomes};
use crate::daemon::rows::{keys_of, slot_of};
use crate::support::api::{Client, Served};
use crate::support::run;

const REPLAYS: &str = "/accounts/acme/replays";

fn client(app: &App, served: &Served, role: &str) -> Client {
    served.client().with(app.cli(&["token", "create", "test", "--role", role]).trim())
}

/// What asks for all slots of some keys.
fn range(keys: &[String]) -> Value {
    json!({ "from": slot_of(&keys[0]), "to": keys.last().unwrap() })
}

fn with(mut body: Value, field: &str) -> Value {
    body[field] = true.into();
    body
}

#[test]
fn missing_objects_come_back() {
    run(async {
        for app in [App::sqlite(), App::postgres().await] {
            let bucket = Bucket::embedded().await;
            delivered(&app, &bucket).await;
            let keys = keys_of(&bucket, "acme").await;
            let (served, replica) = (app.serve(), app.serve());
            let support = client(&app, &served, "support");
            let lost = std::fs::read(bucket.path(&keys[2])).unwrap();
            std::fs::remove_file(bucket.path(&keys[2])).unwrap();

            let dry = support.job(REPLAYS, Some(&with(range(&keys), "dry_run"))).await;
            assert_eq!((&dry["state"], &dry["objects"]), (&"done".into(), &4.into()), "{dry}");
            assert_eq!(outcomes(&dry["result"]), ["reproducible"; 4]);
            assert!(!bucket.path(&keys[2]).exists() && dry["result"]["replay"].is_null());

            let keyed = support.header("idempotency-key", "k-1").header("auditferry-reason", "ticket 17");
            let begun = keyed.send("POST", REPLAYS, Some(&range(&keys))).await;
            begun.is(202);
            // Any replica knows how it is.
            let other = client(&app, &replica, "reader");
            let done = other.ended(begun.header("location")).await;
            assert_eq!(outcomes(&done["result"]), ["exists", "exists", "restored", "exists"], "{done}");
            assert_eq!((&done["reason"], &done["result"]["done"]), (&"ticket 17".into(), &4.into()));
            assert_eq!(std::fs::read(bucket.path(&keys[2])).unwrap(), lost);
            let again = keyed.send("POST", REPLAYS, Some(&range(&keys))).await;
            assert_eq!(
                (again.is(202)["id"].clone(), again.header("idempotency-replayed")),
                (done["id"].clone(), "true")
            );
            let listed = support.get(REPLAYS).await.is(200);
            assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
            let put = support.get("/replayed-objects?account=acme&limit=3").await.is(200);
            assert_eq!(
                (put["items"].as_array().unwrap().len(), &put["items"][0]["key"]),
                (3, &keys[3].clone().into())
            );
            let rest = format!("/replayed-objects?account=acme&cursor={}", put["next"].as_str().unwrap());
            assert_eq!(support.get(&rest).await.is(200)["items"][0]["key"], keys[0]);
            let told = support.get("/changes?account=acme&limit=1").await.is(200);
            assert_eq!(
                (&told["items"][0]["action"], &told["items"][0]["reason"]),
                (&"replay begun".into(), &"ticket 17".into())
            );
        }
    });
}

#[test]
fn what_cannot_be_done_is_said_in_the_job_or_at_once() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        delivered(&app, &bucket).await;
        let keys = keys_of(&bucket, "acme").await;
        let served = app.serve();
        let support = client(&app, &served, "support");
        let post = async |body: Value| support.send("POST", REPLAYS, Some(&body)).await;
        let slot = slot_of(&keys[0]);
        let unknown = post(json!({ "from": "tomorrow", "to": slot })).await;
        assert_eq!(unknown.is_problem(422, "invalid_value")["field"], "from");
        let foreign = post(json!({ "from": slot, "to": "audit_beta_20261121T040000Z.zip" })).await;
        foreign.is_problem(422, "invalid_value");
        let early = json!({ "from": "20200101T000000Z", "to": "20200102T000000Z", "dry_run": true });
        let nothing = support.job(REPLAYS, Some(&early)).await;
        assert_eq!(
            (&nothing["state"], &nothing["problem"]["code"]),
            (&"failed".into(), &"nothing_delivered".into())
        );
        app.cli(&["addon", "disable", "acme"]);
        let inactive = support.job(REPLAYS, Some(&range(&keys))).await;
        assert_eq!(inactive["problem"]["code"], "addon_inactive", "{inactive}");
        // Not a customer's, and no other account's.
        let admin = app.cli(&["token", "create", "a", "--role", "account-admin", "--account", "acme"]);
        let admin = served.client().with(admin.trim());
        admin.send("POST", REPLAYS, Some(&range(&keys))).await.is_problem(403, "forbidden");
        let id = inactive["id"].as_str().unwrap();
        app.cli(&["account", "add", "beta", "--zone", "UTC"]);
        support.get(&format!("/accounts/beta/replays/{id}")).await.is_problem(404, "not_found");
        support.get(&format!("/accounts/acme/probes/{id}")).await.is_problem(404, "not_found");
    });
}

/// A replay whose process ends is told as such, and goes on where it was when it is asked for again.
#[test]
fn a_replay_outlives_its_process() {
    run(async {
        for kill in [false, true] {
            let app = App::postgres().await;
            let bucket = Bucket::embedded().await;
            delivered(&app, &bucket).await;
            let keys = keys_of(&bucket, "acme").await;
            // Puts wait at the door.
            let gate = Gate::before(bucket.address(), Door::Silent).await;
            app.set_destination("acme", &bucket.through(&gate.endpoint()), &["--replace", "--yes"]);
            let mut served = app.serve();
            let support = client(&app, &served, "support");
            let asked = with(range(&keys), "as_new");
            let begun = support.send("POST", REPLAYS, Some(&asked)).await;
            begun.is(202);
            gate.asked().await;
            support.send("POST", REPLAYS, Some(&asked)).await.is_problem(409, "under_way");
            if kill {
                served.kill();
            } else {
                assert_eq!(served.stop(), Some(0));
            }
            gate.set(Door::Open);
            let after = app.serve();
            let support = client(&app, &after, "support");
            let interrupted = support.ended(begun.header("location")).await;
            assert_eq!(interrupted["state"], "interrupted", "{interrupted}");
            let done = support.job(REPLAYS, Some(&asked)).await;
            assert_eq!(
                (&done["state"], &done["result"]["gone_on"]),
                (&"done".into(), &true.into()),
                "{done}"
            );
            assert_eq!(outcomes(&done["result"]), ["created"; 4]);
            assert_eq!(keys_of(&bucket, "acme").await.len(), 8, "each once more");
        }
    });
}
