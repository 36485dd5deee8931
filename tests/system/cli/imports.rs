//! `auditferry import`: all records of a file, or none.

use std::fmt::Write as _;

use crate::support::bench::Bench;

const HEADER: &str = "Date,Email,Action,Action ID,Description,IP Address\n";

fn line(n: usize) -> String {
    format!(
        r#"{{"Date":"2026-11-21T09:30:0{n}.123+05:30","Email":"ana@acme.example","Action":"login","Action ID":null,"Description":"record {n}","IP Address":"2001:db8::1"}}"#
    )
}

fn waiting(bench: &Bench) -> u64 {
    bench.json("account show acme")["waiting"]["records"].as_u64().expect("a number")
}

#[test]
fn a_good_file_is_imported_whole() {
    let bench = Bench::with_acme();
    bench.file("records.jsonl", (0..5).fold(String::new(), |text, n| text + &line(n) + "\n"));
    let early = bench.does("import acme records.jsonl");
    assert!(early.contains("They are not exported: the export starts with the first"), "{early}");
    bench.does("addon enable acme");
    let printed = bench.does("import acme records.jsonl");
    assert_eq!(printed, "5 records imported into the audit log of account acme.\n");
    assert_eq!(waiting(&bench), 5);
    bench.file("records.csv", format!("{HEADER}2026-11-21T04:00:00Z,a@b,login,,\"two\nlines, quoted\",\n"));
    bench.does("import acme records.csv");
    assert_eq!(waiting(&bench), 6);
    bench.file("records.txt", line(1));
    bench.does("import acme records.txt --form jsonl");
    assert_eq!(waiting(&bench), 7);
    assert_eq!(bench.json("account show acme")["waiting"]["oldest"], "2026-11-21T04:00:00Z");
}

