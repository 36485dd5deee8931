//! Tokens of an OpenID Connect provider on the API, and a provider that rotates its keys, lies and dies.

use serde_json::{Value, json};

use crate::support::api::{Client, Served, free_port};
use crate::support::bench::Bench;
use crate::support::issuer::{AUDIENCE, CLIENT, Issuer, Key, Mood, now, settings};
use crate::support::{eventually, run};

/// Serves with a provider, and more settings.
pub fn served(bench: &Bench, issuer: &str, more: &[(&str, &str)]) -> Served {
    let provider = settings(issuer);
    let mut all: Vec<(&str, &str)> =
        provider.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend([("AUDITFERRY__LOG__LEVEL", "debug"), ("AUDITFERRY__API__REQUESTS_PER_MINUTE", "100000")]);
    all.extend(more);
    Served::start(bench, &all)
}

/// That no secret of the provider, of its people or of a browser is in the server's log.
pub fn nothing_is_logged(bench: &Bench, secrets: &[String]) {
    let log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
    assert!(log.contains("auditferry serves the API"), "{log}");
    for secret in secrets {
        // A part of a token would be one too: its signature is what nobody else can make.
        let part = secret.rsplit('.').next().unwrap();
        assert!(part.len() > 10 && !log.contains(part), "the log has a secret: {part}\n{log}");
    }
}

async fn status(client: &Client, token: &str) -> u16 {
    client.with(token).get("/accounts").await.status
}

#[test]
fn a_token_of_the_provider_opens_what_its_roles_say() {
    run(async {
        let bench = Bench::with_acme();
        bench.does("account add beta --zone UTC");
        let issuer = Issuer::start().await;
        let served = served(&bench, &issuer.url(), &[]);
        let client = served.client();
        let of = |roles: &[&str]| client.with(&issuer.token("ana", roles));
        assert_eq!(of(&["ops", "unknown"]).get("/accounts").await.accounts(), ["acme", "beta"]);
        assert_eq!(of(&["viewers"]).get("/accounts").await.accounts(), ["acme", "beta"]);
        of(&["viewers"]).send("POST", "/accounts/acme/pause", None).await.is_problem(403, "forbidden");
        // Keys of both kinds sign, and the audience may be one of several.
        let mut claims = issuer.claims("bo", &["helpdesk"]);
        claims["aud"] = json!(["account", AUDIENCE]);
        assert_eq!(status(&client, &issuer.sign("ec", &claims)).await, 200);
        // Who has no role hears which claim would give one.
        let nobody = of(&["unknown"]).get("/accounts").await.is_problem(403, "no_role");
        assert!(nobody["detail"].as_str().unwrap().contains("the claim realm_access.roles"), "{nobody}");
        let admin = of(&["admin"]).get("/accounts").await.is_problem(403, "no_role");
        assert!(admin["detail"].as_str().unwrap().contains("the claim tenant"), "{admin}");
        let mut claims = issuer.claims("cy", &["admin"]);
        claims["tenant"] = "acme".into();
        let admin = client.with(&issuer.sign("rsa", &claims));
        assert_eq!(admin.get("/accounts").await.accounts(), ["acme"]);
        admin.get("/accounts/beta").await.is_problem(404, "not_found");
        assert_eq!(issuer.asked(), 1, "its keys are kept");
        nothing_is_logged(&bench, &issuer.secrets());
    });
}

#[test]
fn the_change_log_says_who_it_was() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let served = served(&bench, &issuer.url(), &[]);
        let key = served.client().header("idempotency-key", "k1").header("if-match", "*");
        let body = json!({ "reason": "a trial" });
        let pause = async |subject: &str| {
            key.with(&issuer.token(subject, &["ops"])).send("POST", "/accounts/acme/pause", Some(&body)).await
        };
        assert!(pause("ana").await.status < 300);
        assert_eq!(pause("ana").await.header("idempotency-replayed"), "true");
        // The key of one is not the key of another.
        assert_eq!(pause("bo").await.header("idempotency-replayed"), "");
        let changes = bench.json("changes ls");
        let by = changes.as_array().unwrap().iter().find(|change| change["action"] == "account changed");
        let by = by.unwrap_or_else(|| panic!("{changes}")).to_string();
        assert!(by.contains("ana@vendor.example (subject ana)"), "{by}");
        assert!(by.contains(&format!("{}#ana", issuer.url())) && by.contains("oidc_subject"), "{by}");
    });
}

