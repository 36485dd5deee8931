//! An exporter and its workers in one process, with a clock that moves when it is told to.

use super::by;
use std::io::{Cursor, Read as _};
use std::sync::Arc;
use std::time::Duration;

use auditferry::base::clock::{Clock, ManualClock};
use auditferry::base::database::Connect;
use auditferry::base::zones::Zones;
use auditferry::delivery::export::{Exporter, Waits};
use auditferry::delivery::pipeline::ReadAhead;
use auditferry::delivery::worker::{Limits, Worker};
use auditferry::destinations::cache::StoreCache;
use auditferry::ledger::{self, Account, ExportOptions, Ledger};
use auditferry::observe::telemetry::Metrics;
use auditferry::source::{self, Source};
use auditferry_core::model::account::{AccountId, AddOn};
use auditferry_core::model::bound::{Bound, Watermark};
use auditferry_core::model::destination::{AccessKey, Destination, Place, S3, S3Credentials, SecretRef};
use auditferry_core::model::format::Format;
use auditferry_core::model::record::Record;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// The limits of a worker that says nothing else.
pub const LIMITS: Limits = Limits {
    concurrency: 4,
    per_endpoint: 4,
    poll_interval: Duration::from_millis(20),
    lease: Duration::from_secs(60),
    drain_timeout: Duration::from_secs(30),
};

/// A ledger and a source in one database, and the clock, which stands at midnight.
pub struct Rig {
    pub ledger: Arc<dyn Ledger>,
    pub source: Arc<dyn Source>,
    pub clock: ManualClock,
}

impl Rig {
    pub async fn open(url: &str) -> Self {
        Self::open_with(url, 8.into()).await
    }

    /// The same, connected to as is said.
    pub async fn open_with(url: &str, connect: Connect) -> Self {
        let ledger = ledger::open(url, connect, false).await.expect("ledger");
        let source = source::open(url, connect).await.expect("source");
        ledger.migrate().await.expect("ledger migrates");
        source.migrate().await.expect("source migrates");
        Self { ledger, source, clock: ManualClock::at(at("00:00")) }
    }

    /// An account with slots every four hours, due at 04:00 first.
    pub async fn add(&self, name: &str) -> AccountId {
        let account = account(name, Format::default(), self.source.beginning());
        self.ledger.add_account(&by(), &account).await.expect("added");
        account.id
    }

    /// Records that commit now; their emails name them.
    pub async fn insert(&self, account: &AccountId, emails: &[String]) {
        let records: Vec<_> = emails.iter().map(|email| record(email)).collect();
        let mut import = self.source.import(account).await.expect("begins");
        import.append(&records).await.expect("appended");
        import.commit().await.expect("commits");
    }

    /// A worker that begins again a second after a failure, at most ten minutes.
    pub fn worker(&self, owner: &str, put_timeout: Duration) -> Worker {
        self.worker_with(owner, put_timeout, Arc::clone(&self.source), LIMITS)
    }

    /// The same with a source and limits of its own.
    pub fn worker_with(
        &self,
        owner: &str,
        put_timeout: Duration,
        source: Arc<dyn Source>,
        limits: Limits,
    ) -> Worker {
        Worker::new(Arc::new(self.exporter(owner, put_timeout, source)), limits)
    }

    /// What a worker works with.
    pub fn exporter(&self, owner: &str, put_timeout: Duration, source: Arc<dyn Source>) -> Exporter {
        Exporter {
            ledger: Arc::clone(&self.ledger),
            source,
            stores: StoreCache::new([], super::dialer(put_timeout)),
            zones: Zones::load(),
            clock: Arc::new(self.clock.clone()) as Arc<dyn Clock>,
            metrics: Arc::new(Metrics::default()),
            waits: Waits {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(600),
                suspend_after: Duration::from_secs(7 * 24 * 3600),
            },
            spread: Duration::ZERO,
            read_ahead: ReadAhead::new(Format::default().max_bytes, 4),
            owner: owner.to_owned(),
            confirmations: Default::default(),
            draining: CancellationToken::new(),
        }
    }
}

/// A bucket of a server on loopback.
pub fn bucket(name: &str, endpoint: &str, secret: SecretRef) -> Destination {
    let key = AccessKey { id: "AKIA".to_owned(), secret, session_token: None };
    Destination {
        prefix: String::new(),
        allow_http: true,
        accept_overwrites: false,
        expires: None,
        place: Place::S3(S3 {
            bucket: name.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(endpoint.to_owned()),
            path_style: None,
            sse_kms_key_id: None,
            expected_bucket_owner: None,
            storage_class: None,
            checksum: None,
            request_payer: None,
            acl: None,
            sse: None,
            credentials: S3Credentials::AccessKey(key),
        }),
    }
}

/// A time of the day of the tests.
pub fn at(clock: &str) -> Timestamp {
    format!("2026-11-21T{clock}:00Z").parse().expect("a time of the day")
}

fn record(email: &str) -> Record {
    Record {
        occurred_at: at("01:00"),
        email: email.to_owned(),
        action: "login".to_owned(),
        action_id: None,
        description: "signed in".to_owned(),
        ip_address: None,
    }
}

/// An enabled account that was added at midnight and is due at 04:00.
pub fn account(name: &str, format: Format, beginning: Bound) -> Account {
    let options = ExportOptions { zone: "UTC".to_owned(), schedule: "0 0 */4 * * *".to_owned(), format };
    let watermark = Watermark { bound: beginning, at: at("00:00"), ahead: None, since: None };
    Account {
        addon: AddOn { enabled: true, until: None, reason: None },
        next_slot: Some(at("04:00")),
        ..Account::new(name.parse().expect("id"), options, at("00:00"), watermark)
    }
}

/// The emails of the records in an object, in order.
pub fn emails(zip: &[u8]) -> Vec<String> {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).expect("a zip");
    assert_eq!(zip.len(), 1, "one entry");
    let mut text = String::new();
    zip.by_index(0).expect("entry").read_to_string(&mut text).expect("UTF-8");
    let email = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        value["Email"].as_str().expect("Email").to_owned()
    };
    text.lines().map(email).collect()
}
