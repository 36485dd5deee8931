//! Every page of the console, with every role, signed out, and for a foreign account.

use std::collections::BTreeSet;
use std::path::Path;

use super::somebody;
use crate::portal::Browser;
use crate::support::api::Served;
use crate::support::bench::Bench;
use crate::support::run;

/// Every page and form: method, path, and what it needs. Written here once more, so that one behind the wrong guard
/// is noticed.
const PAGES: &[(&str, &str, &str)] = &[
    ("GET", "/console", "all"),
    ("GET", "/console/accounts", "read"),
    ("GET", "/console/accounts/{account}", "read"),
    ("GET", "/console/accounts/{account}/jobs", "oversee"),
    ("GET", "/console/accounts/{account}/probes/{job}", "read"),
    ("GET", "/console/accounts/{account}/replays/{job}", "oversee"),
    ("GET", "/console/accounts/{account}/delivery", "read"),
    ("GET", "/console/deliveries", "read"),
    ("GET", "/console/changes", "oversee"),
    ("GET", "/console/replays", "oversee"),
    ("GET", "/console/system", "all"),
    ("GET", "/console/tokens", "operate"),
    ("GET", "/console/tokens/new", "operate"),
    ("POST", "/console/tokens/new", "operate"),
    ("POST", "/console/tokens/{token}/revoke", "operate"),
    ("GET", "/console/sessions", "operate"),
    ("POST", "/console/sessions/{session}/end", "operate"),
    ("GET", "/console/notifications", "operate"),
    ("GET", "/console/notifications/new/{kind}", "operate"),
    ("POST", "/console/notifications/new/{kind}", "operate"),
    ("POST", "/console/notifications/{notification}/test", "operate"),
    ("POST", "/console/notifications/{notification}/rotate", "operate"),
    ("POST", "/console/notifications/{notification}/remove", "operate"),
    ("GET", "/console/accounts/{account}/pause", "support"),
    ("POST", "/console/accounts/{account}/pause", "support"),
    ("GET", "/console/accounts/{account}/resume", "support"),
    ("POST", "/console/accounts/{account}/resume", "support"),
    ("GET", "/console/accounts/{account}/release", "support"),
    ("POST", "/console/accounts/{account}/release", "support"),
    ("GET", "/console/accounts/{account}/deliver-now", "support"),
    ("POST", "/console/accounts/{account}/deliver-now", "support"),
    ("GET", "/console/accounts/{account}/rewind", "support"),
    ("POST", "/console/accounts/{account}/rewind", "support"),
    ("GET", "/console/accounts/{account}/skip", "support"),
    ("POST", "/console/accounts/{account}/skip", "support"),
    ("GET", "/console/accounts/{account}/add-on", "support"),
    ("POST", "/console/accounts/{account}/add-on", "support"),
    ("GET", "/console/accounts/{account}/replay", "support"),
    ("POST", "/console/accounts/{account}/replay", "support"),
    ("POST", "/console/accounts/{account}/probe", "probe"),
    ("GET", "/console/accounts/{account}/portal", "portal"),
    ("GET", "/console/accounts/{account}/portal/new", "portal"),
    ("POST", "/console/accounts/{account}/portal/new", "portal"),
    ("POST", "/console/accounts/{account}/portal/{session}/revoke", "portal"),
    ("POST", "/console/preferences", "anybody"),
];

fn may(role: &str, need: &str) -> bool {
    match role {
        _ if need == "anybody" => true,
        "operator" => true,
        "support" => ["all", "read", "oversee", "support", "probe", "portal"].contains(&need),
        "account-admin" => ["read", "probe"].contains(&need),
        "reader" => ["all", "read", "oversee"].contains(&need),
        "portal" => need == "portal",
        _ => unreachable!("{role}"),
    }
}

/// A page of one account, or of the whole installation.
fn is_of_one(path: &str) -> bool {
    path.contains("{account}")
}

