//! A fresh ledger for one test, and the few steps that many clauses share.

use crate::support::by;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use auditferry::ledger::{
    self, Account, Blame, Claim, Failure, Lease, Ledger, NewWindow, OpenWindow, Trouble, TroubleKind, Wait,
};
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Cursor};
use auditferry_core::model::destination::{AccessKey, Destination, Place, S3, S3Credentials, SecretRef};
use auditferry_core::model::format::Format;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::protocol::Attempt;
use auditferry_core::store::memory::MemoryStore;
use auditferry_core::store::{Object, Outcome, Receipt, deliver};
use bytes::Bytes;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::support::postgres::cluster;
use crate::support::{eventually, folder, rig};

/// Longer than any test.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// A ledger that nobody else has.
pub(crate) struct Bed {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) url: String,
}

impl Bed {
    pub(crate) async fn sqlite() -> Self {
        Self::migrated(Self::sqlite_url()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::migrated(cluster().url(&cluster().create().await)).await
    }

    async fn migrated(url: String) -> Self {
        let bed = Self { ledger: open(&url).await, url };
        bed.ledger.migrate().await.expect("migrates");
        bed
    }

    pub(crate) fn sqlite_url() -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("sqlite:{}", folder("ledgers").join(format!("{number}.db")).display())
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// A database of the same kind with nothing in it.
    pub(crate) async fn empty_url(&self) -> String {
        if self.is_postgres() { cluster().url(&cluster().create().await) } else { Self::sqlite_url() }
    }

    /// Runs SQL past the ledger.
    pub(crate) async fn execute(&self, sql: &str) {
        self.try_execute(sql).await.unwrap();
    }

    /// Runs SQL past the ledger, or says why the database refuses it.
    pub(crate) async fn try_execute(&self, sql: &str) -> Result<(), String> {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
        } else {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
        };
        done.map_err(|error| error.to_string())
    }

    /// An account with a destination, due at 04:00.
    pub(crate) async fn ready(&self, name: &str) -> AccountId {
        self.ledger.add_account(&by(), &account(name)).await.unwrap();
        self.ledger.set_destination(&by(), &id(name), &bucket("first"), &[]).await.unwrap();
        id(name)
    }

    /// The one account that is due, taken for as long as the test lasts.
    pub(crate) async fn take(&self) -> Lease {
        self.take_for(LONG).await
    }

    /// A step that was refused just before may still hold its row for a moment: a claim
    /// passes over that, so it is made again.
    pub(crate) async fn take_for(&self, ttl: Duration) -> Lease {
        eventually("an account that is due", async || {
            let mut claims = self.ledger.claim("ana", at("23:00"), ttl, 10, &[]).await.unwrap();
            assert!(claims.len() <= 1, "{claims:?}");
            claims.pop().map(|claim| claim.lease)
        })
        .await
    }

    /// An account whose window of 04:00 is planned.
    pub(crate) async fn planned(&self, name: &str) -> Lease {
        self.ready(name).await;
        let lease = self.take().await;
        self.ledger.plan(&lease, &window("04:00", "20")).await.unwrap();
        lease
    }

    /// An account whose window of 04:00 has its first object sealed.
    pub(crate) async fn sealed(&self, name: &str, last: bool) -> (Lease, SealedFacts) {
        let lease = self.planned(name).await;
        let facts = object(name, 1, last);
        self.seal(&lease, 1, &facts).await;
        (lease, facts)
    }

    pub(crate) async fn seal(&self, lease: &Lease, window: u64, facts: &SealedFacts) {
        let outcome = self.ledger.seal(lease, window, facts, at("04:01")).await.unwrap();
        assert_eq!(outcome, ledger::SealOutcome::Stored);
    }

    pub(crate) async fn journal(&self, lease: &Lease, facts: &SealedFacts) -> Attempt {
        let window = self.open(&lease.account).await.window.number;
        self.ledger.journal(lease, window, facts, "ana", at("04:02")).await.unwrap()
    }

    /// Journals, puts and commits; returns whether the window is closed.
    pub(crate) async fn deliver(&self, lease: &Lease, facts: &SealedFacts) -> bool {
        let attempt = self.journal(lease, facts).await;
        self.ledger.commit(lease, receipt(attempt).await, at("04:03")).await.unwrap()
    }

