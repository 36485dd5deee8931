//! The form of a new download.

use jiff::{SignedDuration, Timestamp};

use super::super::Portal;
use super::super::logs::{LogsAddress, Problems, Words as LogWords, Zone, chips};
use super::super::visitor::Visitor;
use super::can_mail;
use super::words::Words;
use crate::http::api::problem::Problem;
use crate::http::pages::words::{Language, number};
use crate::operations::admin::AdminError;
use crate::operations::records::Counted;
use auditferry_core::model::download::{FileFormat, Wish};
use auditferry_core::model::record_query::{Field, RawQuery};

/// The names under which the filters of a view are sent on.
const VIEW: [&str; 9] = ["range", "from", "to", "user", "action", "id", "ip", "q", "zone"];

/// The dialog, as it is shown.
pub(super) struct Dialog {
    pub(super) name: String,
    /// The filters of the view, which are sent on; none: there is no view.
    pub(super) view: Option<View>,
    /// Whether the view is chosen, and not all records.
    pub(super) of_view: bool,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) formats: Vec<(&'static str, &'static str, String, bool)>,
    /// Whether a mail is wished for, and to whom it would go; none: there is no mail server.
    pub(super) mail: Option<(bool, String)>,
    /// What is wrong: the field and the sentence.
    pub(super) problems: Vec<(String, String)>,
}

/// The view of which a download is made.
pub(super) struct View {
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) words: String,
    pub(super) count: Option<String>,
}

/// Whether a mail is wished for, and to whom it would go.
fn mail(portal: &Portal, visitor: &Visitor, wished: bool) -> Option<(bool, String)> {
    can_mail(portal).then(|| (wished, visitor.actor().email.clone()))
}

pub(super) fn formats(w: Words, chosen: FileFormat) -> Vec<(&'static str, &'static str, String, bool)> {
    FileFormat::ALL
        .into_iter()
        .map(|format| {
            let (label, hint) = match format {
                FileFormat::Csv => ("CSV", w.csv_hint()),
                FileFormat::Json => ("JSON", w.json_hint()),
                FileFormat::Ndjson => ("NDJSON", w.ndjson_hint()),
            };
            (format.as_str(), label, hint, format == chosen)
        })
        .collect()
}

/// The filters of a view, in words.
fn words_of(language: Language, raw: &RawQuery) -> String {
    let chips = chips(LogWords(language), raw, |_| None);
    chips.into_iter().map(|chip| chip.label).collect::<Vec<_>>().join(", ")
}

impl Dialog {
    /// As it is opened. `kind`: of a view, or of all records.
    pub(super) async fn asked(portal: &Portal, visitor: &Visitor, kind: &str) -> Result<Self, Problem> {
        let api = &portal.sign_in.api;
        let language = visitor.frame.language;
        let w = Words(language);
        let account = api.admin.ledger.account(visitor.account()).await.map_err(AdminError::from)?;
        let at = LogsAddress::of(visitor);
        let zone = Zone::of(&api.admin.zones, &account.zone, at.zone.as_deref())?;
        let now = api.admin.clock.now();
        let day = |at: Timestamp| at.to_zoned(zone.rules().clone()).date().to_string();
        let month = now.saturating_sub(SignedDuration::from_hours(29 * 24)).unwrap_or(now);
        let parsed = at.raw.parse(now, zone.rules()).ok().filter(|_| kind == "view");
        let view = match &parsed {
            None => None,
            Some(query) => {
                let count = match api.records.count(visitor.account(), query.span, &query.filter).await? {
                    Counted::Exactly(count) => Some(w.count(&number(language, count))),
                    Counted::MoreThan(count) => Some(w.more_than(&number(language, count))),
                    Counted::Unknown => None,
                };
                let zone = at.zone.as_deref().map(|zone| ("zone", zone));
                let hidden = at.raw.parameters().filter(|(name, _)| *name != "rows").chain(zone);
                let hidden = hidden.map(|(name, value)| (name, value.to_owned())).collect();
                Some(View { hidden, words: words_of(language, &at.raw), count })
            }
        };
        let from = parsed.as_ref().map_or(month, |query| query.span.from);
        let format =
            visitor.asked("format").and_then(|word| FileFormat::parse(&word)).unwrap_or(FileFormat::Csv);
        Ok(Self {
            name: w.default_name(&day(now)),
            of_view: view.is_some(),
            view,
            from: day(from),
            to: day(now),
            formats: formats(w, format),
            mail: mail(portal, visitor, false),
            problems: Vec::new(),
        })
    }

