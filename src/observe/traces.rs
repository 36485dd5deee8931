//! Traces for an OpenTelemetry collector: one for each window, one for each request to the API.
//!
//! The crates of OpenTelemetry make, sample, queue, encode and export them. Ours is what they leave open: which
//! attributes leave (`outlet`), the client that reaches the collector (`collector`), and the id of a window's trace: it is
//! named by its account and slot, so that whoever works on it, and however often, adds to the same one, and what is not
//! sampled by one worker is not by the others. Nothing waits for a collector.

mod collector;
mod outlet;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanLimits, SpanProcessor,
};
use prometheus_client::metrics::counter::Counter;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tracing::field::Empty;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use self::collector::{Collector, PATIENCE, Route};
use self::outlet::{Counting, Outlet, Tally};
use crate::base::host::host_name;
use crate::settings::TraceSettings;
use crate::store::Dialer;
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::account::AccountId;

/// The target of spans that are traced. No line of a log has them.
pub(crate) const TARGET: &str = "auditferry::trace";

/// Most spans that wait to be sent: some MiB.
const QUEUE: usize = 8_192;

/// How long spans are collected.
const PAUSE: Duration = Duration::from_secs(1);

/// Most spans of one request.
const BATCH: usize = 1_024;

/// How long the last spans may take when the process ends.
const AT_THE_END: Duration = Duration::from_secs(2);

/// What makes, keeps and sends spans.
pub struct Traces {
    provider: SdkTracerProvider,
    route: watch::Sender<Option<Arc<Route>>>,
    endpoint: Url,
    tally: Tally,
}

impl Traces {
    /// What sends to the collector of the settings, once it is reached; none if they name none.
    ///
    /// # Errors
    /// A sentence with the setting and the fix.
    pub(crate) fn new(settings: &TraceSettings) -> Result<Option<Self>, String> {
        let Some(endpoint) = settings.url() else { return Ok(None) };
        let (collector, route) = Collector::new();
        let tally = Tally::default();
        // What is not said here is read from variables OTEL_…
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(endpoint.as_str())
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|error| format!("traces.endpoint: {error}; write the collector's URL for traces"))?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(PAUSE)
            .build();
        let counting = Counting { next: exporter, tally: tally.clone() };
        let batches = BatchSpanProcessor::builder(counting).with_batch_config(config).build();
        let provider = provider(settings.sample, Outlet { next: batches, tally: tally.clone() });
        Ok(Some(Self { provider, route, endpoint, tally }))
    }

    /// Takes spans from `tracing`.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        layer(&self.provider)
    }

    /// How many spans reached no collector.
    pub(crate) fn dropped(&self) -> &Counter {
        &self.tally.dropped
    }

    /// Begins to send. Until then spans wait.
    ///
    /// # Errors
    /// A sentence with the setting and the fix.
    pub(crate) fn reach(&self, settings: &TraceSettings, dialer: &Dialer) -> Result<(), String> {
        let route = Route::new(self.endpoint.clone(), settings, dialer)?;
        self.route.send_replace(Some(Arc::new(route)));
        Ok(())
    }

    /// Sends what is left, and ends. A collector that hangs does not hold it up.
    pub(crate) async fn stop(self) {
        let end = move || self.provider.shutdown_with_timeout(AT_THE_END);
        let _ = tokio::task::spawn_blocking(end).await;
    }
}

/// `sample`: the share of traces that are kept, by their ids, so that all who know an id decide alike.
fn provider(sample: f64, processor: impl SpanProcessor + 'static) -> SdkTracerProvider {
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", "auditferry"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("host.name", host_name()),
    ]);
    SdkTracerProvider::builder()
        .with_sampler(Sampler::TraceIdRatioBased(sample))
        .with_span_limits(SpanLimits::default())
        .with_resource(resource.build())
        .with_span_processor(processor)
        .build()
}

fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let scope = InstrumentationScope::builder("auditferry").with_version(env!("CARGO_PKG_VERSION"));
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer_with_scope(scope.build()))
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(filter_fn(is_traced))
}

/// Whether spans of this kind are traced.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

/// Puts a span into the trace of its window: whoever works on it finds the same. The crates give a trace's id to a span by
/// the context above it only; the outlet takes that off again.
fn in_trace_of(account: &AccountId, slot: Timestamp, span: Span) -> Span {
    if span.is_disabled() {
        return span;
    }
    let mut hasher = Sha256::new();
    hasher.update(account.as_str().as_bytes());
    hasher.update([0]);
    hasher.update(slot.to_string().as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let (Some(trace), Some(above)) = (digest.first_chunk::<16>(), digest.last_chunk::<8>()) else {
        return span;
    };
    let above = SpanContext::new(
        TraceId::from_bytes(*trace),
        SpanId::from_bytes(*above),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    // A layer that is not there wants no parent.
    let _ = span.set_parent(Context::new().with_remote_span_context(above));
    span
}

/// Collectors read numbers as signed.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The planning of a window.
pub(crate) fn plan(account: &AccountId, slot: Timestamp) -> Span {
    let span =
        tracing::info_span!(target: TARGET, parent: None, "plan", account = account.as_str(), slot = %slot);
    in_trace_of(account, slot, span)
}

/// The delivery of a window, or a try of it.
pub(crate) fn window(account: &AccountId, slot: Timestamp, window: u64) -> Span {
    let span = tracing::info_span!(target: TARGET, parent: None, "window", account = account.as_str(), slot = %slot,
        window = number(window), outcome = Empty);
    in_trace_of(account, slot, span)
}

/// The reading of the records of one object.
pub(crate) fn read(window: &Span, ordinal: u32) -> Span {
    tracing::info_span!(target: TARGET, parent: window, "read", ordinal = i64::from(ordinal))
}

/// The making of an object.
pub(crate) fn archive(window: &Span, ordinal: u32) -> Span {
    tracing::info_span!(target: TARGET, parent: window, "archive", ordinal = i64::from(ordinal))
}

/// One attempt to put an object.
pub(crate) fn put(window: &Span, facts: &SealedFacts, attempt: u32) -> Span {
    tracing::info_span!(target: TARGET, parent: window, "put", records = number(facts.records),
        bytes = number(facts.object_bytes), attempt = i64::from(attempt), outcome = Empty)
}

/// The storing of a receipt, or of a window's end.
pub(crate) fn commit(window: &Span) -> Span {
    tracing::info_span!(target: TARGET, parent: window, "commit")
}

/// A request to the API. `route`: as it is declared.
pub(crate) fn request(route: &str, method: &'static str) -> Span {
    tracing::info_span!(target: TARGET, parent: None, "request", http.route = route, http.request.method = method,
        http.response.status_code = Empty, otel.kind = "server")
}

/// The answer to a request.
pub(crate) fn answered(request: &Span, status: u16) {
    request.record("http.response.status_code", i64::from(status));
}

#[cfg(test)]
mod tests;