    pub(crate) async fn open(&self, id: &AccountId) -> OpenWindow {
        self.ledger.open_window(id).await.unwrap().expect("an open window")
    }

    pub(crate) async fn account(&self, name: &str) -> Account {
        self.ledger.account(&id(name)).await.unwrap()
    }

    /// The ids that a claim would get at an instant; they are given back.
    pub(crate) async fn due(&self, now: &str) -> Vec<String> {
        let claims = self.ledger.claim("bo", at(now), LONG, 100, &[]).await.unwrap();
        for claim in &claims {
            self.ledger.release(&claim.lease).await.unwrap();
        }
        names(&claims)
    }
}

/// Another connection to the same ledger, as another process has it.
pub(crate) async fn open(url: &str) -> Arc<dyn Ledger> {
    ledger::open(url, 8, false).await.expect("opens")
}

pub(crate) fn names(claims: &[Claim]) -> Vec<String> {
    let mut names: Vec<String> = claims.iter().map(|claim| claim.account.id.to_string()).collect();
    names.sort();
    names
}

pub(crate) fn id(name: &str) -> AccountId {
    name.parse().expect("id")
}

/// A time of the day of the tests.
/// Seven records that are skipped at an instant.
pub(crate) fn gap(slot: Timestamp) -> ledger::Gap {
    ledger::Gap { slot, left_out: Some(7) }
}

pub(crate) fn at(clock: &str) -> Timestamp {
    format!("2026-11-21T{clock}:00Z").parse().expect("a time of the day")
}

/// An enabled account that was added at midnight and is due at 04:00.
pub(crate) fn account(name: &str) -> Account {
    rig::account(name, Format::default(), Bound("10".to_owned()))
}

pub(crate) fn bucket(name: &str) -> Destination {
    Destination {
        prefix: format!("{name}/"),
        allow_http: true,
        accept_overwrites: false,
        expires: None,
        place: Place::S3(S3 {
            bucket: name.to_owned(),
            region: "eu-central-1".to_owned(),
            endpoint: None,
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
                secret: SecretRef::Env("SECRET".to_owned()),
                session_token: None,
            }),
        }),
    }
}

/// A window of a slot up to a bound, captured at the slot.
pub(crate) fn window(slot: &str, hi: &str) -> NewWindow {
    NewWindow {
        slot: at(slot),
        hi: Bound(hi.to_owned()),
        to: at(slot),
        until: None,
        next_slot: Some(at("22:00")),
        begins: None,
    }
}

/// An object of three records.
pub(crate) fn object(name: &str, ordinal: u32, last: bool) -> SealedFacts {
    SealedFacts {
        ordinal,
        key: ObjectKey::stored(format!("first/audit/{name}/{ordinal}.zip")),
        records: 3,
        content_sha256: "aa".repeat(32),
        content_bytes: 300,
        object_sha256: "bb".repeat(32),
        object_bytes: 200,
        cursor: Some(Cursor(format!("1{ordinal}"))),
        last,
    }
}

/// The proof that an attempt has created its object.
pub(crate) async fn receipt(attempt: Attempt) -> Receipt {
    let object = Object {
        key: ObjectKey::stored("any".to_owned()),
        body: Bytes::new(),
        content_type: "application/zip",
        metadata: Vec::new(),
    };
    match deliver(&MemoryStore::default(), attempt, &object).await {
        Outcome::Delivered(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn failure(kind: &'static str, doubtful: bool) -> Failure {
    let message = format!("HTTP: {kind}");
    let (at, retry_at) = (at("04:03"), at("04:10"));
    let (kind, request_id) = (TroubleKind::stored(kind), Some(format!("the id of a request, {kind}")));
    Failure { kind, message, request_id, doubtful, at, retry_at, blame: Blame::Nobody }
}

/// A wait after a trouble that passes by itself.
pub(crate) fn wait(kind: &str, retry_at: &str) -> Wait {
    Wait { trouble: trouble(kind), retry_at: at(retry_at), blame: Blame::Nobody }
}

pub(crate) fn trouble(kind: &str) -> Trouble {
    Trouble { kind: TroubleKind::stored(kind), message: "a sentence".to_owned(), at: at("04:05") }
}
