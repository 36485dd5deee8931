//! A past moment as a person names it, such as `yesterday 08:00`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use super::schedule::instant_of;
use crate::text::one_line::one_line;

/// Longest part of a text that is shown in a refusal.
const MAX_SHOWN_CHARS: usize = 60;

/// A moment as it was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// An instant.
    Instant(Timestamp),
    /// A time of the day, where the account is.
    Local(Day, Time),
}

/// A day as it was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// A date.
    Date(Date),
    /// The present one.
    Today,
    /// The one before.
    Yesterday,
    /// The present one, or the one before when the time has not come today.
    Newest,
}

/// The instant that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What to know about it, when clocks were changed then.
    pub note: Option<String>,
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::Instant(at));
        }
        let refuse = || {
            format!(
                "{:?} is no moment; write it like \"2026-11-29 08:00\", \"yesterday 08:00\", \"today 08:00\", 08:00 (the \
                 newest that has passed) or 2026-11-29T08:00:00Z",
                one_line(text, MAX_SHOWN_CHARS)
            )
        };
        let (day, time) =
            text.split_once([' ', 'T']).map_or((None, text), |(day, time)| (Some(day), time.trim()));
        let day = match day {
            None => Day::Newest,
            Some("today") => Day::Today,
            Some("yesterday") => Day::Yesterday,
            Some(date) => Day::Date(date.parse().map_err(|_| refuse())?),
        };
        // Jiff reads `08` and `0800` too, which could be a slip.
        let time = Some(time).filter(|time| time.contains(':')).and_then(|time| time.parse().ok());
        Ok(Self::Local(day, time.ok_or_else(refuse)?))
    }
}

impl fmt::Display for When {
    /// As it is read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant(at) => write!(f, "{at}"),
            Self::Local(Day::Date(date), time) => write!(f, "{date} {time}"),
            Self::Local(Day::Today, time) => write!(f, "today {time}"),
            Self::Local(Day::Yesterday, time) => write!(f, "yesterday {time}"),
            Self::Local(Day::Newest, time) => write!(f, "{time}"),
        }
    }
}

impl When {
    /// The instant that is meant by somebody who lives in a zone. Where clocks are changed it is the one that a slot
    /// has: the first of two, and the first valid one after a gap. None when the calendar ends before it.
    #[must_use]
    pub fn moment(self, zone: &TimeZone, now: Timestamp) -> Option<Moment> {
        let (day, time) = match self {
            Self::Instant(at) => return Some(Moment { at, note: None }),
            Self::Local(day, time) => (day, time),
        };
        let today = now.to_zoned(zone.clone()).date();
        let of = |date: Date| on(zone, date, time);
        match day {
            Day::Date(date) => of(date),
            Day::Today => of(today),
            Day::Yesterday => of(today.checked_sub(1.day()).ok()?),
            Day::Newest => match of(today) {
                Some(moment) if moment.at <= now => Some(moment),
                _ => of(today.checked_sub(1.day()).ok()?),
            },
        }
    }
}

fn on(zone: &TimeZone, date: Date, time: Time) -> Option<Moment> {
    let civil = date.to_datetime(time);
    let at = instant_of(zone, civil)?;
    let clock = civil.strftime("%H:%M");
    let note = match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Fold { after, .. } => {
            let second = after.to_timestamp(civil).ok()?;
            Some(format!(
                "clocks were set back on {date}, and {clock} came twice: this is the first, as slots are; write {second} \
                 for the second"
            ))
        }
        AmbiguousOffset::Gap { .. } => {
            let taken = at.to_zoned(zone.clone());
            Some(format!(
                "clocks were set forward on {date}, and {clock} never came: this is {}, as slots are",
                taken.strftime("%H:%M")
            ))
        }
    };
    Some(Moment { at, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str, zone: &str, now: &str) -> Moment {
        let when: When = text.parse().expect("a moment");
        when.moment(&TimeZone::get(zone).expect("a zone"), now.parse().expect("now")).expect("an instant")
    }

    #[test]
    fn moments_are_read_as_people_name_them() {
        let at = |text, now| moment(text, "Asia/Kolkata", now).at.to_string();
        let now = "2026-11-29T03:00:00Z"; // half past eight in India
        for (text, meant) in [
            ("2026-11-20 08:00", "2026-11-20T02:30:00Z"),
            ("2026-11-20T08:00", "2026-11-20T02:30:00Z"),
            ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
            ("today 08:00", "2026-11-29T02:30:00Z"),
            ("today 20:00", "2026-11-29T14:30:00Z"),
            ("yesterday 08:00:30", "2026-11-28T02:30:30Z"),
            (" 08:00 ", "2026-11-29T02:30:00Z"),
            ("08:30", "2026-11-29T03:00:00Z"),
            ("08:31", "2026-11-28T03:01:00Z"),
        ] {
            assert_eq!(at(text, now), meant, "{text}");
            let when: When = text.parse().expect("a moment");
            assert_eq!(when.to_string().parse(), Ok(when), "it is read again");
        }
    }

    #[test]
    fn where_clocks_change_a_moment_is_the_one_of_a_slot() {
        let berlin = |text| moment(text, "Europe/Berlin", "2026-11-01T00:00:00Z");
        let twice = berlin("2026-10-25 02:30");
        assert_eq!(twice.at.to_string(), "2026-10-25T00:30:00Z");
        assert!(
            twice
                .note
                .is_some_and(|note| note.contains("came twice") && note.contains("2026-10-25T01:30:00Z"))
        );
        let never = berlin("2026-03-29 02:30");
        assert_eq!(never.at.to_string(), "2026-03-29T01:00:00Z");
        assert!(never.note.is_some_and(|note| note.contains("never came: this is 03:00")));
        assert_eq!(berlin("2026-10-25 04:00").note, None);
    }

    #[test]
    fn what_is_no_moment_is_refused_with_samples() {
        for wrong in
            ["", "8", "0800", "tomorrow 08:00", "2026-11-29", "2026-13-01 08:00", "yesterday", "08:61"]
        {
            let refused = wrong.parse::<When>().expect_err(wrong);
            assert!(refused.contains("yesterday 08:00"), "{refused}");
        }
    }
}
