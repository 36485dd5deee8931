//! Destinations: what the cloud would refuse is refused before, and no secret is shown.

use std::sync::{Arc, Mutex};

use crate::support::bench::{Bench, S3};
use crate::support::gcs_server::known_key;
use crate::support::{azurite, entra_server};

#[test]
fn an_option_of_another_kind_is_refused() {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH");
    for (line, option, kind) in [
        ("--kind gcs --bucket b --service-account-file secret --region eu-central-1", "--region", "s3"),
        ("--kind azure --bucket b --sas-file secret --endpoint https://x --ambient", "--ambient", "s3"),
        (&format!("{} --bucket b --sas-env SAS", crate::support::bench::S3), "--sas-env", "azure"),
        (
            &format!("{} --bucket b --service-account-env K", crate::support::bench::S3),
            "--service-account-env",
            "gcs",
        ),
    ] {
        let line = format!("destination set acme {line}");
        bench.refuses(&line, &[&format!("{option} is for --kind {kind}"), "leave it out"]);
    }
}

#[test]
fn a_missing_secret_is_named() {
    let bench = Bench::with_acme();
    let s3 = "destination set acme --kind s3 --bucket acme-siem --region eu-central-1 --access-key-id AKIA";
    bench.refuses(
        &format!("{s3} --secret-access-key-env ACME_SECRET"),
        &["env = \"ACME_SECRET\"", "is not set", "where the worker runs", "--skip-secrets"],
    );
    bench.refuses(
        &format!("{s3} --secret-access-key-file /run/secrets/nothing"),
        &["file = \"/run/secrets/nothing\"", "No such file", "make the file readable"],
    );
    bench.file("empty", "\n");
    bench.refuses(
        &format!("{s3} --secret-access-key-file empty"),
        &["/empty\"", "it is empty", "put the secret there"],
    );
    bench.refuses(s3, &["--secret-access-key-file (or -env)", "is missing", "kind s3"]);
    bench.does(&format!("{s3} --secret-access-key-env ACME_SECRET --skip-secrets"));
}

#[test]
fn a_malformed_service_account_is_refused_by_its_part() {
    let bench = Bench::with_acme();
    let key = |changes: &dyn Fn(&mut serde_json::Value)| {
        let mut key = serde_json::json!({
            "type": "service_account", "project_id": "acme", "private_key_id": "1",
            "private_key": "-----BEGIN PRIVATE KEY-----\nSFVTSA==\n-----END PRIVATE KEY-----\n",
            "client_email": "a@b.iam.gserviceaccount.com",
        });
        changes(&mut key);
        key.to_string()
    };
    let cases: [(String, &str); 7] = [
        ("{\"private_key\": \"HUSH\"".into(), "it is not JSON (line 1, column 22)"),
        ("[\"HUSH\"]".into(), "it is not a JSON object"),
        (key(&|key| key["type"] = "authorized_user".into()), "type is not \"service_account\""),
        (key(&|key| key["client_email"] = "".into()), "client_email is empty"),
        (key(&|key| key["private_key_id"] = 7.into()), "private_key_id is not a text"),
        (key(&|key| drop(key.as_object_mut().unwrap().remove("project_id"))), "project_id is missing"),
        (key(&|key| key["private_key"] = "HUSH".into()), "private_key is not PEM"),
    ];
    for (content, problem) in cases {
        bench.file("key.json", content);
        bench.refuses(
            "destination set acme --kind gcs --bucket acme-siem --service-account-file key.json",
            &["destination.credentials.service_account", problem, "download a JSON key"],
        );
    }
    bench.file("key.json", key(&|_| {}));
    bench.refuses(
        "destination set acme --kind gcs --bucket acme-siem --service-account-file key.json",
        &["destination.credentials.service_account", "private_key"],
    );
}

