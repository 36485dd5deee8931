//! The Export Center: who may do what there, and setting a bucket of each cloud up, also with a wrong key first.

use std::time::Duration;

use auditferry::demo::bucket::EmbeddedBucket;
use serde_json::{Value, json};

use super::{Browser, Page, link};
use crate::support::api::Served;
use crate::support::bench::Bench;
use crate::support::gcs_server::{GcsServer, foreign_key, known_key};
use crate::support::google_tokens;
use crate::support::program::insert_sql;
use crate::support::{azurite, checker::Database, folder, moto, run};

const SET_UP: &str = "/portal/export/setup";

/// A bench whose ledger can seal, with two accounts whose add-on is on.
pub(super) fn sealing() -> Bench {
    let bench = Bench::new();
    bench.does("keys generate --out key");
    let ring = format!("k1=file:{}", bench.path("key").display());
    let bench = bench.env("AUDITFERRY__KEYS__RING", &ring);
    for account in ["acme", "beta"] {
        bench.does(&format!("account add {account} --zone Europe/Berlin --start beginning"));
        bench.does(&format!("addon enable {account}"));
    }
    bench.visited()
}

impl Browser {
    /// Sends the form of step 3, and waits until its test has ended; the page then.
    async fn tests(&mut self, fields: &[(&str, &str)]) -> Page {
        let sent = self.sends(SET_UP, fields).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        let place = sent.location.clone();
        self.ended(&place).await
    }

