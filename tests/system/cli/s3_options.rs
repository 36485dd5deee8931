//! Encryption, storage class and the bucket's owner on S3: what is sent, and what a refusal leads to.

use std::collections::BTreeMap;

use auditferry::secrets::Opened;
use auditferry::store::{self};
use auditferry_core::model::destination::{Destination, Place, RequestPayer, S3, StorageClass};
use auditferry_core::model::object_key::{ObjectKey, OwnKey};
use auditferry_core::protocol::Attempt;
use auditferry_core::store::{Object, Outcome, PutErrorKind};
use sqlx::Connection as _;

use crate::support::bench::Bench;
use crate::support::fault_proxy::{Canned, Fault, FaultProxy, Seen};
use crate::support::{dialer, moto, run};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OWNER: &str = "123456789012";

const KMS: &str = "x-amz-server-side-encryption-aws-kms-key-id";

/// A bucket of moto behind a proxy that does these to the first requests.
async fn bucket(name: &str, faults: impl IntoIterator<Item = Fault>) -> FaultProxy {
    moto::bucket(name).await;
    FaultProxy::start(moto::moto().address, faults).await
}

fn set(bucket: &str, proxy: &FaultProxy, more: &str) -> String {
    format!(
        "destination set acme --kind s3 --bucket {bucket} --region us-east-1 --endpoint {} --allow-http {more}",
        proxy.url()
    )
}

fn by_key(bucket: &str, proxy: &FaultProxy, more: &str) -> String {
    set(
        bucket,
        proxy,
        &format!("--access-key-id AKIAIOSFODNN7EXAMPLE --secret-access-key-file secret {more}"),
    )
}

fn options() -> String {
    format!("--sse-kms-key-id {KEY} --expected-bucket-owner {OWNER} --storage-class STANDARD_IA")
}

/// Method, folder and the headers of S3 of a request.
fn parts(seen: &Seen) -> (String, BTreeMap<String, String>) {
    let mut lines = seen.head.trim_end().split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, path) = (first.next().unwrap(), first.next().unwrap());
    let folder = path.split('/').nth(2).unwrap();
    let folder = if path.contains("/ownership-") { "ownership" } else { folder };
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    (format!("{method} {folder}"), headers.collect())
}

fn what_was_sent(proxy: &FaultProxy) -> Vec<(String, [Option<String>; 4])> {
    let names = ["x-amz-server-side-encryption", KMS, "x-amz-storage-class", "x-amz-expected-bucket-owner"];
    let requests = proxy.seen();
    let all = requests.iter().map(|seen| {
        let (what, headers) = parts(seen);
        (what, names.map(|name| headers.get(name).cloned()))
    });
    all.collect()
}

async fn insert_a_record(bench: &Bench) {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let sql = "INSERT INTO audit_log (account_id, occurred_at, email, action) VALUES \
               ('acme', '2026-01-01T00:00:00.000Z', 'a@b.c', 'login'); \
               UPDATE account SET next_slot = 0, due_at = 0, last_slot = last_slot - 86400000000";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

fn all_four() -> [Option<String>; 4] {
    ["aws:kms", KEY, "STANDARD_IA", OWNER].map(|value| Some(value.to_owned()))
}

fn only_the_owner() -> [Option<String>; 4] {
    [None, None, None, Some(OWNER.to_owned())]
}

#[test]
fn the_options_are_sent_with_the_probe_the_challenge_and_the_object() {
    run(async {
        let proxy = bucket("options-sent", []).await;
        let bench = Bench::new()
            .env("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme")
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "HUSH");
        bench.does("account add acme --zone UTC --start beginning");
        bench.does("addon enable acme");
        bench.file("secret", "HUSH");
        bench.does(&by_key("options-sent", &proxy, &options()));
        insert_a_record(&bench).await;
        bench.does("run --until-idle");
        bench.does(&set(
            "options-sent",
            &proxy,
            &format!("--ambient --prefix siem/ --replace --yes {}", options()),
        ));
        let sent = what_was_sent(&proxy);
        assert_eq!(
            sent,
            [
                ("PUT auditferry-probe", all_four()),
                ("PUT auditferry-probe", all_four()),
                ("DELETE auditferry-probe", only_the_owner()),
                ("PUT audit", all_four()),
                ("PUT ownership", all_four()),
                ("PUT ownership", all_four()),
            ]
            .map(|(what, sent)| (what.to_owned(), sent))
        );

        // What moto keeps is what was asked.
        let key = bench.json("deliveries ls acme")[0]["key"].as_str().unwrap().to_owned();
        let url = format!("{}/options-sent/{key}", moto::moto().url());
        let kept = reqwest::Client::new().head(url).send().await.unwrap();
        assert_eq!(kept.headers()[KMS], KEY);
        assert_eq!(kept.headers()["x-amz-storage-class"], "STANDARD_IA");

        let asked =
            format!("encrypted with KMS key {KEY}, storage class STANDARD_IA, only if the bucket belongs to");
        assert!(bench.does("account show acme").contains(&asked));
        let asked = bench.json("account show acme")["asked"].to_string();
        assert!(asked.contains(OWNER), "{asked}");
        let changes = bench.does("changes ls acme");
        assert!(changes.contains("storage_class \"STANDARD_IA\""), "{changes}");
    });
}

