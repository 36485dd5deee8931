//! A query as it stands in a URL: texts, which are kept as they were typed, and what they mean.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use std::net::IpAddr;

use super::problem::{Field, FieldProblem, Problem};
use super::{MAX_TEXT_CHARS, MOST_DAYS, Place, RecordFilter, RecordQuery, SIZES, TimeSpan, Turn, Wanted};

/// A range that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its word in the URL.
    pub word: &'static str,
    /// How many hours it is long.
    pub hours: i64,
}

/// The ranges that end now. Of the URL without a range, the first counts.
pub const PRESETS: [Preset; 4] = [
    Preset { word: "24h", hours: 24 },
    Preset { word: "7d", hours: 7 * 24 },
    Preset { word: "30d", hours: 30 * 24 },
    Preset { word: "93d", hours: 93 * 24 },
];

/// The word of a range that has a first and a last day.
const DATES: &str = "dates";

/// Longest place, in bytes: a vendor's key may be a text.
const MAX_PLACE: usize = 1_000;

/// The fields of a query as they were typed; empty: absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawQuery {
    /// A preset, or `dates`.
    pub range: String,
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// An email, or how it begins.
    pub user: String,
    /// An action.
    pub action: String,
    /// An action's id.
    pub id: String,
    /// An address or a net.
    pub ip: String,
    /// A text.
    pub q: String,
    /// How many records on a page.
    pub rows: String,
    /// The place from which older records are shown.
    pub older: String,
    /// The place from which newer records are shown.
    pub newer: String,
}

impl RawQuery {
    /// Reads the parameters of a URL. Of a name that comes twice the last counts, and other names are left alone.
    pub fn of<'p>(parameters: impl IntoIterator<Item = (&'p str, &'p str)>) -> Self {
        let mut raw = Self::default();
        for (name, value) in parameters {
            if let Some(field) = raw.field(name) {
                value.trim().clone_into(field);
            }
        }
        raw
    }

    fn field(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "range" => &mut self.range,
            "from" => &mut self.from,
            "to" => &mut self.to,
            "user" => &mut self.user,
            "action" => &mut self.action,
            "id" => &mut self.id,
            "ip" => &mut self.ip,
            "q" => &mut self.q,
            "rows" => &mut self.rows,
            "older" => &mut self.older,
            "newer" => &mut self.newer,
            _ => return None,
        })
    }

    /// The parameters that are not empty, in the order of the form; without those that turn pages.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("range", &self.range),
            ("from", &self.from),
            ("to", &self.to),
            ("user", &self.user),
            ("action", &self.action),
            ("id", &self.id),
            ("ip", &self.ip),
            ("q", &self.q),
            ("rows", &self.rows),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.as_str()))
    }

    /// Whether it asks for days and not for a preset.
    #[must_use]
    pub fn has_dates(&self) -> bool {
        self.range == DATES || (self.range.is_empty() && !(self.from.is_empty() && self.to.is_empty()))
    }

    /// What it means, for somebody in `zone`.
    ///
    /// # Errors
    /// Each field that cannot be used.
    pub fn parse(&self, now: Timestamp, zone: &TimeZone) -> Result<RecordQuery, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let span = or_problem(self.span(now, zone), &mut problems);
        let filter = self.filter(&mut problems);
        let size = or_problem(self.size(), &mut problems);
        let turn = or_problem(self.turn(), &mut problems);
        match (span, size, turn) {
            (Some(span), Some(size), Some(turn)) if problems.is_empty() => {
                Ok(RecordQuery { span, filter, turn, size })
            }
            _ => Err(problems),
        }
    }

    fn span(&self, now: Timestamp, zone: &TimeZone) -> Result<TimeSpan, FieldProblem> {
        if self.has_dates() {
            let from = date(Field::From, &self.from)?;
            let to = date(Field::To, &self.to)?;
            return days(from, to, zone);
        }
        let word = if self.range.is_empty() { PRESETS[0].word } else { self.range.as_str() };
        let preset = PRESETS.iter().find(|preset| preset.word == word);
        let preset = preset.ok_or(FieldProblem { field: Field::Range, problem: Problem::UnknownRange })?;
        let from = now.checked_sub(SignedDuration::from_hours(preset.hours)).unwrap_or(Timestamp::MIN);
        Ok(TimeSpan::since(from))
    }

    fn filter(&self, problems: &mut Vec<FieldProblem>) -> RecordFilter {
        let mut text = |field, value: &str| or_problem(text(field, value), problems).flatten();
        let (user, action) = (text(Field::User, &self.user), text(Field::Action, &self.action));
        let (action_id, ip) = (text(Field::ActionId, &self.id), text(Field::Ip, &self.ip));
        let text = text(Field::Text, &self.q);
        RecordFilter {
            user: user.map(wanted_user),
            action,
            action_id,
            ip: ip.and_then(|ip| or_problem(wanted_ip(&ip), problems)),
            text,
        }
    }

    fn size(&self) -> Result<u32, FieldProblem> {
        if self.rows.is_empty() {
            return Ok(SIZES[0]);
        }
        let known = self.rows.parse().ok().filter(|size| SIZES.contains(size));
        known.ok_or(FieldProblem { field: Field::Rows, problem: Problem::UnknownSize })
    }

    fn turn(&self) -> Result<Turn, FieldProblem> {
        match (self.older.is_empty(), self.newer.is_empty()) {
            (true, true) => Ok(Turn::First),
            (false, true) => place(&self.older).map(Turn::Older),
            (true, false) => place(&self.newer).map(Turn::Newer),
            (false, false) => Err(FieldProblem { field: Field::Place, problem: Problem::NotAPlace }),
        }
    }
}

