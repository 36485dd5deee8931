//! The fields of a cron expression, with numbers for names.

/// The names that stand for a whole expression.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    DayOfMonth,
    Month,
    DayOfWeek,
}

/// The same expression with numbers instead of names, of days and months and of the whole.
///
/// # Errors
/// What is wrong with it, to stand after the expression.
pub(super) fn numbered(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.starts_with('@') {
        let known = NICKNAMES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        return known.map(|(_, fields)| (*fields).to_owned()).ok_or_else(|| {
            let names: Vec<&str> = NICKNAMES.iter().map(|(name, _)| *name).collect();
            format!("is none of the names {}", names.join(", "))
        });
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    use Kind::{DayOfMonth, DayOfWeek, Month, Number};
    let kinds: &[Kind] = match fields.len() {
        5 => &[Number, Number, DayOfMonth, Month, DayOfWeek],
        6 => &[Number, Number, Number, DayOfMonth, Month, DayOfWeek],
        7 => &[Number, Number, Number, DayOfMonth, Month, DayOfWeek, Number],
        1 => return Err("has 1 field".to_owned()),
        count => return Err(format!("has {count} fields")),
    };
    let fields: Result<Vec<String>, String> =
        fields.iter().zip(kinds).map(|(field, kind)| field_with_numbers(field, *kind)).collect();
    Ok(fields?.join(" "))
}

/// One field: every run of letters becomes its number.
fn field_with_numbers(field: &str, kind: Kind) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = field;
    while let Some(start) = rest.find(|c: char| c.is_alphabetic()) {
        let letters = &rest[start..];
        let end = letters.find(|c: char| !c.is_alphabetic()).unwrap_or(letters.len());
        out.push_str(&rest[..start]);
        let after_range = out.ends_with('-');
        out.push_str(&number(&letters[..end], kind, after_range)?);
        rest = &letters[end..];
    }
    out.push_str(rest);
    Ok(out)
}

fn number(name: &str, kind: Kind, after_range: bool) -> Result<String, String> {
    let lower = name.to_lowercase();
    // Of names that go on after three letters: `tues`, `thurs`, `sept`, whole ones.
    let place =
        |names: &[&str]| names.iter().position(|full| lower.len() >= 3 && full.starts_with(&lower)).ok_or(());
    match kind {
        Kind::DayOfMonth if ["l", "w", "lw"].contains(&lower.as_str()) => Ok(name.to_uppercase()),
        Kind::DayOfWeek if lower == "l" => Ok("L".to_owned()),
        Kind::DayOfWeek => match place(&DAYS) {
            // The week ends with it where it ends a range.
            Ok(0) if after_range => Ok("7".to_owned()),
            Ok(day) => Ok(day.to_string()),
            Err(()) => Err(format!("does not parse: {name} is not a day of the week")),
        },
        Kind::Month => match place(&MONTHS) {
            Ok(month) => Ok((month + 1).to_string()),
            Err(()) => Err(format!("does not parse: {name} is not a month")),
        },
        Kind::Number | Kind::DayOfMonth => {
            Err(format!("does not parse: {name} is a name, and this field has numbers"))
        }
    }
}

/// The number of a day's name, Sunday is 0.
pub(super) fn day_of_week(name: &str) -> Option<usize> {
    number(name, Kind::DayOfWeek, false).ok()?.parse().ok()
}
