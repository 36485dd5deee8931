//! `auditferry login`: the token is kept where only its owner reads it.

use std::os::unix::fs::PermissionsExt as _;

use super::{Scene, mode};
use crate::support::api::token;
use crate::support::bench::Bench;
use crate::support::run;

#[test]
fn a_login_is_kept_for_its_server_and_for_its_owner() {
    run(async {
        let scene = Scene::new(false).await;
        scene.bench.does("account add acme --zone UTC");
        let url = scene.served.url();
        let desk = Bench::new();
        let home = desk.path("config").display().to_string();
        let desk = desk.env("XDG_CONFIG_HOME", &home);
        let list = format!("--server {url} account ls");
        desk.run(&list).is_refusal(2, &["there is no token", &format!("auditferry login {url}")]);

        // One that opens nothing is not kept.
        let wrong = desk.run_with_input(&format!("login {url}"), "afo_HUSH\n");
        wrong.is_refusal(1, &["does not accept the token"]);
        desk.run_with_input(&format!("login {url}"), "two\nlines\n").is_refusal(2, &["one line"]);
        assert!(!desk.path("config").exists());

        let secret = token(&scene.bench, "support", &["acme"]);
        let told = desk.run_with_input(&format!("login {url}"), &format!("{secret}\n"));
        assert_eq!(told.code, Some(0), "{told}");
        assert!(
            told.out.contains("as test (support for acme), without end") && !told.out.contains(&secret),
            "{told}"
        );
        let file = desk.path("config/auditferry/servers.toml");
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert_eq!(desk.does(&list), scene.bench.does("account ls"));
        // What is given for once comes first.
        desk.file("token", "afo_HUSH\n");
        desk.run(&format!("--api-token-file token {list}")).is_refusal(1, &["does not accept the token"]);
        desk.with("AUDITFERRY_TOKEN", "afo_HUSH").run(&list).is_refusal(1, &["does not accept the token"]);
        desk.run(&format!("--api-token-file none {list}")).is_refusal(2, &["the token", "No such file"]);
        // Another origin is another server.
        let other = url.replace("127.0.0.1", "localhost");
        desk.run(&format!("--server {other} account ls")).is_refusal(2, &["there is no token"]);

        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = desk.run(&list);
        refused.is_refusal(2, &["others can read it (mode 0644)", "chmod 600"]);
        assert!(!refused.err.contains(&secret));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();

        assert!(desk.does(&format!("logout {url}")).contains("is forgotten here"));
        assert!(!std::fs::read_to_string(&file).unwrap().contains(&secret));
        assert!(desk.does(&format!("logout {url}")).contains("nothing was changed"));
        desk.run(&list).is_refusal(2, &["there is no token"]);
    });
}

#[test]
fn whoever_holds_a_token_may_ask_who_they_are() {
    run(async {
        let scene = Scene::new(false).await;
        scene.bench.does("account add acme --zone UTC");
        for (role, accounts) in [("operator", vec![]), ("account-admin", vec!["acme"]), ("reader", vec![])] {
            let secret = token(&scene.bench, role, &accounts);
            let answer = scene.served.client().with(&secret).get("/token").await;
            let holder = answer.is(200);
            assert_eq!(holder["role"], role.replace('-', "_"));
            assert_eq!(holder["name"], "test");
            assert!(!answer.text.contains(&secret));
        }
    });
}
