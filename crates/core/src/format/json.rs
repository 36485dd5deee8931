//! Records become lines of JSON: the hottest path, so it allocates nothing per record.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::model::record::RecordRef;

const DAY: i64 = 86_400;

/// Writes records as JSON objects, with times in one zone.
///
/// It remembers the offset between two transitions of the zone, and the day of the last
/// record: most records have both in common with the one before.
#[derive(Debug, Clone)]
pub struct JsonWriter {
    zone: TimeZone,
    empty: Empty,
    span: Span,
    /// Days since 1970 in local time, and how that day begins: `2026-11-21T`.
    day: i64,
    date: Vec<u8>,
}

/// What an empty text is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// `""`: content version 1.
    Text,
    /// `null`, as an absent one: content version 2.
    Null,
}

/// Between two transitions of a zone, in seconds since 1970; `until` is not in it.
#[derive(Debug, Clone)]
struct Span {
    from: i64,
    until: i64,
    offset: Offset,
    /// As RFC 3339 has it: `+05:30`.
    text: [u8; 6],
}

impl JsonWriter {
    /// A writer of times in `zone`.
    #[must_use]
    pub fn new(zone: TimeZone, empty: Empty) -> Self {
        let nothing = Span { from: 0, until: 0, offset: Offset::UTC, text: [0; 6] };
        Self { zone, empty, span: nothing, day: 0, date: Vec::new() }
    }

    /// Appends a record as one JSON object, without a newline.
    ///
    /// Raw UTF-8, but U+0085, U+2028 and U+2029 are escaped: readers of lines
    /// split at them.
    pub fn write(&mut self, record: &RecordRef<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"Date":""#);
        self.write_time(record.occurred_at, out);
        out.extend_from_slice(br#"","Email":"#);
        self.write_text(Some(record.email), out);
        out.extend_from_slice(br#","Action":"#);
        self.write_text(Some(record.action), out);
        out.extend_from_slice(br#","Action ID":"#);
        self.write_text(record.action_id, out);
        out.extend_from_slice(br#","Description":"#);
        self.write_text(Some(record.description), out);
        out.extend_from_slice(br#","IP Address":"#);
        self.write_text(record.ip_address, out);
        out.push(b'}');
    }

    fn write_text(&self, text: Option<&str>, out: &mut Vec<u8>) {
        match text {
            None => out.extend_from_slice(b"null"),
            Some("") if self.empty == Empty::Null => out.extend_from_slice(b"null"),
            Some(text) => write_string(text, out),
        }
    }

    /// RFC 3339 with milliseconds (cut, not rounded) and the zone's offset.
    pub(super) fn write_time(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        // jiff's fraction has the sign of the whole; ours counts from the second before.
        let (mut second, mut nanosecond) = (at.as_second(), at.subsec_nanosecond());
        if nanosecond < 0 {
            second -= 1;
            nanosecond += 1_000_000_000;
        }
        if second < self.span.from || second >= self.span.until {
            self.span = Span::around(at, second, &self.zone);
            self.date.clear();
        }
        let local = second + i64::from(self.span.offset.seconds());
        let (day, in_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        if self.date.is_empty() || day != self.day {
            self.day = day;
            self.date.clear();
            let date = self.span.offset.to_datetime(at).date();
            let _ = write!(self.date, "{:04}-{:02}-{:02}T", date.year(), date.month(), date.day());
        }
        out.extend_from_slice(&self.date);
        let (minute, millisecond) = (in_day / 60, i64::from(nanosecond / 1_000_000));
        let ([h1, h2], [m1, m2], [s1, s2]) = (digits(minute / 60), digits(minute % 60), digits(in_day % 60));
        let ([ms1, ms2], ms3) = (digits(millisecond / 10), digit(millisecond % 10));
        out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2, b'.', ms1, ms2, ms3]);
        out.extend_from_slice(&self.span.text);
    }
}

impl Span {
    /// What holds at an instant, which lies in the second `second`. Transitions are at whole seconds.
    ///
    /// RFC 3339 knows no seconds in offsets, which zones had before they were
    /// standardised: the offset is rounded to minutes and the local time with it,
    /// so that the instant stays exact.
    fn around(at: Timestamp, second: i64, zone: &TimeZone) -> Self {
        let exact = zone.to_offset(at).seconds();
        let minutes = (f64::from(exact) / 60.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "an offset is under 26 hours")]
        let offset = Offset::from_seconds(minutes as i32 * 60).unwrap_or(Offset::UTC);
        // Transitions before the end of this second: one at its beginning counts.
        let next = Timestamp::from_second(second + 1).unwrap_or(Timestamp::MAX);
        let from = zone.preceding(next).next().map_or(i64::MIN, |change| change.timestamp().as_second());
        let until = zone.following(at).next().map_or(i64::MAX, |change| change.timestamp().as_second());
        let shift = i64::from(offset.seconds().abs() / 60);
        let ([h1, h2], [m1, m2]) = (digits(shift / 60), digits(shift % 60));
        let sign = if offset.is_negative() { b'-' } else { b'+' };
        Self { from, until, offset, text: [sign, h1, h2, b':', m1, m2] }
    }
}

/// The last decimal digit.
fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number.rem_euclid(10)).unwrap_or(0)
}

/// The last two decimal digits.
fn digits(number: i64) -> [u8; 2] {
    [digit(number / 10), digit(number)]
}

/// JSON string (RFC 8259, section 7).
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(text, out);
    out.push(b'"');
}