/// Listings show what somebody may see.
fn is_listing(path: &str) -> bool {
    ["/console/accounts", "/console/deliveries", "/console/changes", "/console/replays"].contains(&path)
}

fn filled(path: &str, account: &str) -> String {
    let path = path.replace("{account}", account).replace("{kind}", "email");
    let path = ["{job}", "{token}", "{session}", "{notification}"]
        .iter()
        .fold(path, |path, part| path.replace(part, "0123456789abcdef"));
    if path.ends_with("/delivery") { format!("{path}?key=audit/none.zip") } else { path }
}

async fn asks(browser: &mut Browser, method: &str, path: &str, csrf: &str) -> crate::portal::Page {
    match method {
        "GET" => browser.get(path).await,
        _ => browser.post(path, &[("csrf", csrf)]).await,
    }
}

/// What every answer bears, whatever it is.
fn is_secured(page: &crate::portal::Page, path: &str) {
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'nonce-",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(part), "{path}: {policy} is without {part}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), value, "{path}: {name}");
    }
    assert!(!page.text.contains(" style=") && !page.text.contains("<style"), "{path} has a style of its own");
    for script in page.text.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap();
        assert!(tag.contains(" src=\"/assets/") && tag.contains(" nonce=\""), "{path}: <script{tag}>");
    }
}

#[test]
fn every_page_is_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/pages/console");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let Some((_, routes)) = text.split_once("fn routes(") else { continue };
        let routes = routes.split("\n}\n").next().unwrap();
        for literal in routes.split('"').skip(1).step_by(2) {
            let path = match literal.strip_prefix("/console") {
                Some(_) => literal.replace("{{", "{").replace("}}", "}"),
                None => format!("/console/accounts/{{account}}/{literal}"),
            };
            if !path.ends_with("/{name}") {
                found.insert(path);
            }
        }
    }
    let known: BTreeSet<String> = PAGES.iter().map(|(_, path, _)| (*path).to_owned()).collect();
    assert_eq!(found, known, "the routes in the source, and those that are tried");
}

#[test]
fn every_page_with_every_role() {
    run(async {
        let bench = Bench::with_destination();
        bench.does("account add beta --zone UTC");
        let bench = bench.visited();
        let served = Served::start(&bench, &[("AUDITFERRY__API__REQUESTS_PER_MINUTE", "100000")]);
        let limits: [(&str, &[&str]); 5] = [
            ("operator", &[]),
            ("support", &[]),
            ("account-admin", &["acme"]),
            ("reader", &[]),
            ("portal", &[]),
        ];
        for (role, accounts) in limits {
            // Each deed finds the account as the one before has left it: what counts is who may ask.
            let mut browser = somebody(&bench, &served, role, accounts).await;
            let csrf = csrf_of(&mut browser).await;
            for (method, path, need) in PAGES {
                let filled = filled(path, "acme");
                let page = asks(&mut browser, method, &filled, &csrf).await;
                is_secured(&page, &filled);
                match may(role, need) {
                    true => assert!(
                        ![401, 403].contains(&page.status) && page.status < 500,
                        "{role} {method} {filled}: {} {}",
                        page.status,
                        page.text
                    ),
                    // Who sees one account does not learn what else there is.
                    false if !accounts.is_empty() => {
                        assert!([403, 404].contains(&page.status), "{role} {method} {filled}");
                    }
                    false => assert_eq!(page.status, 403, "{role} {method} {filled}: {}", page.text),
                }
            }
        }
    });
}

/// Also of whom no page shows a form.
async fn csrf_of(browser: &mut Browser) -> String {
    let session = browser.get("/auth/session").await;
    let session: serde_json::Value = serde_json::from_str(&session.text).unwrap();
    session["csrf"].as_str().unwrap().to_owned()
}

