//! A worker whose clock is wrong is told from a customer whose credentials are.

use auditferry::secrets::Opened;
use auditferry::store::{self};
use auditferry_core::model::destination::{Destination, Place, S3};
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::store::{Object, PutErrorKind};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

use crate::support::bench::Bench;
use crate::support::fault_proxy::{Canned, Fault, FaultProxy};
use crate::support::gcs_server::{self, GcsServer};
use crate::support::{azurite, dialer, eventually, moto, run, secret};

/// A refusal with the time of a store whose clock is so far from ours.
fn refused(status: u16, code: &str, message: &str, off: SignedDuration) -> Fault {
    let date = rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&(Timestamp::now() + off))
        .expect("a date");
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Fault::Answer(Canned {
        status,
        head: format!("date: {date}\r\nx-ms-error-code: {code}\r\ncontent-type: application/xml\r\n"),
        body,
    })
}

fn destination(place: Place) -> Destination {
    Destination { prefix: String::new(), allow_http: true, accept_overwrites: false, expires: None, place }
}

async fn put(destination: &Destination) -> auditferry_core::store::PutError {
    let key = ObjectKey::stored("audit/acme/audit_acme_20261121T040000Z.zip".to_owned());
    let object = Object { key, body: "x".into(), content_type: "application/zip", metadata: Vec::new() };
    let dialer = dialer(std::time::Duration::from_secs(30));
    let store = store::open(destination, &Opened::default(), false, &dialer).await.expect("opens");
    store.put(&object).await.expect_err("refused")
}

const OFF: SignedDuration = SignedDuration::from_mins(30);
const NEAR: SignedDuration = SignedDuration::from_secs(20);

#[test]
fn on_s3() {
    run(async {
        let place = moto::bucket("clocks").await;
        for (status, code, off, kind) in [
            (403, "RequestTimeTooSkewed", OFF, PutErrorKind::Clock),
            (403, "SignatureDoesNotMatch", OFF, PutErrorKind::Clock),
            (403, "SignatureDoesNotMatch", NEAR, PutErrorKind::InvalidCredentials),
            (403, "AccessDenied", OFF, PutErrorKind::Denied),
        ] {
            let proxy = FaultProxy::start(moto::moto().address, [refused(status, code, "x", off)]).await;
            let error =
                put(&destination(Place::S3(S3 { endpoint: Some(proxy.url()), ..place.clone() }))).await;
            assert_eq!(error.kind, kind, "{code} {off}: {error}");
            if kind == PutErrorKind::Clock {
                let seconds = error.message.split("clock is ").nth(1).and_then(|rest| rest.split(' ').next());
                let seconds: i64 = seconds.and_then(|text| text.parse().ok()).expect("seconds");
                assert!(
                    (1790..=1810).contains(&seconds) && error.message.contains("s behind the store's"),
                    "{error}"
                );
                assert!(error.message.contains("(NTP)"), "{error}");
            }
        }
    });
}

#[test]
fn on_azure() {
    use auditferry_core::model::destination::{Azure, AzureCredentials};
    run(async {
        azurite::create_container("clocks").await;
        let text = azurite::connection_string(azurite_key());
        let store = azurite::azurite().address;
        for (off, kind) in [(-OFF, PutErrorKind::Clock), (NEAR, PutErrorKind::InvalidCredentials)] {
            let proxy = FaultProxy::start(store, [refused(403, "AuthenticationFailed", "x", off)]).await;
            let text = text.replace(&store.to_string(), proxy.url().strip_prefix("http://").expect("HTTP"));
            let credentials = AzureCredentials::ConnectionString(secret(&text));
            let place = Azure { container: "clocks".into(), endpoint: None, credentials };
            let error = put(&destination(Place::Azure(place))).await;
            assert_eq!(error.kind, kind, "{error}");
            assert_eq!(
                error.message.contains("ahead of the store's"),
                kind == PutErrorKind::Clock,
                "{error}"
            );
        }
    });
}

