//! The PostgreSQL cluster in which `audit_log` lives, and those in which it lived before.
//!
//! A transaction's number is its id in the cluster, and the cluster's shift. So numbers go on where
//! the table has moved to a cluster whose ids are lower, and what was captured before still holds.

use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};

use crate::base::database::Session;
use crate::source::{Result, WAITING_LIMIT};

/// Tells which cluster answers, and what a [`Home`] knows of it.
pub(super) const HOME: &str = "(SELECT system_identifier::text FROM pg_control_system()) AS cluster, \
    (SELECT jsonb_agg(jsonb_build_array(cluster, label, shift) ORDER BY number) FROM auditferry_cluster) AS homes";

/// A row of `auditferry_cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Known {
    /// The cluster's system identifier.
    cluster: String,
    /// What bounds carry that were captured in it.
    label: String,
    /// What is added to the ids of its transactions.
    shift: u64,
}

impl Known {
    pub(super) fn label(&self) -> &str {
        &self.label
    }
}

/// The cluster that answers, and those in which the table has lived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    /// The system identifier of the one that answers.
    pub(super) cluster: String,
    /// The oldest first; none: the table was never moved.
    pub(super) known: Vec<Known>,
}

impl Home {
    /// What a row of [`HOME`] tells.
    pub(super) fn of(row: &PgRow) -> Result<Self> {
        let known = row.try_get::<Option<Json<Vec<Known>>>, _>("homes")?;
        Ok(Self { cluster: row.try_get("cluster")?, known: known.map(|known| known.0).unwrap_or_default() })
    }

    /// Whether the table lives here, as far as it knows: else it is a copy that nobody has adopted.
    pub(super) fn is_here(&self) -> bool {
        self.known.last().is_none_or(|newest| newest.cluster == self.cluster)
    }

    /// What a bound carries that is captured now.
    pub(super) fn label(&self) -> String {
        match self.known.last() {
            None => self.cluster.clone(),
            Some(newest) if newest.cluster == self.cluster => newest.label.clone(),
            // Never that of an earlier life here: its numbers were others.
            Some(_) => format!("{}.{}u", self.cluster, self.known.len()),
        }
    }

    /// What is added to the ids of transactions.
    pub(super) fn shift(&self) -> u64 {
        self.known.last().map_or(0, |newest| newest.shift)
    }

    /// Whether bounds of a label still hold here.
    pub(super) fn recognises(&self, label: &str) -> bool {
        if self.known.is_empty() { self.cluster == label } else { self.is_here() && self.has(label) }
    }

    /// Whether the table has lived in a cluster of that label.
    pub(super) fn has(&self, label: &str) -> bool {
        self.known.iter().any(|known| known.label == label)
    }
}

pub(super) async fn ask(tx: &mut Session) -> Result<Home> {
    Home::of(&sqlx::query(AssertSqlSafe(format!("SELECT {HOME}"))).fetch_one(&mut *tx).await?)
}

/// How many records have numbers that no transaction here can have had, at most [`WAITING_LIMIT`], and the
/// next number. Each account's are found by the index.
pub(super) async fn ids_to_come(tx: &mut Session, shift: u64) -> Result<(i64, i64)> {
    // Of the snapshot in which the records are seen.
    let next = format!("(SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + {shift})");
    let ahead = format!(
        "WITH RECURSIVE account (id) AS (SELECT min(account_id) FROM audit_log UNION ALL SELECT (SELECT \
         min(account_id) FROM audit_log WHERE account_id > account.id) FROM account WHERE id IS NOT NULL) \
         SELECT count(*) AS records, {next} AS next FROM (SELECT FROM account, LATERAL (SELECT FROM audit_log WHERE \
         account_id = account.id AND tx >= (SELECT {next}::text::xid8) LIMIT {WAITING_LIMIT}) AS record \
         LIMIT {WAITING_LIMIT}) AS ahead"
    );
    let row = sqlx::query(AssertSqlSafe(ahead)).fetch_one(&mut *tx).await?;
    Ok((row.try_get("records")?, row.try_get("next")?))
}

/// What a person should know: that the table is a copy which nobody has adopted, and records whose
/// numbers no transaction here can have had.
pub(super) async fn advice(tx: &mut Session) -> Result<Vec<String>> {
    let mut advice = Vec::new();
    let home = ask(tx).await?;
    if let Some(newest) = home.known.last().filter(|_| !home.is_here()) {
        advice.push(format!(
            "audit_log was moved from the PostgreSQL cluster {} to {}, and nothing is exported; run `auditferry \
             source adopt`",
            newest.cluster, home.cluster
        ));
    }
    let (records, next) = ids_to_come(tx, home.shift()).await?;
    if records > 0 {
        let more = if records >= i64::from(WAITING_LIMIT) { " or more" } else { "" };
        advice.push(format!(
            "{records}{more} records have transaction ids that this PostgreSQL cluster has not given yet ({next} is the \
             next): they came from another one, by a restored dump or a replication without our trigger. They are \
             not exported before these ids are reached; run `auditferry source adopt`"
        ));
    }
    Ok(advice)
}

/// A snapshot's text with a cluster's shift added to each of its ids.
pub(super) fn shifted(snapshot: &str, shift: u64) -> Option<String> {
    let add = |id: &str| Some(id.parse::<u64>().ok()?.checked_add(shift)?.to_string());
    let mut parts = snapshot.splitn(3, ':');
    let (begin, end, open) = (add(parts.next()?)?, add(parts.next()?)?, parts.next()?);
    let open: Option<Vec<String>> = open.split(',').filter(|id| !id.is_empty()).map(add).collect();
    Some(format!("{begin}:{end}:{}", open?.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(cluster: &str, known: &[(&str, &str, u64)]) -> Home {
        let known = known.iter().map(|(cluster, label, shift)| Known {
            cluster: (*cluster).to_owned(),
            label: (*label).to_owned(),
            shift: *shift,
        });
        Home { cluster: cluster.to_owned(), known: known.collect() }
    }

    #[test]
    fn bounds_hold_where_the_table_lives() {
        let never_moved = home("7", &[]);
        assert!(never_moved.recognises("7") && !never_moved.recognises("8"));
        assert_eq!((never_moved.label().as_str(), never_moved.shift()), ("7", 0));
        let adopted = home("8", &[("7", "7", 0), ("8", "8.2", 100)]);
        assert!(adopted.recognises("7") && adopted.recognises("8.2"));
        assert!(!adopted.recognises("8"), "captured before the ids were shifted");
        assert_eq!((adopted.label().as_str(), adopted.shift()), ("8.2", 100));
    }

    #[test]
    fn a_copy_that_nobody_has_adopted_recognises_nothing() {
        for cluster in ["7", "9"] {
            let copy = home(cluster, &[("7", "7", 0), ("8", "8.2", 100)]);
            assert!(!copy.is_here() && !copy.recognises("7") && !copy.recognises("8.2"), "{cluster}");
            assert!(!copy.has(&copy.label()), "no label of an earlier life: {}", copy.label());
        }
    }

    #[test]
    fn a_snapshot_is_shifted_as_a_whole() {
        assert_eq!(shifted("10:20:12,15", 100).as_deref(), Some("110:120:112,115"));
        assert_eq!(shifted("10:10:", 0).as_deref(), Some("10:10:"));
        assert_eq!(shifted("10", 1), None);
        assert_eq!(shifted("10:20:x", 1), None);
    }
}