/// A bucket with an object lock demands a checksum, and compatible stores know Content-MD5.
#[test]
fn each_checksum_is_sent_and_a_bucket_of_old_takes_it() {
    run(async {
        let proxy = bucket("Old_Bucket", []).await;
        let bench = Bench::with_acme();
        bench.file("secret", "HUSH");
        let sums = ["content-md5", "x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-sha256"];
        for (option, sent) in [
            ("", Some("content-md5")),
            ("--checksum md5", Some("content-md5")),
            ("--checksum crc32", Some("x-amz-checksum-crc32")),
            ("--checksum crc32c", Some("x-amz-checksum-crc32c")),
            ("--checksum sha256", Some("x-amz-checksum-sha256")),
            ("--checksum none", None),
        ] {
            let before = proxy.seen().len();
            bench.does(&by_key("Old_Bucket", &proxy, &format!("--replace --yes {option}")));
            let seen = proxy.seen().split_off(before);
            let puts: Vec<_> = seen.iter().map(parts).filter(|(what, _)| what.starts_with("PUT")).collect();
            assert_eq!(puts.len(), 2);
            for (_, headers) in puts {
                let given: Vec<&str> = sums.into_iter().filter(|name| headers.contains_key(*name)).collect();
                assert_eq!(given, Vec::from_iter(sent), "{option}");
            }
        }
        assert!(bench.does("account show acme").contains("checksum none"));
        let line = by_key("Old_Bucket", &proxy, "--checksum sha1 --replace --yes");
        bench.refuses(&line, &["checksum \"sha1\" is not known", "md5, crc32, crc32c, sha256"]);
    });
}

/// A bucket with Requester Pays denies every request that does not say so.
#[test]
fn that_the_requester_pays_goes_signed_with_every_request() {
    run(async {
        let proxy = bucket("options-payer", []).await;
        let bench = Bench::with_acme();
        bench.file("secret", "HUSH");
        bench.does(&by_key("options-payer", &proxy, "--request-payer requester"));
        let place = S3 {
            endpoint: Some(proxy.url()),
            request_payer: Some(RequestPayer::Requester),
            ..moto::bucket("options-payer").await
        };
        let destination = Destination {
            prefix: String::new(),
            allow_http: true,
            accept_overwrites: false,
            expires: None,
            place: Place::S3(place),
        };
        let dialer = dialer(std::time::Duration::from_secs(30));
        let store = store::open(&destination, &Opened::default(), false, &dialer).await.unwrap();
        let key = ObjectKey::stored("audit/acme/audit_acme_20261121T040000Z.zip".to_owned());
        let metadata = vec![("auditferry-sha256", "ab".repeat(32))];
        let object = Object { key, body: "seven b".into(), content_type: "application/zip", metadata };
        for (number, doubtful) in [(1, false), (2, true)] {
            let attempt = Attempt { window: 1, ordinal: 1, number, doubtful };
            let outcome = auditferry_core::store::deliver(&*store, attempt, &object).await;
            assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        }
        store.remove(&OwnKey::probe("", "probe")).await.unwrap();

        let seen: Vec<_> = proxy.seen().iter().map(parts).collect();
        let what: Vec<&str> = seen.iter().map(|(what, _)| what.as_str()).collect();
        let probe = ["PUT auditferry-probe", "PUT auditferry-probe", "DELETE auditferry-probe"];
        let rest = ["PUT audit", "PUT audit", "HEAD audit", "DELETE auditferry-probe"];
        assert_eq!(what, [probe.as_slice(), rest.as_slice()].concat());
        for (what, headers) in &seen {
            assert_eq!(headers.get("x-amz-request-payer").map(String::as_str), Some("requester"), "{what}");
            assert!(headers["authorization"].contains(";x-amz-request-payer"), "{what}: {headers:?}");
        }
        assert!(bench.does("account show acme").contains("the requester pays"));
        let line = by_key("options-payer", &proxy, "--request-payer owner --replace --yes");
        bench.refuses(&line, &["request_payer \"owner\" is not known", "write requester"]);
    });
}

