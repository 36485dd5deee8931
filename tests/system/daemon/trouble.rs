//! A customer's bucket that says no, and a stranger's object under our key.

use jiff::{SignedDuration, Timestamp};

use crate::daemon::app::{App, EVERY_SECOND, EVERY_TWO_SECONDS};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::run;

/// How a store refuses, and what the customer reads.
struct Refusal {
    kind: &'static str,
    fix: &'static str,
    code: &'static str,
}

/// One customer's bucket is fine, the other's refuses the credentials that are set first.
async fn refused_beside_healthy(locked: Bucket, wrong: &[String], refusal: Refusal) {
    let (app, healthy) = (App::sqlite(), Bucket::embedded().await);
    app.add("healthy", &healthy, EVERY_SECOND, &[]);
    app.add_to("locked", wrong, EVERY_SECOND, &["--max-records", "2"]);
    let (mut fine, mut stuck) = (rows("healthy", "one", 3), rows("locked", "one", 3));
    app.insert(&[&fine[..], &stuck].concat()).await;
    let worker = app.start().await;

    let shown = app.shown("locked", refusal.kind, |shown| shown["error"]["kind"] == refusal.kind).await;
    assert_eq!(shown["health"], "retrying", "{shown}");
    let fix = shown["error"]["fix"].as_str().unwrap();
    assert!(fix.contains(refusal.fix), "{fix}");
    assert_eq!(shown["advice"], fix);
    let screen = app.cli(&["account", "show", "locked"]);
    assert!(screen.contains(fix) && screen.contains(refusal.code), "{screen}");

    // Slot after slot, the healthy one is on time and the other is tried once.
    for label in ["two", "three"] {
        let (more, waiting) = (rows("healthy", label, 3), rows("locked", label, 3));
        app.insert(&[&more[..], &waiting].concat()).await;
        fine.extend(more);
        stuck.extend(waiting);
        app.delivered(&healthy, "healthy", fine.len()).await;
    }
    for row in app.deliveries("healthy") {
        let at = |name: &str| row[name].as_str().unwrap().parse::<Timestamp>().unwrap();
        let late = at("delivered_at").duration_since(at("slot"));
        assert!(late < SignedDuration::from_secs(10), "{late:?} late: {row}");
    }
    app.shown("locked", "tried again", |_| app.deliveries("locked")[0]["attempts"].as_u64() >= Some(2)).await;
    let held_up = app.deliveries("locked");
    assert_eq!((held_up.len(), &held_up[0]["state"]), (1, &"sealed".into()), "{held_up:?}");
    assert!(worker.metric(&format!("auditferry_failures_total{{kind=\"{}\"}}", refusal.kind)).await >= 2.0);
    assert_eq!(worker.metric("auditferry_accounts{state=\"retrying\"}").await, 1.0);
    assert_eq!(locked.keys().await, [""; 0]);

    app.set_destination("locked", &locked.options, &["--replace", "--yes"]);
    app.delivered(&locked, "locked", stuck.len()).await;
    app.settle("locked").await;
    assert_eq!(app.show("locked")["health"], "running");
    assert!(app.show("locked")["error"].is_null());
    worker.stop().await;
    app.verify(&healthy, "healthy", &fine).await;
    let objects = app.verify(&locked, "locked", &stuck).await;
    assert_eq!(objects[0].key, held_up[0]["key"], "it resumed where it stopped");
}

#[test]
fn a_denied_bucket_beside_a_healthy_one() {
    run(async {
        let locked = Bucket::azurite_with_sas().await;
        let wrong = locked.with_useless_sas();
        let refusal =
            Refusal { kind: "denied", fix: "make one with the permission c", code: "AuthorizationFailure" };
        refused_beside_healthy(locked, &wrong, refusal).await;
    });
}

#[test]
fn a_wrong_secret_beside_a_healthy_bucket() {
    run(async {
        let locked = Bucket::embedded().await;
        let wrong = locked.with_wrong_secret();
        let refusal = Refusal {
            kind: "invalid_credentials",
            fix: "The secret does not belong to the access key",
            code: "SignatureDoesNotMatch",
        };
        refused_beside_healthy(locked, &wrong, refusal).await;
    });
}

#[test]
fn a_foreign_object_under_our_key() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        app.add("acme", &bucket, EVERY_TWO_SECONDS, &[]);
        let expected = rows("acme", "ours", 4);
        app.insert(&expected).await;
        // Whichever slot comes first.
        let start = Timestamp::now();
        let theirs: Vec<String> = (0..60)
            .map(|second| (start + SignedDuration::from_secs(second)).strftime("%Y%m%dT%H%M%SZ").to_string())
            .map(|slot| format!("audit/acme/audit_acme_{slot}.zip"))
            .collect();
        std::fs::create_dir_all(bucket.path("audit/acme")).unwrap();
        for key in &theirs {
            std::fs::write(bucket.path(key), "not ours").unwrap();
        }
        let worker = app.start().await;
        let held = app.shown("acme", "held", |shown| shown["health"] == "held").await;
        assert_eq!(held["error"]["kind"], "foreign_object");
        assert!(held["error"]["fix"].as_str().unwrap().contains("auditferry account release"), "{held}");

        // Released while the stranger's object is still there: held again.
        app.cli(&["account", "release", "acme"]);
        let again = app
            .shown("acme", "held again", |shown| {
                shown["health"] == "held" && shown["error"]["at"] != held["error"]["at"]
            })
            .await;
        assert_eq!(again["open_window"], held["open_window"]);
        let rows = app.deliveries("acme");
        assert_eq!((rows.len(), &rows[0]["state"]), (1, &"sealed".into()), "{rows:?}");
        assert_eq!(worker.metric("auditferry_objects_total").await, 0.0);
        assert_eq!(worker.metric("auditferry_failures_total{kind=\"foreign_object\"}").await, 2.0);
        for key in &theirs {
            assert_eq!(std::fs::read(bucket.path(key)).unwrap(), b"not ours", "{key}");
            std::fs::remove_file(bucket.path(key)).unwrap();
        }

        app.cli(&["account", "release", "acme"]);
        app.delivered(&bucket, "acme", 4).await;
        app.settle("acme").await;
        worker.stop().await;
        let objects = app.verify(&bucket, "acme", &expected).await;
        assert_eq!(objects[0].key, rows[0]["key"]);
    });
}
