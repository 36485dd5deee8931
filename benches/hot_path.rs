//! The pure hot paths, one at a time: `cargo bench --bench hot_path`.
//!
//! Throughput is of what goes in: bytes of COPY and of text, of JSON for sealing; elements
//! are instants and slots.
#![allow(missing_docs, reason = "macros make a public function")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]

use std::hint::black_box;
use std::sync::Arc;

use auditferry::source::copy::Copy;
use auditferry_core::archive::{ObjectBuilder, Sealed};
use auditferry_core::format::json::{Empty, JsonWriter};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::{Bound, Cursor, RecordSet};
use auditferry_core::model::format::{Container, Format, compression_level};
use auditferry_core::model::record::{CONTENT_VERSION, Record, RecordKey, RecordRef};
use auditferry_core::model::schedule::{Schedule, Zone};
use auditferry_core::model::window::Window;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

/// Records of one round: enough that what is kept from one to the next counts.
const RECORDS: u32 = 10_000;
/// Columns that the source asks for.
const COLUMNS: usize = 8;
/// Seconds from 1970 to 2000, from which Postgres counts.
const POSTGRES_EPOCH: i64 = 946_684_800;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        let number = self.below(choices.len() as u64);
        choices[usize::try_from(number).unwrap()]
    }
}

/// Records as an application writes them: few kinds of words, ids that are all different.
fn records() -> Vec<Record> {
    let mut dice = Dice(1);
    let first: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    (0..RECORDS)
        .map(|number| Record {
            occurred_at: first + SignedDuration::from_micros(i64::from(number) * 37_123),
            email: format!(
                "{}.{}@acme.example",
                dice.pick(&["ana", "omar", "zoë", "fatima"]),
                dice.below(500)
            ),
            action: dice.pick(&["login", "role.granted", "document.shared", "key.rotated"]).to_owned(),
            action_id: (number % 10 != 0).then(|| format!("ACT-{}", dice.below(10_000))),
            description: format!(
                "{} {} {}, request {:016x}{:016x} in session {}",
                dice.pick(&["ana", "omar", "eva"]),
                dice.pick(&["opened", "changed", "approved"]),
                dice.pick(&["the quarterly report", "an \"invoice\"", "the access group for auditors"]),
                dice.below(u64::MAX),
                dice.below(u64::MAX),
                dice.below(1_000_000),
            ),
            ip_address: (number % 20 != 0).then(|| format!("10.0.{}.{}", dice.below(256), dice.below(256))),
        })
        .collect()
}

/// What Postgres sends for these records: a message for each row.
fn copied(records: &[Record]) -> Vec<Vec<u8>> {
    let mut messages = vec![[b"PGCOPY\n\xff\r\n\0".as_slice(), &[0; 8]].concat()];
    for (number, record) in records.iter().enumerate() {
        let micros = record.occurred_at.as_microsecond() - POSTGRES_EPOCH * 1_000_000;
        let fields: [Option<&[u8]>; COLUMNS] = [
            Some(&7_u64.to_be_bytes()),
            Some(&(number as u64).to_be_bytes()),
            Some(&micros.to_be_bytes()),
            Some(record.email.as_bytes()),
            Some(record.action.as_bytes()),
            record.action_id.as_deref().map(str::as_bytes),
            Some(record.description.as_bytes()),
            record.ip_address.as_deref().map(str::as_bytes),
        ];
        let mut row = i16::try_from(COLUMNS).unwrap().to_be_bytes().to_vec();
        for field in fields {
            let length = field.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap());
            row.extend(length.to_be_bytes());
            row.extend(field.unwrap_or_default());
        }
        messages.push(row);
    }
    messages.push((-1_i16).to_be_bytes().to_vec());
    messages
}

/// Reads all rows; the sum is there so that nothing is left out.
fn decode(messages: &[Vec<u8>]) -> i64 {
    let (mut copy, mut sum) = (Copy::default(), 0);
    for message in messages {
        let mut rows = copy.rows::<COLUMNS>(message).unwrap();
        while let Some(row) = rows.next_row().unwrap() {
            let record = RecordRef {
                key: RecordKey::Unknown,
                occurred_at: Timestamp::from_microsecond(row.bigint(2).unwrap() + POSTGRES_EPOCH * 1_000_000)
                    .unwrap(),
                email: row.text(3).unwrap(),
                action: row.text(4).unwrap(),
                action_id: row.optional_text(5).unwrap(),
                description: row.text(6).unwrap(),
                ip_address: row.optional_text(7).unwrap(),
            };
            sum += row.bigint(0).unwrap() + row.bigint(1).unwrap();
            black_box(record);
        }
    }
    copy.end().unwrap();
    sum
}

fn bench_decode(c: &mut Criterion) {
    let messages = copied(&records());
    let mut group = c.benchmark_group("copy");
    group.throughput(Throughput::Bytes(messages.iter().map(|message| message.len() as u64).sum()));
    group.bench_function("decode", |b| b.iter(|| decode(black_box(&messages))));
    group.finish();
}