/// What is between a string's quotes, with the three line separators escaped.
fn write_escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len());
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = special(&bytes[at..]) {
        at += found;
        let length = match bytes[at..] {
            [0xc2, 0x85, ..] => 2,
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
            [0xc2 | 0xe2, ..] => 0,
            _ => 1,
        };
        if length > 0 {
            out.extend_from_slice(&bytes[copied..at]);
            write_escape(&bytes[at..at + length], out);
            copied = at + length;
        }
        at += length.max(1);
    }
    out.extend_from_slice(&bytes[copied..]);
}

fn write_escape(sign: &[u8], out: &mut Vec<u8>) {
    let escape: &[u8] = match sign {
        b"\"" => b"\\\"",
        b"\\" => b"\\\\",
        b"\n" => b"\\n",
        b"\r" => b"\\r",
        b"\t" => b"\\t",
        [0x08] => b"\\b",
        [0x0c] => b"\\f",
        [0xc2, _] => b"\\u0085",
        [0xe2, _, 0xa8] => b"\\u2028",
        [0xe2, _, _] => b"\\u2029",
        _ => {
            for byte in sign {
                let _ = write!(out, "\\u{byte:04x}");
            }
            return;
        }
    };
    out.extend_from_slice(escape);
}

/// Whether a byte must be looked at: what JSON escapes, and how U+0085, U+2028 and U+2029 begin.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0xc2) | (byte == 0xe2)
}

