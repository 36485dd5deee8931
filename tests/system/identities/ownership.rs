//! A destination that is written to as the worker itself waits until its owner has given back
//! a token that stands in it.

use std::path::PathBuf;

use crate::identities::scene::{Scene, WORKER_SECRET};
use crate::support;
use crate::support::sts::{WEB_WORKER, WORKER};

/// A scene whose bucket lets the worker in, which the operator allows for the account.
async fn scene(name: &str) -> Scene {
    Scene::new(name, WORKER, WORKER_SECRET).await.env("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme")
}

impl Scene {
    fn ambient(&self, more: &str) -> String {
        self.set(&format!("--ambient {more}"))
    }

    fn by_key(&self, more: &str) -> String {
        self.bench.file("secret", WORKER_SECRET);
        self.set(&format!("--access-key-id {WORKER} --secret-access-key-file secret {more}"))
    }

    /// The objects with tokens below a prefix.
    fn challenges(&self, prefix: &str) -> Vec<PathBuf> {
        let folder = self.root.join("acme-siem").join(prefix).join("auditferry-probe");
        let all = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("ownership-")).collect()
    }

    /// The token of the newest proof that is awaited, as its owner reads it.
    fn token(&self) -> String {
        let shown = self.bench.json("account show acme");
        let key = shown["awaits_proof"]["key"].as_str().expect("a proof is awaited");
        let text = std::fs::read_to_string(self.root.join("acme-siem").join(key)).unwrap();
        assert!(text.contains("account acme"), "{text}");
        text.rsplit_once("token: ").unwrap().1.trim().to_owned()
    }

    fn prove(&self, token: &str) -> crate::support::bench::Answer {
        self.bench.run_with_input("destination prove acme --token-file -", token)
    }

    fn actions(&self) -> Vec<String> {
        let changes = self.bench.json("changes ls acme");
        let actions = changes.as_array().unwrap().iter().map(|c| c["action"].as_str().unwrap().to_owned());
        actions.filter(|action| action != "account changed").collect()
    }
}

#[test]
fn nothing_is_delivered_as_the_worker_itself_before_the_owner_gives_back_the_token() {
    support::run(async {
        let scene = scene("own-proved").await;
        let set = scene.bench.does(&scene.ambient("--prefix siem/"));
        for words in ["has to prove it theirs", "nothing is delivered until then", "destination prove acme"] {
            assert!(set.contains(words), "{set}\nsays nothing of {words:?}");
        }
        assert_eq!(scene.challenges("siem").len(), 1);
        assert!(scene.bench.run("destination show acme").err.contains("no destination"));
        scene.records().await;
        scene.bench.does("run --until-idle");
        assert_eq!(scene.delivered("siem/audit/acme"), 0);
        let shown = scene.bench.does("account show acme");
        let waits = "s3://acme-siem/siem/: siem/auditferry-probe/ownership-";
        assert!(shown.contains("awaits proof") && shown.contains(waits), "{shown}");
        assert!(shown.contains("`auditferry destination prove acme` with the token in siem/"), "{shown}");

        let token = scene.token();
        assert!(!set.contains(&token));
        for file in ["auditferry.db", "auditferry.db-wal"] {
            let bytes = std::fs::read(scene.bench.path(file)).unwrap_or_default();
            assert!(!bytes.windows(40).any(|part| part == token.as_bytes()), "{file} holds the token");
        }
        let wrong = scene.prove(&token.replace(|c: char| c.is_ascii_digit(), "a"));
        assert_eq!(wrong.code, Some(1), "{wrong}");
        assert!(wrong.err.contains("not the token") && wrong.err.contains("4 tries left"), "{wrong}");
        let proved = scene.prove(&format!("{token}\n"));
        assert_eq!(proved.code, Some(0), "{proved}");
        assert!(proved.out.contains("delivers to s3://acme-siem/siem/ (version 1)"), "{proved}");
        assert!(scene.bench.json("account show acme")["awaits_proof"].is_null());
        scene.bench.does("run --until-idle");
        assert_eq!(scene.delivered("siem/audit/acme"), 3);
        assert_eq!(scene.actions()[..3], ["destination proved", "proof refused", "proof awaited"]);
        let again = scene.prove(&token);
        again.is_refusal(2, &["no proof is awaited"]);
    });
}

#[test]
fn the_old_destination_stays_in_force_while_a_proof_is_awaited() {
    support::run(async {
        let scene = scene("own-replaces").await;
        scene.bench.does(&scene.by_key("--prefix old/"));
        scene.bench.refuses(&scene.ambient("--prefix new/"), &["has a destination already", "--replace"]);
        assert_eq!(scene.challenges("new"), Vec::<PathBuf>::new());
        let set = scene.bench.does(&scene.ambient("--prefix new/ --replace --yes"));
        assert!(set.contains("until then it continues with s3://acme-siem/old/"), "{set}");
        scene.records().await;
        scene.bench.does("run --until-idle");
        assert_eq!((scene.delivered("old/audit/acme"), scene.delivered("new/audit/acme")), (3, 0));
        assert_eq!(scene.prove(&scene.token()).code, Some(0));
        assert_eq!(scene.bench.json("destination show acme")["prefix"], "new/");

        // Another one that is set meanwhile is what was wanted last.
        scene.bench.does(&scene.ambient("--prefix third/ --replace --yes"));
        let token = scene.token();
        scene.bench.does(&scene.by_key("--prefix old/ --replace --yes"));
        scene.prove(&token).is_refusal(2, &["no proof is awaited"]);
        scene.bench.does(&scene.ambient("--prefix third/ --replace --yes"));
        let removed = scene.bench.does("destination rm acme");
        assert!(removed.contains("No proof is awaited"), "{removed}");
        assert!(scene.bench.json("account show acme")["awaits_proof"].is_null());
        assert_eq!(scene.actions()[..2], ["destination removed", "proof withdrawn"]);
    });
}