fn write_all(writer: &mut JsonWriter, records: &[RecordRef<'_>], out: &mut Vec<u8>) {
    out.clear();
    for record in records {
        writer.write(record, out);
        out.push(b'\n');
    }
}

fn bench_json(c: &mut Criterion) {
    let records = records();
    let kolkata = TimeZone::get("Asia/Kolkata").unwrap();
    let mut out = Vec::new();
    let mut group = c.benchmark_group("json");

    let refs: Vec<RecordRef<'_>> = records.iter().map(Record::borrow).collect();
    let mut writer = JsonWriter::new(kolkata.clone(), Empty::Null);
    write_all(&mut writer, &refs, &mut out);
    group.throughput(Throughput::Bytes(out.len() as u64));
    group.bench_function("records", |b| b.iter(|| write_all(&mut writer, black_box(&refs), &mut out)));

    // One long text, so that hardly anything but its escaping is measured.
    let texts = [
        ("ascii", "plain words of a description ".repeat(300)),
        ("quotes", "a \"quoted\" word, a \\ and\nlines ".repeat(300)),
        ("multi-byte", "Übergröße 日本語 Ünïcödé 🦊 ".repeat(300)),
        ("separators", "one\u{2028}two\u{85}three\u{2029}four ".repeat(300)),
    ];
    for (name, text) in &texts {
        let record = RecordRef {
            key: RecordKey::Unknown,
            occurred_at: refs[0].occurred_at,
            email: "",
            action: "",
            action_id: None,
            description: text,
            ip_address: None,
        };
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("escape", name), |b| {
            b.iter(|| write_all(&mut writer, black_box(&[record]), &mut out));
        });
    }
    group.finish();
}

fn bench_time(c: &mut Criterion) {
    let empty = RecordRef {
        key: RecordKey::Unknown,
        occurred_at: Timestamp::UNIX_EPOCH,
        email: "",
        action: "",
        action_id: None,
        description: "",
        ip_address: None,
    };
    let first: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut out = Vec::new();
    let mut group = c.benchmark_group("time");
    group.throughput(Throughput::Elements(u64::from(RECORDS)));
    // One after the other as in a log, and a month apart, where nothing can be kept.
    for (order, step) in [("in order", 1_u64), ("a month apart", 30 * 86_400)] {
        for zone in ["UTC", "Asia/Kolkata", "America/New_York"] {
            let records: Vec<RecordRef<'_>> = (0..u64::from(RECORDS))
                .map(|number| {
                    let seconds = number * step % (360 * 86_400);
                    let after = SignedDuration::from_secs(i64::try_from(seconds).unwrap());
                    RecordRef { occurred_at: first + after, ..empty }
                })
                .collect();
            let mut writer = JsonWriter::new(TimeZone::get(zone).unwrap(), Empty::Null);
            group.bench_function(BenchmarkId::new(order, zone), |b| {
                b.iter(|| write_all(&mut writer, black_box(&records), &mut out));
            });
        }
    }
    group.finish();
}

fn window(container: Container, compression: u32) -> Arc<Window> {
    let at = |text: &str| text.parse().unwrap();
    Arc::new(Window {
        account: "acme".parse().unwrap(),
        number: 1,
        generation: 1,
        slot: at("2026-11-21T04:00:00Z"),
        set: RecordSet::between(Bound("0".into()), Bound("9".into())),
        from: at("2026-11-21T00:00:00Z"),
        to: at("2026-11-21T04:00:00Z"),
        zone: "Asia/Kolkata".into(),
        format: Format { container, compression, ..Format::default() },
        prefix: String::new(),
        destination_version: 1,
        content_version: CONTENT_VERSION,
    })
}

/// Records to the bytes of an object, on one thread.
fn seal(window: &Arc<Window>, records: &[RecordRef<'_>]) -> Sealed {
    let writer = Writer::of(window, TimeZone::get(&window.zone).unwrap()).unwrap();
    let mut builder = ObjectBuilder::new(Arc::clone(window), writer, 1);
    for record in records {
        builder.offer(record);
        if let Some(piece) = builder.cut() {
            builder.append(piece.pack().unwrap());
        }
    }
    let (piece, mut unsealed) = builder.finish(Some(Cursor("9".to_owned())), true);
    unsealed.append(piece.pack().unwrap());
    unsealed.seal().unwrap()
}

fn bench_seal(c: &mut Criterion) {
    let records = records();
    let refs: Vec<RecordRef<'_>> = records.iter().map(Record::borrow).collect();
    let default = Format::default().compression;
    let mut group = c.benchmark_group("seal");
    group.sample_size(20);
    let levels = [
        ("zip/fast", Container::Zip, compression_level("fast").unwrap()),
        ("zip/default", Container::Zip, default),
        ("zip/best", Container::Zip, compression_level("best").unwrap()),
        ("gzip/default", Container::Gzip, default),
        ("zstd/fast", Container::Zstd, compression_level("fast").unwrap()),
        ("zstd/default", Container::Zstd, default),
        ("zstd/best", Container::Zstd, compression_level("best").unwrap()),
        ("none", Container::None, default),
    ];
    for (name, container, level) in levels {
        let window = window(container, level);
        group.throughput(Throughput::Bytes(seal(&window, &refs).facts.content_bytes));
        group.bench_function(name, |b| b.iter(|| seal(&window, black_box(&refs))));
    }
    group.finish();
}

fn bench_slots(c: &mut Criterion) {
    let schedule = Schedule::parse("0 0 */4 * * *").unwrap();
    let database = TimeZoneDatabase::bundled();
    let now: Timestamp = "2026-11-21T04:00:01Z".parse().unwrap();
    let mut group = c.benchmark_group("slot");
    group.throughput(Throughput::Elements(1));
    for name in ["UTC", "Asia/Kolkata", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe"] {
        let zone = Zone::find(&database, name).unwrap();
        group.bench_function(BenchmarkId::new("next", name), |b| {
            b.iter(|| schedule.next_after(black_box(zone.rules()), black_box(now)));
        });
        group.bench_function(BenchmarkId::new("newest", name), |b| {
            b.iter(|| schedule.newest_at(black_box(zone.rules()), black_box(now)));
        });
    }
    group.bench_function("parse the schedule", |b| b.iter(|| Schedule::parse(black_box("0 0 */4 * * *"))));
    group.finish();
}

criterion_group!(benches, bench_decode, bench_json, bench_time, bench_seal, bench_slots);
criterion_main!(benches);
