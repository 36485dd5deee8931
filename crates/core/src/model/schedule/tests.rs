use jiff::tz::TimeZoneDatabase;

use super::*;
use crate::model::account::AddOn;
use proptest::prelude::*;

const EVERY_FOUR_HOURS: &str = "0 0 */4 * * *";

fn at(text: &str) -> Timestamp {
    text.parse().expect("instant")
}

fn zone(name: &str) -> Zone {
    Zone::find(&TimeZoneDatabase::bundled(), name).expect("zone")
}

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).expect("schedule")
}

#[test]
fn deliveries_are_spread_over_at_most_half_the_time_to_the_next_slot() {
    let (slot, next) = (at("2026-11-21T04:00:00Z"), Some(at("2026-11-21T08:00:00Z")));
    let of = |spread, part| begins(slot, next, Duration::from_secs(spread), part);
    assert_eq!(of(0, 0.5), None);
    assert_eq!(of(3600, 0.0), Some(slot));
    assert_eq!(of(3600, 0.25), Some(at("2026-11-21T04:15:00Z")));
    assert_eq!(of(100 * 3600, 1.0), Some(at("2026-11-21T06:00:00Z")));
    assert_eq!(
        begins(slot, None, Duration::from_secs(3600), 1.0),
        Some(at("2026-11-21T05:00:00Z")),
        "the last slot of an add-on"
    );
}

/// The local clock readings of the slots of one local day.
fn day(name: &str, from: &str, to: &str) -> Vec<String> {
    let zone = zone(name);
    let schedule = schedule(EVERY_FOUR_HOURS);
    let (mut slot, end) = (at(from), at(to));
    let mut slots = Vec::new();
    while let Some(next) = schedule.next_after(zone.rules(), slot).filter(|next| *next <= end) {
        slots.push(next.to_zoned(zone.rules().clone()).strftime("%d %H:%M%:z").to_string());
        slot = next;
    }
    slots
}

#[test]
fn cairo_has_its_midnight_run_after_the_gap() {
    assert_eq!(
        day("Africa/Cairo", "2026-04-23T18:30:00Z", "2026-04-24T02:00:00Z"),
        ["24 01:00+03:00", "24 04:00+03:00"]
    );
}

#[test]
fn havana_fires_once_in_its_fold() {
    assert_eq!(
        day("America/Havana", "2026-11-01T01:00:00Z", "2026-11-01T09:30:00Z"),
        ["01 00:00-04:00", "01 04:00-05:00"]
    );
}

