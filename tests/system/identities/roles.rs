//! Roles of customers: asked of STS with the account's own external id, and refused when they let
//! others in.

use std::time::Duration;

use crate::identities::scene::Scene;
use crate::support::sts::{Call, Role, Trust, WEB_WORKER, WORKER};
use crate::support::{self, moto};

const ROLE: &str = "arn:aws:iam::444455556666:role/auditferry";

/// A scene whose bucket takes the role's session.
async fn scene(name: &str) -> Scene {
    Scene::new(name, "ASIASESSION", "session").await
}

impl Scene {
    fn external_id(&self) -> String {
        self.bench.json("destination trust acme")["external_id"].as_str().unwrap().to_owned()
    }

    fn role(&self, trust: Trust, lifetime: Duration) {
        let session = ("ASIASESSION".to_owned(), "session".to_owned());
        self.sts.role(ROLE, Role { trust, session, lifetime });
    }

    /// The role as `destination trust` asks for it.
    fn good_role(&self) -> String {
        let external_id = self.external_id();
        self.role(Trust::Equals(external_id.clone()), Duration::from_secs(3600));
        self.sts.calls();
        external_id
    }

    fn assume(&self, more: &str) -> String {
        self.set(&format!("--assume-role {ROLE} {more}"))
    }

    /// Which external ids were given for the role since the last time.
    fn external_ids(&self) -> Vec<Option<String>> {
        let calls = self.sts.calls();
        assert!(calls.iter().all(|call| call.action == "AssumeRole" && call.role == ROLE), "{calls:?}");
        calls.into_iter().map(|call| call.external_id).collect()
    }
}

#[test]
fn a_role_that_asks_for_the_accounts_external_id_delivers() {
    support::run(async {
        let scene = scene("role-delivers").await;
        let external_id = scene.good_role();
        assert!(external_id.starts_with("auditferry-") && external_id.len() == 43, "{external_id}");
        let set = scene.bench.does(&scene.assume(""));
        assert!(set.contains("accepts objects") && set.contains("(version 1)"), "{set}");
        scene.sts.calls();
        scene.records().await;
        let run = scene.bench.run("run --until-idle");
        assert_eq!((run.code, scene.delivered("audit/acme")), (Some(0), 3), "{run}");
        let calls = scene.sts.calls();
        let first = Call {
            action: "AssumeRole".to_owned(),
            caller: WORKER.to_owned(),
            role: ROLE.to_owned(),
            external_id: Some(external_id.clone()),
            session_name: "auditferry-acme".to_owned(),
            seconds: "3600".to_owned(),
        };
        assert_eq!(calls[0], first);
        // One session for all three, and two tries to get in as somebody else.
        assert_eq!(calls.len(), 3, "{calls:?}");
        let other = calls[1].external_id.clone().unwrap();
        assert!(other != external_id && other.len() == external_id.len(), "{other}");
        assert_eq!(calls[2].external_id, None);
        let shown = scene.bench.does("destination show acme");
        assert!(shown.contains(&format!("external_id = \"{external_id}\"")), "{shown}");
        for told in [run.out, run.err] {
            assert!(
                !told.contains("session-token-HUSH")
                    && !told.contains(crate::identities::scene::WORKER_SECRET),
                "{told}"
            );
        }
    });
}

#[test]
fn a_role_that_lets_others_in_is_refused() {
    support::run(async {
        let scene = scene("role-loose").await;
        let ours = scene.good_role();
        let hour = Duration::from_secs(3600);
        for (trust, how) in [
            (Trust::Anything, "with any external id"),
            (Trust::EqualsIfExists(ours.clone()), "without an external id"),
        ] {
            scene.role(trust, hour);
            let refused = scene.bench.run(&scene.assume(""));
            assert_eq!(refused.code, Some(1), "{refused}");
            let fix = format!("{{\"StringEquals\":{{\"sts:ExternalId\":\"{ours}\"}}}}");
            assert!(refused.out.contains(how) && refused.out.contains(&fix), "{refused}");
            assert!(scene.bench.run("destination show acme").err.contains("no destination"));
        }
        // A command that does not try it gains nothing: the worker tries it too.
        scene.bench.does(&scene.assume("--no-test"));
        let test = scene.bench.run("destination test acme");
        assert_eq!(test.code, Some(1), "{test}");
        assert!(test.out.contains("FAILED  acme: rejected"), "{test}");
        scene.records().await;
        let run = scene.bench.run("run --until-idle");
        assert_eq!(scene.delivered("audit/acme"), 0, "{run}");
        let shown = scene.bench.json("account show acme");
        assert_eq!(shown["error"]["kind"], "rejected");
        // Mended, it goes on by itself.
        scene.role(Trust::Equals(ours), hour);
        scene.bench.does("destination test acme");
    });
}

#[test]
fn an_emulator_that_gives_every_role_to_everybody_is_refused() {
    support::run(async {
        let scene = scene("role-moto").await;
        scene.external_id();
        moto::bucket("role-moto").await;
        let set = format!(
            "destination set acme --kind s3 --bucket role-moto --region us-east-1 --endpoint {url} --allow-http \
             --assume-role arn:aws:iam::123456789012:role/auditferry",
            url = moto::moto().url()
        );
        let refused = scene.bench.with("AUDITFERRY__AWS__STS_ENDPOINT", &moto::moto().url()).run(&set);
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.out.contains("can be assumed with any external id"), "{refused}");
    });
}

