//! What a collector gets of a real worker and a real API.

use std::collections::{BTreeMap, BTreeSet};

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::api::{Served, token};
use crate::support::bench::Bench;
use crate::support::collector::{Collector, Span};
use crate::support::{eventually, run};

/// The spans of windows, by their trace.
fn by_trace(spans: &[Span]) -> BTreeMap<Vec<u8>, Vec<Span>> {
    let mut traces: BTreeMap<Vec<u8>, Vec<Span>> = BTreeMap::new();
    for span in spans {
        traces.entry(span.trace.clone()).or_default().push(span.clone());
    }
    traces
}

#[test]
fn a_window_is_one_trace_without_secrets_or_records() {
    run(async {
        let (collector, endpoint) = Collector::start().await;
        let app = App::sqlite()
            .with("TRACES__ENDPOINT", &endpoint)
            .with("TRACES__SAMPLE", "1")
            .with("TRACES__HEADERS", "Authorization=env:COLLECTOR_TOKEN")
            .with("LOG__LEVEL", "info,auditferry=debug")
            .with_variable("COLLECTOR_TOKEN", "Bearer CollectorTokenThatNobodyMaySee")
            // What the libraries would read is not for this process.
            .with_variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
            .with_variable("OTEL_EXPORTER_OTLP_HEADERS", "x-of-others=1")
            .with_variable("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
            .with_variable("OTEL_RESOURCE_ATTRIBUTES", "service.name=others")
            .with_variable("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0")
            .with_variable("OTEL_TRACES_SAMPLER", "always_off");
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let records = rows("acme", "traced", 5);
        app.insert(&records).await;
        let worker = app.start().await;
        app.settle("acme").await;
        app.verify(&bucket, "acme", &records).await;
        let delivered = eventually("a trace arrives", async || {
            by_trace(&collector.spans()).into_values().find(|trace| {
                trace.iter().any(|span| span.name == "put") && trace.iter().any(|span| span.name == "window")
            })
        })
        .await;
        let names: BTreeSet<&str> = delivered.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(
            names,
            BTreeSet::from(["plan", "window", "read", "archive", "put", "commit"]),
            "{delivered:?}"
        );
        let window = delivered.iter().find(|span| span.name == "window").unwrap();
        for span in &delivered {
            assert!(span.trace.len() == 16 && span.id.len() == 8 && span.began <= span.ended, "{span:?}");
            match span.name.as_str() {
                "window" | "plan" => {
                    assert!(span.parent.is_empty(), "{span:?}");
                    assert_eq!(span.attributes["account"], "acme");
                    assert!(span.attributes["slot"].ends_with('Z'), "{span:?}");
                }
                _ => assert_eq!(span.parent, window.id, "{span:?}"),
            }
        }
        let put = delivered.iter().find(|span| span.name == "put").unwrap();
        assert_eq!((put.attributes["records"].as_str(), put.attributes["attempt"].as_str()), ("5", "1"));
        assert_eq!(
            (put.attributes["outcome"].as_str(), window.attributes["outcome"].as_str()),
            ("delivered", "closed")
        );
        // No two windows share a trace, and none has two.
        let spans = collector.spans();
        let windows: Vec<&Span> = spans.iter().filter(|span| span.name == "window").collect();
        let slots: BTreeSet<&str> = windows.iter().map(|span| span.attributes["slot"].as_str()).collect();
        let traces: BTreeSet<&[u8]> = windows.iter().map(|span| span.trace.as_slice()).collect();
        assert_eq!(slots.len(), traces.len());
        assert!(
            collector
                .header("authorization")
                .iter()
                .all(|value| value == "Bearer CollectorTokenThatNobodyMaySee")
        );
        assert!(collector.header("x-of-others").iter().all(String::is_empty));
        let bytes = collector.bytes();
        let told = String::from_utf8_lossy(&bytes).into_owned();
        let mut secrets =
            vec!["CollectorTokenThatNobodyMaySee", "traced", "role.granted", "acme.example", "203.0.113."];
        secrets.extend(
            bucket
                .options
                .iter()
                .map(String::as_str)
                .filter(|option| !option.starts_with("--") && option.len() > 4),
        );
        for secret in secrets {
            assert!(!told.contains(secret), "a trace holds {secret:?}");
        }
        let log = worker.log();
        assert!(!log.contains("CollectorTokenThatNobodyMaySee"), "{log}");
        // Lines of the log are as they are without traces.
        assert!(log.contains("export{") && !log.contains("window{"), "{log}");
    });
}

#[test]
fn a_collector_that_is_away_delays_nothing() {
    run(async {
        let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let app = App::sqlite()
            .with("TRACES__ENDPOINT", &format!("http://{nowhere}/v1/traces"))
            .with("TRACES__SAMPLE", "1");
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let records = rows("acme", "away", 3);
        app.insert(&records).await;
        let worker = app.start().await;
        app.settle("acme").await;
        app.verify(&bucket, "acme", &records).await;
        let lost = async || worker.metric("auditferry_trace_spans_dropped_total").await;
        let first = eventually("what is lost is counted", async || {
            let lost = lost().await;
            (lost >= 6.0).then_some(lost)
        })
        .await;
        app.insert(&rows("acme", "away-again", 3)).await;
        app.settle("acme").await;
        // Another request has failed, and nothing was said of it.
        eventually("more is lost", async || (lost().await > first).then_some(())).await;
        let log = worker.log();
        assert_eq!(log.matches("the collector takes no traces").count(), 1, "{log}");
    });
}

#[test]
fn nothing_is_sent_of_what_is_not_sampled() {
    run(async {
        let (collector, endpoint) = Collector::start().await;
        let app = App::sqlite().with("TRACES__ENDPOINT", &endpoint).with("TRACES__SAMPLE", "0");
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let records = rows("acme", "unsampled", 3);
        app.insert(&records).await;
        let worker = app.start().await;
        app.settle("acme").await;
        app.verify(&bucket, "acme", &records).await;
        // It sends what is left.
        worker.stop().await;
        assert_eq!(collector.spans(), []);
    });
}

#[test]
fn a_request_to_the_api_is_a_trace_without_its_names() {
    run(async {
        let (collector, endpoint) = Collector::start().await;
        let bench = Bench::with_acme();
        let settings =
            [("AUDITFERRY__TRACES__ENDPOINT", endpoint.as_str()), ("AUDITFERRY__TRACES__SAMPLE", "1")];
        let served = Served::start(&bench, &settings);
        let secret = token(&bench, "reader", &[]);
        served.client().with(&secret).get("/accounts/acme").await.is(200);
        served.client().with(&secret).get("/accounts/HUSHHUSH").await.is_problem(404, "not_found");
        let of_requests = |spans: Vec<Span>| -> Vec<Span> {
            spans
                .into_iter()
                .filter(|span| {
                    span.attributes.get("http.route").is_some_and(|route| route.contains("{account}"))
                })
                .collect()
        };
        let spans = eventually("both arrive", async || {
            let spans = of_requests(collector.spans());
            (spans.len() == 2).then_some(spans)
        })
        .await;
        assert_ne!(spans[0].trace, spans[1].trace);
        for (span, status) in spans.iter().zip(["200", "404"]) {
            let told = |name: &str| span.attributes[name].as_str();
            assert_eq!(
                (told("http.route"), told("http.request.method")),
                ("/api/v1/accounts/{account}", "GET")
            );
            assert_eq!(
                (told("http.response.status_code"), span.kind, span.name.as_str()),
                (status, 2, "request")
            );
        }
        let told = String::from_utf8_lossy(&collector.bytes()).into_owned();
        assert!(!told.contains(&secret) && !told.contains("HUSHHUSH") && !told.contains("acme"), "{told}");
    });
}
