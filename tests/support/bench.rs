//! The real binary in a folder of its own, and what it answers.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with a ledger, and whatever a test puts beside it.
pub struct Bench {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What the binary answered.
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    command: String,
}

impl Bench {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder"), environment: Vec::new() }
    }

    /// A folder with a ledger in which the account `acme` is.
    pub fn with_acme() -> Self {
        let bench = Self::new();
        bench.does("account add acme --zone Asia/Kolkata");
        bench
    }

    /// The same, with a destination.
    pub fn with_destination() -> Self {
        let bench = Self::with_acme();
        bench.file("secret", "HUSH");
        bench.does(&format!("destination set acme {S3} --bucket acme-siem"));
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("write");
    }

    /// The same folder with an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs with an environment variable once.
    pub fn with(&self, name: &str, value: &str) -> With<'_> {
        With { bench: self, name: name.to_owned(), value: value.to_owned(), more: Vec::new() }
    }

    /// A command of this folder. Nothing of the developer's own environment counts.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auditferry"));
        command.args(words).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        // The tests' stores are on loopback.
        command.env("AUDITFERRY__NETWORK__ALLOW", "127.0.0.1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the words of a command line; `'…'` holds one word together.
    pub fn run(&self, line: &str) -> Answer {
        answer(self.command(&words(line)), line)
    }

    /// Runs with a text on standard input.
    pub fn run_with_input(&self, line: &str, input: &str) -> Answer {
        self.file("standard-input", input);
        let mut command = self.command(&words(line));
        command.stdin(std::fs::File::open(self.path("standard-input")).expect("input"));
        let answer = answer(command, line);
        std::fs::remove_file(self.path("standard-input")).expect("input");
        answer
    }

    /// Runs what must work, and gives what it printed.
    pub fn does(&self, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!(answer.code, Some(0), "{answer}");
        answer.out
    }

    /// Runs what must work, and gives its JSON.
    pub fn json(&self, line: &str) -> Value {
        let out = self.does(&format!("{line} --json"));
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line} --json: {error}\n{out}"))
    }

    /// Runs what must be refused with exit code 2 and these words, changing nothing.
    pub fn refuses(&self, line: &str, says: &[&str]) {
        let before = self.state();
        let answer = self.run(line);
        answer.is_refusal(2, says);
        assert_eq!(self.state(), before, "{answer}\nchanged something");
    }

    /// A run has come and gone, so that another one is expected.
    pub fn visited(self) -> Self {
        self.does("run --until-idle");
        self
    }

    /// Everything that the ledger and the source know, and which files there are.
    pub fn state(&self) -> Vec<String> {
        let mut state: Vec<String> = self.files().into_iter().collect();
        if !self.path("auditferry.db").exists() {
            return state;
        }
        let accounts = self.json("account ls");
        for account in accounts.as_array().expect("a list") {
            let id = account["account"].as_str().expect("an id");
            state.push(account.to_string());
            let mut shown = self.json(&format!("account show '{id}'"));
            // Workers come and go by themselves.
            shown.as_object_mut().expect("an object").remove("no_worker");
            state.push(shown.to_string());
            state.push(self.run(&format!("destination show '{id}' --json")).out);
        }
        state.push(self.json("deliveries ls").to_string());
        state
    }

    /// What is in the folder, besides what SQLite and a worker's lock leave there.
    fn files(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("folder");
        let names = entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| !["-wal", "-shm", ".lock"].iter().any(|left| name.ends_with(left))).collect()
    }

    /// Starts a worker and waits until it has said that it starts.
    pub fn worker(&self, listen: &str) -> Worker {
        let mut command = self.command(&["run"]);
        let log = std::fs::File::create(self.path("worker.log")).expect("log");
        let child = command
            .env("AUDITFERRY__HTTP__LISTEN", listen)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary");
        let worker = Worker(child);
        let began = Instant::now();
        while !std::fs::read_to_string(self.path("worker.log")).is_ok_and(|log| log.contains("starts")) {
            assert!(began.elapsed() < Duration::from_secs(30), "the worker does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        worker
    }
}

/// A folder and an environment variable for one command.
pub struct With<'b> {
    bench: &'b Bench,
    name: String,
    value: String,
    more: Vec<(String, String)>,
}

impl With<'_> {
    /// And another one.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.more.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn run(&self, line: &str) -> Answer {
        let mut command = self.bench.command(&words(line));
        command.env(&self.name, &self.value);
        command.envs(self.more.iter().map(|(name, value)| (name, value)));
        answer(command, &format!("{}={} auditferry {line}", self.name, self.value))
    }

    pub fn refuses(&self, line: &str, says: &[&str]) {
        let before = self.bench.state();
        let answer = self.run(line);
        answer.is_refusal(2, says);
        assert_eq!(self.bench.state(), before, "{answer}\nchanged something");
    }
}

/// A worker that runs until it is dropped.
pub struct Worker(Child);

impl Worker {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Answer {
    /// Asserts an exit code, and that the message holds these words.
    pub fn is_refusal(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{self}");
        for word in says {
            assert!(self.err.contains(word), "{self}\nsays nothing of {word:?}");
        }
        for leak in ["HUSH", "SFVTSA", "panicked", "RUST_BACKTRACE", "\u{1b}["] {
            assert!(!self.err.contains(leak) && !self.out.contains(leak), "{self}\nholds {leak:?}");
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "auditferry {}\nexit code {:?}\n{}{}", self.command, self.code, self.out, self.err)
    }
}

/// Longest time that a command may take; one that hangs must not hang the tests.
const PATIENCE: Duration = Duration::from_secs(60);

fn answer(mut command: Command, line: &str) -> Answer {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary");
    let (mut out, mut err) = (child.stdout.take().expect("out"), child.stderr.take().expect("err"));
    let out = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let err = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text)
    });
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("wait") {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("auditferry {line} still runs after {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Answer {
        code: status.code(),
        out: out.join().expect("reader").expect("UTF-8"),
        err: err.join().expect("reader").expect("UTF-8"),
        command: line.to_owned(),
    }
}

/// The words of a line; `'…'` holds one together.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part);
        } else {
            words.extend(part.split_whitespace());
        }
    }
    words
}

/// Options of a destination whose secret is in the file `secret`, and that is not tried: there is none.
pub const S3: &str =
    "--kind s3 --region eu-central-1 --access-key-id AKIA --secret-access-key-file secret --no-test";
