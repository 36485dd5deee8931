//! How a browser signs in and out: the whole code flow with cookies, and what others try with it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::oidc::{nothing_is_logged, served};
use crate::support::api::{Served, free_port, token};
use crate::support::bench::Bench;
use crate::support::issuer::{CLIENT, Issuer, Key, Mood, now};
use crate::support::{eventually, run};

/// What a browser does: it keeps cookies, and says from which page it comes.
struct Browser {
    url: String,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
    /// The page that sends its forms.
    origin: String,
    /// All cookies that it ever had.
    seen: Vec<String>,
    set: Vec<String>,
}

struct Page {
    status: u16,
    location: String,
    text: String,
}

impl Browser {
    fn new(served: &Served) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = served.url().to_owned();
        Self { origin: url.clone(), url, http, cookies: BTreeMap::new(), seen: Vec::new(), set: Vec::new() }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let response = request.send().await.unwrap();
        let header =
            |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, location) = (response.status().as_u16(), header("location"));
        assert_eq!(
            (header("cache-control"), header("referrer-policy")),
            ("no-store".into(), "no-referrer".into())
        );
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            self.set.push(cookie.to_owned());
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match cookie.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => {
                    self.seen.push(value.to_owned());
                    self.cookies.insert(name.to_owned(), value.to_owned())
                }
            };
        }
        Page { status, location, text: response.text().await.unwrap() }
    }

    async fn get(&mut self, path: &str) -> Page {
        let place = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        self.send(self.http.get(place)).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.url)).header("origin", self.origin.clone());
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await
    }

    async fn session(&mut self) -> Option<Value> {
        let page = self.get("/auth/session").await;
        match page.status {
            200 => Some(page.json()),
            _ => {
                page.is(401, "not_signed_in");
                None
            }
        }
    }

    /// The whole way, as far as to our callback.
    async fn comes_back(&mut self, issuer: &Issuer, roles: &[&str]) -> String {
        let sent = self.get("/auth/login?return_to=/accounts/acme").await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        issuer.logs_in(&sent.location, "ana", roles)
    }
}

impl Page {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, &self.json()["code"]), (status, &code.into()), "{}", self.text);
    }
}

#[test]
fn somebody_signs_in_at_the_provider_and_out_again() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let served = served(&bench, &issuer.url(), &[]);
        let mut browser = Browser::new(&served);
        assert!(browser.session().await.is_none());
        let back = browser.comes_back(&issuer, &["helpdesk"]).await;
        let login = browser.cookies.keys().cloned().collect::<Vec<_>>();
        assert_eq!(login, ["auditferry-login"], "without TLS, on this machine, cookies have no prefix");
        let page = browser.get(&back).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/accounts/acme"), "{}", page.text);
        let first = browser.session().await.unwrap();
        assert_eq!((&first["role"], &first["kind"]), (&json!("support"), &json!("oidc_subject")));
        assert_eq!(first["name"], "ana@vendor.example (subject ana)");
        assert_eq!(first["id"], format!("{}#ana", issuer.url()));
        let cookie = browser.set.last().unwrap();
        assert!(
            cookie.contains("; Path=/; HttpOnly; SameSite=Lax") && !cookie.contains("Domain"),
            "{cookie}"
        );
        // A cookie opens nothing on the API.
        let value = format!("auditferry={}", browser.cookies["auditferry"]);
        served.client().header("cookie", &value).get("/accounts").await.is_problem(401, "unauthorized");
        served
            .client()
            .with(&browser.cookies["auditferry"])
            .get("/accounts")
            .await
            .is_problem(401, "unauthorized");
        // A new log-in has a new session, and ends the one before.
        let before = browser.cookies["auditferry"].clone();
        let back = browser.comes_back(&issuer, &["ops"]).await;
        assert_eq!(browser.get(&back).await.status, 303);
        assert_ne!(browser.cookies["auditferry"], before);
        let mut old = Browser::new(&served);
        old.cookies.insert("auditferry".to_owned(), before);
        assert!(old.session().await.is_none(), "the session before has ended");
        let second = browser.session().await.unwrap();
        assert_eq!(second["role"], "operator");
        // Out again: not by another page, not without the token, and then everywhere.
        let csrf = second["csrf"].as_str().unwrap();
        let own = browser.origin.clone();
        browser.origin = "https://evil.example".to_owned();
        browser.post("/auth/logout", &[("csrf", csrf)]).await.is(403, "cross_site");
        browser.origin = own;
        browser
            .post("/auth/logout", &[("csrf", first["csrf"].as_str().unwrap())])
            .await
            .is(403, "cross_site");
        browser.post("/auth/logout", &[]).await.is(403, "cross_site");
        let held = browser.cookies["auditferry"].clone();
        let out = browser.post("/auth/logout", &[("csrf", csrf)]).await;
        assert_eq!(out.status, 303);
        assert!(
            out.location.starts_with(&format!("{}/logout?client_id=auditferry+client", issuer.url())),
            "{}",
            out.location
        );
        assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
        old.cookies.insert("auditferry".to_owned(), held);
        assert!(old.session().await.is_none(), "it has ended, also for who has kept the cookie");
        let mut secrets = issuer.secrets();
        secrets.extend(browser.seen);
        secrets.push(csrf.to_owned());
        nothing_is_logged(&bench, &secrets);
        let database = std::fs::read(bench.path("auditferry.db")).unwrap();
        let wal = std::fs::read(bench.path("auditferry.db-wal")).unwrap_or_default();
        for secret in secrets {
            for bytes in [&database, &wal] {
                assert!(
                    !bytes.windows(secret.len()).any(|part| part == secret.as_bytes()),
                    "the ledger has {secret}"
                );
            }
        }
    });
}

