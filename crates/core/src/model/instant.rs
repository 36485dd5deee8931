//! Instants as people write them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize as _, Deserializer, de};

/// Reads an instant as people write it: RFC 3339, or a date, which means its first moment in UTC.
///
/// # Errors
/// A sentence with the fix.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let date = text.parse::<jiff::civil::Date>().ok();
    date.and_then(|date| jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()).ok_or_else(|| {
        format!("{text:?} is not an instant; write it like 2027-01-01 or 2027-01-01T00:00:00Z")
    })
}

/// An instant in a file, as text.
struct Written(Timestamp);

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(Self)
    }
}

impl<'de> de::Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "an instant in quotes, such as \"2027-01-01\" or \"2027-01-01T00:00:00Z\"")
    }
}

/// Reads an instant that may be absent.
///
/// # Errors
/// When it is no text, or not of an instant.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<Written>::deserialize(deserializer)?.map(|written| written.0))
}

/// Reads a value from a text, and says what to write instead of anything else: TOML has
/// dates without quotes, which are no texts.
///
/// # Errors
/// When it is no text, or the text is not of a value.
pub fn text<'de, T, D>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Text<T>(&'static str, PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(expected, PhantomData))
}

/// How long ago or ahead, for a person: `3h 12m`.
#[must_use]
pub fn span_text(span: SignedDuration) -> String {
    let seconds = span.as_secs().unsigned_abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, m) => format!("{m}m {}s", seconds % 60),
        (0, h, m) => format!("{h}h {m}m"),
        (d, h, _) => format!("{d}d {h}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_people_write_them() {
        assert_eq!(parse("2027-01-01").expect("date").to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(parse("2027-01-01T05:30:00+05:30").expect("instant").to_string(), "2027-01-01T00:00:00Z");
        assert!(parse("next year").expect_err("refused").contains("write it like"));
    }

    #[test]
    fn spans_are_short() {
        assert_eq!(span_text(SignedDuration::from_secs(-59)), "59s");
        assert_eq!(span_text(SignedDuration::from_secs(3 * 3600 + 61)), "3h 1m");
        assert_eq!(span_text(SignedDuration::from_hours(50)), "2d 2h");
    }
}
