//! The slots of some days as a strip: a sign for each, in the account's own days.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::cli::output;
use crate::operations::timeline::{DAYS, SlotFate, SlotState, Timeline};
use auditferry_core::text::count::counted;

/// How wide it is at most.
const WIDTH: usize = 80;

/// Blanks between two days, and between two parts of the legend.
const GAP: usize = 2;

/// Prints a timeline with its legend.
pub(super) fn print(timeline: &Timeline, zone: &TimeZone) {
    let newest = if timeline.cut {
        format!(", the newest {}", counted(timeline.slots.len() as u64, "slot"))
    } else {
        String::new()
    };
    output::line(format!("\nThe last {DAYS} days in {}{newest}", timeline.zone));
    if timeline.slots.is_empty() {
        return output::line("No slot has come yet.");
    }
    for row in rows(&timeline.slots, zone) {
        let parts = row.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Sign(state) => output::sign(*state),
        });
        output::line(parts.collect::<String>());
    }
    for row in legend(&timeline.slots) {
        output::line(row);
    }
}

/// What stands in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Sign(SlotState),
}

/// The rows of a strip: `Nov 16 ######  17 ##.###`, as many days in each as there is room for.
fn rows(slots: &[SlotFate], zone: &TimeZone) -> Vec<Vec<Part>> {
    let mut rows: Vec<Vec<Part>> = Vec::new();
    let mut width = WIDTH;
    for day in slots.chunk_by(|one, other| date(one, zone) == date(other, zone)) {
        let date = date(&day[0], zone);
        let (long, short) = (date.strftime("%b %d").to_string(), date.strftime("%d").to_string());
        // A day with more slots than there is room for goes on in the next row.
        for piece in day.chunks(WIDTH - long.len() - 1) {
            let label = if width + GAP + short.len() + 1 + piece.len() > WIDTH {
                rows.push(Vec::new());
                width = 0;
                format!("{long} ")
            } else {
                format!("{}{short} ", " ".repeat(GAP))
            };
            width += label.len() + piece.len();
            if let Some(row) = rows.last_mut() {
                row.push(Part::Text(label));
                row.extend(piece.iter().map(|slot| Part::Sign(slot.state)));
            }
        }
    }
    rows
}

fn date(slot: &SlotFate, zone: &TimeZone) -> jiff::civil::Date {
    slot.slot.to_zoned(zone.clone()).date()
}

/// What the signs mean that occur.
fn legend(slots: &[SlotFate]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for state in SlotState::ALL.into_iter().filter(|state| slots.iter().any(|slot| slot.state == *state)) {
        let part = format!("{} {}", state.sign(), state.words());
        match rows.last_mut() {
            Some(row) if row.len() + GAP + part.len() <= WIDTH => {
                let _ = write!(row, "{}{part}", " ".repeat(GAP));
            }
            _ => rows.push(part),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn fates(first: &str, every_seconds: i64, states: &str) -> Vec<SlotFate> {
        let first: Timestamp = first.parse().expect("an instant");
        let state = |sign| SlotState::ALL.into_iter().find(|state| state.sign() == sign).expect("a sign");
        let fate = |(at, sign): (usize, char)| SlotFate {
            slot: first + jiff::SignedDuration::from_secs(every_seconds * i64::try_from(at).expect("few")),
            state: state(sign),
            scheduled: true,
            window: None,
            into: None,
            objects: 0,
            records: 0,
            delivered_at: None,
        };
        states.chars().enumerate().map(fate).collect()
    }

    fn plain(slots: &[SlotFate], zone: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).expect("a zone");
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Sign(state) => state.sign().to_string(),
        };
        let rows = rows(slots, &zone);
        rows.iter().map(|row| row.iter().map(part).collect::<String>()).collect()
    }

    #[test]
    fn days_are_those_of_the_account_and_rows_are_not_too_wide() {
        // Midnight in India is half past six in the evening in London.
        let slots = fates("2026-11-16T18:30:00Z", 4 * 3600, &"#####.".repeat(14));
        let rows = plain(&slots, "Asia/Kolkata");
        assert_eq!(
            rows,
            [
                "Nov 17 #####.  18 #####.  19 #####.  20 #####.  21 #####.  22 #####.  23 #####.",
                "Nov 24 #####.  25 #####.  26 #####.  27 #####.  28 #####.  29 #####.  30 #####.",
            ]
        );
        assert!(plain(&slots, "UTC")[0].starts_with("Nov 16 ##  17 ###.##"), "{:?}", plain(&slots, "UTC"));
        let many = plain(&fates("2026-11-16T00:00:00Z", 600, &"#".repeat(150)), "UTC");
        assert_eq!(many.len(), 3, "{many:?}");
        assert!(many.iter().all(|row| row.len() <= WIDTH && row.starts_with("Nov 1")), "{many:?}");
        assert_eq!(many.concat().matches('#').count(), 150);
    }

    #[test]
    fn only_signs_that_occur_are_explained() {
        let slots = fates("2026-11-16T00:00:00Z", 3600, "F#.#");
        assert_eq!(legend(&slots), ["# delivered  . no records  F failing"]);
        let all: String = SlotState::ALL.iter().map(|state| state.sign()).collect();
        let rows = legend(&fates("2026-11-16T00:00:00Z", 3600, &all));
        assert!(rows.len() > 1 && rows.iter().all(|row| row.len() <= WIDTH), "{rows:?}");
    }
}
