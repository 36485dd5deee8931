//! Sealed secrets, through the real binary: given once, kept sealed, opened by the worker.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::bench::Bench;
use crate::support::moto::moto;
use auditferry::demo::bucket::EmbeddedBucket;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

const SECRET: &str = "canary/Secret+Access0Key/HUSH";
const RING: &str = "AUDITFERRY__KEYS__RING";

/// A folder with an account and a bucket, whose secret is to be sealed.
struct Scene {
    bench: Bench,
    bucket: EmbeddedBucket,
    root: std::path::PathBuf,
}

impl Scene {
    async fn new(name: &str) -> Self {
        let root = crate::support::folder(name);
        let any = "127.0.0.1:0".parse().unwrap();
        let bucket = EmbeddedBucket::start(&root, "acme-siem", "AKIA", SECRET, any).await.unwrap();
        let bench = Bench::new();
        bench.does("account add acme --zone UTC --start beginning");
        bench.does("addon enable acme");
        Self { bench, bucket, root }
    }

    fn s3(&self) -> String {
        format!(
            "--kind s3 --bucket acme-siem --region us-east-1 --endpoint {} --allow-http --access-key-id AKIA",
            self.bucket.endpoint()
        )
    }

    fn key(&self, name: &str) {
        self.bench.does(&format!("keys generate --out {name}"));
    }

    /// Sets the destination with a sealed secret.
    fn seal(&self, ring: &str) {
        self.bench.file("given", format!("{SECRET}\n"));
        let line = format!(
            "destination set acme {} --secret-access-key-file given --seal --replace --yes",
            self.s3()
        );
        let answer = self.bench.with(RING, ring).run(&line);
        assert_eq!(answer.code, Some(0), "{answer}");
        assert!(answer.out.contains("sealed in the ledger with key"), "{answer}");
        std::fs::remove_file(self.bench.path("given")).unwrap();
    }

