//! Each record format, of the same records: `cargo bench -p auditferry-core --bench formats`. `write` is the writer alone,
//! `seal` an object with its hashes and gzip. Throughput is of records.
#![allow(missing_docs, reason = "macros make a public function")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]

use std::hint::black_box;
use std::sync::Arc;

use auditferry_core::archive::{ObjectBuilder, Sealed};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::{Bound, Cursor, RecordSet};
use auditferry_core::model::format::{Container, Format, RecordFormat};
use auditferry_core::model::record::{CONTENT_VERSION, Record, RecordKey, RecordRef};
use auditferry_core::model::window::Window;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Records of one round: enough that what is kept from one to the next counts.
const RECORDS: u32 = 10_000;

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

fn window(record_format: RecordFormat, content_version: u32) -> Arc<Window> {
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
        format: Format { container: Container::Gzip, record_format, ..Format::default() },
        prefix: String::new(),
        destination_version: 1,
        content_version,
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

fn bench_formats(c: &mut Criterion) {
    let records = records();
    let refs: Vec<RecordRef<'_>> =
        (1..).zip(&records).map(|(key, record)| record.borrow().keyed(RecordKey::Number(key))).collect();
    let mut group = c.benchmark_group("formats");
    group.sample_size(20);
    group.throughput(Throughput::Elements(refs.len() as u64));
    let newest = RecordFormat::ALL.map(|format| (format.as_str(), window(format, CONTENT_VERSION)));
    let usual = [("display, version 2", window(RecordFormat::Display, 2))];
    for (name, window) in usual.into_iter().chain(newest) {
        let mut out = Vec::new();
        let mut writer = Writer::of(&window, TimeZone::get(&window.zone).unwrap()).unwrap();
        group.bench_function(BenchmarkId::new("write", name), |b| {
            b.iter(|| {
                out.clear();
                for record in black_box(&refs) {
                    writer.write(record, &mut out);
                }
            });
        });
        group.bench_function(BenchmarkId::new("seal", name), |b| b.iter(|| seal(&window, black_box(&refs))));
    }
    group.finish();
}

criterion_group!(benches, bench_formats);
criterion_main!(benches);
