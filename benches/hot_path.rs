//! The pure hot paths, one at a time: `cargo bench --bench hot_path`.
//!
//! Throughput is of what goes in: bytes of COPY and of text, of JSON for sealing; elements
//! are instants and slots.
#![allow(missing_docs, reason = "macros make a public function")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]

#[path = "../crates/core/benches/bed/mod.rs"]
mod bed;

use std::hint::black_box;

use auditferry::source::copy::Copy;
use auditferry_core::format::json::{Empty, JsonWriter};
use auditferry_core::model::format::{Container, Format, compression_level};
use auditferry_core::model::record::{Record, RecordKey, RecordRef};
use auditferry_core::model::schedule::{Schedule, Zone};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use bed::{RECORDS, records, seal, window};

/// Columns that the source asks for.
const COLUMNS: usize = 8;
/// Seconds from 1970 to 2000, from which Postgres counts.
const POSTGRES_EPOCH: i64 = 946_684_800;

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
        let format = Format { container, compression: level, ..Format::default() };
        let version = format.content_version();
        let window = window(format, version);
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