#[test]
fn a_role_that_is_not_there_or_gives_too_little_is_explained() {
    support::run(async {
        let scene = scene("role-denied").await;
        let set = scene.assume("");
        scene.bench.refuses(&set, &["external_id", "has none yet", "auditferry destination trust"]);
        let ours = scene.external_id();
        let denied = scene.bench.run(&set);
        assert!(denied.out.contains("FAILED  acme: invalid_credentials"), "{denied}");
        for words in ["AccessDenied", "does not let the worker in", "destination trust", &ours] {
            assert!(denied.out.contains(words), "{denied}\nsays nothing of {words}");
        }
        scene.good_role();
        let long = scene.bench.run(&scene.assume("--session-duration 12h"));
        assert!(long.out.contains("rejected") && long.out.contains("MaxSessionDuration"), "{long}");
        let nobody = scene.bench.with("AWS_ACCESS_KEY_ID", "AKIANOBODY").run(&set);
        assert!(nobody.out.contains("unreachable: the role"), "{nobody}");
        assert!(nobody.out.contains("the worker's own AWS identity is not in force"), "{nobody}");
        scene.bench.refuses(&scene.assume("--session-duration 5m"), &["duration", "between 15m and 12h"]);
        scene.bench.refuses(&scene.assume("--session-name 'a b'"), &["session_name", "2 to 64"]);
        scene.bench.refuses(
            &set.replace(ROLE, "arn:aws:iam::444455556666:user/x"),
            &["role_arn", "not the ARN of a role"],
        );
    });
}

#[test]
fn a_session_is_replaced_before_it_ends() {
    support::run(async {
        let scene = scene("role-renewed").await;
        let ours = scene.good_role();
        scene.bench.does(&scene.assume(""));
        // As good as over: the next put needs another.
        scene.role(Trust::Equals(ours.clone()), Duration::from_secs(240));
        scene.sts.calls();
        scene.records().await;
        scene.bench.does("run --until-idle");
        assert_eq!(scene.delivered("audit/acme"), 3);
        let sessions = scene.external_ids().into_iter().filter(|id| id.as_ref() == Some(&ours)).count();
        assert_eq!(sessions, 3);
    });
}

#[test]
fn an_external_id_is_an_accounts_own_and_never_comes_again() {
    support::run(async {
        let scene = scene("role-external-id").await;
        scene.bench.does("account add other --zone UTC");
        let ours = scene.external_id();
        assert_eq!(scene.external_id(), ours, "made once");
        let theirs = scene.bench.json("destination trust other --bucket their-siem --prefix siem/");
        assert_ne!(theirs["external_id"], ours.as_str());
        assert_eq!(theirs["principal"], "arn:aws:iam::111122223333:user/worker");
        let condition =
            &theirs["trust_policy"]["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"];
        assert_eq!(condition, &theirs["external_id"]);
        let granted = theirs["permission_policy"]["Statement"][0]["Resource"].to_string();
        assert!(granted.contains("arn:aws:s3:::their-siem/siem/audit/*"), "{granted}");
        let told = scene.bench.json("changes ls acme");
        assert_eq!(
            (&told[0]["action"], &told[0]["fields"][0]["to"]),
            (&"external id made".into(), &ours.as_str().into())
        );

        scene.bench.does("account rm acme --force");
        scene.bench.does("account add acme --zone UTC");
        assert_ne!(scene.external_id(), ours);
        let principal = scene.bench.with("AUDITFERRY__AWS__PRINCIPAL", "arn:aws:iam::1:role/path/w");
        let printed = principal.run("destination trust acme");
        assert!(printed.out.contains("\"AWS\": \"arn:aws:iam::1:role/path/w\""), "{printed}");
        assert!(printed.out.contains("--assume-role ROLE_ARN"), "{printed}");
    });
}

#[test]
fn an_exports_file_takes_the_external_id_from_the_ledger() {
    support::run(async {
        let scene = scene("role-apply").await;
        let file = |more: &str| {
            let destination = format!(
                "kind = 's3', bucket = 'acme-siem', region = 'us-east-1', endpoint = '{}', allow_http = true, \
                 credentials = {{ assume_role = {{ role_arn = '{ROLE}'{more} }} }}",
                scene.bucket.endpoint()
            );
            scene.bench.file(
                "exports.toml",
                format!("[[export]]\naccount = 'acme'\nzone = 'UTC'\ndestination = {{ {destination} }}\n"),
            );
        };
        file("");
        scene.bench.refuses("apply exports.toml", &["account acme", "external_id", "destination trust"]);
        let ours = scene.good_role();
        file(", external_id = 'chosen'");
        scene.bench.refuses("apply exports.toml", &["\"chosen\" is not the one", "leave it out"]);
        for more in [String::new(), format!(", external_id = '{ours}'")] {
            file(&more);
            scene.bench.does("apply exports.toml --no-test");
            assert!(scene.bench.does("apply exports.toml --no-test").contains("Nothing to change"));
        }
        scene.bench.does("destination test acme");
    });
}

#[test]
fn a_web_identity_is_the_base_of_a_role() {
    support::run(async {
        let scene = scene("role-web").await.with_web_identity();
        let nobody = scene.bench.with("AWS_WEB_IDENTITY_TOKEN_FILE", "nothing").run("destination trust acme");
        assert_eq!(nobody.code, Some(1), "{nobody}");
        assert!(nobody.err.contains("aws.principal") && !nobody.err.contains("HUSH"), "{nobody}");
        let trust = scene.bench.json("destination trust acme");
        assert_eq!(trust["principal"], "arn:aws:iam::111122223333:role/eks-worker");
        scene.good_role();
        scene.bench.does(&scene.assume(""));
        let calls = scene.sts.calls();
        assert_eq!(calls[0].action, "AssumeRoleWithWebIdentity");
        let callers: Vec<&str> = calls[1..].iter().map(|call| call.caller.as_str()).collect();
        assert_eq!(callers, [WEB_WORKER; 3], "{calls:?}");
    });
}
