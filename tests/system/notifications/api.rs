//! Channels over the API.

use serde_json::{Value, json};

use super::Scene;
use crate::support::api::{Served, token};
use crate::support::receiver::Receiver;
use crate::support::run;

#[test]
fn channels_are_kept_over_the_api() {
    run(async {
        let (scene, receiver) = (Scene::new(), Receiver::start().await);
        let served = Served::start(&scene.bench, &[("AUDITFERRY__LOG__LEVEL", "trace")]);
        let operator = served.client().with(&token(&scene.bench, "operator", &[]));
        let post = async |path: &str, body: &Value| operator.send("POST", path, Some(body)).await;

        let webhook =
            json!({ "kind": "webhook", "url": receiver.url(), "account": "acme", "language": "de" });
        let keyed = operator.header("idempotency-key", "k-1");
        let added = keyed.send("POST", "/notifications", Some(&webhook)).await;
        let channel = added.is(201);
        let (id, secret) = (channel["id"].as_str().unwrap(), channel["secret"].as_str().unwrap());
        assert!(secret.starts_with("whsec_") && added.header("location").ends_with(id), "{channel}");
        // The same request again: the same channel, and its secret is not told a second time.
        let again = keyed.send("POST", "/notifications", Some(&webhook)).await.is(201);
        assert_eq!((&again["id"], &again["secret"]), (&channel["id"], &Value::Null));
        assert_eq!(operator.get("/notifications").await.is(200).as_array().unwrap().len(), 1);
        let path = format!("/notifications/{id}");
        let shown = operator.get(&path).await.is(200);
        assert_eq!((&shown["account"], &shown["language"]), (&"acme".into(), &"de".into()));

        let tried = post(&format!("{path}/test"), &json!({})).await.is(200);
        assert_eq!((&tried["delivered"], receiver.take().len()), (&true.into(), 1));
        let rotated = post(&format!("{path}/rotate"), &json!({})).await.is(200);
        assert!(rotated["secret"].as_str().unwrap() != secret && rotated["rotating_until"].is_string());
        let hush = json!({ "kind": "slack", "url": "https://hooks.slack.com/services/HUSH" });
        let slack = post("/notifications", &hush).await;
        assert_eq!(slack.is(201)["to"], "https://hooks.slack.com");

        scene.refuses("acme").await;
        scene.look().await;
        let told = operator.get("/notices?account=acme&limit=5").await.is(200);
        assert_eq!(
            (&told[0]["channel"], &told[0]["notice"]["items"][0]["topic"]),
            (&channel["id"], &"export".into())
        );

        for (body, field) in [
            (json!({ "kind": "webhook", "url": "http://10.0.0.1/" }), "url"),
            (json!({ "kind": "webhook", "url": receiver.url(), "secret": "HUSH" }), "secret"),
            (json!({ "kind": "email", "to": "nobody" }), "to"),
        ] {
            let refused = post("/notifications", &body).await;
            assert_eq!(refused.is_problem(422, "invalid_value")["field"], field);
            assert!(!refused.text.contains("HUSH"), "{refused:?}");
        }
        let of_nobody = json!({ "kind": "email", "to": "a@example.com", "account": "nobody" });
        post("/notifications", &of_nobody).await.is_problem(404, "not_found");
        operator.send("DELETE", &path, None).await.is(204);
        for (method, path) in
            [("GET", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/test"))]
        {
            operator.send(method, &path, None).await.is_problem(404, "no_such_notification");
        }
        let log = std::fs::read_to_string(scene.bench.path("serve.log")).unwrap();
        let changes = scene.bench.does("changes ls --json");
        assert!(!log.contains("HUSH") && !log.contains(secret) && !changes.contains("HUSH"));
        assert!(changes.contains("token"), "{changes}");
    });
}