#[test]
fn a_malformed_connection_string_is_refused_by_its_part() {
    let bench = Bench::with_acme();
    for (content, problem) in [
        ("HUSH", "part 1 has no ="),
        ("AccountName=acme", "neither AccountKey nor SharedAccessSignature"),
        ("AccountName=acme;AccountKey=HUSH!", "AccountKey is not base64"),
        ("AccountKey=SFVTSA==", "neither BlobEndpoint nor AccountName"),
        ("AccountName=Acme.Corp;AccountKey=SFVTSA==", "AccountName is not"),
        ("AccountName=acme;AccountKey=SFVTSA==;AccountKey=SFVTSA==", "AccountKey is given twice"),
        ("BlobEndpoint=https://a;SharedAccessSignature=sv=1&se=HUSH", "SharedAccessSignature has no sig="),
    ] {
        bench.file("connection", content);
        bench.refuses(
            "destination set acme --kind azure --container acme-siem --connection-string-file connection",
            &["destination.credentials.connection_string", problem],
        );
    }
    bench.file("sas", "?sv=2024-11-04&se=HUSH");
    let azure = "destination set acme --kind azure --container acme-siem --sas-file sas";
    bench.refuses(azure, &["destination.endpoint", "it is missing", "blob endpoint"]);
    bench.refuses(
        &format!("{azure} --endpoint https://acme.blob.core.windows.net"),
        &["destination.credentials.sas", "no sig=", "copy the SAS token"],
    );
    for (content, problem, fix) in [
        ("sv=1&ss=b&srt=o&sp=rl&sig=HUSH", "may not create blobs (sp= allows rl)", "--permissions c"),
        ("sv=1&ss=b&srt=sc&sp=c&sig=HUSH", "is not for objects (srt= has no o)", "--resource-types o"),
        ("sv=1&sr=c&sp=c&spr=http&sig=HUSH", "allows spr=http, and the endpoint is https", "--https-only"),
    ] {
        bench.file("narrow", content);
        bench.refuses(
            "destination set acme --kind azure --container acme-siem --sas-file narrow --endpoint \
             https://acme.blob.core.windows.net",
            &["destination.", problem, fix],
        );
    }
    bench.refuses(
        &format!("{azure} --connection-string-file sas"),
        &["a connection string, a SAS and", "one of them"],
    );
}

#[test]
fn an_application_is_given_whole() {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH");
    let azure = "destination set acme --kind azure --container acme-siem";
    let at = "--endpoint https://acme.blob.core.windows.net";
    let by = "--tenant-id acme.onmicrosoft.com --client-id 11111111-2222";
    for (options, says) in [
        (format!("{at} --client-secret-file secret --client-id x"), vec!["--tenant-id is missing"]),
        (format!("{at} --client-secret-file secret --tenant-id x"), vec!["--client-id is missing"]),
        (format!("{at} {by}"), vec!["--client-secret-file or --client-certificate-file", "missing"]),
        (format!("{by} --client-secret-file secret"), vec!["destination.endpoint", "it is missing"]),
        (
            format!("{at} {by} --client-secret-file secret --client-certificate-file secret"),
            vec!["more than one is given", "one of them"],
        ),
        (format!("{at} {by} --sas-file secret"), vec!["more than one is given"]),
        (
            format!("{at} --tenant-id a/b --client-id x --client-secret-file secret"),
            vec!["destination.credentials.tenant_id", "neither an id nor a domain", "Directory (tenant) ID"],
        ),
        (
            format!("{at} --tenant-id a --client-id x&y --client-secret-file secret"),
            vec!["destination.credentials.client_id", "Application (client) ID"],
        ),
        (
            format!("{at} {by} --client-certificate-file secret"),
            vec!["destination.credentials.entra_certificate.certificate", "no private key", "cat key.pem"],
        ),
        (format!("{at} {by} --client-secret-file secret --azure-cloud mars"), vec!["us-government", "china"]),
    ] {
        bench.refuses(&format!("{azure} {options}"), &says);
    }
    bench.does(&format!(
        "{azure} {at} {by} --client-secret-file secret --azure-cloud us-government --no-test"
    ));
    let shown = bench.does("destination show acme");
    assert!(shown.contains("cloud = \"us_government\"") && !shown.contains("HUSH"), "{shown}");
}

#[test]
fn a_token_is_a_step_of_the_test() {
    crate::support::run(async {
        let entra = entra_server::entra();
        let bench = Bench::with_acme().env("AUDITFERRY__CREDENTIALS__ENTRA_URL", &entra);
        bench.file("secret", entra_server::SECRET);
        bench.file("wrong", "HUSH");
        azurite::create_container("token-step").await;
        let set = format!(
            "destination set acme --kind azure --container token-step --allow-http --endpoint {} --tenant-id {} \
             --client-id {} --client-secret-file",
            entra_server::endpoint(),
            entra_server::TENANT,
            entra_server::CLIENT
        );
        let answer = bench.run(&format!("{set} wrong"));
        assert_eq!(answer.code, Some(1), "{answer}");
        let said = &answer.out;
        assert!(
            said.contains("FAILED") && said.contains("get a token: invalid_credentials: no token"),
            "{said}"
        );
        assert!(said.contains("AADSTS7000215") && said.contains("not its Secret ID"), "{said}");
        assert!(said.contains("Nothing was changed") && !said.contains("authenticate and create"), "{said}");
        assert!(!said.contains("HUSH"), "{said}");
        let said = bench.does(&format!("{set} secret"));
        assert!(said.contains("get a token: the cloud has given one"), "{said}");
        assert!(said.contains("authenticate and create: auditferry-probe/"), "{said}");
    });
}

