//! What the tests of this binary begin with.

use std::path::PathBuf;

use auditferry::demo::bucket::EmbeddedBucket;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::support;
use crate::support::bench::{Answer, Bench};
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

/// An account that may use the worker's own identity, everything logged.
pub(crate) fn with_own_identity(bench: Bench) -> Bench {
    let bench = bench
        .env("AUDITFERRY__LOG__LEVEL", "trace")
        .env("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "acme")
        .env("AUDITFERRY__CREDENTIALS__TOKEN_HOSTS", "127.0.0.1");
    bench.does("account add acme --zone UTC --start beginning");
    bench.does("addon enable acme");
    bench
}

/// A destination that the worker uses as itself.
pub(crate) trait OwnDestination {
    /// How a token of the worker's own begins.
    const TOKEN: &str;
    /// The file that holds a secret of the platform's on purpose.
    const GIVEN: &str;

    fn bench(&self) -> &Bench;
    fn set(&self, options: &str) -> String;
    async fn delivered(&self, prefix: &str) -> usize;
    /// Gives back the token that the owner finds there.
    async fn prove(&self) -> Answer;
}

/// What is set waits for the proof, and nothing is written before it.
pub(crate) async fn delivers_once_it_is_proved<D: OwnDestination>(scene: &D, options: &str) {
    let bench = scene.bench();
    let set = bench.does(&scene.set(options));
    for words in ["get a token: the cloud has given one", "has to prove it theirs", "destination prove acme"]
    {
        assert!(set.contains(words), "{set}\nsays nothing of {words:?}");
    }
    assert!(bench.run("destination show acme").err.contains("no destination"));
    records(bench).await;
    bench.does("run --until-idle");
    assert_eq!(scene.delivered("audit/").await, 0);
    let proved = scene.prove().await;
    assert_eq!(proved.code, Some(0), "{proved}");
    let run = bench.run("run --until-idle");
    assert_eq!((run.code, scene.delivered("audit/acme/").await), (Some(0), 3), "{run}");
    let test = bench.run("destination test acme");
    assert_eq!(test.code, Some(0), "{test}");
    let (shown, check) = (bench.does("destination show acme"), bench.does("check"));
    for text in [set, proved.to_string(), run.to_string(), test.to_string(), shown, check] {
        assert!(!text.contains("CANARY") && !text.contains(D::TOKEN), "a secret is shown: {text}");
    }
    leaves_no_canary(bench, &[D::GIVEN]);
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
fn leaves_no_canary(bench: &Bench, but: &[&str]) {
    for (name, bytes) in files(&bench.path("")) {
        let holds = bytes.windows(6).any(|part| part == b"CANARY");
        assert!(!holds || but.contains(&name.as_str()), "{name} holds a secret");
    }
}
