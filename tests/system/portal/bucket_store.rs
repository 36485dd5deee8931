//! Downloads whose files are in a bucket of the operator's, at each cloud.

use sha2::{Digest as _, Sha256};

use super::downloads::{ask, fetched};
use super::records::insert;
use super::{Browser, link};
use crate::support::api::Served;
use crate::support::bench::Bench;
use crate::support::gcs_emulator;
use crate::support::gcs_server::known_key;
use crate::support::{azurite, eventually, moto, run};

/// So many records, of which each has over 700 bytes: three parts.
const RECORDS: u32 = 30_000;

/// Makes, fetches and deletes a file of three parts. `destination`: TOML. What serves them removes them in a while.
async fn files_lie_in(bench: &Bench, destination: &str) -> Served {
    insert(bench, "acme", &"a".repeat(300), RECORDS, 10).await;
    bench.file("bucket.toml", format!("prefix = \"ours/\"\nallow_http = true\n{destination}"));
    let file = bench.path("bucket.toml").display().to_string();
    let served = Served::start(bench, &[("AUDITFERRY__DOWNLOADS__BUCKET_FILE", &file)]);
    let mut browser = Browser::new(&served);
    browser.is_in(&link(bench, &served, "acme", "")).await;
    let id = ask(&mut browser, "lines", "ndjson").await;
    let lines = fetched(&mut browser, &id).await;
    assert!(lines.text.len() > 2 * (8 << 20), "{} bytes are no three parts", lines.text.len());
    assert_eq!(lines.header("content-length"), lines.text.len().to_string());
    assert!(lines.text.lines().count() >= RECORDS as usize);
    let sha: String =
        Sha256::digest(lines.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    browser.get("/portal/downloads").await.says(200, &sha);
    let csrf = browser.get("/portal/downloads?new=all").await.hidden("csrf");
    let page = browser.post(&format!("/portal/downloads/{id}/delete"), &[("csrf", &csrf)]).await;
    assert_eq!(page.status, 303);
    assert_eq!(browser.get(&format!("/portal/downloads/{id}/file")).await.status, 404);
    served
}

/// The names of the objects that a bucket of moto has.
async fn names(bucket: &str) -> Vec<String> {
    let list = reqwest::get(format!("{}/{bucket}?list-type=2", moto::moto().url())).await.unwrap();
    let list = list.text().await.unwrap();
    list.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

#[test]
fn at_amazon_and_deleted_is_deleted() {
    run(async {
        moto::bucket("downloads").await;
        let bench = Bench::with_acme();
        bench.file("downloads-secret", "HUSH");
        let secret = bench.path("downloads-secret").display().to_string();
        let destination = format!(
            "kind = \"s3\"\nbucket = \"downloads\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
             [credentials.access_key]\nid = \"AKIADOWNLOADS\"\nsecret = {{ file = \"{secret}\" }}\n",
            moto::moto().url()
        );
        let seen = tokio::spawn(async {
            eventually("three parts", async || {
                let names = names("downloads").await;
                (names.len() == 3).then_some(names)
            })
            .await
        });
        let _served = files_lie_in(&bench, &destination).await;
        let seen = seen.await.unwrap();
        assert!(seen.iter().all(|name| name.starts_with("ours/auditferry-downloads/acme/d")), "{seen:?}");
        assert!(seen[0].ends_with(".ndjson.000001") && seen[2].ends_with(".ndjson.000003"), "{seen:?}");
        eventually("the parts are removed", async || names("downloads").await.is_empty().then_some(())).await;
    });
}

#[test]
fn at_microsoft() {
    run(async {
        azurite::create_container("downloads").await;
        let bench = Bench::with_acme();
        bench.file("downloads-secret", azurite::connection_string(azurite::KEY));
        let secret = bench.path("downloads-secret").display().to_string();
        let destination = format!(
            "kind = \"azure\"\ncontainer = \"downloads\"\n[credentials]\nconnection_string = {{ file = \"{secret}\" }}\n"
        );
        files_lie_in(&bench, &destination).await;
    });
}

#[test]
fn at_google() {
    run(async {
        gcs_emulator::create_bucket("downloads").await;
        let bench = Bench::with_acme();
        bench.file("downloads-secret", known_key());
        let secret = bench.path("downloads-secret").display().to_string();
        let destination = format!(
            "kind = \"gcs\"\nbucket = \"downloads\"\nendpoint = \"{}\"\n[credentials]\n\
             service_account = {{ file = \"{secret}\" }}\n",
            gcs_emulator::gcs_emulator().url()
        );
        files_lie_in(&bench, &destination).await;
    });
}

/// What cannot be right is told before anything is served.
#[test]
fn a_file_that_cannot_be_right_is_told() {
    let bench = Bench::with_acme();
    let refused = |text: &str, words: &[&str]| {
        bench.file("bucket.toml", text);
        let path = bench.path("bucket.toml").display().to_string();
        let told = bench
            .with("AUDITFERRY__API__LISTEN", "127.0.0.1:0")
            .and("AUDITFERRY__DOWNLOADS__BUCKET_FILE", &path)
            .run("serve");
        told.is_refusal(2, words);
    };
    refused("kind = \"s3\"\n", &["downloads.bucket_file", "bucket.toml", "missing field `bucket`"]);
    let key = "kind = \"s3\"\nbucket = \"x-y\"\nregion = \"eu-central-1\"\n[credentials.access_key]\nid = \"AKIA\"\n";
    refused(&format!("{key}secret = {{ sealed = \"0f8fad5b\" }}\n"), &["downloads.bucket_file", "sealed"]);
    refused(
        &format!("{key}secret = {{ env = \"NOT_SET_HERE\" }}\n"),
        &["downloads.bucket_file", "NOT_SET_HERE"],
    );
    bench.file("bucket.toml", key);
    let told = bench
        .with("AUDITFERRY__API__LISTEN", "127.0.0.1:0")
        .and("AUDITFERRY__DOWNLOADS__BUCKET_FILE", "bucket.toml")
        .and("AUDITFERRY__DOWNLOADS__STORE", "files")
        .run("serve");
    told.is_refusal(2, &["downloads.bucket_file", "one of the two"]);
}
