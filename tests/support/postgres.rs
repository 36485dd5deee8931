//! PostgreSQL from Debian's packages, with a data folder of the tests' own. It writes
//! to disk as in production: what is promised rests on it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::child::{Server, free_address};
use super::folder;

const INSTALLED: &str = "/usr/lib/postgresql";

/// Stands between the keeper of `child.rs` and the server: told to end, it ends the
/// server at once, whoever is connected, and removes the data.
const WARDEN: &str = r#"data=$1 signal=$2; shift 2; "$@" & server=$!
trap 'kill -"$signal" "$server"; wait "$server"; rm -rf "$data"; exit 0' TERM
wait "$server""#;

/// A running cluster.
pub struct Cluster {
    server: Server,
    data: PathBuf,
}

/// The one cluster of this test binary.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start("postgres", &[]))
}

/// The cluster of the tests that keep transactions open: each of them holds back whatever
/// the others of its cluster export.
pub fn busy_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start("postgres-busy", &[]))
}

impl Cluster {
    /// A cluster of its own, for tests that look at the server as a whole.
    pub fn start(name: &str, settings: &[&str]) -> Self {
        Self::start_in(name, &data_folder(name), settings)
    }

    /// The same in a folder that is there, of [`data_folder`].
    pub fn start_in(name: &str, data: &Path, settings: &[&str]) -> Self {
        let mut initdb = as_postgres(&program("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"]);
        run(initdb.arg(data));
        Self::serve(name, data, settings)
    }

