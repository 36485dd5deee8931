//! The filters: what was typed, what of it is wrong, and what is active.

use jiff::{SignedDuration, Timestamp};

use super::address::{LogsAddress, Zone};
use super::words::{Problems, Words};
use auditferry_core::model::record_query::{Field, FieldProblem, PRESETS, RawQuery, RecordQuery, TimeSpan};

/// The form of the filters.
pub(super) struct Filters {
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) ranges: Vec<(&'static str, String, bool)>,
    pub(super) fields: Vec<FilterField>,
    pub(super) chips: Vec<Chip>,
    pub(super) cleared: String,
    /// What is wrong: the field and the sentence.
    pub(super) problems: Vec<(&'static str, String, String)>,
    pub(super) problems_title: String,
    /// How long records are kept.
    pub(super) kept: Option<String>,
}

/// A field of the form, besides the range.
pub(super) struct FilterField {
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) kind: &'static str,
    pub(super) value: String,
    pub(super) hint: String,
    pub(super) wrong: Option<String>,
}

/// A filter that is active.
pub(in crate::http::portal) struct Chip {
    pub(in crate::http::portal) label: String,
    /// The page without it; none: it cannot be taken away.
    pub(in crate::http::portal) without: Option<String>,
}

/// The words of a range that ends now.
fn preset_words(w: Words, word: &str) -> String {
    match word {
        "24h" => w.last_24h(),
        "7d" => w.last_7d(),
        "30d" => w.last_30d(),
        "93d" => w.last_93d(),
        _ => w.dates(),
    }
}

/// The range of a query, in words.
fn range_words(w: Words, raw: &RawQuery) -> String {
    if raw.has_dates() {
        let both = !raw.from.is_empty() && !raw.to.is_empty();
        return if both { w.spans(&raw.from, &raw.to) } else { w.dates() };
    }
    preset_words(w, if raw.range.is_empty() { PRESETS[0].word } else { &raw.range })
}

/// The filters that are active, in words. `without`: the page without one of them.
pub(in crate::http::portal) fn chips(
    w: Words,
    raw: &RawQuery,
    without: impl Fn(&'static str) -> Option<String>,
) -> Vec<Chip> {
    let mut chips = vec![Chip { label: w.date_chip(&range_words(w, raw)), without: None }];
    let named = [
        ("user", w.user(), &raw.user),
        ("action", w.action(), &raw.action),
        ("id", w.action_id(), &raw.id),
        ("ip", w.ip(), &raw.ip),
        ("q", w.text(), &raw.q),
    ];
    let active = named.into_iter().filter(|(_, _, value)| !value.is_empty());
    chips.extend(
        active
            .map(|(name, label, value)| Chip { label: format!("{label}: {value}"), without: without(name) }),
    );
    chips
}

/// The first and the last day of a span, as a calendar gives them.
fn days(span: TimeSpan, zone: &Zone, now: Timestamp) -> (String, String) {
    let day = |at: Timestamp| at.to_zoned(zone.rules().clone()).date().to_string();
    // The end is not in it.
    let end = span.to.min(now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now));
    let last = end.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(end);
    (day(span.from), day(last))
}

impl Filters {
    pub(super) fn new(
        w: Words,
        at: &LogsAddress,
        zone: &Zone,
        now: Timestamp,
        (parsed, retention): (Result<&RecordQuery, &Vec<FieldProblem>>, Option<SignedDuration>),
    ) -> Self {
        let raw = &at.raw;
        let sentences = Problems(w.0);
        let nothing = Vec::new();
        let wrong = parsed.err().unwrap_or(&nothing);
        let of = |field: Field| {
            wrong.iter().find(|found| found.field == field).map(|found| sentences.of(found.problem))
        };
        let (from, to) = match parsed {
            Ok(query) => days(query.span, zone, now),
            Err(_) => (raw.from.clone(), raw.to.clone()),
        };
        let chosen = match raw.range.as_str() {
            _ if raw.has_dates() => "dates",
            "" => PRESETS[0].word,
            word => word,
        };
        let presets = PRESETS.iter().map(|preset| preset.word).chain(["dates"]);
        let ranges = presets.map(|word| (word, preset_words(w, word), word == chosen)).collect();
        let field = |name, label: String, value: &str, field: Field| FilterField {
            name,
            label,
            kind: "text",
            value: value.to_owned(),
            hint: String::new(),
            wrong: of(field),
        };
        let fields = vec![
            FilterField { kind: "date", ..field("from", w.from(), &from, Field::From) },
            FilterField { kind: "date", ..field("to", w.to(), &to, Field::To) },
            FilterField { hint: w.user_hint(), ..field("user", w.user(), &raw.user, Field::User) },
            field("action", w.action(), &raw.action, Field::Action),
            field("id", w.action_id(), &raw.id, Field::ActionId),
            FilterField { hint: w.ip_hint(), ..field("ip", w.ip(), &raw.ip, Field::Ip) },
            FilterField { kind: "search", hint: w.text_hint(), ..field("q", w.text(), &raw.q, Field::Text) },
        ];
        let label = |field: Field| {
            let shown = fields.iter().find(|shown| shown.name == field.name());
            match field {
                Field::Range => w.range(),
                Field::Rows => w.rows(),
                _ => shown.map_or_else(|| w.records(), |shown| shown.label.clone()),
            }
        };
        let problems: Vec<_> = wrong
            .iter()
            .map(|found| (found.field.name(), label(found.field), sentences.of(found.problem)))
            .collect();
        let kept = retention.map(|kept| kept.as_hours() / 24);
        Self {
            hidden: at.hidden(),
            ranges,
            problems_title: match problems.len() {
                1 => w.wrong_one(),
                count => w.wrong_title(count),
            },
            problems,
            chips: chips(w, raw, |name| Some(at.with_filter(name, ""))),
            cleared: at.cleared(),
            kept: kept.map(|days| match parsed {
                Ok(query) if now.duration_since(query.span.from).as_hours() / 24 > days => w.kept_since(days),
                _ => w.kept(days),
            }),
            fields,
        }
    }

    /// Whether something besides the range is filtered for.
    pub(super) fn any(&self) -> bool {
        self.chips.len() > 1
    }
}
