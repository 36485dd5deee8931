//! The bucket that all accounts of the past ledgers go to.

use std::io::Read as _;
use std::path::PathBuf;

use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::secrets::Opened;
use auditferry::store::{self};
use auditferry_core::model::destination::{AccessKey, Destination, Place, S3, S3Credentials};
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::protocol::Attempt;
use auditferry_core::store::{Object, Outcome};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::{dialer, secret};
use crate::upgrades::ledger;

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";

pub(crate) struct Bucket {
    server: EmbeddedBucket,
    folder: tempfile::TempDir,
}

impl Bucket {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let server = EmbeddedBucket::start(folder.path(), "acme", KEY_ID, "HUSH", any).await.unwrap();
        Self { server, folder }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Puts the objects that the old release had put there, with their metadata. The answer to the
    /// last of them was lost.
    pub(crate) async fn hold_what_the_old_release_put(&self) {
        let destination = Destination {
            prefix: String::new(),
            allow_http: true,
            accept_overwrites: false,
            expires: None,
            place: Place::S3(S3 {
                bucket: "acme".to_owned(),
                region: "us-east-1".to_owned(),
                endpoint: Some(self.endpoint()),
                path_style: None,
                sse_kms_key_id: None,
                expected_bucket_owner: None,
                storage_class: None,
                checksum: None,
                request_payer: None,
                acl: None,
                sse: None,
                credentials: S3Credentials::AccessKey(AccessKey {
                    id: KEY_ID.to_owned(),
                    secret: secret("HUSH"),
                    session_token: None,
                }),
            }),
        };
        let dialer = dialer(std::time::Duration::from_secs(30));
        let store = store::open(&destination, &Opened::default(), false, &dialer).await.unwrap();
        for entry in std::fs::read_dir(ledger::folder().join("objects")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "meta") {
                continue;
            }
            let meta = std::fs::read_to_string(format!("{}.meta", path.display())).unwrap();
            let meta: Value = serde_json::from_str(&meta).unwrap();
            let hash = meta["x-amz-meta-auditferry-sha256"].as_str().unwrap().to_owned();
            let object = Object {
                key: ObjectKey::stored(path.file_name().unwrap().to_str().unwrap().replace('+', "/")),
                body: std::fs::read(&path).unwrap().into(),
                content_type: "application/zip",
                metadata: vec![("auditferry-sha256", hash)],
            };
            let attempt = Attempt { window: 1, ordinal: 1, number: 1, doubtful: false };
            let outcome = auditferry_core::store::deliver(&*store, attempt, &object).await;
            assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join("acme").join(key)
    }

    /// The uncompressed content of an object, by readers that are not ours.
    fn content(&self, key: &str) -> Vec<u8> {
        let body = std::fs::read(self.path(key)).unwrap_or_else(|error| panic!("{key}: {error}"));
        let mut content = Vec::new();
        if key.ends_with(".zip") {
            let mut zip = zip::ZipArchive::new(std::io::Cursor::new(body)).unwrap();
            zip.by_index(0).unwrap().read_to_end(&mut content).unwrap();
        } else if key.ends_with(".gz") {
            flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut content).unwrap();
        } else {
            content = body;
        }
        content
    }

    pub(crate) fn content_sha256(&self, key: &str) -> String {
        Sha256::digest(self.content(key)).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The emails of an account's records, in the order of its objects' names.
    pub(crate) fn emails(&self, account: &str) -> Vec<String> {
        let emails = self.values(account, "Email");
        emails.iter().map(|email| email.as_str().unwrap().to_owned()).collect()
    }

    /// Their descriptions.
    pub(crate) fn descriptions(&self, account: &str) -> Vec<Value> {
        self.values(account, "Description")
    }

    fn values(&self, account: &str, field: &str) -> Vec<Value> {
        let mut keys: Vec<String> = ["", "siem/"]
            .iter()
            .flat_map(|prefix| {
                let folder = format!("{prefix}audit/{account}");
                let files = std::fs::read_dir(self.path(&folder)).into_iter().flatten().flatten();
                files.map(move |file| format!("{folder}/{}", file.file_name().to_str().unwrap()))
            })
            .collect();
        keys.sort();
        let mut values = Vec::new();
        for key in keys {
            let text = String::from_utf8(self.content(&key)).unwrap();
            let records: Vec<Value> = if text.starts_with('[') {
                serde_json::from_str(&text).unwrap()
            } else {
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
            };
            values.extend(records.iter().map(|record| record[field].clone()));
        }
        values
    }
}
