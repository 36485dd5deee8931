//! Sessions of browsers.

use super::{PAGES, Scene, assert_same};
use crate::support::api::token;
use crate::support::run;

/// Signs in as a browser does; the status of the answer, and its cookie.
async fn signs_in(scene: &Scene, secret: &str) -> String {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = http
        .post(format!("{}/auth/token", scene.served.url()))
        .header("origin", PAGES)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={secret}"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 303);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn is_signed_in(scene: &Scene, cookie: &str) -> bool {
    let url = format!("{}/auth/session", scene.served.url());
    let answer = reqwest::Client::new().get(url).header("cookie", cookie).send().await.unwrap();
    answer.status().as_u16() == 200
}

async fn sessions_are_told_alike(on_postgres: bool) {
    let scene = Scene::new(on_postgres).await;
    scene.bench.does("account add acme --zone UTC");
    for line in ["session ls", "session ls --json", "session revoke 0000"] {
        scene.is_same(line);
    }
    let customer = token(&scene.bench, "account-admin", &["acme"]);
    let cookies = [signs_in(&scene, &customer).await, signs_in(&scene, &scene.token).await];
    scene.is_same("session ls");
    scene.is_same("session ls --json");
    let sessions = scene.desk.json("session ls");
    let id = |number: usize| sessions[number]["id"].as_str().unwrap().to_owned();
    assert_eq!(sessions.as_array().unwrap().len(), 2, "{sessions}");
    for cookie in &cookies {
        let secret = cookie.split('=').nth(1).unwrap();
        assert!(is_signed_in(&scene, cookie).await && !sessions.to_string().contains(secret));
    }

    let ends = |number: usize| format!("session revoke {} --reason 'a lost laptop'", id(number));
    let (mut direct, mut remote) = (scene.bench.run(&ends(0)), scene.desk.run(&ends(1)));
    for (answer, number) in [(&mut direct, 0), (&mut remote, 1)] {
        assert!(answer.code == Some(0) && answer.out.contains("opens nothing any more"), "{answer}");
        let name = sessions[number]["name"].as_str().unwrap();
        answer.out = answer.out.replace(&id(number), "ID").replace(name, "NAME");
    }
    assert_same(&direct, &remote);
    for cookie in &cookies {
        assert!(!is_signed_in(&scene, cookie).await);
    }
    scene.is_same("session ls");
    assert_eq!(scene.desk.does("session ls").matches("revoked").count(), 2);
    scene.is_same(&ends(0));
    let log = scene.bench.json("changes ls --all");
    let reasons = log.as_array().unwrap().iter().filter(|change| change["reason"] == "a lost laptop");
    assert!(reasons.count() >= 2, "{log}");

    // Only an operator sees who is signed in.
    for (role, accounts) in [("support", vec![]), ("account-admin", vec!["acme"])] {
        let client = scene.served.client().with(&token(&scene.bench, role, &accounts));
        client.get("/sessions").await.is_problem(403, "forbidden");
        client.send("DELETE", &format!("/sessions/{}", id(0)), None).await.is_problem(403, "forbidden");
    }
}

#[test]
fn sessions_are_told_alike_on_sqlite() {
    run(sessions_are_told_alike(false));
}

#[test]
fn sessions_are_told_alike_on_postgres() {
    run(sessions_are_told_alike(true));
}
