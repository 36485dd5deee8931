//! What a probe and Prometheus ask.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use crate::daemon::app::{App, EVERY_SECOND, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::gate::{Door, Gate};
use crate::daemon::rows::rows;
use crate::support::postgres::Cluster;
use crate::support::{eventually, folder, run};

#[test]
fn health_and_metrics_tell_what_was_delivered() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        app.add("acme-of-the-labels", &bucket, EVERY_SECOND, &["--max-records", "3"]);
        app.add("beta-of-the-labels", &bucket, EVERY_SECOND, &[]);
        let (acme, beta) = (rows("acme-of-the-labels", "one", 7), rows("beta-of-the-labels", "one", 2));
        app.insert(&[&acme[..], &beta].concat()).await;
        let worker = app.start().await;
        assert_eq!(worker.get("/healthz").await, Some((200, "ok\n".to_owned())));
        assert_eq!(worker.get("/readyz").await, Some((200, "ready\n".to_owned())));
        let healthy = app.health(worker.listen);
        assert!(healthy.status.success(), "{}", said(&healthy));

        app.delivered(&bucket, "acme-of-the-labels", 7).await;
        app.delivered(&bucket, "beta-of-the-labels", 2).await;
        app.settle("acme-of-the-labels").await;
        let mut objects = app.verify(&bucket, "acme-of-the-labels", &acme).await;
        objects.extend(app.verify(&bucket, "beta-of-the-labels", &beta).await);
        let bytes: usize = objects.iter().map(|unpacked| unpacked.object.body.len()).sum();
        assert_eq!(worker.metric("auditferry_objects_total").await, objects.len() as f64);
        assert_eq!(worker.metric("auditferry_records_total").await, 9.0);
        assert_eq!(worker.metric("auditferry_bytes_total").await, bytes as f64);
        assert_eq!(worker.metric("auditferry_failures_total").await, 0.0);
        assert_eq!(worker.metric("auditferry_put_seconds_count").await, objects.len() as f64);
        assert_eq!(worker.metric("auditferry_accounts{state=\"active\"}").await, 2.0);
        assert!(worker.metric("auditferry_watermark_age_seconds").await < 10.0);
        assert!(worker.metric("auditferry_oldest_undelivered_seconds").await < 10.0);
        let windows = worker.metric("auditferry_windows_total").await;
        assert!(windows >= 2.0 && windows <= (app.windows("acme-of-the-labels") * 2 + 2) as f64, "{windows}");
        assert!(worker.metric("auditferry_lateness_seconds_bucket{le=\"+Inf\"}").await >= windows);

        let (_, text) = worker.get("/metrics").await.unwrap();
        assert!(!text.contains("of-the-labels"), "no account is named:\n{text}");
        let labels: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.split_once('{')?.1.split_once('='))
            .map(|(name, _)| name)
            .collect();
        assert!(labels.is_subset(&BTreeSet::from(["kind", "le", "state", "within"])), "{labels:?}");
        assert!(text.ends_with("# EOF\n"), "{text}");

        assert!(!worker.log().contains('\x1b'), "a log in a file has no colours");
        let listen = worker.listen;
        worker.stop().await;
        let gone = app.health(listen);
        assert_eq!(gone.status.code(), Some(1), "{}", said(&gone));
    });
}

/// Clients that never end their heads take neither the pages away nor the deliveries.
#[test]
fn unended_requests_stop_nothing() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let worker = app.start().await;
        let (soft, hard) = worker.limits("Max open files");
        assert_eq!(soft, hard, "open files");
        let mut held = Vec::new();
        for number in 0..300 {
            let mut socket = tokio::net::TcpStream::connect(worker.listen).await.unwrap();
            socket.write_all(b"GET /healthz HTTP/1.1\r\nx-more: ").await.unwrap();
            held.push(socket);
            if number % 50 == 49 {
                assert_eq!(worker.get("/healthz").await, Some((200, "ok\n".to_owned())), "{number}");
            }
        }
        let expected = rows("acme", "one", 3);
        app.insert(&expected).await;
        app.delivered(&bucket, "acme", 3).await;
        assert_eq!(worker.get("/readyz").await, Some((200, "ready\n".to_owned())));
        let open = |socket: &tokio::net::TcpStream| matches!(socket.try_read(&mut [0; 16]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        let held_open = held.iter().filter(|socket| open(socket)).count();
        assert!(held_open <= 64, "{held_open} connections are held");
        // Those that were too many are closed, and by and by the others are.
        for mut socket in held {
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
        }
        app.settle("acme").await;
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}

#[test]
fn a_head_without_end_is_refused() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    run(async {
        let worker = App::sqlite().start().await;
        let lines = format!("x-more: {}\r\n", "a".repeat(100));
        let few = format!("x-more: {}\r\n", "a".repeat(8_000));
        for line in [lines, few] {
            let mut socket = tokio::net::TcpStream::connect(worker.listen).await.unwrap();
            socket.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
            let mut sent = 0;
            while sent < 64 << 20 && socket.write_all(line.as_bytes()).await.is_ok() {
                sent += line.len();
            }
            assert!(sent < 16 << 20, "{sent} bytes of a head were taken");
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer).await;
        }
        worker.stop().await;
    });
}