    /// As it was sent, with what is wrong.
    pub(super) fn again(portal: &Portal, visitor: &Visitor, problems: Vec<(&str, String)>) -> Self {
        let (language, form) = (visitor.frame.language, &visitor.form);
        let w = Words(language);
        let sent = VIEW.into_iter().map(|name| (name, form.text(name).to_owned()));
        let hidden: Vec<_> = sent.filter(|(_, value)| !value.is_empty()).collect();
        let raw = RawQuery::of(hidden.iter().map(|(name, value)| (*name, value.as_str())));
        let view = form.ticked("view").then(|| View { words: words_of(language, &raw), hidden, count: None });
        Self {
            name: form.text("name").to_owned(),
            of_view: view.is_some() && form.text("records") != "all",
            view,
            from: form.text("all_from").to_owned(),
            to: form.text("all_to").to_owned(),
            formats: formats(w, FileFormat::parse(form.text("format")).unwrap_or(FileFormat::Csv)),
            mail: mail(portal, visitor, form.ticked("mail")),
            problems: problems.into_iter().map(|(field, words)| (field.to_owned(), words)).collect(),
        }
    }

    /// What is wrong with a field.
    pub(super) fn wrong(&self, field: &str) -> Option<&String> {
        self.problems.iter().find(|(name, _)| name == field).map(|(_, words)| words)
    }
}

/// What is wished for, or what is wrong with it.
type Wished = Result<(String, Wish), Vec<(&'static str, String)>>;

/// What a form wishes for.
pub(super) async fn wish(portal: &Portal, visitor: &Visitor) -> Result<Wished, Problem> {
    let api = &portal.sign_in.api;
    let form = &visitor.form;
    let w = Words(visitor.frame.language);
    let account = api.admin.ledger.account(visitor.account()).await.map_err(AdminError::from)?;
    let of_view = form.ticked("view") && form.text("records") != "all";
    let raw = if of_view {
        RawQuery::of(VIEW.into_iter().map(|name| (name, form.text(name))))
    } else {
        RawQuery::of([("range", "dates"), ("from", form.text("all_from")), ("to", form.text("all_to"))])
    };
    let named = Some(form.text("zone")).filter(|zone| of_view && !zone.is_empty());
    let zone = Zone::of(&api.admin.zones, &account.zone, named)?;
    let now = api.admin.clock.now();
    let mut problems: Vec<(&'static str, String)> = Vec::new();
    let format = FileFormat::parse(form.text("format"));
    if format.is_none() {
        problems.push(("format", w.wrong_format()));
    }
    let sentences = Problems(visitor.frame.language);
    let query = raw.parse(now, zone.rules()).map_err(|found| {
        problems.extend(found.iter().map(|found| {
            let field = match found.field {
                Field::From if !of_view => "all_from",
                Field::To if !of_view => "all_to",
                _ => "name",
            };
            (field, sentences.of(found.problem))
        }));
    });
    match (query, format) {
        (Ok(query), Some(format)) => {
            let mut span = query.span;
            // What is asked for now ends now.
            span.to = span.to.min(now);
            let wish = Wish { span, filter: query.filter, zone: account.zone, format };
            Ok(Ok((form.text("name").to_owned(), wish)))
        }
        _ => Ok(Err(problems)),
    }
}
