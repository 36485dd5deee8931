//! What a person does in the console, and what it never shows.

use serde_json::Value;

use super::somebody;
use crate::portal::{Browser, Page};
use crate::support::api::Served;
use crate::support::bench::Bench;
use crate::support::{eventually, run};

const ACME: &str = "/console/accounts/acme";

/// What a page says of a field that is wrong.
fn is_wrong(page: &Page, field: &str, words: &str) {
    assert_eq!(page.status, 422, "{}", page.text);
    assert!(page.text.contains(&format!("<a href=\"#{field}\">")), "no link to {field}: {}", page.text);
    let at = page.text.find(&format!("id=\"{field}-wrong\"")).unwrap_or_else(|| panic!("{}", page.text));
    assert!(page.text[at..].split("</p>").next().unwrap().contains(words), "{}", page.text);
    assert!(page.text.contains("aria-invalid=\"true\""), "{}", page.text);
}

/// Sends the form of a page as it is shown, with some fields filled in.
async fn fills(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Page {
    let shown = browser.get(path).await;
    shown.says(200, "<form method=\"post\"");
    let (csrf, revision) = (shown.hidden("csrf"), shown.hidden("revision"));
    let mut all = vec![("csrf", csrf.as_str()), ("revision", revision.as_str())];
    all.extend_from_slice(fields);
    browser.post(path, &all).await
}

#[test]
fn support_pauses_and_resumes_with_a_reason() {
    run(async {
        let bench = Bench::with_destination().visited();
        let served = Served::start(&bench, &[]);
        let mut support = somebody(&bench, &served, "support", &[]).await;
        let done = fills(&mut support, &format!("{ACME}/pause"), &[("reason", "ticket 4711 <b>")]).await;
        assert_eq!((done.status, done.location.as_str()), (303, "/console/accounts/acme?said=paused"));
        support.get(&done.location).await.says(200, "It is paused.").says(200, "Resume…");
        let change = &bench.json("changes ls --limit 1 acme")[0];
        assert_eq!(change["channel"], "console", "{change}");
        assert!(change["by"].as_str().unwrap().contains("test (token "), "{change}");
        let shown = support.get("/console/changes").await;
        assert!(
            shown.text.contains("ticket 4711 &#60;b&#62;") && !shown.text.contains("4711 <b>"),
            "{}",
            shown.text
        );
        let done = fills(&mut support, &format!("{ACME}/resume"), &[("reason", "")]).await;
        assert_eq!(done.location, "/console/accounts/acme?said=resumed");
        assert_eq!(bench.json("account show acme")["paused"], Value::Null);
    });
}

#[test]
fn a_form_that_is_stale_changes_nothing() {
    run(async {
        let bench = Bench::with_destination().visited();
        let served = Served::start(&bench, &[]);
        let mut support = somebody(&bench, &served, "support", &[]).await;
        let shown = support.get(&format!("{ACME}/add-on")).await;
        let (csrf, revision) = (shown.hidden("csrf"), shown.hidden("revision"));
        bench.does("account pause acme --reason meanwhile");
        let fields = [("csrf", csrf.as_str()), ("revision", &revision), ("addon", "off"), ("reason", "mine")];
        let page = support.post(&format!("{ACME}/add-on"), &fields).await;
        page.says(412, "the resource is not as the request has seen it").says(412, "value=\"mine\"");
        let change = &bench.json("changes ls --limit 1 acme")[0];
        assert_eq!(change["reason"], "meanwhile", "{change}");
    });
}

#[test]
fn the_add_on_ends_at_a_time_of_the_account() {
    run(async {
        let bench = Bench::with_destination().visited();
        bench.does("account set acme --zone Europe/Berlin");
        let served = Served::start(&bench, &[]);
        let mut support = somebody(&bench, &served, "support", &[]).await;
        let path = format!("{ACME}/add-on");
        let set = |until: &'static str| [("addon", "on"), ("until", until), ("reason", "contract 7")];
        is_wrong(&fills(&mut support, &path, &set("soon")).await, "until", "no date and time");
        let twice = fills(&mut support, &path, &set("2037-10-25T02:30")).await;
        is_wrong(&twice, "until", "clocks are changed");
        assert!(
            twice.text.contains("value=\"2037-10-25T02:30\"") && twice.text.contains("value=\"contract 7\"")
        );
        is_wrong(&fills(&mut support, &path, &set("2001-01-01T00:00")).await, "until", "has passed");
        let done = fills(&mut support, &path, &set("2037-07-01T12:00")).await;
        assert_eq!(done.location, "/console/accounts/acme?said=addon", "{}", done.text);
        let shown = bench.json("account show acme");
        assert_eq!(
            (&shown["addon_until"], &shown["addon_reason"]),
            (&"2037-07-01T10:00:00Z".into(), &"contract 7".into())
        );
        support.get(&path).await.says(200, "value=\"2037-07-01T12:00\"");
        let off =
            fills(&mut support, &path, &[("addon", "off"), ("until", ""), ("reason", "not paid")]).await;
        assert_eq!(off.status, 303, "{}", off.text);
        assert_eq!(bench.json("account show acme")["addon"], "disabled");
    });
}

#[test]
fn what_takes_something_away_asks_first() {
    run(async {
        let bench = Bench::with_destination().visited();
        let served = Served::start(&bench, &[]);
        let mut support = somebody(&bench, &served, "support", &[]).await;
        let before = bench.state();
        let page = fills(&mut support, &format!("{ACME}/rewind"), &[("from", "beginning")]).await;
        is_wrong(&page, "accept", "tick it if that may be");
        assert!(page.text.contains("<option value=\"beginning\" selected>"), "{}", page.text);
        let page = fills(&mut support, &format!("{ACME}/skip"), &[("keys", " \n")]).await;
        is_wrong(&page, "keys", "names no record");
        let page = fills(&mut support, &format!("{ACME}/replay"), &[("from", "noon"), ("to", "noon")]).await;
        is_wrong(&page, "from", "noon");
        let page = fills(&mut support, &format!("{ACME}/release"), &[]).await;
        page.says(409, "is not held");
        assert_eq!(bench.state(), before);
    });
}

#[test]
fn a_probe_and_a_dry_run_are_followed() {
    run(async {
        let bench = Bench::with_destination().visited();
        let served = Served::start(&bench, &[]);
        let mut support = somebody(&bench, &served, "support", &[]).await;
        let begun = support.does(&format!("{ACME}/probe"), &[]).await;
        assert!(
            begun.status == 303 && begun.location.starts_with("/console/accounts/acme/probes/"),
            "{}",
            begun.text
        );
        let ended = eventually("the end of the probe", async || {
            let page = support.get(&begun.location).await;
            (!page.text.contains("hx-get")).then_some(page)
        })
        .await;
        // The bench's bucket is nowhere.
        ended.says(200, "Fails").says(200, "Fix").says(200, "Probe again");
        let begun = fills(
            &mut support,
            &format!("{ACME}/replay"),
            &[("from", "20261101T000000Z"), ("to", "20261102T000000Z"), ("dry", "on")],
        )
        .await;
        assert_eq!(begun.status, 303, "{}", begun.text);
        let ended = eventually("the end of the dry run", async || {
            let page = support.get(&begun.location).await;
            (!page.text.contains("hx-get")).then_some(page)
        })
        .await;
        ended.says(200, "Dry run");
        support.get(&format!("{ACME}/jobs")).await.says(200, &begun.location).says(200, "Fails");
    });
}

#[test]
fn a_secret_is_shown_once_and_a_revoked_token_ends_its_session() {
    run(async {
        let bench = Bench::with_destination().visited();
        let served = Served::start(&bench, &[]);
        let mut operator = somebody(&bench, &served, "operator", &[]).await;
        let made = operator
            .does(
                "/console/tokens/new",
                &[("name", "back office"), ("role", "support"), ("accounts", "acme\n")],
            )
            .await;
        made.says(200, "show it again").says(200, "afs_");
        let secret = made.hidden_value("secret");
        assert!(!operator.get("/console/tokens").await.text.contains(&secret));
        let mut other = Browser::new(&served);
        other.signs_in(&secret).await;
        other.get(ACME).await.says(200, "acme");
        let listed = operator.get("/console/tokens").await;
        let id = bench
            .json("token ls")
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == "back office")
            .unwrap()["id"]
            .clone();
        listed.says(200, "back office");
        let id = id.as_str().unwrap().to_owned();
        assert_eq!(operator.does(&format!("/console/tokens/{id}/revoke"), &[]).await.status, 303);
        let out = other.get(ACME).await;
        assert!(out.location.starts_with("/sign-in"), "{} {}", out.status, out.text);
        let wrong = operator.does("/console/tokens/new", &[("name", ""), ("role", "support")]).await;
        assert_eq!(wrong.status, 422);
        wrong.says(422, "id=\"name-wrong\"");
    });
}

