//! The program with a folder, a database and ports of its own: its commands, and its
//! worker as a process that ends with the test.
#![allow(clippy::print_stderr, reason = "the worker's log belongs to a failure")]

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::daemon::bucket::Bucket;
use crate::support::api::Served;
use crate::support::child::free_address;
use crate::support::{eventually, folder, postgres};

/// What differs from the defaults: everything is quick.
const SETTINGS: &str = r#"
[worker]
poll_interval = "250ms"
lease = "30s"
drain_timeout = "20s"
[put]
timeout = "15s"
[retry]
first_wait = "200ms"
max_wait = "1s"
"#;

/// The slots of most tests.
pub(crate) const EVERY_SECOND: &str = "* * * * * *";
pub(crate) const EVERY_TWO_SECONDS: &str = "*/2 * * * * *";
/// A slot that no test lives to see.
pub(crate) const YEARLY: &str = "0 0 0 1 1 *";

/// The program under test. Others may build while the tests run, so it is kept by a
/// name of its own.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = env!("CARGO_BIN_EXE_auditferry");
        let ours = folder("bin").join("auditferry");
        if std::fs::hard_link(built, &ours).is_err() {
            std::fs::copy(built, &ours).expect("a copy of the program");
        }
        ours
    })
}

/// The program, with nothing of the tests' own environment in it.
pub(crate) fn command() -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AUDITFERRY") || name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// What a command said, for a failure.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}\nstdout: {}\nstderr: {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// One installation.
pub(crate) struct App {
    pub(crate) folder: PathBuf,
    /// The URL of the ledger and the source.
    pub(crate) url: String,
    environment: Vec<(String, String)>,
}

impl App {
    /// On a SQLite file of its own.
    pub(crate) fn sqlite() -> Self {
        let folder = new_folder();
        let url = format!("sqlite:{}", folder.join("auditferry.db").display());
        Self::at(folder, url)
    }

    /// On a database of its own in the tests' Postgres.
    pub(crate) async fn postgres() -> Self {
        let cluster = postgres::cluster();
        let url = cluster.url(&cluster.create().await);
        Self::at(new_folder(), url)
    }

    pub(crate) fn at(folder: PathBuf, url: String) -> Self {
        std::fs::write(folder.join("auditferry.toml"), SETTINGS).expect("settings");
        let app = Self { folder, url, environment: Vec::new() };
        app.cli(&["migrate"]);
        app
    }

