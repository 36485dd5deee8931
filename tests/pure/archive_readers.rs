//! Objects are read with tools that are not ours: unzip, Python, libarchive, gunzip and zstd.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use auditferry_core::archive::{ObjectBuilder, Offer, Sealed};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::{Bound, Cursor, RecordSet};
use auditferry_core::model::format::{Container, EmptyWindows, Format, Layout, MAX_WHOLE};
use auditferry_core::model::record::{CONTENT_VERSION, Record};
use auditferry_core::model::window::Window;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tempfile::TempDir;

const SLOT: &str = "2026-11-21T04:00:00Z";
const CONTAINERS: [Container; 4] = [Container::Zip, Container::Gzip, Container::Zstd, Container::None];
const LAYOUTS: [Layout; 2] = [Layout::Lines, Layout::Array];

fn at(text: &str) -> Timestamp {
    text.parse().expect("instant")
}

fn format(container: Container, layout: Layout) -> Format {
    Format { container, layout, empty_windows: EmptyWindows::Object, ..Format::default() }
}

fn window(format: &Format) -> Arc<Window> {
    Arc::new(Window {
        account: "acme corp".parse().expect("id"),
        number: 1,
        generation: 1,
        slot: at(SLOT),
        set: RecordSet::between(Bound("0".into()), Bound("9".into())),
        from: at("2026-11-21T00:00:01.5Z"),
        to: at("2026-11-21T04:00:00.25Z"),
        zone: "Asia/Kolkata".into(),
        format: format.clone(),
        prefix: "siem/".into(),
        destination_version: 1,
        content_version: CONTENT_VERSION,
    })
}

/// Seals all records that fit into the `ordinal`-th object.
fn sealed(window: &Arc<Window>, ordinal: u32, records: &[Record]) -> Sealed {
    let zone = TimeZone::get(&window.zone).expect("zone");
    let writer = Writer::of(window, zone).expect("a known version");
    let mut builder = ObjectBuilder::new(Arc::clone(window), writer, ordinal);
    let mut last = true;
    for record in records {
        if builder.offer(&record.borrow()) == Offer::Full {
            last = false;
            break;
        }
        if let Some(piece) = builder.cut() {
            builder.append(piece.pack().expect("wrapped"));
        }
    }
    let (piece, mut unsealed) = builder.finish(Some(Cursor("9".to_owned())), last);
    unsealed.append(piece.pack().expect("wrapped"));
    unsealed.seal().expect("sealed")
}

fn object(container: Container, layout: Layout, records: &[Record]) -> Sealed {
    sealed(&window(&format(container, layout)), 1, records)
}

fn record(description: &str) -> Record {
    Record {
        occurred_at: at("2026-11-21T03:59:59.123456Z"),
        email: "ana@acme.example".into(),
        action: "document.shared".into(),
        action_id: Some("7f3".into()),
        description: description.into(),
        ip_address: None,
    }
}

/// What a window may hold, by name.
fn contents() -> Vec<(&'static str, Vec<Record>)> {
    let many = (0..2_500).map(|n| record(&format!("record {n} of many"))).collect();
    vec![
        ("empty", vec![]),
        ("one", vec![record("one")]),
        ("many", many),
        (
            "unicode",
            vec![record("Ελένη 日本語 🦀 \u{1f468}\u{200d}\u{1f469} é e\u{301} \u{10ffff} \u{feff}inside")],
        ),
        (
            "signs",
            vec![record("\"quoted\" back\\slash \t \r\n \u{8}\u{c}\u{1}\u{1f}\u{7f} </script>"), record("")],
        ),
        ("separators", vec![record("a\u{85}b\u{2028}c\u{2029}d\u{b}e\u{1c}f"), record("\u{2028}")]),
        ("large", vec![record(&"ä line of text, ".repeat(1 << 16)), record("after it")]),
        (
            "absent",
            vec![
                Record { action_id: None, ip_address: Some("2001:db8::1".into()), ..record("x") },
                Record { action_id: Some(String::new()), ..record("x") },
                Record { email: String::new(), action: String::new(), ..record("") },
            ],
        ),
    ]
}

