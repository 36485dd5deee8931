//! The real program on a database and a store of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use auditferry::demo::bucket::EmbeddedBucket;
use auditferry_core::model::destination::SecretRef;

use super::checker::{Database, Objects};
use super::gcs_server::{self, GcsServer};
use super::{azurite, folder, moto, postgres, secret};

/// Longest wait for a program that ends by itself, or for everything to be delivered.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Where objects go.
pub enum Bucket {
    Embedded(EmbeddedBucket, PathBuf),
    Moto(String),
    Azurite(String),
    Google(GcsServer, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    Embedded,
    Moto,
    Azurite,
    Google,
}

fn path_of(secret: SecretRef) -> String {
    match secret {
        SecretRef::File(path) => path.display().to_string(),
        SecretRef::Env(_) | SecretRef::Sealed(_) => unreachable!("the tests' secrets are files"),
    }
}

impl Bucket {
    /// A new one; the name is unique within the test binary.
    pub async fn new(kind: StoreKind, name: &str) -> Self {
        match kind {
            StoreKind::Embedded => {
                let root = folder(&format!("{name}-s3"));
                let any = "127.0.0.1:0".parse().expect("address");
                let server = EmbeddedBucket::start(&root, name, "AKIA", "secret", any).await.expect("starts");
                Self::Embedded(server, root.join(name))
            }
            StoreKind::Moto => {
                moto::bucket(name).await;
                Self::Moto(name.to_owned())
            }
            StoreKind::Azurite => {
                azurite::create_container(name).await;
                Self::Azurite(name.to_owned())
            }
            StoreKind::Google => {
                let server = GcsServer::start().await;
                server.bucket(name, &gcs_server::known_key());
                Self::Google(server, name.to_owned())
            }
        }
    }

    /// Its `[export.destination]`, in one line.
    fn destination(&self) -> String {
        let s3 = |bucket: &str, endpoint: &str, id: &str, key: &str| {
            let file = path_of(secret(key));
            format!(
                "{{ kind = 's3', allow_http = true, bucket = '{bucket}', region = 'us-east-1', endpoint = '{endpoint}', \
                 credentials = {{ access_key = {{ id = '{id}', secret = {{ file = '{file}' }} }} }} }}"
            )
        };
        match self {
            Self::Embedded(server, path) => {
                let name = path.file_name().and_then(|name| name.to_str()).expect("name");
                s3(name, &server.endpoint(), "AKIA", "secret")
            }
            Self::Moto(name) => s3(name, &moto::moto().url(), "AKIAIOSFODNN7EXAMPLE", "anything"),
            Self::Azurite(name) => {
                let file = path_of(secret(&azurite::connection_string(azurite::KEY)));
                format!(
                    "{{ kind = 'azure', allow_http = true, container = '{name}', \
                     credentials = {{ connection_string = {{ file = '{file}' }} }} }}"
                )
            }
            Self::Google(server, name) => {
                let file = path_of(secret(&gcs_server::known_key()));
                format!(
                    "{{ kind = 'gcs', allow_http = true, bucket = '{name}', endpoint = '{}', \
                     credentials = {{ service_account = {{ file = '{file}' }} }} }}",
                    server.url()
                )
            }
        }
    }

    /// Puts an object of somebody else's, past our code.
    pub async fn intrude(&self, key: &str, body: &'static str) {
        match self {
            Self::Embedded(_, path) => {
                let file = path.join(key);
                std::fs::create_dir_all(file.parent().expect("a folder")).expect("folder");
                std::fs::write(file, body).expect("object");
            }
            Self::Moto(name) => {
                let put = reqwest::Client::new().put(format!("{}/{name}/{key}", moto::moto().url()));
                let answer = put.body(body).send().await.expect("moto");
                assert!(answer.status().is_success(), "{}", answer.status());
            }
            Self::Azurite(_) | Self::Google(..) => unreachable!("nobody intrudes there"),
        }
    }

    /// Takes such an object away.
    pub async fn remove(&self, key: &str) {
        match self {
            Self::Embedded(_, path) => std::fs::remove_file(path.join(key)).expect("object"),
            Self::Moto(name) => {
                let delete = reqwest::Client::new().delete(format!("{}/{name}/{key}", moto::moto().url()));
                let answer = delete.send().await.expect("moto");
                assert!(answer.status().is_success(), "{}", answer.status());
            }
            Self::Azurite(_) | Self::Google(..) => unreachable!("nobody intrudes there"),
        }
    }

