//! Writes: seen before they change anything, made once, and kept with who made them.

use serde_json::{Value, json};

use crate::support::api::{Client, Served, token};
use crate::support::bench::Bench;
use crate::support::run;

async fn operator(bench: &Bench, served: &Served) -> Client {
    served.client().with(&token(bench, "operator", &[]))
}

#[test]
fn a_change_undoes_nobody_elses() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let client = operator(&bench, &served).await;
        let on = json!({ "enabled": true, "reason": "order 4711" });
        client.send("PUT", "/accounts/acme/add-on", Some(&on)).await.is_problem(428, "precondition_required");
        let seen = client.get("/accounts/acme/add-on").await;
        let mine = client.header("if-match", &seen.etag());
        let done = mine.send("PUT", "/accounts/acme/add-on", Some(&on)).await;
        assert_eq!(done.is(200), json!({ "enabled": true, "reason": "order 4711" }));
        assert_ne!(done.etag(), seen.etag());
        let late = json!({ "enabled": false });
        mine.send("PUT", "/accounts/acme/add-on", Some(&late)).await.is_problem(412, "stale");
        assert_eq!(client.get("/accounts/acme/add-on").await.is(200)["enabled"], true);
        let any = client.header("if-match", "*");
        any.send("PUT", "/accounts/acme/add-on", Some(&late)).await.is(200);

        let new = json!({ "zone": "Europe/Berlin" });
        let only_new = client.header("if-none-match", "*");
        only_new.send("PUT", "/accounts/beta", Some(&new)).await.is(201);
        only_new.send("PUT", "/accounts/beta", Some(&new)).await.is_problem(412, "stale");
        client.send("PUT", "/accounts/beta", Some(&new)).await.is_problem(428, "precondition_required");
        client.put("/accounts/beta", &json!({ "zone": "Asia/Tokyo", "compression": 9 })).await.is(200);
        let shown = client.get("/accounts/beta").await.is(200);
        assert_eq!((&shown["zone"], &shown["format"]["compression"]), (&"Asia/Tokyo".into(), &9.into()));
        client.send("DELETE", "/accounts/beta", None).await.is_problem(428, "precondition_required");
        any.send("DELETE", "/accounts/beta", None).await.is(204);
        client.get("/accounts/beta").await.is_problem(404, "not_found");
    });
}

/// Of many that have seen the same, one changes it.
#[test]
fn of_changes_that_race_one_is_made() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let client = operator(&bench, &served).await;
        let seen = client.get("/accounts/acme").await.etag();
        let racing = (0..20).map(|number| {
            let client = client.header("if-match", &seen);
            async move {
                let body = json!({ "enabled": true, "reason": format!("number {number}") });
                client.send("PUT", "/accounts/acme/add-on", Some(&body)).await.status
            }
        });
        let mut made = futures::future::join_all(racing).await;
        made.sort_unstable();
        assert_eq!(made, [vec![200], vec![412; 19]].concat());
    });
}

#[test]
fn a_request_with_a_key_is_made_once() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let client = operator(&bench, &served).await;
        let keyed = client.header("idempotency-key", "k-1").header("auditferry-reason", "ticket 17");
        let first = keyed.send("POST", "/accounts/acme/pause", None).await;
        first.is(200);
        let changes = || bench.json("changes ls").as_array().unwrap().len();
        let count = changes();
        client.send("POST", "/accounts/acme/resume", None).await.is(200);
        let again = keyed.send("POST", "/accounts/acme/pause", None).await;
        assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"));
        assert_eq!(
            (again.text, again.headers["etag"].clone()),
            (first.text.clone(), first.headers["etag"].clone())
        );
        assert_eq!(bench.json("account show acme")["paused"], Value::Null, "it was not paused again");
        assert_eq!(changes(), count + 1, "only the resumption");
        keyed.send("POST", "/accounts/acme/resume", None).await.is_problem(422, "idempotency_key_reused");
        // Another caller's key is another key.
        let other = served.client().with(&token(&bench, "support", &[])).header("idempotency-key", "k-1");
        other.send("POST", "/accounts/acme/resume", None).await.is(200);
        client
            .header("idempotency-key", "with blanks")
            .send("POST", "/accounts/acme/pause", None)
            .await
            .is_problem(400, "invalid_idempotency_key");
        // What was refused stays refused.
        let body = json!({ "zone": "Nowhere/Land" });
        let refused = client.header("idempotency-key", "k-2").header("if-match", "*");
        let first = refused.send("PUT", "/accounts/acme", Some(&body)).await;
        first.is_problem(422, "unknown_zone");
        assert_eq!(refused.send("PUT", "/accounts/acme", Some(&body)).await.text, first.text);
    });
}

#[test]
fn of_requests_with_one_key_at_once_one_is_made() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let client = operator(&bench, &served).await.header("idempotency-key", "k-1");
        let new = json!({ "name": "race", "role": "reader" });
        let racing = (0..20).map(|_| client.send("POST", "/tokens", Some(&new)));
        let replies = futures::future::join_all(racing).await;
        let secrets = replies.iter().filter(|reply| reply.text.contains("afr_")).count();
        assert_eq!(secrets, 1, "{replies:?}");
        for reply in &replies {
            match reply.status {
                201 => {}
                409 => drop(reply.is_problem(409, "idempotency_key_running")),
                other => panic!("{other}: {reply:?}"),
            }
        }
        let made = bench.json("token ls");
        let named = made.as_array().unwrap().iter().filter(|token| token["name"] == "race").count();
        assert_eq!(named, 1);
        // The answer that is kept has no secret.
        let again = client.send("POST", "/tokens", Some(&new)).await.is(201);
        assert_eq!((&again["secret"], &again["name"]), (&Value::Null, &"race".into()));
    });
}