#[tokio::test]
async fn every_field_arrives_as_it_was_written() {
    use sqlx::{Connection as _, Row as _};
    let bench = Bench::with_acme();
    let text = "said \\\"hi\\\"\\n\u{2028} 🦀";
    bench.file(
        "records.jsonl",
        format!(r#"{{"IP Address":null,"Description":"{text}","Action ID":"7","Action":"x","Email":"é@b","Date":"2026-11-21T09:30:00.123+05:30"}}"#),
    );
    bench.file(
        "records.csv",
        format!("{HEADER}2026-11-21T04:00:00Z,a@b,login,,\"a \"\"b\"\", c\",10.0.0.1\n"),
    );
    bench.does("import acme records.jsonl");
    bench.does("import acme records.csv");
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let sql = "SELECT account_id, occurred_at, email, action, action_id, description, ip_address FROM audit_log ORDER BY seq";
    let rows = sqlx::query(sql).fetch_all(&mut database).await.unwrap();
    let fields: Vec<Vec<Option<String>>> =
        rows.iter().map(|row| (0..7).map(|column| row.get(column)).collect()).collect();
    let wanted = |texts: [&str; 7]| texts.map(|text| (text != "-").then(|| text.to_owned())).to_vec();
    assert_eq!(
        fields,
        [
            wanted(["acme", "2026-11-21T04:00:00.123Z", "é@b", "x", "7", "said \"hi\"\n\u{2028} 🦀", "-"]),
            wanted(["acme", "2026-11-21T04:00:00Z", "a@b", "login", "-", "a \"b\", c", "10.0.0.1"]),
        ]
    );
}

#[test]
fn one_bad_line_imports_nothing() {
    let bench = Bench::with_acme();
    let cases: [(&str, &[&str]); 9] = [
        ("{\"Date\":\"tomorrow\"}", &["missing field `Email`", "the fields are Date, Email"]),
        (
            r#"{"Date":"tomorrow","Email":"a","Action":"b","Description":"c"}"#,
            &["Date: \"tomorrow\"", "write it like"],
        ),
        (
            r#"{"Date":"2026-11-31T00:00:00Z","Email":"a","Action":"b","Description":"c"}"#,
            &["Date", "not an instant"],
        ),
        (
            r#"{"Date":"2026-11-21T00:00:00Z","Email":7,"Action":"b","Description":"c"}"#,
            &["invalid type: integer `7`"],
        ),
        (
            r#"{"Date":"2026-11-21T00:00:00Z","EMail":"a","Action":"b","Description":"c"}"#,
            &["unknown field `EMail`", "`Email`"],
        ),
        (
            r#"{"Date":"2026-11-21T00:00:00Z","Email":"\u0000","Action":"b","Description":"c"}"#,
            &["Email: it holds U+0000", "remove it"],
        ),
        (r#"{"Date":"2026-11-21T00:00:00Z","Email":"a","#, &["not a JSON object"]),
        ("[1, 2]", &["line 3"]),
        ("plain text", &["not a JSON object"]),
    ];
    for (bad, says) in cases {
        bench.file(
            "records.jsonl",
            [&line(1), &line(2), bad, &line(4), &line(5)].map(|l| format!("{l}\n")).concat(),
        );
        bench.refuses(
            "import acme records.jsonl",
            &[says, &["records.jsonl: line 3: ", "Nothing was imported"]].concat(),
        );
        assert_eq!(waiting(&bench), 0);
    }
}

#[test]
fn a_bad_line_far_behind_imports_nothing_too() {
    let bench = Bench::with_acme();
    let mut text = String::new();
    for n in 0..2_500 {
        let _ = writeln!(text, "{}", line(n % 10));
    }
    bench.file("records.jsonl", text + "{}\n");
    bench
        .refuses("import acme records.jsonl", &["line 2501", "missing field `Date`", "Nothing was imported"]);
    assert_eq!(waiting(&bench), 0);
}

#[test]
fn a_file_that_is_not_utf8_is_refused_by_line_and_byte() {
    let bench = Bench::with_acme();
    bench.file("records.jsonl", [line(1).as_bytes(), b"\n{\"Date\":\"\xff\"}\n"].concat());
    bench.refuses(
        "import acme records.jsonl",
        &["records.jsonl: line 2: byte 10 is not UTF-8", "convert the file to UTF-8", "Nothing was imported"],
    );
    let row = b"2026-11-21T04:00:00Z,caf\xe9@b,login,,x,\n";
    bench.file("records.csv", [HEADER.as_bytes(), row].concat());
    bench.refuses("import acme records.csv", &["records.csv: line 2: Email: byte 4 is not UTF-8"]);
    let utf16: Vec<u8> = line(1).encode_utf16().flat_map(u16::to_le_bytes).collect();
    bench.file("records.jsonl", [b"\xff\xfe".as_slice(), &utf16].concat());
    bench.refuses("import acme records.jsonl", &["line 1: byte 1 is not UTF-8"]);
}

#[test]
fn a_csv_with_another_header_or_row_is_refused() {
    let bench = Bench::with_acme();
    let cases: [(&str, &[&str]); 4] = [
        ("Date,Email\n", &["line 1", "lacks Action, Action ID", "it must name Date"]),
        (
            "Date,Email,Action,Action ID,Description,IP Address,Host\n",
            &["line 1", "\"Host\"", "the fields are"],
        ),
        (
            "Date,Email,Action,Action ID,Description,IP Address\n2026-11-21T04:00:00Z,a\n",
            &["line 2", "has 2 fields", "quote fields"],
        ),
        ("Date,Email,Action,Action ID,Description,IP Address\n,a,b,,d,\n", &["line 2", "Date: \"\""]),
    ];
    for (text, says) in cases {
        bench.file("records.csv", text);
        bench.refuses("import acme records.csv", &[says, &["Nothing was imported"]].concat());
    }
}

#[test]
fn a_file_of_an_unknown_kind_or_account_is_refused() {
    let bench = Bench::with_acme();
    bench.file("records.xml", line(1));
    bench.file("records.jsonl", line(1));
    bench.refuses("import acme records.xml", &["records.xml", "neither .jsonl nor .csv", "--form"]);
    bench.refuses("import acme nowhere.jsonl", &["nowhere.jsonl", "No such file"]);
    bench.refuses("import nobody records.jsonl", &["account nobody", "there is none"]);
    bench.refuses("import '' records.jsonl", &["account id", "it is empty"]);
}

#[test]
fn a_file_without_records_is_refused() {
    let bench = Bench::with_acme();
    bench.file("empty.jsonl", "");
    bench.file("blank.jsonl", "\n\n");
    bench.file("header.csv", HEADER);
    for file in ["empty.jsonl", "blank.jsonl", "header.csv"] {
        bench.refuses(&format!("import acme {file}"), &[file, "holds no record"]);
    }
    assert_eq!(waiting(&bench), 0);
}