/// A store of all three clouds that knows no preconditions: each put replaces what is there. The keys of
/// what was put and of what was removed.
async fn a_store_that_replaces() -> (String, Arc<Mutex<Vec<String>>>) {
    use axum::http::{HeaderMap, Method, StatusCode, Uri};
    use axum::response::IntoResponse as _;
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let routes = axum::Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap| {
        let query = uri.query().unwrap_or_default();
        let name = query.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap_or(uri.path());
        let key = name.replace("%2F", "/").rsplit('/').next().unwrap().to_owned();
        noted.lock().unwrap().push(format!("{method} {key}"));
        let azure = headers.contains_key("x-ms-version");
        let head = [("etag", "\"e\""), ("last-modified", "Sat, 21 Nov 2026 04:00:00 GMT")];
        std::future::ready(match method {
            Method::POST => axum::Json(serde_json::json!({ "generation": "1", "size": "0" })).into_response(),
            Method::DELETE if azure => StatusCode::ACCEPTED.into_response(),
            Method::DELETE => StatusCode::NO_CONTENT.into_response(),
            _ if azure => (StatusCode::CREATED, head).into_response(),
            _ => head.into_response(),
        })
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, seen)
}

#[test]
fn a_store_that_replaces_objects_is_refused_unless_that_is_accepted() {
    crate::support::run(async {
        let (url, seen) = a_store_that_replaces().await;
        let bench = Bench::with_acme();
        bench.file("secret", "sv=2024-11-04&sr=c&sp=cd&sig=HUSH");
        bench.file("key.json", known_key());
        for kind in [
            "--kind s3 --region us-east-1 --access-key-id AKIA --secret-access-key-file secret",
            "--kind azure --sas-file secret",
            "--kind gcs --service-account-file key.json",
        ] {
            let set = format!("destination set acme {kind} --bucket acme-siem --endpoint {url} --allow-http");
            let refused = bench.run(&set);
            assert_eq!(refused.code, Some(1), "{refused}");
            let said = &refused.out;
            assert!(
                said.contains("refuse a second one: rejected") && said.contains("--accept-overwrites"),
                "{said}"
            );
            assert!(said.contains("clean up: the object is gone"), "{said}");
            assert!(bench.run("destination show acme").code != Some(0), "it was set");
            // The same name twice, and removed; another name the next time.
            let calls: Vec<String> = std::mem::take(&mut seen.lock().unwrap());
            let names: Vec<&str> = calls.iter().map(|call| call.split(' ').nth(1).unwrap()).collect();
            assert!(names.len() == 3 && names.iter().all(|name| *name == names[0]), "{calls:?}");

            bench.does(&format!("{set} --no-test"));
            for command in ["destination test acme", "check --destinations"] {
                let failed = bench.run(command);
                assert!(failed.code == Some(1) && failed.out.contains("--accept-overwrites"), "{failed}");
            }
            let calls: Vec<String> = std::mem::take(&mut seen.lock().unwrap());
            assert!(calls.iter().all(|call| !call.contains(names[0])), "{calls:?}");

            bench.does(&format!("{set} --accept-overwrites --replace --yes"));
            assert!(bench.does("destination show acme").contains("accept_overwrites = true"));
            assert!(bench.does("account show acme").contains("its store may replace objects"));
            bench.does("destination test acme");
            bench.does("check --destinations");
            seen.lock().unwrap().clear();
            bench.does("destination rm acme");
        }
    });
}

#[test]
fn a_bucket_name_that_the_cloud_would_refuse_is_refused() {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH");
    let long = "x".repeat(64);
    let s3 = ["ab", "Acme", "a_b_c", "acme.", "a..b", "192.168.1.1", "xn--acme", &long];
    for name in s3 {
        bench.refuses(
            &format!("destination set acme {S3} --bucket {name}"),
            &["destination.bucket", &format!("{name:?}"), "as S3 shows it"],
        );
    }
    for name in ["goog-acme", "my-google-x", "a..b", "Acme", "10.0.0.1"] {
        bench.refuses(
            &format!("destination set acme --kind gcs --service-account-file secret --bucket {name}"),
            &["destination.bucket", &format!("{name:?}"), "as Google shows it"],
        );
    }
    for name in ["acme--siem", "acme_siem", "Acme", "-acme"] {
        bench.refuses(
            &format!("destination set acme --kind azure --connection-string-file secret --bucket={name}"),
            &["destination.container", &format!("{name:?}"), "as Azure shows it"],
        );
    }
    bench.refuses(
        &format!("destination set acme {S3} --bucket acme-siem --prefix ../other/"),
        &["destination.prefix", "\"..\"", "plain folder names"],
    );
    bench.refuses(
        &format!("destination set acme {S3} --bucket acme-siem --prefix siem"),
        &["destination.prefix", "does not end in /", "add the /"],
    );
    bench.refuses(
        &format!("destination set acme {S3} --bucket acme-siem --endpoint ftp://x"),
        &["destination.endpoint", "does not start with https://", "such as https://"],
    );
    bench.refuses(
        &format!("destination set acme {S3} --bucket acme-siem --endpoint http://storage.example.com"),
        &["destination.endpoint", "is without TLS", "allow_http = true"],
    );
}

