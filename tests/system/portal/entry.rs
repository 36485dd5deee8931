//! How people come into the portal, and what others try with it.

use serde_json::json;

use super::{Browser, link};
use crate::support::api::{Served, token};
use crate::support::bench::Bench;
use crate::support::run;

const SITES: [(&str, &str); 2] = [
    ("AUDITFERRY__PORTAL__FRAME_ANCESTORS", "https://app.vendor.example"),
    ("AUDITFERRY__PORTAL__RETURN_URLS", "https://app.vendor.example"),
];

/// Runs SQL past the ledger.
async fn execute(bench: &Bench, sql: &str) {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    let mut ledger = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut ledger).await.unwrap();
}

#[test]
fn a_link_opens_the_portal_once() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &SITES);
        let made = link(&bench, &served, "acme", "--return-url https://app.vendor.example/settings");
        let mut browser = Browser::new(&served);
        browser.get("/portal/export").await.says(401, "Your session has ended");
        // Looking at the link, as programs do with mails, opens nothing.
        for _ in 0..3 {
            let page = browser.get("/portal/enter").await;
            page.says(200, "Open the audit log");
            assert_eq!(page.header("referrer-policy"), "no-referrer");
            assert_eq!(page.header("cache-control"), "no-store");
        }
        assert_eq!(bench.json("portal ls acme")[0]["opened_at"], json!(null));
        browser.is_in(&made).await;
        let cookies: Vec<&String> = browser.cookies.keys().collect();
        assert_eq!(cookies, ["auditferry-portal"], "without TLS, on this machine, it has no prefix");
        let page = browser.get("/portal/export").await;
        page.says(200, "jana@<wbr>acme.example").says(200, "acme").says(200, "Back to app.vendor.example");
        assert_eq!(browser.get("/portal").await.location, "/portal/logs");
        // A second use tells so, and whoever was in stays in.
        let mut other = Browser::new(&served);
        other.enters(&made).await.says(403, "It was opened already");
        other.get("/portal/export").await.says(401, "Your session has ended");
        browser.get("/portal/export").await.says(200, "acme");
        let code = made.trim().split('#').nth(1).unwrap();
        let log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
        assert!(!log.contains(code) && !log.contains(&browser.cookies["auditferry-portal"]), "{log}");
        // Out is out, also for a copy of the cookie.
        let copy = browser.cookies.clone();
        let page = browser.sends("/portal/logout", &[]).await;
        page.says(200, "You are logged out").says(200, "https://app.vendor.example/settings");
        browser.cookies = copy;
        browser.get("/portal/export").await.says(401, "Your session has ended");
    });
}

#[test]
fn links_and_sessions_end() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        let late = link(&bench, &served, "acme", "");
        execute(&bench, "UPDATE portal_session SET link_ends_at = created_at").await;
        browser.enters(&late).await.says(403, "Its time is over");
        let revoked = link(&bench, &served, "acme", "");
        let id = bench.json("portal ls acme")[0]["id"].as_str().unwrap().to_owned();
        bench.does(&format!("portal revoke acme {id}"));
        browser.enters(&revoked).await.says(403, "It was withdrawn");
        browser.enters("#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await.says(403, "none of ours");
        browser.enters("#short").await.says(403, "none of ours");
        // An open session ends with its time, with its account, and on support's word, at once.
        for end in ["time", "revoked", "account"] {
            browser.is_in(&link(&bench, &served, "acme", "--mail")).await;
            browser.get("/portal/export").await.says(200, "acme");
            match end {
                "time" => execute(&bench, "UPDATE portal_session SET ends_at = opened_at").await,
                "revoked" => {
                    let id = bench.json("portal ls acme")[0]["id"].as_str().unwrap().to_owned();
                    bench.does(&format!("portal revoke acme {id}"));
                }
                _ => {
                    bench.does("account rm acme --force");
                    bench.does("account add acme --zone UTC");
                }
            }
            browser.get("/portal/export").await.says(401, "Your session has ended");
        }
    });
}

