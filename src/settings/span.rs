//! Lengths of time, as settings write them.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

/// A length of time, written like `30s` or `1h 30m`; more than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration(deserializer, |span| !span.is_zero()).map(Self)
    }
}

/// A length of time that may be zero.
pub(super) fn span_or_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration(deserializer, |_| true)
}

fn duration<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
    may_be: impl Fn(Duration) -> bool,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.filter(|span| may_be(*span)).ok_or_else(|| {
        serde::de::Error::custom(format!("{text:?} is not a duration; write it like \"30s\" or \"5m\""))
    })
}
