//! Traces for an OpenTelemetry collector: one for each window, one for each request to the API.
//!
//! A window's trace is named by its account and slot, so that whoever works on it, and however often, adds to the same
//! one; and what is not sampled by one worker is not by the others. Spans wait in a bounded queue for the task that
//! sends them, and are dropped when it is full: nothing waits for a collector.

mod layer;
mod sender;
mod wire;

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tracing::Span;
use tracing::field::Empty;

pub(crate) use layer::TraceLayer;
pub use sender::TraceSender;

use crate::base::clock::Clock;
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::account::AccountId;

/// The target of spans that are traced. No line of a log has them.
pub(crate) const TARGET: &str = "auditferry::trace";

/// Most spans that wait to be sent: some MiB.
const QUEUE: usize = 8_192;

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

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Number(i64),
}

/// A span that has ended.
#[derive(Debug, Clone)]
struct Ended {
    name: &'static str,
    trace: [u8; 16],
    span: [u8; 8],
    parent: Option<[u8; 8]>,
    began: Timestamp,
    ended: Timestamp,
    attributes: Vec<(&'static str, Value)>,
    /// Of a request that somebody else has sent.
    served: bool,
}

/// The two ends of the queue: what makes spans, and what sends them. `sample`: the share of traces that are kept.
#[must_use]
pub(crate) fn queue(sample: f64, clock: Arc<dyn Clock>) -> (TraceLayer, mpsc::Receiver<EndedSpan>, Counter) {
    let (send, receive) = mpsc::channel(QUEUE);
    let dropped = Counter::default();
    (TraceLayer::new(sample, clock, send, dropped.clone()), receive, dropped)
}

/// A span in the queue.
pub(crate) struct EndedSpan(Ended);

/// The planning of a window.
pub(crate) fn plan(account: &AccountId, slot: Timestamp) -> Span {
    tracing::info_span!(target: TARGET, parent: None, "plan", account = %account, slot = %slot)
}

/// The delivery of a window, or a try of it.
pub(crate) fn window(account: &AccountId, slot: Timestamp, window: u64) -> Span {
    tracing::info_span!(target: TARGET, "window", account = %account, slot = %slot, window, outcome = Empty)
}

/// The reading of the records of one object.
pub(crate) fn read(window: &Span, ordinal: u32) -> Span {
    tracing::info_span!(target: TARGET, parent: window, "read", ordinal)
}

/// The making of an object.
pub(crate) fn archive(window: &Span, ordinal: u32) -> Span {
    tracing::info_span!(target: TARGET, parent: window, "archive", ordinal)
}

/// One attempt to put an object.
pub(crate) fn put(window: &Span, facts: &SealedFacts, attempt: u32) -> Span {
    tracing::info_span!(target: TARGET, parent: window, "put", records = facts.records, bytes = facts.object_bytes,
        attempt, outcome = Empty)
}

/// The storing of a receipt, or of a window's end.
pub(crate) fn commit(window: &Span) -> Span {
    tracing::info_span!(target: TARGET, parent: window, "commit")
}

/// A request to the API. `route`: as it is declared.
pub(crate) fn request(route: &str, method: &'static str) -> Span {
    tracing::info_span!(target: TARGET, parent: None, "request", http.route = route, http.request.method = method,
        http.response.status_code = Empty)
}

#[cfg(test)]
mod tests;
