//! Webhooks, as their receiver sees them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::Scene;
use crate::support::bench::Bench;
use crate::support::receiver::{Received, Receiver, Reply};
use crate::support::{eventually, run};

/// Checks a message as the specification tells its receiver, with other code than ours.
fn is_signed_by(message: &Received, secret: &str) -> bool {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let mut signed = format!("{}.{}.", message.header("webhook-id"), message.header("webhook-timestamp"));
    signed.push_str(std::str::from_utf8(&message.body).unwrap());
    let signatures = message.header("webhook-signature").split(' ');
    signatures.filter_map(|signature| signature.strip_prefix("v1,")).any(|signature| {
        hmac::verify(&key, signed.as_bytes(), &BASE64_STANDARD.decode(signature).unwrap()).is_ok()
    })
}

#[test]
fn a_failure_its_reminder_and_its_end_are_told_once_each() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        let (_, secret) = scene.add(&format!("webhook --url {}", receiver.url()));
        scene.look().await;
        assert_eq!(receiver.count(), 0, "nothing is wrong");

        scene.refuses("acme").await;
        scene.look().await;
        let told = receiver.take().remove(0);
        assert!(is_signed_by(&told, &secret), "{told:?}");
        assert!(!is_signed_by(&told, &format!("whsec_{}", BASE64_STANDARD.encode([7; 32]))));
        let sent = told.header("webhook-timestamp").parse::<i64>().unwrap();
        assert!((jiff::Timestamp::now().as_second() - sent).abs() < 60);
        let json = told.json();
        assert_eq!((&json["type"], &json["data"]["account"]), (&"auditferry.notice".into(), &().into()));
        let item = &json["data"]["items"][0];
        assert_eq!((&item["account"], &item["change"]), (&"acme".into(), &"began".into()));
        assert_eq!((&item["kind"], &item["bucket"]), (&"denied".into(), &"acme-siem".into()));
        assert!(item["fix"].as_str().unwrap().contains("s3:PutObject"), "{item}");

        scene.look().await;
        assert_eq!(receiver.count(), 0, "not twice a day");
        scene.days_later(1).await;
        scene.look().await;
        assert_eq!(receiver.take()[0].json()["data"]["items"][0]["change"], "reminder");
        scene.days_later(2).await;
        scene.look().await;
        assert_eq!(receiver.count(), 0, "the next one comes after three days");

        // A person sets it right: that alone is no success.
        scene.execute("UPDATE account SET failures = 0, trouble_kind = NULL, denied_since = NULL").await;
        scene.look().await;
        assert_eq!(receiver.count(), 0);
        scene.takes("acme").await;
        scene.look().await;
        let over = receiver.take().remove(0).json();
        assert_eq!(over["data"]["items"][0]["change"], "recovered");
        assert!(over["data"]["title"].as_str().unwrap().contains("works again"), "{over}");
        scene.look().await;
        assert_eq!(receiver.count(), 0);

        let log = scene.bench.json("notification log");
        assert_eq!(log.as_array().unwrap().len(), 3);
        assert!(log[0]["delivered_at"].is_string() && log[0]["answer"] == "204 No Content", "{log}");
    });
}

#[test]
fn what_is_not_taken_is_tried_again_as_the_same_message() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        let (id, _) = scene.add(&format!("webhook --url {}", receiver.url()));
        scene.refuses("acme").await;
        receiver.answers(&[Reply::Status(500), Reply::Status(302)]);
        scene.look().await;
        let first = receiver.take().remove(0);
        let row = scene.bench.json("notification log")[0].clone();
        assert_eq!((&row["attempts"], &row["delivered_at"]), (&1.into(), &().into()));
        assert_eq!(row["answer"], "500 Internal Server Error: told HUSH");
        scene.look().await;
        assert_eq!(receiver.count(), 0, "not before its time");
        for tries in 2..=3 {
            scene.execute("UPDATE notification_outbox SET next_try_at = 0").await;
            scene.look().await;
            let again = receiver.take().remove(0);
            assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
            assert_eq!(again.body, first.body);
            let row = scene.bench.json("notification log")[0].clone();
            assert_eq!((&row["attempts"], row["delivered_at"].is_string()), (&tries.into(), tries == 3));
        }

        // After a day of tries it is given up, and the channel goes on.
        scene
            .execute("UPDATE notification_outbox SET next_try_at = 0, delivered_at = NULL, attempts = 7")
            .await;
        receiver.answers(&[Reply::Status(500)]);
        scene.look().await;
        let row = scene.bench.json("notification log")[0].clone();
        assert_eq!((&row["attempts"], &row["next_try_at"]), (&8.into(), &().into()));
        assert!(scene.bench.does("notification log").contains("given up"));
        assert_eq!(scene.bench.json("notification ls")[0]["disabled"], serde_json::Value::Null);
        assert!(scene.bench.does(&format!("notification test {id}")).contains("204"));
    });
}

#[test]
fn a_receiver_that_is_gone_is_left_alone() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        let (id, _) = scene.add(&format!("webhook --url {}", receiver.url()));
        scene.refuses("acme").await;
        receiver.answers(&[Reply::Status(410)]);
        scene.look().await;
        assert_eq!(receiver.take().len(), 1);
        let channel = scene.bench.json("notification ls")[0].clone();
        assert!(channel["disabled"]["reason"].as_str().unwrap().contains("410"), "{channel}");
        scene.days_later(1).await;
        scene.execute("UPDATE notification_outbox SET next_try_at = 0 WHERE next_try_at IS NOT NULL").await;
        scene.look().await;
        assert_eq!(receiver.count(), 0);
        // Another secret enables it.
        scene.bench.does(&format!("notification rotate {id}"));
        scene.look().await;
        assert_eq!(receiver.take().len(), 1);
    });
}

