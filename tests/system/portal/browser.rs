//! The portal in Chromium: `tests/browser/portal.mjs`, which looks at every page with axe, too.

use auditferry::demo::bucket::EmbeddedBucket;
use serde_json::json;

use super::link;
use crate::support::api::{Served, free_port};
use crate::support::bench::Bench;
use crate::support::gcs_server::{GcsServer, foreign_key, known_key};
use crate::support::journey::journey;
use crate::support::{azurite, folder, run};

/// How many links the journeys use at most.
const LINKS: usize = 8;

#[test]
fn a_browser_sets_a_bucket_up_and_shows_it_in_a_frame() {
    run(async {
        let any = "127.0.0.1:0".parse().unwrap();
        let root = folder("portal-browser");
        let key = "HUSH-right-key";
        let bucket = EmbeddedBucket::start(&root, "acme-siem", "AKIA", key, any).await.unwrap();
        let bench = super::export::sealing();
        let host = free_port();
        let ancestors = format!("http://127.0.0.1:{host},http://localhost:{host}");
        let served = Served::start(&bench, &[("AUDITFERRY__PORTAL__FRAME_ANCESTORS", &ancestors)]);
        // The second journey is in German; the others are in English.
        let links: Vec<String> = (0..LINKS)
            .map(|number| if number == 1 { "--mail --language de" } else { "--mail" })
            .map(|more| link(&bench, &served, "acme", more).trim().to_owned())
            .collect();
        let ready = json!({
            "base": served.url(), "links": links, "host": host, "endpoint": bucket.endpoint(), "key": key,
        });
        journey("portal.mjs", &ready);
    });
}

#[test]
fn a_browser_sets_a_container_of_azure_and_a_bucket_of_google_up() {
    run(async {
        azurite::create_container("portal-journey").await;
        let google = GcsServer::start().await;
        google.bucket("portal-journey", &known_key());
        let bench = super::export::sealing();
        let served = Served::start(&bench, &[]);
        let link = || link(&bench, &served, "acme", "--mail").trim().to_owned();
        let clouds = json!([
            {
                "name": "azure", "link": link(), "cloud": "azure", "how": "sas", "says": "create blobs",
                "fields": { "bucket": "portal-journey", "endpoint": azurite::endpoint() },
                "wrong": azurite::container_sas("portal-journey", "r", azurite::KEY),
                "right": azurite::container_sas("portal-journey", "cw", azurite::KEY),
            },
            {
                "name": "google", "link": link(), "cloud": "gcs", "how": "google-key", "says": "The cloud said:",
                "fields": { "bucket": "portal-journey", "endpoint": google.url() },
                "wrong": foreign_key(), "right": known_key(),
            },
        ]);
        journey("clouds.mjs", &json!({ "base": served.url(), "clouds": clouds }));
    });
}

/// Over TLS, where the cookies are `__Host-`, `SameSite=None` and `Partitioned`.
#[test]
fn a_browser_shows_the_portal_in_a_frame_of_another_site() {
    run(async {
        let bench = super::export::sealing();
        let (host, proxy) = (free_port(), free_port());
        let (site, portal) = (format!("https://localhost:{host}"), format!("https://127.0.0.1:{proxy}"));
        let settings = [
            ("AUDITFERRY__PORTAL__FRAME_ANCESTORS", site.as_str()),
            ("AUDITFERRY__API__PUBLIC_URL", &portal),
        ];
        let served = Served::start(&bench, &settings);
        let links: Vec<String> = (0..4)
            .map(|_| {
                let made = bench
                    .with("AUDITFERRY__API__PUBLIC_URL", &portal)
                    .run("portal link acme --actor jana@acme.example --mail");
                assert_eq!(made.code, Some(0), "{made}");
                made.out.trim().to_owned()
            })
            .collect();
        let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/signed.pem");
        let ready = json!({ "base": served.url(), "links": links, "host": host, "proxy": proxy, "pem": pem });
        journey("embedded.mjs", &ready);
    });
}

#[test]
fn a_browser_looks_at_records_and_downloads_them() {
    run(async {
        let bench = Bench::with_acme();
        super::records::insert(&bench, "acme", "login", 60, 5).await;
        let store = bench.path("files").display().to_string();
        let served = Served::start(&bench, &[("AUDITFERRY__DOWNLOADS__STORE", &store)]);
        let ready = json!({
            "base": served.url(),
            "link": link(&bench, &served, "acme", "").trim(),
            "program": env!("CARGO_BIN_EXE_auditferry"),
            "folder": bench.path(""),
            "environment": {},
        });
        journey("records.mjs", &ready);
    });
}
