//! What may happen on the way to a server.

use super::super::completion::completed;
use super::{Scene, desk, proxied};
use crate::support::fault_proxy::{Canned, Fault, FaultProxy};
use crate::support::{api, run};

fn answer(status: u16, head: &str, body: &str) -> Fault {
    Fault::AnswerInstead(Canned { status, head: head.to_owned(), body: body.to_owned() })
}

/// The answer is lost after the change was made: it is made once.
#[test]
fn a_change_is_made_once_whatever_happens_to_its_answer() {
    run(async {
        let scene = Scene::new(false).await;
        scene.bench.does("account add acme --zone UTC");
        let gateway = || answer(502, "content-type: text/html\r\n", "<html>bad gateway</html>");
        for (number, fault) in [Fault::AnswerLost, Fault::AnswerCut, gateway()].into_iter().enumerate() {
            let proxy = proxied(&scene, vec![fault.clone(), fault]).await;
            let desk = desk(&proxy.url(), &scene.token);
            let done = desk.run(&format!(
                "destination set acme --kind s3 --region eu-central-1 --bucket siem --access-key-id AKIA \
                 --secret-access-key-file secret --no-test --replace --yes --reason 'number {number}'"
            ));
            // Each that is made is another version.
            let told = format!("(version {}).", number + 1);
            assert!(done.code == Some(0) && done.out.contains(&told), "{done}");
            assert!(
                done.out.contains("sealed in the ledger with key k1"),
                "the answer that was lost: {done}"
            );
            assert!(proxy.seen().len() >= 3, "it was sent again: {:?}", proxy.seen());
        }
        let log = scene.bench.json("changes ls acme --all");
        let reasons: Vec<_> =
            log.as_array().unwrap().iter().filter_map(|change| change["reason"].as_str()).collect();
        assert_eq!(reasons, ["number 2", "number 1", "number 0"], "{log}");

        // A secret is told once: who has lost it is told so, and gets no second token.
        let proxy = proxied(&scene, vec![Fault::AnswerLost]).await;
        let before = scene.bench.json("token ls").as_array().unwrap().len();
        let lost = desk(&proxy.url(), &scene.token).run("token create x --role reader");
        lost.is_refusal(1, &["was made", "secret was lost", "auditferry token revoke"]);
        assert_eq!(scene.bench.json("token ls").as_array().unwrap().len(), before + 1);

        // What is lost for good is not taken for done.
        let proxy = proxied(&scene, vec![Fault::AnswerLost; 20]).await;
        let desk = desk(&proxy.url(), &scene.token);
        let lost = desk.run("account resume acme");
        assert_eq!(lost.code, Some(1), "{lost}");
        assert!(lost.err.contains("has not answered"), "{lost}");
    });
}

#[test]
fn a_server_that_is_away_is_named() {
    let url = format!("http://127.0.0.1:{}", api::free_port());
    let away = desk(&url, "afo_HUSH").run("account ls");
    away.is_refusal(1, &[&format!("{url} cannot be reached"), "Connection refused", "auditferry serve"]);
    let far = desk("http://audit.example.com", "afo_HUSH").run("account ls");
    far.is_refusal(2, &["--server", "in the clear", "--insecure-http"]);
    desk("audit.example.com", "afo_HUSH")
        .run("account ls")
        .is_refusal(2, &["--server", "no URL", "https://"]);
    desk("http://127.0.0.1:1", "two words").run("account ls").is_refusal(2, &["one line"]);
}

/// A token goes to the server that it is for, and to no other.
#[test]
fn a_token_follows_no_redirect() {
    run(async {
        let scene = Scene::new(false).await;
        let elsewhere = proxied(&scene, vec![]).await;
        let to = format!("location: {}/api/v1/accounts\r\n", elsewhere.url());
        for status in [301, 302, 303, 307, 308] {
            let proxy = proxied(&scene, vec![answer(status, &to, "")]).await;
            let refused = desk(&proxy.url(), &scene.token).run("account ls");
            refused.is_refusal(1, &["leads to", &elsewhere.url(), "--server"]);
        }
        assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.seen());
        let page =
            proxied(&scene, vec![answer(200, "content-type: text/html\r\n", "<html>log in</html>")]).await;
        desk(&page.url(), &scene.token).run("account ls").is_refusal(1, &["does not understand"]);
        let page = proxied(&scene, vec![answer(404, "", "<html>HUSH</html>")]).await;
        desk(&page.url(), &scene.token).run("account ls").is_refusal(1, &["HTTP 404 without saying why"]);
        let endless = "x".repeat(20 * 1024 * 1024);
        let page = proxied(&scene, vec![answer(200, "", &endless)]).await;
        assert_eq!(desk(&page.url(), &scene.token).run("account ls").code, Some(1));
    });
}

/// A certificate of a private CA is trusted when the CA is named, and not before.
#[test]
fn a_private_authority_is_named() {
    run(async {
        let scene = Scene::new(false).await;
        scene.bench.does("account add acme --zone UTC");
        let address = scene.served.url().trim_start_matches("http://").parse().unwrap();
        let proxy = FaultProxy::signed(address).await;
        let desk = desk(&proxy.https_url(), &scene.token);
        let refused = desk.run("account ls");
        refused.is_refusal(1, &["cannot be reached", "certificate", "--ca-file"]);
        let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ca.pem");
        assert_eq!(desk.does(&format!("--ca-file {ca} account ls")), scene.bench.does("account ls"));
        desk.run("--ca-file none account ls").is_refusal(2, &["--ca-file", "none", "No such file"]);
        desk.run("--ca-file secret account ls").is_refusal(2, &["--ca-file", "no certificate"]);
        let told = desk.with("AUDITFERRY_CA_FILE", ca).run("account ls --json");
        assert_eq!(told.code, Some(0), "{told}");
    });
}

/// A shell completes ids of the server.
#[test]
fn ids_of_the_server_are_completed() {
    run(async {
        let scene = Scene::new(false).await;
        for account in ["acme", "acute", "beta"] {
            scene.bench.does(&format!("account add {account} --zone UTC"));
        }
        assert_eq!(completed(&scene.desk, "account show ac"), ["acme", "acute"]);
        assert!(completed(&desk(scene.served.url(), "afo_HUSH"), "account show ac").is_empty());
    });
}
