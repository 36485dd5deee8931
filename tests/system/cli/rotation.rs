//! Other credentials: nothing else of a destination changes, and what would change is named.

use auditferry::demo::bucket::EmbeddedBucket;

use crate::support::bench::{Bench, S3};

const OPTIONS: &str = "--prefix siem/ --storage-class STANDARD_IA --sse-kms-key-id alias/siem";
const SECRET: &str = "HUSH-new";

fn bench() -> Bench {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH-old");
    bench.file("new", SECRET);
    bench.does(&format!("destination set acme {S3} --bucket acme-siem {OPTIONS} --expires 2090-01-01"));
    bench
}

#[test]
fn rotating_keeps_every_other_option() {
    let bench = bench();
    let before = bench.json("destination show acme");
    let said =
        bench.does("destination rotate acme --access-key-id AKIB --secret-access-key-file new --no-test");
    assert!(said.contains("s3://acme-siem/siem/ (version 2)"), "{said}");
    assert!(said.contains("2090-01-01 00:00:00Z, is cleared; give one with --expires"), "{said}");
    let mut wanted = before.clone();
    wanted.as_object_mut().unwrap().remove("expires");
    wanted["credentials"]["access_key"]["id"] = "AKIB".into();
    wanted["credentials"]["access_key"]["secret"]["file"] = bench.path("new").display().to_string().into();
    assert_eq!(bench.json("destination show acme"), wanted);

    // The secret alone, from a variable, with an end.
    bench.does("destination rotate acme --secret-access-key-env ACME --expires 2091-01-01 --skip-secrets");
    let shown = bench.json("destination show acme");
    assert_eq!(shown["credentials"]["access_key"]["id"], "AKIB");
    assert_eq!(shown["credentials"]["access_key"]["secret"]["env"], "ACME");
    assert_eq!((&shown["expires"], &shown["prefix"]), (&"2091-01-01T00:00:00Z".into(), &"siem/".into()));
    let changes = bench.does("changes ls acme");
    assert!(changes.contains("AKIB"), "{changes}");

    bench.refuses("destination rotate acme --sas-file new", &["--sas-file is for --kind azure", "kind s3"]);
    bench.refuses("destination rotate acme", &["--secret-access-key-file (or -env)", "is missing"]);
    bench.does("destination rm acme");
    bench.refuses("destination rotate acme --secret-access-key-file new", &["no destination"]);
}

#[test]
fn new_credentials_are_tried_before_and_sealed() {
    crate::support::run(async {
        let root = crate::support::folder("rotation");
        let any = "127.0.0.1:0".parse().unwrap();
        let bucket = EmbeddedBucket::start(&root, "acme-siem", "AKIB", SECRET, any).await.unwrap();
        let bench = Bench::with_acme();
        bench.file("secret", "HUSH-old");
        bench.file("wrong", "HUSH-wrong");
        bench.does("keys generate --out sealing.key");
        let ring = format!("2026-11=file:{}", bench.path("sealing.key").display());
        let bench = bench.env("AUDITFERRY__KEYS__RING", &ring);
        let place = format!("--endpoint {} --allow-http --prefix siem/", bucket.endpoint());
        bench.does(&format!("destination set acme {S3} --bucket acme-siem {place}"));
        let before = bench.state();
        let refused =
            bench.run("destination rotate acme --access-key-id AKIB --secret-access-key-file wrong");
        assert!(refused.code == Some(1) && refused.out.contains("Nothing was changed"), "{refused}");
        assert!(refused.out.contains("To rotate it anyway, add --no-test"), "{refused}");
        assert_eq!(bench.state(), before);
        let line = "destination rotate acme --access-key-id AKIB --secret-access-key-file -";
        let rotated = bench.run_with_input(line, SECRET);
        assert_eq!(rotated.code, Some(0), "{rotated}");
        assert!(rotated.out.contains("Its secret is sealed in the ledger with key 2026-11."), "{rotated}");
        assert!(rotated.err.contains("…       authenticate and create"), "{rotated}");
        bench.does("destination test acme");
        assert_eq!(bench.json("destination show acme")["prefix"], "siem/");
    });
}

#[test]
fn the_ways_of_azure_and_google_are_kept_too() {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH");
    let azure =
        "--kind azure --container acme-siem --endpoint https://acme.blob.core.windows.net --prefix a/";
    let by = "--tenant-id acme.onmicrosoft.com --client-id 11111111-2222 --client-secret-file secret";
    bench.does(&format!("destination set acme {azure} {by} --no-test"));
    bench.file("other", "HUSH-other");
    bench.does("destination rotate acme --client-secret-file other --no-test");
    let shown = bench.json("destination show acme");
    assert_eq!(shown["credentials"]["entra_secret"]["client_id"], "11111111-2222");
    assert_eq!(shown["prefix"], "a/");
    bench.file("sas", "sv=2024-11-04&sr=c&sp=c&sig=HUSH");
    bench.does("destination rotate acme --sas-file sas --no-test");
    assert!(bench.json("destination show acme")["credentials"]["sas"].is_object());

    bench.file("key.json", crate::support::gcs_server::known_key());
    let gcs = "--kind gcs --bucket acme-siem --service-account-file key.json --no-test --replace";
    bench.refuses(
        &format!("destination set acme {gcs}"),
        &["kind: azure -> gcs", "prefix: a/ -> none", "bucket: none -> acme-siem"],
    );
    bench.does(&format!("destination set acme {gcs} --yes"));
    bench.file("new.json", crate::support::gcs_server::known_key());
    bench.does("destination rotate acme --service-account-file new.json --no-test");
    assert_eq!(bench.json("destination show acme")["bucket"], "acme-siem");
}

#[test]
fn replacing_names_what_else_would_change() {
    let bench = bench();
    let again = format!("destination set acme {S3} --bucket acme-siem --replace");
    bench.refuses(
        &again,
        &[
            "account acme: more than its credentials would change",
            "prefix: siem/ -> none",
            "sse_kms_key_id: alias/siem -> none",
            "storage_class: STANDARD_IA -> none",
            "--yes",
            "destination rotate",
        ],
    );
    bench.does(&format!("{} {OPTIONS}", again.replace("AKIA", "AKIB")));
    assert_eq!(bench.json("destination show acme")["storage_class"], "STANDARD_IA");
    bench.does(&format!("{again} --yes"));
    assert!(bench.json("destination show acme")["storage_class"].is_null());
}
