//! Rows of a vendor's table as records, and where a reader stands.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::base::sql_time::SqlTime;
use crate::source::{Result, SourceError};
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::record::{Record, allowed_instants};

/// A cursor is `MICROSECONDS:KEY` of the last row that was read.
pub(super) fn parse_cursor(cursor: &Cursor) -> Result<(SqlTime, String)> {
    let foreign = || SourceError::Foreign(cursor.0.clone());
    let (at, key) = cursor.0.split_once(':').ok_or_else(foreign)?;
    let at =
        at.parse().ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).ok_or_else(foreign)?;
    Ok((SqlTime(at), key.to_owned()))
}

/// `time`: the name of the column.
pub(super) fn record(row: &PgRow, time: &str) -> Result<(Cursor, Record)> {
    let key: String = row.try_get("key")?;
    let bad = || SourceError::BadRecord {
        key: key.clone(),
        problem: format!("its {time} is infinity, or not within the years 1 to 9999"),
    };
    let SqlTime(occurred_at) = row.try_get("at").map_err(|_| bad())?;
    if !allowed_instants().contains(&occurred_at) {
        return Err(bad());
    }
    let record = Record {
        occurred_at,
        email: row.try_get("email")?,
        action: row.try_get("action")?,
        action_id: row.try_get("action_id")?,
        description: row.try_get("description")?,
        ip_address: row.try_get("ip_address")?,
    };
    Ok((Cursor(format!("{}:{key}", occurred_at.as_microsecond())), record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let (at, key) = parse_cursor(&Cursor("-5:a:b".into())).expect("parses");
        assert_eq!((at.0.as_microsecond(), key.as_str()), (-5, "a:b"));
        assert!(parse_cursor(&Cursor("7".into())).is_err());
    }
}
