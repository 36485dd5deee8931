//! Every route, with every role, with no token, with one that opens nothing, and for a foreign account.

use serde_json::{Value, json};

use crate::support::api::{Client, Served, token};
use crate::support::bench::Bench;
use crate::support::issuer::{Issuer, Key};
use crate::support::run;

/// What an operation is for. Written here once more, so that a route behind the wrong guard is noticed.
fn needs(operation: &str) -> &'static str {
    match operation {
        "listAccounts" | "getAccount" | "getAddOn" | "getDestination" | "listWindows" | "listAttempts"
        | "listDeliveries" | "listSlots" | "getDelivery" | "listProbes" | "getProbe" => "read",
        "getToken" => "anybody",
        "listChanges" | "getStatus" | "getSlot" | "listReplays" | "getReplay" | "listReplayedObjects" => {
            "oversee"
        }
        "pauseAccount" | "resumeAccount" | "releaseAccount" | "rewindAccount" | "deliverNow" | "putAddOn"
        | "replay" | "skipRecords" | "listAwaitingRewind" => "support",
        "probeDestination" => "probe",
        "putDestination" | "deleteDestination" | "proveDestination" => "destination",
        "putAccount" | "deleteAccount" | "listTokens" | "createToken" | "revokeToken" | "listKeys"
        | "listNotifications" | "addNotification" | "getNotification" | "removeNotification"
        | "rotateNotification" | "testNotification" | "listNotices" | "listSessions" | "revokeSession" => {
            "operate"
        }
        "createPortalSession" | "listPortalSessions" | "revokePortalSession" => "portal",
        other => panic!("{other}: say here who may do it"),
    }
}

fn may(role: &str, need: &str) -> bool {
    if need == "anybody" {
        return true;
    }
    match role {
        "operator" => true,
        "support" => ["read", "oversee", "support", "probe", "portal"].contains(&need),
        "account-admin" => ["read", "probe", "destination"].contains(&need),
        "reader" => ["read", "oversee"].contains(&need),
        "portal" => need == "portal",
        _ => unreachable!("{role}"),
    }
}

/// Operations of no single account: who is limited to some never gets them.
const OF_ALL: [&str; 14] = [
    "getStatus",
    "listTokens",
    "createToken",
    "revokeToken",
    "listKeys",
    "listNotifications",
    "addNotification",
    "getNotification",
    "removeNotification",
    "rotateNotification",
    "testNotification",
    "listNotices",
    "listSessions",
    "revokeSession",
];

/// Listings that name an account in their query.
const OF_ONE: [&str; 3] = ["listDeliveries", "listChanges", "listReplayedObjects"];

struct Route {
    method: String,
    path: String,
    operation: String,
}

async fn routes(client: &Client) -> Vec<Route> {
    let document = client.get("/openapi.json").await.is(200);
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                operation: operation["operationId"].as_str().unwrap().to_owned(),
            });
        }
    }
    assert!(routes.len() > 20, "{}", routes.len());
    routes
}

impl Route {
    /// Sends a request that changes nothing, whoever may send it: what it would change is not there.
    async fn send(&self, client: &Client, account: &str) -> (u16, Value) {
        let path = self
            .path
            .replace("{account}", account)
            .replace("{token}", "0000")
            .replace("{session}", "s0000")
            .replace("{job}", "j0000")
            .replace("{notification}", "n0000")
            .replace("{at}", "2026-11-21T04:00:00Z");
        let path = match self.operation.as_str() {
            "listAttempts" | "getDelivery" => format!("{path}?key=none"),
            listing if OF_ONE.contains(&listing) => format!("{path}?account={account}"),
            _ => path,
        };
        let body = (self.method == "PUT" || self.method == "POST").then(|| json!({ "nonsense": 1 }));
        let stale = client.header("if-match", "\"r999999\"");
        let reply = stale.send(&self.method, &path, body.as_ref()).await;
        (reply.status, serde_json::from_str(&reply.text).unwrap_or(Value::Null))
    }
}

