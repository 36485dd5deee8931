//! The bytes of every content version and record format, kept for ever: records in, content out. A window that an
//! older release has planned must come out the same, or its account is held.
//!
//! A folder here is never changed. For a new version, `AUDITFERRY_WRITE_GOLDEN=1` writes the folder
//! that is not there yet; look at it before it is committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auditferry_core::archive::{ObjectBuilder, Offer, Sealed};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::{Bound, Cursor, RecordSet};
use auditferry_core::model::format::{Absent, Container, EmptyWindows, Format, Layout, RecordFormat};
use auditferry_core::model::record::{Record, RecordKey};
use auditferry_core::model::window::Window;
use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const ZONES: [&str; 4] = ["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Apia"];
const LAYOUTS: [(Layout, &str); 2] = [(Layout::Lines, "jsonl"), (Layout::Array, "json")];
const CONTAINERS: [Container; 4] = [Container::Zip, Container::Gzip, Container::Zstd, Container::None];

/// What is kept in one folder: a content version, and the options of records.
struct Case {
    folder: &'static str,
    version: u32,
    options: fn(&mut Format),
}

const CASES: [Case; 11] = [
    Case { folder: "content-1", version: 1, options: |_| {} },
    Case { folder: "content-2", version: 2, options: |_| {} },
    Case {
        folder: "display-3",
        version: 3,
        options: |format| {
            enveloped(format, RecordFormat::Display);
            format.absent = Absent::Omit;
            format.max_field_bytes = 64;
        },
    },
    Case {
        folder: "snake_case-3",
        version: 3,
        options: |format| format.record_format = RecordFormat::SnakeCase,
    },
    Case { folder: "ocsf-3", version: 3, options: |format| enveloped(format, RecordFormat::Ocsf) },
    Case { folder: "ecs-3", version: 3, options: |format| enveloped(format, RecordFormat::Ecs) },
    Case { folder: "cef-3", version: 3, options: |format| enveloped(format, RecordFormat::Cef) },
    Case { folder: "leef-3", version: 3, options: |format| enveloped(format, RecordFormat::Leef) },
    Case { folder: "udm-3", version: 3, options: |format| enveloped(format, RecordFormat::Udm) },
    Case { folder: "asim-3", version: 3, options: |format| enveloped(format, RecordFormat::Asim) },
    Case { folder: "cim-3", version: 3, options: |format| enveloped(format, RecordFormat::Cim) },
];

fn enveloped(format: &mut Format, records: RecordFormat) {
    format.record_format = records;
    format.envelope = true;
    format.source = "Acme Dashboard".to_owned();
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/golden")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("instant")
}

fn records() -> Vec<Record> {
    let text = std::fs::read_to_string(golden().join("records.json")).expect("records");
    let records: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let field = |record: &Value, name: &str| record[name].as_str().map(str::to_owned);
    let needed = |record: &Value, name: &str| field(record, name).expect("a text");
    records
        .iter()
        .map(|record| Record {
            occurred_at: at(&needed(record, "at")),
            email: needed(record, "email"),
            action: needed(record, "action"),
            action_id: field(record, "action_id"),
            description: needed(record, "description"),
            ip_address: field(record, "ip_address"),
        })
        .collect()
}

fn sealed(case: &Case, zone: &str, mut format: Format, records: &[Record]) -> Sealed {
    (case.options)(&mut format);
    let window = Arc::new(Window {
        account: "acme".parse().expect("id"),
        number: 1,
        generation: 1,
        slot: at("2026-11-21T04:00:00Z"),
        set: RecordSet::between(Bound("0".into()), Bound("9".into())),
        from: at("2026-11-21T00:00:01Z"),
        to: at("2026-11-21T04:00:01Z"),
        zone: zone.to_owned(),
        format,
        prefix: String::new(),
        destination_version: 1,
        content_version: case.version,
    });
    let writer =
        Writer::of(&window, TimeZoneDatabase::bundled().get(zone).expect("zone")).expect("a known version");
    let mut builder = ObjectBuilder::new(window, writer, 1);
    for (key, record) in (1..).zip(records) {
        assert_eq!(builder.offer(&record.borrow().keyed(RecordKey::Number(key))), Offer::Taken);
    }
    let (piece, mut unsealed) = builder.finish(Some(Cursor("9".to_owned())), true);
    unsealed.append(piece.pack().expect("wrapped"));
    unsealed.seal().expect("sealed")
}

