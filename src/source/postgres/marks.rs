//! The marks of bounds: rows that each capture leaves behind, and that a source which has gone
//! back does not have.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use crate::source::{Result, SourceError, mark_is_gone, without_mark};
use auditferry_core::model::window::{Bound, Mark};

/// Tells which of the marks in `$1`, a [`Marks::wanted`], are there, by their places. `OFFSET 0`:
/// each is looked up, and never are all marks read for a few.
pub(super) const SEEN: &str = "(SELECT system_identifier::text FROM pg_control_system()) AS cluster, \
    ARRAY(SELECT place FROM ROWS FROM (jsonb_to_recordset($1) AS (ledger text, number bigint)) \
    WITH ORDINALITY AS wanted (ledger, number, place) WHERE EXISTS (SELECT 1 FROM auditferry_mark AS mark \
    WHERE mark.ledger = wanted.ledger AND mark.number = wanted.number OFFSET 0)) AS there";

/// What some bounds were captured with.
#[derive(Default)]
pub(super) struct Marks<'b>(Vec<Stamp<'b>>);

#[derive(Clone, PartialEq, Eq)]
struct Stamp<'b> {
    text: &'b str,
    cluster: &'b str,
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
            let (text, cluster) =
                text.split_once('@').ok_or_else(|| SourceError::Foreign(bound.0.clone()))?;
            marks.0.push(Stamp { text, cluster, mark: Mark::parse(text) });
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

    /// The parameter of [`SEEN`].
    pub(super) fn wanted(&self) -> Json<Vec<Wanted<'_>>> {
        let number = |mark: &Mark| i64::try_from(mark.number).unwrap_or(i64::MAX);
        Json(self.left().map(|mark| Wanted { ledger: &mark.ledger, number: number(mark) }).collect())
    }

    /// What a row of [`SEEN`] tells of them.
    pub(super) fn seen(&self, row: &PgRow) -> Result<Seen<'_>> {
        let (cluster, places): (String, Vec<i64>) = (row.try_get("cluster")?, row.try_get("there")?);
        let place = |(place, mark)| places.contains(&place).then_some(mark);
        Ok(Seen { cluster, there: (1..).zip(self.left()).filter_map(place).collect() })
    }

    fn left(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter().filter_map(|stamp| stamp.mark.as_ref())
    }
}

/// The cluster that answered, and marks that are there.
pub(super) struct Seen<'m> {
    cluster: String,
    there: Vec<&'m Mark>,
}

impl Seen<'_> {
    /// That nothing has gone back behind the bounds of these marks.
    pub(super) fn recognise(&self, marks: &Marks<'_>) -> Result<()> {
        let now = &self.cluster;
        for Stamp { text, cluster, mark } in &marks.0 {
            if now != cluster {
                return Err(SourceError::Rewound(format!(
                    "it is the PostgreSQL cluster {now}, and records were exported from cluster {cluster}: \
                     it was restored from a dump, upgraded, or source.url was changed"
                )));
            }
            if mark.as_ref().is_some_and(|mark| !self.there.contains(&mark)) {
                return Err(mark_is_gone(text));
            }
        }
        Ok(())
    }
}
