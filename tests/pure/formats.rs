//! Every record format over all of Unicode and over hostile records: one line for each record, that reads back by the
//! rules of the format as what went in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::{Bound, RecordSet};
use auditferry_core::model::format::{Format, RecordFormat};
use auditferry_core::model::record::{Record, RecordKey};
use auditferry_core::model::window::Window;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value;

/// Where some reader ends a line.
const LINE_ENDS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

pub(crate) fn window(record_format: RecordFormat) -> Arc<Window> {
    let at = |text: &str| text.parse::<Timestamp>().expect("instant");
    Arc::new(Window {
        account: "acme corp=|\\".parse().expect("id"),
        number: 12,
        generation: 1,
        slot: at("2026-11-21T04:00:00Z"),
        set: RecordSet::between(Bound("0".into()), Bound("9".into())),
        from: at("2026-11-21T00:00:01Z"),
        to: at("2026-11-21T04:00:01Z"),
        zone: "Asia/Kolkata".to_owned(),
        format: Format { record_format, envelope: true, ..Format::default() },
        prefix: String::new(),
        destination_version: 1,
        content_version: 3,
    })
}

pub(crate) fn line(record_format: RecordFormat, key: &str, record: &Record) -> String {
    let zone = TimeZone::get("Asia/Kolkata").expect("zone");
    let mut writer = Writer::of(&window(record_format), zone).expect("a known version");
    let mut out = Vec::new();
    writer.write(&record.borrow().keyed(RecordKey::Text(key)), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

/// What a line must say, by names of its format; the values as they were in the record.
fn expected(format: RecordFormat, key: &str, record: &Record) -> BTreeMap<&'static str, String> {
    let id = format!("acme.20corp.3d.7c.5c:{key}:{}", record.occurred_at.as_microsecond());
    let ip = record.ip_address.clone().unwrap_or_default();
    let address: Option<IpAddr> = ip.parse().ok();
    let [host, v4, v6]: [&str; 3] = match format {
        RecordFormat::Ocsf => ["/src_endpoint/name", "/src_endpoint/ip", "/src_endpoint/ip"],
        RecordFormat::Ecs => ["/source/address", "/source/ip", "/source/ip"],
        RecordFormat::Cef => ["shost", "src", "c6a2"],
        RecordFormat::Leef => ["identHostName", "src", "src"],
        RecordFormat::Udm => ["/principal/hostname", "/principal/ip/0", "/principal/ip/0"],
        RecordFormat::Asim => ["/SrcHostname", "/SrcIpAddr", "/SrcIpAddr"],
        RecordFormat::Cim => ["/src"; 3],
        RecordFormat::Display => ["/IP Address"; 3],
        RecordFormat::SnakeCase => ["/ip_address"; 3],
    };
    let ip_name = match address {
        None => host,
        Some(IpAddr::V4(_)) => v4,
        Some(IpAddr::V6(_)) => v6,
    };
    let [id_name, account, email, action, action_id, description] = match format {
        RecordFormat::Display => {
            ["/Record ID", "/Account", "/Email", "/Action", "/Action ID", "/Description"]
        }
        RecordFormat::SnakeCase => {
            ["/record_id", "/account", "/email", "/action", "/action_id", "/description"]
        }
        RecordFormat::Ocsf => [
            "/metadata/uid",
            "/metadata/tenant_uid",
            "/actor/user/name",
            "/api/operation",
            "/metadata/event_code",
            "/message",
        ],
        RecordFormat::Ecs => {
            ["/event/id", "/organization/id", "/user/name", "/event/action", "/event/code", "/message"]
        }
        RecordFormat::Cef => ["externalId", "cs1", "suser", "act", "", "msg"],
        RecordFormat::Leef => ["recordId", "accountName", "usrName", "action", "", "msg"],
        RecordFormat::Udm => [
            "/metadata/product_log_id",
            "/target/resource_ancestors/0/name",
            "/principal/user/userid",
            "/metadata/product_event_type",
            "/security_result/0/rule_id",
            "/metadata/description",
        ],
        RecordFormat::Asim => [
            "/EventOriginalUid",
            "/ActorScope",
            "/ActorUsername",
            "/Operation",
            "/EventOriginalSubType",
            "/EventMessage",
        ],
        RecordFormat::Cim => ["/id", "/vendor_account", "/user", "/command", "/object_id", "/result"],
    };
    let values = [
        (id_name, id),
        (account, "acme corp=|\\".to_owned()),
        (email, record.email.clone()),
        (action, record.action.clone()),
        (action_id, record.action_id.clone().unwrap_or_default()),
        (description, record.description.clone()),
        (ip_name, ip),
    ];
    values.into_iter().filter(|(name, value)| !name.is_empty() && !value.is_empty()).collect()
}

/// A line of CEF by its specification: what stands before each ` name=` with no `\` before its `=`.
fn cef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut header, mut part, mut signs) = (Vec::new(), String::new(), line.chars());
    while header.len() < 7 {
        match signs.next().expect("a header of seven parts") {
            '\\' => part.push(signs.next().expect("what is escaped")),
            '|' => header.push(std::mem::take(&mut part)),
            sign => part.push(sign),
        }
    }
    let (mut pairs, mut name, mut value) = (BTreeMap::new(), None, String::new());
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => value.push(match signs.next().expect("what is escaped") {
                'n' => '\n',
                'r' => '\r',
                sign @ ('\\' | '=') => sign,
                other => panic!("\\{other} is no escape of CEF"),
            }),
            '=' => {
                let next = value.rsplit(' ').next().expect("a name").to_owned();
                let ended = value.strip_suffix(&next).expect("its end").strip_suffix(' ').unwrap_or_default();
                if let Some(name) = name.replace(next) {
                    pairs.insert(name, ended.to_owned());
                }
                value.clear();
            }
            sign => value.push(sign),
        }
    }
    pairs.insert(name.expect("a name"), value);
    (header, pairs)
}