    /// A streaming standby of this cluster.
    pub fn standby(&self, name: &str) -> Self {
        let data = data_folder(name);
        let port = self.server.address.port().to_string();
        let mut copy = as_postgres(&program("pg_basebackup"));
        copy.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port, "--checkpoint=fast", "-R", "-D"]);
        run(copy.arg(&data));
        Self::serve(name, &data, &["hot_standby=on"])
    }

    /// A copy as a backup tool makes it, which goes its own way from here.
    pub fn backup(&self, name: &str) -> Backup {
        let data = data_folder(name);
        let port = self.server.address.port().to_string();
        let mut copy = as_postgres(&program("pg_basebackup"));
        copy.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port, "--checkpoint=fast", "-D"]);
        run(copy.arg(&data));
        Backup { name: name.to_owned(), data }
    }

    /// Ends the server as a power cut does, and starts it again.
    pub fn crash(self, name: &str, settings: &[&str]) -> Self {
        let mut stop = as_postgres(&program("pg_ctl"));
        run(stop.args(["stop", "--mode=immediate", "-D"]).arg(&self.data));
        let data = self.data.clone();
        // Kept from here: the server that is gone has nothing left to remove.
        std::mem::forget(self);
        Self::serve(name, &data, settings)
    }

    /// The same cluster, in which this transaction id is the next. Not more than 2^31 ahead:
    /// everything is frozen after that, so that the next step may be as far.
    pub async fn with_next_id(self, name: &str, id: u32) -> Self {
        let mut stop = as_postgres(&program("pg_ctl"));
        run(stop.args(["stop", "--mode=fast", "-w", "-D"]).arg(&self.data));
        let data = self.data.clone();
        // Kept from here: the server that is gone has nothing left to remove.
        std::mem::forget(self);
        run(as_postgres(&program("pg_resetwal")).args(["-x", &id.to_string(), "-D"]).arg(&data));
        // Where the ends of the transactions from here on are noted: 2^20 of them in a file.
        let commits = data.join("pg_xact").join(format!("{:04X}", id >> 20));
        run(as_postgres(Path::new("truncate")).args(["--size=262144"]).arg(commits));
        let cluster = Self::serve(name, &data, &[]);
        let mut connection = cluster.connect("postgres").await;
        let open = "UPDATE pg_database SET datallowconn = true";
        sqlx::raw_sql(open).execute(&mut connection).await.expect("every database may be frozen");
        connection.close().await.expect("closes");
        let port = cluster.server.address.port().to_string();
        let mut freeze = as_postgres(&program("vacuumdb"));
        run(freeze.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port, "--all", "--freeze", "--quiet"]));
        cluster
    }

    /// The same databases in a new cluster, as `pg_upgrade` moves them. It takes any version from and to.
    pub fn upgrade(self, name: &str) -> Self {
        let mut stop = as_postgres(&program("pg_ctl"));
        run(stop.args(["stop", "--mode=fast", "-w", "-D"]).arg(&self.data));
        let (data, work) = (data_folder(name), data_folder(&format!("{name}-work")));
        let mut initdb = as_postgres(&program("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"]);
        run(initdb.arg(&data));
        let bin = program("pg_upgrade").parent().expect("a folder").to_owned();
        let mut upgrade = as_postgres(&program("pg_upgrade"));
        upgrade
            .current_dir(&work)
            .arg("-b")
            .arg(&bin)
            .arg("-B")
            .arg(&bin)
            .arg("-d")
            .arg(&self.data)
            .arg("-D")
            .arg(&data);
        let ports = [free_address().port().to_string(), free_address().port().to_string()];
        upgrade.args(["-U", "postgres", "--no-sync", "-p", &ports[0], "-P", &ports[1], "-s"]).arg(&work);
        run(&mut upgrade);
        std::fs::remove_dir_all(&work).expect("removed");
        Self::serve(name, &data, &[])
    }

    /// What `pg_dump` gives of a database, restored into an empty one of another cluster.
    pub fn dump_into(&self, database: &str, to: &Self, into: &str, dump: &[&str], restore: &[&str]) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let file = folder("dumps").join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        let mut dumping = Command::new(program("pg_dump"));
        dumping.args(["--format=custom", "--file"]).arg(&file).args(dump);
        run(dumping.arg("--dbname").arg(self.url(database)));
        let mut restoring = Command::new(program("pg_restore"));
        restoring.args(["--exit-on-error", "--dbname"]).arg(to.url(into)).args(restore);
        run(restoring.arg(&file));
    }

    /// Gives away transaction ids, as years of other work do.
    pub async fn spend_ids(&self, count: u32) {
        let mut connection = self.connect("postgres").await;
        let spend = format!(
            "SET synchronous_commit = off; DO $$ BEGIN FOR i IN 1..{count} LOOP PERFORM pg_current_xact_id(); \
             COMMIT; END LOOP; END $$"
        );
        for statement in spend.splitn(2, "; ") {
            sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect("ids");
        }
        connection.close().await.expect("closes");
    }

    fn serve(name: &str, data: &Path, settings: &[&str]) -> Self {
        let address = free_address();
        let listen = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", address.port()),
            // On TCP alone: a socket in a deep folder is over the system's limit.
            "unix_socket_directories=".to_owned(),
            "max_connections=200".to_owned(),
            "shared_buffers=32MB".to_owned(),
        ];
        let mut args = vec!["-D", data.to_str().expect("UTF-8")];
        for setting in listen.iter().map(String::as_str).chain(settings.iter().copied()) {
            args.extend(["-c", setting]);
        }
        let args = warden(data, "QUIT", &as_postgres(&program("postgres")), &args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let server = Server::start(name, &folder(name), address, Path::new("/bin/sh"), &args);
        Self { server, data: data.to_owned() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The URL of a database there.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.server.address)
    }

    /// A new, empty database; returns its name. It sorts texts as people do, not as
    /// bytes, as many customers' databases do.
    pub async fn create(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect("postgres").await;
        let sql = format!(
            "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("a new database");
        connection.close().await.expect("closes");
        name
    }

    /// Gives a migrated database the project's own roles; returns the URL of the worker's.
    pub async fn with_roles(&self, database: &str) -> String {
        let mut connection = self.connect(database).await;
        for role in ["auditferry_app", "auditferry_worker"] {
            // The script looks for them first; other tests may make them meanwhile.
            let sql = format!(
                "DO $$ BEGIN CREATE ROLE {role} LOGIN NOSUPERUSER; \
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("a role");
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sql/postgres-roles.sql");
        run(Command::new(program("psql"))
            .args(["--no-psqlrc", "--quiet", "-f", script])
            .arg(self.url(database)));
        format!("postgres://auditferry_worker@{}/{database}", self.server.address)
    }

    /// A connection past our code. The server may still be starting.
    pub async fn connect(&self, database: &str) -> PgConnection {
        let url = self.url(database);
        super::eventually("a connection to Postgres", async || PgConnection::connect(&url).await.ok()).await
    }
}

/// A backup that is not running.
pub struct Backup {
    name: String,
    data: PathBuf,
}

impl Backup {
    /// Runs it in the place of the cluster that it was taken of.
    pub fn restore(self) -> Cluster {
        Cluster::serve(&self.name, &self.data, &[])
    }
}

/// The arguments of `sh` for a server under the warden, and the signal that ends it at once.
pub(super) fn warden(data: &Path, signal: &str, server: &Command, args: &[&str]) -> Vec<String> {
    let words = std::iter::once(server.get_program()).chain(server.get_args());
    ["-c", WARDEN, "sh", data.to_str().expect("UTF-8"), signal]
        .into_iter()
        .chain(words.map(|word| word.to_str().expect("UTF-8")))
        .chain(args.iter().copied())
        .map(str::to_owned)
        .collect()
}

/// A folder that the user `postgres` can reach, wherever the checkout is. What a test
/// binary left that was killed before its server ran is removed by the next.
pub fn data_folder(name: &str) -> PathBuf {
    for left in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let file_name = left.file_name();
        let Some((prefix, pid)) = file_name.to_str().and_then(|text| text.rsplit_once('-')) else { continue };
        let ours = prefix.starts_with("auditferry-") && pid.parse::<u32>().is_ok();
        if ours && !Path::new("/proc").join(pid).exists() && !left.path().join("postmaster.pid").exists() {
            let _ = std::fs::remove_dir_all(left.path());
        }
    }
    let data = std::env::temp_dir().join(format!("auditferry-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir(&data).expect("data folder");
    if is_root() {
        run(Command::new("chown").arg("postgres:postgres").arg(&data));
    }
    run(Command::new("chmod").arg("700").arg(&data));
    data
}

/// The newest installed version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir(INSTALLED).into_iter().flatten().flatten();
    versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| *version >= 15)
        .max()
        .map(|version| Path::new(INSTALLED).join(version.to_string()).join("bin").join(name))
        .filter(|program| program.exists())
        .unwrap_or_else(|| {
            panic!(
                "no PostgreSQL 15 or newer under {INSTALLED}: run ./scripts/test, which installs it, \
                 or `apt-get install postgresql`"
            )
        })
}

/// Postgres refuses to run as root.
pub(super) fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