fn or_problem<T>(value: Result<T, FieldProblem>, problems: &mut Vec<FieldProblem>) -> Option<T> {
    value.map_err(|problem| problems.push(problem)).ok()
}

fn place(text: &str) -> Result<Place, FieldProblem> {
    if text.len() > MAX_PLACE || text.chars().any(char::is_control) {
        return Err(FieldProblem { field: Field::Place, problem: Problem::NotAPlace });
    }
    Ok(Place(text.to_owned()))
}

fn date(field: Field, text: &str) -> Result<Date, FieldProblem> {
    if text.is_empty() {
        return Err(FieldProblem { field, problem: Problem::DateNeeded });
    }
    // Only what a calendar gives: 2026-11-30.
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    date.ok_or(FieldProblem { field, problem: Problem::NotADate })
}

/// From the first moment of a day to the last of another.
fn days(from: Date, to: Date, zone: &TimeZone) -> Result<TimeSpan, FieldProblem> {
    let wrong = |field, problem| FieldProblem { field, problem };
    if to < from {
        return Err(wrong(Field::To, Problem::EndsBeforeItBegins));
    }
    // By the calendar, so that an hour more in autumn is no day more.
    if from.checked_add((MOST_DAYS - 1).days()).is_ok_and(|last| to > last) {
        return Err(wrong(Field::From, Problem::TooLong));
    }
    let first = |date: Date| date.to_zoned(zone.clone()).map(|day| day.timestamp()).ok();
    let after = to.checked_add(1.days()).ok().and_then(first);
    match (first(from), after) {
        (Some(from), Some(to)) => Ok(TimeSpan { from, to }),
        (None, _) => Err(wrong(Field::From, Problem::NotADate)),
        (_, None) => Err(wrong(Field::To, Problem::NotADate)),
    }
}

fn text(field: Field, value: &str) -> Result<Option<String>, FieldProblem> {
    if value.is_empty() {
        return Ok(None);
    }
    if value.contains('\0') {
        return Err(FieldProblem { field, problem: Problem::Unprintable });
    }
    if value.chars().count() > MAX_TEXT_CHARS {
        return Err(FieldProblem { field, problem: Problem::TooManyCharacters });
    }
    Ok(Some(value.to_owned()))
}

/// A whole email, or how one begins: `jana`, `jana.k*`.
fn wanted_user(text: String) -> Wanted {
    match text.strip_suffix('*') {
        Some(begin) => Wanted::Prefix(begin.to_owned()),
        None if text.contains('@') => Wanted::Exact(text),
        None => Wanted::Prefix(text),
    }
}

