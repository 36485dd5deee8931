//! Commands on a server: the same words, the same JSON and the same exit codes as on the ledger itself.

use std::os::unix::fs::PermissionsExt as _;

use auditferry::demo::bucket::EmbeddedBucket;

use crate::support::api::{Served, token};
use crate::support::bench::{Answer, Bench};
use crate::support::checker::Database;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::program::insert_sql;
use crate::support::{folder, postgres, run};

mod kept;
mod network;

/// A ledger that can seal, a server of it, and the desk of somebody who has neither the ledger nor its keys.
struct Scene {
    bench: Bench,
    served: Served,
    token: String,
    desk: Bench,
}

impl Scene {
    /// On SQLite, or on a database of PostgreSQL.
    async fn new(on_postgres: bool) -> Self {
        let mut bench = Bench::new();
        if on_postgres {
            let cluster = postgres::cluster();
            bench = bench.env("AUDITFERRY__LEDGER__URL", &cluster.url(&cluster.create().await));
        }
        bench.does("keys generate --out key");
        let ring = format!("k1=file:{}", bench.path("key").display());
        let bench = bench.env("AUDITFERRY__KEYS__RING", &ring);
        bench.does("migrate");
        let served = Served::start(&bench, &[("AUDITFERRY__API__REQUESTS_PER_MINUTE", "100000")]);
        let token = token(&bench, "operator", &[]);
        let desk = desk(served.url(), &token);
        Self { bench, served, token, desk }
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

/// The same without seconds: of an instant that each command has for itself.
fn without_seconds(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("Z") {
        let (before, after) = rest.split_at(at);
        let kept = before.len().saturating_sub(3);
        let is_time = before.is_char_boundary(kept) && before[kept..].starts_with(':');
        out.push_str(if is_time { &before[..kept] } else { before });
        out.push('Z');
        rest = &after[1..];
    }
    out + rest
}

/// Records of an account, past our code.
async fn insert(scene: &Scene, url: Option<&str>, account: &str, count: u32) {
    let database = match url {
        Some(url) => Database::Postgres(url.to_owned()),
        None => Database::Sqlite(scene.bench.path("auditferry.db")),
    };
    database.execute(&insert_sql(account, 0..count)).await;
}

/// Every change that the API has, on both databases.
async fn changes_are_told_alike(on_postgres: bool) {
    let scene = Scene::new(on_postgres).await;
    scene.bench.file("secret", "HUSH");
    // The ledger has them too: the words of `destination set` on it say so.
    for line in [
        "account add ACCOUNT --zone Mars/Olympus",
        "account add ACCOUNT --zone Asia/Kolkata --start beginning --container gzip --reason 'ticket 17'",
        "account add ACCOUNT --zone Asia/Kolkata",
        "account set nobody --zone UTC",
        "account set ACCOUNT --schedule @daily --max-records 10 --layout array",
        "account set ACCOUNT --zone Europe/Berlin",
        "account set ACCOUNT --max-records 0",
        "account set ACCOUNT --schedule 'x y z'",
        "account set ACCOUNT --schedule '0 0 1 1 1 * 2020'",
        "account show ACCOUNT --json",
        "account rm nobody",
        "addon show ACCOUNT",
        "addon enable ACCOUNT --until 2020-01-01",
        "addon enable ACCOUNT --from beginning",
        "addon enable ACCOUNT --until 2099-01-01 --reason 'contract 4711'",
        "addon enable ACCOUNT --no-end",
        "addon enable ACCOUNT --from now",
        "addon show ACCOUNT --json",
        "addon disable ACCOUNT --reason unpaid",
        "addon enable nobody",
        "addon show nobody",
        "destination show ACCOUNT",
        "destination rm ACCOUNT",
        "destination test ACCOUNT",
        "destination rotate ACCOUNT --access-key-id AKIB",
    ] {
        scene.does_same(line);
    }
    let set = "destination set ACCOUNT --kind s3 --region eu-central-1 --access-key-id AKIA \
               --secret-access-key-file secret --seal";
    for line in [
        format!("{set} --bucket acme-siem --endpoint https://127.0.0.1:9"),
        format!("{set} --bucket acme-siem --no-test --expires 2020-01-01"),
        format!("{set} --bucket 'Not a bucket' --no-test"),
        format!("{set} --bucket acme-siem --no-test --prefix siem/"),
        format!("{set} --bucket acme-siem --no-test"),
        format!("{set} --bucket acme-siem --no-test --replace"),
        format!(
            "{set} --bucket acme-siem --no-test --replace --yes --storage-class STANDARD_IA --expires 2098-01-01"
        ),
        "destination show ACCOUNT".to_owned(),
        "destination rotate ACCOUNT --access-key-id AKIB --secret-access-key-file secret --seal --no-test"
            .to_owned(),
        "account show ACCOUNT --json".to_owned(),
        format!("{set} --bucket other-siem --endpoint https://127.0.0.1:9 --no-test --replace --yes"),
        "destination test ACCOUNT".to_owned(),
        "destination rm ACCOUNT --reason moved".to_owned(),
        "account pause ACCOUNT --reason 'on their wish'".to_owned(),
        "account pause ACCOUNT".to_owned(),
        "account resume ACCOUNT".to_owned(),
        "account resume ACCOUNT".to_owned(),
        "account pause nobody".to_owned(),
        "account release ACCOUNT".to_owned(),
        "account rewind ACCOUNT --accept".to_owned(),
        "account rewind --all --accept".to_owned(),
        "account deliver-now ACCOUNT".to_owned(),
        "account rm ACCOUNT".to_owned(),
        "token create x --role account-admin".to_owned(),
        "token create x --role reader --account nobody".to_owned(),
        "token create x --role reader --expires 2020-01-01".to_owned(),
        "token revoke 0000".to_owned(),
    ] {
        scene.does_same(&line);
    }
    // The references of an operator: they say where a secret is, and not what it is.
    let (direct, remote) = scene.both("destination show two --json");
    assert_same(&direct, &remote);

    // The change log names the token, and keeps the reason.
    let log = scene.bench.json("changes ls two --all");
    let of_api: Vec<_> = log.as_array().unwrap().iter().filter(|change| change["channel"] == "api").collect();
    assert!(of_api.len() > 10 && of_api.len() == log.as_array().unwrap().len(), "{log}");
    let reasons: Vec<&str> = of_api.iter().filter_map(|change| change["reason"].as_str()).collect();
    for reason in ["ticket 17", "contract 4711", "unpaid", "moved", "on their wish"] {
        assert!(reasons.contains(&reason), "{reasons:?}");
    }
    scene.does_same("account rm ACCOUNT --force");

    let made = scene.desk.json("token create 'back office' --role support --expires 2030-01-01");
    assert!(made["secret"].as_str().unwrap().starts_with("afs_"), "{made}");
    let id = made["id"].as_str().unwrap();
    scene.is_same("token ls");
    let revoked = scene.desk.does(&format!("token revoke {id}"));
    assert_eq!(revoked, format!("Token {id} (back office) opens nothing any more.\n"));
    assert_eq!(scene.bench.does(&format!("token revoke {id}")), revoked);
}

#[test]
fn changes_are_told_alike_on_sqlite() {
    run(changes_are_told_alike(false));
}

#[test]
fn changes_are_told_alike_on_postgres() {
    run(changes_are_told_alike(true));
}

/// Adds a slot, once the second has passed in which the add-on was enabled.
fn deliver_now(bench: &Bench, account: &str) {
    let began = std::time::Instant::now();
    loop {
        let answer = bench.run(&format!("account deliver-now {account} --reason trial"));
        if answer.code == Some(0) {
            return;
        }
        assert!(answer.err.contains("is not before now") && began.elapsed().as_secs() < 10, "{answer}");
    }
}

/// Every listing and view, of a ledger with deliveries, failures and more rows than a page has.
async fn what_there_is_is_told_alike(on_postgres: bool) {
    let mut bench_url = None;
    let mut bench = Bench::new();
    if on_postgres {
        let cluster = postgres::cluster();
        let url = cluster.url(&cluster.create().await);
        bench = bench.env("AUDITFERRY__LEDGER__URL", &url);
        bench_url = Some(url);
    }
    let bench = bench.env("AUDITFERRY__RETRY__FIRST_WAIT", "1h");
    bench.does("migrate");
    let served = Served::start(&bench, &[("AUDITFERRY__API__REQUESTS_PER_MINUTE", "100000")]);
    let secret = token(&bench, "operator", &[]);
    let desk = desk(served.url(), &secret);
    let scene = Scene { bench, served, token: secret, desk };
    for line in [
        "account ls",
        "account ls --failing",
        "deliveries ls",
        "deliveries ls --undelivered",
        "deliveries ls nobody --windows",
        "changes ls nobody",
        "keys ls",
        "status",
    ] {
        scene.is_same(line);
    }

    let name = if on_postgres { "remote-postgres" } else { "remote-sqlite" };
    let any = "127.0.0.1:0".parse().unwrap();
    let bucket = EmbeddedBucket::start(&folder(name), "siem", "AKIA", "HUSH", any).await.unwrap();
    let bench = &scene.bench;
    bench.file("secret", "HUSH");
    for (account, endpoint) in [("acme", bucket.endpoint()), ("broken", "http://127.0.0.1:9".to_owned())] {
        bench.does(&format!("account add {account} --zone Asia/Kolkata --start beginning --max-records 10"));
        bench.does(&format!(
            "destination set {account} --kind s3 --region us-east-1 --access-key-id AKIA --secret-access-key-file \
             secret --bucket siem --endpoint {endpoint} --allow-http --no-test --expires 2026-12-20"
        ));
        bench.does(&format!("addon enable {account} --until 2027-01-01 --reason 'contract 1'"));
        insert(&scene, bench_url.as_deref(), account, 25).await;
    }
    for account in ["acme", "broken"] {
        deliver_now(bench, account);
    }
    bench.run("run --until-idle");
    let objects = bench.json("deliveries ls acme");
    assert_eq!(objects.as_array().unwrap().len(), 3, "{objects}");
    let key = objects[0]["key"].as_str().unwrap();
    let export = |number: u32| format!("[[export]]\naccount = \"x{number:03}\"\nzone = \"UTC\"\n");
    bench.file("exports.toml", (1..=450).map(export).collect::<String>());
    bench.does("apply exports.toml");

    let views = [
        "status".to_owned(),
        "account ls".to_owned(),
        "account ls --failing".to_owned(),
        "account ls --failing --sort oldest".to_owned(),
        "account ls --ending-within 12h".to_owned(),
        "account ls --ending-within 3000d --limit 1".to_owned(),
        "account ls --limit 210".to_owned(),
        "account ls --all".to_owned(),
        "account ls --limit 0".to_owned(),
        "account show acme".to_owned(),
        "account show broken".to_owned(),
        "account show x001".to_owned(),
        "account show nobody".to_owned(),
        "account show acme --at 'yesterday 08:00'".to_owned(),
        "account show acme --at 2026-11-29T08:00:00Z".to_owned(),
        "account show acme --at 'today 23:59'".to_owned(),
        "addon show acme".to_owned(),
        "destination show acme".to_owned(),
        "destination test acme".to_owned(),
        "destination test broken".to_owned(),
        "deliveries ls".to_owned(),
        "deliveries ls acme --limit 2".to_owned(),
        "deliveries ls --undelivered".to_owned(),
        "deliveries ls acme --windows".to_owned(),
        format!("deliveries show acme {key}"),
        format!("deliveries show acme {}", key.rsplit('/').next().unwrap()),
        "deliveries show acme nothing.zip".to_owned(),
        "changes ls".to_owned(),
        "changes ls --all".to_owned(),
        "changes ls --limit 300".to_owned(),
        "changes ls acme --since 2026-01-01".to_owned(),
        "changes ls --by nobody".to_owned(),
        "token ls".to_owned(),
        "keys ls".to_owned(),
    ];
    for line in &views {
        let line = line.as_str();
        scene.is_same(line);
        if line.starts_with("destination test") {
            continue;
        }
        if line == "status" {
            let (mut direct, mut remote) = (scene.bench.json("status"), scene.desk.json("status"));
            for status in [&mut direct, &mut remote] {
                status["at"].take();
                status["no_worker"].take();
            }
            assert_eq!(remote, direct);
            continue;
        }
        let (mut direct, mut remote) = scene.both(&format!("{line} --json"));
        if line.starts_with("account show") {
            // How long ago the last worker ended.
            for answer in [&mut direct, &mut remote] {
                answer.out = plain(&answer.out);
            }
        }
        assert_eq!(
            (remote.code, &remote.out, &remote.err),
            (direct.code, &direct.out, &direct.err),
            "{line}"
        );
    }
    // What each command does at a time of its own.
    let (direct, remote) =
        (scene.bench.run("account deliver-now x001"), scene.desk.run("account deliver-now x001"));
    assert_same(&direct, &remote);
    let (direct, remote) =
        (scene.bench.run("account deliver-now acme"), scene.desk.run("account deliver-now broken"));
    assert!(direct.code == Some(0) && remote.code == Some(2), "{direct}{remote}");
    assert!(remote.err.contains("is in delivery") || remote.err.contains("broken"), "{remote}");
    let again = scene.desk.run("account deliver-now acme");
    let direct = scene.bench.run("account deliver-now acme");
    assert_eq!(without_seconds(&plain(&again.err)), without_seconds(&plain(&direct.err)), "{direct}{again}");
}

#[test]
fn what_there_is_is_told_alike_on_sqlite() {
    run(what_there_is_is_told_alike(false));
}

#[test]
fn what_there_is_is_told_alike_on_postgres() {
    run(what_there_is_is_told_alike(true));
}

/// Who may not is told so, and what has to be on the ledger says where.
#[test]
fn who_may_not_is_told_what_to_do() {
    run(async {
        let scene = Scene::new(false).await;
        scene.bench.does("account add acme --zone UTC");
        scene.bench.does("account add beta --zone UTC");
        let with = |secret: &str| desk(scene.served.url(), secret);
        let reader = with(&token(&scene.bench, "reader", &[]));
        assert_eq!(reader.does("account ls --json"), scene.bench.does("account ls --json"));
        let refused = reader.run("account pause acme");
        refused.is_refusal(1, &["the role of this token does not allow this request", "another role"]);
        reader.run("token ls").is_refusal(1, &["does not allow"]);

        // A customer's admin sees their own account, and no names of the worker's files.
        let admin = with(&token(&scene.bench, "account-admin", &["acme"]));
        admin.run("account show beta").is_refusal(2, &["account beta: there is none with this id"]);
        let listed: serde_json::Value = admin.json("account ls");
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        let set = "destination set acme --kind s3 --region eu-central-1 --bucket siem --access-key-id AKIA \
                   --secret-access-key-file secret";
        admin.run(&format!("{set} --skip-secrets")).is_refusal(2, &["secret", "from / on"]);
        let named = set.replace("--secret-access-key-file secret", "--secret-access-key-env HOME");
        admin.run(&format!("{named} --skip-secrets")).is_refusal(2, &["variable", "value"]);
        assert!(admin.does(&format!("{set} --no-test")).contains("sealed in the ledger with key k1"));
        let shown = admin.does("destination show acme");
        assert!(shown.contains("set = true") && !shown.contains("sealed"), "{shown}");
        admin.does("destination rotate acme --access-key-id AKIB --secret-access-key-file secret --no-test");
        admin.run("deliveries ls").is_refusal(1, &["name an account of yours"]);
        // An operator may name them.
        let operator = &scene.desk;
        operator.does(&format!("{named} --skip-secrets --replace --yes"));
        assert!(operator.does("destination show acme").contains("env = \"HOME\""));
        assert_eq!(operator.does("destination show acme"), scene.bench.does("destination show acme"));

        let id = scene.bench.json("token ls")[0]["id"].as_str().unwrap().to_owned();
        scene.bench.does(&format!("token revoke {id}"));
        let login = format!("auditferry login {}", scene.served.url());
        admin.run("account ls").is_refusal(1, &["does not accept the token", &login]);
        with("afo_HUSH").run("account ls").is_refusal(1, &["does not accept the token"]);

        for line in [
            "run",
            "serve",
            "demo",
            "check",
            "migrate",
            "apply x.toml",
            "import x.csv --account acme",
            "keys generate",
            "keys rotate",
            "source adopt",
            "records skip acme --reason x --key 1",
            "deliveries replay acme --from 20261121T040000Z --to 20261122T040000Z",
            "deliveries ls --replays",
            "notification ls",
            "destination trust acme",
        ] {
            let refused = operator.run(line);
            assert_eq!(refused.code, Some(2), "{refused}");
            let told = refused.err.contains("works on the ledger only: run it where the ledger is");
            assert!(told || refused.err.contains("Usage:"), "{refused}");
            assert!(!operator.path("auditferry.db").exists(), "{line} made a ledger");
        }
        operator.run("--as ana account ls").is_refusal(2, &["--as", "AUDITFERRY_ACTOR", "names the token"]);
    });
}

/// A token is in no output, no error, and no list of processes.
#[test]
fn a_token_is_shown_nowhere() {
    run(async {
        let scene = Scene::new(false).await;
        scene.bench.does("account add acme --zone UTC");
        let lines =
            ["account ls", "account show acme --json", "status", "changes ls --json", "account show nobody"];
        for line in lines {
            let answer = scene.desk.run(line);
            assert!(!answer.out.contains(&scene.token) && !answer.err.contains(&scene.token), "{line}");
        }
        // While a command runs, its arguments are everybody's to read.
        let mut watching = scene.desk.command(&["status", "--watch"]);
        watching.stdout(std::process::Stdio::null());
        let mut watching = watching.spawn().unwrap();
        let arguments = std::fs::read(format!("/proc/{}/cmdline", watching.id())).unwrap();
        watching.kill().unwrap();
        watching.wait().unwrap();
        assert!(!String::from_utf8_lossy(&arguments).contains(&scene.token));
        let help = scene.desk.does("account ls --help");
        assert!(!help.contains(&scene.token) && help.contains("--api-token-file"), "{help}");
        // Where it was given as an option by mistake, it is not repeated.
        let wrong = Bench::new().run(&format!("--server https://ana:{}@a.example account ls", scene.token));
        assert!(wrong.code == Some(2) && !wrong.err.contains(&scene.token), "{wrong}");
    });
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
