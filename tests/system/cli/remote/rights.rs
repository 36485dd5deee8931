//! Who may do what, and what nobody sees.

use super::{Scene, desk};
use crate::support::api::token;
use crate::support::bench::Bench;
use crate::support::run;

/// Who may not is told so, and what has to be on the ledger says where.
#[test]
fn who_may_not_is_told_what_to_do() {
    run(async {
        let scene = Scene::new(false).await;
        scene.bench.does("account add acme --zone UTC");
        scene.bench.does("account add beta --zone UTC");
        let with = |secret: &str| desk(scene.served.url(), secret);
        let reader = with(&token(&scene.bench, "reader", &[]));
        assert_eq!(reader.does("account ls --json"), scene.bench.does("account ls --json"));
        let refused = reader.run("account pause acme");
        refused.is_refusal(1, &["the role of this token does not allow this request", "another role"]);
        reader.run("token ls").is_refusal(1, &["does not allow"]);

        // A customer's admin sees their own account, and no names of the worker's files.
        let admin = with(&token(&scene.bench, "account-admin", &["acme"]));
        admin.run("account show beta").is_refusal(2, &["account beta: there is none with this id"]);
        let listed: serde_json::Value = admin.json("account ls");
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        let set = "destination set acme --kind s3 --region eu-central-1 --bucket siem --access-key-id AKIA \
                   --secret-access-key-file secret";
        admin.run(&format!("{set} --skip-secrets")).is_refusal(2, &["secret", "from / on"]);
        let named = set.replace("--secret-access-key-file secret", "--secret-access-key-env HOME");
        admin.run(&format!("{named} --skip-secrets")).is_refusal(2, &["variable", "value"]);
        assert!(admin.does(&format!("{set} --no-test")).contains("sealed in the ledger with key k1"));
        let shown = admin.does("destination show acme");
        assert!(shown.contains("set = true") && !shown.contains("sealed"), "{shown}");
        admin.does("destination rotate acme --access-key-id AKIB --secret-access-key-file secret --no-test");
        admin.run("deliveries ls").is_refusal(1, &["name an account of yours"]);
        // An operator may name them.
        let operator = &scene.desk;
        operator.does(&format!("{named} --skip-secrets --replace --yes"));
        assert!(operator.does("destination show acme").contains("env = \"HOME\""));
        assert_eq!(operator.does("destination show acme"), scene.bench.does("destination show acme"));

        let id = scene.bench.json("token ls")[0]["id"].as_str().unwrap().to_owned();
        scene.bench.does(&format!("token revoke {id}"));
        let login = format!("auditferry login {}", scene.served.url());
        admin.run("account ls").is_refusal(1, &["does not accept the token", &login]);
        with("afo_HUSH").run("account ls").is_refusal(1, &["does not accept the token"]);

        for line in [
            "run",
            "serve",
            "demo",
            "check",
            "migrate",
            "apply x.toml",
            "import x.csv --account acme",
            "keys generate",
            "keys rotate",
            "source adopt",
            "destination trust acme",
        ] {
            let refused = operator.run(line);
            assert_eq!(refused.code, Some(2), "{refused}");
            let told = refused.err.contains("works on the ledger only: run it where the ledger is");
            assert!(told || refused.err.contains("Usage:"), "{refused}");
            assert!(!operator.path("auditferry.db").exists(), "{line} made a ledger");
        }
        operator.run("--as ana account ls").is_refusal(2, &["--as", "AUDITFERRY_ACTOR", "names the token"]);
    });
}

/// A token is in no output, no error, and no list of processes.
#[test]
fn a_token_is_shown_nowhere() {
    run(async {
        let scene = Scene::new(false).await;
        scene.bench.does("account add acme --zone UTC");
        let lines =
            ["account ls", "account show acme --json", "status", "changes ls --json", "account show nobody"];
        for line in lines {
            let answer = scene.desk.run(line);
            assert!(!answer.out.contains(&scene.token) && !answer.err.contains(&scene.token), "{line}");
        }
        // While a command runs, its arguments are everybody's to read.
        let mut watching = scene.desk.command(&["status", "--watch"]);
        watching.stdout(std::process::Stdio::null());
        let mut watching = watching.spawn().unwrap();
        let arguments = std::fs::read(format!("/proc/{}/cmdline", watching.id())).unwrap();
        watching.kill().unwrap();
        watching.wait().unwrap();
        assert!(!String::from_utf8_lossy(&arguments).contains(&scene.token));
        let help = scene.desk.does("account ls --help");
        assert!(!help.contains(&scene.token) && help.contains("--api-token-file"), "{help}");
        // Where it was given as an option by mistake, it is not repeated.
        let wrong = Bench::new().run(&format!("--server https://ana:{}@a.example account ls", scene.token));
        assert!(wrong.code == Some(2) && !wrong.err.contains(&scene.token), "{wrong}");
    });
}