#[test]
fn over_tls_cookies_are_of_one_host() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let more = [
            ("AUDITFERRY__API__TRUSTED_PROXIES", "127.0.0.1"),
            ("AUDITFERRY__API__PUBLIC_URL", "https://exports.example"),
        ];
        let served = served(&bench, &issuer.url(), &more);
        let mut browser = Browser::new(&served);
        let back = browser.comes_back(&issuer, &["ops"]).await;
        let path = back.strip_prefix("https://exports.example").unwrap_or_else(|| panic!("{back}"));
        assert_eq!(browser.get(path).await.status, 303);
        assert!(browser.session().await.is_some());
        for cookie in &browser.set {
            assert!(cookie.starts_with("__Host-auditferry") && cookie.contains("; Secure"), "{cookie}");
        }
        // The page is that of the public URL, not of the port behind the proxy.
        let session = browser.session().await.unwrap();
        let csrf = session["csrf"].as_str().unwrap();
        browser.post("/auth/logout", &[("csrf", csrf)]).await.is(403, "cross_site");
        browser.origin = "https://exports.example".to_owned();
        assert_eq!(browser.post("/auth/logout", &[("csrf", csrf)]).await.status, 303);
    });
}

#[test]
fn an_answer_belongs_to_one_log_in_of_one_browser() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let served = served(&bench, &issuer.url(), &[]);
        let (mut ana, mut eve) = (Browser::new(&served), Browser::new(&served));
        let back = ana.comes_back(&issuer, &["ops"]).await;
        // Another browser, without a log-in and with one of its own.
        eve.get(&back).await.is(400, "unknown_sign_in");
        let of_eve = eve.comes_back(&issuer, &["viewers"]).await;
        eve.get(&back).await.is(400, "unknown_sign_in");
        ana.get(&of_eve).await.is(400, "unknown_sign_in");
        for broken in ["/auth/callback", "/auth/callback?code=x", "/auth/callback?state=x&code=x"] {
            ana.get(broken).await.is(400, "unknown_sign_in");
        }
        // What others have tried has not used it up; it is used once.
        let kept = ana.cookies.clone();
        assert_eq!(ana.get(&back).await.status, 303);
        let session = ana.cookies.clone();
        ana.cookies = kept;
        ana.get(&back).await.is(400, "unknown_sign_in");
        // The code is used up too, whoever has it.
        let code = url::Url::parse(&back)
            .unwrap()
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        let again = eve.get("/auth/login").await;
        let state = url::Url::parse(&again.location)
            .unwrap()
            .query_pairs()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1
            .into_owned();
        let answer =
            |code: &str, issuer: &str| format!("/auth/callback?code={code}&state={state}&iss={issuer}");
        eve.get(&answer(&code, &issuer.url())).await.is(403, "sign_in_refused");
        ana.cookies = session;
        assert!(ana.session().await.is_some(), "ana's session goes on");
        assert!(eve.session().await.is_none());
        // An answer of another provider is none, and a provider that names itself does so.
        for (with, without) in [("https://other.example", ""), ("", "&iss=")] {
            let back = eve.comes_back(&issuer, &["viewers"]).await;
            let (head, iss) = back.split_once("&iss=").unwrap();
            let back = if without.is_empty() { format!("{head}&iss={with}") } else { head.to_owned() };
            assert!(!iss.is_empty());
            eve.get(&back).await.is(403, "sign_in_refused");
        }
        let mut refused = eve.comes_back(&issuer, &["viewers"]).await;
        let at = refused.find("code=").unwrap();
        let end = refused[at..].find('&').unwrap() + at;
        refused.replace_range(at..end, "error=access_denied&error_description=HUSHHUSHHUSH");
        eve.get(&refused).await.is(403, "sign_in_refused");
        let mut secrets = issuer.secrets();
        secrets.extend(["HUSHHUSHHUSH".to_owned(), state]);
        nothing_is_logged(&bench, &secrets);
    });
}

#[test]
fn a_browser_is_sent_back_to_us_only() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let served = served(&bench, &issuer.url(), &[]);
        let mut browser = Browser::new(&served);
        for bad in [
            "//evil.example",
            "/%5Cevil.example",
            "https://evil.example",
            "/%09/evil.example",
            "%2F%2Fevil.example",
            "",
        ] {
            browser.get(&format!("/auth/login?return_to={bad}")).await.is(422, "invalid_value");
            let token = token(&bench, "reader", &[]);
            let bad = bad.replace("%5C", "\\").replace("%09", "\t").replace("%2F", "/");
            browser
                .post("/auth/token", &[("token", &token), ("return_to", &bad)])
                .await
                .is(422, "invalid_value");
        }
        assert!(browser.cookies.is_empty());
    });
}

