//! The marks of bounds: rows that each capture leaves behind, and that a source which has gone
//! back does not have.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use super::home::{HOME, Home};
use crate::source::{Result, SourceError, mark_is_gone, without_mark};
use auditferry_core::model::bound::{Bound, Mark};

/// The places of those marks in `$1`, a [`Marks::wanted`], that are there. `OFFSET 0`: each is
/// looked up, and never are all marks read for a few.
pub(super) const THERE: &str = "ARRAY(SELECT place FROM ROWS FROM (jsonb_to_recordset($1) AS (ledger text, \
    number bigint)) WITH ORDINALITY AS wanted (ledger, number, place) WHERE EXISTS (SELECT 1 FROM auditferry_mark \
    AS mark WHERE mark.ledger = wanted.ledger AND mark.number = wanted.number OFFSET 0))";

/// Tells which marks are there, and which cluster answers.
pub(super) fn seen() -> String {
    format!("{HOME}, {THERE} AS there")
}

/// What some bounds were captured with.
#[derive(Default)]
pub(super) struct Marks<'b>(Vec<Stamp<'b>>);

#[derive(Clone, PartialEq, Eq)]
struct Stamp<'b> {
    text: &'b str,
    label: &'b str,
    /// On a standby none is left.
    mark: Option<Mark>,
}

#[derive(Serialize)]
pub(super) struct Wanted<'m> {
    ledger: &'m str,
    number: i64,
}

impl<'b> Marks<'b> {
    pub(super) fn of(bounds: impl IntoIterator<Item = &'b Bound>) -> Result<Self> {
        let mut marks = Self::default();
        for bound in bounds {
            let (_, Some(text)) = without_mark(bound) else { continue };
            let (text, label) = text.split_once('@').ok_or_else(|| SourceError::Foreign(bound.0.clone()))?;
            marks.0.push(Stamp { text, label, mark: Mark::parse(text) });
        }
        Ok(marks)
    }

    /// Those of several sets, each once.
    pub(super) fn all<'m>(sets: impl IntoIterator<Item = &'m Self>) -> Self
    where
        'b: 'm,
    {
        let mut all = Self::default();
        for stamp in sets.into_iter().flat_map(|marks| &marks.0) {
            if !all.0.contains(stamp) {
                all.0.push(stamp.clone());
            }
        }
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameter of [`THERE`].
    pub(super) fn wanted(&self) -> Json<Vec<Wanted<'_>>> {
        let number = |mark: &Mark| i64::try_from(mark.number).unwrap_or(i64::MAX);
        Json(self.left().map(|mark| Wanted { ledger: &mark.ledger, number: number(mark) }).collect())
    }

    /// What a row of [`seen`] tells of them.
    pub(super) fn seen(&self, row: &PgRow) -> Result<Seen<'_>> {
        Ok(Seen { home: Home::of(row)?, there: self.there(row)? })
    }

    /// Those that are there, by a row that has [`THERE`].
    pub(super) fn there(&self, row: &PgRow) -> Result<There<'_>> {
        let places: Vec<i64> = row.try_get("there")?;
        let place = |(place, mark)| places.contains(&place).then_some(mark);
        Ok(There((1..).zip(self.left()).filter_map(place).collect()))
    }

    fn left(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter().filter_map(|stamp| stamp.mark.as_ref())
    }
}

/// Marks that are there.
pub(super) struct There<'m>(Vec<&'m Mark>);

impl There<'_> {
    /// Whether the mark of a bound is there.
    pub(super) fn has(&self, bound: &Bound) -> bool {
        let text = without_mark(bound).1.and_then(|text| text.split_once('@'));
        text.and_then(|(mark, _)| Mark::parse(mark)).is_some_and(|mark| self.0.contains(&&mark))
    }
}

/// The cluster that answered, and marks that are there.
pub(super) struct Seen<'m> {
    home: Home,
    there: There<'m>,
}

impl Seen<'_> {
    /// That nothing has gone back behind the bounds of these marks.
    pub(super) fn recognise(&self, marks: &Marks<'_>) -> Result<()> {
        for Stamp { text, label, mark } in &marks.0 {
            if !self.home.recognises(label) {
                return Err(SourceError::Rewound(format!(
                    "it is the PostgreSQL cluster {}, and records were exported from cluster {}: it was upgraded, \
                     restored from a dump, or source.url was changed. If it is the audit_log that was moved, run \
                     `auditferry source adopt`",
                    self.home.cluster,
                    label.split('.').next().unwrap_or(label)
                )));
            }
            if mark.as_ref().is_some_and(|mark| !self.there.0.contains(&mark)) {
                return Err(mark_is_gone(text));
            }
        }
        Ok(())
    }
}