#[test]
fn nothing_is_asked_that_was_not_given() {
    run(async {
        let proxy = bucket("options-none", []).await;
        let bench = Bench::with_acme();
        bench.file("secret", "HUSH");
        bench.does(&by_key("options-none", &proxy, ""));
        let sent = what_was_sent(&proxy);
        assert_eq!(sent.len(), 3);
        assert!(sent.iter().all(|(_, sent)| sent.iter().all(Option::is_none)), "{sent:?}");
        assert!(proxy.seen().iter().all(|seen| !parts(seen).1.contains_key("x-amz-request-payer")));
        assert!(bench.json("account show acme")["asked"].is_null());
    });
}

/// The ETag of an object under a key of KMS is no hash of its content: the metadata tell.
#[test]
fn a_doubtful_object_is_recognised_with_all_options() {
    run(async {
        let proxy = bucket("options-look", []).await;
        let place = S3 {
            endpoint: Some(proxy.url()),
            sse_kms_key_id: Some(KEY.to_owned()),
            expected_bucket_owner: Some(OWNER.to_owned()),
            storage_class: Some(StorageClass::StandardIa),
            ..moto::bucket("options-look").await
        };
        let destination = Destination {
            prefix: String::new(),
            allow_http: true,
            accept_overwrites: false,
            expires: None,
            place: Place::S3(place),
        };
        let dialer = dialer(std::time::Duration::from_secs(30));
        let store = store::open(&destination, &Opened::default(), false, &dialer).await.unwrap();
        let object = |hash: &str| Object {
            key: ObjectKey::stored("audit/acme/audit_acme_20261121T040000Z.zip".to_owned()),
            body: "seven b".into(),
            content_type: "application/zip",
            metadata: vec![("auditferry-sha256", hash.repeat(32))],
        };
        let attempt = |number, doubtful| Attempt { window: 1, ordinal: 1, number, doubtful };
        for (number, hash, ours) in [(1, "ab", true), (2, "ab", true), (3, "cd", false)] {
            let outcome =
                auditferry_core::store::deliver(&*store, attempt(number, number > 1), &object(hash)).await;
            assert_eq!(matches!(outcome, Outcome::Delivered(_)), ours, "{number}: {outcome:?}");
        }
        store.remove(&OwnKey::probe("", "probe")).await.unwrap();
        let sent = what_was_sent(&proxy);
        let looks: Vec<_> = sent.iter().filter(|(what, _)| what.starts_with("HEAD")).collect();
        assert_eq!(looks.len(), 2, "{sent:?}");
        assert!(looks.iter().all(|(_, sent)| *sent == only_the_owner()), "{sent:?}");
    });
}

/// In the words of the real S3, which no emulator says.
fn s3_says(status: u16, code: &str, message: &str) -> Fault {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Fault::Answer(Canned { status, head: "content-type: application/xml\r\n".to_owned(), body })
}