/// An empty text is as good as none.
fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The records as any JSON reader must see them: names and values, in order.
fn expected(records: &[Record]) -> Value {
    records
        .iter()
        .map(|record| {
            json!([
                ["Date", "2026-11-21T09:29:59.123+05:30"],
                ["Email", known(&record.email)],
                ["Action", known(&record.action)],
                ["Action ID", record.action_id.as_deref().and_then(known)],
                ["Description", known(&record.description)],
                ["IP Address", record.ip_address.as_deref().and_then(known)],
            ])
        })
        .collect()
}

// The readers

/// Runs a reader; a missing one is a failure, as a test that is skipped proves nothing.
fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).env("TZ", "America/New_York").output();
    let output = output.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => panic!("{program} is missing: run ./scripts/test, which installs it"),
        _ => panic!("{program}: {error}"),
    });
    assert!(
        output.status.success(),
        "{program} {args:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn text(program: &str, args: &[&str]) -> String {
    String::from_utf8(run(program, args)).expect("UTF-8")
}

fn python(container: Container, layout: Layout, file: &str) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/archive_readers/inspect.py");
    let (container, layout) = (json!(container), json!(layout));
    let words = [container.as_str().unwrap(), layout.as_str().unwrap(), file];
    let printed = text("python3", &[&[script.to_str().unwrap()], words.as_slice()].concat());
    serde_json::from_str(&printed).expect("JSON")
}

/// An object as a customer finds it: a file with the object's own name.
struct Downloaded {
    _folder: TempDir,
    path: PathBuf,
}

