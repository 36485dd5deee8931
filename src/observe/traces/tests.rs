use std::sync::Mutex;

use opentelemetry::Value;
use opentelemetry::trace::{SpanId, SpanKind};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::SpanData;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

/// Keeps what it gets: as an exporter that never comes to it.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Kept {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().expect("spans").push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The spans that leave of what is done, and how many do not.
fn traced(sample: f64, done: impl FnOnce()) -> (Vec<SpanData>, u64) {
    let (kept, tally) = (Kept::default(), Tally::default());
    let provider = provider(sample, Outlet { next: kept.clone(), tally: tally.clone() });
    let subscriber = tracing_subscriber::registry().with(layer(&provider));
    tracing::subscriber::with_default(subscriber, done);
    let spans = std::mem::take(&mut *kept.0.lock().expect("spans"));
    (spans, tally.dropped.get())
}

fn windows(sample: f64, count: i64) -> Vec<TraceId> {
    let (spans, _) = traced(sample, || {
        for number in 0..count {
            let account = format!("account-{}", number % 7).parse().expect("id");
            let slot = Timestamp::from_second(number).expect("instant");
            let window = window(&account, slot, 1);
            drop((plan(&account, slot), read(&window, 1), commit(&window)));
        }
    });
    // All of a window's spans are there, or none, and all in one trace.
    let mut traces: Vec<TraceId> = spans.iter().map(|span| span.span_context.trace_id()).collect();
    traces.sort_unstable_by_key(|trace| trace.to_bytes());
    assert!(traces.chunk_by(|a, b| a == b).all(|trace| trace.len() == 4), "{spans:?}");
    traces.dedup();
    traces
}

#[test]
fn who_samples_alike_chooses_the_same_windows() {
    assert_eq!((windows(0.0, 500).len(), windows(1.0, 500).len()), (0, 500));
    let some = windows(0.3, 1_000);
    assert!((200..400).contains(&some.len()), "{}", some.len());
    assert_eq!(windows(0.3, 1_000), some);
    let more = windows(0.6, 1_000);
    assert!(some.iter().all(|trace| more.contains(trace)), "a larger share holds the smaller one");
}

#[test]
fn requests_are_sampled_too() {
    let requests = |sample| traced(sample, || (0..1_000).for_each(|_| drop(request("/x", "GET")))).0.len();
    assert_eq!((requests(0.0), requests(1.0)), (0, 1_000));
    assert!((200..400).contains(&requests(0.3)));
}

#[test]
fn a_window_has_its_spans_below_it_and_nothing_above() {
    let (spans, _) = traced(1.0, || {
        let account = "acme".parse().expect("id");
        let window = window(&account, Timestamp::UNIX_EPOCH, 7);
        drop(archive(&window, 2));
    });
    let [archive, window] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(archive.parent_span_id, window.span_context.span_id());
    assert_eq!((window.parent_span_id, window.parent_span_is_remote), (SpanId::INVALID, false));
    let told: Vec<(&str, &Value)> =
        window.attributes.iter().map(|told| (told.key.as_str(), &told.value)).collect();
    let text = |text: &'static str| Value::String(text.into());
    assert_eq!(
        told,
        [("account", &text("acme")), ("slot", &text("1970-01-01T00:00:00Z")), ("window", &Value::I64(7))]
    );
}

#[test]
fn what_may_not_be_told_stays_here() {
    let (spans, _) = traced(1.0, || {
        let span = tracing::info_span!(target: TARGET, parent: None, "request", http.route = "/x", secret = "HUSH",
            otel.name = "HUSH", otel.status_description = "HUSH", otel.kind = "server", outcome = Empty);
        span.record("outcome", "x".repeat(1_000));
        span.add_link_with_attributes(span_context(), vec![KeyValue::new("account", "HUSH")]);
        span.add_event("HUSH", vec![KeyValue::new("account", "HUSH")]);
        span.set_attribute("other", "HUSH");
        tracing::error!(target: TARGET, parent: &span, "HUSH");
        drop(tracing::info_span!(target: "auditferry::other", parent: &span, "HUSH", account = "HUSH"));
    });
    let told = format!("{spans:?}");
    assert!(spans.len() == 1 && !told.contains("HUSH"), "{told}");
    assert_eq!(spans[0].span_kind, SpanKind::Server);
    assert!(told.contains(&"x".repeat(250)) && !told.contains(&"x".repeat(251)), "{told}");
}

fn span_context() -> SpanContext {
    let (trace, span) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8]));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (spans, dropped) = traced(1.0, || {
        for _ in 0..QUEUE + 7 {
            drop(request("/x", "GET"));
        }
    });
    assert_eq!((spans.len(), dropped), (QUEUE, 7));
}

/// Takes nothing.
#[derive(Debug)]
struct Refusing;

impl opentelemetry_sdk::trace::SpanExporter for Refusing {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Err(OTelSdkError::InternalFailure("no".into()))
    }
}

#[test]
fn what_was_exported_makes_room_and_what_was_not_is_counted() {
    let tally = Tally::default();
    let counting = Counting { next: Refusing, tally: tally.clone() };
    let batches = BatchSpanProcessor::builder(counting).build();
    let provider = provider(1.0, Outlet { next: batches, tally: tally.clone() });
    let subscriber = tracing_subscriber::registry().with(layer(&provider));
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..10 {
            (0..1_000).for_each(|_| drop(request("/x", "GET")));
            let _ = provider.force_flush();
        }
    });
    assert_eq!(tally.dropped.get(), 10_000);
}

/// Never comes to an end.
#[derive(Debug)]
struct Hanging;

impl opentelemetry_sdk::trace::SpanExporter for Hanging {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_collector_that_hangs_does_not_hold_up_the_stop() {
    let tally = Tally::default();
    let batches = BatchSpanProcessor::builder(Hanging).build();
    let provider = provider(1.0, Outlet { next: batches, tally: tally.clone() });
    let subscriber = tracing_subscriber::registry().with(layer(&provider));
    tracing::subscriber::with_default(subscriber, || drop(request("/x", "GET")));
    let endpoint = Url::parse("http://127.0.0.1:4318/v1/traces").expect("URL");
    // It ends at all: without a bound it would not.
    Traces { provider, route: watch::Sender::new(None), endpoint, tally }.stop().await;
}