    async fn sql(&self, sql: &str) {
        let url = format!("sqlite:{}", self.bench.path("auditferry.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }

    fn tests(&self, ring: &str) -> crate::support::bench::Answer {
        self.bench.with(RING, ring).run("destination test acme")
    }
}

fn holds(path: &Path, text: &str) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_generated_key_is_its_owners_alone_and_never_overwritten() {
    let bench = Bench::new();
    let printed = bench.does("keys generate");
    assert_eq!(printed.trim().len(), 44, "32 bytes in base64");
    let out = bench.does("keys generate --out key");
    assert!(out.contains("[keys]\n  ring = [") && out.contains("=file:/"), "{out}");
    let key = std::fs::read_to_string(bench.path("key")).unwrap();
    assert!(!out.contains(key.trim()), "the key is printed too");
    assert_eq!(std::fs::metadata(bench.path("key")).unwrap().permissions().mode() & 0o777, 0o600);
    bench.refuses("keys generate --out key", &["--out key", "File exists", "does not exist yet"]);
    assert_eq!(std::fs::read_to_string(bench.path("key")).unwrap(), key);
    bench.does("migrate");
    let listed = bench.with(RING, "a=file:key").run("keys ls --json");
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed[0]["seals"], true);
    assert_eq!(listed[0]["secrets"], 0);
}

#[test]
fn a_sealed_secret_delivers_after_its_file_is_gone() {
    crate::support::run(async {
        let scene = Scene::new("sealed-delivers").await;
        scene.key("key");
        scene.seal("a=file:key");
        let shown = scene.bench.does("destination show acme");
        assert!(shown.contains("sealed = \"") && !shown.contains("HUSH"), "{shown}");
        for file in ["auditferry.db", "auditferry.db-wal"] {
            assert!(!holds(&scene.bench.path(file), "HUSH"), "{file} holds the secret");
        }
        scene
            .sql(
                "INSERT INTO audit_log (account_id, occurred_at, email, action) \
                 VALUES ('acme', '2026-01-01T00:00:00.000Z', 'a@b.c', 'login'); \
                 UPDATE account SET next_slot = 0, due_at = 0, last_slot = last_slot - 86400000000",
            )
            .await;
        let run = scene.bench.with(RING, "a=file:key").run("run --until-idle");
        assert_eq!(run.code, Some(0), "{run}");
        let delivered = std::fs::read_dir(scene.root.join("acme-siem/audit/acme")).unwrap().count();
        assert_eq!(delivered, 1, "{run}");
    });
}

#[test]
fn a_secret_comes_from_standard_input() {
    crate::support::run(async {
        let scene = Scene::new("sealed-input").await;
        scene.key("key");
        let bench = &scene.bench;
        let line = format!("destination set acme {} --secret-access-key-file -", scene.s3());
        let without = bench.run_with_input(&line, SECRET);
        without.is_refusal(2, &["keys.ring", "it is empty", "auditferry keys generate --out FILE"]);
        bench.file("settings.toml", "[keys]\nring = ['a=file:key']\n");
        let line = format!("--config settings.toml {line}");
        bench.run_with_input(&line, "").is_refusal(2, &["standard input", "it is empty"]);
        bench
            .run_with_input(&format!("{line} --session-token-file -"), SECRET)
            .is_refusal(2, &["standard input is given for two secrets"]);
        let answer = bench.run_with_input(&line, &format!("{SECRET}\n"));
        assert_eq!(answer.code, Some(0), "{answer}");
        assert_eq!(scene.tests("a=file:key").code, Some(0));
    });
}

#[test]
fn a_worker_without_the_key_does_not_start_and_says_which_it_needs() {
    crate::support::run(async {
        let scene = Scene::new("sealed-no-key").await;
        scene.key("key");
        scene.key("other");
        scene.seal("a=file:key");
        let bench = &scene.bench;
        bench.run("run --until-idle").is_refusal(2, &["sealed with key a, which is not in keys.ring"]);
        for (ring, says) in [
            ("b=file:other", "sealed with key a, which is not in keys.ring"),
            ("a=file:nothing", "key a: secret { file = \"nothing\" }: No such file"),
            ("a=env:NOTHING", "key a: secret { env = \"NOTHING\" }"),
            ("a=file:auditferry.db-wal", "key a"),
        ] {
            bench.with(RING, ring).run("run --until-idle").is_refusal(2, &[says]);
            let check = bench.with(RING, ring).run("check");
            assert_eq!(check.code, Some(1), "{check}");
            assert!(check.out.contains("FAILED  keys: "), "{check}");
        }
        // Another key under the same id starts, and does not open.
        let check = bench.with(RING, "a=file:other").run("check");
        assert!(
            check.out.contains("FAILED  keys: a secret of account acme: key a does not open it"),
            "{check}"
        );
        let good = bench.with(RING, "a=file:key").run("check");
        assert!(good.code == Some(0) && good.out.contains("ok      keys: 1 sealed secret opens"), "{good}");
        bench.with(RING, "A=file:key").run("account ls").is_refusal(2, &["keys.ring", "id is not"]);
        bench
            .with(RING, "a=file:key,a=file:other")
            .run("account ls")
            .is_refusal(2, &["key a is there twice"]);
    });
}

#[test]
fn a_secret_that_is_copied_to_another_account_or_bucket_does_not_open() {
    crate::support::run(async {
        let scene = Scene::new("sealed-copied").await;
        scene.key("key");
        scene.seal("a=file:key");
        assert_eq!(scene.tests("a=file:key").code, Some(0));
        scene.bench.does("account add globex --zone UTC");
        scene
            .sql(
                "INSERT INTO destination (account, version, spec) SELECT 'globex', 1, spec FROM destination; \
                 UPDATE account SET destination_version = 1; \
                 INSERT INTO sealed_secret (account, id, version, key_id, wrapped_key, ciphertext) \
                 SELECT 'globex', id, 1, key_id, wrapped_key, ciphertext FROM sealed_secret",
            )
            .await;
        let copied = scene.bench.with(RING, "a=file:key").run("destination test globex");
        assert_eq!(copied.code, Some(1), "{copied}");
        assert!(copied.out.contains("does not open it"), "{copied}");
        assert_eq!(scene.tests("a=file:key").code, Some(0), "the original still opens");
        // Somebody who can write the ledger sends the requests to a server of theirs.
        scene
            .sql("UPDATE destination SET spec = replace(spec, '127.0.0.1', 'localhost') WHERE account = 'acme'")
            .await;
        let moved = scene.tests("a=file:key");
        assert!(moved.code == Some(1) && moved.out.contains("does not open it"), "{moved}");
    });
}

#[test]
fn keys_rotate_while_the_old_one_still_opens_and_go_on_after_a_crash() {
    crate::support::run(async {
        let scene = Scene::new("sealed-rotate").await;
        let bench = &scene.bench;
        scene.key("old");
        scene.key("new");
        scene.seal("old=file:old");
        for name in ["b", "c", "d"] {
            bench.does(&format!("account add {name} --zone UTC"));
            bench.file("given", SECRET);
            let line = format!("destination set {name} {} --secret-access-key-file given --seal", scene.s3());
            assert_eq!(bench.with(RING, "old=file:old").run(&line).code, Some(0));
        }
        let both = "new=file:new,old=file:old";
        assert_eq!(scene.tests(both).code, Some(0), "the old key opens until it is retired");
        let listed = bench.with(RING, both).run("keys ls");
        assert!(listed.out.contains("seals") && listed.out.contains("opens"), "{listed}");

        // A crash in the middle: one row cannot be opened, and the rotation ends there.
        scene
            .sql(
                "CREATE TABLE kept AS SELECT wrapped_key FROM sealed_secret WHERE account = 'c'; \
                  UPDATE sealed_secret SET wrapped_key = x'00' WHERE account = 'c'",
            )
            .await;
        let broken = bench.with(RING, both).run("keys rotate");
        assert_eq!(broken.code, Some(2), "{broken}");
        let states = bench.with(RING, both).run("keys ls --json");
        let states: serde_json::Value = serde_json::from_str(&states.out).unwrap();
        assert_eq!((&states[0]["secrets"], &states[1]["secrets"]), (&2.into(), &2.into()), "{states}");
        scene
            .sql(
                "UPDATE sealed_secret SET wrapped_key = (SELECT wrapped_key FROM kept) WHERE account = 'c'; \
                  DROP TABLE kept",
            )
            .await;

        let rotated = bench.with(RING, both).run("keys rotate");
        assert_eq!(rotated.code, Some(0), "{rotated}");
        assert!(rotated.out.contains("2 secrets wrapped anew"), "{rotated}");
        assert!(rotated.out.contains("Key old seals nothing any more"), "{rotated}");
        assert_eq!(scene.tests("new=file:new").code, Some(0));
        assert_eq!(bench.with(RING, "new=file:new").run("check").code, Some(0));
        let again = bench.with(RING, both).run("keys rotate");
        assert!(again.out.contains("0 secrets wrapped anew"), "{again}");
        bench.with(RING, "old=file:old").run("run --until-idle").is_refusal(2, &["sealed with key new"]);
    });
}

#[test]
fn the_log_of_changes_tells_who_sealed_and_rotated_and_no_secret() {
    crate::support::run(async {
        let scene = Scene::new("sealed-changes").await;
        let bench = &scene.bench;
        scene.key("old");
        scene.key("new");
        scene.seal("old=file:old");
        scene.seal("old=file:old");
        assert_eq!(bench.with(RING, "new=file:new,old=file:old").run("keys rotate").code, Some(0));
        bench.does("addon disable acme");
        let changes = bench.json("changes ls acme");
        let actions: Vec<&str> =
            changes.as_array().unwrap().iter().map(|change| change["action"].as_str().unwrap()).collect();
        let expected = [
            "add-on changed",
            "key rotated",
            "destination set",
            "destination set",
            "add-on changed",
            "account added",
        ];
        assert_eq!(actions, expected);
        // A secret that is given again is another one, and that is all that can be told.
        let replaced = &changes[2]["fields"];
        assert_eq!(replaced.as_array().unwrap().len(), 1, "{replaced}");
        assert_eq!(replaced[0]["field"], "credentials.access_key.secret.sealed");
        assert_ne!(replaced[0]["from"], replaced[0]["to"]);
        let me = auditferry::base::actor::os_user(None).name;
        assert!(changes.as_array().unwrap().iter().all(|change| change["by"] == me.as_str()), "{changes}");
        let shown = bench.does("changes ls acme --limit 2 --since 2026-01-01");
        assert!(shown.contains("addon.enabled true -> false") && shown.contains(&me), "{shown}");
        assert!(bench.does("changes ls --until 2026-01-01").contains("No changes in the ledger"));
        assert!(bench.does("changes ls nobody --by somebody-else").contains("No changes in the ledger"));
    });
}

#[test]
fn a_destination_is_tried_step_by_step_before_it_is_set() {
    crate::support::run(async {
        let scene = Scene::new("sealed-probe").await;
        scene.key("key");
        scene.seal("a=file:key");
        let answer = scene.tests("a=file:key");
        for step in [
            "read secrets",
            "resolve: 127.0.0.1",
            "connect: 127.0.0.1:",
            "authenticate and create",
            "clean up",
        ] {
            assert!(answer.out.contains(step), "{answer}\nlacks {step}");
        }
        assert!(answer.out.contains("accepts objects"), "{answer}");
        // The demo's server removes nothing: the object may stay. Moto lets it go.
        assert!(answer.out.contains("clean up: the object stays, and may be deleted"), "{answer}");
        crate::support::moto::bucket("tried").await;
        scene.bench.does("account add other --zone UTC");
        scene.bench.file("secret", "anything");
        let removed = scene.bench.does(&format!(
            "destination set other --kind s3 --bucket tried --region us-east-1 --access-key-id AKIAIOSFODNN7EXAMPLE \
             --secret-access-key-file secret --allow-http --endpoint {}",
            moto().url()
        ));
        assert!(removed.contains("clean up: the object is gone"), "{removed}");
        let listed = reqwest::get(format!("{}/tried?list-type=2", moto().url())).await.unwrap();
        assert!(
            !listed.text().await.unwrap().contains("auditferry-probe"),
            "the probe's object is still there"
        );
        // Credentials that the store refuses do not replace those that it takes.
        let bench = &scene.bench;
        let before = bench.state();
        bench.file("given", "wrong");
        let line = format!(
            "destination set acme {} --secret-access-key-file given --seal --replace --yes",
            scene.s3()
        );
        let refused = bench.with(RING, "a=file:key").run(&line);
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.out.contains("authenticate: invalid_credentials"), "{refused}");
        assert!(refused.out.contains("fix: The secret does not belong to the access key"), "{refused}");
        std::fs::remove_file(bench.path("given")).unwrap();
        assert_eq!(bench.state(), before);
        assert_eq!(scene.tests("a=file:key").code, Some(0));
    });
}

/// The key of AWS KMS, on moto; it stays there.
#[test]
fn aws_kms_wraps_and_opens() {
    crate::support::run(async {
        let scene = Scene::new("sealed-kms").await;
        let bench = scene.bench.env("AWS_ENDPOINT_URL_KMS", &moto().url());
        let bench = bench.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
        let scene = Scene { bench, ..scene };
        let made = reqwest::Client::new()
            .post(moto().url())
            .header("x-amz-target", "TrentService.CreateKey")
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=testing/20261121/eu-central-1/kms/aws4_request",
            )
            .body("{}")
            .send()
            .await
            .unwrap();
        let made: serde_json::Value = serde_json::from_str(&made.text().await.unwrap()).unwrap();
        let arn = made["KeyMetadata"]["Arn"].as_str().unwrap();
        let ring = format!("cloud=aws-kms:{arn}");
        scene.seal(&ring);
        assert_eq!(scene.tests(&ring).code, Some(0));
        let check = scene.bench.with(RING, &ring).run("check");
        assert!(check.out.contains("ok      keys: 1 sealed"), "{check}");
        // The encryption context binds it: as another account's it does not open.
        scene
            .sql(
                "PRAGMA foreign_keys = OFF; UPDATE sealed_secret SET account = 'b'; \
                  UPDATE destination SET account = 'b'; UPDATE account SET id = 'b'",
            )
            .await;
        let copied = scene.bench.with(RING, &ring).run("check");
        assert!(copied.out.contains("a secret of account b: key cloud does not open it"), "{copied}");
        scene
            .sql(
                "PRAGMA foreign_keys = OFF; UPDATE sealed_secret SET account = 'acme'; \
                  UPDATE destination SET account = 'acme'; UPDATE account SET id = 'acme'",
            )
            .await;
        // From KMS to a file, and a KMS that is away passes by itself.
        scene.key("key");
        let both = format!("a=file:key,{ring}");
        let away = scene.bench.with("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1").run("check");
        assert_eq!(away.code, Some(1), "{away}");
        let rotated = scene.bench.with(RING, &both).run("keys rotate");
        assert_eq!(rotated.code, Some(0), "{rotated}");
        assert_eq!(scene.tests("a=file:key").code, Some(0));
    });
}
