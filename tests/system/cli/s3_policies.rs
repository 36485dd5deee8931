//! What a bucket policy on S3 may ask for, and keys that were given wrongly.

use crate::support::bench::Bench;
use crate::support::fault_proxy::FaultProxy;
use crate::support::{moto, run};

fn set(bucket: &str, endpoint: &str, more: &str) -> String {
    format!(
        "destination set acme --kind s3 --bucket {bucket} --region us-east-1 --endpoint {endpoint} --allow-http \
         --access-key-id AKIAIOSFODNN7EXAMPLE --secret-access-key-file secret {more}"
    )
}

#[test]
fn acl_and_encryption_go_with_each_object_and_with_nothing_else() {
    run(async {
        moto::bucket("policy").await;
        let proxy = FaultProxy::start(moto::moto().address, []).await;
        let bench = Bench::with_acme();
        bench.file("secret", "HUSH");
        bench.does(&set("policy", &proxy.url(), "--acl bucket-owner-full-control --sse AES256"));
        let seen = proxy.seen();
        assert_eq!(seen.len(), 3, "a probe, a second one, and its removal");
        for request in &seen {
            let head = request.head.to_ascii_lowercase();
            let put = head.starts_with("put ");
            assert_eq!(head.contains("x-amz-acl: bucket-owner-full-control\r\n"), put, "{head}");
            assert_eq!(head.contains("x-amz-server-side-encryption: aes256\r\n"), put, "{head}");
            assert_eq!(
                head.contains(";x-amz-acl;") && head.contains(";x-amz-server-side-encryption"),
                put,
                "{head}"
            );
        }
        let shown = bench.does("account show acme");
        assert!(shown.contains("encrypted with AES256, ACL bucket-owner-full-control"), "{shown}");
        let shown = bench.does("destination show acme");
        assert!(
            shown.contains("acl = \"bucket-owner-full-control\"") && shown.contains("sse = \"AES256\""),
            "{shown}"
        );

        let refused = |more: &str, says: &[&str]| bench.refuses(&set("policy", &proxy.url(), more), says);
        refused(
            "--replace --acl public-read",
            &["acl \"public-read\"", "strangers", "bucket-owner-full-control"],
        );
        refused("--replace --sse aws:kms", &["sse \"aws:kms\"", "--sse-kms-key-id"]);
        refused("--replace --sse AES256 --sse-kms-key-id alias/siem", &["destination.sse", "one of them"]);
        bench.refuses("destination set acme --kind gcs --bucket b --acl private", &["--acl"]);
    });
}

#[test]
fn the_options_stand_in_an_exports_file() {
    let bench = Bench::new();
    bench.file("secret", "HUSH");
    let export = |more: &str| {
        format!(
            "\u{feff}[[export]]\naccount = \"acme\"\nzone = \"UTC\"\n[export.destination]\nkind = \"s3\"\nbucket = \"acme-siem\"\n\
             region = \"eu-central-1\"\n{more}\ncredentials = {{ access_key = {{ id = \"AKIAIOSFODNN7EXAMPLE\", secret = \
             {{ file = \"secret\" }} }} }}\n"
        )
    };
    bench.file("exports.toml", export("acl = \"bucket-owner-read\"\nsse = \"AES256\""));
    bench.does("apply exports.toml --no-test");
    assert!(bench.does("account show acme").contains("ACL bucket-owner-read"));
    bench.file("exports.toml", export("acl = \"public-read\""));
    bench.refuses("apply exports.toml", &["public-read", "strangers"]);
    bench.file("exports.toml", export("endpoint = \"https://acme-siem.s3.eu-central-1.amazonaws.com\""));
    bench.refuses("apply exports.toml", &["destination.endpoint", "without the bucket"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_settings_and_secrets() {
    run(async {
        let place = moto::bucket("marks").await;
        let endpoint = place.endpoint.expect("moto");
        let bench = Bench::with_acme().env("AUDITFERRY__LEDGER__URL", "\u{feff}sqlite:auditferry.db");
        bench.file("secret", "\u{feff}HUSH\r\n");
        bench.does(&set("marks", &endpoint, ""));
        bench.file("auditferry.toml", "\u{feff}[worker]\nconcurrency = 3\n");
        assert!(bench.does("--config auditferry.toml check").contains("worker.concurrency = 3"));
    });
}

#[test]
fn a_key_that_is_swapped_is_refused_and_never_shown() {
    let bench = Bench::with_acme();
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    bench.file("secret", "AKIAIOSFODNN7EXAMPLE\n");
    let base = "destination set acme --kind s3 --bucket acme-siem --region eu-central-1 --secret-access-key-file secret";
    let line = format!("{base} --access-key-id {secret} --no-test");
    bench.refuses(&line, &["destination.credentials.access_key.id", "is not shown", "give the id"]);
    let answer = bench.run(&line);
    assert!(!answer.err.contains("wJal") && !answer.out.contains("wJal"), "{answer}");
    let line = format!("{base} --access-key-id AKIAIOSFODNN7EXAMPLE --no-test");
    bench.refuses(
        &line,
        &["destination.credentials.access_key.secret", "form of an access key's id", "swapped"],
    );
}

#[test]
fn an_endpoint_with_the_bucket_is_refused_and_one_that_is_stored_is_told() {
    run(async {
        let place = moto::bucket("twice").await;
        let endpoint = place.endpoint.expect("moto");
        let bench = Bench::with_acme();
        bench.file("secret", "HUSH");
        for bad in ["https://twice.s3.eu-central-1.amazonaws.com", "https://s3.example.com/twice/"] {
            bench.refuses(
                &set("twice", bad, ""),
                &["destination.endpoint", "\"twice\"", "without the bucket"],
            );
        }
        bench.file("string", "AccountName=acmeacct;AccountKey=SFVTSA==;BlobEndpoint=https://acmeacct.blob.core.windows.net/logs");
        bench.refuses(
            "destination set acme --kind azure --bucket logs --connection-string-file string --no-test",
            &["destination.credentials.connection_string", "BlobEndpoint ends in the container"],
        );
        bench.does(&set("twice", &endpoint, ""));
        // As an older version let it be set: it goes on, and is named.
        let stored = format!("UPDATE destination SET spec = replace(spec, '{endpoint}', '{endpoint}/twice')");
        crate::cli::databases::change(&bench, &stored);
        let check = bench.run("check");
        assert!(check.out.contains("note    account acme: destination.endpoint: "), "{check}");
        let test = bench.run("destination test acme");
        assert!(test.out.contains("without the bucket") && test.code == Some(1), "{test}");
    });
}