    async fn ended(&mut self, place: &str) -> Page {
        let began = std::time::Instant::now();
        loop {
            let page = self.get(place).await;
            page.says(200, "id=\"steps\"");
            if !page.text.contains("hx-get") {
                return page;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the test does not end: {}", page.text);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Saves what was tested.
    async fn saves(&mut self, tested: &Page) -> Page {
        let trial = tested.hidden("trial");
        self.sends("/portal/export/setup/save", &[("trial", &trial)]).await
    }
}

/// The forms of each cloud, with a secret that is wrong and one that is right.
struct Case {
    name: &'static str,
    fields: Vec<(&'static str, String)>,
    wrong: String,
    right: String,
    /// What the page says of the wrong one.
    says: &'static str,
}

impl Case {
    fn with<'a>(&'a self, secret: &'a str) -> Vec<(&'a str, &'a str)> {
        let fields = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        fields.chain([("secret", secret)]).collect()
    }
}

async fn is_set_up_and_mended(case: &Case) {
    let bench = sealing();
    let served = Served::start(&bench, &[("AUDITFERRY__LOG__LEVEL", "debug")]);
    let mut browser = Browser::new(&served);
    browser.is_in(&link(&bench, &served, "acme", "--reason 'set up'")).await;
    browser.get("/portal/export").await.says(200, "No destination yet");
    // A wrong key: the step that fails is named, and nothing can be saved.
    let failed = browser.tests(&case.with(&case.wrong)).await;
    failed.says(200, "1 failed").says(200, case.says).says(200, "disabled>Save");
    assert!(
        !failed.text.contains(&case.wrong)
            && !failed.text.contains("name=\"secret\" type=\"password\" value=\"x")
    );
    for (name, value) in case.fields.iter().filter(|(name, _)| *name != "cloud" && *name != "how") {
        let kept = format!("value=\"{}\"", value.replace('/', "&#x2f;"));
        let plain = format!("value=\"{value}\"");
        assert!(failed.text.contains(&plain) || failed.text.contains(&kept), "{name}: {}", failed.text);
    }
    let trial = failed.hidden("trial");
    let saved = browser.sends("/portal/export/setup/save", &[("trial", &trial)]).await;
    saved.says(409, "test again");
    assert!(bench.run("destination show acme").err.contains("no destination"), "{}", case.name);
    // The same once more, with the secret that is kept sealed beside the test.
    let again = browser.sends("/portal/export/setup/again", &[("trial", &trial)]).await;
    browser.ended(&again.location).await.says(200, "1 failed");
    // Mended, tested, saved.
    let works = browser.tests(&case.with(&case.right)).await;
    works.says(200, "All steps passed");
    let saved = browser.saves(&works).await;
    assert_eq!((saved.status, saved.location.as_str()), (303, "/portal/export?saved=1"), "{}", saved.text);
    browser.get("/portal/export?saved=1").await.says(200, "Saved.").says(200, "Change destination");
    let stored = bench.json("destination show acme");
    assert!(stored.to_string().contains("\"sealed\""), "{stored}");
    let log = bench.json("changes ls acme");
    let set = log.as_array().unwrap().iter().find(|change| change["action"] == "destination set").unwrap();
    assert_eq!(
        (&set["by"], &set["actor_kind"], &set["channel"]),
        (&json!("jana@acme.example"), &json!("portal_user"), &json!("portal"))
    );
    // Once is enough: the account has changed since.
    browser.saves(&works).await.says(409, "changed the account since");
    // Files arrive, and the page tells of them.
    Database::Sqlite(bench.path("auditferry.db")).execute(&insert_sql("acme", 0..25)).await;
    crate::cli::remote::deliver_now(&bench, "acme");
    bench.does("run --until-idle");
    let page = browser.get("/portal/export").await;
    page.says(200, "Delivering to").says(200, "audit_acme_").says(200, "just now");
    let delivered = bench.json("deliveries ls acme");
    page.says(200, delivered[0]["object_sha256"].as_str().unwrap());
    // No secret has come out anywhere.
    let served_log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
    for text in [&page.text, &works.text, &log.to_string(), &stored.to_string(), &served_log] {
        assert!(
            !text.contains(&case.right) && !text.contains(&case.wrong),
            "{}: a secret came out",
            case.name
        );
    }
}

#[test]
fn an_embedded_bucket_is_set_up_and_a_wrong_key_mended() {
    run(async {
        let any = "127.0.0.1:0".parse().unwrap();
        let root = folder("portal-embedded");
        let bucket = EmbeddedBucket::start(&root, "acme-siem", "AKIA", "HUSH-right-key", any).await.unwrap();
        is_set_up_and_mended(&Case {
            name: "embedded",
            fields: vec![
                ("cloud", "s3".to_owned()),
                ("how", "key".to_owned()),
                ("bucket", "acme-siem".to_owned()),
                ("region", "us-east-1".to_owned()),
                ("endpoint", bucket.endpoint()),
                ("key_id", "AKIA".to_owned()),
                ("prefix", "siem/".to_owned()),
            ],
            wrong: "HUSH-wrong-key".to_owned(),
            right: "HUSH-right-key".to_owned(),
            says: "SignatureDoesNotMatch",
        })
        .await;
    });
}

#[test]
fn a_container_of_azure_is_set_up_and_a_wrong_signature_mended() {
    run(async {
        azurite::create_container("portal-siem").await;
        is_set_up_and_mended(&Case {
            name: "azure",
            fields: vec![
                ("cloud", "azure".to_owned()),
                ("how", "sas".to_owned()),
                ("bucket", "portal-siem".to_owned()),
                ("endpoint", azurite::endpoint()),
            ],
            wrong: azurite::container_sas("portal-siem", "r", azurite::KEY),
            right: azurite::container_sas("portal-siem", "cw", azurite::KEY),
            says: "create blobs",
        })
        .await;
    });
}

#[test]
fn a_bucket_of_google_is_set_up_and_a_foreign_key_mended() {
    run(async {
        let server = GcsServer::start().await;
        server.bucket("portal-siem", &known_key());
        is_set_up_and_mended(&Case {
            name: "google",
            fields: vec![
                ("cloud", "gcs".to_owned()),
                ("how", "google-key".to_owned()),
                ("bucket", "portal-siem".to_owned()),
                ("endpoint", server.url()),
            ],
            wrong: foreign_key(),
            right: known_key(),
            says: "The cloud said:",
        })
        .await;
    });
}

/// What replaces a destination is proved first; what was there before can be picked again.
#[test]
fn a_replacement_is_proved_first_and_an_earlier_bucket_picked_again() {
    run(async {
        moto::bucket("portal-first").await;
        moto::bucket("portal-second").await;
        let bench = sealing();
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let url = moto::moto().url();
        let fields = |bucket: &'static str, secret: &'static str| {
            [
                ("cloud", "s3".to_owned()),
                ("how", "key".to_owned()),
                ("bucket", bucket.to_owned()),
                ("region", "us-east-1".to_owned()),
                ("endpoint", url.clone()),
                ("key_id", "AKIAIOSFODNN7EXAMPLE".to_owned()),
                ("secret", secret.to_owned()),
            ]
        };
        fn as_sent<'a>(fields: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
        }
        let first = fields("portal-first", "HUSH-anything");
        let works = browser.tests(&as_sent(&first)).await;
        assert_eq!(browser.saves(&works).await.status, 303);
        let missing = fields("portal-missing", "HUSH-anything");
        let failed = browser.tests(&as_sent(&missing)).await;
        failed.says(200, "There is no bucket").says(200, "portal-missing");
        assert_eq!(bench.json("destination show acme")["bucket"], "portal-first", "it stays");
        // For another place the secret is needed; for the same one it stays when it is left out.
        let elsewhere = fields("portal-second", "");
        browser.sends(SET_UP, &as_sent(&elsewhere)).await.says(422, "Give the secret: there is none");
        let mut same = fields("portal-first", "");
        same[4] = ("endpoint", url.clone());
        let works = browser.tests(&as_sent(&same)).await;
        works.says(200, "All steps passed");
        let second = fields("portal-second", "HUSH-anything");
        let works = browser.tests(&as_sent(&second)).await;
        assert_eq!(browser.saves(&works).await.status, 303);
        assert_eq!(bench.json("destination show acme")["bucket"], "portal-second");
        let page = browser.get(SET_UP).await;
        page.says(200, "s3://portal-first/").says(200, "s3://portal-second/");
        let version =
            page.text.split("<option value=\"").skip(1).find(|part| part.contains("portal-first")).unwrap();
        let version = version.split('"').next().unwrap();
        let picked = browser.get(&format!("{SET_UP}?known={version}")).await;
        picked.says(200, "value=\"portal-first\"");
        assert!(!picked.text.contains("HUSH"));
    });
}

#[test]
fn what_is_wrong_is_told_at_its_field_and_what_was_typed_stays() {
    run(async {
        let bench = sealing();
        let served =
            Served::start(&bench, &[("AUDITFERRY__AWS__PRINCIPAL", "arn:aws:iam::210987654321:role/worker")]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        // The role's values are made by a button, as looking changes nothing.
        let page = browser.get(SET_UP).await;
        page.says(200, "Make the external id")
            .says(200, "acme-audit-log")
            .says(200, "arn:aws:iam::210987654321:role/worker");
        let changes = bench.json("changes ls acme").as_array().unwrap().len();
        browser.get(SET_UP).await;
        assert_eq!(bench.json("changes ls acme").as_array().unwrap().len(), changes);
        let made = browser.sends("/portal/export/setup/external-id", &[]).await;
        assert_eq!(made.status, 303);
        for by in ["console", "cli", "terraform"] {
            let page = browser.get(&format!("{SET_UP}?cloud=s3&how=role&guide={by}")).await;
            page.says(200, "<mark>auditferry-")
                .says(200, "<mark>arn:aws:iam::210987654321:role/worker</mark>");
        }
        let role = "arn:aws:iam::123456789012:user/auditferry";
        let sent = [
            ("cloud", "s3"),
            ("how", "role"),
            ("bucket", "Acme_SIEM"),
            ("region", "eu-central-1"),
            ("role", role),
            ("prefix", "<script>"),
        ];
        let page = browser.sends(SET_UP, &sent).await;
        page.says(422, "href=\"#bucket\"")
            .says(422, "href=\"#role\"")
            .says(422, "This looks like a user, not a role");
        page.says(422, "value=\"Acme_SIEM\"").says(422, "aria-invalid=\"true\"");
        assert!(
            !page.text.contains("<script>") && page.text.contains("id=\"bucket-wrong\""),
            "{}",
            page.text
        );
        let sent = [("cloud", "gcs"), ("how", "google-key"), ("bucket", "acme"), ("secret", "HUSH not JSON")];
        let page = browser.sends(SET_UP, &sent).await;
        page.says(422, "This is not the JSON");
        assert!(!page.text.contains("HUSH"));
        // Nobody is led to a place without TLS, or given another's files.
        for endpoint in ["http://10.0.0.1", "http://evil.example", "file:///etc/passwd"] {
            let sent = [
                ("cloud", "s3"),
                ("how", "key"),
                ("bucket", "acme"),
                ("region", "us-east-1"),
                ("endpoint", endpoint),
                ("key_id", "AKIA"),
                ("secret", "HUSH"),
            ];
            browser.sends(SET_UP, &sent).await.says(422, "href=\"#endpoint\"");
        }
        for (name, value) in [("cloud", "floppy"), ("how", "sas")] {
            let mut sent = vec![("cloud", "s3"), ("how", "key"), ("bucket", "acme")];
            sent.iter_mut().find(|(field, _)| *field == name).unwrap().1 = value;
            browser.sends(SET_UP, &sent).await.says(422, "This was not done");
        }
    });
}

#[test]
fn a_bucket_that_is_written_as_ourselves_is_proved() {
    run(async {
        let google = google_tokens::google();
        let server = GcsServer::start().await;
        server.bucket("portal-siem", &known_key());
        let bench = sealing()
            .env("AUDITFERRY__GOOGLE__STS_URL", &google)
            .env("AUDITFERRY__GOOGLE__IAM_URL", &google)
            .env("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme")
            .env("AUDITFERRY__CREDENTIALS__TOKEN_HOSTS", "127.0.0.1")
            .env("GCE_METADATA_HOST", &google.replace("http://", ""));
        let served = Served::start(&bench, &[]);
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "")).await;
        let url = server.url();
        let sent = [
            ("cloud", "gcs"),
            ("how", "impersonate"),
            ("bucket", "portal-siem"),
            ("endpoint", url.as_str()),
            ("service_account", google_tokens::WRITER),
        ];
        let works = browser.tests(&sent).await;
        works.says(200, "All steps passed");
        let saved = browser.saves(&works).await;
        assert_eq!(saved.location, "/portal/export#proof", "{}", saved.text);
        let page = browser.get("/portal/export").await;
        page.says(200, "Prove that the bucket is yours")
            .says(200, "ownership-")
            .says(200, "No destination yet");
        assert!(bench.run("destination show acme").err.contains("no destination"));
        let wrong = browser.sends("/portal/export/proof", &[("token", "0000")]).await;
        wrong.says(422, "4 tries are left").says(422, "href=\"#token\"");
        let keys = server.keys("portal-siem");
        let key = keys.iter().find(|key| key.contains("ownership-")).unwrap();
        let object = server.object("portal-siem", key).unwrap();
        let text = std::str::from_utf8(&object.body).unwrap();
        let token = text.rsplit_once("token: ").unwrap().1.trim();
        assert!(!page.text.contains(token) && !wrong.text.contains(token));
        // Somebody who may only look cannot.
        let mut reader = Browser::new(&served);
        reader.is_in(&link(&bench, &served, "acme", "--capability export:read")).await;
        let page = reader.get("/portal/export").await;
        assert!(page.text.contains("Prove that") && !page.text.contains("name=\"token\""), "{}", page.text);
        let proved =
            browser.sends("/portal/export/proof", &[("token", &format!(" token: {token} \n"))]).await;
        assert_eq!(proved.status, 303, "{}", proved.text);
        browser.get("/portal/export").await.says(200, "Change destination");
        assert_eq!(bench.json("destination show acme")["bucket"], "portal-siem");
    });
}

/// Each route with each capability, none, and another account's trial.
#[test]
fn every_route_is_for_those_who_may() {
    run(async {
        let bench = sealing();
        let served = Served::start(&bench, &[]);
        let routes = [
            ("GET", "/portal/export", "export:read"),
            ("GET", SET_UP, "export:manage"),
            ("POST", SET_UP, "export:manage"),
            ("GET", "/portal/export/setup/steps", "export:manage"),
            ("POST", "/portal/export/setup/again", "export:manage"),
            ("POST", "/portal/export/setup/save", "export:manage"),
            ("POST", "/portal/export/setup/external-id", "export:manage"),
            ("POST", "/portal/export/proof", "export:manage"),
        ];
        let mut nobody = Browser::new(&served);
        for (method, path, _) in routes {
            let page = if method == "GET" { nobody.get(path).await } else { nobody.post(path, &[]).await };
            page.says(401, "Your session has ended");
        }
        let state = bench.state();
        for capability in ["records:read", "records:download", "export:read", "export:manage"] {
            let mut browser = Browser::new(&served);
            browser.is_in(&link(&bench, &served, "beta", &format!("--capability {capability}"))).await;
            // The session's own word against forged requests, as a page of it would have it.
            let held = browser.cookies["auditferry-portal"].clone();
            let csrf = csrf(&held);
            for (method, path, needs) in routes {
                if method == "POST" && path.ends_with("external-id") && capability == needs {
                    continue;
                }
                let page = match method {
                    "GET" => browser.get(path).await,
                    _ => browser.post(path, &[("csrf", &csrf), ("trial", "j0000"), ("token", "0000")]).await,
                };
                let told = format!("{capability} {method} {path}: {}", page.status);
                assert_eq!(page.status != 403, capability == needs, "{told}");
                assert!(page.status < 500, "{told}");
                if page.status == 403 {
                    page.says(403, "Your link does not allow this");
                }
            }
        }
        assert_eq!(bench.state(), state, "nothing has changed");
        // A trial is its account's and its person's.
        let mut acme = Browser::new(&served);
        acme.is_in(&link(&bench, &served, "acme", "")).await;
        let sent = [
            ("cloud", "s3"),
            ("how", "key"),
            ("bucket", "acme"),
            ("region", "us-east-1"),
            ("endpoint", "http://127.0.0.1:9"),
            ("key_id", "AKIA"),
            ("secret", "HUSH"),
        ];
        let page = acme.tests(&sent).await;
        let trial = page.hidden("trial");
        acme.get(&format!("/portal/export/setup/steps?trial={trial}")).await.says(200, "id=\"steps\"");
        for who in ["beta", "acme"] {
            let mut other = Browser::new(&served);
            let more = if who == "acme" { "--actor-id somebody-else" } else { "" };
            other.is_in(&link(&bench, &served, who, more)).await;
            other.get(&format!("/portal/export/setup/steps?trial={trial}")).await.says(404, "nothing here");
            other.sends("/portal/export/setup/again", &[("trial", &trial)]).await.says(404, "nothing here");
            other.sends("/portal/export/setup/save", &[("trial", &trial)]).await.says(409, "test again");
        }
    });
}

/// What pages of a session send, made as the server makes it.
fn csrf(held: &str) -> String {
    use base64::Engine as _;
    use hmac::Mac as _;
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(held.as_bytes()).unwrap();
    mac.update(b"csrf");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

#[test]
fn the_page_says_how_it_is_and_whom_to_ask() {
    run(async {
        let bench = sealing();
        let served = Served::start(&bench, &[("AUDITFERRY__PORTAL__CONTACT", "support@vendor.example")]);
        bench.file("secret", "HUSH");
        bench.does(
            "destination set acme --kind s3 --region eu-central-1 --access-key-id AKIAIOSFODNN7EXAMPLE \
             --secret-access-key-file secret --bucket acme-siem --no-test",
        );
        let mut browser = Browser::new(&served);
        browser.is_in(&link(&bench, &served, "acme", "--capability export:read")).await;
        let page = browser.get("/portal/export").await;
        page.says(200, "cannot be started by hand").says(200, "ask support@vendor.example");
        for never in ["Run now", "Stop", SET_UP, "HUSH", "secret"] {
            assert!(!page.text.contains(never), "{never}");
        }
        bench.does("account pause acme --reason 'does not pay'");
        let page = browser.get("/portal/export").await;
        page.says(200, "Support has paused the export").says(200, "To go on, ask support@vendor.example");
        assert!(!page.text.contains("does not pay"), "that is the vendor's own");
        bench.does("account resume acme");
        bench.does("addon disable acme --reason 'contract ended'");
        let page = browser.get("/portal/export").await;
        page.says(200, "The add-on is off");
        assert!(!page.text.contains("contract ended"));
        // In German, too.
        browser.is_in(&link(&bench, &served, "acme", "--language de")).await;
        let page = browser.get("/portal/export").await;
        page.says(200, "Die Zusatzleistung ist aus").says(200, "Kommt es an?");
        let value: Value = bench.json("account show acme");
        assert_eq!(value["health"], "disabled");
    });
}