#[test]
fn each_refusal_has_its_fix() {
    run(async {
        let not_allowed = format!(
            "User: arn:aws:iam::123456789012:user/auditferry is not authorized to perform: kms:GenerateDataKey on \
             resource: {KEY} because no identity-based policy allows the kms:GenerateDataKey action"
        );
        let cases: [(u16, &str, &str, PutErrorKind, &[&str]); 6] = [
            (
                403,
                "AccessDenied",
                "Access Denied",
                PutErrorKind::Denied,
                &[
                    "does not belong to the AWS account 123456789012",
                    "aws s3api head-bucket --bucket options-refused --expected-bucket-owner 123456789012",
                    "on which it needs `kms:GenerateDataKey`",
                ],
            ),
            (
                403,
                "AccessDenied",
                &not_allowed,
                PutErrorKind::Denied,
                &["may not use the KMS key", KEY, "\"Resource\""],
            ),
            (
                400,
                "KMS.NotFoundException",
                "Invalid keyId",
                PutErrorKind::Rejected,
                &["does not find the KMS key", "whole ARN"],
            ),
            (
                400,
                "KMS.DisabledException",
                "it is disabled.",
                PutErrorKind::Rejected,
                &["aws kms enable-key --key-id"],
            ),
            (
                400,
                "KMS.KMSInvalidStateException",
                "is pending deletion.",
                PutErrorKind::Rejected,
                &["cancel-key-deletion"],
            ),
            (
                400,
                "InvalidStorageClass",
                "The storage class you specified is not valid",
                PutErrorKind::Rejected,
                &["no storage class STANDARD_IA"],
            ),
        ];
        let proxy = bucket("options-refused", cases.iter().map(|case| s3_says(case.0, case.1, case.2))).await;
        let bench = Bench::with_acme();
        bench.file("secret", "HUSH");
        for (_, code, _, kind, fixes) in cases {
            let answer = bench.run(&by_key("options-refused", &proxy, &options()));
            assert_eq!(answer.code, Some(1), "{answer}");
            assert!(answer.out.contains("Nothing was changed") && answer.out.contains(code), "{answer}");
            assert!(answer.out.contains(&format!("FAILED  acme: {}", kind.as_str())), "{answer}");
            for words in fixes {
                assert!(answer.out.contains(words), "{code}: nothing of {words:?} in\n{answer}");
            }
        }
    });
}

#[test]
fn what_s3_would_refuse_is_refused_before() {
    let bench = Bench::with_acme().env("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme");
    bench.file("secret", "HUSH");
    let line = format!("destination set acme {} --bucket acme-siem", crate::support::bench::S3);
    for (more, says) in [
        ("--sse-kms-key-id siem", ["destination.sse_kms_key_id", "alias/NAME"]),
        (&format!("--sse-kms-key-id {KEY}"), ["another region", "of the bucket's region"]),
        ("--expected-bucket-owner 12345", ["destination.expected_bucket_owner", "12 digits"]),
        ("--storage-class DEEP_ARCHIVE", ["a SIEM cannot read an object there", "lifecycle rule"]),
        ("--storage-class standard", ["is no storage class", "GLACIER_IR"]),
    ] {
        bench.refuses(&format!("{line} {more}"), &says);
    }
    bench.refuses(
        "destination set acme --kind s3 --bucket acme-siem --region eu-central-1 --ambient --sse-kms-key-id alias/siem",
        &["the worker's own AWS account", "whole ARN"],
    );
    bench.file(
        "exports.toml",
        "[[export]]\naccount = 'acme'\nzone = 'UTC'\n[export.destination]\nkind = 's3'\nbucket = 'acme-siem'\n\
         region = 'eu-central-1'\nstorage_class = 'GLACIER'\ncredentials = 'ambient'\n",
    );
    bench.refuses("apply exports.toml", &["GLACIER", "before somebody restores it"]);
}

#[test]
fn a_permission_policy_names_the_key() {
    let principal = "arn:aws:iam::111122223333:role/worker";
    let bench = Bench::with_acme().env("AUDITFERRY__AWS__PRINCIPAL", principal);
    let trust = "destination trust acme --bucket acme-siem --sse-kms-key-id alias/siem";
    let statement = &bench.json(trust)["permission_policy"]["Statement"][1];
    assert_eq!(statement["Action"], "kms:GenerateDataKey");
    assert_eq!(statement["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"], "alias/siem");
    assert!(bench.does(trust).contains("--assume-role ROLE_ARN --sse-kms-key-id alias/siem"));
    assert!(bench.json("destination trust acme --bucket b")["permission_policy"]["Statement"][1].is_null());
}