#[test]
fn two_secrets_sign_while_they_change() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        let (id, old) = scene.add(&format!("webhook --url {}", receiver.url()));
        let rotated = scene.bench.json(&format!("notification rotate {id}"));
        let new = rotated["secret"].as_str().unwrap();
        assert!(rotated["channel"]["rotating_until"].is_string(), "{rotated}");
        scene.bench.does(&format!("notification test {id}"));
        let told = receiver.take().remove(0);
        assert_eq!(told.json()["type"], "auditferry.test");
        assert!(is_signed_by(&told, &old) && is_signed_by(&told, new));

        scene
            .execute(
                "UPDATE notification_channel SET target = json_set(target, '$.previous.until', '2026-01-01T00:00:00Z')",
            )
            .await;
        scene.bench.does(&format!("notification test {id}"));
        let told = receiver.take().remove(0);
        assert!(!is_signed_by(&told, &old) && is_signed_by(&told, new));
        // The keys that seal channels' secrets are rotated with those of destinations.
        assert_eq!(scene.bench.json("keys ls")[0]["secrets"], 2);
        scene.bench.does("keys generate --out key2");
        let both = scene.bench.with("AUDITFERRY__KEYS__RING", "b=file:key2,a=file:key");
        assert_eq!(both.run("keys rotate").code, Some(0));
        let only = scene.bench.with("AUDITFERRY__KEYS__RING", "b=file:key2");
        assert_eq!(only.run(&format!("notification test {id}")).code, Some(0));
        assert!(is_signed_by(&receiver.take()[0], new));
    });
}

#[test]
fn a_message_whose_sender_died_comes_again_under_its_id() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        scene.add(&format!("webhook --url {}", receiver.url()));
        scene.refuses("acme").await;
        // The receiver has taken it, and its answer comes to nobody.
        receiver.answers(&[Reply::Silence]);
        let worker = scene.bench.worker("");
        let first = eventually("a message", async || receiver.take().pop()).await;
        drop(worker);
        scene.look().await;
        assert_eq!(receiver.count(), 0, "whoever has it may still be sending it");
        scene.execute("UPDATE notification_outbox SET claimed_until = 0").await;
        scene.look().await;
        let again = receiver.take();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again[0].body, first.body);
    });
}

#[test]
fn webhooks_lead_outside() {
    run(async {
        let receiver = Receiver::start().await;
        let scene = Scene::new();
        let url = receiver.url();
        let inside = scene.bench.with("AUDITFERRY__NETWORK__ALLOW", "192.0.2.1");
        for (url, says) in [
            (url.as_str(), "is not a public one"),
            ("http://hooks.example.com/x", "https://"),
            ("https://metadata.google.internal/x", "not a public one"),
            ("https://user:HUSH@hooks.example.com/x", "more than scheme"),
        ] {
            let answer = inside.run(&format!("notification add webhook --url {url}"));
            answer.is_refusal(2, &[says]);
        }
        // What was allowed once is not dialled when it is allowed no more.
        let (id, _) = scene.add(&format!("webhook --url {url}?key=1"));
        let answer = inside.run(&format!("notification test {id}"));
        answer.is_refusal(1, &["is not a public one"]);
        assert_eq!(receiver.count(), 0);
        scene.bench.does(&format!("notification test {id}"));
        assert_eq!(receiver.take()[0].path, "/hook?key=1");
    });
}

#[test]
fn an_accounts_people_hear_of_their_own_destination_only() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        scene.bench.does("account add bolt --zone UTC");
        let s3 = crate::support::bench::S3;
        scene.bench.does(&format!("destination set bolt {s3} --bucket bolt-siem"));
        scene.bench.does("addon enable bolt");
        scene.add(&format!("webhook --url {} --account acme --language de", receiver.url()));
        scene.refuses("bolt").await;
        // The database is ours to mend.
        scene
            .execute(
                "UPDATE account SET failures = 9, trouble_kind = 'ledger', trouble_message = 'pg-1.internal', \
                 trouble_at = 1763700000000000, denied_since = 1763700000000000 WHERE id = 'acme'",
            )
            .await;
        scene.look().await;
        assert_eq!(receiver.count(), 0);
        scene.refuses("acme").await;
        scene.look().await;
        let told = receiver.take().remove(0).json();
        assert_eq!(told["data"]["account"], "acme");
        let text = told["data"]["text"].as_str().unwrap();
        assert!(text.contains("acme-siem") && text.contains("Was zu tun ist"), "{text}");
        for inner in ["bolt", "10.9.8.7", "auditferry ", "message", "\"fix\""] {
            assert!(!told["data"].to_string().contains(inner), "{told}\nholds {inner}");
        }
    });
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = Bench::new();
    bench.does("account add acme --zone UTC");
    let url = "https://hooks.example.com/x";
    let refuses = |line: &str, says: &[&str]| bench.refuses(&format!("notification {line}"), says);
    refuses("rm n1", &["n1", "notification ls"]);
    refuses(&format!("add webhook --url {url} --account bolt"), &["bolt"]);
    refuses("add email --to nobody", &["no email address"]);
    refuses("add email --to a@example.com", &["email.host"]);
    bench.file("bad", "HUSH");
    refuses(&format!("add webhook --url {url} --secret-file bad"), &["whsec_"]);
    let answer = bench.run(&format!("notification add webhook --url {url}"));
    answer.is_refusal(2, &["keys.ring"]);
    assert!(bench.does("notification ls").contains("Nobody is told"));
}
