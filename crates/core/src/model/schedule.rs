//! The slots of an account: a cron expression over *local civil time*.
//!
//! The cron crate only walks a zoneless calendar here; each civil time is then
//! resolved to an instant by jiff. Crates that resolve zones themselves skip the
//! midnight run in Cairo, Havana, Santiago and Beirut, and fire twice in Havana.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::CronParser;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::text::one_line::one_line;

mod before;
mod calendar;
mod fields;
mod zone;

pub use before::as_it_was_meant;
pub use calendar::{Calendar, Due};
pub use zone::{Zone, ZoneError};

/// Most civil times that are tried for one slot: a fold of an hour, with a slot every second.
const MAX_CANDIDATES: usize = 100_000;

/// Longest part of a text that is shown in a refusal; expressions and names are shorter.
const MAX_SHOWN_CHARS: usize = 200;

/// A cron expression: `[second] minute hour day month weekday [year]`, or `@daily` and the like.
///
/// Days of the week are those of POSIX: 0 and 7 are Sunday. Where both a day of the month and one of the
/// week are named, either is enough, as in cron; a `+` before the day of the week asks for both.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    cron: Cron,
}

/// A text that is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "schedule: {text:?} {problem}; write minute hour day month weekday, with the second before them if you want, \
     such as \"0 */4 * * *\" (every four hours), \"30 6 * * MON-FRI\" or @daily"
)]
pub struct ScheduleError {
    text: String,
    problem: String,
}

impl Schedule {
    /// Parses a cron expression.
    ///
    /// # Errors
    /// When it does not parse, or never fires.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let refuse = |problem: String| ScheduleError { text: one_line(text, MAX_SHOWN_CHARS), problem };
        let fields = fields::numbered(text).map_err(refuse)?;
        let parser = CronParser::builder().sloppy_ranges(true).build();
        let cron = parser.parse(&fields).map_err(|error| {
            refuse(format!("does not parse ({})", one_line(&error.to_string(), MAX_SHOWN_CHARS)))
        })?;
        let schedule = Self { text: text.trim().to_owned(), cron };
        if schedule.next_after(&TimeZone::UTC, Timestamp::UNIX_EPOCH).is_none() {
            return Err(refuse("never fires".to_owned()));
        }
        Ok(schedule)
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first slot later than an instant.
    #[must_use]
    pub fn next_after(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let local = zone.to_offset(after).to_datetime(after);
        self.cron
            .iter_after(to_cron(local)?)
            .take(MAX_CANDIDATES)
            .filter_map(|civil| instant_of(zone, civil.datetime()))
            .find(|slot| *slot > after)
    }

    /// The last slot that is not later than an instant.
    ///
    /// Civil order and slot order agree, so walking back from the latest civil
    /// time that any clock of the zone has shown finds it first.
    #[must_use]
    pub fn newest_at(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let mut latest = zone.to_offset(now).to_datetime(now);
        if let Some(change) = zone.preceding(now).next() {
            let before = zone.to_offset(change.timestamp() - SignedDuration::from_nanos(1));
            latest = latest.max(before.to_datetime(change.timestamp()));
        }
        let from = latest.checked_add(SignedDuration::from_secs(2)).ok()?;
        self.cron
            .iter_before(to_cron(from)?)
            .take(MAX_CANDIDATES)
            .filter_map(|civil| instant_of(zone, civil.datetime()))
            .find(|slot| *slot <= now)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A civil time's instant: in a gap the first valid time after it, in a fold the first of the two.
#[must_use]
pub fn instant_of(zone: &TimeZone, civil: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(civil).ok()
        }
        AmbiguousOffset::Gap { before, .. } => {
            // Read with the old offset, the time lies after the change and before any other.
            let beyond = before.to_timestamp(civil).ok()? + SignedDuration::from_nanos(1);
            Some(zone.preceding(beyond).next()?.timestamp())
        }
    }
}

/// A civil time on the zoneless calendar of the cron crate, in whole seconds.
fn to_cron(civil: DateTime) -> Option<Zoned> {
    civil.with().subsec_nanosecond(0).build().ok()?.to_zoned(TimeZone::UTC).ok()
}

/// When the delivery of a slot's window begins, where deliveries are spread; none: at once.
/// `part`: the account's place in the spread, 0 to 1. It never takes more than half the time
/// to the next slot, so that windows do not pile up.
#[must_use]
pub fn begins(slot: Timestamp, next: Option<Timestamp>, spread: Duration, part: f64) -> Option<Timestamp> {
    if spread.is_zero() {
        return None;
    }
    let gap = next.and_then(|next| Duration::try_from(next.duration_since(slot)).ok());
    let spread = gap.map_or(spread, |gap| spread.min(gap / 2));
    slot.checked_add(spread.mul_f64(part.clamp(0.0, 1.0))).ok()
}

#[cfg(test)]
mod tests;
