//! What stands between the spans of this process and the exporter: a list of what may be told, a bound, and a count.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::trace::{SpanId, Status};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor};
use prometheus_client::metrics::counter::Counter;

use super::QUEUE;

/// What may stand in a trace. Whatever else a span says stays here: no name, text or secret of a record, a destination
/// or a request is among them.
const ATTRIBUTES: [&str; 11] = [
    "account",
    "slot",
    "window",
    "ordinal",
    "records",
    "bytes",
    "attempt",
    "outcome",
    "http.route",
    "http.request.method",
    "http.response.status_code",
];

/// Most characters of an attribute.
const MAX_CHARS: usize = 250;

/// The spans that wait for the exporter, and those that are lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    waiting: Arc<AtomicUsize>,
    pub(super) dropped: Counter,
}

impl Tally {
    fn takes_one(&self) -> bool {
        let one_more = |waiting| (waiting < QUEUE).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }
}

/// Of a span, what may be told.
fn told(mut span: SpanData) -> SpanData {
    span.attributes.retain(|attribute| ATTRIBUTES.contains(&attribute.key.as_str()));
    for attribute in &mut span.attributes {
        match &attribute.value {
            Value::I64(_) => {}
            other => {
                let text: String = other.as_str().chars().take(MAX_CHARS).collect();
                attribute.value = Value::String(text.into());
            }
        }
    }
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    span.status = Status::Unset;
    // Names that are made of values are no names.
    if let Cow::Owned(_) = span.name {
        span.name = Cow::Borrowed("span");
    }
    // It is made up, as the bearer of the trace's id.
    if span.parent_span_is_remote {
        span.parent_span_id = SpanId::INVALID;
        span.parent_span_is_remote = false;
    }
    span
}

/// Passes on what may be told, as long as there is room.
///
/// The SDK drops what finds its queue full too, but tells nobody how many.
#[derive(Debug)]
pub(super) struct Outlet<P> {
    pub(super) next: P,
    pub(super) tally: Tally,
}

impl<P: SpanProcessor> SpanProcessor for Outlet<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.tally.takes_one() {
            self.next.on_end(told(span));
        } else {
            self.tally.dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Counts the spans that the collector does not take.
#[derive(Debug)]
pub(super) struct Counting<E> {
    pub(super) next: E,
    pub(super) tally: Tally,
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.tally.waiting.fetch_sub(spans, Ordering::Relaxed);
        let exported = self.next.export(batch).await;
        if exported.is_err() {
            self.tally.dropped.inc_by(spans as u64);
        }
        exported
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}