/// The change and the note that it is made commit together; what is not known any more is the answer.
#[test]
fn a_process_that_dies_before_it_answers_has_made_the_change_once() {
    run(async {
        let bench = Bench::with_acme();
        let mut served = Served::start(&bench, &[]);
        let secret = token(&bench, "operator", &[]);
        let keyed = |served: &Served| served.client().with(&secret).header("idempotency-key", "k-1");
        keyed(&served).send("POST", "/accounts/acme/pause", None).await.is(200);
        served.kill();
        let url = format!("sqlite:{}", bench.path("auditferry.db").display());
        let mut ledger = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
        // As it is when the process dies between the commit and its answer.
        let applied: Option<i64> =
            sqlx::query_scalar("SELECT applied_at FROM api_request").fetch_one(&mut ledger).await.unwrap();
        assert!(applied.is_some(), "the change has left its note");
        let died = "UPDATE api_request SET status = NULL, headers = NULL, body = NULL";
        sqlx::raw_sql(died).execute(&mut ledger).await.unwrap();
        bench.does("account resume acme");
        let served = Served::start(&bench, &[]);
        let again = keyed(&served).send("POST", "/accounts/acme/pause", None).await;
        // The client follows 303 to what there is now.
        assert_eq!(again.is(200)["paused"], Value::Null, "it was not paused again: {again:?}");
        // One that died before its change is made.
        sqlx::raw_sql("UPDATE api_request SET applied_at = NULL, begun_at = begun_at - 91000000")
            .execute(&mut ledger)
            .await
            .unwrap();
        let made = keyed(&served).send("POST", "/accounts/acme/pause", None).await.is(200);
        assert!(made["paused"].is_object(), "{made}");
    });
}

#[test]
fn a_change_is_kept_with_who_made_it_and_why() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let client = operator(&bench, &served).await.header("auditferry-reason", "ticket 4711");
        client.send("POST", "/accounts/acme/pause", None).await.is(200);
        let changes = client.get("/changes?account=acme&limit=1").await.is(200);
        let change = &changes["items"][0];
        assert_eq!((&change["actor_kind"], &change["channel"]), (&"api_token".into(), &"api".into()));
        assert_eq!(change["reason"], "ticket 4711");
        assert!(change["by"].as_str().unwrap().starts_with("test (token "), "{change}");
        assert!(changes["next"].is_string(), "there are more");
        let plain = operator(&bench, &served).await;
        let line =
            plain.header("auditferry-reason", "a\tb").send("POST", "/accounts/acme/resume", None).await;
        assert!(line.is_problem(422, "invalid_value")["field"] == "Auditferry-Reason", "{line:?}");
    });
}

#[test]
fn what_is_wrong_with_a_request_is_named() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let client = operator(&bench, &served).await.header("if-match", "*");
        let put = async |path: &str, body: Value| client.send("PUT", path, Some(&body)).await;
        let field = async |path: &str, body: Value| {
            put(path, body).await.is_problem(422, "invalid_value")["field"].as_str().unwrap().to_owned()
        };
        assert_eq!(field("/accounts/acme", json!({ "zone": "UTC", "max_record": 1 })).await, "max_record");
        assert_eq!(field("/accounts/acme", json!({ "zone": 7 })).await, "zone");
        assert_eq!(field("/accounts/acme", json!({ "zone": "UTC", "start": "now" })).await, "start");
        assert_eq!(field("/accounts/acme/add-on", json!({ "enabled": true, "reason": "" })).await, "reason");
        let schedule = put("/accounts/acme", json!({ "zone": "UTC", "schedule": "often" })).await;
        assert_eq!(schedule.is_problem(422, "invalid_schedule")["field"], "schedule");
        let past =
            put("/accounts/acme/add-on", json!({ "enabled": true, "until": "2020-01-01T00:00:00Z" })).await;
        assert_eq!(past.is_problem(422, "has_passed")["field"], "until");
        client.send_text("PUT", "/accounts/acme", Some("{")).await.is_problem(422, "invalid_value");
        let long = format!("{{\"zone\": \"{}\"}}", "x".repeat(70_000));
        client.send_text("PUT", "/accounts/acme", Some(&long)).await.is_problem(413, "body_too_large");
        client.get("/accounts?limit=201").await.is_problem(422, "invalid_value");
        let far = base64_cursor("18446744073709551615");
        client.get(&format!("/changes?cursor={far}")).await.is_problem(422, "invalid_value");
        client.get("/accounts?text=%00").await.is_problem(404, "not_found");
        client.get("/accounts/%FF").await.is_problem(404, "not_found");
        client.get("/accounts?cursor=x").await.is_problem(422, "invalid_value");
        client.get("/accounts?health=poorly").await.is_problem(422, "invalid_value");
        client.get("/nothing").await.is_problem(404, "not_found");
        client.send("PATCH", "/accounts/acme", None).await.is_problem(405, "method_not_allowed");
        let release = client.send("POST", "/accounts/acme/release", None).await;
        assert!(
            release.is_problem(409, "not_held")["detail"].as_str().unwrap().contains("acme"),
            "{release:?}"
        );
    });
}

fn base64_cursor(json: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
}
