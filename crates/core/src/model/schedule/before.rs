//! Expressions from before days of the week were counted as in cron: 1 was Sunday, 7 was Saturday, and a
//! day of the month and one of the week were both asked for.

use super::fields::day_of_week;

const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// An expression that was stored until ledger migration 15, written so that it means today what it
/// meant then. Days are named, so that a worker of the old version reads them in the same way.
/// What is no such expression stays as it is.
#[must_use]
pub fn as_it_was_meant(text: &str) -> String {
    meant(text).unwrap_or_else(|| text.to_owned())
}

fn meant(text: &str) -> Option<String> {
    let mut fields: Vec<&str> = text.split_whitespace().collect();
    let (day, weekday) = (*fields.get(3)?, *fields.get(5)?);
    if fields.len() > 7 || weekday == "*" || weekday == "?" {
        return None;
    }
    let named = if weekday.bytes().any(|byte| byte.is_ascii_digit()) {
        names(days(weekday)?)
    } else {
        weekday.to_owned()
    };
    let both = if day == "*" || day == "?" || named == "*" { "" } else { "+" };
    let weekday = format!("{both}{named}");
    fields[5] = &weekday;
    Some(fields.join(" "))
}

/// The days that a field named, Sunday first.
fn days(field: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (0, 6),
            Some((first, last)) => (ordinal(first)?, ordinal(last)?),
            // With a step, to the end of the week.
            None => (ordinal(range)?, if step.is_some() { 6 } else { ordinal(range)? }),
        };
        if first > last {
            return None;
        }
        for day in (first..=last).step_by(step.unwrap_or(1)) {
            days[day] = true;
        }
    }
    Some(days)
}

/// A day as it was counted, from 0.
fn ordinal(day: &str) -> Option<usize> {
    match day.parse::<usize>() {
        Ok(number) => number.checked_sub(1).filter(|day| *day < 7),
        Err(_) => day_of_week(day),
    }
}

/// `MON-FRI,SUN`, or `*` when it is every day.
fn names(days: [bool; 7]) -> String {
    if days == [true; 7] {
        return "*".to_owned();
    }
    let mut parts = Vec::new();
    let mut day = 0;
    while day < 7 {
        let length = days[day..].iter().take_while(|named| **named).count();
        match length {
            0 => {}
            1 => parts.push(NAMES[day].to_owned()),
            2 => parts.push(format!("{},{}", NAMES[day], NAMES[day + 1])),
            _ => parts.push(format!("{}-{}", NAMES[day], NAMES[day + length - 1])),
        }
        day += length.max(1);
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::as_it_was_meant;

    #[test]
    fn an_old_expression_keeps_its_days() {
        for (before, now) in [
            ("0 0 */4 * * *", "0 0 */4 * * *"),
            ("0 0 6 * * 1", "0 0 6 * * SUN"),
            ("0 0 6 * * 7", "0 0 6 * * SAT"),
            ("0 0 6 * * 2-6", "0 0 6 * * MON-FRI"),
            ("0 0 6 * * 1-7", "0 0 6 * * *"),
            ("0 0 6 * * */2", "0 0 6 * * SUN,TUE,THU,SAT"),
            ("0 0 6 * * 2/2", "0 0 6 * * MON,WED,FRI"),
            ("0 0 6 * * 2-7/3", "0 0 6 * * MON,THU"),
            ("0 0 6 * * 1,7", "0 0 6 * * SUN,SAT"),
            ("0 0 6 * * Mon,3-4", "0 0 6 * * MON-WED"),
            ("0 0 6 * * MON-FRI", "0 0 6 * * MON-FRI"),
            ("0 0 6 ? * 2 2027", "0 0 6 ? * MON 2027"),
            ("0 0 0 13 * FRI", "0 0 0 13 * +FRI"),
            ("0 0 0 13 * 6", "0 0 0 13 * +FRI"),
            ("0 0 0 */2 * 1-7", "0 0 0 */2 * *"),
            ("@weekly", "@weekly"),
            ("no expression", "no expression"),
            ("0 0 6 * * 9", "0 0 6 * * 9"),
        ] {
            assert_eq!(as_it_was_meant(before), now, "{before}");
        }
    }
}
