//! Audit Logs: what a customer's admin sees of the records, and that others see nothing.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::{Browser, link};
use crate::support::api::Served;
use crate::support::bench::Bench;
use crate::support::run;

/// The source of a bench.
pub(super) async fn source(bench: &Bench) -> SqliteConnection {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

/// Inserts `count` records of an account, one a second, the last of them `ago` seconds ago.
pub(super) async fn insert(bench: &Bench, account: &str, action: &str, count: u32, ago: u32) {
    let sql = format!(
        "INSERT INTO audit_log (account_id, occurred_at, email, action, action_id, description, ip_address) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         SELECT '{account}', strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ({ago} + {count} - i) || ' seconds'), \
         'user' || (i % 3) || '@{account}.example', '{action}', 'id_' || i, '{action} number ' || i || ' <b>', \
         '192.0.2.' || (i % 200) FROM n"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut source(bench).await).await.unwrap();
}

pub(super) async fn actions(bench: &Bench, account: &str, action: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE account_id = $1 AND action = $2")
        .bind(account)
        .bind(action)
        .fetch_one(&mut source(bench).await)
        .await
        .unwrap()
}

/// The address of a link with a text.
fn href(text: &str, rel: &str) -> String {
    let at = text.find(rel).unwrap_or_else(|| panic!("no {rel}: {text}"));
    let before = &text[..at];
    let from = before.rfind("href=\"").unwrap() + 6;
    text[from..].split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

fn row_count(text: &str) -> usize {
    text.matches("<tr role=\"row\" id=\"r").count()
}

#[test]
fn records_are_seen_page_by_page_and_one_by_one() {
    run(async {
        let bench = Bench::with_acme();
        insert(&bench, "acme", "login", 30, 10).await;
        insert(&bench, "acme", "export", 5, 100).await;
        insert(&bench, "beta", "secret", 3, 10).await;
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let first = browser.get("/portal/logs").await;
        first.says(200, "36 records, newest first").says(200, "20 of 36 records");
        assert_eq!(row_count(&first.text), 20);
        assert!(!first.text.contains("<b>") && !first.text.contains("secret"), "{}", first.text);
        assert!(first.text.contains("login number 30 &#60;b&#62;"));
        assert_eq!(first.header("cache-control"), "no-store");
        // Older, and back again.
        let older = browser.get(&href(&first.text, "rel=\"next\"")).await;
        older.says(200, "16 of 36 records");
        assert_eq!(row_count(&older.text), 16);
        let newer = browser.get(&href(&older.text, "rel=\"prev\"")).await;
        assert_eq!(row_count(&newer.text), 20);
        assert!(newer.text.contains("login number 30") && !newer.text.contains("login number 11 "));
        // Filters are in the address.
        browser.get("/portal/logs?action=EXPORT").await.says(200, "5 records, newest first");
        browser.get("/portal/logs?user=user1&action=login").await.says(200, "10 records, newest first");
        browser.get("/portal/logs?ip=192.0.2.7").await.says(200, "login number 7");
        browser.get("/portal/logs?q=NUMBER+30").await.says(200, "1 record");
        browser.get("/portal/logs?q=nothing").await.says(200, "No record in this view");
        browser
            .get("/portal/logs?range=dates&from=2026-01-01&to=2026-12-31")
            .await
            .says(422, "It is more than 93 days");
        browser
            .get("/portal/logs?range=dates&from=soon&ip=here")
            .await
            .says(422, "2 things")
            .says(422, "href=\"#ip\"");
        // One record, by its address, in any zone.
        let one = href(&first.text, "class=\"email\"");
        assert!(one.contains("record="), "{one}");
        let one = one.split('#').next().unwrap().to_owned();
        let page = browser.get(&one).await;
        page.says(200, "id=\"record\"").says(200, "Nothing is delivered at this time").says(200, "+05:30");
        page.says(200, "aria-current=\"true\" id=\"r0\"".split(' ').next_back().unwrap());
        browser.get(&format!("{one}&zone=utc")).await.says(200, "<span class=\"zone\">Z</span>");
        // It is seen, once for the session, that somebody has looked.
        assert_eq!(actions(&bench, "acme", "auditferry.audit_log_accessed").await, 1);
        assert_eq!(actions(&bench, "beta", "auditferry.audit_log_accessed").await, 0);
        let mut again = Browser::new(&served);
        again.is_in(&link(&bench, &served, "acme", "--language de")).await;
        again.get("/portal/logs").await.says(200, "Einträge, neueste zuerst");
        assert_eq!(actions(&bench, "acme", "auditferry.audit_log_accessed").await, 2);
        let who: String = sqlx::query_scalar(
            "SELECT email || ' ' || ip_address FROM audit_log WHERE action = 'auditferry.audit_log_accessed' LIMIT 1",
        )
        .fetch_one(&mut source(&bench).await)
        .await
        .unwrap();
        assert_eq!(who, "jana@acme.example 127.0.0.1");
    });
}

#[test]
fn a_record_tells_in_which_object_it_is() {
    run(async {
        let bench = Bench::with_destination();
        insert(&bench, "acme", "login", 3, 10).await;
        bench.does("addon enable acme");
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let first = browser.get("/portal/logs").await;
        let one = href(&first.text, "class=\"email\"").split('#').next().unwrap().to_owned();
        browser.get(&one).await.says(200, "Its file goes out at");
    });
}

/// Every route of records, with what it needs.
const ROUTES: [(&str, &str, &str); 7] = [
    ("GET", "/portal/logs", "records:read"),
    ("GET", "/portal/logs/tail", "records:read"),
    ("GET", "/portal/downloads", "records:download"),
    ("POST", "/portal/downloads", "records:download"),
    ("GET", "/portal/downloads/dNONE/file", "records:download"),
    ("POST", "/portal/downloads/dNONE/delete", "records:download"),
    ("POST", "/portal/downloads/dNONE/again", "records:download"),
];

#[test]
fn each_route_needs_its_capability() {
    run(async {
        let bench = Bench::with_acme();
        let store = bench.path("files").display().to_string();
        let served = Served::start(&bench, &[("AUDITFERRY__DOWNLOADS__STORE", &store)]);
        for held in ["records:read", "records:download", "export:read", "export:manage"] {
            let mut browser = Browser::new(&served);
            for (method, path, _) in ROUTES {
                let answer = match method {
                    "GET" => browser.get(path).await,
                    _ => browser.post(path, &[("csrf", "AAAA")]).await,
                };
                answer.says(401, "Your session has ended");
            }
            browser.is_in(&link(&bench, &served, "acme", &format!("--capability {held}"))).await;
            // The form of whatever page there is for it.
            let page = match held {
                "records:read" => "/portal/logs",
                "records:download" => "/portal/downloads",
                "export:read" => "/portal/export",
                _ => "/portal/export/setup",
            };
            let csrf = browser.get(page).await.hidden("csrf");
            for (method, path, needs) in ROUTES {
                if path == "/portal/logs/tail" && held == needs {
                    continue;
                }
                let answer = match method {
                    "GET" => browser.get(path).await,
                    _ => browser.post(path, &[("csrf", &csrf)]).await,
                };
                if held == needs {
                    assert!(matches!(answer.status, 200 | 404 | 422), "{held} at {path}: {}", answer.status);
                } else {
                    answer.says(403, "Your link does not allow this");
                }
            }
            assert!(
                held == "records:read" || actions(&bench, "acme", "auditferry.audit_log_accessed").await <= 1
            );
        }
    });
}

#[test]
fn another_accounts_records_are_not_there() {
    run(async {
        let bench = Bench::with_acme();
        bench.does("account add beta --zone UTC");
        insert(&bench, "acme", "login", 3, 10).await;
        insert(&bench, "beta", "secret", 3, 10).await;
        let served = Served::start(&bench, &[]);
        let mut beta = Browser::new(&served);
        beta.is_in(&link(&bench, &served, "beta", "")).await;
        let theirs = beta.get("/portal/logs").await;
        let record = href(&theirs.text, "class=\"email\"").split('#').next().unwrap().to_owned();
        beta.get(&record).await.says(200, "secret number");
        let mut acme = Browser::new(&served);
        acme.is_in(&link(&bench, &served, "acme", "")).await;
        let page = acme.get(&record).await;
        page.says(200, "This record is not there").says(200, "login number 3");
        assert!(!page.text.contains("secret"));
        let place = record.split("record=").nth(1).unwrap();
        for turn in ["older", "newer"] {
            let page = acme.get(&format!("/portal/logs?{turn}={place}")).await;
            assert!(page.status == 200 && !page.text.contains("secret"), "{}", page.text);
        }
        // What is no place is told as such, and no parameter names an account.
        acme.get("/portal/logs?older=x").await.says(422, "place");
        let page = acme.get("/portal/logs?account=beta&account_id=beta").await;
        assert!(!page.text.contains("secret"));
    });
}

/// Reads events until a condition holds.
async fn read_until(response: &mut reqwest::Response, done: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    while !done(&text) {
        let chunk = tokio::time::timeout(Duration::from_secs(30), response.chunk()).await;
        let chunk = chunk.expect("an event comes").unwrap();
        let Some(chunk) = chunk else { break };
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

#[test]
fn the_tail_tells_what_comes() {
    run(async {
        let bench = Bench::with_acme();
        insert(&bench, "acme", "login", 3, 10).await;
        let mut served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let page = browser.get("/portal/logs?action=export").await;
        let tail =
            page.text.split("data-tail=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
        assert!(tail.contains("action=export"), "{tail}");
        let cookie = format!("auditferry-portal={}", browser.cookies["auditferry-portal"]);
        let ask = |path: String, last: Option<String>| {
            let request = browser.http.get(format!("{}{path}", browser.url)).header("cookie", cookie.clone());
            match last {
                Some(last) => request.header("last-event-id", last).send(),
                None => request.send(),
            }
        };
        let mut response = ask(tail.clone(), None).await.unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("x-accel-buffering"), "no");
        assert!(header("cache-control").contains("no-store"));
        read_until(&mut response, |text| text.contains("retry: ")).await;
        // The stream looks first at what is there; then something comes, which passes the filter or not.
        let mut told = String::new();
        for _ in 0..50 {
            insert(&bench, "acme", "login", 1, 0).await;
            insert(&bench, "acme", "export", 2, 0).await;
            let next = read_until(&mut response, |text| text.contains("\n\n"));
            if let Ok(text) = tokio::time::timeout(Duration::from_secs(3), next).await {
                told = text;
                break;
            }
        }
        assert!(told.contains("event: news\ndata: {\"count\":"), "{told}");
        let count: u32 = told.split("\"count\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        let exports = u32::try_from(actions(&bench, "acme", "export").await).unwrap();
        assert!(count >= 1 && count <= exports && count.is_multiple_of(2), "logins do not count: {told}");
        // Whoever was away hears of all that came since.
        let id = told.split("id: ").nth(1).unwrap().lines().next().unwrap().to_owned();
        insert(&bench, "acme", "export", 1, 0).await;
        let mut again = ask("/portal/logs/tail?action=export".to_owned(), Some(id)).await.unwrap();
        let text = read_until(&mut again, |text| text.contains("news")).await;
        assert!(text.contains("\"more\":false"), "{text}");
        // Another account's records are no news.
        insert(&bench, "beta", "export", 9, 0).await;
        // The server ends, and does not wait for those who look.
        assert_eq!(served.stop(), Some(0));
    });
}

#[test]
fn a_view_of_what_is_not_kept_any_more_says_so() {
    run(async {
        let bench = Bench::with_acme();
        let served = Served::start(&bench, &[("AUDITFERRY__SOURCE__RETENTION_DAYS", "30")]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        browser
            .get("/portal/logs?range=93d")
            .await
            .says(200, "further back than records are kept, which is 30 days");
    });
}