#[test]
fn tries_and_time_are_bounded() {
    support::run(async {
        let scene = scene("own-bounded").await;
        scene.bench.does(&scene.ambient(""));
        let token = scene.token();
        for left in ["4 tries left", "3 tries left", "2 tries left", "1 try left", "the last try"] {
            let wrong = scene.prove("0123456789012345678901234567890123456789");
            assert!(wrong.err.contains(left), "{wrong}");
        }
        scene.prove(&token).is_refusal(2, &["no proof is awaited"]);

        scene.bench.does(&scene.ambient(""));
        let late = scene.token();
        scene.sql("UPDATE awaited_proof SET expires_at = 0").await;
        let shown = scene.bench.json("account show acme");
        assert_eq!(shown["awaits_proof"]["expired"], true);
        assert!(shown["advice"].as_str().unwrap().contains("writes another"), "{shown}");
        let expired = scene.prove(&late);
        assert!(expired.code == Some(1) && expired.err.contains("the token has expired"), "{expired}");
        scene.bench.does(&scene.ambient(""));
        assert!(scene.prove(&late).err.contains("not the token"));
        assert_eq!(scene.prove(&scene.token()).code, Some(0));
        assert_eq!(scene.challenges("").len(), 3, "each token is an object of its own");
    });
}

#[test]
fn what_is_proved_stays_proved_at_the_same_place() {
    support::run(async {
        let scene = scene("own-stays").await;
        scene.bench.does(&scene.ambient(""));
        assert_eq!(scene.prove(&scene.token()).code, Some(0));
        for line in [
            scene.ambient("--path-style true --replace --yes"),
            scene.by_key("--replace --yes"),
            scene.ambient("--replace --yes"),
        ] {
            let set = scene.bench.does(&line);
            assert!(set.contains("Account acme delivers to"), "{set}");
        }
        assert_eq!(scene.challenges("").len(), 1);
        let moved = scene.bench.does(&scene.ambient("--prefix siem/ --replace --yes"));
        assert!(moved.contains("has to prove it theirs"), "{moved}");
        // A key that works proves nothing: it may be anybody's who may write there.
        scene.bench.does(&scene.by_key("--prefix siem/ --replace --yes"));
        let ambient = scene.bench.does(&scene.ambient("--prefix siem/ --replace --yes"));
        assert!(ambient.contains("has to prove it theirs"), "{ambient}");
    });
}

#[test]
fn an_exports_file_waits_for_the_proof_too() {
    support::run(async {
        let scene = scene("own-apply").await;
        let destination = format!(
            "kind = 's3', bucket = 'acme-siem', region = 'us-east-1', endpoint = '{}', allow_http = true, \
             credentials = 'ambient'",
            scene.bucket.endpoint()
        );
        scene.bench.file(
            "exports.toml",
            format!("[[export]]\naccount = 'acme'\nzone = 'UTC'\ndestination = {{ {destination} }}\n"),
        );
        scene.bench.refuses(
            "apply exports.toml --skip-secrets",
            &["account acme", "has to prove the bucket theirs", "without --skip-secrets"],
        );
        scene.bench.does("apply exports.toml --dry-run");
        assert_eq!(scene.challenges("").len(), 0);
        let applied = scene.bench.does("apply exports.toml");
        assert!(applied.contains("once its owner has proved it theirs"), "{applied}");
        assert!(applied.contains("Next: auditferry destination prove acme"), "{applied}");
        let again = scene.bench.does("apply exports.toml");
        assert!(again.contains("waits for the proof") && again.contains("Nothing to change"), "{again}");
        assert_eq!(scene.challenges("").len(), 1);
        assert_eq!(scene.prove(&scene.token()).code, Some(0));
        assert_eq!(scene.bench.does("apply exports.toml"), "Nothing to change.\n");
    });
}

#[test]
fn a_bucket_that_refuses_the_token_changes_nothing() {
    support::run(async {
        let scene = scene("own-refused").await;
        let line = scene.ambient("");
        scene.bench.refuses(
            &format!("{line} --skip-secrets"),
            &["the worker's own identity", "run this where the worker runs"],
        );
        let before = scene.bench.state();
        let stranger = scene.bench.with("AWS_SECRET_ACCESS_KEY", "another-HUSH").run(&line);
        assert_eq!(stranger.code, Some(1), "{stranger}");
        assert!(
            stranger.out.contains("FAILED") && stranger.out.contains("Nothing was changed"),
            "{stranger}"
        );
        assert_eq!(scene.bench.state(), before);
        let forbidden = scene.bench.with("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "other").run(&line);
        forbidden.is_refusal(2, &["not allowed for this account"]);
    });
}

#[test]
fn a_web_identity_is_the_workers_own() {
    support::run(async {
        let scene = Scene::new("own-web", WEB_WORKER, "web").await;
        let scene = scene.env("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme").with_web_identity();
        scene.bench.does(&scene.ambient(""));
        assert_eq!(scene.prove(&scene.token()).code, Some(0));
        scene.records().await;
        scene.bench.does("run --until-idle");
        assert_eq!(scene.delivered("audit/acme"), 3);
        let calls = scene.sts.calls();
        assert!(
            !calls.is_empty() && calls.iter().all(|c| c.action == "AssumeRoleWithWebIdentity"),
            "{calls:?}"
        );
    });
}
