//! Each cloud's emulator and each database: what goes in comes out, once. And whatever an
//! application may write or call its tenants.

use jiff::SignedDuration;

use crate::daemon::app::{App, EVERY_TWO_SECONDS};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{Row, emails, encoded, keys_of, rows, slot_of};
use crate::support::{entra_server, run};

/// Records before and during the worker's run arrive, each once and in order, in objects
/// that are named after their slots.
async fn delivers(app: App, bucket: Bucket, prefix: &str) {
    let account = "acme corp";
    app.insert(&rows(account, "before-the-export", 3)).await;
    let add = ["account", "add", account, "--zone", "Asia/Kolkata", "--schedule", EVERY_TWO_SECONDS];
    app.cli(&add);
    app.set_destination(account, &bucket.options, &["--prefix", prefix]);
    app.cli(&["addon", "enable", account]);
    let mut expected = rows(account, "first", 20);
    app.insert(&expected).await;
    app.insert(&rows("another account", "not-asked-for", 2)).await;
    let worker = app.start().await;
    app.delivered(&bucket, account, 20).await;
    let more = rows(account, "second", 5);
    app.insert(&more).await;
    expected.extend(more);
    app.delivered(&bucket, account, 25).await;
    app.settle(account).await;
    worker.stop().await;

    let objects = app.verify(&bucket, account, &expected).await;
    assert!(objects.len() >= 2, "the second batch came after the first was delivered");
    assert_eq!(bucket.keys().await.len(), objects.len(), "nothing else is in the bucket");
    for unpacked in &objects {
        let slot = slot_of(&unpacked.key);
        let name = encoded(account);
        assert_eq!(unpacked.key, format!("{prefix}audit/{name}/audit_{name}_{slot}.zip"));
        assert!(slot.as_bytes()[14].is_multiple_of(2), "{slot} is not a slot of {EVERY_TWO_SECONDS}");
        assert_eq!(unpacked.object.content_type, "application/zip", "{}", unpacked.key);
    }
}

#[test]
fn s3_embedded() {
    run(async { delivers(App::sqlite(), Bucket::embedded().await, "").await });
}

#[test]
fn s3_moto() {
    run(async { delivers(App::postgres().await, Bucket::moto().await, "siem/eu/").await });
}

#[test]
fn azure_azurite_connection_string() {
    run(async {
        delivers(App::postgres().await, Bucket::azurite_with_connection_string().await, "siem/").await;
    });
}

#[test]
fn azure_azurite_sas() {
    run(async { delivers(App::sqlite(), Bucket::azurite_with_sas().await, "").await });
}

/// Tokens come from a server that speaks Entra ID's protocol; Azurite looks at them, over TLS.
async fn azure_by_application(proof: &str, value: &str) {
    let app = App::sqlite()
        .with("CREDENTIALS__ENTRA_URL", &entra_server::entra())
        .with_variable("SSL_CERT_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ca.pem"));
    delivers(app, Bucket::azurite_with_application(proof, value).await, "siem/").await;
}

#[test]
fn azure_client_secret() {
    run(azure_by_application("client-secret-file", entra_server::SECRET));
}

#[test]
fn azure_client_certificate() {
    run(azure_by_application("client-certificate-file", entra_server::CERTIFICATE));
}

#[test]
fn gcs_server() {
    run(async { delivers(App::postgres().await, Bucket::gcs().await, "siem/").await });
}

/// Texts that break naive writers and readers.
fn awkward(account: &str) -> Vec<Row> {
    let control: String = (1..0x20_u8).chain([0x7f]).map(char::from).collect();
    let long = "0123456789abcdé\"".repeat(61_681);
    assert!(long.len() > 1024 * 1024);
    let texts = [
        "said \"no\", twice: \\\" and \\\\",
        "two\nlines\r\nand\ta tab",
        &control,
        "\u{2028}between\u{2029}separators\u{85}\u{feff}",
        "👩‍👩‍👧‍👦 🦀 𝄞 \u{10ffff}",
        "{\"Date\":\"2020-01-01\"}\n{\"Email\":\"forged\"}",
        "",
        &long,
    ];
    let base = rows(account, "awkward", texts.len());
    let mut awkward: Vec<Row> = base
        .into_iter()
        .zip(texts)
        .map(|(row, text)| Row {
            action: text.chars().take(300).collect(),
            action_id: row.action_id.map(|_| text.chars().take(300).collect()),
            description: text.to_owned(),
            ip: row.ip.map(|_| text.chars().take(100).collect()),
            ..row
        })
        .collect();
    // Long ago, and to the microsecond before a full second.
    awkward[1].at = "1969-12-31T23:59:59.999999Z".parse().unwrap();
    awkward[2].at += SignedDuration::from_hours(24 * 365 * 100);
    awkward
}

const AWKWARD_IDS: [&str; 6] = ["a/b", "..", "acme corp", "Zürich 東京", "100%", "-rf"];

/// Everything awkward at once, declared in an exports file.
async fn awkward_accounts(app: App, bucket: Bucket, place: &str) {
    let longest = "x".repeat(197);
    let accounts: Vec<&str> = AWKWARD_IDS.into_iter().chain([longest.as_str()]).collect();
    let mut exports = String::new();
    for account in &accounts {
        exports += &format!(
            "[[export]]\naccount = {account:?}\nzone = \"America/New_York\"\n\
             schedule = {EVERY_TWO_SECONDS:?}\nstart = \"beginning\"\naddon = {{ enabled = true }}\n{place}\n"
        );
    }
    std::fs::write(app.folder.join("exports.toml"), exports).unwrap();
    app.cli(&["apply", "exports.toml"]);
    let mut expected = Vec::new();
    for account in &accounts {
        let mut rows = awkward(account);
        if !expected.is_empty() {
            rows.pop(); // One of the longest is enough.
        }
        app.insert(&rows).await;
        expected.push(rows);
    }
    let worker = app.start().await;
    for (account, rows) in accounts.iter().zip(&expected) {
        app.delivered(&bucket, account, rows.len()).await;
    }
    worker.stop().await;
    for (account, rows) in accounts.iter().zip(&expected) {
        let objects = app.verify(&bucket, account, rows).await;
        assert_eq!(emails(&objects).len(), rows.len());
        for key in keys_of(&bucket, account).await {
            assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b)), "{key}");
            assert_eq!(key.split('/').count(), 3, "{key} is not in one folder of audit/");
        }
    }
}

#[test]
fn awkward_records_and_ids_on_sqlite_and_moto() {
    run(async {
        let bucket = Bucket::moto().await;
        let place = bucket.exports_line();
        awkward_accounts(App::sqlite(), bucket, &place).await;
    });
}

#[test]
fn awkward_records_and_ids_on_postgres_and_azurite() {
    run(async {
        let bucket = Bucket::azurite_with_connection_string().await;
        let place = bucket.exports_line();
        awkward_accounts(App::postgres().await, bucket, &place).await;
    });
}
