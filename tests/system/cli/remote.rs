//! Commands on a server: the same words, the same JSON and the same exit codes as on the ledger itself.

use std::os::unix::fs::PermissionsExt as _;

use auditferry::demo::bucket::EmbeddedBucket;

use crate::support::api::{Served, token};
use crate::support::bench::{Answer, Bench};
use crate::support::checker::Database;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::program::insert_sql;
use crate::support::{folder, postgres};

mod changes;
mod kept;
mod network;
mod notifications;
mod portal;
mod records;
mod replays;
mod rights;
mod sessions;
mod views;

/// Where its pages are said to be.
const PAGES: &str = "https://exports.example";

/// A ledger that can seal, a server of it, and the desk of somebody who has neither the ledger nor its keys.
struct Scene {
    bench: Bench,
    served: Served,
    token: String,
    desk: Bench,
    database: Database,
}

impl Scene {
    /// On SQLite, or on a database of PostgreSQL.
    async fn new(on_postgres: bool) -> Self {
        // What fails once is not tried again meanwhile.
        let mut bench = Bench::new().env("AUDITFERRY__RETRY__FIRST_WAIT", "1h");
        let mut database = Database::Sqlite(bench.path("auditferry.db"));
        if on_postgres {
            let cluster = postgres::cluster();
            let url = cluster.url(&cluster.create().await);
            bench = bench.env("AUDITFERRY__LEDGER__URL", &url);
            database = Database::Postgres(url);
        }
        bench.does("keys generate --out key");
        let ring = format!("k1=file:{}", bench.path("key").display());
        let bench = bench.env("AUDITFERRY__KEYS__RING", &ring);
        bench.does("migrate");
        let settings =
            [("AUDITFERRY__API__REQUESTS_PER_MINUTE", "100000"), ("AUDITFERRY__API__PUBLIC_URL", PAGES)];
        let served = Served::start(&bench, &settings);
        let token = token(&bench, "operator", &[]);
        let desk = desk(served.url(), &token);
        Self { bench, served, token, desk, database }
    }

    /// Two accounts with 25 records each: `acme` has three objects in the bucket, and those of `broken` are refused.
    async fn delivers(&self, name: &str) -> EmbeddedBucket {
        let any = "127.0.0.1:0".parse().unwrap();
        let bucket = EmbeddedBucket::start(&folder(name), "siem", "AKIA", "HUSH", any).await.unwrap();
        let bench = &self.bench;
        bench.file("secret", "HUSH");
        for (account, endpoint) in [("acme", bucket.endpoint()), ("broken", "http://127.0.0.1:9".to_owned())]
        {
            bench.does(&format!(
                "account add {account} --zone Asia/Kolkata --start beginning --max-records 10"
            ));
            bench.does(&format!(
                "destination set {account} --kind s3 --region us-east-1 --access-key-id AKIA --secret-access-key-file \
                 secret --bucket siem --endpoint {endpoint} --allow-http --no-test --expires 2026-12-20"
            ));
            bench.does(&format!("addon enable {account} --until 2027-01-01 --reason 'contract 1'"));
            self.database.execute(&insert_sql(account, 0..25)).await;
        }
        for account in ["acme", "broken"] {
            deliver_now(bench, account);
        }
        bench.run("run --until-idle");
        let objects = bench.json("deliveries ls acme");
        assert_eq!(objects.as_array().unwrap().len(), 3, "{objects}");
        bucket
    }

    /// The same command on the ledger and at the desk.
    fn both(&self, line: &str) -> (Answer, Answer) {
        (self.bench.run(line), self.desk.run(line))
    }

    /// That a command says the same on both, and fails with the same code.
    fn is_same(&self, line: &str) {
        let (direct, remote) = self.both(line);
        assert_same(&direct, &remote);
    }

    /// The same of a change, made to the account `one` on the ledger and to `two` at the desk.
    fn does_same(&self, line: &str) {
        if line.contains(" show ") {
            // Of one account, which has its times for itself.
            self.is_same(&line.replace("ACCOUNT", "one"));
            return self.is_same(&line.replace("ACCOUNT", "two"));
        }
        let direct = self.bench.run(&line.replace("ACCOUNT", "one"));
        let mut remote = self.desk.run(&line.replace("ACCOUNT", "two"));
        for text in [&mut remote.out, &mut remote.err] {
            *text = text.replace("two", "one");
        }
        assert_same(&direct, &remote);
    }
}

/// A folder without a ledger, where commands go to a server.
fn desk(url: &str, token: &str) -> Bench {
    let desk = Bench::new().env("AUDITFERRY_SERVER", url).env("AUDITFERRY_TOKEN", token);
    desk.file("secret", "HUSH");
    desk
}

fn assert_same(direct: &Answer, remote: &Answer) {
    assert_eq!(remote.code, direct.code, "{direct}\n{remote}");
    assert_eq!(plain(&remote.out), plain(&direct.out), "{direct}\n{remote}");
    assert_eq!(plain(&remote.err), plain(&direct.err), "{direct}\n{remote}");
}

/// A text without what must differ: where it was looked, how long ago something was, how long it took, the time of
/// day to the second, random names, and the progress of a trial that nobody sees from afar.
fn plain(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("  …  ")) {
        if line.starts_with("ledger ") || line.starts_with("server ") {
            continue;
        }
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let mut told = Vec::new();
        let mut skip = false;
        for (at, word) in words.iter().enumerate() {
            if std::mem::take(&mut skip) {
                continue;
            }
            let next = words.get(at + 1);
            if matches!(*word, "ledger" | "server") && at > 0 && words[at - 1] == "the" {
                told.push("PLACE".to_owned());
                skip = next.is_some_and(|next| next.contains(':'));
                continue;
            }
            if *word == "ms" {
                told.pop();
                continue;
            }
            let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let span = bare.len() > 1
                && bare.ends_with(['s', 'm', 'h', 'd'])
                && bare[..bare.len() - 1].bytes().all(|byte| byte.is_ascii_digit());
            let probe = word.contains("auditferry-probe/");
            let random = probe
                || bare.len() >= 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
            if span || random {
                if told.last().is_none_or(|last| last != "N") {
                    told.push("N".to_owned());
                }
                continue;
            }
            told.push((*word).to_owned());
        }
        lines.push(told.join(" "));
    }
    lines.join("\n")
}

/// Adds a slot, once the second has passed in which the add-on was enabled.
pub(crate) fn deliver_now(bench: &Bench, account: &str) {
    let began = std::time::Instant::now();
    loop {
        let answer = bench.run(&format!("account deliver-now {account} --reason trial"));
        if answer.code == Some(0) {
            return;
        }
        assert!(answer.err.contains("is not before now") && began.elapsed().as_secs() < 10, "{answer}");
    }
}

/// The mode of a file.
fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A proxy before a server, that does these to the first requests.
async fn proxied(scene: &Scene, faults: Vec<Fault>) -> FaultProxy {
    let address = scene.served.url().trim_start_matches("http://").parse().unwrap();
    FaultProxy::start(address, faults).await
}