#[test]
fn a_link_to_the_portal_is_made_and_revoked() {
    run(async {
        let bench = Bench::with_destination().visited();
        let served = Served::start(&bench, &[]);
        let mut support = somebody(&bench, &served, "support", &[]).await;
        let path = format!("{ACME}/portal/new");
        let wrong = support.does(&path, &[("actor.email", "nobody"), ("may-export-read", "on")]).await;
        is_wrong(&wrong, "actor.email", "no address");
        let wrong = support.does(&path, &[("actor.email", "jana@acme.example")]).await;
        is_wrong(&wrong, "may-records-read", "open nothing");
        let made = support
            .does(
                &path,
                &[
                    ("actor.email", "jana@acme.example"),
                    ("may-export-read", "on"),
                    ("link", "mail"),
                    ("locale", "de"),
                ],
            )
            .await;
        made.says(200, "/portal/enter#");
        let url = made.hidden_value("secret");
        let mut jana = Browser::new(&served);
        jana.is_in(&url).await;
        jana.get("/portal/export").await.says(200, "lang=\"de\"");
        let listed = support.get(&format!("{ACME}/portal")).await;
        listed.says(200, "jana@").says(200, "export:read");
        let session =
            listed.text.split("/portal/").find_map(|rest| rest.split_once("/revoke")).unwrap().0.to_owned();
        assert_eq!(support.does(&format!("{ACME}/portal/{session}/revoke"), &[]).await.status, 303);
        assert_ne!(jana.get("/portal/export").await.status, 200, "a revoked session shows the export");
    });
}

