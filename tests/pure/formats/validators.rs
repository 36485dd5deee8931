//! Validators and readers of record formats that we did not write: they take every line of ours and refuse broken ones.
//! None of them knows LEEF, UDM, ASIM or CIM by a schema; Tenzir reads LEEF.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use auditferry_core::model::format::RecordFormat;
use auditferry_core::model::record::Record;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{LINE_ENDS, hostile, line, line_of, record};

/// A program in the virtual environment that `scripts/test` makes.
fn tool(name: &str) -> PathBuf {
    let tools = std::env::var_os("AUDITFERRY_TEST_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools"), PathBuf::from);
    let tool = tools.join("venv/bin").join(name);
    assert!(tool.exists(), "{} is missing: run ./scripts/test, which installs it", tool.display());
    tool
}

fn output(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("stdin");
    let input = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writing.join().expect("a thread").expect("it reads all");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What the validator of a format says to each line; null: it takes it.
fn verdicts(format: RecordFormat, lines: &[String]) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/formats");
    let mut command = Command::new(tool("python"));
    command.arg(folder.join("validate.py")).arg(format.as_str());
    if format == RecordFormat::Ecs {
        command.arg(folder.join("ecs-9.4.0.tsv"));
    }
    let said = output(&mut command, &(lines.join("\n") + "\n"));
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// All of Unicode, what lacks everything, and some hundred hostile records.
fn records() -> Vec<Record> {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    let mut records: Vec<Record> =
        all.chunks(10_000).map(|some| record(&some.iter().collect::<String>())).collect();
    records.push(Record { action_id: None, ip_address: None, ..record("") });
    let mut runner = TestRunner::deterministic();
    let mut text = || hostile().new_tree(&mut runner).expect("a text").current();
    for number in 0..300 {
        let ip = [Some("192.0.2.7".to_owned()), Some("2001:db8::1".to_owned()), None, Some(text())];
        records.push(Record {
            occurred_at: "2026-11-21T04:00:00.1239Z".parse().expect("instant"),
            email: if number % 3 == 0 { "ana@acme.example".to_owned() } else { text() },
            action: text(),
            action_id: (number % 2 == 0).then(&mut text),
            description: text(),
            ip_address: ip[number % 4].clone(),
        });
    }
    records
}

#[test]
fn ocsf_ecs_and_cef_are_what_their_validators_want() {
    let records = records();
    for format in [RecordFormat::Ocsf, RecordFormat::Ecs, RecordFormat::Cef] {
        let lines: Vec<String> = records.iter().map(|record| line(format, "7", record)).collect();
        let verdicts = verdicts(format, &lines);
        assert_eq!(verdicts.len(), lines.len());
        for (verdict, line) in verdicts.iter().zip(&lines) {
            assert_eq!(verdict, &Value::Null, "{format:?}: {line:?}");
        }
    }
}

#[test]
fn the_validators_refuse_broken_lines() {
    let good = Record { ip_address: Some("192.0.2.7".to_owned()), ..record("x") };
    let cases = [
        (RecordFormat::Ocsf, "\"class_uid\":6003", "\"class_uid\":6004", "class_uid"),
        (RecordFormat::Ocsf, "\"severity_id\":1,", "", "severity_id"),
        (RecordFormat::Ocsf, "\"message\":\"x\"", "\"message\":null", "message"),
        (RecordFormat::Ocsf, "\"message\"", "\"massage\"", "massage"),
        (RecordFormat::Ocsf, "\"ip\":\"192.0.2.7\"", "\"ip\":7", "ip"),
        (RecordFormat::Ecs, "\"kind\":\"event\"", "\"kind\":\"thing\"", "event.kind"),
        (RecordFormat::Ecs, "\"ip\":[\"192.0.2.7\"]", "\"ip\":[\"x\"]", "x"),
        (
            RecordFormat::Ecs,
            "\"category\":[\"configuration\"]",
            "\"category\":\"configuration\"",
            "event.category",
        ),
        (RecordFormat::Ecs, "\"code\"", "\"cod\"", "event.cod"),
        (RecordFormat::Ecs, ".123Z", ".123", "@timestamp"),
        (RecordFormat::Cef, "CEF:0|", "CEF:0", "header"),
        (RecordFormat::Cef, "|1|rt", "|11|rt", "header"),
        (RecordFormat::Cef, "act=x", "act=x=y", "escaped"),
        (RecordFormat::Cef, "suser=", "souser=", "souser"),
        (RecordFormat::Cef, "src=192.0.2.7", "src=192.0.2", "src"),
    ];
    for (format, part, broken, says) in cases {
        let line = line(format, "7", &good);
        assert!(line.contains(part), "{line} lacks {part}");
        let verdict = verdicts(format, &[line.replacen(part, broken, 1)]);
        let said = verdict[0].as_str().unwrap_or_else(|| panic!("{format:?}: {broken} is accepted"));
        assert!(said.contains(says), "{broken}: {said}");
    }
}

/// What Tenzir makes of lines, by one of its readers.
fn tenzir(pipeline: &str, lines: &[String]) -> Vec<Value> {
    let said = output(
        Command::new(tool("tenzir")).arg(format!("from_stdin {{ {pipeline} }}\nwrite_ndjson")),
        &(lines.join("\n") + "\n"),
    );
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Texts that Tenzir 6.20 keeps as texts: without the `|` that it wants escaped in CEF's extension, where ArcSight
/// says that it need not be, without the quotes, which CEF does not have, without the brackets that it
/// wants in pairs, and without the `\` that it
/// reads away before an escaped sign.
fn texts() -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    let mut texts: Vec<String> = all.chunks(10_000).map(|some| some.iter().collect()).collect();
    texts.extend((0..200).map(|_| hostile().new_tree(&mut runner).expect("a text").current()));
    texts
        .into_iter()
        .map(|text| format!("x{}x", text.replace(['|', '\\', '[', '{', '(', '"', '\''], "/")))
        .collect()
}

/// Compares long texts, and shows where they part.
fn same(found: &Value, expected: &str) {
    let found = found.as_str().unwrap_or_else(|| panic!("{found} is no text"));
    if found != expected {
        let place = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
        let part = |text: &str| text.chars().skip(place.saturating_sub(10)).take(30).collect::<String>();
        panic!("at {place}: {:?} instead of {:?}", part(found), part(expected));
    }
}

#[test]
fn tenzir_reads_cef_and_leef_as_they_were_written() {
    let texts = texts();
    let lines = |format| -> Vec<String> {
        let record = |text: &str| Record { action: "did".to_owned(), ..record(text) };
        texts.iter().map(|text| line_of("acme=\\", format, "7", &record(text))).collect()
    };
    let rows = tenzir("read_cef", &lines(RecordFormat::Cef));
    assert_eq!(rows.len(), texts.len());
    for (row, text) in rows.iter().zip(&texts) {
        let seen: String = text
            .chars()
            .map(|sign| if sign != '\r' && LINE_ENDS.contains(&sign) { '\n' } else { sign })
            .collect();
        let extension = &row["extension"];
        assert_eq!(row["name"], json!("did"));
        same(&extension["suser"], &seen);
        same(&extension["msg"], &seen);
        assert_eq!(extension["rt"], json!(1_795_233_600_123_i64));
    }
    let rows = tenzir("read_leef", &lines(RecordFormat::Leef));
    assert_eq!(rows.len(), texts.len());
    for (row, text) in rows.iter().zip(&texts) {
        let seen = text.replace(LINE_ENDS, " ").replace('\t', " ");
        let attributes = &row["attributes"];
        assert_eq!(
            attributes["action"],
            json!("did"),
            "{}",
            row.to_string().chars().take(300).collect::<String>()
        );
        same(&attributes["usrName"], &seen);
        same(&attributes["msg"], &seen);
        assert_eq!(attributes["accountName"], json!("acme=\\"));
    }
}
