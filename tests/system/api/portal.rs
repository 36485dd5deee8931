//! Links to the portal: who makes them, for whom, and what of them is told.

use serde_json::{Value, json};

use crate::support::api::{Served, token};
use crate::support::bench::Bench;
use crate::support::run;

fn link() -> Value {
    json!({ "capabilities": ["export:read"], "actor": { "id": "u1", "email": "jana@acme.example" } })
}

const SITES: [(&str, &str); 1] = [("AUDITFERRY__PORTAL__RETURN_URLS", "https://app.vendor.example")];

#[test]
fn a_backend_makes_a_link_that_is_shown_once() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &SITES);
        let backend = served.client().with(&token(&bench, "portal", &[]));
        let mut wish = link();
        wish["return_url"] = "https://app.vendor.example/settings".into();
        wish["locale"] = "de".into();
        wish["theme"] = "dark".into();
        let keyed = backend.header("idempotency-key", "k1");
        let reply = keyed.send("POST", "/accounts/acme/portal-sessions", Some(&wish)).await;
        let made = reply.is(201);
        let url = made["url"].as_str().unwrap();
        let (place, secret) = url.split_once('#').expect("the token stands in the fragment");
        assert_eq!(place, format!("{}/portal/enter", served.url()));
        assert_eq!(secret.len(), 43);
        let id = made["id"].as_str().unwrap();
        assert_eq!(reply.header("location"), format!("/api/v1/accounts/acme/portal-sessions/{id}"));
        // For five minutes, unless it goes by mail.
        let waits = |made: &Value| {
            let at = |name: &str| made[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            at("link_ends_at").duration_since(at("created_at")).as_secs()
        };
        assert_eq!((waits(&made), &made["seconds"]), (300, &3600.into()));
        wish["link"] = "mail".into();
        wish["session_seconds"] = 86_400.into();
        let mailed = backend.send("POST", "/accounts/acme/portal-sessions", Some(&wish)).await.is(201);
        assert_eq!((waits(&mailed), &mailed["seconds"]), (72 * 3600, &86_400.into()));
        // The same answer once more has no token, and neither has anything else that is told.
        wish["link"] = "now".into();
        wish.as_object_mut().unwrap().remove("session_seconds");
        wish.as_object_mut().unwrap().remove("link");
        let again = keyed.send("POST", "/accounts/acme/portal-sessions", Some(&wish)).await.is(201);
        assert_eq!((&again["id"], &again["url"]), (&made["id"], &Value::Null));
        let listed = backend.get("/accounts/acme/portal-sessions").await;
        assert_eq!(listed.is(200).as_array().unwrap().len(), 2);
        let log = bench.json("changes ls acme");
        let told = &log[1];
        assert_eq!(told["action"], "portal link made", "{log}");
        let fields = told["fields"].to_string();
        assert!(fields.contains("jana@acme.example") && fields.contains("export:read"), "{fields}");
        assert!(told["by"].as_str().unwrap().contains("(token "), "{told}");
        for text in [listed.text, log.to_string(), std::fs::read_to_string(bench.path("serve.log")).unwrap()]
        {
            assert!(!text.contains(secret), "{text}");
        }
        let path = format!("/accounts/acme/portal-sessions/{id}");
        backend.send("DELETE", &path, None).await.is(204);
        backend.send("DELETE", &path, None).await.is(204);
        let listed = backend.get("/accounts/acme/portal-sessions").await.is(200);
        let revoked = listed.as_array().unwrap().iter().filter(|one| one["revoked_at"].is_string());
        assert_eq!(revoked.count(), 1);
        assert_eq!(bench.json("changes ls acme")[0]["action"], "portal session revoked");
    });
}

#[test]
fn a_link_that_cannot_be_right_is_not_made() {
    run(async {
        let bench = Bench::with_acme();
        bench.does("account add beta --zone UTC");
        let served = Served::start(&bench, &SITES);
        let backend = served.client().with(&token(&bench, "portal", &["acme"]));
        let make = async |account: &str, wish: &Value| {
            backend.send("POST", &format!("/accounts/{account}/portal-sessions"), Some(wish)).await
        };
        for (name, value, field) in [
            ("capabilities", json!([]), "capabilities"),
            ("capabilities", json!(["records:*"]), "capabilities[0]"),
            ("return_url", json!("https://evil.example/"), "return_url"),
            ("return_url", json!("https://app.vendor.example.evil.example/"), "return_url"),
            ("session_seconds", json!(86_401), "session_seconds"),
            ("session_seconds", json!(0), "session_seconds"),
            ("locale", json!("fr"), "locale"),
            ("actor", json!({ "id": "u1", "email": "jana" }), "actor.email"),
            ("actor", json!({ "id": "", "email": "jana@acme.example" }), "actor.id"),
            ("link", json!("fax"), "link"),
            ("nonsense", json!(1), "nonsense"),
        ] {
            let mut wish = link();
            wish[name] = value;
            let problem = make("acme", &wish).await.is_problem(422, "invalid_value");
            assert_eq!(problem["field"], field, "{problem}");
        }
        // Another account is as if it were not there.
        make("beta", &link()).await.is_problem(404, "not_found");
        make("nowhere", &link()).await.is_problem(404, "not_found");
        let foreign = served.client().with(&token(&bench, "portal", &["beta"]));
        let made = make("acme", &link()).await.is(201);
        let path = format!("/accounts/beta/portal-sessions/{}", made["id"].as_str().unwrap());
        foreign.send("DELETE", &path, None).await.is_problem(404, "no_such_session");
        assert_eq!(bench.json("portal ls acme")[0]["revoked_at"], Value::Null);
    });
}

#[test]
fn nobody_gets_more_links_than_people_need() {
    run(async {
        let bench = Bench::with_acme();
        bench.does("account add beta --zone UTC");
        let served = Served::start(&bench, &SITES);
        let backend = served.client().with(&token(&bench, "portal", &[]));
        let mut refused = 0;
        for _ in 0..65 {
            let reply = backend.send("POST", "/accounts/acme/portal-sessions", Some(&link())).await;
            refused += usize::from(reply.status == 429);
        }
        assert!((1..=5).contains(&refused), "{refused}");
        backend.send("POST", "/accounts/beta/portal-sessions", Some(&link())).await.is(201);
    });
}

#[test]
fn a_link_needs_an_address_that_browsers_reach() {
    let bench = Bench::with_acme();
    bench.refuses(
        "portal link acme --actor jana@acme.example",
        &["api.public_url", "https://exports.example.com"],
    );
    let bench = bench.env("AUDITFERRY__API__PUBLIC_URL", "https://exports.example");
    let url = bench.does("portal link acme --actor jana@acme.example --mail");
    assert!(url.starts_with("https://exports.example/portal/enter#"), "{url}");
    let listed = bench.json("portal ls acme");
    assert_eq!(listed[0]["capabilities"].as_array().unwrap().len(), 4);
    for (setting, value) in [
        ("AUDITFERRY__PORTAL__FRAME_ANCESTORS", "https://*.vendor.example"),
        ("AUDITFERRY__PORTAL__FRAME_ANCESTORS", "https://app.vendor.example/"),
        ("AUDITFERRY__PORTAL__RETURN_URLS", "http://app.vendor.example"),
    ] {
        let key = setting.trim_start_matches("AUDITFERRY__").to_lowercase().replace("__", ".");
        bench.with(setting, value).run("check").is_refusal(2, &[&key, "https://app.vendor.example"]);
    }
}
