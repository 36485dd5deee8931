//! Rows of our own table as records, and where they stand.

use super::reading::{Rows, malformed};
use crate::base::sql_time::SqlTime;
use crate::source::copy::Row;
use crate::source::{Result, SourceError, Taken, Taker};
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::record::{Record, RecordKey, RecordRef};

/// A record's columns, in the order in which [`record`] takes them.
pub(super) const COLUMNS: &str = "tx, seq, occurred_at, email, action, action_id, description, ip_address";

/// Where a record stands: a cursor is `tx:seq` of the last one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) tx: u64,
    pub(super) seq: i64,
}

impl Place {
    pub(super) fn of(cursor: &Cursor) -> Result<Self> {
        let parse = || {
            let (tx, seq) = cursor.0.split_once(':')?;
            Some(Self { tx: tx.parse().ok()?, seq: seq.parse().ok()? })
        };
        parse().ok_or_else(|| SourceError::Foreign(cursor.0.clone()))
    }

    pub(super) fn cursor(self) -> Cursor {
        Cursor(format!("{}:{}", self.tx, self.seq))
    }
}

/// A row that begins with [`COLUMNS`].
pub(super) fn record<'a, const N: usize>(row: &Row<'a, N>) -> Result<(Place, RecordRef<'a>)> {
    let place = Place { tx: row.unsigned(0).map_err(malformed)?, seq: row.bigint(1).map_err(malformed)? };
    let bad = |problem: String| SourceError::BadRecord { key: place.seq.to_string(), problem };
    let of_text = |error| bad(format!("{error}"));
    let occurred_at = SqlTime::from_postgres(row.bigint(2).map_err(malformed)?)
        .ok_or_else(|| bad("occurred_at is not an instant".to_owned()))?;
    let record = RecordRef {
        key: RecordKey::Number(place.seq),
        occurred_at: occurred_at.0,
        email: row.text(3).map_err(of_text)?,
        action: row.text(4).map_err(of_text)?,
        action_id: row.optional_text(5).map_err(of_text)?,
        description: row.text(6).map_err(of_text)?,
        ip_address: row.optional_text(7).map_err(of_text)?,
    };
    Ok((place, record))
}

/// A page that is collected.
pub(super) struct Page(pub(super) Vec<(Cursor, Record)>);

impl Rows<8> for Page {
    fn row(&mut self, row: &Row<'_, 8>) -> Result<Taken> {
        let (place, record) = record(row)?;
        self.0.push((place.cursor(), record.to_owned()));
        Ok(Taken::Yes)
    }

    async fn pause(&mut self) {}
}

/// Records that are handed over as they come.
pub(super) struct Handing<'t> {
    pub(super) taker: &'t mut dyn Taker,
    pub(super) last: Option<Place>,
}

impl Rows<8> for Handing<'_> {
    fn row(&mut self, row: &Row<'_, 8>) -> Result<Taken> {
        let (place, record) = record(row)?;
        let taken = self.taker.take(&record);
        if taken != Taken::No {
            self.last = Some(place);
        }
        Ok(taken)
    }

    async fn pause(&mut self) {
        self.taker.pause().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        assert_eq!(Place::of(&Cursor("7:9".into())).expect("parses"), Place { tx: 7, seq: 9 });
        assert!(Place::of(&Cursor("7".into())).is_err());
    }
}
