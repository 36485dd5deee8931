//! The exporter and its worker, end to end in one process: a SQLite ledger and source,
//! a real S3 server on loopback, and a clock that moves when it is told to.

mod changes;
mod interruptions;
mod suspension;
mod versions;

use crate::support::by;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::rig::account;
use crate::support::{folder, run, secret};

use auditferry::base::clock::{Clock, ManualClock};
use auditferry::base::zones::Zones;
use auditferry::delivery::export::{Exporter, Waits};
use auditferry::delivery::pipeline::ReadAhead;
use auditferry::delivery::worker::{Limits, Mode, Worker};
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::destinations::cache::StoreCache;
use auditferry::ledger::{self, Account, Ledger};
use auditferry::observe::telemetry::Metrics;
use auditferry::source::{self, Source};

use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{AccessKey, Destination, Place, S3, S3Credentials};
use auditferry_core::model::format::{EmptyWindows, Format};
use auditferry_core::model::record::Record;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// An account `acme` with slots every four hours, and a bucket `first`.
struct Rig {
    folder: PathBuf,
    ledger: Arc<dyn Ledger>,
    source: Arc<dyn Source>,
    clock: ManualClock,
    server: EmbeddedBucket,
    spread: Duration,
}

impl Rig {
    async fn new(format: Format) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = folder(&format!("exporter-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let url = format!("sqlite:{}", folder.join("ledger.db").display());
        let ledger = ledger::open(&url, 4, false).await.unwrap();
        let source = source::open(&url, 4).await.unwrap();
        ledger.migrate().await.unwrap();
        source.migrate().await.unwrap();
        let clock = ManualClock::at(at("00:00"));
        let listen = "127.0.0.1:0".parse().unwrap();
        let server =
            EmbeddedBucket::start(&folder.join("s3"), "first", "AKIA", SECRET, listen).await.unwrap();
        let rig = Self { folder, ledger, source, clock, server, spread: Duration::ZERO };
        rig.ledger.add_account(&by(), &account("acme", format, rig.source.beginning())).await.unwrap();
        rig.set_bucket("first").await;
        rig
    }

    /// The server has the bucket `first` only.
    async fn set_bucket(&self, bucket: &str) {
        let destination = self.destination(&self.server, bucket);
        self.ledger.set_destination(&by(), &acme(), &destination, &[]).await.unwrap();
    }

    fn destination(&self, server: &EmbeddedBucket, bucket: &str) -> Destination {
        Destination {
            prefix: String::new(),
            allow_http: true,
            accept_overwrites: false,
            expires: None,
            place: Place::S3(S3 {
                bucket: bucket.to_owned(),
                region: "us-east-1".to_owned(),
                endpoint: Some(server.endpoint()),
                path_style: None,
                sse_kms_key_id: None,
                expected_bucket_owner: None,
                storage_class: None,
                checksum: None,
                request_payer: None,
                acl: None,
                sse: None,
                credentials: S3Credentials::AccessKey(AccessKey {
                    id: "AKIA".to_owned(),
                    secret: secret(SECRET),
                    session_token: None,
                }),
            }),
        }
    }

    /// Records that commit now and occurred at times of the day, which name them.
    async fn insert(&self, times: &[&str]) {
        let records: Vec<_> = times.iter().map(|time| record(time, at(time))).collect();
        self.insert_all(&records).await;
    }

    async fn insert_all(&self, records: &[Record]) {
        let mut import = self.source.import(&acme()).await.unwrap();
        import.append(records).await.unwrap();
        import.commit().await.unwrap();
    }

    fn worker(&self, source: Arc<dyn Source>, draining: CancellationToken, read_ahead: u64) -> Worker {
        let exporter = Exporter {
            ledger: Arc::clone(&self.ledger),
            source,
            stores: StoreCache::new([], crate::support::dialer(Duration::from_secs(30))),
            zones: Zones::load(),
            clock: Arc::new(self.clock.clone()) as Arc<dyn Clock>,
            metrics: Arc::new(Metrics::default()),
            waits: Waits {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(60),
                suspend_after: Duration::from_secs(7 * 24 * 3600),
            },
            spread: self.spread,
            read_ahead: ReadAhead::new(read_ahead, 4),
            owner: "test".to_owned(),
            confirmations: Default::default(),
            draining,
        };
        let limits = Limits {
            concurrency: 4,
            per_endpoint: 4,
            poll_interval: Duration::from_millis(50),
            lease: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
        };
        Worker::new(Arc::new(exporter), limits)
    }

    /// Lets a new worker do what is due at a time; returns the accounts that failed.
    async fn run_at(&self, clock: &str) -> Vec<String> {
        self.clock.set(at(clock));
        self.run_now().await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn run_now(&self) -> Vec<String> {
        let worker =
            self.worker(Arc::clone(&self.source), CancellationToken::new(), Format::default().max_bytes);
        let failed = worker.run(Mode::UntilIdle, CancellationToken::new()).await.unwrap();
        failed.iter().map(ToString::to_string).collect()
    }

    async fn deliver_at(&self, clock: &str) {
        assert_eq!(self.run_at(clock).await, [] as [&str; 0], "{:?}", self.account().await.trouble);
    }

    async fn account(&self) -> Account {
        self.ledger.account(&acme()).await.unwrap()
    }

    async fn edit(&self, change: impl Fn(&mut Account) + Send + Sync) {
        let mut edit = |account: &mut Account| {
            change(account);
            Ok(())
        };
        self.ledger.edit_account(&by(), &acme(), &mut edit).await.unwrap();
    }

    fn objects(&self) -> BTreeMap<String, Vec<String>> {
        objects(&self.folder.join("s3/first"))
    }
}

/// Each object of `acme` in a bucket's folder, by the part of its name after the day:
/// the emails in it.
fn objects(bucket: &std::path::Path) -> BTreeMap<String, Vec<String>> {
    let files = std::fs::read_dir(bucket.join("audit/acme")).into_iter().flatten().flatten();
    files
        .map(|file| {
            let mut zip = zip::ZipArchive::new(std::fs::File::open(file.path()).unwrap()).unwrap();
            assert_eq!(zip.len(), 1);
            let mut text = String::new();
            zip.by_index(0).unwrap().read_to_string(&mut text).unwrap();
            let emails = text.lines().map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                value["Email"].as_str().unwrap().to_owned()
            });
            let name = file.file_name().into_string().unwrap();
            let name = name.strip_prefix("audit_acme_20261121T").unwrap().strip_suffix(".zip").unwrap();
            (name.to_owned(), emails.collect())
        })
        .collect()
}