#[test]
fn a_second_destination_is_refused_with_the_way_to_replace_it() {
    let bench = Bench::with_destination();
    let second = format!("destination set acme {S3} --bucket acme-other");
    bench.refuses(&second, &["account acme", "s3://acme-siem/", "has a destination already", "--replace"]);
    assert!(bench.does(&format!("{second} --replace --yes")).contains("s3://acme-other/ (version 2)"));
    assert_eq!(bench.json("destination show acme")["bucket"], "acme-other");
}

#[test]
fn ambient_credentials_need_the_operators_leave() {
    let bench = Bench::with_acme();
    let ambient = "destination set acme --kind s3 --bucket acme-siem --region eu-central-1 --ambient";
    bench.refuses(
        ambient,
        &["destination.credentials", "not allowed for this account", "credentials.allow_ambient"],
    );
    bench
        .refuses(&format!("{ambient} --access-key-id AKIA"), &["--ambient and an access key", "one of them"]);
    let allowed =
        bench.env("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme").env("AWS_EC2_METADATA_DISABLED", "true");
    // Allowed, it is tried: the token of the proof is written as the worker itself.
    let tried = allowed.run(&format!("{ambient} --no-test"));
    tried.is_refusal(1, &[]);
    assert!(tried.out.contains("the worker's own AWS identity cannot be read"), "{tried}");
    assert!(allowed.run("destination show acme").err.contains("no destination"));
}

#[test]
fn a_destination_is_shown_without_its_secret() {
    let bench = Bench::with_destination();
    let shown = bench.does("destination show acme");
    assert!(shown.starts_with("s3://acme-siem/\n") && shown.contains("/secret\"\n"), "{shown}");
    let json = bench.json("destination show acme");
    assert_eq!(json["kind"], "s3");
    let file = json["credentials"]["access_key"]["secret"]["file"].as_str().unwrap();
    assert!(
        file.starts_with('/') && file.ends_with("/secret"),
        "the worker may run in another folder: {file}"
    );
    for line in [
        "destination show acme",
        "destination show acme --json",
        "account show acme",
        "account show acme --json",
        "check",
    ] {
        assert!(!bench.run(line).out.contains("HUSH"), "{line} shows the secret");
    }
    let ledger = std::fs::read(bench.path("auditferry.db")).unwrap();
    assert!(!ledger.windows(4).any(|bytes| bytes == b"HUSH"), "the ledger's file holds the secret");
}

#[test]
fn a_destination_that_is_not_there_is_explained() {
    let bench = Bench::with_acme();
    for line in ["destination show acme", "destination test acme"] {
        bench.refuses(line, &["account acme", "no destination", "auditferry destination set acme"]);
    }
    bench.refuses("destination rm acme", &["account acme", "no destination"]);
    let bench = Bench::with_destination();
    bench.does("destination rm acme");
    bench.refuses("destination show acme", &["no destination"]);
}

#[test]
fn a_failed_test_of_a_destination_says_what_to_do() {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH");
    bench.does(&format!(
        "destination set acme {S3} --bucket acme-siem --endpoint http://127.0.0.1:1 --allow-http"
    ));
    let before = bench.state();
    let second = format!(
        "destination set acme {} --bucket acme-other --endpoint http://127.0.0.1:1 --allow-http --replace --yes",
        S3.replace("--no-test", "")
    );
    let refused = bench.run(&second);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.out.contains("Nothing was changed") && refused.out.contains("--no-test"), "{refused}");
    assert_eq!(bench.state(), before, "what works is not replaced by what does not");
    let answer = bench.run("destination test acme");
    assert_eq!(answer.code, Some(1), "{answer}");
    assert!(answer.out.contains("FAILED  acme: unreachable") && answer.out.contains("fix: "), "{answer}");
    assert!(answer.out.contains("read secrets") && answer.out.contains("resolve: 127.0.0.1 is"), "{answer}");
    assert!(answer.out.contains("cannot connect to http://127.0.0.1:1"), "{answer}");
    let check = bench.run("check --destinations");
    assert_eq!(check.code, Some(1), "{check}");
    assert!(
        check.out.contains("ok      ledger") && check.out.contains("FAILED  acme: unreachable"),
        "{check}"
    );
    assert_eq!(bench.state(), before);
}
