//! The main job on embedded defaults, for a newcomer to see: a SQLite ledger and
//! source, an S3-compatible server whose bucket is a folder, and the real worker
//! between them, on a clock that jumps from slot to slot.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::base::actor::os_user;
use crate::base::clock::{Clock as _, ManualClock, SystemClock};
use crate::base::zones::Zones;
use crate::delivery::export::{ExportError, Exporter, Waits};
use crate::delivery::pipeline::ReadAhead;
use crate::delivery::worker::{Limits, Mode, Worker};
use crate::destinations::cache::StoreCache;
use crate::destinations::vault::Vault;
use crate::ledger::{self, DeliveryFilter, DeliveryRow, ExportOptions, LedgerError};
use crate::observe::telemetry::Metrics;
use crate::operations::admin::{Admin, AdminError};
use crate::secrets::keys::{self, KeyError, KeyRing};
use crate::secrets::{Opened, Secret};
use crate::settings::{KeyEntry, KeySource};
use crate::source::{self, SourceError};
use crate::store::{Dialer, DialerError, Proxy};
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::Watermark;
use auditferry_core::model::destination::{
    AccessKey, Destination, Place, S3, S3Credentials, SealedId, SecretRef,
};
use auditferry_core::model::format::Format;
use auditferry_core::model::network::Network;
use auditferry_core::model::start::Start;

use bucket::EmbeddedBucket;
use key_files::{key_file, secret_key};

mod key_files;
mod serving;

pub mod bucket;
pub mod listing;
pub mod records;

const BUCKET: &str = "acme-siem";

const KEY_ID: &str = "DEMOKEY";

const SCHEDULE: &str = "0 0 */4 * * *";

/// The accounts: two whose zones lie far apart, and one whose id needs encoding.
const ACCOUNTS: [(&str, &str); 3] =
    [("mumbai-pay", "Asia/Kolkata"), ("ny-bank", "America/New_York"), ("acme corp", "Europe/Berlin")];

/// With `--serve`: how many days the history has, besides today.
const SERVED_DAYS: i64 = 13;

/// With `--keep-running`: how long apart the slots are.
const SLOT_PAUSE: Duration = Duration::from_secs(3);

/// What the demo is to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder to fill.
    pub dir: PathBuf,
    /// How many slots of each account to run.
    pub slots: u32,
    /// Whether to stay up.
    pub keep_running: bool,
    /// Where the console and a portal are served, once two weeks are filled; none: nowhere.
    pub serve: Option<std::net::SocketAddr>,
}

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder cannot be used.
    #[error("--dir {dir}: {source}; name a folder that you may write")]
    Folder {
        /// Which folder.
        dir: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A change was refused.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The demo's own key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store cannot be reached.
    #[error(transparent)]
    Dialer(#[from] DialerError),
    /// The worker failed.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The pages cannot be served.
    #[error("the pages cannot be served: {0}")]
    Serve(String),
    /// What is in the bucket is not what was recorded.
    #[error("the demo found something wrong: {0}")]
    Wrong(String),
}

/// Runs the demo; `say` gets each line for the person who watches.
///
/// # Errors
/// When the folder cannot be used or an export fails.
pub async fn run(options: &Options, say: &mut (dyn FnMut(String) + Send)) -> Result<(), DemoError> {
    let begin = if options.serve.is_some() { days_ago(SERVED_DAYS) } else { days_ago(2) };
    let mut demo = Demo::open(&options.dir, begin, say).await?;
    if let Some(listen) = options.serve {
        return demo.serve(listen, say).await;
    }
    let mut delivered = Vec::new();
    for _ in 0..options.slots as usize * ACCOUNTS.len() {
        delivered.extend(demo.next_slot(say).await?);
    }
    demo.showbucket(&delivered, say).await?;
    if options.keep_running {
        say("\nStaying up: one slot every few seconds. Ctrl-C ends it.".to_owned());
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => break,
                () = tokio::time::sleep(SLOT_PAUSE) => { demo.next_slot(say).await?; }
            }
        }
    }
    demo.say_what_next(say);
    Ok(())
}

struct Demo {
    dir: PathBuf,
    admin: Admin,
    clock: ManualClock,
    exporter: Arc<Exporter>,
    bucket: EmbeddedBucket,
    vault: Vault,
}

