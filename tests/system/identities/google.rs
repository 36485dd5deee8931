//! The worker's own Google identity, and service accounts of customers that let it act as them.

use crate::identities::scene::{OwnDestination, delivers_once_it_is_proved, prove, sql, with_own_identity};
use crate::support;
use crate::support::bench::{Answer, Bench};
use crate::support::gcs_server::{GcsServer, known_key};
use crate::support::google_tokens::{self, CLOSED, SUBJECT, WORKER, WRITER};

/// A folder with an account that may use the worker's own identity, and a bucket.
struct Scene {
    bench: Bench,
    server: GcsServer,
}

impl Scene {
    async fn new() -> Self {
        let (google, server) = (google_tokens::google(), GcsServer::start().await);
        server.bucket("acme-siem", &known_key());
        let bench = Bench::new()
            .env("AUDITFERRY__GOOGLE__STS_URL", &google)
            .env("AUDITFERRY__GOOGLE__IAM_URL", &google);
        Self { bench: with_own_identity(bench), server }
    }

    /// On a machine of Google's, as its environment says.
    fn on_a_machine(self) -> Self {
        let host = google_tokens::google().replace("http://", "");
        self.env("GCE_METADATA_HOST", &host)
    }

    /// With a file of the operator's.
    fn with_file(self, content: &str) -> Self {
        self.bench.file("worker.json", content);
        self.env("AUDITFERRY__GOOGLE__CREDENTIALS_FILE", "worker.json")
    }

    /// With an identity of another platform.
    fn federated(self, service_account: Option<&str>) -> Self {
        self.bench.file("subject", format!("{{\"token\": \"{SUBJECT}\"}}"));
        let configuration = google_tokens::external_account(&self.bench.path("subject"), service_account);
        self.with_file(&configuration)
    }

    fn env(self, name: &str, value: &str) -> Self {
        Self { bench: self.bench.env(name, value), ..self }
    }
}

impl OwnDestination for Scene {
    const TOKEN: &str = "ya29";
    const GIVEN: &str = "subject";

    fn bench(&self) -> &Bench {
        &self.bench
    }

    fn set(&self, more: &str) -> String {
        let url = self.server.url();
        format!("destination set acme --kind gcs --bucket acme-siem --endpoint {url} --allow-http {more}")
    }

    async fn delivered(&self, prefix: &str) -> usize {
        self.server.keys("acme-siem").iter().filter(|key| key.starts_with(prefix)).count()
    }

    async fn prove(&self) -> Answer {
        let shown = self.bench.json("account show acme");
        let key = shown["awaits_proof"]["key"].as_str().expect("a proof is awaited");
        let object = self.server.object("acme-siem", key).expect("the challenge");
        prove(&self.bench, std::str::from_utf8(&object.body).unwrap())
    }
}

