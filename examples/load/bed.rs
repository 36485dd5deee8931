//! What every scenario runs on: a PostgreSQL and a store of its own, and the program.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::records::{self, Records, ZONE};
use crate::support::folder;
use crate::support::postgres::Cluster;
use crate::usage::{self, Killed};
use crate::{Result, program};

pub(crate) const BUCKET: &str = "load";

/// What all scenarios have in common.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// What the records are made from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// A setting of the program, such as `AUDITFERRY__WORKER__READ_AHEAD=0`.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// A setting of the PostgreSQL server, such as `session_preload_libraries=auto_explain`.
    #[arg(long = "postgres", value_name = "NAME=VALUE")]
    postgres: Vec<String>,
    /// Deletes an object before the check, to see that it is missed.
    #[arg(long, hide = true)]
    pub(crate) spoil: bool,
}

/// The servers of a run.
pub(crate) struct Bed {
    pub(crate) cluster: Cluster,
    pub(crate) common: Common,
    /// Where the store keeps its objects, by bucket and key.
    pub(crate) objects: PathBuf,
    pub(crate) endpoint: String,
    postmaster: u32,
    store: Killed,
}

/// The databases of a run: of one, the ledger changes with each round.
#[derive(Clone)]
pub(crate) struct Databases {
    pub(crate) source: String,
    pub(crate) ledger: String,
}

/// CPU seconds of the servers so far.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) postgres: f64,
    pub(crate) store: f64,
}

impl Spent {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { postgres: self.postgres - before.postgres, store: self.store - before.store }
    }
}

/// One export, as it is declared.
pub(crate) struct Export<'a> {
    pub(crate) account: &'a str,
    pub(crate) schedule: &'a str,
    pub(crate) prefix: &'a str,
    /// Further lines of TOML.
    pub(crate) more: &'a str,
}

impl Bed {
    pub(crate) async fn start(common: &Common, settings: &[&str]) -> Result<Self> {
        let mut all = [&["shared_buffers=512MB", "max_wal_size=8GB"], settings].concat();
        all.extend(common.postgres.iter().map(String::as_str));
        let cluster = Cluster::start("load", &all);
        let postmaster = postmaster(&cluster).await?;
        let objects = folder("objects");
        let (store, endpoint) = start_store(&objects)?;
        Ok(Self { cluster, common: common.clone(), objects, endpoint, postmaster, store })
    }

    /// A new database with an audit log that holds these records.
    pub(crate) async fn source(&self, records: &Records<'_>) -> Result<String> {
        let url = self.cluster.url(&self.cluster.create().await);
        succeed(self.program(&Databases { source: url.clone(), ledger: url.clone() })?.arg("migrate"))?;
        records::insert(&url, records).await?;
        Ok(url)
    }

    /// A new ledger for a source.
    pub(crate) async fn ledger(&self, source: &str) -> Result<Databases> {
        let ledger = self.cluster.url(&self.cluster.create().await);
        let databases = Databases { source: source.to_owned(), ledger };
        succeed(self.program(&databases)?.arg("migrate"))?;
        Ok(databases)
    }

    /// Declares an account with its destination and its add-on.
    pub(crate) fn apply(&self, databases: &Databases, export: &Export<'_>) -> Result<()> {
        let files = folder("settings");
        let (secret, exports) = (files.join("secret"), files.join("exports.toml"));
        std::fs::write(&secret, "load")?;
        let Export { account, schedule, prefix, more } = export;
        let text = format!(
            "[[export]]\naccount = '{account}'\nzone = '{ZONE}'\nschedule = '{schedule}'\nstart = 'beginning'\n\
             {more}\naddon = {{ enabled = true }}\n\
             destination = {{ kind = 's3', allow_http = true, bucket = '{BUCKET}', region = 'us-east-1', \
             endpoint = '{}', prefix = '{prefix}', \
             credentials = {{ access_key = {{ id = 'load', secret = {{ file = '{}' }} }} }} }}\n",
            self.endpoint,
            secret.display()
        );
        std::fs::write(&exports, text)?;
        succeed(self.program(databases)?.arg("apply").arg(&exports))
    }

