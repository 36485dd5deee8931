//! When credentials end, and how soon somebody should know.

use jiff::{SignedDuration, Timestamp};

use crate::model::instant;

/// How near the end of credentials is: what is warned about, once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It has come.
    Ended,
    /// Within a day.
    Within1,
    /// Within 7 days.
    Within7,
    /// Within 14 days.
    Within14,
}

impl Ending {
    /// All of them, the nearest first.
    pub const ALL: [Self; 4] = [Self::Ended, Self::Within1, Self::Within7, Self::Within14];

    /// How long before an end somebody is warned first.
    pub const NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);

    /// How near an end is; none while it is farther than 14 days.
    #[must_use]
    pub fn of(end: Timestamp, now: Timestamp) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| now.duration_since(end) >= -ending.left())
    }

    /// How many days before the end it begins; 0 for the end itself.
    #[must_use]
    pub fn days(self) -> u32 {
        match self {
            Self::Ended => 0,
            Self::Within1 => 1,
            Self::Within7 => 7,
            Self::Within14 => 14,
        }
    }

    /// The name in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Within1 => "1d",
            Self::Within7 => "7d",
            Self::Within14 => "14d",
        }
    }

    /// How long before the end it begins.
    #[must_use]
    pub fn left(self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.days()))
    }
}

/// The end of a shared access signature, if it says one: of a stored access policy only
/// Azure knows it. One that a user signed ends with that user's key too.
///
/// Source: "Create an account SAS" and "Create a user delegation SAS", Azure Storage
/// documentation: `se` and `ske`, in one of three forms of ISO 8601, in UTC.
#[must_use]
pub fn sas_end(query: &str) -> Option<Timestamp> {
    let parameters = url::form_urlencoded::parse(query.as_bytes());
    parameters.filter(|(name, _)| matches!(&**name, "se" | "ske")).filter_map(|(_, value)| time(&value)).min()
}

/// `2027-01-31`, `2027-01-31T04:00Z` or `2027-01-31T04:00:00Z`.
fn time(text: &str) -> Option<Timestamp> {
    instant::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("instant")
    }

    #[test]
    fn the_nearest_threshold_counts() {
        let end = at("2027-01-31T00:00:00Z");
        let of = |now| Ending::of(end, at(now)).map(Ending::as_str);
        assert_eq!(of("2027-01-16T23:59:59Z"), None);
        assert_eq!(of("2027-01-17T00:00:00Z"), Some("14d"));
        assert_eq!(of("2027-01-24T00:00:00Z"), Some("7d"));
        assert_eq!(of("2027-01-29T23:59:59Z"), Some("7d"));
        assert_eq!(of("2027-01-30T00:00:00Z"), Some("1d"));
        assert_eq!(of("2027-01-30T23:59:59Z"), Some("1d"));
        assert_eq!(of("2027-01-31T00:00:00Z"), Some("ended"));
        assert_eq!(of("2029-01-31T00:00:00Z"), Some("ended"));
    }

    #[test]
    fn a_signature_tells_its_end_in_each_of_azures_forms() {
        let end = |query| sas_end(query).map(|at| at.to_string());
        assert_eq!(end("sv=1&se=2027-01-31T04%3A05%3A06Z&sig=x").as_deref(), Some("2027-01-31T04:05:06Z"));
        assert_eq!(end("se=2027-01-31T04:05Z").as_deref(), Some("2027-01-31T04:05:00Z"));
        assert_eq!(end("se=2027-01-31&sse=2026-01-01").as_deref(), Some("2027-01-31T00:00:00Z"));
        let delegated = "ske=2027-01-08T00:00:00Z&se=2027-01-31T04:05:06Z";
        assert_eq!(end(delegated).as_deref(), Some("2027-01-08T00:00:00Z"));
        assert_eq!(end("si=policy&sv=1&sig=x"), None);
        assert_eq!(end("se=soon&sig=x"), None);
    }
}