/// An address; a net of IPv4 that ends at a full stop; how an address begins: `2001:db8:*`.
fn wanted_ip(text: &str) -> Result<Wanted, FieldProblem> {
    let wrong = FieldProblem { field: Field::Ip, problem: Problem::NotAnAddress };
    if let Some(begin) = text.strip_suffix('*') {
        let fits =
            !begin.is_empty() && begin.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':'));
        return if fits { Ok(Wanted::Prefix(begin.to_owned())) } else { Err(wrong) };
    }
    let Some((address, bits)) = text.split_once('/') else {
        return text.parse::<IpAddr>().map(|_| Wanted::Exact(text.to_owned())).map_err(|_| wrong);
    };
    let (Ok(IpAddr::V4(address)), Some(parts)) = (
        address.parse::<IpAddr>(),
        [("8", 1), ("16", 2), ("24", 3)].iter().find(|(name, _)| *name == bits).map(|(_, parts)| *parts),
    ) else {
        return Err(wrong);
    };
    let begin: String = address.octets().iter().take(parts).map(|octet| format!("{octet}.")).collect();
    Ok(Wanted::Prefix(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("instant")
    }

    fn parse(parameters: &[(&str, &str)]) -> Result<RecordQuery, Vec<String>> {
        let zone = TimeZone::get("Europe/Berlin").expect("zone");
        RawQuery::of(parameters.iter().copied())
            .parse(at("2026-11-30T12:00:00Z"), &zone)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn refused(parameters: &[(&str, &str)]) -> Vec<String> {
        parse(parameters).expect_err("refused")
    }

    #[test]
    fn a_bare_url_is_the_last_day() {
        let query = parse(&[("theme", "dark")]).expect("query");
        assert_eq!(query.span.from, at("2026-11-29T12:00:00Z"));
        assert!(query.span.to > at("9999-01-01T00:00:00Z"), "what comes is in it");
        assert!(query.filter.is_empty());
        assert_eq!((query.size, query.turn), (20, Turn::First));
    }

    #[test]
    fn days_are_those_of_the_zone_and_the_last_one_counts() {
        let dates = [("range", "dates"), ("from", "2026-10-25"), ("to", "2026-10-25")];
        let span = parse(&dates).expect("query").span;
        // The day on which clocks go back has 25 hours.
        assert_eq!((span.from, span.to), (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")));
        assert!(span.contains(span.from) && !span.contains(span.to));
    }

    #[test]
    fn a_view_has_at_most_93_days() {
        let view = |from, to| parse(&[("range", "dates"), ("from", from), ("to", to)]);
        view("2026-08-30", "2026-11-30").expect("93 days");
        let problem = view("2026-08-29", "2026-11-30").expect_err("94 days");
        assert_eq!(problem, ["from: the view is too long; choose at most 93 days"]);
        assert_eq!(
            view("2026-11-30", "2026-11-29").expect_err("backwards"),
            ["to: it is before the first day; give the same day or a later one"]
        );
        assert!(view("9999-12-31", "9999-12-31").is_err());
    }

    #[test]
    fn filters_are_read_as_they_are_meant() {
        let user = |text| parse(&[("user", text)]).expect("query").filter.user.expect("user");
        assert_eq!(user("ana@acme.example"), Wanted::Exact("ana@acme.example".into()));
        assert_eq!(user("ana"), Wanted::Prefix("ana".into()));
        assert_eq!(user(" ana@ac* "), Wanted::Prefix("ana@ac".into()));
        let ip = |text| parse(&[("ip", text)]).map(|query| query.filter.ip.expect("ip"));
        assert_eq!(ip("203.0.113.7"), Ok(Wanted::Exact("203.0.113.7".into())));
        assert_eq!(ip("203.0.113.0/24"), Ok(Wanted::Prefix("203.0.113.".into())));
        assert_eq!(ip("10.0.0.0/8"), Ok(Wanted::Prefix("10.".into())));
        assert_eq!(ip("2001:db8:*"), Ok(Wanted::Prefix("2001:db8:".into())));
        for wrong in ["203.0.113.0/23", "here", "*", "203.0.113.0/", "2001:db8::/32"] {
            assert!(ip(wrong).expect_err(wrong)[0].starts_with("ip: it is no address and no net"));
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let long = "x".repeat(MAX_TEXT_CHARS + 1);
        let problems = refused(&[
            ("range", "dates"),
            ("from", "yesterday"),
            ("user", &long),
            ("q", "a\0b"),
            ("rows", "21"),
            ("older", "1_1"),
            ("newer", "1_1"),
        ]);
        let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(fields, ["from", "user", "q", "rows", "older"]);
        assert_eq!(refused(&[("range", "1y")]).len(), 1);
        assert_eq!(refused(&[("range", "dates"), ("to", "2026-11-30")]).len(), 1);
    }

    #[test]
    fn a_form_that_is_sent_again_is_the_same() {
        let given = [("range", "7d"), ("user", "ana"), ("q", "a b"), ("rows", "50")];
        let raw = RawQuery::of(given);
        assert_eq!(raw.parameters().collect::<Vec<_>>(), given);
    }
}