/// A line of LEEF 2.0 by its specification.
fn leef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let parts: Vec<&str> = line.splitn(7, '|').collect();
    assert_eq!((parts.len(), parts[0], parts[5]), (7, "LEEF:2.0", "x09"), "{line}");
    let pairs = parts[6].split('\t').map(|pair| pair.split_once('=').expect("name=value"));
    (
        parts.iter().map(|part| (*part).to_owned()).collect(),
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    )
}

/// Checks one line of each format.
fn check(key: &str, record: &Record) {
    for format in RecordFormat::ALL {
        let line = line(format, key, record);
        assert!(!line.contains(LINE_ENDS), "{format:?}: more than one line: {line:?}");
        let expected = expected(format, key, record);
        match format {
            RecordFormat::Cef => {
                let (header, pairs) = cef(&line);
                // Its other line ends have no escape: they are newlines.
                let seen = |text: &str| {
                    text.chars()
                        .map(|sign| if sign != '\r' && LINE_ENDS.contains(&sign) { '\n' } else { sign })
                        .collect::<String>()
                };
                for (name, value) in &expected {
                    assert_eq!(pairs.get(*name), Some(&seen(value)), "{name} of {line:?}");
                }
                assert_eq!(header[0], "CEF:0");
                let name = if record.action.is_empty() { "unknown" } else { &record.action };
                assert_eq!(header[5], name.replace(LINE_ENDS, " "));
                assert!(!pairs.contains_key("outcome"));
            }
            RecordFormat::Leef => {
                let (header, pairs) = leef(&line);
                let seen = |text: &str| text.replace(LINE_ENDS, " ").replace('\t', " ");
                for (name, value) in &expected {
                    assert_eq!(pairs.get(*name), Some(&seen(value)), "{name} of {line:?}");
                }
                let event = [record.action_id.as_deref().unwrap_or_default(), &record.action];
                let event = event.into_iter().find(|text| !text.is_empty()).unwrap_or("unknown");
                assert_eq!(header[4], seen(event).replace('|', "_"));
            }
            _ => {
                let json: Value =
                    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
                for (name, value) in &expected {
                    assert_eq!(json.pointer(name), Some(&Value::String(value.clone())), "{name} of {line:?}");
                }
            }
        }
    }
}

fn record(text: &str) -> Record {
    Record {
        occurred_at: "2026-11-21T04:00:00.1239Z".parse().expect("instant"),
        email: text.to_owned(),
        action: text.to_owned(),
        action_id: Some(text.to_owned()),
        description: text.to_owned(),
        ip_address: Some(text.to_owned()),
    }
}

#[test]
fn every_character_gets_onto_one_line_and_back() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    for some in all.chunks(500) {
        // With something before and after each, and behind the last.
        let text: String = some.iter().flat_map(|sign| ['x', *sign]).chain(['x']).collect();
        check("7", &record(&text));
    }
}

#[test]
fn what_is_absent_is_not_invented() {
    let nothing = Record { action_id: None, ip_address: None, ..record("") };
    check("7", &nothing);
    for (format, absent) in [
        (RecordFormat::Ocsf, ["\"status\":", "\"user\"", "event_code"]),
        (RecordFormat::Ecs, ["outcome", "\"user\"", "\"source\":{"]),
        (RecordFormat::Cef, ["outcome", "suser", "msg="]),
        (RecordFormat::Leef, ["outcome", "usrName", "msg="]),
        (RecordFormat::Udm, ["principal", "security_result", "description"]),
        (RecordFormat::Asim, ["Actor\"", "Object", "EventMessage"]),
        (RecordFormat::Cim, ["status", "\"action\"", "user"]),
    ] {
        let line = line(format, "7", &nothing);
        assert!(!absent.iter().any(|word| line.contains(word)), "{line}");
        assert!(!line.contains("null"), "{line}");
    }
    assert!(line(RecordFormat::Ocsf, "7", &nothing).contains("\"status_id\":0"));
    assert!(line(RecordFormat::Asim, "7", &nothing).contains("\"EventResult\":\"NA\""));
}

fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        "( ?[a-z]{1,3}=){1,3}",
        prop::sample::select(vec![
            "\\",
            "|",
            "=",
            "\\n",
            "\\=",
            " ",
            "\t",
            "\r\n",
            "\"",
            "{\"",
            "\u{2028}",
            "\u{85}",
            "\0",
            "é",
            "🦀",
            " msg=",
            "192.0.2.7",
            "2001:db8::1",
            "ana@acme.example",
            "CEF:0|",
            "x09",
            "…[truncated 1 bytes]",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_hostile_record_gets_onto_one_line_and_back(
        texts in prop::array::uniform6(hostile()),
        ip in prop_oneof![Just("192.0.2.7".to_owned()), Just("2001:db8::1".to_owned()), hostile()],
        micros in -62_000_000_000_000_000_i64..253_000_000_000_000_000,
        known in any::<[bool; 2]>(),
    ) {
        let [key, email, action, action_id, description, _] = texts;
        let record = Record {
            occurred_at: Timestamp::from_microsecond(micros).expect("instant"),
            email,
            action,
            action_id: known[0].then_some(action_id),
            description,
            ip_address: known[1].then_some(ip),
        };
        check(&key, &record);
    }
}