#[test]
fn of_two_who_open_a_link_at_once_one_is_in() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let made = link(&bench, &served, "acme", "");
        let tries = (0..8).map(async |_| {
            let page = Browser::new(&served).enters(&made).await;
            page.status == 303
        });
        let opened = futures::future::join_all(tries).await;
        assert_eq!(opened.into_iter().filter(|opened| *opened).count(), 1);
    });
}

#[test]
fn another_account_is_asked_for_first() {
    run(async {
        let bench = Bench::with_acme();
        bench.does("account add beta --zone UTC");
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let to_beta = link(&bench, &served, "beta", "");
        let asked = browser.enters(&to_beta).await;
        asked.says(200, "Another account is open here").says(200, "jana@beta.example");
        browser.get("/portal/export").await.says(200, "jana@<wbr>acme.example");
        // The answer counts for the session that was asked about.
        let csrf = browser.get("/portal/enter").await.hidden("csrf");
        let code = to_beta.trim().split('#').nth(1).unwrap().to_owned();
        let wrong = [("csrf", csrf.as_str()), ("code", &code), ("instead", "0000")];
        browser.post("/portal/enter", &wrong).await.says(200, "Another account is open here");
        let instead = asked.hidden("instead");
        let yes = [("csrf", csrf.as_str()), ("code", &code), ("instead", &instead)];
        let before = browser.cookies["auditferry-portal"].clone();
        assert_eq!(browser.post("/portal/enter", &yes).await.status, 303);
        browser.get("/portal/export").await.says(200, "jana@<wbr>beta.example");
        browser.cookies.insert("auditferry-portal".to_owned(), before);
        browser.get("/portal/export").await.says(401, "Your session has ended");
    });
}

#[test]
fn other_pages_get_nobody_in_and_nothing_done() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &SITES);
        let made = link(&bench, &served, "acme", "--mail");
        let code = made.trim().split('#').nth(1).unwrap();
        let mut browser = Browser::new(&served);
        let csrf = browser.get("/portal/enter").await.hidden("csrf");
        let fields = [("csrf", csrf.as_str()), ("code", code)];
        let own = browser.origin.clone();
        for (origin, site) in [
            ("https://evil.example", None),
            ("https://app.vendor.example", Some("cross-site")),
            (own.as_str(), Some("same-site")),
            ("null", Some("cross-site")),
            ("null", None),
        ] {
            (browser.origin, browser.site) = (origin.to_owned(), site);
            let page = browser.post("/portal/enter", &fields).await;
            page.says(403, "This was not done");
        }
        (browser.origin, browser.site) = (own, None);
        let forged = [("csrf", "AAAA"), ("code", code)];
        browser.post("/portal/enter", &forged).await.says(403, "This was not done");
        browser.is_in(&made).await;
        browser.post("/portal/logout", &[("csrf", "AAAA")]).await.says(403, "This was not done");
        browser.post("/portal/logout", &[]).await.says(403, "This was not done");
        browser.get("/portal/export").await.says(200, "acme");
        // A form of ours that bears no referrer names no origin; the browser says where it comes from all the same.
        (browser.origin, browser.site) = ("null".to_owned(), Some("same-origin"));
        browser.sends("/portal/logout", &[]).await.says(200, "You are logged out");
    });
}

