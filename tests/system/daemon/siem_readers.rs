//! Whole objects, as the program delivers them, read by readers that are not ours: each gives exactly the rows
//! of the source, in their order where it keeps one.
//!
//! The readers are installed by `scripts/test` from `scripts/test-readers.txt`.

use std::path::Path;
use std::process::Command;

use auditferry_core::model::format::Siem;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::daemon::app::{App, EVERY_SECOND, YEARLY, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{Row, filter, keys_of, rows};
use crate::support::{folder, run, tool};

/// The fields of the default record format.
const FIELDS: [&str; 6] = ["Date", "Email", "Action", "Action ID", "Description", "IP Address"];

/// Readers that take files.
const OF_FILES: [&str; 5] = ["duckdb", "chdb", "pandas", "polars", "pyarrow"];

/// Rows that readers stumble over: what splits lines, what looks like another type, what is absent, what is long.
fn hostile(account: &str) -> Vec<Row> {
    let texts = [
        "say \"hi\" and \\ back",
        "two\nlines\r\nand\ta tab",
        "a\u{85}b\u{2028}c\u{2029}d\u{b}e\u{1c}f\u{7f}g\u{1}h",
        "Ελένη 日本語 🦀 e\u{301} \u{1f468}\u{200d}\u{1f469} \u{10ffff} \u{feff}inside",
        "2026-11-30",
        "00042",
        "true",
        "null",
        "{\"nested\": [1, 2]}",
        "a,b;c|d=e'f`g",
        "",
    ];
    let mut hostile = rows(account, "hostile", texts.len() + 1);
    for (row, text) in hostile.iter_mut().zip(texts) {
        text.clone_into(&mut row.description);
        text.clone_into(&mut row.action);
        row.action_id = Some(text.to_owned());
    }
    hostile[texts.len()].description = "a long line, ".repeat(80_000);
    hostile
}

/// The rows that a Python reader finds in files.
fn read(reader: &str, fields: &[&str], objects: &[String]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/daemon/siem_readers/read.py");
    let python = tool("readers/bin/python");
    let fields = serde_json::to_string(fields).unwrap();
    let words = [python.to_str().unwrap(), script.to_str().unwrap(), reader, &fields];
    let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
    serde_json::from_slice(&filter(&[&words, objects.as_slice()].concat(), b"")).expect("rows")
}

/// The rows of Parquet files.
pub(crate) fn columns(reader: &str, objects: &[String]) -> Vec<Value> {
    read(reader, &[], objects)
}

/// An event of OCSF as the fields of the source's row.
fn from_ocsf(event: &Value) -> Value {
    assert_eq!((&event["class_uid"], &event["type_uid"]), (&json!(6003), &json!(600_399)), "{event:.300}");
    let ip = &event["src_endpoint"]["ip"];
    json!({
        "Date": event["metadata"]["original_time"],
        "Email": event["actor"]["user"]["name"],
        "Action": if event["api"]["operation"] == "unknown" { &Value::Null } else { &event["api"]["operation"] },
        "Action ID": event["metadata"]["event_code"],
        "Description": event["message"],
        "IP Address": ip,
    })
}

/// What a preset with a limit may make of a text: the beginning, and the mark of what is missing.
fn is_cut(found: &Value, whole: &Value) -> bool {
    let (Some(found), Some(whole)) = (found.as_str(), whole.as_str()) else { return false };
    found.split_once("…[truncated ").is_some_and(|(begin, rest)| {
        let missing = rest.strip_suffix(" bytes]").and_then(|bytes| bytes.parse::<usize>().ok());
        whole.starts_with(begin) && missing == Some(whole.len() - begin.len())
    })
}

/// The rows that Tenzir finds below an account's folder, by S3.
fn tenzir(bucket: &Bucket, account: &str, ending: &str) -> Vec<Value> {
    let decompress = match ending {
        ".jsonl.gz" => "decompress_gzip | ",
        ".jsonl.zst" => "decompress_zstd | ",
        _ => "",
    };
    let (address, name) = bucket.s3();
    // Without `raw` it makes times and numbers of texts that look like them.
    let pipeline = format!(
        "from_s3 \"s3://{name}/audit/{account}/**{ending}?endpoint_override={address}&scheme=http\" \
         {{ {decompress}read_ndjson raw=true }}\nwrite_ndjson"
    );
    let output = Command::new(tool("readers/bin/tenzir"))
        .arg(&pipeline)
        .envs(bucket.s3_environment())
        .output()
        .expect("tenzir");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("warning"), "{pipeline}: {said}");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect()
}

/// An account's objects as files with their own names.
async fn downloaded(bucket: &Bucket, account: &str, keys: &[String]) -> Vec<String> {
    let folder = folder(&format!("siem-readers-{account}"));
    let mut files = Vec::new();
    for key in keys {
        let path = folder.join(key.rsplit('/').next().unwrap());
        std::fs::write(&path, bucket.get(key).await.body).unwrap();
        files.push(path.to_str().unwrap().to_owned());
    }
    files
}

/// Rows in an order that does not depend on the reader.
fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| row["Email"].as_str().map(str::to_owned));
    rows
}

/// `fields`: what the row of the reader calls those of the source.
fn assert_same(fields: &[&str], found: &[Value], expected: &[Value], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: how many rows");
    for (found, expected) in found.iter().zip(expected) {
        for (field, ours) in fields.iter().zip(FIELDS) {
            let (found, expected) = (&found[field], &expected[ours]);
            let same = found == expected || (what.contains("(cut)") && is_cut(found, expected));
            assert!(same, "{what}, {field}: {found:.200} is not {expected:.200}");
        }
    }
}