#[test]
fn santiago_beirut_and_the_azores_keep_their_midnight() {
    assert!(
        day("America/Santiago", "2026-09-06T02:00:00Z", "2026-09-06T05:00:00Z")[0].starts_with("06 01:00")
    );
    assert!(day("Asia/Beirut", "2026-03-28T21:00:00Z", "2026-03-28T23:00:00Z")[0].starts_with("29 01:00"));
    assert!(
        day("Atlantic/Azores", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z")[0].starts_with("29 01:00")
    );
}

#[test]
fn half_hour_zones_keep_their_local_hours() {
    assert_eq!(day("Asia/Kathmandu", "2026-11-20T18:00:00Z", "2026-11-20T18:20:00Z"), ["21 00:00+05:45"]);
    assert_eq!(
        day("Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-04T18:00:00Z"),
        ["05 00:00+11:00", "05 04:00+10:30"]
    );
}

#[test]
fn the_day_that_apia_skipped_has_one_slot() {
    assert_eq!(
        day("Pacific/Apia", "2011-12-30T08:30:00Z", "2011-12-30T14:30:00Z"),
        ["31 00:00+14:00", "31 04:00+14:00"]
    );
}

/// Each civil slot of the calendar is hit: none missing, none doubled, strictly increasing.
#[test]
fn slots_of_every_zone_from_2024_to_2037() {
    let schedule = schedule(EVERY_FOUR_HOURS);
    let database = TimeZoneDatabase::bundled();
    let (start, end) = (at("2024-01-01T00:00:00Z"), at("2037-12-31T00:00:00Z"));
    let (mut zones, mut count) = (0, 0_u64);
    for name in database.available() {
        let zone = database.get(name.as_str()).expect("zone");
        let mut slot = start;
        let mut expected: Option<DateTime> = None;
        // Where the clocks never change, one year is as good as all of them.
        let changes = zone.following(start).next().is_some_and(|change| change.timestamp() < end);
        let end = if changes { end } else { at("2025-01-01T00:00:00Z") };
        while slot < end {
            let next = schedule.next_after(&zone, slot).expect("a next slot");
            assert!(next > slot, "{name}: {next} after {slot}");
            let civil = zone.to_datetime(next);
            let nominal = match expected {
                None => civil,
                Some(last) => last + SignedDuration::from_hours(4),
            };
            // A slot may be late by its gap, and by no more.
            let late = civil.duration_since(nominal);
            assert!(
                late >= SignedDuration::ZERO && late <= SignedDuration::from_hours(1),
                "{name}: {civil} for {nominal}"
            );
            if count % 37 == 0 {
                assert_eq!(schedule.newest_at(&zone, next), Some(next), "{name}");
            }
            count += 1;
            expected = Some(nominal);
            slot = next;
        }
        zones += 1;
    }
    assert!(zones > 500, "{zones} zones");
}

#[test]
fn after_downtime_the_newest_slot_counts() {
    let (schedule, zone) = (schedule(EVERY_FOUR_HOURS), zone("Asia/Kolkata"));
    let addon = AddOn { enabled: true, until: None, reason: None };
    let calendar = Calendar { schedule: &schedule, zone: &zone, addon: &addon };
    let last = at("2026-11-18T18:30:00Z");
    let due = calendar.due(last, at("2026-11-21T05:00:00Z")).expect("due");
    assert_eq!(due.slot, at("2026-11-21T02:30:00Z"));
    assert_eq!(calendar.due(due.slot, at("2026-11-21T06:29:59Z")), None);
    assert_eq!(calendar.next_after(due.slot), Some(at("2026-11-21T06:30:00Z")));
}

#[test]
fn the_end_of_the_addon_is_its_last_slot() {
    let (schedule, zone) = (schedule(EVERY_FOUR_HOURS), zone("UTC"));
    let until = at("2026-11-21T05:17:00Z");
    let addon = AddOn { enabled: true, until: Some(until), reason: None };
    let calendar = Calendar { schedule: &schedule, zone: &zone, addon: &addon };
    assert_eq!(calendar.next_after(at("2026-11-21T04:00:00Z")), Some(until));
    let due = calendar.due(at("2026-11-21T04:00:00Z"), at("2026-11-25T00:00:00Z")).expect("due");
    assert_eq!(due, Due { slot: until, until: Some(until) });
    assert_eq!(calendar.next_after(until), None);
    assert_eq!(calendar.due(until, at("2026-11-25T00:00:00Z")), None);
}

/// Found by fuzzing.
#[test]
fn the_last_slot_of_the_last_year_is_found_in_the_years_after() {
    let schedule = schedule("0 0 0 1 * * 2025,2027");
    let newest = |now| schedule.newest_at(&TimeZone::UTC, at(now));
    assert_eq!(newest("2028-01-15T00:00:00Z"), Some(at("2027-12-01T00:00:00Z")));
    assert_eq!(newest("2027-03-15T00:00:00Z"), Some(at("2027-03-01T00:00:00Z")));
    assert_eq!(newest("2026-02-15T00:00:00Z"), Some(at("2025-12-01T00:00:00Z")));
    assert_eq!(newest("2024-12-31T00:00:00Z"), None);
}

/// The first local slots after Saturday, 21 November 2026, 00:00.
fn first(text: &str, count: usize) -> Vec<String> {
    let schedule = schedule(text);
    let mut slot = at("2026-11-21T00:00:00Z");
    let mut slots = Vec::new();
    while slots.len() < count {
        slot = schedule.next_after(&TimeZone::UTC, slot).expect("a next slot");
        slots.push(slot.to_zoned(TimeZone::UTC).strftime("%a %d %H:%M:%S").to_string());
    }
    slots
}

/// As POSIX and every crontab have it.
#[test]
fn days_of_the_week_are_those_of_cron() {
    for sunday in ["0", "7", "SUN", "sunday", "Sun", "6-7,0", "SAT-SUN"] {
        let days = first(&format!("0 0 6 * * {sunday}"), 2);
        assert!(days.contains(&"Sun 22 06:00:00".to_owned()), "{sunday}: {days:?}");
    }
    assert_eq!(first("0 0 6 * * 1", 2), ["Mon 23 06:00:00", "Mon 30 06:00:00"]);
    let week = first("0 0 6 * * 1-5", 5);
    assert_eq!(week.iter().map(|day| &day[..3]).collect::<Vec<_>>(), ["Mon", "Tue", "Wed", "Thu", "Fri"]);
    assert_eq!(week, first("0 6 * * mon-fri", 5));
}

#[test]
fn a_day_of_the_month_or_one_of_the_week_is_enough_and_a_plus_asks_for_both() {
    let either = first("0 0 0 13 * FRI", 3);
    assert_eq!(either, ["Fri 27 00:00:00", "Fri 04 00:00:00", "Fri 11 00:00:00"]);
    assert!(first("0 0 0 13 * FRI", 4).contains(&"Sun 13 00:00:00".to_owned()));
    assert_eq!(first("0 0 0 13 * +FRI", 1), ["Fri 13 00:00:00"]);
}

#[test]
fn what_crontabs_hold_is_understood() {
    for (text, slots) in [
        ("*/15 * * * *", ["Sat 21 00:15:00", "Sat 21 00:30:00"]),
        ("0 */4 * * *", ["Sat 21 04:00:00", "Sat 21 08:00:00"]),
        ("30 0 6 * * *", ["Sat 21 06:00:30", "Sun 22 06:00:30"]),
        ("0 0 L * *", ["Mon 30 00:00:00", "Thu 31 00:00:00"]),
        ("0 0 * * 5L", ["Fri 27 00:00:00", "Fri 25 00:00:00"]),
        ("0 0 15W * *", ["Tue 15 00:00:00", "Fri 15 00:00:00"]),
        ("0 0 * * MON#1", ["Mon 07 00:00:00", "Mon 04 00:00:00"]),
        ("0 8,20 * * *", ["Sat 21 08:00:00", "Sat 21 20:00:00"]),
        ("0 0 1 jan,JULY *", ["Fri 01 00:00:00", "Thu 01 00:00:00"]),
        ("5/20 * * * *", ["Sat 21 00:05:00", "Sat 21 00:25:00"]),
        ("0 0 ? * 3", ["Wed 25 00:00:00", "Wed 02 00:00:00"]),
        ("@daily", ["Sun 22 00:00:00", "Mon 23 00:00:00"]),
        ("@midnight", ["Sun 22 00:00:00", "Mon 23 00:00:00"]),
        ("@hourly", ["Sat 21 01:00:00", "Sat 21 02:00:00"]),
        ("@weekly", ["Sun 22 00:00:00", "Sun 29 00:00:00"]),
        ("@monthly", ["Tue 01 00:00:00", "Fri 01 00:00:00"]),
        ("@Yearly", ["Fri 01 00:00:00", "Sat 01 00:00:00"]),
    ] {
        assert_eq!(first(text, 2), slots, "{text}");
    }
}

#[test]
fn bad_expressions_and_zones_are_explained() {
    let refused = |text: &str| Schedule::parse(text).expect_err(text).to_string();
    for (text, problem) in [
        ("0 */4 * *", "has 4 fields"),
        ("", "has 0 fields"),
        ("@never", "is none of the names"),
        ("@reboot", "is none of the names"),
        ("0 0 0 * * FUN", "FUN is not a day of the week"),
        ("0 0 0 * MON *", "MON is not a month"),
        ("0 0 0 JAN * *", "JAN is a name, and this field has numbers"),
        ("0 0 0 * * 8", "does not parse"),
        ("0 0 0 31 JUN *", "never fires"),
    ] {
        assert!(refused(text).contains(problem), "{text}: {}", refused(text));
    }
    assert!(refused("0 */4 * *").contains("minute hour day month weekday"));
    assert!(Schedule::parse("0 0 25 * * *").is_err());
    assert!(Schedule::parse("0 0 0 30 2 *").expect_err("refused").to_string().contains("never fires"));
    let near = Zone::find(&TimeZoneDatabase::bundled(), "Asia/Calcuta").expect_err("refused").to_string();
    assert!(near.contains("Asia/Calcutta"), "{near}");
}

proptest! {
    #[test]
    fn walking_back_agrees_with_walking_forward(second in 1_700_000_000_i64..2_100_000_000, pick in 0_usize..6) {
        let zone = zone(["Africa/Cairo", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "America/Santiago", "UTC"][pick]);
        let schedule = schedule(["0 0 */4 * * *", "0 30 * * * *", "0 0 0 * * *"][pick % 3]);
        let now = Timestamp::from_second(second).expect("instant");
        let newest = schedule.newest_at(zone.rules(), now).expect("a slot");
        prop_assert!(newest <= now);
        prop_assert!(schedule.next_after(zone.rules(), newest).expect("a slot") > now);
    }
}