    /// Everything in it besides probes, read past our code.
    pub async fn objects(&self) -> Objects {
        let mut objects = self.everything().await;
        objects.retain(|key, _| !key.starts_with("auditferry-probe/"));
        objects
    }

    async fn everything(&self) -> Objects {
        match self {
            Self::Embedded(_, path) => files(path),
            Self::Moto(name) => {
                let url = format!("{}/{name}", moto::moto().url());
                listed(&format!("{url}?list-type=2"), "Key", |key| format!("{url}/{key}")).await
            }
            Self::Azurite(name) => {
                let url = format!("{}/{name}", azurite::endpoint());
                let sas = azurite::account_sas("rl", azurite::KEY);
                let list = format!("{url}?restype=container&comp=list&{sas}");
                listed(&list, "Name", |key| format!("{url}/{key}?{sas}")).await
            }
            Self::Google(server, name) => {
                let object = |key: String| {
                    let body = server.object(name, &key).expect("object").body.to_vec();
                    (key, body)
                };
                server.keys(name).into_iter().map(object).collect()
            }
        }
    }
}

/// The files of a folder, by their paths in it.
pub fn files(root: &Path) -> Objects {
    let (mut objects, mut folders) = (Objects::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(root).expect("in it").display().to_string();
                objects.insert(key, std::fs::read(path).expect("object"));
            }
        }
    }
    objects
}

/// The objects that a listing in XML names.
async fn listed(list: &str, element: &str, url: impl Fn(&str) -> String) -> Objects {
    let get = async |url: &str| {
        let client = reqwest::Client::new();
        let answer = client.get(url).header("x-ms-version", "2021-12-02").send().await.expect("store");
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        answer.bytes().await.expect("body").to_vec()
    };
    let listing = String::from_utf8(get(list).await).expect("UTF-8");
    assert!(!listing.contains("<IsTruncated>true"), "too many objects for one listing");
    let mut objects = Objects::new();
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    for part in listing.split(&open).skip(1) {
        let key = part.split(&close).next().expect("a name").to_owned();
        // Azurite's listing names its container in an attribute, and each blob like this.
        let body = get(&url(&key)).await;
        objects.insert(key, body);
    }
    objects
}

/// An account of the tests.
pub struct Export {
    pub account: &'static str,
    pub zone: &'static str,
    pub max_records: u32,
    /// Seconds between its slots, counted within the minute.
    pub every: u32,
}

/// A database, a bucket, and the program's settings.
pub struct Installation {
    pub name: String,
    pub database: Database,
    pub bucket: Bucket,
    settings: Vec<(&'static str, String)>,
}

/// A running program; killed when it is dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL; returns whether it had still been running.
    pub fn kill(&mut self) -> bool {
        let running = matches!(self.child.try_wait(), Ok(None));
        let _ = self.child.kill();
        let _ = self.child.wait();
        running
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -TERM {pid}");
    }