#[test]
fn it_shows_no_record_and_speaks_both_languages() {
    run(async {
        let bench = Bench::with_destination().visited();
        bench.file("in.jsonl", r#"{"Date":"2026-11-30T10:00:00Z","Email":"secret-person@acme.example","Action":"secret-action","Action ID":"secret-id","Description":"secret-deed","IP Address":"198.51.100.77"}"#);
        bench.does(&format!("import acme {}", bench.path("in.jsonl").display()));
        let served = Served::start(&bench, &[]);
        let mut operator = somebody(&bench, &served, "operator", &[]).await;
        for language in ["en", "de"] {
            let csrf = operator.console_csrf().await;
            let set = operator
                .post(
                    "/console/preferences",
                    &[("csrf", &csrf), ("language", language), ("theme", "dark"), ("here", ACME)],
                )
                .await;
            assert_eq!((set.status, set.location.as_str()), (303, ACME));
            for path in [
                "/console",
                "/console/accounts",
                ACME,
                "/console/deliveries",
                "/console/changes",
                "/console/system",
                "/console/notifications",
                "/console/tokens",
                "/console/sessions",
                "/console/replays",
                "/console/accounts/acme/jobs",
            ] {
                let page = operator.get(path).await;
                page.says(200, &format!("lang=\"{language}\" data-theme=\"dark\""));
                for secret in ["secret-person", "secret-action", "secret-id", "secret-deed", "198.51.100.77"]
                {
                    assert!(!page.text.contains(secret), "{path} shows {secret}");
                }
            }
        }
        operator.get(ACME).await.says(200, "Die letzten 14 Tage");
        // Only pages of ours are gone back to.
        let csrf = operator.console_csrf().await;
        let away =
            operator.post("/console/preferences", &[("csrf", &csrf), ("here", "//evil.example")]).await;
        assert_eq!(away.location, "/console");
    });
}