#[test]
fn every_route_is_for_those_who_may() {
    run(async {
        let bench = Bench::with_destination();
        bench.does("account add beta --zone UTC");
        let issuer = Issuer::start().await;
        let settings = [
            ("AUDITFERRY__API__PUBLIC_URL", "https://exports.example"),
            ("AUDITFERRY__API__TRUSTED_PROXIES", "127.0.0.1"),
        ];
        let served = super::oidc::served(&bench, &issuer.url(), &settings);
        let nobody = served.client();
        let revoked = token(&bench, "operator", &[]);
        let id = bench.json("token ls")[0]["id"].as_str().unwrap().to_owned();
        bench.does(&format!("token revoke {id}"));
        let expired = token(&bench, "operator", &[]);
        let url = format!("sqlite:{}", bench.path("auditferry.db").display());
        let mut ledger = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
        sqlx::raw_sql("UPDATE api_token SET expires_at = created_at WHERE revoked_at IS NULL")
            .execute(&mut ledger)
            .await
            .unwrap();
        let state = bench.state();
        let stranger =
            Key::rsa().sign(&json!({ "alg": "RS256", "kid": "rsa" }), &issuer.claims("ana", &["ops"]));
        let no_role = nobody.with(&issuer.token("ana", &["unknown"]));
        let mut guesses = 0;
        for route in routes(&nobody).await {
            for (who, client) in [
                ("nobody", nobody.clone()),
                ("revoked", nobody.with(&revoked)),
                ("expired", nobody.with(&expired)),
                ("made up", nobody.with("afo_0000000000000000000000000000000000000000000000000")),
                ("of another provider", nobody.with(&stranger)),
            ] {
                // Whether the account is there is not told either.
                for account in ["acme", "nowhere"] {
                    guesses += 1;
                    let address = format!("2001:db8:{guesses:x}::1");
                    let client = client.header("x-forwarded-for", &address);
                    let (status, body) = route.send(&client, account).await;
                    assert_eq!(
                        (status, &body["code"]),
                        (401, &"unauthorized".into()),
                        "{who} {}",
                        route.operation
                    );
                }
            }
            let (status, body) = route.send(&no_role, "acme").await;
            assert_eq!((status, &body["code"]), (403, &"no_role".into()), "{}", route.operation);
            for (role, of_provider) in [
                ("operator", false),
                ("support", false),
                ("account-admin", false),
                ("reader", false),
                ("portal", false),
                ("operator", true),
                ("support", true),
                ("account-admin", true),
                ("reader", true),
            ] {
                let need = needs(&route.operation);
                // The roles of a provider are of all accounts, but for the admin's.
                let limited = role == "account-admin" || role != "operator" && !of_provider;
                let secret = match of_provider {
                    false => token(&bench, role, if limited { &["acme"] } else { &[] }),
                    true => {
                        let values =
                            [("operator", "ops"), ("support", "helpdesk"), ("account-admin", "admin")];
                        let value = values.into_iter().find(|(name, _)| *name == role);
                        let mut claims =
                            issuer.claims("ana", &[value.map_or("auditors", |(_, value)| value)]);
                        claims["tenant"] = "acme".into();
                        issuer.sign("rsa", &claims)
                    }
                };
                let client = nobody.with(&secret);
                let allowed = may(role, need) && !(limited && OF_ALL.contains(&route.operation.as_str()));
                let (status, body) = route.send(&client, "acme").await;
                let told = format!("{role} {} {status} {body}", route.operation);
                assert_eq!(!matches!(status, 401 | 403), allowed, "{told}");
                assert!(status < 500, "{told}");
                // Nothing is told of another's account, not even whether it is there.
                let names_one = route.path.contains("{account}")
                    || OF_ONE.contains(&route.operation.as_str()) && may(role, need);
                if limited && names_one {
                    let (there, told) = route.send(&client, "beta").await;
                    let (not_there, same) = route.send(&client, "nowhere").await;
                    assert_eq!((there, not_there), (404, 404), "{role} {}", route.operation);
                    assert_eq!(told, same);
                }
            }
        }
        assert_eq!(bench.state(), state, "nothing has changed");
    });
}

#[test]
fn a_listing_shows_only_what_its_reader_may_see() {
    run(async {
        let bench = Bench::with_acme();
        bench.does("account add beta --zone UTC");
        bench.does("account add gamma --zone UTC");
        let served = Served::start(&bench, &[]);
        let ids = async |token: &str, query: &str| -> Vec<String> {
            served.client().with(token).get(&format!("/accounts{query}")).await.accounts()
        };
        let two = token(&bench, "reader", &["acme", "gamma"]);
        assert_eq!(ids(&two, "").await, ["acme", "gamma"]);
        assert_eq!(ids(&two, "?text=BETA").await, [""; 0]);
        assert_eq!(ids(&token(&bench, "reader", &[]), "").await, ["acme", "beta", "gamma"]);
        // Who is limited names the account.
        let client = served.client().with(&two);
        client.get("/deliveries").await.is_problem(403, "forbidden");
        client.get("/deliveries?account=acme").await.is(200);
    });
}

