//! Which rows of an account a statement is about.

use jiff::Timestamp;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::node::Node;
use super::point::Point;
use crate::base::sql_time::SqlTime;
use crate::source::Result;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::RecordSet;

/// Which rows of an account.
pub(super) struct Rows<'s> {
    /// Not those up to here; none: from the first.
    pub(super) after: Option<&'s Point>,
    /// Up to here; none: all that are visible.
    pub(super) up_to: Option<&'s Point>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) ahead: Option<(&'s Point, Timestamp)>,
}

impl<'s> Rows<'s> {
    pub(super) fn between(after: Option<&'s Point>, up_to: &'s Point) -> Self {
        Self { after, up_to: Some(up_to), since: None, until: None, ahead: None }
    }

    /// What is watched below a point.
    pub(super) fn below(point: &'s Point) -> Self {
        Self { since: Some(point.deep), ..Self::between(None, point) }
    }

    pub(super) fn bind<'q>(
        &self,
        query: Query<'q, Postgres, PgArguments>,
        account: &'q AccountId,
        node: &Node,
    ) -> Query<'q, Postgres, PgArguments> {
        let floor = |point: Option<&Point>| point.map(|point| SqlTime(point.floor));
        let horizon = |point: Option<&Point>| point.map(|point| point.horizon);
        let ahead = self.ahead.map(|(point, _)| point);
        query
            .bind(account.as_str())
            .bind(node.top)
            .bind(floor(self.after))
            .bind(horizon(self.after))
            .bind(floor(self.up_to))
            .bind(horizon(self.up_to))
            .bind(self.since.map(SqlTime))
            .bind(self.until.map(SqlTime))
            .bind(floor(ahead))
            .bind(horizon(ahead))
            .bind(self.ahead.map(|(_, before)| SqlTime(before)))
    }
}

/// A record set, read from its bounds.
pub(super) struct Set {
    pub(super) lo: Option<Point>,
    pub(super) hi: Option<Point>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) ahead: Option<(Point, Timestamp)>,
}

impl Set {
    pub(super) fn of(set: &RecordSet) -> Result<Self> {
        let ahead = match &set.ahead {
            Some(ahead) => Point::parse(&ahead.bound)?.map(|point| (point, ahead.before)),
            None => None,
        };
        let (lo, hi) = (Point::parse(&set.lo)?, Point::parse(&set.hi)?);
        Ok(Self { lo, hi, since: set.since, until: set.until, ahead })
    }

    pub(super) fn rows(&self) -> Rows<'_> {
        Rows {
            after: self.lo.as_ref(),
            up_to: self.hi.as_ref(),
            since: self.since,
            until: self.until,
            ahead: self.ahead.as_ref().map(|(point, before)| (point, *before)),
        }
    }
}