    /// Waits until it ends by itself.
    pub async fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end; it said: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Installation {
    /// A new database and bucket, with the accounts, which export from the beginning.
    pub async fn new(name: &str, on_postgres: bool, store: StoreKind, exports: &[Export]) -> Self {
        let database = if on_postgres {
            let cluster = postgres::busy_cluster();
            Database::Postgres(cluster.url(&cluster.create().await))
        } else {
            Database::Sqlite(folder(name).join("auditferry.db"))
        };
        let bucket = Bucket::new(store, name).await;
        let settings = vec![
            ("LEDGER__URL", database.url()),
            ("LEDGER__MAX_CONNECTIONS", "4".to_owned()),
            ("SOURCE__MAX_CONNECTIONS", "4".to_owned()),
            ("WORKER__LEASE", "2s".to_owned()),
            ("WORKER__POLL_INTERVAL", "200ms".to_owned()),
            ("PUT__TIMEOUT", "1s".to_owned()),
            ("RETRY__FIRST_WAIT", "100ms".to_owned()),
            ("RETRY__MAX_WAIT", "1s".to_owned()),
            ("HTTP__LISTEN", String::new()),
            ("NETWORK__ALLOW", "127.0.0.1".to_owned()),
        ];
        let installation = Self { name: name.to_owned(), database, bucket, settings };
        let destination = installation.bucket.destination();
        let file = folder(name).join("exports.toml");
        let text: String = exports
            .iter()
            .map(|export| {
                let Export { account, zone, max_records, every } = export;
                format!(
                    "[[export]]\naccount = '{account}'\nzone = '{zone}'\nschedule = '*/{every} * * * * *'\n\
                     start = 'beginning'\nmax_records = {max_records}\naddon = {{ enabled = true }}\n\
                     destination = {destination}\n\n"
                )
            })
            .collect();
        std::fs::write(&file, text).expect("exports");
        installation.does(&["apply", file.to_str().expect("UTF-8"), "--no-test"]).await;
        installation
    }

    /// Runs a command that must work.
    pub async fn does(&self, args: &[&str]) {
        let mut command = self.start(args[0], args, &[]);
        let status = command.end().await;
        assert!(status.success(), "{args:?}: {status}: {}", command.log());
    }

    /// Lets every account go to another prefix of its bucket.
    pub async fn move_destinations(&self, prefix: &str) {
        let file = self.folder().join("exports.toml");
        let text = std::fs::read_to_string(&file).expect("exports");
        let text = text.replace("destination = {", &format!("destination = {{ prefix = '{prefix}',"));
        std::fs::write(&file, text).expect("exports");
        self.does(&["apply", file.to_str().expect("UTF-8"), "--no-test"]).await;
    }

    /// Starts the program, or the one that AUDITFERRY_TEST_PROGRAM names; its output goes to `NAME.log` in the installation's folder.
    pub fn start(&self, name: &str, args: &[&str], environment: &[(&str, &str)]) -> Running {
        let log = folder(&self.name).join(format!("{name}.log"));
        let output = File::create(&log).expect("log");
        let program = std::env::var_os("AUDITFERRY_TEST_PROGRAM");
        let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_auditferry").into()));
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("AUDITFERRY_") || key == "FAILPOINTS" {
                command.env_remove(key);
            }
        }
        for (key, value) in &self.settings {
            command.env(format!("AUDITFERRY__{key}"), value);
        }
        let child = command
            .args(args)
            .envs(environment.iter().copied())
            .current_dir(folder(&self.name))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("log"))
            .stderr(output)
            .spawn()
            .expect("the program");
        Running { child, log }
    }

    /// Records of an account, each with an id of its own, in one transaction.
    pub async fn insert(&self, account: &str, ids: std::ops::Range<u32>) {
        self.database.execute(&insert_sql(account, ids)).await;
    }

    /// Lets workers run until everything is delivered and nothing is in delivery.
    pub async fn settle(&self) -> Result<(), String> {
        let start = Instant::now();
        for round in 1.. {
            let mut worker = self.start(&format!("settle-{round}"), &["run", "--until-idle"], &[]);
            let status = worker.end().await;
            let (source, delivered, open) = self.database.progress().await;
            if source == delivered && open == 0 {
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(40) {
                return Err(format!(
                    "{source} records, {delivered} delivered, {open} windows open after {round} runs; \
                     the last: {status}: {}",
                    worker.log()
                ));
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        unreachable!("the loop has no end")
    }

    /// Compares everything, with what stood in the bucket before.
    pub async fn check(&self, before: &Objects, in_one_order: bool) -> super::checker::Report {
        let after = self.bucket.objects().await;
        let unpack = folder(&self.name).join("unpack");
        let mut report = super::checker::check(&self.database, &after, &unpack, in_one_order).await;
        report.problems.extend(super::checker::changed(before, &after));
        report
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> PathBuf {
        folder(Path::new(&self.name).to_str().expect("UTF-8"))
    }
}

/// One INSERT of records with ids of their own, in fields that need escaping.
pub fn insert_sql(account: &str, ids: std::ops::Range<u32>) -> String {
    let rows: Vec<String> = ids
        .map(|id| {
            let at = format!("2026-11-{:02}T{:02}:00:{:02}.{:03}Z", 1 + id % 20, id % 24, id % 60, id % 1000);
            let ip = if id % 3 == 0 { "NULL".to_owned() } else { format!("'10.0.0.{}'", id % 250) };
            format!(
                "('{account}', '{at}', 'é{id}@x.example', 'login', '{account}-{id}', 'a \"b\" {id}', {ip})"
            )
        })
        .collect();
    format!(
        "INSERT INTO audit_log (account_id, occurred_at, email, action, action_id, description, ip_address) \
         VALUES {}",
        rows.join(", ")
    )
}
