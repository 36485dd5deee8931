//! No secret of a destination in anything that the program writes: canaries in every kind of
//! destination, sealed and named, through success and failure, at log level trace.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::support::bench::Bench;
use crate::support::gcs_server::{GcsServer, foreign_key, known_key};
use crate::support::{azurite, entra_server};
use auditferry::demo::bucket::EmbeddedBucket;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

const S3_SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYCANARYKEY";
const WRONG_S3_SECRET: &str = "wrongSecretwrongSecretwrongCANARYKEY";
const TOKEN: &str = "FwoGZXIvYXdzECANARYtokenThatNobodyMaySee";

/// What stands at the end of each token of the tests' token services.
const TOKENS: &str = "CANARYsignatureOfAToken";

/// A destination with its secret, and the parts of the secret that nobody may see.
struct Case {
    name: &'static str,
    options: String,
    secret: String,
    parts: Vec<String>,
    works: bool,
}

fn case(name: &'static str, works: bool, options: String, secret: &str, parts: &[&str]) -> Case {
    let parts = parts.iter().map(|part| (*part).to_owned()).collect();
    Case { name, options, secret: secret.to_owned(), parts, works }
}

fn pem_line(key: &str) -> String {
    let key: serde_json::Value = serde_json::from_str(key).unwrap();
    key["private_key"].as_str().unwrap().lines().nth(3).unwrap().to_owned()
}

fn pem_text_line(pem: &str) -> String {
    pem.lines().nth(4).unwrap().to_owned()
}

