//! Downloads: asked for, made, fetched and deleted; whatever ends in between.

use sha2::{Digest as _, Sha256};

use super::records::{actions, insert, source};
use super::{Browser, Page, link};
use crate::support::api::Served;
use crate::support::bench::Bench;
use crate::support::mail_server::{MailServer, Speaks};
use crate::support::{eventually, run};

fn start(bench: &Bench) -> Served {
    let store = bench.path("files").display().to_string();
    Served::start(bench, &[("AUDITFERRY__DOWNLOADS__STORE", &store)])
}

/// Asks for all of the last days, in a format; the id.
pub(super) async fn ask(browser: &mut Browser, name: &str, format: &str) -> String {
    ask_with(browser, name, format, &[]).await
}

/// The same with further fields.
async fn ask_with(browser: &mut Browser, name: &str, format: &str, more: &[(&str, &str)]) -> String {
    let page = browser.get("/portal/downloads?new=all").await;
    let csrf = page.hidden("csrf");
    let value = |id: &str| {
        let at = page.text.find(&format!("id=\"{id}\"")).unwrap();
        page.text[at..].split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let (from, to) = (value("all_from"), value("all_to"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("name", name),
        ("records", "all"),
        ("all_from", &from),
        ("all_to", &to),
        ("format", format),
    ];
    let page = browser.post("/portal/downloads", &[&fields[..], more].concat()).await;
    assert_eq!(page.status, 303, "{}", page.text);
    page.location.split("asked=").nth(1).unwrap().to_owned()
}

/// Waits until a download is there, and fetches it.
pub(super) async fn fetched(browser: &mut Browser, id: &str) -> Page {
    let path = format!("/portal/downloads/{id}/file");
    for _ in 0..900 {
        let page = browser.get(&path).await;
        if page.status == 200 {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{}", browser.get("/portal/downloads").await.text);
}

#[test]
fn a_download_is_asked_for_made_fetched_and_deleted() {
    run(async {
        let bench = Bench::with_acme();
        insert(&bench, "acme", "login", 3_000, 10).await;
        insert(&bench, "acme", "=cmd|'/c calc'!A1".replace('\'', "''").as_str(), 2, 5).await;
        insert(&bench, "beta", "secret", 3, 10).await;
        let served = start(&bench);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        browser.get("/portal/downloads").await.says(200, "No downloads yet");
        let id = ask(&mut browser, "Everything \"new\"", "csv").await;
        let csv = fetched(&mut browser, &id).await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        assert!(
            csv.header("content-disposition").starts_with("attachment; filename=\"Everything _new_.csv\"")
        );
        assert_eq!(csv.header("content-length"), csv.text.len().to_string());
        assert!(csv.text.starts_with("\u{feff}Date,Email,Action,Action ID,Description,IP Address\r\n"));
        let mut reader = csv::Reader::from_reader(csv.text.trim_start_matches('\u{feff}').as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
        // What tells of the download came after it was asked for, or in the same moment.
        assert!(rows.len() >= 3_002 && rows.len() <= 3_003, "{}", rows.len());
        assert!(rows.iter().any(|row| row[2].starts_with("'=cmd|")));
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0]), "in the order of time");
        assert!(!csv.text.contains("secret"));
        let page = browser.get("/portal/downloads").await;
        let sha: String =
            Sha256::digest(csv.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        page.says(200, &sha).says(200, "Completed").says(200, "Kept until");
        // The same file each time; what has come since is in a new one.
        insert(&bench, "acme", "late", 1, 2_000).await;
        assert_eq!(fetched(&mut browser, &id).await.text, csv.text);
        let json = ask(&mut browser, "json", "json").await;
        let array: Vec<serde_json::Value> =
            serde_json::from_str(&fetched(&mut browser, &json).await.text).unwrap();
        assert!(array.iter().any(|record| record["Action"] == "late") && array.len() > 3_002);
        let ndjson = ask(&mut browser, "lines", "ndjson").await;
        let text = fetched(&mut browser, &ndjson).await.text;
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        // Each is recorded, once.
        assert_eq!(actions(&bench, "acme", "auditferry.audit_log_download_asked").await, 3);
        assert_eq!(actions(&bench, "acme", "auditferry.audit_log_downloaded").await, 3);
        // Of another account there is none of it.
        bench.does("account add beta --zone UTC");
        let mut beta = Browser::new(&served);
        beta.is_in(&link(&bench, &served, "beta", "")).await;
        assert_eq!(beta.get(&format!("/portal/downloads/{id}/file")).await.status, 404);
        let csrf = beta.get("/portal/downloads?new=all").await.hidden("csrf");
        for what in ["delete", "again"] {
            let page = beta.post(&format!("/portal/downloads/{id}/{what}"), &[("csrf", &csrf)]).await;
            assert_eq!(page.status, 404, "{what}");
        }
        // Deleted is deleted, also on the disk.
        let csrf = browser.get("/portal/downloads?new=all").await.hidden("csrf");
        for id in [&id, &json, &ndjson] {
            let page = browser.post(&format!("/portal/downloads/{id}/delete"), &[("csrf", &csrf)]).await;
            assert_eq!((page.status, page.location.as_str()), (303, "/portal/downloads"));
            assert_eq!(browser.get(&format!("/portal/downloads/{id}/file")).await.status, 404);
        }
        browser.get("/portal/downloads").await.says(200, "No downloads yet");
        eventually("the files are removed", async || {
            let left = std::fs::read_dir(bench.path("files/acme")).unwrap().count();
            (left == 0).then_some(())
        })
        .await;
    });
}

#[test]
fn a_form_that_is_wrong_comes_back() {
    run(async {
        let bench = Bench::with_acme();
        let served = start(&bench);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let csrf = browser.get("/portal/downloads?new=view&q=a%26b&range=7d").await;
        csrf.says(200, "Text: a&#38;b");
        let csrf = csrf.hidden("csrf");
        let wrong = [
            ("csrf", csrf.as_str()),
            ("name", "x"),
            ("view", "1"),
            ("q", "a&b"),
            ("records", "all"),
            ("all_from", "2026-01-01"),
            ("all_to", "2026-12-01"),
            ("format", "json"),
        ];
        let page = browser.post("/portal/downloads", &wrong).await;
        page.says(422, "more than 93 days").says(422, "href=\"#all_from\"").says(422, "value=\"2026-01-01\"");
        page.says(422, "Text: a&#38;b");
        let nameless =
            [("csrf", csrf.as_str()), ("name", " "), ("view", "1"), ("records", "view"), ("format", "csv")];
        browser.post("/portal/downloads", &nameless).await.says(422, "Give a name");
        browser.get("/portal/downloads").await.says(200, "No downloads yet");
        // Where no folder is set, the page says so.
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        browser.get("/portal/downloads").await.says(200, "Downloads are not set up here");
    });
}

/// What is made when the process is killed is made again by the next one, and is whole.
#[test]
fn a_killed_process_leaves_no_half_file() {
    run(async {
        let bench = Bench::with_acme();
        insert(&bench, "acme", "login", 250_000, 10).await;
        let mut served = start(&bench);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let id = ask(&mut browser, "large", "ndjson").await;
        eventually("it is half made", async || {
            let part = std::fs::read_dir(bench.path("files/acme")).ok()?.next()?.ok()?;
            let bytes = part.metadata().ok()?.len();
            (part.file_name().to_string_lossy().ends_with(".part") && bytes > 1_000_000).then_some(())
        })
        .await;
        served.kill();
        assert_eq!(std::fs::read_dir(bench.path("files/acme")).unwrap().count(), 1);
        // What comes meanwhile is not in it.
        insert(&bench, "acme", "late", 10, 2_000).await;
        let served = start(&bench);
        browser.url = served.url().to_owned();
        browser.origin = browser.url.clone();
        let file = fetched(&mut browser, &id).await;
        let lines: Vec<&str> = file.text.lines().collect();
        let logins = lines.iter().filter(|line| line.contains("\"Action\":\"login\"")).count();
        assert_eq!((logins, lines.iter().filter(|line| line.contains("\"late\"")).count()), (250_000, 0));
        let tries: i64 = sqlx::query_scalar("SELECT tries FROM download")
            .fetch_one(&mut source(&bench).await)
            .await
            .unwrap();
        assert_eq!(tries, 2);
        eventually("what the first one left is removed", async || {
            let left = std::fs::read_dir(bench.path("files/acme")).unwrap().count();
            (left == 1).then_some(())
        })
        .await;
    });
}

#[test]
fn a_mail_leads_to_a_download_that_is_ready_once() {
    run(async {
        let server = MailServer::start(Speaks::Implicit).await;
        let bench = Bench::with_acme();
        insert(&bench, "acme", "login", 3, 10).await;
        let port = server.address.port().to_string();
        let store = bench.path("files").display().to_string();
        let settings = [
            ("AUDITFERRY__DOWNLOADS__STORE", store.as_str()),
            ("SSL_CERT_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ca.pem")),
            ("AUDITFERRY__EMAIL__HOST", "127.0.0.1"),
            ("AUDITFERRY__EMAIL__PORT", &port),
            ("AUDITFERRY__EMAIL__TLS", "implicit"),
            ("AUDITFERRY__EMAIL__FROM", "Exports <exports@example.com>"),
        ];
        let served = Served::start(&bench, &settings);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        browser.get("/portal/downloads?new=all").await.says(200, "Mail me when it is ready");
        let id = ask_with(&mut browser, "Week", "csv", &[("mail", "1")]).await;
        ask(&mut browser, "Quiet", "csv").await;
        let mail = eventually("the mail arrives", async || server.mails().first().cloned()).await;
        for part in
            ["Subject: Ready: Week", &format!("Message-ID: <{id}@example.com>"), "multipart/alternative"]
        {
            assert!(mail.contains(part), "{mail}\nlacks {part}");
        }
        let page = eventually("the page says so", async || {
            let page = browser.get("/portal/downloads").await;
            page.text.contains("Mail sent to").then_some(page)
        });
        page.await.says(200, "Week");
        // The link opens the downloads and nothing else, for somebody who was not here.
        // Long lines of a mail are broken (quoted-printable).
        let mail = mail.replace("=\r\n", "").replace("=\n", "");
        let url = mail.split("/portal/enter#").nth(1).unwrap();
        let code: String =
            url.chars().take_while(|sign| sign.is_ascii_alphanumeric() || "_-".contains(*sign)).collect();
        let mut other = Browser::new(&served);
        let mailed = format!("{}/portal/enter#{code}", served.url());
        other.is_in(&mailed).await;
        fetched(&mut other, &id).await.says(200, "login");
        assert_eq!(other.get("/portal/logs").await.status, 403);
        assert_eq!(other.get("/portal/export").await.status, 403);
        assert_eq!(server.mails().len(), 1, "nobody is told of what was not wished for");
        // What cannot be made is told too, but not to a person who was locked out meanwhile.
        std::fs::rename(bench.path("files/acme"), bench.path("files/old")).unwrap();
        std::fs::write(bench.path("files/acme"), "in the way").unwrap();
        let mut outside = Browser::new(&served);
        outside.is_in(&link(&bench, &served, "acme", "--actor-id outside")).await;
        ask_with(&mut outside, "Locked out", "csv", &[("mail", "1")]).await;
        ask_with(&mut browser, "Not to be", "csv", &[("mail", "1")]).await;
        let sessions = bench.json("portal ls acme");
        let held = sessions.as_array().unwrap().iter().find(|one| one["actor"]["id"] == "outside").unwrap();
        bench.does(&format!("portal revoke acme {}", held["id"].as_str().unwrap()));
        let page = eventually("the page says so", async || {
            let page = browser.get("/portal/downloads").await;
            page.text.contains("No mail could be sent to").then_some(page)
        });
        page.await.says(200, "Locked out");
        let mail = eventually("the other one arrives", async || server.mails().get(1).cloned()).await;
        assert!(mail.contains("Subject: Not made: Not to be"), "{mail}");
        assert_eq!(server.mails().len(), 2, "{:?}", server.mails());
    });
}