/// What is expected in a bucket.
fn holding(objects: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    objects
        .iter()
        .map(|(name, emails)| ((*name).to_owned(), emails.iter().map(ToString::to_string).collect()))
        .collect()
}

fn acme() -> AccountId {
    "acme".parse().unwrap()
}

fn at(clock: &str) -> Timestamp {
    format!("2026-11-21T{clock}:00Z").parse().unwrap()
}

fn record(name: &str, occurred_at: Timestamp) -> Record {
    Record {
        occurred_at,
        email: name.to_owned(),
        action: "login".to_owned(),
        action_id: None,
        description: String::new(),
        ip_address: None,
    }
}

#[test]
fn each_slot_gets_what_came_since_the_last() {
    run(async {
        let rig = Rig::new(Format::default()).await;
        rig.insert(&["01:00", "02:00"]).await;
        rig.deliver_at("03:59").await;
        assert_eq!(rig.objects(), holding(&[]));
        rig.deliver_at("04:00").await;
        rig.insert(&["05:00"]).await;
        rig.deliver_at("08:01").await;
        rig.deliver_at("08:02").await;
        // The worker was away at 12:00: one window, named after the newest slot.
        rig.insert(&["09:00"]).await;
        rig.insert(&["13:00"]).await;
        rig.deliver_at("17:30").await;
        assert_eq!(
            rig.objects(),
            holding(&[
                ("040000Z", &["01:00", "02:00"]),
                ("080000Z", &["05:00"]),
                ("160000Z", &["09:00", "13:00"])
            ])
        );
        assert_eq!(rig.account().await.next_slot, Some(at("20:00")));
    });
}

#[test]
fn a_spread_delays_the_delivery_and_not_the_window() {
    run(async {
        let mut rig = Rig::new(Format::default()).await;
        rig.spread = Duration::from_secs(3600);
        rig.insert(&["01:00"]).await;
        rig.deliver_at("04:00").await;
        assert_eq!(rig.objects(), holding(&[]));
        let begins = rig.account().await.due_at().unwrap();
        assert!(at("04:00") < begins && begins < at("05:00"), "{begins}");

        // What comes meanwhile belongs to the next slot.
        rig.insert(&["04:01"]).await;
        rig.deliver_at("05:00").await;
        assert_eq!(rig.objects(), holding(&[("040000Z", &["01:00"])]));
        rig.deliver_at("09:00").await;
        assert_eq!(rig.objects(), holding(&[("040000Z", &["01:00"]), ("080000Z", &["04:01"])]));
    });
}

#[test]
fn a_window_over_the_limit_gives_several_objects_in_order() {
    run(async {
        let rig = Rig::new(Format { max_records: 2, ..Format::default() }).await;
        rig.insert(&["03:00", "01:00", "02:00", "00:30", "00:10"]).await;
        rig.deliver_at("04:00").await;
        let expected = holding(&[
            ("040000Z", &["03:00", "01:00"]),
            ("040000Z_0002", &["02:00", "00:30"]),
            ("040000Z_0003", &["00:10"]),
        ]);
        assert_eq!(rig.objects(), expected);
        // A window that fills its objects exactly has none after them.
        rig.insert(&["05:00", "06:00"]).await;
        rig.deliver_at("08:00").await;
        assert_eq!(rig.objects().keys().filter(|name| name.starts_with("08")).count(), 1);
        assert_eq!(rig.account().await.windows, 2);
    });
}

#[test]
fn an_empty_window_gives_no_object_unless_it_is_wanted() {
    run(async {
        for (wanted, expected) in [
            (EmptyWindows::Skip, holding(&[("080000Z", &["05:00"])])),
            (EmptyWindows::Object, holding(&[("040000Z", &[]), ("080000Z", &["05:00"])])),
        ] {
            let rig = Rig::new(Format { empty_windows: wanted, ..Format::default() }).await;
            rig.deliver_at("04:00").await;
            let account = rig.account().await;
            assert_eq!((account.windows, account.open_window), (1, None));
            assert_eq!(account.watermark.at, at("04:00"), "an empty window moves the watermark");
            rig.insert(&["05:00"]).await;
            rig.deliver_at("08:00").await;
            assert_eq!(rig.objects(), expected);
        }
    });
}