/// STS takes 15 minutes, too, and finds the worker's own signature expired.
#[test]
fn on_sts() {
    run(async {
        moto::bucket("clocks-role").await;
        let message = "Signature expired: 20261121T040000Z is now earlier than 20261121T041500Z";
        let fault = refused(403, "SignatureDoesNotMatch", message, OFF);
        let Fault::Answer(mut canned) = fault else { panic!("an answer") };
        canned.body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        let faults = std::iter::repeat_n(Fault::Answer(canned), 9);
        let sts = FaultProxy::start(moto::moto().address, faults).await;
        let bench = Bench::with_acme()
            .env("AUDITFERRY__AWS__STS_ENDPOINT", &sts.url())
            .env("AUDITFERRY__AWS__PRINCIPAL", "arn:aws:iam::123456789012:role/worker")
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "HUSH");
        bench.does("destination trust acme --bucket clocks-role");
        let tried = bench.run(&format!(
            "destination set acme --kind s3 --bucket clocks-role --region us-east-1 --endpoint {} --allow-http \
             --assume-role arn:aws:iam::123456789012:role/siem",
            moto::moto().url()
        ));
        assert!(tried.code == Some(1) && tried.out.contains("FAILED  acme: clock: the role"), "{tried}");
        assert!(tried.out.contains("behind that of STS; set the clocks right (NTP)"), "{tried}");
    });
}

fn azurite_key() -> &'static str {
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
}

#[test]
fn on_gcs() {
    run(async {
        let server = GcsServer::start().await;
        let gcs = server.bucket("clocks", &gcs_server::known_key());
        let address = server.url().strip_prefix("http://").expect("HTTP").parse().expect("address");
        for (off, kind) in [(OFF, PutErrorKind::Clock), (NEAR, PutErrorKind::InvalidCredentials)] {
            let proxy =
                FaultProxy::start(address, [refused(401, "authError", "Invalid Credentials", off)]).await;
            let mut gcs = gcs.clone();
            gcs.endpoint = Some(proxy.url());
            let error = put(&destination(Place::Gcs(gcs))).await;
            assert_eq!(error.kind, kind, "{error}");
        }
    });
}

/// The worker's ledger is on SQLite, which has no clock of its own.
#[test]
fn a_worker_says_that_its_clock_is_wrong_and_nobody_is_suspended() {
    run(async {
        moto::bucket("clocks-worker").await;
        let faults = std::iter::repeat_n(refused(403, "RequestTimeTooSkewed", "too large", OFF), 100);
        let proxy = FaultProxy::start(moto::moto().address, faults).await;
        let bench = Bench::new()
            .env("AUDITFERRY__WORKER__POLL_INTERVAL", "100ms")
            .env("AUDITFERRY__WORKER__SUSPEND_AFTER", "1ms")
            .env("AUDITFERRY__RETRY__FIRST_WAIT", "50ms")
            .env("AUDITFERRY__RETRY__MAX_WAIT", "100ms");
        bench.does("account add acme --zone UTC --start beginning --schedule '* * * * * *'");
        bench.does("addon enable acme");
        bench.file("secret", "HUSH");
        let set = format!(
            "destination set acme --kind s3 --bucket clocks-worker --region us-east-1 --endpoint {} --allow-http \
             --access-key-id AKIAIOSFODNN7EXAMPLE --secret-access-key-file secret",
            proxy.url()
        );
        let tried = bench.run(&set);
        assert!(tried.code == Some(1) && tried.out.contains("FAILED  acme: clock: "), "{tried}");
        assert!(tried.out.contains("for those who run the worker: set the clock"), "{tried}");
        assert!(tried.out.contains("compare clocks: this worker's clock is"), "{tried}");
        bench.does(&format!("{set} --no-test"));
        crate::cli::databases::change(
            &bench,
            "INSERT INTO audit_log (account_id, occurred_at, email, action) VALUES \
             ('acme', '2026-01-01T00:00:00.000Z', 'a@b.c', 'login')",
        );
        let worker = bench.worker("");
        eventually("some attempts", async || (proxy.seen().len() > 6).then_some(())).await;
        drop(worker);
        let shown = bench.json("account show acme");
        assert_eq!(shown["error"]["kind"], "clock", "{shown}");
        assert!(shown["suspended_at"].is_null() && shown["denied_since"].is_null(), "{shown}");
        let log = std::fs::read_to_string(bench.path("worker.log")).expect("log");
        let told = log.matches("this worker's clock differs from the clock of a store").count();
        assert_eq!(told, 1, "{log}");
    });
}