#[test]
fn tokens_are_made_with_care() {
    let bench = Bench::with_acme();
    bench.refuses("token create x --role account-admin", &["accounts:", "exactly one account"]);
    bench.refuses("token create x --role operator --account acme", &["accounts:", "whole installation"]);
    bench.refuses("token create x --role reader --account nobody", &["accounts:", "account nobody"]);
    bench.refuses("token create x --role reader --expires 2020-01-01", &["expires_at:", "has passed"]);
    bench.refuses("token revoke 0000", &["token:", "auditferry token ls"]);
    let secret = token(&bench, "reader", &[]);
    assert!(secret.starts_with("afr_") && secret.len() == 53, "{secret}");
    let listed = bench.does("token ls");
    assert!(listed.contains("active") && !listed.contains(&secret), "{listed}");
    let database = std::fs::read(bench.path("auditferry.db")).unwrap();
    let log = std::fs::read(bench.path("auditferry.db-wal")).unwrap_or_default();
    for bytes in [&database, &log] {
        assert!(
            !bytes.windows(secret.len()).any(|part| part == secret.as_bytes()),
            "the ledger has the secret"
        );
    }
    let changes = bench.does("changes ls");
    assert!(changes.contains("token created") && !changes.contains(&secret), "{changes}");
}

/// A token of an account that was removed does not open a later one of the same id.
#[test]
fn a_token_ends_with_its_account() {
    run(async {
        let bench = Bench::with_acme();
        bench.does("account add beta --zone UTC");
        let served = Served::start(&bench, &[]);
        let (one, two) =
            (token(&bench, "account-admin", &["acme"]), token(&bench, "reader", &["acme", "beta"]));
        let operator = served.client().with(&token(&bench, "operator", &[]));
        let before = operator.get("/accounts/acme").await.etag();
        bench.does("account rm acme");
        bench.does("account add acme --zone UTC");
        served.client().with(&one).get("/accounts/acme").await.is_problem(401, "unauthorized");
        let two = served.client().with(&two);
        two.get("/accounts/acme").await.is_problem(404, "not_found");
        two.get("/accounts/beta").await.is(200);
        // What was seen of the one before is not this one.
        let stale = operator.header("if-match", &before);
        stale.send("DELETE", "/accounts/acme", None).await.is_problem(412, "stale");
    });
}

#[test]
fn what_is_the_vendors_own_is_not_told_to_a_customer() {
    run(async {
        let bench = Bench::with_destination();
        bench.does("addon enable acme --reason 'pays late'");
        bench.does("account pause acme --reason 'does not pay'");
        let served = Served::start(&bench, &[]);
        let shown = async |role: &str, accounts: &[&str]| {
            served.client().with(&token(&bench, role, accounts)).get("/accounts/acme").await
        };
        let customer = shown("account-admin", &["acme"]).await;
        assert_eq!(customer.is(200)["advice"], "ask support");
        for words in ["pay", "none has run", "auditferry "] {
            assert!(!customer.text.contains(words), "{words}: {customer:?}");
            assert!(shown("support", &[]).await.text.contains(words), "{words}");
        }
        let ready = reqwest::get(format!("{}/readyz", served.url())).await.unwrap().text().await.unwrap();
        assert_eq!(ready, "ready, but no worker runs\n");
    });
}

#[test]
fn the_use_of_a_token_is_seen_and_its_end_comes_at_once() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let secret = token(&bench, "reader", &[]);
        let client = served.client().with(&secret);
        assert_eq!(bench.json("token ls")[0]["last_used_at"], Value::Null);
        client.get("/accounts").await.is(200);
        let listed = bench.json("token ls");
        assert!(listed[0]["last_used_at"].is_string(), "{listed}");
        bench.does(&format!("token revoke {} --reason leaked", listed[0]["id"].as_str().unwrap()));
        let refused = client.get("/accounts").await;
        refused.is_problem(401, "unauthorized");
        assert_eq!(
            refused.header("www-authenticate"),
            "Bearer realm=\"auditferry\", error=\"invalid_token\""
        );
    });
}