/// The forms in which a part could be written.
fn forms(part: &str) -> Vec<Vec<u8>> {
    let bytes = part.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{bytes:?}");
    let escaped: String = reqwest::Url::parse_with_params("http://x", [("k", part)])
        .unwrap()
        .query()
        .and_then(|query| query.strip_prefix("k=").map(str::to_owned))
        .unwrap();
    // Base64 of a text within another one depends on where it begins.
    let within = (0..3).map(|start| {
        let padded = format!("{}{part}", "x".repeat(start));
        let encoded = BASE64_STANDARD.encode(padded);
        encoded[4..encoded.len() - 4].to_owned()
    });
    let texts =
        [part.to_owned(), hex.clone(), hex.to_uppercase(), list[1..list.len() - 1].to_owned(), escaped];
    texts.into_iter().chain(within).map(String::into_bytes).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

async fn cases() -> (Vec<Case>, EmbeddedBucket) {
    let any = "127.0.0.1:0".parse().unwrap();
    let folder = crate::support::folder("canary-s3");
    let bucket = EmbeddedBucket::start(&folder, "acme", "AKIACANARY", S3_SECRET, any);
    let bucket = bucket.await.unwrap();
    let google = GcsServer::start().await;
    google.bucket("acme", &known_key());
    azurite::create_container("acme").await;
    let nobody = format!("http://{}", crate::support::child::free_address());
    let s3 = |endpoint: &str, name: &str| {
        format!(
            "--kind s3 --bucket {name} --region us-east-1 --access-key-id AKIACANARY --endpoint {endpoint} --allow-http --secret-access-key-file"
        )
    };
    let gcs = |endpoint: &str| {
        format!("--kind gcs --bucket acme --endpoint {endpoint} --allow-http --service-account-file")
    };
    let connection = |key: &str, endpoint: &str| {
        format!("AccountName={};AccountKey={key};BlobEndpoint={endpoint}", azurite::ACCOUNT)
    };
    let by_string =
        |name: &str| format!("--kind azure --container {name} --allow-http --connection-string-file");
    let by_sas = |endpoint: &str| {
        format!("--kind azure --container acme --endpoint {endpoint} --allow-http --sas-file")
    };
    let (here, there) = (bucket.endpoint(), azurite::endpoint());
    let sas = azurite::account_sas("cw", azurite::KEY);
    let may_not = azurite::sas_of_the_future();
    let signature = |sas: &str| sas.split_once("sig=").unwrap().1.to_owned();
    let wrong = BASE64_STANDARD.encode([7_u8; 64]);
    let account_key = [azurite::KEY];
    let application = |proof: &str| {
        format!(
            "--kind azure --container acme --endpoint {} --allow-http --tenant-id {} --client-id {} --client-{proof}-file",
            entra_server::endpoint(),
            entra_server::TENANT,
            entra_server::CLIENT
        )
    };
    let (by_secret, by_certificate) = (application("secret"), application("certificate"));
    let (expired, pem) = (entra_server::EXPIRED_SECRET, entra_server::CERTIFICATE);
    let unknown = entra_server::UNKNOWN_CERTIFICATE;
    let mut cases = vec![
        case("s3", true, s3(&here, "acme"), S3_SECRET, &[S3_SECRET]),
        case("s3-wrong-secret", false, s3(&here, "acme"), WRONG_S3_SECRET, &[WRONG_S3_SECRET]),
        case("s3-no-bucket", false, s3(&here, "nothing"), S3_SECRET, &[S3_SECRET]),
        case("s3-away", false, s3(&nobody, "acme"), S3_SECRET, &[S3_SECRET]),
        case("gcs", true, gcs(&google.url()), &known_key(), &[&pem_line(&known_key())]),
        case("gcs-wrong-key", false, gcs(&google.url()), &foreign_key(), &[&pem_line(&foreign_key())]),
        case("gcs-away", false, gcs(&nobody), &known_key(), &[&pem_line(&known_key())]),
        case("azure", true, by_string("acme"), &connection(azurite::KEY, &there), &account_key),
        case("azure-wrong-key", false, by_string("acme"), &connection(&wrong, &there), &[&wrong]),
        case(
            "azure-no-container",
            false,
            by_string("nothing"),
            &connection(azurite::KEY, &there),
            &account_key,
        ),
        case("azure-away", false, by_string("acme"), &connection(azurite::KEY, &nobody), &account_key),
        case("sas", true, by_sas(&there), &sas, &[&signature(&sas)]),
        case("sas-denied", false, by_sas(&there), &may_not, &[&signature(&may_not)]),
        case("secret", true, by_secret.clone(), entra_server::SECRET, &[entra_server::SECRET, TOKENS]),
        case("secret-expired", false, by_secret, expired, &[expired]),
        case("certificate", true, by_certificate.clone(), pem, &[&pem_text_line(pem)]),
        case("certificate-unknown", false, by_certificate, unknown, &[&pem_text_line(unknown)]),
        case("sas-away", false, by_sas(&nobody), &sas, &[&signature(&sas)]),
    ];
    for part in cases.iter_mut().flat_map(|case| &mut case.parts) {
        *part = part.trim_end_matches(['=', '%', '3', 'D']).to_owned();
    }
    (cases, bucket)
}

/// The scene of one test: everything that the program wrote, and what must not be in it.
struct Scene {
    bench: Bench,
    written: Vec<(String, String)>,
}

impl Scene {
    fn runs(&mut self, line: &str) -> i32 {
        let answer = self.bench.run(line);
        self.written.push((format!("{line}, output"), answer.out));
        self.written.push((format!("{line}, errors"), answer.err));
        answer.code.unwrap_or(-1)
    }

    /// Panics when a part of a secret is anywhere but in the files that hold it on purpose.
    fn finds_none(&self, parts: &[String]) {
        let mut all: Vec<(String, Vec<u8>)> =
            self.written.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
        for path in files(self.bench.path("").as_path()) {
            if !path.to_string_lossy().contains("/secrets/") {
                all.push((path.display().to_string(), std::fs::read(path).unwrap()));
            }
        }
        for part in parts {
            for form in forms(part) {
                let found = all.iter().find(|(_, text)| text.windows(form.len()).any(|w| w == form));
                if let Some((name, _)) = found {
                    panic!("{name} holds a secret as {}", String::from_utf8_lossy(&form));
                }
            }
        }
    }
}

fn scene() -> Scene {
    let bench = Bench::new()
        .env("AUDITFERRY__LOG__LEVEL", "trace,aws_smithy_runtime::client=trace,azure_core=trace,hyper=trace")
        .env("AUDITFERRY__CREDENTIALS__ENTRA_URL", &entra_server::entra())
        .env("AUDITFERRY__KEYS__RING", "a=file:secrets/key")
        .env("RUST_BACKTRACE", "1");
    std::fs::create_dir(bench.path("secrets")).unwrap();
    bench.does("keys generate --out secrets/key");
    Scene { bench, written: Vec::new() }
}

#[test]
fn no_secret_is_in_anything_that_the_program_writes() {
    crate::support::run(async {
        let (cases, _bucket) = cases().await;
        let mut scene = scene();
        let mut parts = vec![TOKEN.to_owned()];
        parts.push(
            std::fs::read_to_string(scene.bench.path("secrets/key"))
                .unwrap()
                .trim_end_matches(['=', '\n'])
                .to_owned(),
        );
        for case in &cases {
            std::fs::write(scene.bench.path(&format!("secrets/{}", case.name)), &case.secret).unwrap();
            for (way, option) in [("named", ""), ("sealed", " --seal")] {
                let account = format!("{}-{way}", case.name);
                assert_eq!(scene.runs(&format!("account add {account} --zone UTC --start beginning")), 0);
                let set = format!(
                    "destination set {account} {} secrets/{}{option} --no-test",
                    case.options, case.name
                );
                assert_eq!(scene.runs(&set), 0, "{}: {:?}", case.name, scene.written.last());
                let tested = scene.runs(&format!("destination test {account}"));
                assert_eq!(tested == 0, case.works, "{account}: {:?}", scene.written);
                assert_eq!(scene.runs(&format!("addon enable {account}")), 0);
            }
            parts.extend(case.parts.iter().cloned());
        }
        // A secret token beside a key, and secrets that are malformed.
        std::fs::write(scene.bench.path("secrets/token"), TOKEN).unwrap();
        let s3 = cases.iter().find(|case| case.name == "s3").unwrap();
        let with_token = format!(
            "destination set s3-sealed {} secrets/s3 --session-token-file secrets/token --seal --replace --yes --no-test",
            s3.options
        );
        assert_eq!(scene.runs(&with_token), 0, "{:?}", scene.written.last());
        scene.runs("destination test s3-sealed");
        std::fs::write(scene.bench.path("secrets/bad"), format!("{TOKEN} {TOKEN}")).unwrap();
        for case in &cases {
            let bad = format!("destination set s3-named {} secrets/bad --seal --replace --yes", case.options);
            assert_ne!(scene.runs(&bad), 0, "{}", case.name);
        }

        // The worker, with something to deliver for each account, and its pages.
        let url = format!("sqlite:{}", scene.bench.path("auditferry.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let sql = "INSERT INTO audit_log (account_id, occurred_at, email, action) \
                   SELECT id, '2026-01-01T00:00:00.000Z', 'a@b.c', 'login' FROM account; \
                   UPDATE account SET next_slot = 0, due_at = 0, last_slot = last_slot - 86400000000";
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        drop(connection);
        assert_eq!(scene.runs("run --until-idle"), 1);
        let listen = crate::support::child::free_address().to_string();
        let worker = scene.bench.worker(&listen);
        for page in ["/metrics", "/healthz", "/readyz"] {
            let text = crate::support::eventually(page, async || {
                let mut stream = std::net::TcpStream::connect(&listen).ok()?;
                stream.write_all(format!("GET {page} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
                let mut text = String::new();
                stream.read_to_string(&mut text).ok().map(|_| text)
            });
            scene.written.push((page.to_owned(), text.await));
        }
        drop(worker);
        scene
            .written
            .push(("the worker".into(), std::fs::read_to_string(scene.bench.path("worker.log")).unwrap()));

        for line in [
            "check",
            "check --destinations",
            "account ls --json",
            "deliveries ls --json",
            "changes ls",
            "changes ls --json --limit 1000",
            "keys ls",
            "keys rotate",
        ] {
            scene.runs(line);
        }
        for case in &cases {
            for line in ["destination show", "account show"] {
                scene.runs(&format!("{line} {}-sealed", case.name));
                scene.runs(&format!("{line} {}-named --json", case.name));
            }
        }
        let delivered = scene.written.iter().any(|(_, text)| text.contains("\"state\": \"delivered\""));
        let traced = scene.written.iter().any(|(_, text)| text.contains("put failed"));
        assert!(delivered && traced, "nothing was tried");
        scene.finds_none(&parts);
    });
}

#[test]
fn a_worker_leaves_no_core_dump() {
    let bench = Bench::new();
    let worker = bench.worker("");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", worker.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    // What is not dumpable belongs to root, whoever runs it; as root, that shows nothing.
    let owner = std::fs::metadata(format!("/proc/{}/environ", worker.id())).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 0);
}
