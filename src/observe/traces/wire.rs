//! Spans as a collector reads them: protocol buffers, by hand, as the few messages that are needed do not change.
//!
//! Source: `opentelemetry/proto/{collector/trace,trace,common,resource}/v1/*.proto`, version 1.x, which is stable.

use super::{Ended, Value};

/// Field numbers are those of the sources.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.0.push(low & 0x7F);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn number(mut self, field: u32, number: u64) -> Self {
        self.key(field, 0);
        self.varint(number);
        self
    }

    fn fixed(mut self, field: u32, number: u64) -> Self {
        self.key(field, 1);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn message(self, field: u32, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }
}

/// `KeyValue`, with its `AnyValue`.
fn attribute(name: &str, value: &Value) -> Message {
    let any = match value {
        Value::Text(text) => Message::default().bytes(1, text.as_bytes()),
        // A negative one would be ten bytes; it is the same number.
        Value::Number(number) => Message::default().number(3, number.cast_unsigned()),
    };
    Message::default().bytes(1, name.as_bytes()).message(2, &any)
}

/// `Span`. SPAN_KIND_INTERNAL is 1, SPAN_KIND_SERVER 2.
fn span(span: &Ended) -> Message {
    let nanos = |at: jiff::Timestamp| u64::try_from(at.as_nanosecond()).unwrap_or(0);
    let mut message = Message::default().bytes(1, &span.trace).bytes(2, &span.span);
    if let Some(parent) = span.parent {
        message = message.bytes(4, &parent);
    }
    message = message
        .bytes(5, span.name.as_bytes())
        .number(6, if span.served { 2 } else { 1 })
        .fixed(7, nanos(span.began))
        .fixed(8, nanos(span.ended));
    span.attributes.iter().fold(message, |message, (name, value)| message.message(9, &attribute(name, value)))
}

/// `ExportTraceServiceRequest` with one `ResourceSpans` and one `ScopeSpans`.
pub(super) fn request(spans: &[Ended], host: &str) -> Vec<u8> {
    let text = |text: &str| Value::Text(text.to_owned());
    let version = env!("CARGO_PKG_VERSION");
    let resource = [("service.name", "auditferry"), ("service.version", version), ("host.name", host)];
    let resource = resource.into_iter().fold(Message::default(), |resource, (name, value)| {
        resource.message(1, &attribute(name, &text(value)))
    });
    let scope = Message::default().bytes(1, b"auditferry").bytes(2, version.as_bytes());
    let scoped =
        spans.iter().fold(Message::default().message(1, &scope), |all, one| all.message(2, &span(one)));
    let all = Message::default().message(1, &resource).message(2, &scoped);
    Message::default().message(1, &all).0
}
