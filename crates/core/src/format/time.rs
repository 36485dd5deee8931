//! Times as RFC 3339 has them, in one zone: part of the hottest path, so it allocates nothing per record.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

const DAY: i64 = 86_400;

/// Writes times in one zone.
///
/// It remembers the offset between two transitions of the zone, and the day of the last
/// time: most records have both in common with the one before.
#[derive(Debug, Clone)]
pub struct TimeWriter {
    zone: TimeZone,
    span: Span,
    local: Clock,
    utc: Clock,
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

impl TimeWriter {
    /// A writer of times in `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        let nothing = Span { from: 0, until: 0, offset: Offset::UTC, text: [0; 6] };
        Self { zone, span: nothing, local: Clock::default(), utc: Clock::default() }
    }

    /// RFC 3339 with milliseconds (cut, not rounded) and the zone's offset.
    pub(super) fn write(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        self.find_span(at);
        let offset = self.span.offset;
        self.local.write(at, offset, out);
        out.extend_from_slice(&self.span.text);
    }

    /// RFC 3339 with milliseconds in UTC: `2026-11-21T04:00:00.123Z`.
    pub(super) fn write_utc(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        self.utc.write(at, Offset::UTC, out);
        out.push(b'Z');
    }

    /// The zone's offset at an instant: `+05:30`.
    pub(super) fn write_offset(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        self.find_span(at);
        out.extend_from_slice(&self.span.text);
    }

    /// The zone's offset at an instant, in minutes.
    pub(super) fn offset_minutes(&mut self, at: Timestamp) -> i64 {
        self.find_span(at);
        i64::from(self.span.offset.seconds() / 60)
    }

    fn find_span(&mut self, at: Timestamp) {
        let (second, _) = split(at);
        if second < self.span.from || second >= self.span.until {
            self.span = Span::around(at, second, &self.zone);
            self.local.date.clear();
        }
    }
}

/// Date and time of day at one offset. It remembers the day of the last time.
#[derive(Debug, Clone, Default)]
struct Clock {
    /// Days since 1970 in local time, and how that day begins: `2026-11-21T`.
    day: i64,
    date: Vec<u8>,
}

impl Clock {
    fn write(&mut self, at: Timestamp, offset: Offset, out: &mut Vec<u8>) {
        let (second, nanosecond) = split(at);
        let local = second + i64::from(offset.seconds());
        let (day, in_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        if self.date.is_empty() || day != self.day {
            self.day = day;
            self.date.clear();
            let date = offset.to_datetime(at).date();
            let _ = write!(self.date, "{:04}-{:02}-{:02}T", date.year(), date.month(), date.day());
        }
        out.extend_from_slice(&self.date);
        let (minute, millisecond) = (in_day / 60, i64::from(nanosecond / 1_000_000));
        let ([h1, h2], [m1, m2], [s1, s2]) = (digits(minute / 60), digits(minute % 60), digits(in_day % 60));
        let ([ms1, ms2], ms3) = (digits(millisecond / 10), digit(millisecond % 10));
        out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2, b'.', ms1, ms2, ms3]);
    }
}

/// Seconds since 1970, and the nanoseconds after that second: jiff's fraction has the sign of the whole.
fn split(at: Timestamp) -> (i64, i32) {
    let (second, nanosecond) = (at.as_second(), at.subsec_nanosecond());
    if nanosecond < 0 { (second - 1, nanosecond + 1_000_000_000) } else { (second, nanosecond) }
}

/// Milliseconds since 1970, cut as those of the text are.
pub(super) fn millis(at: Timestamp) -> i64 {
    let (second, nanosecond) = split(at);
    second * 1_000 + i64::from(nanosecond / 1_000_000)
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

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::tz::TimeZoneDatabase;
    use proptest::prelude::*;

    use super::*;

    fn writer(zone: &TimeZone) -> TimeWriter {
        TimeWriter::new(zone.clone())
    }

    fn time(writer: &mut TimeWriter, at: Timestamp) -> String {
        let mut out = Vec::new();
        writer.write(at, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    /// The time as jiff writes it.
    fn expected(at: Timestamp, zone: &TimeZone) -> String {
        let minutes = (f64::from(zone.to_offset(at).seconds()) / 60.0).round();
        let offset =
            Offset::from_seconds(format!("{}", minutes * 60.0).parse().expect("whole")).expect("offset");
        at.to_zoned(offset.to_time_zone()).strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string()
    }

    #[test]
    fn utc_milliseconds_and_offsets_say_the_same_instant() {
        let mut writer = writer(&TimeZone::get("Asia/Kolkata").expect("zone"));
        for (at, utc, number) in [
            ("2026-11-21T04:00:00.1239Z", "2026-11-21T04:00:00.123Z", 1_795_233_600_123),
            ("1969-12-31T23:59:59.9991Z", "1969-12-31T23:59:59.999Z", -1),
        ] {
            let at = at.parse().expect("instant");
            let mut out = Vec::new();
            writer.write_utc(at, &mut out);
            writer.write_offset(at, &mut out);
            assert_eq!(String::from_utf8(out).expect("UTF-8"), format!("{utc}+05:30"));
            assert_eq!((millis(at), writer.offset_minutes(at)), (number, 330));
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