/// Each of these is refused in the same words as a token that nobody has made.
#[test]
fn a_provider_that_lies_opens_nothing() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let more = [
            ("AUDITFERRY__API__TRUSTED_PROXIES", "127.0.0.1"),
            ("AUDITFERRY__API__PUBLIC_URL", "https://x.example"),
        ];
        let served = served(&bench, &issuer.url(), &more);
        let client = served.client();
        let good = issuer.claims("ana", &["ops"]);
        assert_eq!(status(&client, &issuer.sign("rsa", &good)).await, 200);
        let but = |claim: &str, value: Value| {
            let mut claims = good.clone();
            claims[claim] = value;
            issuer.sign("rsa", &claims)
        };
        let rsa = issuer.key("rsa");
        let headed = |header: Value| rsa.sign(&header, &good);
        let unsigned = headed(json!({ "alg": "none" }));
        let unsigned = &unsigned[..=unsigned.rfind('.').unwrap()];
        let shared = {
            use hmac::Mac as _;
            let token = headed(json!({ "alg": "HS256", "kid": "rsa" }));
            let signed = token.rsplit_once('.').unwrap().0;
            let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&rsa.modulus()).unwrap();
            mac.update(signed.as_bytes());
            let signature =
                base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, mac.finalize().into_bytes());
            format!("{signed}.{signature}")
        };
        let stranger = Key::rsa();
        let tokens = [
            ("another issuer", but("iss", "https://other.example".into())),
            ("the issuer with a slash", but("iss", format!("{}/", issuer.url()).into())),
            ("another audience", but("aud", "https://other.example".into())),
            ("the client's audience", but("aud", CLIENT.into())),
            ("no audience", but("aud", Value::Null)),
            ("expired", but("exp", (now() - 61).into())),
            ("without an end", but("exp", Value::Null)),
            ("not yet valid", but("nbf", (now() + 120).into())),
            ("issued later", but("iat", (now() + 120).into())),
            ("an ID token", but("nonce", "n".into())),
            ("no subject", but("sub", Value::Null)),
            ("another key of the same id", stranger.sign(&json!({ "alg": "RS256", "kid": "rsa" }), &good)),
            ("alg none", unsigned.to_owned()),
            ("alg None", headed(json!({ "alg": "None", "kid": "rsa" }))),
            ("a public key as a secret", shared),
            ("the alg of another key", headed(json!({ "alg": "ES256", "kid": "rsa" }))),
            ("an alg that the key is not for", headed(json!({ "alg": "RS512", "kid": "rsa" }))),
            ("an extension", headed(json!({ "alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false }))),
            ("an unknown key", headed(json!({ "alg": "RS256", "kid": "none" }))),
            ("no key, of two", headed(json!({ "alg": "RS256x" }))),
            ("too long", but("padding", "x".repeat(7000).into())),
            ("no token", "a.b.c".to_owned()),
            ("encrypted", format!("{}.x.y", issuer.token("ana", &["ops"]))),
        ];
        let words = client.with("afo_none").get("/accounts").await.text;
        for (number, (what, token)) in tokens.iter().enumerate() {
            let from = client.header("x-forwarded-for", &format!("2001:db8:{number:x}::1"));
            let refused = from.with(token).get("/accounts/acme").await;
            refused.is_problem(401, "unauthorized");
            assert_eq!(refused.text, words, "{what}");
            assert!(refused.header("www-authenticate").contains("invalid_token"), "{what}");
        }
        // Clocks may differ by a minute, which is the default.
        for (claim, value) in [("exp", now() - 50), ("nbf", now() + 50), ("iat", now() + 50)] {
            assert_eq!(status(&client, &but(claim, value.into())).await, 200, "{claim}");
        }
        nothing_is_logged(&bench, &issuer.secrets());
    });
}

#[test]
fn keys_are_rotated_and_withdrawn() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let served = served(&bench, &issuer.url(), &[("AUDITFERRY__API__OIDC__REFRESH", "1s")]);
        let client = served.client();
        let old = issuer.token("ana", &["ops"]);
        assert_eq!(status(&client, &old).await, 200);
        // A new one is known at once.
        issuer.publish("next", Key::ec());
        assert_eq!(status(&client, &issuer.sign("ec", &issuer.claims("ana", &["ops"]))).await, 200);
        let new = issuer.sign("next", &issuer.claims("ana", &["ops"]));
        assert_eq!(status(&client, &new).await, 200);
        issuer.withdraw("rsa");
        eventually("the old key ends", async || (status(&client, &old).await == 401).then_some(())).await;
        assert_eq!(status(&client, &new).await, 200);
        // Another key under an id that is known: what the old one has signed ends.
        issuer.publish("next", Key::ec());
        eventually("the replaced key ends", async || (status(&client, &new).await == 401).then_some(()))
            .await;
        assert_eq!(status(&client, &issuer.sign("next", &issuer.claims("ana", &["ops"]))).await, 200);
    });
}