    /// The same with another setting, as the environment gives it.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((format!("AUDITFERRY__{name}"), value.to_owned()));
        self
    }

    /// The same with another environment variable, which is no setting.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self) -> Command {
        let mut command = command();
        command.current_dir(&self.folder).args(["--config", "auditferry.toml"]);
        command.env("AUDITFERRY__LEDGER__URL", &self.url).env("AUDITFERRY__NETWORK__ALLOW", "127.0.0.1");
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Serves the API, without a worker.
    pub(crate) fn serve(&self) -> Served {
        let mut command = self.command();
        command.arg("serve");
        Served::spawn(command, &self.folder.join("serve.log"))
    }

    /// Runs a command that may fail.
    pub(crate) fn try_cli(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("the program")
    }

    /// Starts a command, to be killed.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program")
    }

    /// Runs `auditferry health` as a container does, beside a worker.
    pub(crate) fn health(&self, listen: SocketAddr) -> Output {
        let listen = listen.to_string();
        self.command().arg("health").env("AUDITFERRY__HTTP__LISTEN", listen).output().expect("the program")
    }

    /// Runs a command; returns what it printed.
    pub(crate) fn cli(&self, args: &[&str]) -> String {
        let output = self.try_cli(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs a command of two words that prints JSON.
    pub(crate) fn json(&self, words: [&str; 2], args: &[&str]) -> Value {
        serde_json::from_str(&self.cli(&[&words[..], &["--json"], args].concat())).expect("JSON")
    }

    /// Adds an account of Asia/Kolkata that delivers to a bucket.
    pub(crate) fn add(&self, account: &str, bucket: &Bucket, schedule: &str, options: &[&str]) {
        self.add_to(account, &bucket.options, schedule, options);
    }

    /// The same with a destination as the command line names it.
    pub(crate) fn add_to(&self, account: &str, place: &[String], schedule: &str, options: &[&str]) {
        let add = ["account", "add", "--zone", "Asia/Kolkata", "--schedule", schedule];
        self.cli(&[&add, options, &["--", account]].concat());
        self.set_destination(account, place, &[]);
        self.cli(&["addon", "enable", "--", account]);
    }

    pub(crate) fn set_destination(&self, account: &str, place: &[String], options: &[&str]) {
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        self.cli(&[&["destination", "set", "--no-test"], &place[..], options, &["--", account]].concat());
    }

    /// What `account show` tells.
    pub(crate) fn show(&self, account: &str) -> Value {
        self.json(["account", "show"], &["--", account])
    }

    /// Waits until `account show` tells something.
    pub(crate) async fn shown(&self, account: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("account {account}: {what}"), async || {
            let shown = self.show(account);
            if so(&shown) {
                return Some(shown);
            }
            // A process for each look: not too many of them.
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        })
        .await
    }

    /// The objects of an account in the history, in the order of windows.
    pub(crate) fn deliveries(&self, account: &str) -> Vec<Value> {
        let listed = self.json(["deliveries", "ls"], &["--limit", "10000", "--", account]);
        let mut rows = listed.as_array().expect("a list").clone();
        rows.sort_by_key(|row| (row["window"].as_u64(), row["ordinal"].as_u64()));
        rows
    }

    /// The attempts of one object.
    pub(crate) fn attempts(&self, account: &str, key: &str) -> Vec<Value> {
        let shown = self.json(["deliveries", "show"], &["--", account, key]);
        shown["attempts"].as_array().expect("a list").clone()
    }

    /// How many windows an account has had.
    pub(crate) fn windows(&self, account: &str) -> u64 {
        let listed = self.json(["account", "ls"], &[]);
        let mut lines = listed.as_array().expect("a list").iter();
        lines.find(|line| line["account"] == account).expect("the account")["windows"]
            .as_u64()
            .expect("count")
    }

    /// Waits until a window is closed whose bound was captured after this call: what is due
    /// was delivered, and what was delivered before had its chance to come again.
    pub(crate) async fn settle(&self, account: &str) {
        let now = Timestamp::now();
        let settled = |shown: &Value| {
            shown["watermark_at"].as_str().expect("text").parse::<Timestamp>().expect("an instant") > now
        };
        self.shown(account, "a window more", settled).await;
    }

    /// Waits until the ledger knows that a worker runs, which is soon after it answers.
    pub(crate) async fn runs(&self) {
        eventually("a worker's sign of life", async || {
            let status: Value = serde_json::from_str(&self.cli(&["status", "--json"])).expect("JSON");
            status["no_worker"].is_null().then_some(())
        })
        .await;
    }

    /// Starts a worker, and waits until it answers.
    pub(crate) async fn start(&self) -> Worker {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let listen = free_address();
        let log = self.folder.join(format!("worker-{}.log", NEXT.fetch_add(1, Ordering::Relaxed)));
        let output = File::create(&log).expect("log");
        let child = self
            .command()
            .arg("run")
            .env("AUDITFERRY__HTTP__LISTEN", listen.to_string())
            .stdout(output.try_clone().expect("log"))
            .stderr(output)
            .spawn()
            .expect("the program");
        let mut worker = Worker { child, log, listen };
        let deadline = Instant::now() + Duration::from_secs(60);
        while worker.get("/healthz").await.is_none_or(|(status, _)| status != 200) {
            assert!(worker.ended().is_none() && Instant::now() < deadline, "the worker does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        worker
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for args in [["account", "ls"], ["deliveries", "ls"]] {
                eprintln!("{args:?}: {}", said(&self.try_cli(&args)));
            }
        }
    }
}

fn new_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    folder(&format!("app-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A running `auditferry run`; it is killed when this is dropped.
pub(crate) struct Worker {
    child: Child,
    log: PathBuf,
    pub(crate) listen: SocketAddr,
}

impl Worker {
    /// Asks for a page; none when nobody answers.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("http://{}{path}", self.listen)).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// The sum of a metric over its labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").await.expect("metrics");
        let values = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().expect("a number")).sum()
    }

    /// What the kernel allows it: the soft and the hard limit of a line.
    pub(crate) fn limits(&self, line: &str) -> (String, String) {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).expect("limits");
        let of = limits.lines().find_map(|text| text.strip_prefix(line)).expect("the line");
        let mut values = of.split_whitespace().map(str::to_owned);
        (values.next().expect("a soft limit"), values.next().expect("a hard limit"))
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success(), "SIG{name}");
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the worker's state")
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        eventually("the end of the worker", async || self.ended()).await
    }

    /// As a supervisor stops it.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM");
        let status = self.end().await;
        assert!(status.success(), "after SIGTERM: {status}");
    }

    /// As the kernel stops it.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("its end");
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.log.display(), self.log());
        }
    }
}