fn format(container: Container, layout: Layout) -> Format {
    Format { container, layout, empty_windows: EmptyWindows::Object, ..Format::default() }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The layouts that a case allows.
fn layouts(case: &Case) -> Vec<(Layout, &'static str)> {
    let allowed = |layout| {
        let mut format = format(Container::None, layout);
        (case.options)(&mut format);
        format.check().is_ok()
    };
    LAYOUTS.into_iter().filter(|(layout, _)| allowed(*layout)).collect()
}

/// What a case makes, by the names of the golden files: the content in each zone and layout, and
/// a zip in which nothing is compressed, so that no compressor's version counts.
fn made(case: &Case) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for zone in ZONES {
        for (layout, ending) in layouts(case) {
            let bare = sealed(case, zone, format(Container::None, layout), &records());
            files.push((format!("{}.{ending}", zone.replace('/', "_")), bare.body.to_vec()));
        }
    }
    for (layout, ending) in layouts(case) {
        let empty = sealed(case, "UTC", format(Container::None, layout), &[]);
        files.push((format!("empty.{ending}"), empty.body.to_vec()));
    }
    let stored = Format { compression: 0, ..format(Container::Zip, Layout::Lines) };
    files.push(("UTC.stored.zip".to_owned(), sealed(case, "UTC", stored, &records()).body.to_vec()));
    files
}

/// As `sha256sum` has it.
fn sums(files: &[(String, Vec<u8>)]) -> String {
    files.iter().map(|(name, bytes)| format!("{}  {name}\n", hash(bytes))).collect()
}

#[test]
fn every_version_gives_its_golden_bytes() {
    for case in &CASES {
        let folder = golden().join(case.folder);
        let files = made(case);
        if std::env::var_os("AUDITFERRY_WRITE_GOLDEN").is_some() && !folder.join("SHA256SUMS").exists() {
            std::fs::create_dir_all(&folder).expect("folder");
            for (name, bytes) in &files {
                std::fs::write(folder.join(name), bytes).expect("golden file");
            }
            std::fs::write(folder.join("SHA256SUMS"), sums(&files)).expect("sums");
            panic!("{} was written: look at it, and commit it", folder.display());
        }
        for (name, bytes) in &files {
            let kept = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(
                kept == *bytes,
                "{}, {name}: other bytes. A version never changes: make another one\n\
                 kept: {}\nmade: {}",
                case.folder,
                String::from_utf8_lossy(&kept),
                String::from_utf8_lossy(bytes)
            );
        }
        let kept = std::fs::read_to_string(folder.join("SHA256SUMS")).expect("sums");
        assert_eq!(kept, sums(&files));
    }
}

/// What is stored of an object, and decides whether a rebuilt one is the same.
#[test]
fn the_content_has_its_golden_hash_in_every_container() {
    for case in &CASES {
        let folder = golden().join(case.folder);
        let kept = std::fs::read_to_string(folder.join("SHA256SUMS")).expect("sums");
        for zone in ZONES {
            for (layout, ending) in layouts(case) {
                let name = format!("  {}.{ending}", zone.replace('/', "_"));
                let sum = kept.lines().find_map(|line| line.strip_suffix(&name)).expect("a sum");
                for container in CONTAINERS {
                    let facts = sealed(case, zone, format(container, layout), &records()).facts;
                    assert_eq!(facts.content_sha256, sum, "{} {zone} {container:?} {layout:?}", case.folder);
                }
            }
        }
    }
}

/// Another zstd may compress otherwise. The content is what must stay, and only it decides whether a rebuilt
/// object is the same; but the object's own hash becomes another. So it happens knowingly.
#[test]
fn zstd_gives_its_golden_bytes() {
    let folder = golden().join("zstd");
    for compression in [1, 5, 8] {
        let format = Format { compression, ..format(Container::Zstd, Layout::Lines) };
        let made = sealed(&CASES[1], "UTC", format, &records()).body;
        let path = folder.join(format!("UTC.{compression}.jsonl.zst"));
        if std::env::var_os("AUDITFERRY_WRITE_GOLDEN").is_some() && !path.exists() {
            std::fs::create_dir_all(&folder).expect("folder");
            std::fs::write(&path, &made).expect("golden file");
        }
        let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(kept == made, "{} has other bytes: was zstd changed?", path.display());
    }
}

/// The same for Parquet, whose columns are of OCSF.
#[test]
fn parquet_gives_its_golden_bytes() {
    let case = CASES.iter().find(|case| case.folder == "ocsf-3").expect("the case of ocsf");
    let folder = golden().join("parquet");
    for (name, records) in [("UTC.parquet", records()), ("empty.parquet", Vec::new())] {
        let made = sealed(case, "UTC", format(Container::Parquet, Layout::Lines), &records);
        let path = folder.join(name);
        if std::env::var_os("AUDITFERRY_WRITE_GOLDEN").is_some() && !path.exists() {
            std::fs::create_dir_all(&folder).expect("folder");
            std::fs::write(&path, &made.body).expect("golden file");
        }
        let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(kept == made.body, "{} has other bytes: was parquet or zstd changed?", path.display());
        // What is hashed are the lines, as in every container.
        let lines = sealed(case, "UTC", format(Container::None, Layout::Lines), &records);
        assert_eq!(made.facts.content_sha256, lines.facts.content_sha256, "{name}");
    }
}
