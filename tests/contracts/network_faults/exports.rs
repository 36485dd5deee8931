//! An export through a fault that is healed later, and one beside it that has none.

use crate::support::by;
use std::collections::BTreeSet;
use std::time::Duration;

use auditferry::delivery::worker::Mode;
use auditferry::ledger::{AttemptRow, DeliveryFilter, DeliveryRow};
use auditferry_core::model::account::AccountId;
use auditferry_core::protocol::Hold;
use auditferry_core::store::PutErrorKind;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::network_faults::buckets::{Bucket, Kind};
use crate::network_faults::cases::{Case, Place, forbidden_answer, immutable_answer};
use crate::network_faults::puts::proxy;
use crate::support::fault_proxy::{Fault, FaultProxy, Seen};
use crate::support::rig::{Rig, at, emails};
use crate::support::{eventually, folder};

/// Long enough for a worker that polls every 20 ms to do what it must not.
const A_MOMENT: Duration = Duration::from_millis(120);

/// `acme` behind a proxy and `calm` beside it, in buckets of the same kind; a worker runs.
struct Scene {
    rig: Rig,
    acme: AccountId,
    calm: AccountId,
    bucket: Bucket,
    calm_bucket: Bucket,
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

impl Scene {
    async fn new(kind: Kind, name: &str, put_timeout: Duration) -> Self {
        let folder =
            folder(&format!("faults-{kind:?}-{}", name.replace(|c: char| !c.is_alphanumeric(), "-")));
        let rig = Rig::open(&format!("sqlite:{}", folder.join("ledger.db").display())).await;
        let (bucket, calm_bucket) = (Bucket::new(kind).await, Bucket::new(kind).await);
        let (acme, calm) = (rig.add("acme").await, rig.add("calm").await);
        rig.ledger.set_destination(&by(), &calm, &calm_bucket.directly(), &[]).await.unwrap();
        let stop = CancellationToken::new();
        let (worker, stopped) = (rig.worker("test", put_timeout), stop.clone());
        let worker = tokio::spawn(async move {
            worker.run(Mode::Forever, stopped).await.unwrap();
        });
        Self { rig, acme, calm, bucket, calm_bucket, stop, worker }
    }

    /// Sets the bucket of `acme`, and 25 records of both accounts before 04:00, when it begins.
    async fn begin(&self, endpoint: &str) {
        self.rig.ledger.set_destination(&by(), &self.acme, &self.bucket.at(endpoint), &[]).await.unwrap();
        self.insert("first").await;
        self.rig.clock.set(at("04:00"));
    }

    async fn insert(&self, slot: &str) {
        for account in [&self.acme, &self.calm] {
            self.rig.insert(account, &names(account, slot)).await;
        }
    }

    /// The one object of `acme` in a slot, once its `number`th attempt has ended.
    async fn attempted(&self, slot: &str, number: usize) -> (DeliveryRow, Vec<AttemptRow>) {
        let filter =
            DeliveryFilter { account: Some(self.acme.clone()), limit: 10, ..DeliveryFilter::default() };
        eventually(&format!("attempt {number} of {slot}"), async || {
            let rows = self.rig.ledger.deliveries(&filter).await.unwrap();
            let row = rows.into_iter().find(|row| row.slot == at(slot))?;
            let attempts = self.rig.ledger.attempts(&self.acme, &row.key).await.unwrap();
            let ended = attempts.iter().filter(|attempt| attempt.finished_at.is_some()).count();
            (ended >= number).then_some((row, attempts))
        })
        .await
    }

    /// An account has delivered everything up to a slot, and is free.
    async fn closed(&self, account: &AccountId, slot: &str) {
        eventually(&format!("the window of {slot} of {account}"), async || {
            let account = self.rig.ledger.account(account).await.unwrap();
            (account.last_slot >= at(slot) && account.open_window.is_none()).then_some(())
        })
        .await;
    }

    /// When `acme` is tried again. The account is written after its attempt.
    async fn retry_at(&self) -> Timestamp {
        eventually("the next try", async || self.rig.ledger.account(&self.acme).await.unwrap().retry_at).await
    }

    /// Nothing reaches the proxy while the clock stands still.
    async fn nothing_more(&self, proxy: &FaultProxy, why: &str) {
        let before = proxy.seen().len();
        tokio::time::sleep(A_MOMENT).await;
        assert_eq!(proxy.seen().len(), before, "{why}");
    }

