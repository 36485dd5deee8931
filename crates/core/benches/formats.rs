//! Each record format, of the same records: `cargo bench -p auditferry-core --bench formats`. `write` is the writer alone,
//! `seal` an object with its hashes and gzip. Throughput is of records.
#![allow(missing_docs, reason = "macros make a public function")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]

mod bed;

use std::hint::black_box;

use auditferry_core::format::writer::Writer;
use auditferry_core::model::format::{Container, Format, RecordFormat};
use auditferry_core::model::record::{CONTENT_VERSION, RecordKey, RecordRef};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;

use bed::{records, seal, window};

fn bench_formats(c: &mut Criterion) {
    let records = records();
    let refs: Vec<RecordRef<'_>> =
        (1..).zip(&records).map(|(key, record)| record.borrow().keyed(RecordKey::Number(key))).collect();
    let mut group = c.benchmark_group("formats");
    group.sample_size(20);
    group.throughput(Throughput::Elements(refs.len() as u64));
    let of = |record_format, version| {
        window(Format { container: Container::Gzip, record_format, ..Format::default() }, version)
    };
    let newest = RecordFormat::ALL.map(|format| (format.as_str(), of(format, CONTENT_VERSION)));
    let usual = [("display, version 2", of(RecordFormat::Display, 2))];
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
