//! How far the worker's clock is from another machine's, as the `Date` of an answer tells it.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// What services say of a request whose time is not theirs: S3 and STS, and Google of a token.
const SAYINGS: [&str; 6] = [
    "RequestTimeTooSkewed",
    "RequestExpired",
    "Signature expired",
    "Signature not yet current",
    "short-lived token",
    "reasonable timeframe",
];

/// How far ahead a clock is that shows `now`, of the one that wrote a `Date`.
pub(crate) fn ahead(date: Option<&str>, now: Timestamp) -> Option<SignedDuration> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    Some(now.duration_since(PARSER.parse_timestamp(date?.trim()).ok()?))
}

/// Whether a refusal names the time as its reason.
pub(crate) fn is_told(words: &str) -> bool {
    SAYINGS.iter().any(|saying| words.contains(saying))
}

/// What a person is told. `whose`: the other clock.
pub(crate) fn words(ahead: Option<SignedDuration>, whose: &str) -> String {
    let off = match ahead.map(|ahead| ahead.as_secs()) {
        Some(seconds) if seconds > 0 => format!("is {seconds} s ahead of {whose}"),
        Some(seconds) if seconds < 0 => format!("is {} s behind {whose}", -seconds),
        _ => format!("differs from {whose}"),
    };
    format!("this worker's clock {off}; set the clocks right (NTP)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_tells_how_far_a_clock_is_off() {
        let now: Timestamp = "2026-11-21T04:20:00Z".parse().expect("instant");
        let off = |date| ahead(Some(date), now).map(|off| off.as_secs());
        assert_eq!(off("Sat, 21 Nov 2026 04:00:00 GMT"), Some(1200));
        assert_eq!(off("Sat, 21 Nov 2026 05:20:00 GMT"), Some(-3600));
        assert_eq!(off("yesterday"), None);
        assert_eq!(ahead(None, now), None);
        let said = words(Some(SignedDuration::from_secs(1200)), "the store's");
        assert_eq!(said, "this worker's clock is 1200 s ahead of the store's; set the clocks right (NTP)");
        assert!(words(Some(SignedDuration::from_secs(-5)), "x").contains("is 5 s behind x"));
        assert!(words(None, "x").contains("differs from x"));
        assert!(is_told("HTTP 403 RequestTimeTooSkewed: x") && !is_told("HTTP 403 AccessDenied"));
    }
}
