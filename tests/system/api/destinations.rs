//! Destinations over HTTP: secrets go in, and never come out.

use serde_json::{Value, json};

use crate::support::api::{Client, Served, token};
use crate::support::bench::Bench;
use crate::support::run;

const PATH: &str = "/accounts/acme/destination";

fn bucket(name: &str, secret: Option<&str>) -> Value {
    let mut key = json!({ "id": "AKIAIOSFODNN7EXAMPLE" });
    if let Some(secret) = secret {
        key["secret"] = json!({ "value": secret });
    }
    json!({ "kind": "s3", "bucket": name, "region": "eu-central-1", "credentials": { "access_key": key } })
}

/// A bench whose ledger can seal, and the admin of acme.
fn sealing() -> Bench {
    let bench = Bench::new();
    bench.does("keys generate --out key");
    let ring = format!("k1=file:{}", bench.path("key").display());
    let bench = bench.env("AUDITFERRY__KEYS__RING", &ring);
    bench.does("account add acme --zone UTC");
    bench
}

async fn set(client: &Client, body: &Value) -> crate::support::api::Reply {
    let seen = client.get(PATH).await;
    client.header("if-match", &seen.etag()).send("PUT", &format!("{PATH}?untested=true"), Some(body)).await
}

#[test]
fn a_secret_goes_in_and_never_comes_out() {
    run(async {
        let bench = sealing();
        let served = Served::start(&bench, &[("AUDITFERRY__LOG__LEVEL", "trace")]);
        let admin = served.client().with(&token(&bench, "account-admin", &["acme"]));
        let secret = "HUSH/wJalrXUtnFEMI";
        let view = set(&admin, &bucket("acme-siem", Some(secret))).await;
        let shown = view.is(200);
        assert_eq!(shown["destination"]["bucket"], "acme-siem");
        assert_eq!(shown["destination"]["credentials"]["access_key"]["secret"], json!({ "set": true }));
        let stored = bench.json("destination show acme");
        assert!(stored["credentials"]["access_key"]["secret"]["sealed"].is_string(), "{stored}");
        let log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
        let all = [view.text, admin.get("/accounts/acme").await.text, log, bench.does("changes ls")];
        assert!(all.iter().all(|text| !text.contains("HUSH")), "the secret has come out");

        // It stays when it is left out, for the same place only.
        let mut prefixed = shown["destination"].clone();
        prefixed["prefix"] = "siem/".into();
        assert_eq!(set(&admin, &prefixed).await.is(200)["destination"]["prefix"], "siem/");
        let opened = bench.does("keys ls");
        assert!(opened.contains("k1"), "{opened}");
        let elsewhere = set(&admin, &bucket("attacker-bucket", None)).await;
        assert_eq!(elsewhere.is_problem(409, "secret_needed")["field"], "destination.credentials");
        let mut endpoint = prefixed.clone();
        endpoint["endpoint"] = "https://attacker.example".into();
        set(&admin, &endpoint).await.is_problem(409, "secret_needed");
        assert_eq!(
            admin.get(PATH).await.is(200)["destination"]["bucket"],
            "acme-siem",
            "nothing was changed"
        );
        admin.header("if-match", "*").send("DELETE", PATH, None).await.is(204);
        assert_eq!(admin.get(PATH).await.is(200)["destination"], Value::Null);
    });
}

#[test]
fn nobody_reads_the_workers_files_through_a_destination() {
    run(async {
        let bench = sealing();
        let served = Served::start(&bench, &[]);
        let admin = served.client().with(&token(&bench, "account-admin", &["acme"]));
        let mut body = bucket("acme-siem", None);
        for reference in
            [json!({ "env": "HOME" }), json!({ "file": "/etc/passwd" }), json!({ "sealed": "x" })]
        {
            body["credentials"]["access_key"]["secret"] = reference;
            let problem = set(&admin, &body).await.is_problem(422, "invalid_value");
            assert!(problem["fix"].as_str().unwrap().contains("value"), "{problem}");
        }
        // serde reads a struct from an array too.
        for reference in [json!({ "env": "HOME" }), json!({ "file": "/etc/passwd" })] {
            body["credentials"]["access_key"] = json!(["AKIAIOSFODNN7EXAMPLE", { "value": "v" }, reference]);
            set(&admin, &body).await.is_problem(422, "invalid_value");
        }
        body = bucket("acme-siem", None);
        // A secret in the wrong place is not quoted.
        body["credentials"]["access_key"]["secret"] = "HUSH".into();
        let refused = set(&admin, &body).await;
        refused.is_problem(422, "invalid_value");
        assert!(!refused.text.contains("HUSH"), "{refused:?}");
        body["credentials"] = json!("HUSH");
        assert!(!set(&admin, &body).await.text.contains("HUSH"));
    });
}

#[test]
fn a_destination_that_does_not_work_is_not_set() {
    run(async {
        let bench = sealing();
        let served = Served::start(&bench, &[]);
        let admin = served.client().with(&token(&bench, "account-admin", &["acme"]));
        let mut body = bucket("acme-siem", Some("HUSH"));
        body["endpoint"] = "https://127.0.0.1:9".into();
        let seen = admin.get(PATH).await;
        let refused = admin.header("if-match", &seen.etag()).send("PUT", PATH, Some(&body)).await;
        let problem = refused.is_problem(422, "destination_fails");
        assert!(problem["fix"].as_str().is_some_and(|fix| fix.contains("cannot connect")), "{problem}");
        assert_eq!(admin.get(PATH).await.is(200)["destination"], Value::Null);
        // A probe names its steps.
        set(&admin, &body).await.is(200);
        let probe = admin.job("/accounts/acme/probes", None).await;
        let probed = &probe["result"];
        assert_eq!((&probe["state"], &probed["works"]), (&"done".into(), &false.into()));
        assert!(probed["steps"].as_array().unwrap().len() > 1 && probed["fix"].is_string(), "{probe}");
        assert_eq!(probe["steps"], probed["steps"]);
        // What an operator reads of the worker is not the customer's.
        let operator = served.client().with(&token(&bench, "operator", &[]));
        let begun = operator.send("POST", "/accounts/acme/probes", None).await;
        let full = operator.ended(begun.header("location")).await;
        assert_eq!(full["result"]["fix"], probe["result"]["fix"], "{full}");
        let seen = admin.ended(begun.header("location")).await;
        assert_eq!((&seen["asked_by"], &seen["result"]["works"]), (&Value::Null, &false.into()));
        assert!(seen["result"]["fix"].as_str().unwrap().contains("ask for one yourself"), "{seen}");
        assert!(probe["asked_by"].as_str().unwrap().contains("token"));
        // The trial before counts too.
        for _ in 0..7 {
            admin.job("/accounts/acme/probes", None).await;
        }
        admin.send("POST", "/accounts/acme/probes", None).await.is_problem(429, "too_many_requests");
    });
}