#[test]
fn not_ready_while_postgres_is_stopped() {
    run(async {
        let cluster = Cluster::start("postgres-to-stop", &[]);
        let app = App::at(folder("app-stopped"), cluster.url(&cluster.create().await));
        let worker = app.start().await;
        assert_eq!(worker.get("/readyz").await, Some((200, "ready\n".to_owned())));
        drop(cluster);
        let asked = Instant::now();
        let (status, text) = worker.get("/readyz").await.unwrap();
        assert_eq!(status, 503, "{text}");
        assert!(text.starts_with("not ready: "), "{text}");
        assert!(asked.elapsed() < Duration::from_secs(6), "a probe waited {:?}", asked.elapsed());
        assert_eq!(worker.get("/healthz").await, Some((200, "ok\n".to_owned())));
        assert!(app.health(worker.listen).status.success(), "it lives, and waits for its database");
        let (status, text) = worker.get("/metrics").await.unwrap();
        assert!(status == 200 && text.contains("auditferry_objects_total"), "the counters stay: {text}");
    });
}

#[test]
fn an_outage_of_postgres_passes_by_itself() {
    run(async {
        let app = App::postgres().await;
        let server = app.url.split(['@', '/']).nth(3).unwrap().parse().expect("the server's address");
        let gate = Gate::before(server, Door::Open).await;
        let url = app.url.replace(&server.to_string(), &gate.address().to_string());
        let app = app.with("LEDGER__URL", &url).with("WORKER__LEASE", "2s").with("PUT__TIMEOUT", "1s");
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &["--max-records", "2"]);
        let worker = app.start().await;
        let mut expected = rows("acme", "before", 5);
        app.insert(&expected).await;
        app.delivered(&bucket, "acme", 5).await;

        gate.set(Door::Cut);
        eventually("not ready", async || (worker.get("/readyz").await?.0 == 503).then_some(())).await;
        let meanwhile = rows("acme", "meanwhile", 5);
        app.insert(&meanwhile).await;
        expected.extend(meanwhile);
        gate.set(Door::Open);
        eventually("ready", async || (worker.get("/readyz").await?.0 == 200).then_some(())).await;
        app.delivered(&bucket, "acme", 10).await;
        app.settle("acme").await;
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}

/// A firewall that forgets its connections: nothing is refused, nothing comes back.
#[test]
fn connections_that_went_silent_are_replaced() {
    run(async {
        let app = App::postgres().await;
        let server = app.url.split(['@', '/']).nth(3).unwrap().parse().expect("the server's address");
        let gate = Gate::before(server, Door::Open).await;
        let url = app.url.replace(&server.to_string(), &gate.address().to_string());
        let app = app.with("LEDGER__URL", &url);
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let worker = app.start().await;
        let mut expected = rows("acme", "before", 2);
        app.insert(&expected).await;
        app.delivered(&bucket, "acme", 2).await;

        gate.forget_connections();
        let after = rows("acme", "after", 2);
        app.insert(&after).await;
        expected.extend(after);
        app.delivered(&bucket, "acme", 4).await;
        app.settle("acme").await;
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}

/// The same in the middle of a COPY: the source's server sends on, and nobody hears it.
#[test]
fn a_reading_that_went_silent_is_begun_again() {
    run(async {
        let app = App::postgres().await;
        let server = app.url.split(['@', '/']).nth(3).unwrap().parse().expect("the server's address");
        let gate = Gate::before(server, Door::Open).await;
        let url = app.url.replace(&server.to_string(), &gate.address().to_string());
        let app = app.with("SOURCE__URL", &url);
        let bucket = Bucket::embedded().await;
        // The beginning of a window is read with others, for at most 30 s: it is a later object.
        app.add("acme", &bucket, EVERY_SECOND, &["--max-records", "100"]);
        let mut expected = rows("acme", "long", 400);
        for row in &mut expected {
            row.description = "a long answer ".repeat(1_000);
        }
        app.insert(&expected).await;
        gate.go_silent_after(3_500_000);
        let worker = app.start().await;
        gate.has_gone_silent().await;
        app.delivered(&bucket, "acme", 400).await;
        app.settle("acme").await;
        assert!(worker.log().contains("no answer within 20 s"), "{}", worker.log());
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}

/// The ledger's database says another time: the worker claims nothing, and says why.
#[test]
fn a_worker_whose_clock_is_hours_off_claims_nothing() {
    run(async {
        let (app, bucket) = (App::postgres().await, Bucket::embedded().await);
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let expected = rows("acme", "one", 2);
        app.insert(&expected).await;
        let mut database = PgConnection::connect(&app.url).await.unwrap();
        let mut set = async |hours: i32| {
            let sql = format!(
                "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS \
                 $$ SELECT pg_catalog.clock_timestamp() + interval '{hours} hours' $$; \
                 DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', \
                 current_database()); END $$"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
        };
        set(-30).await;
        let worker = app.start().await;
        eventually("a log line", async || {
            worker.log().contains("the accounts that are due cannot be claimed").then_some(())
        })
        .await;
        let (status, page) = worker.get("/readyz").await.unwrap();
        assert!(
            status == 503 && page.contains("1d 6h ahead of the clock of the ledger's database"),
            "{page}"
        );
        let skew = worker.metric("auditferry_clock_skew_seconds").await;
        assert!((107_990.0..=108_010.0).contains(&skew), "{skew}");
        assert_eq!(app.windows("acme"), 0);
        let idle = app.try_cli(&["run", "--until-idle"]);
        assert!(
            idle.status.code() == Some(1) && said(&idle).contains("it claims no accounts"),
            "{}",
            said(&idle)
        );
        set(0).await;
        app.delivered(&bucket, "acme", 2).await;
        app.settle("acme").await;
        assert_eq!(worker.get("/readyz").await, Some((200, "ready\n".to_owned())));
        worker.stop().await;
        app.verify(&bucket, "acme", &expected).await;
    });
}