#[test]
fn a_flood_of_unknown_keys_does_not_reach_the_provider() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        let more = [
            ("AUDITFERRY__API__TRUSTED_PROXIES", "127.0.0.1"),
            ("AUDITFERRY__API__PUBLIC_URL", "https://x.example"),
        ];
        let served = served(&bench, &issuer.url(), &more);
        let client = served.client();
        let good = issuer.token("ana", &["ops"]);
        assert_eq!(status(&client, &good).await, 200);
        let key = issuer.key("rsa");
        let flood = (0..200).map(|number| {
            let token = key.sign(
                &json!({ "alg": "RS256", "kid": format!("made up {number}") }),
                &issuer.claims("x", &[]),
            );
            let client = client.header("x-forwarded-for", &format!("2001:db8:{number:x}::1"));
            async move { status(&client, &token).await }
        });
        let answers = futures::future::join_all(flood).await;
        assert!(answers.iter().all(|status| *status == 401), "{answers:?}");
        assert!(issuer.asked() <= 6, "{}", issuer.asked());
        assert_eq!(status(&client, &good).await, 200, "who is known is not disturbed");
        // One address that guesses is slowed down, as with tokens of ours.
        let guesses = (0..5_000).map(|_| status(&client, "a.b.c"));
        let mut guesses = futures::stream::iter(guesses);
        let slowed = async {
            while let Some(guess) = futures::StreamExt::next(&mut guesses).await {
                if guess.await == 429 {
                    return true;
                }
            }
            false
        };
        assert!(slowed.await);
    });
}

#[test]
fn a_provider_that_dies_is_survived() {
    run(async {
        let bench = Bench::with_acme();
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}/realms/ops");
        let served = served(&bench, &url, &[("AUDITFERRY__API__OIDC__REFRESH", "1s")]);
        let client = served.client();
        // Before it starts nobody can be known by it, and tokens of our own work.
        let ours = crate::support::api::token(&bench, "reader", &[]);
        let elsewhere = Issuer::start().await;
        let mut claims = elsewhere.claims("ana", &["ops"]);
        claims["iss"] = url.clone().into();
        let early = client.with(&elsewhere.sign("rsa", &claims)).get("/accounts").await;
        early.is_problem(503, "provider_away");
        assert_eq!(early.header("retry-after"), "5");
        assert_eq!(status(&client, &ours).await, 200);
        let issuer = Issuer::start_on(port).await;
        let token = issuer.token("ana", &["ops"]);
        eventually("it is found", async || (status(&client, &token).await == 200).then_some(())).await;
        // Once its keys are known, it may be away, whatever way.
        for mood in [Mood::Fails, Mood::BreaksOff, Mood::Redirects, Mood::Endless, Mood::Silent] {
            issuer.mood(mood);
            let asked = issuer.asked();
            for _ in 0..20 {
                assert_eq!(status(&client, &token).await, 200, "{mood:?}");
                tokio::time::sleep(std::time::Duration::from_millis(60)).await;
            }
            let _ = asked;
        }
        issuer.mood(Mood::Well);
        let log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
        assert_eq!(log.matches("gives no keys").count(), 2, "one line for each time that it is away: {log}");
        nothing_is_logged(&bench, &issuer.secrets());
    });
}

#[test]
fn a_provider_that_is_another_one_is_not_believed() {
    run(async {
        let bench = Bench::with_acme();
        let issuer = Issuer::start().await;
        issuer.names("https://other.example");
        let served = served(&bench, &issuer.url(), &[]);
        let refused = served.client().with(&issuer.token("ana", &["ops"])).get("/accounts").await;
        refused.is_problem(503, "provider_away");
        let log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
        assert!(log.contains("it names another issuer than api.oidc.issuer"), "{log}");
        for (mood, says) in [
            (Mood::Endless, "has more than 524288 bytes"),
            (Mood::Redirects, "it redirects (HTTP 307)"),
            (Mood::Fails, "no JSON"),
        ] {
            let issuer = Issuer::start().await;
            issuer.mood(mood);
            let bench = Bench::with_acme();
            let served = self::served(&bench, &issuer.url(), &[]);
            let refused = served.client().with(&issuer.token("ana", &["ops"])).get("/accounts").await;
            refused.is_problem(503, "provider_away");
            let log = std::fs::read_to_string(bench.path("serve.log")).unwrap();
            assert!(log.contains(says), "{mood:?}: {log}");
        }
    });
}

/// What is not set right is told before anything starts.
#[test]
fn settings_of_a_provider_are_checked_at_the_start() {
    let bench = Bench::with_acme();
    let plain = bench.with("AUDITFERRY__API__OIDC__ISSUER", "http://id.example");
    plain.refuses("serve", &["api.oidc.issuer", "without TLS"]);
    let secret = bench.with("AUDITFERRY__API__OIDC__CLIENT_SECRET", "HUSH");
    secret.refuses("serve", &["api.oidc.client_secret", "env:NAME"]);
}