#[test]
fn an_id_token_is_that_of_the_log_in() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let served = served(&bench, &issuer.url(), &[]);
        let mut browser = Browser::new(&served);
        for (claim, value) in [
            ("nonce", json!("another")),
            ("nonce", Value::Null),
            ("aud", json!("another client")),
            ("aud", json!([CLIENT, "another client"])),
            ("azp", json!("another client")),
            ("iss", json!("https://other.example")),
            ("exp", json!(now() - 120)),
            ("iat", json!(now() + 120)),
            ("sub", json!("")),
        ] {
            issuer.replaces(json!({ claim: value }));
            let back = browser.comes_back(&issuer, &["ops"]).await;
            browser.get(&back).await.is(403, "sign_in_refused");
            assert!(browser.session().await.is_none(), "{claim}");
        }
        issuer.replaces(json!({ "realm_access": { "roles": ["unknown"] } }));
        let back = browser.comes_back(&issuer, &["ops"]).await;
        browser.get(&back).await.is(403, "no_role");
        issuer.replaces(json!({ "aud": [CLIENT, "another client"], "azp": CLIENT }));
        let back = browser.comes_back(&issuer, &["ops"]).await;
        assert_eq!(browser.get(&back).await.status, 303);
        nothing_is_logged(&bench, &issuer.secrets());
    });
}

#[test]
fn a_provider_that_dies_in_the_middle_lets_nobody_in() {
    run(async {
        let bench = Bench::with_acme();
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}/realms/ops");
        let served = served(&bench, &url, &[]);
        let mut browser = Browser::new(&served);
        browser.get("/auth/login").await.is(503, "sign_in_away");
        assert!(browser.cookies.is_empty(), "nothing is kept of a log-in that cannot be made");
        let issuer = Issuer::start_on(port).await;
        eventually("it is found", async || (browser.get("/auth/login").await.status == 303).then_some(()))
            .await;
        for mood in [Mood::BreaksOff, Mood::Endless, Mood::Fails, Mood::Redirects] {
            let back = browser.comes_back(&issuer, &["ops"]).await;
            issuer.token_mood(mood);
            browser.get(&back).await.is(503, "sign_in_away");
            issuer.token_mood(Mood::Well);
            // That log-in is over; the next one works.
            browser.get(&back).await.is(400, "unknown_sign_in");
            assert!(browser.session().await.is_none(), "{mood:?}");
        }
        // A key that is new since: its ID tokens are good.
        issuer.publish("ec", Key::ec());
        issuer.publish("ec2", Key::ec());
        let back = browser.comes_back(&issuer, &["ops"]).await;
        browser.get(&back).await.is(403, "sign_in_refused");
        nothing_is_logged(&bench, &issuer.secrets());
    });
}

#[test]
fn a_session_of_a_token_ends_with_it() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[("AUDITFERRY__LOG__LEVEL", "debug")]);
        let mut browser = Browser::new(&served);
        browser.get("/auth/login").await.is(404, "not_found");
        browser.post("/auth/token", &[("token", "afo_none")]).await.is(401, "unauthorized");
        browser.post("/auth/token", &[]).await.is(401, "unauthorized");
        let secret = token(&bench, "reader", &["acme"]);
        let own = browser.origin.clone();
        browser.origin = "null".to_owned();
        browser.post("/auth/token", &[("token", &secret)]).await.is(403, "cross_site");
        browser.origin = own;
        let page = browser.post("/auth/token", &[("token", &secret), ("return_to", "/accounts")]).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/accounts"), "{}", page.text);
        let session = browser.session().await.unwrap();
        assert_eq!((&session["role"], &session["accounts"]), (&json!("reader"), &json!(["acme"])));
        assert_eq!(session["kind"], "api_token");
        let id = bench.json("token ls")[0]["id"].as_str().unwrap().to_owned();
        bench.does(&format!("token revoke {id}"));
        assert!(browser.session().await.is_none());
        let mut secrets = vec![secret];
        secrets.extend(browser.seen);
        nothing_is_logged(&bench, &secrets);
    });
}

#[test]
fn a_session_ends_when_nobody_uses_it() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(
            &bench,
            &[("AUDITFERRY__API__SESSION_IDLE", "2s"), ("AUDITFERRY__API__SESSION_MAX", "6s")],
        );
        let mut browser = Browser::new(&served);
        let secret = token(&bench, "operator", &[]);
        let began = std::time::Instant::now();
        assert_eq!(browser.post("/auth/token", &[("token", &secret)]).await.status, 303);
        let held = browser.cookies.clone();
        // Used all the time, it ends all the same.
        eventually("it ends", async || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            browser.session().await.is_none().then_some(())
        })
        .await;
        assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
        browser.cookies = held;
        assert!(browser.session().await.is_none());
    });
}