/// Where the first such byte stands. Sixteen at once: the compiler makes vector code of it.
fn special(bytes: &[u8]) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks::<16>();
    for (number, block) in blocks.iter().enumerate() {
        if block.iter().fold(false, |any, byte| any | is_special(*byte)) {
            return block.iter().position(|byte| is_special(*byte)).map(|place| number * 16 + place);
        }
    }
    rest.iter().position(|byte| is_special(*byte)).map(|place| blocks.len() * 16 + place)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::tz::TimeZoneDatabase;
    use proptest::prelude::*;

    use super::*;
    use crate::model::record::Record;

    fn record() -> Record {
        Record {
            occurred_at: "2026-11-21T04:00:00.1239Z".parse().expect("instant"),
            email: "ana@acme.example".into(),
            action: "login".into(),
            action_id: None,
            description: "said \"hi\"\n\u{2028}\u{2029}\u{85}\u{1}\t\\ 🦀 é".into(),
            ip_address: Some("2001:db8::1".into()),
        }
    }

    fn line(record: &Record, zone: &str) -> String {
        line_with(record, zone, Empty::Null)
    }

    fn line_with(record: &Record, zone: &str, empty: Empty) -> String {
        let mut out = Vec::new();
        JsonWriter::new(TimeZone::get(zone).expect("zone"), empty).write(&record.borrow(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    fn writer(zone: &TimeZone) -> JsonWriter {
        JsonWriter::new(zone.clone(), Empty::Null)
    }

    fn time(writer: &mut JsonWriter, at: Timestamp) -> String {
        let mut out = Vec::new();
        writer.write_time(at, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    /// The time as jiff writes it.
    fn expected(at: Timestamp, zone: &TimeZone) -> String {
        let minutes = (f64::from(zone.to_offset(at).seconds()) / 60.0).round();
        let offset =
            Offset::from_seconds(format!("{}", minutes * 60.0).parse().expect("whole")).expect("offset");
        at.to_zoned(offset.to_time_zone()).strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string()
    }

    /// What every escape must give: serde_json's text with the three separators escaped.
    fn escaped(text: &str) -> String {
        let json = serde_json::to_string(text).expect("JSON");
        json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
    }

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_string(text, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_line_has_the_six_fields_in_order() {
        assert_eq!(
            line(&record(), "Asia/Kolkata"),
            concat!(
                r#"{"Date":"2026-11-21T09:30:00.123+05:30","Email":"ana@acme.example","#,
                r#""Action":"login","Action ID":null,"Description":"said \"hi\"\n\u2028\u2029"#,
                r#"\u0085\u0001\t\\ 🦀 é","IP Address":"2001:db8::1"}"#
            )
        );
    }

    #[test]
    fn an_empty_text_is_null_like_an_absent_one_and_in_version_1_stays_empty() {
        let at: Timestamp = "2026-11-21T04:00:00Z".parse().expect("instant");
        let nothing = |optional: Option<String>| Record {
            occurred_at: at,
            email: String::new(),
            action: String::new(),
            action_id: optional.clone(),
            description: String::new(),
            ip_address: optional,
        };
        let fields = |value: &str, optional: &str| {
            format!(
                r#"{{"Date":"2026-11-21T04:00:00.000+00:00","Email":{value},"Action":{value},"Action ID":{optional},"Description":{value},"IP Address":{optional}}}"#
            )
        };
        for optional in [None, Some(String::new())] {
            let record = nothing(optional.clone());
            assert_eq!(line_with(&record, "UTC", Empty::Null), fields("null", "null"));
            let old = if optional.is_some() { r#""""# } else { "null" };
            assert_eq!(line_with(&record, "UTC", Empty::Text), fields(r#""""#, old));
        }
    }

    #[test]
    fn offsets_of_every_kind_are_minutes() {
        assert!(line(&record(), "America/New_York").contains("2026-11-20T23:00:00.123-05:00"));
        assert!(line(&record(), "UTC").contains("T04:00:00.123+00:00"));
        let old = Record { occurred_at: "1850-01-01T00:00:00Z".parse().expect("instant"), ..record() };
        // New York kept local mean time, -4:56:02, until 1883.
        assert!(line(&old, "America/New_York").contains("1849-12-31T19:04:00.000-04:56"));
    }

    #[test]
    fn every_character_is_escaped_as_serde_json_does_and_the_separators_besides() {
        for sign in '\0'..=char::MAX {
            let text = sign.to_string();
            assert_eq!(written(&text), escaped(&text), "{sign:?}");
        }
    }

    #[test]
    fn every_transition_of_every_zone_is_seen_to_the_millisecond() {
        let database = TimeZoneDatabase::bundled();
        let (first, last): (Timestamp, Timestamp) = (
            "1800-01-01T00:00:00Z".parse().expect("instant"),
            "2100-01-01T00:00:00Z".parse().expect("instant"),
        );
        let mut seen = 0;
        for name in database.available() {
            let zone = database.get(name.as_str()).expect("zone");
            // One writer forwards and one that jumps back each time.
            let (mut writer, mut jumping) = (writer(&zone), writer(&zone));
            for change in zone.following(first).take_while(|change| change.timestamp() < last) {
                for shift in [-86_400_000, -1_000, -1, 0, 1, 999, 1_000, 3_600_000] {
                    let at = change.timestamp() + SignedDuration::from_millis(shift);
                    assert_eq!(time(&mut writer, at), expected(at, &zone), "{at} in {}", name.as_str());
                    assert_eq!(time(&mut jumping, at), expected(at, &zone), "{at} in {}", name.as_str());
                    time(&mut jumping, first);
                    seen += 1;
                }
            }
        }
        assert!(seen > 100_000, "only {seen} instants");
    }

    proptest! {
        #[test]
        fn any_text_is_escaped_as_serde_json_does(text in any::<String>(), plain in "[ -~]{0,40}") {
            let text = format!("{plain}{text}{plain}");
            prop_assert_eq!(written(&text), escaped(&text));
            let separators = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
            prop_assert!(!written(&text).contains(separators));
        }

        #[test]
        fn signs_at_any_place_are_found(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("\u{85}"), Just("\u{2028}"), Just("\u{2029}"), Just("\u{2027}"), Just("é"), Just("\""),
                    Just("\\"), Just("\u{1}"), Just("seven b"), Just("sixteen bytes ab"), Just("x")
                ],
                0..60,
            )
        ) {
            let text = parts.concat();
            prop_assert_eq!(written(&text), escaped(&text));
        }

        #[test]
        fn any_instant_in_any_zone_is_as_jiff_writes_it(
            micros in prop::collection::vec(-62_000_000_000_000_000_i64..253_000_000_000_000_000, 1..20),
            near in prop::collection::vec(1_500_000_000_000_000_i64..1_900_000_000_000_000, 1..20),
            number in any::<prop::sample::Index>(),
        ) {
            let database = TimeZoneDatabase::bundled();
            let names: Vec<_> = database.available().collect();
            let zone = database.get(number.get(&names).as_str()).expect("zone");
            let mut writer = writer(&zone);
            for micros in micros.into_iter().chain(near) {
                let at = Timestamp::from_microsecond(micros).expect("instant");
                let text = time(&mut writer, at);
                prop_assert_eq!(&text, &expected(at, &zone));
                let cut = SignedDuration::from_micros(micros.rem_euclid(1000));
                prop_assert_eq!(text.parse::<Timestamp>().expect("RFC 3339"), at - cut);
            }
        }
    }
}