impl Demo {
    /// Makes the folder what it must be, or goes on with what it is.
    async fn open(
        dir: &Path,
        begin: Timestamp,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<Self, DemoError> {
        let folder = |source| DemoError::Folder { dir: dir.display().to_string(), source };
        std::fs::create_dir_all(dir).map_err(folder)?;
        let dir = dir.canonicalize().map_err(folder)?;
        let secret = secret_key(&dir).map_err(folder)?;
        let url = format!("sqlite:{}", dir.join("demo.db").display());
        let key = key_file(&dir).map_err(folder)?;
        let ledger = ledger::open(&url, 4, true).await?;
        let source = source::open(&url, 4).await?;
        ledger.migrate().await?;
        source.migrate().await?;
        let bucket =
            EmbeddedBucket::start(&dir.join("s3"), BUCKET, KEY_ID, &secret, ([127, 0, 0, 1], 0).into())
                .await
                .map_err(folder)?;
        say(format!("ledger and audit log   {url}"));
        say(format!("S3-compatible server   {} (bucket {BUCKET})", bucket.endpoint()));

        let source_of_key = KeySource::Local(SecretRef::File(key));
        let keys = KeyRing::load(&[KeyEntry { id: "demo".to_owned(), source: source_of_key }]).await?;
        let vault = Vault::new(ledger.clone(), Arc::new(keys));
        let dialer = Dialer::new(Network::loopback(), Duration::from_secs(30), Proxy::None)?;
        let clock = ManualClock::at(begin);
        let zones = Zones::load();
        let admin = Admin {
            ledger: Arc::clone(&ledger),
            source: Arc::clone(&source),
            clock: Arc::new(clock.clone()),
            zones: zones.clone(),
        };
        let stores = StoreCache::new([], dialer).with_vault(vault.clone());
        let exporter = Arc::new(exporter(&admin, stores));
        let demo = Self { dir, admin, clock, exporter, bucket, vault };
        demo.prepare_accounts(&Secret::new(secret), say).await?;
        Ok(demo)
    }

    async fn prepare_accounts(
        &self,
        secret: &Secret,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), DemoError> {
        let by = By::actor(os_user(None));
        let mut newest = self.clock.now();
        for (name, zone) in ACCOUNTS {
            let id = account_id(name)?;
            let options = ExportOptions {
                zone: zone.to_owned(),
                schedule: SCHEDULE.to_owned(),
                format: Format::default(),
            };
            match self.admin.add_account(&by, &id, &options, Start::Beginning).await {
                Ok(_) => say(format!("account added          {id:?} in {zone}", id = id.as_str())),
                Err(AdminError::Ledger(LedgerError::AccountExists(_))) => {
                    let account = self.admin.ledger.account(&id).await?;
                    newest = newest.max(account.last_slot);
                    say(format!(
                        "account goes on        {:?} after {} windows",
                        id.as_str(),
                        account.windows
                    ));
                }
                Err(error) => return Err(error.into()),
            }
            // The server's port is another one at each run.
            let sealed_id = keys::new_id();
            let destination = self.destination(sealed_id.clone());
            let mut given = Opened::default();
            given.insert(sealed_id, secret.clone());
            let sealed = self.vault.seal(&id, &destination, &given).await?;
            self.admin.set_destination(&by, &id, &destination, &sealed, true).await?;
            let addon = AddOn { enabled: true, until: None, reason: Some("demo".to_owned()) };
            self.admin.set_addon(&by, &id, &AddOnChange::Declared(addon), None).await?;
        }
        self.clock.set(newest);
        Ok(())
    }

    fn destination(&self, secret: SealedId) -> Destination {
        Destination {
            prefix: String::new(),
            allow_http: true,
            accept_overwrites: false,
            expires: None,
            place: Place::S3(S3 {
                bucket: BUCKET.to_owned(),
                region: "us-east-1".to_owned(),
                endpoint: Some(self.bucket.endpoint()),
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
                    secret: SecretRef::Sealed(secret),
                    session_token: None,
                }),
            }),
        }
    }

    /// People use the product until the next slot; then the worker runs.
    async fn next_slot(
        &mut self,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<Vec<DeliveryRow>, DemoError> {
        self.slot(SignedDuration::ZERO, say).await
    }

    /// The same with a worker that comes `late`.
    async fn slot(
        &mut self,
        late: SignedDuration,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<Vec<DeliveryRow>, DemoError> {
        let from = self.clock.now();
        let slot = self.admin.ledger.next_due(&[]).await?.unwrap_or(from).max(from);
        self.people_until(slot + late).await?;
        let worker = Worker::new(Arc::clone(&self.exporter), limits());
        let failed = worker.run(Mode::UntilIdle, CancellationToken::new()).await?;
        if let Some(id) = failed.first() {
            let trouble = self.admin.ledger.account(id).await?.trouble;
            let message = trouble.map_or_else(String::new, |trouble| trouble.message);
            return Err(DemoError::Wrong(format!("the export of {id} failed: {message}")));
        }
        let filter = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
        let mut rows = self.admin.ledger.deliveries(&filter).await?;
        rows.retain(|row| row.slot == slot);
        for row in &rows {
            say(format!(
                "{}  {:<10}  {:>4} records  {}",
                local(&self.admin, row).await?,
                row.account,
                row.records,
                row.key
            ));
        }
        Ok(rows)
    }

    /// What people do until an instant, which it is then.
    async fn people_until(&self, until: Timestamp) -> Result<(), DemoError> {
        let from = self.clock.now();
        for (name, _) in ACCOUNTS {
            let id = account_id(name)?;
            let mut import = self.admin.source.import(&id).await?;
            import.append(&records::between(name, from, until)).await?;
            import.commit().await?;
        }
        self.clock.set(until);
        Ok(())
    }

    /// Lists the bucket as a stranger finds it, and compares it with the history.
    async fn showbucket(
        &self,
        delivered: &[DeliveryRow],
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), DemoError> {
        let root = self.dir.join("s3").join(BUCKET);
        say(format!("\nObjects in {}:", root.display()));
        let objects = listing::zips(&root).map_err(DemoError::Wrong)?;
        let mut records = 0;
        for object in &objects {
            say(format!("{:>6} records  {}", object.lines.len(), object.key));
            records += object.lines.len() as u64;
        }
        let (in_source, waiting) = self.count_source().await?;
        if records + waiting != in_source {
            return Err(DemoError::Wrong(format!(
                "{in_source} records in the audit log, but {records} in the bucket and {waiting} waiting"
            )));
        }
        say(format!(
            "{records} records in {} objects and {waiting} that wait for their next slot: \
             all {in_source} of the audit log, each once.",
            objects.len()
        ));
        let newest = delivered.last().map(|row| row.key.as_str());
        if let Some(object) = objects.iter().find(|object| Some(object.key.as_str()) == newest) {
            say(format!("\nThe first lines of {}:", object.key));
            for line in object.lines.iter().take(3) {
                say(line.clone());
            }
        }
        Ok(())
    }

    /// How many records the audit log holds, and how many of them are not delivered.
    async fn count_source(&self) -> Result<(u64, u64), DemoError> {
        let (mut all, mut waiting) = (0, 0);
        for (name, _) in ACCOUNTS {
            let id = account_id(name)?;
            let watermark = self.admin.ledger.account(&id).await?.watermark;
            let beginning = Watermark { bound: self.admin.source.beginning(), ..watermark.clone() };
            waiting += self.admin.source.waiting(&id, &watermark).await?.records;
            all += self.admin.source.waiting(&id, &beginning).await?.records;
        }
        Ok((all, waiting))
    }

    fn say_what_next(&self, say: &mut (dyn FnMut(String) + Send)) {
        say(format!(
            "\nEverything is in {}; a second run continues where this one ended.",
            self.dir.display()
        ));
        say("For a real destination, type next (`auditferry` is target/release/auditferry):".to_owned());
        for command in [
            "auditferry account add acme --zone Europe/Berlin",
            "auditferry destination set acme --kind s3 --bucket YOUR-BUCKET --region eu-central-1 \\\n    \
             --access-key-id AKIA… --secret-access-key-file ./secret",
            "auditferry destination test acme",
            "auditferry addon enable acme",
            "auditferry run",
        ] {
            say(format!("  {command}"));
        }
    }
}

/// What exports work with, by the clock of `admin`.
fn exporter(admin: &Admin, stores: StoreCache) -> Exporter {
    Exporter {
        ledger: Arc::clone(&admin.ledger),
        source: Arc::clone(&admin.source),
        stores,
        zones: admin.zones.clone(),
        clock: Arc::clone(&admin.clock),
        metrics: Arc::new(Metrics::default()),
        waits: Waits {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            suspend_after: Duration::from_secs(7 * 24 * 3600),
        },
        spread: Duration::ZERO,
        read_ahead: ReadAhead::new(Format::default().max_bytes, 4),
        owner: format!("demo/{}", std::process::id()),
        confirmations: Default::default(),
        draining: CancellationToken::new(),
    }
}

/// How much a worker of the demo does at once.
fn limits() -> Limits {
    Limits {
        concurrency: ACCOUNTS.len(),
        per_endpoint: ACCOUNTS.len(),
        poll_interval: Duration::from_secs(1),
        lease: Duration::from_secs(120),
        drain_timeout: Duration::from_secs(30),
    }
}

fn account_id(name: &str) -> Result<AccountId, DemoError> {
    name.parse()
        .map_err(|error: auditferry_core::model::account::AccountIdError| DemoError::Wrong(error.to_string()))
}

/// Midnight in UTC, some days back: the demo's slots lie in the past.
fn days_ago(days: i64) -> Timestamp {
    let now = SystemClock.now() - SignedDuration::from_hours(24 * days);
    Timestamp::from_second(now.as_second() - now.as_second().rem_euclid(86_400)).unwrap_or(now)
}

async fn local(admin: &Admin, row: &DeliveryRow) -> Result<String, DemoError> {
    let account = admin.ledger.account(&row.account).await?;
    let zone = admin.zones.find(&account.zone).map_err(AdminError::from)?;
    Ok(row.slot.to_zoned(zone.rules().clone()).strftime("%Y-%m-%d %H:%M %:z").to_string())
}