impl Downloaded {
    fn new(sealed: &Sealed) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(sealed.facts.key.as_str().rsplit('/').next().unwrap());
        std::fs::write(&path, &sealed.body).expect("write");
        Self { _folder: folder, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// The content as each reader gives it.
    fn contents(&self, container: Container) -> Vec<(&'static str, Vec<u8>)> {
        let file = self.path();
        match container {
            Container::Zip => {
                vec![("unzip", run("unzip", &["-p", file])), ("bsdtar", run("bsdtar", &["-xOf", file]))]
            }
            Container::Gzip => {
                vec![("gunzip", run("gunzip", &["-c", file])), ("bsdcat", run("bsdcat", &[file]))]
            }
            Container::Zstd => {
                vec![("zstd", run("zstd", &["-dcq", file])), ("bsdcat", run("bsdcat", &[file]))]
            }
            Container::Parquet => {
                unreachable!("readers of its columns are in tests/system/daemon/siem_readers.rs")
            }
            Container::None => vec![("cat", run("cat", &[file])), ("bsdcat", run("bsdcat", &[file]))],
        }
    }
}

#[test]
fn every_reader_finds_every_record_in_every_form() {
    for (name, records) in contents() {
        for (container, layout) in CONTAINERS.into_iter().flat_map(|c| LAYOUTS.map(|l| (c, l))) {
            let case = format!("{name}, {container:?}, {layout:?}");
            let sealed = object(container, layout, &records);
            let downloaded = Downloaded::new(&sealed);
            assert_eq!(sealed.facts.records, records.len() as u64, "{case}");

            let seen = python(container, layout, downloaded.path());
            assert_eq!(seen["records"], expected(&records), "{case}");
            assert_eq!(seen["bom"], false, "{case}");
            assert_eq!(seen["sha256"], *sealed.facts.content_sha256, "{case}");
            assert_eq!(seen["bytes"], sealed.facts.content_bytes, "{case}");
            let void = records.is_empty() && layout == Layout::Lines;
            assert_eq!(seen["ends_with_newline"], !void, "{case}");

            for (reader, content) in downloaded.contents(container) {
                assert_eq!(content.len() as u64, sealed.facts.content_bytes, "{case}: {reader}");
                let lines = content.split_inclusive(|byte| *byte == b'\n');
                let wanted = match layout {
                    Layout::Lines => records.len(),
                    Layout::Array if records.is_empty() => 1,
                    Layout::Array => records.len() + 2,
                };
                assert_eq!(lines.filter(|line| line.ends_with(b"\n")).count(), wanted, "{case}: {reader}");
                assert!(!content.contains(&b'\r'), "{case}: {reader}");
                let parsed: Vec<Value> = match layout {
                    Layout::Array => serde_json::from_slice(&content).expect("an array"),
                    Layout::Lines => content
                        .split(|byte| *byte == b'\n')
                        .filter(|line| !line.is_empty())
                        .map(|line| serde_json::from_slice(line).expect("an object"))
                        .collect(),
                };
                let pairs: Value = parsed
                    .iter()
                    .map(|record| {
                        record.as_object().unwrap().iter().map(|(k, v)| json!([k, v])).collect::<Value>()
                    })
                    .collect();
                assert_eq!(pairs, expected(&records), "{case}: {reader}");
            }
        }
    }
}

#[test]
fn a_zip_holds_one_deflated_entry_with_its_name_and_the_slots_time() {
    let name = "audit_acme.20corp_20261121T040000Z.json";
    for (content, records) in contents() {
        let sealed = object(Container::Zip, Layout::Lines, &records);
        let downloaded = Downloaded::new(&sealed);
        let file = downloaded.path();

        let seen = python(Container::Zip, Layout::Lines, file);
        let entry = json!([{
            "name": name, "time": "2026-11-21T04:00:00", "deflated": true, "encrypted": false,
            "mode": "0o644", "bytes": sealed.facts.content_bytes,
        }]);
        assert_eq!(seen["entries"], entry, "{content}");

        assert_eq!(text("bsdtar", &["-tf", file]), format!("{name}\n"), "{content}");
        assert!(text("unzip", &["-t", file]).contains("No errors detected"), "{content}");
        assert_eq!(text("unzip", &["-Z1", file]), format!("{name}\n"), "{content}");
        let listed = text("unzip", &["-Z", "-T", "-m", file]);
        let line = listed.lines().find(|line| line.ends_with(name)).unwrap_or_else(|| panic!("{listed}"));
        assert!(line.contains(" 20261121.040000 "), "{content}: {line}");
        assert!(line.contains(" def"), "{content}: {line}");
    }
}

#[test]
fn a_gzip_carries_the_slots_time_and_no_name() {
    let sealed = object(Container::Gzip, Layout::Lines, &[record("one")]);
    let seen = python(Container::Gzip, Layout::Lines, Downloaded::new(&sealed).path());
    assert_eq!(seen["mtime"], at(SLOT).as_second());
    assert_eq!(sealed.body[3], 0, "flags: neither name nor comment");
}

#[test]
fn a_zstd_is_one_frame_with_a_checksum() {
    for (content, records) in contents() {
        let sealed = object(Container::Zstd, Layout::Lines, &records);
        let seen = python(Container::Zstd, Layout::Lines, Downloaded::new(&sealed).path());
        assert_eq!((&seen["frames"], &seen["check"]), (&json!(1), &json!("XXH64")), "{content}");
    }
}

#[test]
fn every_level_of_zstd_gives_the_same_content() {
    let records: Vec<_> = (0..10_000).map(|n| record(&format!("record {n} of many"))).collect();
    let mut sizes = Vec::new();
    for compression in 1..=9 {
        let format = Format { compression, ..format(Container::Zstd, Layout::Lines) };
        assert_eq!(format.check(), Ok(()));
        let sealed = sealed(&window(&format), 1, &records);
        let seen = python(Container::Zstd, Layout::Lines, Downloaded::new(&sealed).path());
        assert_eq!(seen["records"], expected(&records), "level {compression}");
        sizes.push(sealed.body.len());
    }
    assert!(sizes[0] > sizes[4], "{sizes:?}");
    for (field, format) in [
        ("compression", Format { compression: 0, ..format(Container::Zstd, Layout::Lines) }),
        ("max_bytes", Format { max_bytes: MAX_WHOLE + 1, ..format(Container::Zstd, Layout::Lines) }),
    ] {
        assert!(format.check().expect_err("refused").to_string().contains(field));
    }
}

#[test]
fn every_compression_level_gives_the_same_content() {
    let records: Vec<_> = (0..10_000).map(|n| record(&format!("record {n} of many"))).collect();
    // Deflated whole and, above that limit, in pieces.
    let limits = [MAX_WHOLE, MAX_WHOLE + 1];
    let kinds =
        [Container::Zip, Container::Gzip].into_iter().flat_map(|kind| limits.map(|limit| (kind, limit)));
    for (container, max_bytes) in kinds {
        let mut sizes = Vec::new();
        for compression in [0, 1, 5, 6, 9] {
            let format = Format { compression, max_bytes, ..format(container, Layout::Lines) };
            let sealed = sealed(&window(&format), 1, &records);
            let downloaded = Downloaded::new(&sealed);
            let seen = python(container, Layout::Lines, downloaded.path());
            assert_eq!(seen["records"], expected(&records), "{container:?}, level {compression}");
            if container == Container::Zip {
                // As with `zip -0`, level 0 stores.
                assert_eq!(seen["entries"][0]["deflated"], compression > 0, "level {compression}");
            }
            for (reader, content) in downloaded.contents(container) {
                assert_eq!(content.len() as u64, sealed.facts.content_bytes, "{reader}, level {compression}");
            }
            sizes.push(sealed.body.len());
        }
        assert!(sizes[0] > sizes[1] && sizes[1] > sizes[4], "{container:?}: {sizes:?}");
    }
}

#[test]
fn the_same_window_gives_the_same_bytes() {
    for (name, records) in contents() {
        for (container, layout) in CONTAINERS.into_iter().flat_map(|c| LAYOUTS.map(|l| (c, l))) {
            let (first, second) = (object(container, layout, &records), object(container, layout, &records));
            assert_eq!(first.facts, second.facts, "{name}, {container:?}, {layout:?}");
            assert!(first.body == second.body, "{name}, {container:?}, {layout:?}: other bytes");
        }
    }
    let one = object(Container::Zip, Layout::Lines, &[record("one")]);
    let other = object(Container::Zip, Layout::Lines, &[record("two")]);
    assert_ne!(one.facts.content_sha256, other.facts.content_sha256);
}

#[test]
fn names_and_media_types_say_what_an_object_is() {
    let stem = "siem/audit/acme.20corp/audit_acme.20corp_20261121T040000Z";
    let cases = [
        (Container::Zip, Layout::Lines, ".zip", "application/zip"),
        (Container::Zip, Layout::Array, ".zip", "application/zip"),
        (Container::Gzip, Layout::Lines, ".jsonl.gz", "application/x-gzip"),
        (Container::Gzip, Layout::Array, ".json.gz", "application/x-gzip"),
        (Container::Zstd, Layout::Lines, ".jsonl.zst", "application/zstd"),
        (Container::Zstd, Layout::Array, ".json.zst", "application/zstd"),
        (Container::None, Layout::Lines, ".jsonl", "application/x-ndjson"),
        (Container::None, Layout::Array, ".json", "application/json"),
    ];
    for (container, layout, ending, media_type) in cases {
        let sealed = object(container, layout, &[record("one")]);
        assert_eq!(sealed.facts.key.as_str(), format!("{stem}{ending}"));
        assert_eq!(sealed.content_type, media_type);
    }
}

#[test]
fn metadata_tells_what_is_inside() {
    for container in CONTAINERS {
        let sealed = object(container, Layout::Lines, &[record("one"), record("two")]);
        let seen = python(container, Layout::Lines, Downloaded::new(&sealed).path());
        let sha256 = seen["sha256"].as_str().unwrap().to_owned();
        let expected = [
            ("auditferry-sha256", sha256),
            ("auditferry-records", "2".to_owned()),
            ("auditferry-window-from", "20261121T000001Z".to_owned()),
            ("auditferry-window-to", "20261121T040000Z".to_owned()),
            ("auditferry-content-version", CONTENT_VERSION.to_string()),
        ];
        assert_eq!(sealed.metadata, expected);
    }
}

#[test]
fn a_window_over_the_limit_goes_on_in_a_further_object() {
    let format = Format { max_records: 2, ..format(Container::Zip, Layout::Array) };
    let window = window(&format);
    let records = [record("1"), record("2"), record("3")];
    let first = sealed(&window, 1, &records);
    let second = sealed(&window, 2, &records[2..]);
    assert!(!first.facts.last && second.facts.last);
    let name = "audit_acme.20corp_20261121T040000Z_0002";
    assert_eq!(second.facts.key.as_str(), format!("siem/audit/acme.20corp/{name}.zip"));
    assert!(first.facts.key.as_str() < second.facts.key.as_str());
    for (sealed, wanted) in [(&first, &records[..2]), (&second, &records[2..])] {
        let downloaded = Downloaded::new(sealed);
        let seen = python(Container::Zip, Layout::Array, downloaded.path());
        assert_eq!(seen["records"], expected(wanted));
    }
    assert_eq!(text("unzip", &["-Z1", Downloaded::new(&second).path()]), format!("{name}.json\n"));
}