    /// The program with its settings.
    pub(crate) fn program(&self, databases: &Databases) -> Result<Command> {
        let mut command = program()?;
        command.env("AUDITFERRY__LEDGER__URL", &databases.ledger);
        command.env("AUDITFERRY__SOURCE__URL", &databases.source);
        command.env("AUDITFERRY__NETWORK__ALLOW", "127.0.0.1").env("AUDITFERRY__HTTP__LISTEN", "");
        command.env("AUDITFERRY__LOG__LEVEL", "warn").stdin(Stdio::null());
        for setting in &self.common.settings {
            let (name, value) = setting.split_once('=').ok_or("--set: write NAME=VALUE")?;
            command.env(name, value);
        }
        Ok(command)
    }

    /// Where the objects of a prefix lie.
    pub(crate) fn delivered(&self, prefix: &str) -> PathBuf {
        self.objects.join(BUCKET).join(prefix).join("audit")
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent { postgres: usage::family(self.postmaster), store: usage::own(self.store.0.id()) }
    }
}

/// A running worker; told to end when it is dropped.
pub(crate) struct Worker(Child);

impl Worker {
    pub(crate) fn start(bed: &Bed, databases: &Databases) -> Result<Self> {
        Ok(Self(bed.program(databases)?.arg("run").spawn()?))
    }

    /// The same, with further settings.
    pub(crate) fn start_with(
        bed: &Bed,
        databases: &Databases,
        settings: &[(String, String)],
    ) -> Result<Self> {
        Ok(Self(bed.program(databases)?.envs(settings.iter().cloned()).arg("run").spawn()?))
    }

    /// Serves the API alone.
    pub(crate) fn serve(bed: &Bed, databases: &Databases, settings: &[(String, String)]) -> Result<Self> {
        Ok(Self(bed.program(databases)?.envs(settings.iter().cloned()).arg("serve").spawn()?))
    }

    pub(crate) fn cpu(&self) -> f64 {
        usage::own(self.0.id())
    }

    /// Most resident memory so far, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        usage::peak_of(self.0.id()).unwrap_or(0)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Ends it as an operator does.
    pub(crate) fn stop(mut self) -> Result<()> {
        succeed(Command::new("kill").args(["-TERM", &self.0.id().to_string()]))?;
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a worker ended with {status}").into()) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for an instant of the clock.
pub(crate) async fn until(at: Timestamp) -> Result<()> {
    let left = Duration::try_from(at.duration_since(Timestamp::now()));
    tokio::time::sleep(left.map_err(|_| "the machine was too slow to be ready in time: --lead SECONDS")?)
        .await;
    Ok(())
}

/// Runs SQL past the program.
pub(crate) async fn execute(url: &str, sql: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Waits until a count in the ledger has come; looks ten times a second, and less often where
/// looking takes long.
pub(crate) async fn reached(ledger: &str, counting: &str, wanted: u64, workers: &mut [Worker]) -> Result<()> {
    let mut connection = PgConnection::connect(ledger).await?;
    loop {
        let began = Instant::now();
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(counting.to_owned())).fetch_one(&mut connection).await?;
        if u64::try_from(count)? >= wanted {
            return Ok(connection.close().await?);
        }
        if !workers.iter_mut().all(Worker::is_running) {
            return Err(format!("a worker has ended at {count} of {wanted}").into());
        }
        tokio::time::sleep((began.elapsed() * 20).max(Duration::from_millis(100))).await;
    }
}

pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// The parent of all server processes.
async fn postmaster(cluster: &Cluster) -> Result<u32> {
    let mut connection = cluster.connect("postgres").await;
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
    // As long as there is a connection, its process is there.
    let postmaster = usage::parent(u32::try_from(backend)?);
    connection.close().await?;
    postmaster.ok_or_else(|| "the server's process is not in /proc".into())
}

fn start_store(folder: &Path) -> Result<(Killed, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["store", "--folder"]).arg(folder).stdout(Stdio::piped());
    let mut store = Killed(command.spawn()?);
    let mut address = String::new();
    let output = store.0.stdout.take().ok_or("the store has no output")?;
    BufReader::new(output).read_line(&mut address)?;
    Ok((store, format!("http://{}", address.trim())))
}