#[test]
fn every_container_is_read_by_readers_of_others() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::moto().await);
        let containers = [("none", ".jsonl"), ("gzip", ".jsonl.gz"), ("zstd", ".jsonl.zst"), ("zip", ".zip")];
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let mut source = Vec::new();
        for (container, ending) in containers {
            app.add(container, &bucket, EVERY_SECOND, &["--container", container, "--max-records", "5"]);
            let rows = hostile(container);
            app.insert(&rows).await;
            source.push((container, ending, rows.iter().map(|row| row.json(&zone)).collect::<Vec<_>>()));
        }
        let worker = app.start().await;
        for (container, _, expected) in &source {
            app.delivered(&bucket, container, expected.len()).await;
        }
        worker.stop().await;
        for (container, ending, expected) in source {
            let keys = keys_of(&bucket, container).await;
            assert!(keys.len() >= 3 && keys.iter().all(|key| key.ends_with(ending)), "{keys:?}");
            let files = downloaded(&bucket, container, &keys).await;
            for reader in OF_FILES {
                // The others read no zip.
                if container == "zip" && reader != "pandas" {
                    continue;
                }
                assert_same(
                    &FIELDS,
                    &read(reader, &FIELDS, &files),
                    &expected,
                    &format!("{reader}, {container}"),
                );
            }
            if container == "none" {
                let files: Vec<&str> = files.iter().map(String::as_str).collect();
                let found = filter(&[&["jq", "--slurp", "."], files.as_slice()].concat(), b"");
                let found: Vec<Value> = serde_json::from_slice(&found).expect("rows");
                assert_same(&FIELDS, &found, &expected, "jq");
            }
            if container != "zip" {
                let found = sorted(tenzir(&bucket, container, ending));
                assert_same(&FIELDS, &found, &sorted(expected), &format!("tenzir, {container}"));
            }
        }
    });
}

/// The names of `record_format = "snake_case"`.
const SNAKE_CASE: [&str; 6] = ["date", "email", "action", "action_id", "description", "ip_address"];

#[test]
fn every_preset_is_read_where_its_reader_reads() {
    run(async {
        let app = App::postgres().await;
        let buckets = [
            ("s3", Bucket::moto().await),
            ("gcs", Bucket::gcs().await),
            ("azure", Bucket::azurite_with_connection_string().await),
        ];
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let mut source = Vec::new();
        for siem in Siem::all() {
            for (kind, bucket) in &buckets {
                let account = format!("{siem}-{kind}");
                let options = ["--siem", siem.as_str(), "--max-records", "5"];
                if !siem.kinds().contains(kind) {
                    let add = ["account", "add", "--zone", "UTC", "--schedule", YEARLY];
                    app.cli(&[&add, &options[..], &[&account]].concat());
                    let place: Vec<&str> = bucket.options.iter().map(String::as_str).collect();
                    let set = [&["destination", "set", "--no-test", &account], &place[..]].concat();
                    let refused = said(&app.try_cli(&set));
                    assert!(
                        refused.contains(siem.as_str()) && refused.contains("siem"),
                        "{account}: {refused}"
                    );
                    continue;
                }
                let mut place = bucket.options.clone();
                if siem == Siem::SecurityLake {
                    place.extend(["--prefix", "ext/acme-audit/1.0/"].map(str::to_owned));
                }
                app.add_to(&account, &place, EVERY_SECOND, &options);
                let rows = hostile(&account);
                app.insert(&rows).await;
                let rows: Vec<Value> = rows.iter().map(|row| row.json(&zone)).collect();
                source.push((siem, bucket, account, rows));
            }
        }
        let worker = app.start().await;
        for (_, bucket, account, expected) in &source {
            app.delivered(bucket, account, expected.len()).await;
        }
        worker.stop().await;
        for ((siem, bucket, account, expected), reader) in source.iter().zip(OF_FILES.iter().cycle()) {
            let shown = app.show(account);
            assert_eq!(shown["format"]["siem"], siem.as_str());
            let fields = if shown["format"]["record_format"] == "snake_case" { SNAKE_CASE } else { FIELDS };
            let keys = keys_of(bucket, account).await;
            let files = downloaded(bucket, account, &keys).await;
            let zipped = files[0].ends_with(".zip");
            assert_eq!(zipped, *siem == Siem::None, "{account}: {files:?}");
            let reader = if zipped { "pandas" } else { reader };
            let mut found = read(reader, &fields, &files);
            if files[0].ends_with(".parquet") {
                for reader in OF_FILES {
                    let events: Vec<Value> = columns(reader, &files).iter().map(from_ocsf).collect();
                    assert_same(&fields, &events, expected, &format!("{reader}, {account}"));
                }
                found = found.iter().map(from_ocsf).collect();
            }
            let cut = if shown["format"]["max_field_bytes"] == 0 { "" } else { " (cut)" };
            assert_same(&fields, &found, expected, &format!("{reader}, {account}{cut}"));
            let longest = found.iter().map(|row| row[fields[4]].as_str().unwrap_or_default().len()).max();
            assert_eq!(longest < Some(40_000), !cut.is_empty(), "{account}: {longest:?}");
        }
    });
}