#[test]
fn a_customers_service_account_delivers_once_the_bucket_is_proved() {
    support::run(async {
        let scene = Scene::new().await.on_a_machine();
        let set = scene.set(&format!("--impersonate {WRITER}"));
        let others = scene.bench.with("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "other");
        others.refuses(&set, &["not allowed for this account", "credentials.allow_ambient"]);
        let closed = scene.bench.run(&scene.set(&format!("--impersonate {CLOSED}")));
        assert_eq!(closed.code, Some(1), "{closed}");
        for words in
            ["FAILED", "get a token: invalid_credentials", "does not let the worker act as it", CLOSED]
        {
            assert!(closed.out.contains(words), "{closed}\nsays nothing of {words:?}");
        }
        delivers_once_it_is_proved(&scene, &format!("--impersonate {WRITER}")).await;
    });
}

/// Google asks for no external id: the service account lets the worker in, whichever customer named it.
#[test]
fn who_names_another_customers_service_account_and_bucket_gets_nothing_there() {
    support::run(async {
        let scene = Scene::new().await.on_a_machine();
        let scene = scene.env("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme,other");
        delivers_once_it_is_proved(&scene, &format!("--impersonate {WRITER}")).await;
        let before = scene.delivered("").await;
        scene.bench.does("account add other --zone UTC --start beginning");
        scene.bench.does("addon enable other");
        let set = scene.set(&format!("--impersonate {WRITER}")).replace("set acme", "set other");
        assert!(scene.bench.does(&set).contains("has to prove it theirs"));
        let guess = "0123456789012345678901234567890123456789";
        let wrong = scene.bench.run_with_input("destination prove other --token-file -", guess);
        assert!(wrong.code == Some(1) && wrong.err.contains("not the token"), "{wrong}");
        sql(
            &scene.bench,
            "INSERT INTO audit_log (account_id, occurred_at, email, action) \
             VALUES ('other', '2026-01-01T00:00:00.000Z', 'a@b.c', 'login'); \
             UPDATE account SET next_slot = 0, last_slot = last_slot - 86400000000 WHERE id = 'other'",
        )
        .await;
        scene.bench.run("run --until-idle");
        assert_eq!(scene.delivered("audit/other").await, 0);
        assert_eq!(scene.delivered("").await, before + 1, "the file with the token, and nothing else");
    });
}

#[test]
fn the_machines_own_service_account_delivers_once_the_bucket_is_proved() {
    support::run(async {
        let scene = Scene::new().await.on_a_machine();
        delivers_once_it_is_proved(&scene, "--ambient").await;
        // Elsewhere there is no such machine.
        let away = scene.bench.with("GCE_METADATA_HOST", &support::child::free_address().to_string());
        let test = away.run("destination test acme");
        assert!(test.code == Some(1) && test.out.contains("unreachable: no token from 127.0.0.1"), "{test}");
        assert!(test.out.contains("For those who run the worker"), "{test}");
    });
}

#[test]
fn an_identity_of_another_platform_delivers_itself_and_as_a_service_account() {
    support::run(async {
        let scene = Scene::new().await.federated(None);
        delivers_once_it_is_proved(&scene, "--ambient").await;
        let before = google_tokens::asked(WORKER);
        let scene = scene.federated(Some(WORKER));
        let set = scene.bench.does(&scene.set(&format!("--impersonate {WRITER} --replace --yes")));
        assert!(set.contains("Account acme delivers to"), "the place is proved: {set}");
        assert!(google_tokens::asked(WORKER) > before, "the pool's principal acts as the worker's account");
        scene.bench.file("subject", "{\"token\": \"of-another-HUSH\"}");
        let refused = scene.bench.run("destination test acme");
        refused.is_refusal(1, &[]);
        for words in
            ["unreachable: no token: HTTP 400 invalid_grant: The issuer", "For those who run the worker"]
        {
            assert!(refused.out.contains(words), "{refused}");
        }
    });
}

#[test]
fn a_key_of_the_operators_acts_as_a_customers_service_account() {
    support::run(async {
        let scene = Scene::new().await.with_file(&known_key());
        delivers_once_it_is_proved(&scene, &format!("--impersonate {WRITER}")).await;
    });
}

#[test]
fn the_operators_file_leads_to_google_only() {
    support::run(async {
        let scene = Scene::new().await.federated(None);
        let set = scene.set("--ambient");
        // Without the settings of the tests, Google's own is all that counts.
        let refused = scene.bench.with("AUDITFERRY__GOOGLE__STS_URL", "").run(&set);
        refused.is_refusal(
            2,
            &["google.credentials_file", "token_url is not https://sts.googleapis.com/v1/token"],
        );
        for (content, problem) in [
            ("HUSH", "it is not JSON"),
            ("{\"type\": \"authorized_user\", \"refresh_token\": \"HUSH\"}", "neither external_account nor"),
            ("{\"type\": \"service_account\", \"private_key\": \"HUSH\"}", "client_email is missing"),
        ] {
            scene.bench.file("worker.json", content);
            scene.bench.refuses(&set, &["google.credentials_file", problem]);
        }
        std::fs::remove_file(scene.bench.path("worker.json")).unwrap();
        scene.bench.refuses(&set, &["google.credentials_file", "worker.json", "make the file readable"]);
    });
}

#[test]
fn an_exports_file_waits_for_the_proof_too() {
    support::run(async {
        let scene = Scene::new().await.on_a_machine();
        let credentials = format!("{{ impersonate = {{ service_account = '{WRITER}' }} }}");
        for (credentials, awaits) in [(credentials.as_str(), true), ("'ambient'", false)] {
            let destination = format!(
                "kind = 'gcs', bucket = 'acme-siem', allow_http = true, endpoint = '{}', credentials = {credentials}",
                scene.server.url()
            );
            let export =
                format!("[[export]]\naccount = 'acme'\nzone = 'UTC'\ndestination = {{ {destination} }}\n");
            scene.bench.file("exports.toml", export);
            let applied = scene.bench.does("apply exports.toml");
            assert_eq!(applied.contains("once its owner has proved it theirs"), awaits, "{applied}");
            if awaits {
                assert_eq!(scene.prove().await.code, Some(0));
            }
            assert_eq!(scene.bench.does("apply exports.toml"), "Nothing to change.\n");
        }
    });
}

#[test]
fn a_token_of_the_workers_own_goes_to_google_only() {
    support::run(async {
        let scene = Scene::new().await.on_a_machine();
        let bench = scene.bench.env("AUDITFERRY__NETWORK__ALLOW", "127.0.0.1,storage.acme.example");
        let set = |more: &str| format!("destination set acme --kind gcs --bucket acme-siem {more}");
        for credentials in ["--ambient".to_owned(), format!("--impersonate {WRITER}")] {
            // What the operator allows for customers' stores says nothing of the worker's own tokens.
            for endpoint in ["https://storage.acme.example", "http://storage.googleapis.com --allow-http"] {
                let line = set(&format!("{credentials} --endpoint {endpoint}"));
                bench.refuses(&line, &["destination.endpoint", "credentials.token_hosts"]);
            }
        }
        for (more, says) in [
            ("--ambient --service-account-file x", "--ambient and a key"),
            ("--impersonate x --service-account-file x", "cannot be used with"),
            ("--impersonate x --ambient", "cannot be used with"),
            ("--impersonate writer@evil.example", "not the e-mail address of a service account"),
            ("", "--impersonate or --ambient is missing"),
        ] {
            bench.refuses(&set(more), &[says]);
        }
    });
}