#[test]
fn who_is_limited_to_accounts_sees_no_other() {
    run(async {
        let bench = Bench::with_destination();
        bench.does("account add beta --zone UTC");
        let bench = bench.visited();
        let served = Served::start(&bench, &[("AUDITFERRY__API__REQUESTS_PER_MINUTE", "100000")]);
        for role in ["support", "account-admin", "reader", "portal"] {
            let mut browser = somebody(&bench, &served, role, &["beta"]).await;
            let csrf = csrf_of(&mut browser).await;
            for (method, path, need) in PAGES.iter().filter(|(_, _, need)| *need != "anybody") {
                let filled = filled(path, "acme");
                let page = asks(&mut browser, method, &filled, &csrf).await;
                if is_listing(path) && may(role, need) {
                    // Somebody who sees some must name one, or sees theirs.
                    assert!(!page.text.contains(">acme<"), "{role} {filled}: {}", page.text);
                    let foreign = browser.get(&format!("{path}?account=acme&text=acme")).await;
                    assert!(
                        !foreign.text.contains("/console/accounts/acme"),
                        "{role} {filled}: {}",
                        foreign.text
                    );
                    continue;
                }
                let expected = if is_of_one(path) && may(role, need) { vec![404] } else { vec![403, 404] };
                assert!(
                    expected.contains(&page.status),
                    "{role} {method} {filled}: {} {}",
                    page.status,
                    page.text
                );
                let missing = asks(&mut browser, method, &filled.replace("acme", "nobody"), &csrf).await;
                assert_eq!(
                    missing.status, page.status,
                    "{role} {method} {filled}: what is foreign is told from what is not there"
                );
            }
        }
        assert_eq!(bench.json("account show acme")["paused"], serde_json::Value::Null);
    });
}

#[test]
fn nobody_comes_in_without_a_session_and_no_other_site_sends_a_form() {
    run(async {
        let bench = Bench::with_destination().visited();
        let served = Served::start(&bench, &[("AUDITFERRY__API__REQUESTS_PER_MINUTE", "100000")]);
        let mut nobody = Browser::new(&served);
        nobody.site = Some("same-origin");
        for (method, path, _) in PAGES {
            let filled = filled(path, "acme");
            let page = asks(&mut nobody, method, &filled, "AAAA").await;
            is_secured(&page, &filled);
            match *method {
                "GET" => {
                    let back: String = url::form_urlencoded::byte_serialize(filled.as_bytes()).collect();
                    assert_eq!(
                        (page.status, page.location),
                        (303, format!("/sign-in?return_to={back}")),
                        "{filled}"
                    );
                }
                _ => assert_eq!(page.status, 401, "{filled}"),
            }
        }
        let mut somebody = somebody(&bench, &served, "operator", &[]).await;
        let csrf = csrf_of(&mut somebody).await;
        let url = served.url().to_owned();
        let pages: Vec<_> = PAGES.iter().filter(|(method, _, _)| *method == "POST").collect();
        for (origin, site, csrf) in [
            ("https://evil.example", Some("cross-site"), csrf.as_str()),
            ("null", Some("cross-site"), csrf.as_str()),
            ("null", None, csrf.as_str()),
            (url.as_str(), Some("same-site"), csrf.as_str()),
            (url.as_str(), Some("same-origin"), "another"),
            (url.as_str(), Some("same-origin"), ""),
        ] {
            (somebody.origin, somebody.site) = (origin.to_owned(), site);
            for (_, path, _) in &pages {
                let filled = filled(path, "acme");
                let page =
                    somebody.post(&filled, &[("csrf", csrf), ("accept", "on"), ("from", "beginning")]).await;
                assert_eq!(page.status, 403, "{filled} from {origin} {site:?} with {csrf:?}: {}", page.text);
            }
        }
        // A token of the API opens no page, and the cookie opens nothing of the API.
        let secret = crate::support::api::token(&bench, "operator", &[]);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let page = client.get(format!("{url}/console")).bearer_auth(&secret).send().await.unwrap();
        assert_eq!(page.status().as_u16(), 303, "a token of the API opens the console");
        let refused = somebody.get("/api/v1/accounts").await;
        assert_eq!(refused.status, 401, "a cookie opens the API");
    });
}