#[test]
fn the_portal_opens_nothing_else_and_nothing_else_opens_it() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let held = browser.cookies["auditferry-portal"].clone();
        // Neither under the console's name nor as a token.
        browser.cookies.insert("auditferry".to_owned(), held.clone());
        assert!(browser.get("/console").await.location.starts_with("/sign-in"));
        let client = served.client().header("cookie", &format!("auditferry-portal={held}"));
        client.get("/accounts/acme").await.is_problem(401, "unauthorized");
        client.with(&held).get("/accounts/acme").await.is_problem(401, "unauthorized");
        let operator = token(&bench, "operator", &[]);
        let mut other = Browser::new(&served);
        let signed = other.post("/auth/token", &[("token", &operator)]).await;
        assert_eq!(signed.status, 303, "{}", signed.text);
        let console = other.cookies["auditferry"].clone();
        other.get("/portal/export").await.says(401, "Your session has ended");
        other.cookies.insert("auditferry-portal".to_owned(), console);
        other.get("/portal/export").await.says(401, "Your session has ended");
        let bearer = other.http.get(format!("{}/portal/export", other.url)).bearer_auth(&operator);
        other.send(bearer).await.says(401, "Your session has ended");
        for path in ["/portal/nothing", "/portal/export/nothing", "/portal/accounts/beta"] {
            browser.get(path).await.says(404, "There is nothing here");
        }
    });
}

#[test]
fn a_frame_is_for_the_sites_that_are_named() {
    run(async {
        let bench = Bench::with_acme();
        let secure = [
            ("AUDITFERRY__API__PUBLIC_URL", "https://exports.example"),
            ("AUDITFERRY__API__TRUSTED_PROXIES", "127.0.0.1"),
            SITES[0],
        ];
        let served = Served::start(&bench, &secure);
        let mut browser = Browser::new(&served);
        browser.origin = "https://exports.example".to_owned();
        browser.framed = true;
        let made = link(&bench, &served, "acme", "");
        browser.is_in(&made).await;
        let last =
            browser.set.iter().rfind(|cookie| cookie.starts_with("__Host-auditferry-portal=")).unwrap();
        for part in ["Path=/", "HttpOnly", "Secure", "SameSite=None", "Partitioned"] {
            assert!(last.contains(part), "{last}");
        }
        let page = browser.get("/portal/export").await;
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors https://app.vendor.example;"), "{policy}");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-frame-options"), "");
        assert_eq!(browser.get("/console").await.header("x-frame-options"), "DENY");
        let script = browser.get("/portal/embed.js").await;
        assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
        // Where the browser keeps no cookies the link is not used up.
        let mut blocked = Browser::new(&served);
        blocked.origin = "https://exports.example".to_owned();
        (blocked.framed, blocked.keeps_cookies) = (true, false);
        let made = link(&bench, &served, "acme", "");
        let page = blocked.enters(&made).await;
        page.says(403, "Open in a new window");
        let code = made.trim().split('#').nth(1).unwrap();
        assert!(
            page.text.contains(&format!("href=\"/portal/enter#{code}\" target=\"_blank\"")),
            "{}",
            page.text
        );
        (blocked.framed, blocked.keeps_cookies) = (false, true);
        blocked.is_in(&made).await;
        let top = blocked.set.iter().rfind(|cookie| cookie.starts_with("__Host-auditferry-portal=")).unwrap();
        assert!(top.contains("SameSite=Lax") && !top.contains("Partitioned"), "{top}");
        // By default nobody may.
        let served = Served::start(&bench, &[]);
        let page = Browser::new(&served).get("/portal/enter").await;
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    });
}

#[test]
fn pages_speak_the_language_of_the_link() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "--language de --theme dark")).await;
        browser.get("/portal/export").await.says(200, "<html lang=\"de\" data-theme=\"dark\">");
        let choice = [("language", "en"), ("theme", "light"), ("here", "/portal/export")];
        let page = browser.sends("/portal/preferences", &choice).await;
        assert_eq!(page.location, "/portal/export");
        browser.get("/portal/export").await.says(200, "<html lang=\"en\" data-theme=\"light\">");
        for elsewhere in ["https://evil.example", "//evil.example", "/console"] {
            assert_eq!(
                browser.sends("/portal/preferences", &[("here", elsewhere)]).await.location,
                "/portal"
            );
        }
    });
}
