//! What the tests of this binary begin with.

use std::path::PathBuf;

use auditferry::demo::bucket::EmbeddedBucket;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::bench::{Answer, Bench};
use crate::support;
use crate::support::program::files;
use crate::support::sts::{StsServer, WORKER};

/// The secret of the worker's own access key.
pub(crate) const WORKER_SECRET: &str = "worker-HUSH";

/// A folder with an account, a bucket that takes one key, and an STS.
pub(crate) struct Scene {
    pub(crate) bench: Bench,
    pub(crate) bucket: EmbeddedBucket,
    pub(crate) root: PathBuf,
    pub(crate) sts: StsServer,
}

impl Scene {
    pub(crate) async fn new(name: &str, key: &str, secret: &str) -> Self {
        let sts = StsServer::start().await;
        let root = support::folder(name);
        let any = "127.0.0.1:0".parse().unwrap();
        let bucket = EmbeddedBucket::start(&root, "acme-siem", key, secret, any).await.unwrap();
        let bench = Bench::new()
            .env("AWS_ACCESS_KEY_ID", WORKER)
            .env("AWS_SECRET_ACCESS_KEY", WORKER_SECRET)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AUDITFERRY__AWS__STS_ENDPOINT", &sts.url());
        bench.does("account add acme --zone UTC --start beginning");
        bench.does("addon enable acme");
        Self { bench, bucket, root, sts }
    }

    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        Self { bench: self.bench.env(name, value), ..self }
    }

    /// The worker as a pod that has a token and no key.
    pub(crate) fn with_web_identity(self) -> Self {
        let token = "token-of-the-pod-HUSH";
        self.bench.file("token", token);
        self.sts.trust_token(token);
        let url = self.sts.url();
        self.env("AWS_ACCESS_KEY_ID", "")
            .env("AWS_SECRET_ACCESS_KEY", "")
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "token")
            .env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/eks-worker")
            .env("AWS_ENDPOINT_URL_STS", &url)
            .env("AUDITFERRY__AWS__STS_ENDPOINT", "")
    }

    /// `destination set` to the bucket.
    pub(crate) fn set(&self, more: &str) -> String {
        let endpoint = self.bucket.endpoint();
        format!(
            "destination set acme --kind s3 --bucket acme-siem --region us-east-1 --endpoint {endpoint} \
             --allow-http {more}"
        )
    }

    pub(crate) async fn sql(&self, text: &str) {
        sql(&self.bench, text).await;
    }

    pub(crate) async fn records(&self) {
        records(&self.bench).await;
    }

    /// How many objects are in a folder of the bucket.
    pub(crate) fn delivered(&self, folder: &str) -> usize {
        std::fs::read_dir(self.root.join("acme-siem").join(folder)).map_or(0, Iterator::count)
    }
}

/// Changes the ledger of a folder, past our code.
pub(crate) async fn sql(bench: &Bench, sql: &str) {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

/// Three records that are due, each in an object of its own.
pub(crate) async fn records(bench: &Bench) {
    bench.does("account set acme --max-records 1");
    let rows = ["('acme', '2026-01-01T00:00:00.000Z', 'a@b.c', 'login')"; 3].join(", ");
    let text = format!(
        "INSERT INTO audit_log (account_id, occurred_at, email, action) VALUES {rows}; \
         UPDATE account SET next_slot = 0, due_at = CASE WHEN destination_version IS NULL THEN NULL ELSE 0 END, \
         last_slot = last_slot - 86400000000"
    );
    sql(bench, &text).await;
}

/// Gives back what the owner of a bucket has read in it.
pub(crate) fn prove(bench: &Bench, challenge: &str) -> Answer {
    assert!(challenge.contains("account acme"), "{challenge}");
    let (_, token) = challenge.rsplit_once("token: ").expect("a token");
    bench.run_with_input("destination prove acme --token-file -", token)
}

/// No canary in any file that the program could have written; `but`: the files that hold one on purpose.
pub(crate) fn leaves_no_canary(bench: &Bench, but: &[&str]) {
    for (name, bytes) in files(&bench.path("")) {
        let holds = bytes.windows(6).any(|part| part == b"CANARY");
        assert!(!holds || but.contains(&name.as_str()), "{name} holds a secret");
    }
}
