//! Takes spans from `tracing`, and puts those that are sampled into the queue when they end.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{ATTRIBUTES, Ended, EndedSpan, TARGET, Value};
use crate::base::clock::Clock;
use crate::secrets::keys::random;

/// Most characters of an attribute.
const MAX_CHARS: usize = 250;

/// Makes traces of spans.
pub(crate) struct TraceLayer {
    /// Of 2^63.
    sampled: u64,
    clock: Arc<dyn Clock>,
    queue: mpsc::Sender<EndedSpan>,
    dropped: Counter,
}

impl TraceLayer {
    pub(super) fn new(
        sample: f64,
        clock: Arc<dyn Clock>,
        queue: mpsc::Sender<EndedSpan>,
        dropped: Counter,
    ) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2^63 fits")]
        let sampled = (sample.clamp(0.0, 1.0) * 2_f64.powi(63)) as u64;
        Self { sampled, clock, queue, dropped }
    }

    /// Whether spans of this kind are traced.
    pub(crate) fn takes(metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == TARGET
    }

    /// By the last bytes of its id, so that all who know the id decide alike.
    fn is_sampled(&self, trace: [u8; 16]) -> bool {
        let [.., a, b, c, d, e, f, g, h] = trace;
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1 < self.sampled
    }
}

/// The attributes of a span, of those that may be told.
#[derive(Default)]
struct Told(Vec<(&'static str, Value)>);

impl Told {
    fn add(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        if ATTRIBUTES.contains(&field.name()) {
            self.0.push((field.name(), value()));
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(other, value)| match value {
            Value::Text(text) if *other == name => Some(text.as_str()),
            _ => None,
        })
    }
}

impl Visit for Told {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, || Value::Number(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, || Value::Number(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, || Value::Text(value.chars().take(MAX_CHARS).collect()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field, || Value::Text(format!("{value:?}").chars().take(MAX_CHARS).collect()));
    }
}

/// The trace of a window: whoever works on it finds the same.
fn trace_of(told: &Told) -> Option<[u8; 16]> {
    let mut hasher = Sha256::new();
    hasher.update(told.text("account")?.as_bytes());
    hasher.update([0]);
    hasher.update(told.text("slot")?.as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    digest.first_chunk().copied()
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut told = Told::default();
        attributes.record(&mut told);
        let (trace, parent) = match span.parent() {
            Some(above) => match above.extensions().get::<Ended>() {
                Some(above) => (above.trace, Some(above.span)),
                // The trace is not sampled.
                None => return,
            },
            None => match trace_of(&told).map_or_else(random::<16>, Ok) {
                Ok(trace) if self.is_sampled(trace) => (trace, None),
                _ => return,
            },
        };
        let Ok(own) = random::<8>() else { return };
        let began = self.clock.now();
        let name = attributes.metadata().name();
        span.extensions_mut().insert(Ended {
            name,
            trace,
            span: own,
            parent,
            began,
            ended: began,
            attributes: told.0,
            served: name == "request",
        });
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(kept) = span.extensions_mut().get_mut::<Ended>() {
            let mut told = Told::default();
            record.record(&mut told);
            kept.attributes.extend(told.0);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(ended) = span.extensions_mut().remove::<Ended>() else { return };
        let ended = Ended { ended: self.clock.now().max(ended.began), ..ended };
        if self.queue.try_send(EndedSpan(ended)).is_err() {
            self.dropped.inc();
        }
    }
}
