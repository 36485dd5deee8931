//! An OpenTelemetry collector on loopback: takes OTLP over HTTP, and reads the protocol buffers field by field.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// A span as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub trace: Vec<u8>,
    pub id: Vec<u8>,
    pub parent: Vec<u8>,
    pub name: String,
    pub kind: u64,
    pub began: u64,
    pub ended: u64,
    pub attributes: BTreeMap<String, String>,
}

#[derive(Default)]
struct Inner {
    bodies: Vec<Bytes>,
    headers: Vec<HeaderMap>,
}

#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Inner>>);

/// One field of a message.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a varint");
        *bytes = rest;
        number |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return number;
        }
    }
    panic!("a varint of more than ten bytes");
}

/// The fields of a message. Source: "Encoding", protobuf.dev.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (number, rest) = bytes.split_first_chunk::<8>().expect("eight bytes");
                bytes = rest;
                Field::Number(u64::from_le_bytes(*number))
            }
            5 => {
                let (number, rest) = bytes.split_first_chunk::<4>().expect("four bytes");
                bytes = rest;
                Field::Number(u64::from(u32::from_le_bytes(*number)))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("length");
                let (inner, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(inner)
            }
            other => panic!("wire type {other}"),
        };
        all.push((key >> 3, field));
    }
    all
}

/// The messages in a field.
fn inner<'b>(bytes: &'b [u8], number: u64) -> Vec<&'b [u8]> {
    let wanted = |(other, field): (u64, Field<'b>)| match field {
        Field::Bytes(bytes) if other == number => Some(bytes),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(wanted).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn attributes(bytes: &[u8], number: u64) -> BTreeMap<String, String> {
    let pair = |pair: &[u8]| {
        let value = inner(pair, 2)[0];
        let value = match fields(value).pop() {
            Some((1, Field::Bytes(bytes))) => text(bytes),
            Some((3, Field::Number(number))) => number.to_string(),
            _ => panic!("an attribute of another kind"),
        };
        (text(inner(pair, 1)[0]), value)
    };
    inner(bytes, number).into_iter().map(pair).collect()
}

fn span(bytes: &[u8]) -> Span {
    let one = |number| inner(bytes, number).first().map(|bytes| bytes.to_vec()).unwrap_or_default();
    let number = |wanted| {
        let found = fields(bytes).into_iter().find_map(|(number, field)| match field {
            Field::Number(value) if number == wanted => Some(value),
            _ => None,
        });
        found.expect("a number")
    };
    Span {
        trace: one(1),
        id: one(2),
        parent: one(4),
        name: text(&one(5)),
        kind: number(6),
        began: number(7),
        ended: number(8),
        attributes: attributes(bytes, 9),
    }
}

impl Collector {
    /// Starts one, and gives its endpoint.
    pub async fn start() -> (Self, String) {
        let this = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().expect("address"));
        let router = axum::Router::new().route("/v1/traces", post(take)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (this, endpoint)
    }

    /// The spans that have arrived, each with what its process says of itself.
    pub fn spans(&self) -> Vec<Span> {
        let inner_ = self.0.lock().expect("state");
        let mut all = Vec::new();
        for body in &inner_.bodies {
            for of_resource in inner(body, 1) {
                let process = attributes(inner(of_resource, 1)[0], 1);
                assert_eq!(process["service.name"], "auditferry");
                for scoped in inner(of_resource, 2) {
                    all.extend(inner(scoped, 2).into_iter().map(span));
                }
            }
        }
        all
    }

    /// Everything that has arrived, as it came.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("state").bodies.concat()
    }

    /// A header of each request.
    pub fn header(&self, name: &str) -> Vec<String> {
        let inner = self.0.lock().expect("state");
        let value = |headers: &HeaderMap| {
            headers.get(name).map_or("", |value| value.to_str().expect("text")).to_owned()
        };
        inner.headers.iter().map(value).collect()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut inner = collector.0.lock().expect("state");
    inner.bodies.push(body);
    inner.headers.push(headers);
    StatusCode::OK
}