    /// Everything arrived once and in order: what was inserted is what the bucket holds.
    async fn complete(&self, slots: &[&str]) {
        for (account, bucket) in [(&self.acme, &self.bucket), (&self.calm, &self.calm_bucket)] {
            let objects = bucket.objects().await;
            let arrived: Vec<_> = objects.values().flat_map(|zip| emails(zip)).collect();
            let wanted: Vec<_> = slots.iter().flat_map(|slot| names(account, slot)).collect();
            assert_eq!(arrived, wanted, "{:?}", objects.keys());
            assert_eq!(objects.len(), slots.len());
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.worker.await.expect("the worker");
    }
}

fn names(account: &AccountId, slot: &str) -> Vec<String> {
    (0..25).map(|number| format!("{account}.{slot}.{number}")).collect()
}

fn outcomes(attempts: &[AttemptRow]) -> Vec<&str> {
    attempts.iter().map(|attempt| attempt.outcome.as_deref().unwrap_or("none")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) async fn one(case: Case, kind: Kind) {
    let scene = Scene::new(kind, case.name, case.put_timeout()).await;
    let (proxy, url) = proxy(&case, &scene.bucket).await;
    scene.begin(&url).await;
    let (first, attempts) = scene.attempted("04:00", 1).await;
    scene.closed(&scene.calm, "04:00").await;
    if case.says == Some(PutErrorKind::Exists) {
        return held(scene, &case, &proxy, &attempts).await;
    }
    let mut expected = vec!["delivered"];
    if let Some(says) = case.says {
        assert_eq!(outcomes(&attempts), [says.as_str()]);
        let retry_at = scene.retry_at().await;
        wait_is_right(&case, says, retry_at);
        scene.nothing_more(&proxy, "tried again before its time").await;
        scene.rig.clock.set(retry_at - SignedDuration::from_millis(1));
        scene.nothing_more(&proxy, "tried again a millisecond before its time").await;
        match case.place {
            Place::Request(_) => {}
            Place::Refused => proxy.open().await,
            // What the customer mends is tried at once.
            _ => {
                let destination = scene.bucket.at(&proxy_without_tls(&case, &proxy, &scene));
                scene.rig.ledger.set_destination(&by(), &scene.acme, &destination, &[]).await.unwrap();
            }
        }
        scene.rig.clock.set(retry_at);
        expected = vec![says.as_str(), "delivered"];
    }
    let (last, attempts) = scene.attempted("04:00", expected.len()).await;
    assert_eq!(outcomes(&attempts), expected);
    scene.closed(&scene.acme, "04:00").await;
    let (_, stored) = scene.bucket.objects().await.pop_first().expect("an object");
    assert_eq!((&last.key, &last.object_sha256), (&first.key, &first.object_sha256));
    assert_eq!(sha256(&stored), first.object_sha256, "the bytes are those of the first attempt");
    if let Some(seen) = proxy.seen().iter().find(|seen| !seen.body.is_empty()) {
        let same = seen.body.windows(stored.len()).any(|part| part == stored);
        assert!(same, "the first request that arrived whole had other bytes");
    }
    let created = answers_to_puts(&proxy).into_iter().filter(|status| *status < 300).count();
    let proxied = !matches!(case.place, Place::SelfSigned);
    assert_eq!(created, usize::from(proxied), "the store created it once: {:?}", proxy.seen());

    scene.insert("second").await;
    // What was denied was tried again at 08:00, so this is the slot after it.
    scene.rig.clock.set(at("12:00"));
    scene.closed(&scene.acme, "12:00").await;
    scene.closed(&scene.calm, "12:00").await;
    scene.complete(&["first", "second"]).await;
    assert_eq!(scene.rig.ledger.account(&scene.acme).await.unwrap().trouble, None);
    scene.end().await;
}

/// What the store answered to puts, in order.
fn answers_to_puts(proxy: &FaultProxy) -> Vec<u16> {
    proxy.seen().into_iter().filter(Seen::is_put).flat_map(|seen| seen.answers).collect()
}

/// The endpoint as it should have been. A proxy with a certificate speaks nothing else.
fn proxy_without_tls(case: &Case, proxy: &FaultProxy, scene: &Scene) -> String {
    match case.place {
        Place::SelfSigned => format!("http://{}", scene.bucket.address),
        _ => proxy.url(),
    }
}

fn wait_is_right(case: &Case, says: PutErrorKind, retry_at: Timestamp) {
    let wait = retry_at.duration_since(at("04:00"));
    match (case.retry_after, says) {
        (Some(asked), _) => assert!(wait >= SignedDuration::try_from(asked).unwrap(), "after {wait}"),
        (None, PutErrorKind::Denied) => assert_eq!(retry_at, at("08:00"), "at the next slot"),
        (None, _) => {
            let first = SignedDuration::from_millis(500)..=SignedDuration::from_millis(1_000);
            assert!(first.contains(&wait), "after {wait}");
        }
    }
}

/// An object that exists at the first attempt is somebody else's, as far as we can know.
async fn held(scene: Scene, case: &Case, proxy: &FaultProxy, attempts: &[AttemptRow]) {
    assert_eq!(outcomes(attempts), ["foreign_object"]);
    let hold = async || scene.rig.ledger.account(&scene.acme).await.unwrap().held;
    assert_eq!(eventually("the hold", hold).await, Hold::ForeignObject);
    scene.insert("second").await;
    scene.rig.clock.set(at("08:00"));
    scene.closed(&scene.calm, "08:00").await;
    scene.nothing_more(proxy, "a held account waits for a person").await;
    assert_eq!(proxy.seen().len(), 1);
    let account = scene.rig.ledger.account(&scene.acme).await.unwrap();
    assert_eq!((account.windows, account.open_window), (1, Some(1)), "nothing counts as delivered");
    assert_eq!(account.watermark.bound, scene.rig.source.beginning());
    assert_eq!(scene.bucket.objects().await.len(), usize::from(case.stored));
    scene.end().await;
}

/// The doubt of the first attempt outlives later refusals.
pub(crate) async fn several(kind: Kind) {
    let faults = [Fault::AnswerLost, Fault::Answer(forbidden_answer(kind)), Fault::ResetInBody];
    let scene = Scene::new(kind, "several", Duration::from_secs(30)).await;
    let proxy = FaultProxy::start(scene.bucket.address, faults).await;
    scene.begin(&proxy.url()).await;
    let mut now = at("04:00");
    let mut times = BTreeSet::from([now]);
    for number in 1..=3 {
        scene.attempted("04:00", number).await;
        now = eventually("a later try", async || {
            let retry_at = scene.rig.ledger.account(&scene.acme).await.unwrap().retry_at?;
            (retry_at > now).then_some(retry_at)
        })
        .await;
        times.insert(now);
        scene.rig.clock.set(now);
    }
    let (_, attempts) = scene.attempted("04:00", 4).await;
    assert_eq!(outcomes(&attempts), ["unknown", "denied", "unknown", "delivered"]);
    assert!(times.contains(&at("08:00")), "what is denied waits for the next slot: {times:?}");
    let answers = answers_to_puts(&proxy);
    assert_eq!(answers.len(), 2, "the first and the last reached the store");
    assert!(answers[0] < 300 && [409, 412].contains(&answers[1]), "{answers:?}");
    scene.insert("second").await;
    scene.rig.clock.set(at("12:00"));
    scene.closed(&scene.acme, "12:00").await;
    scene.closed(&scene.calm, "12:00").await;
    scene.complete(&["first", "second"]).await;
    scene.end().await;
}

/// Our own object, whose answer was lost, is kept from being replaced: it is there, and it is looked at.
pub(crate) async fn retained(kind: Kind) {
    let faults = [Fault::AnswerLost, Fault::Answer(immutable_answer(kind))];
    let scene = Scene::new(kind, "retained", Duration::from_secs(30)).await;
    let proxy = FaultProxy::start(scene.bucket.address, faults).await;
    scene.begin(&proxy.url()).await;
    scene.attempted("04:00", 1).await;
    scene.rig.clock.set(scene.retry_at().await);
    let (_, attempts) = scene.attempted("04:00", 2).await;
    assert_eq!(outcomes(&attempts), ["unknown", "delivered"]);
    assert!(proxy.seen().last().is_some_and(|seen| !seen.is_put()), "it was looked at");
    scene.closed(&scene.acme, "04:00").await;
    scene.closed(&scene.calm, "04:00").await;
    scene.complete(&["first"]).await;
    scene.end().await;
}

/// A stranger's object under the key of the first attempt: held, and left as it is.
pub(crate) async fn foreign(kind: Kind) {
    let scene = Scene::new(kind, "foreign", Duration::from_secs(30)).await;
    let store = auditferry::store::open(
        &scene.bucket.directly(),
        &auditferry::secrets::Opened::default(),
        false,
        &crate::support::dialer(Duration::from_secs(30)),
    )
    .await
    .unwrap();
    let object = auditferry_core::store::Object {
        key: auditferry_core::model::object_key::ObjectKey::stored(
            "audit/acme/audit_acme_20261121T040000Z.zip".to_owned(),
        ),
        body: bytes::Bytes::from_static(b"a stranger's"),
        content_type: "application/zip",
        metadata: Vec::new(),
    };
    store.put(&object).await.unwrap();
    let proxy = FaultProxy::start(scene.bucket.address, []).await;
    scene.begin(&proxy.url()).await;
    let (_, attempts) = scene.attempted("04:00", 1).await;
    assert_eq!(outcomes(&attempts), ["foreign_object"]);
    let hold = async || scene.rig.ledger.account(&scene.acme).await.unwrap().held;
    assert_eq!(eventually("the hold", hold).await, Hold::ForeignObject);
    scene.closed(&scene.calm, "04:00").await;
    scene.nothing_more(&proxy, "a held account waits for a person").await;
    let objects = scene.bucket.objects().await;
    assert_eq!(objects.into_values().collect::<Vec<_>>(), [b"a stranger's"]);
    scene.end().await;
}
