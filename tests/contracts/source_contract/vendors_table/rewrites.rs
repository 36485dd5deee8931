//! What an operator does to a table with rows that were exported: harmless, or held.

use std::time::Duration;

use auditferry::source::{Result, SourceError};
use auditferry_core::model::bound::{Bound, Watermark};

use super::commits::NONE;
use crate::source_contract::bed::{Bed, between, id};
use crate::source_contract::counting::watermark;
use crate::support::{run, vendor};

const LOOKBACK: Duration = Duration::from_secs(3600);

/// A row of `acme` that occurred that long ago.
fn insert(name: &str, ago: &str) -> String {
    format!(
        "INSERT INTO audit_log (account_id, occurred_at, email, action) \
         VALUES ('acme', now() - interval '{ago}', '{name}', 'x')"
    )
}

impl Bed {
    async fn hour() -> Self {
        Self::table_on(vendor::cluster(), LOOKBACK).await
    }

    async fn does(&self, statement: &str) {
        let mut application = self.application().await;
        application.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    async fn pin(&self, after: &Watermark) -> Result<Bound> {
        self.source.pin(&id("acme"), Some(after), &self.capture().await).await
    }
}

/// A table of which `a`, `b` and `c` were delivered, of another account and of long ago too.
async fn delivered() -> (Bed, Watermark) {
    let bed = Bed::hour().await;
    bed.does("INSERT INTO audit_log (account_id, email, action) VALUES ('other', 'other', 'x')").await;
    bed.does(&insert("old", "10 hours")).await;
    for name in ["a", "b", "c"] {
        bed.does(&insert(name, "1 second")).await;
    }
    let beginning = watermark(bed.source.beginning());
    let hi = bed.pin(&beginning).await.unwrap();
    assert_eq!(bed.names(&between(&beginning.bound, &hi)).await, ["old", "a", "b", "c"]);
    (bed, watermark(hi))
}

async fn is_harmless(statements: &[&str]) {
    let (bed, at) = delivered().await;
    for statement in statements {
        bed.does(statement).await;
    }
    bed.does(&insert("d", "0 seconds")).await;
    bed.source.recognise(&id("acme"), &at.bound).await.unwrap();
    let hi = bed.pin(&at).await.unwrap();
    assert_eq!(bed.names(&between(&at.bound, &hi)).await, ["d"], "{statements:?}");
}

async fn is_held(statements: &[&str], says: &str) {
    let (bed, at) = delivered().await;
    for statement in statements {
        bed.does(statement).await;
    }
    for error in [
        bed.pin(&at).await.expect_err("a changed row is noticed"),
        bed.source.recognise(&id("acme"), &at.bound).await.expect_err("a changed row is noticed"),
    ] {
        assert!(matches!(&error, SourceError::Rewritten(found) if found.contains(says)), "{error}");
    }
    // Another account has nothing to do with it.
    let other = Watermark { bound: bed.source.beginning(), ..at };
    bed.source.pin(&id("other"), Some(&other), &bed.capture().await).await.unwrap();
}

#[test]
fn vacuum_full_is_harmless() {
    run(is_harmless(&["VACUUM FULL audit_log"]));
}

#[test]
fn vacuum_freeze_is_harmless() {
    run(is_harmless(&["VACUUM FREEZE audit_log", "VACUUM FULL audit_log", "VACUUM FREEZE audit_log"]));
}

#[test]
fn cluster_is_harmless() {
    run(is_harmless(&["CLUSTER audit_log USING audit_log_pkey", "REINDEX TABLE audit_log"]));
}

#[test]
fn a_column_that_rewrites_nothing_is_harmless() {
    run(is_harmless(&["ALTER TABLE audit_log ADD COLUMN host text DEFAULT 'x'", "ANALYZE audit_log"]));
}

#[test]
fn locks_and_what_is_rolled_back_are_harmless() {
    run(is_harmless(&[
        "BEGIN; SELECT * FROM audit_log FOR UPDATE; COMMIT",
        "BEGIN; UPDATE audit_log SET action = 'y'; ROLLBACK",
        "BEGIN; DELETE FROM audit_log; ROLLBACK",
    ]));
}

#[test]
fn other_accounts_and_retention_are_harmless() {
    run(is_harmless(&[
        "UPDATE audit_log SET action = 'y' WHERE account_id = 'other'",
        "DELETE FROM audit_log WHERE occurred_at < now() - interval '2 hours'",
    ]));
}

#[test]
fn an_update_of_what_is_older_than_is_looked_at_exports_nothing_twice() {
    run(is_harmless(&["UPDATE audit_log SET action = 'y' WHERE email = 'old'"]));
}

#[test]
fn an_alter_that_rewrites_the_table_is_held() {
    run(is_held(
        &["ALTER TABLE audit_log ALTER COLUMN action TYPE varchar(50)"],
        "3 were there, and now 0 are",
    ));
}

#[test]
fn a_bulk_update_is_held() {
    run(is_held(&["UPDATE audit_log SET action = upper(action)"], "3 were there, and now 0 are"));
}

#[test]
fn an_update_of_one_row_is_held() {
    run(is_held(&["UPDATE audit_log SET action = 'y' WHERE email = 'b'"], "3 were there, and now 2 are"));
}

#[test]
fn a_row_that_moves_to_another_account_is_held() {
    run(is_held(&["UPDATE audit_log SET account_id = 'other' WHERE email = 'b'"], "now 2 are"));
}

#[test]
fn a_deleted_row_is_held() {
    run(is_held(&["DELETE FROM audit_log WHERE email = 'b'"], "3 were there, and now 2 are"));
}

#[test]
fn a_truncated_table_is_held() {
    run(is_held(&["TRUNCATE audit_log"], "3 were there, and now 0 are"));
}

/// Later than the lookback allows: it would never be exported.
#[test]
fn a_row_that_comes_too_late_is_held() {
    run(is_held(&[&insert("late", "90 minutes")], "3 were there, and now 4 are"));
}

/// One is gone and another has come: the number is the same.
#[test]
fn a_row_in_the_place_of_another_is_held() {
    let late = insert("late", "90 minutes");
    run(is_held(&["DELETE FROM audit_log WHERE email = 'b'", &late], "and now 3 are, but not the same"));
}

/// A window of three rows that is planned and not read.
async fn planned() -> (Bed, Watermark, Bound) {
    let (bed, at) = delivered().await;
    for name in ["d", "e", "f"] {
        bed.does(&insert(name, "0 seconds")).await;
    }
    let hi = bed.pin(&at).await.unwrap();
    (bed, at, hi)
}

/// The page that ends a window saw the rows for which it was planned, or it is not given.
#[test]
fn a_row_that_changes_while_its_window_is_read_is_held() {
    run(async {
        for change in [
            "UPDATE audit_log SET action = 'y' WHERE email = 'd'",
            "UPDATE audit_log SET action = 'y' WHERE email = 'f'",
            "DELETE FROM audit_log WHERE email = 'f'",
            "ALTER TABLE audit_log ALTER COLUMN action TYPE varchar(50) USING left(action, 50)",
        ] {
            let (bed, at, hi) = planned().await;
            let set = between(&at.bound, &hi);
            let first = bed.source.read(&id("acme"), &set, None, 1).await.unwrap();
            assert_eq!(first[0].1.email, "d");
            bed.does(change).await;
            let rest = bed.source.read(&id("acme"), &set, Some(&first[0].0), 1000).await;
            assert!(matches!(rest, Err(SourceError::Rewritten(_))), "{change}: {rest:?}");
            let again = bed.source.recognise(&id("acme"), &hi).await;
            assert!(matches!(again, Err(SourceError::Rewritten(_))), "{change}: {again:?}");
        }
    });
}

#[test]
fn a_rewritten_table_does_not_make_a_window_empty() {
    run(async {
        let (bed, at, hi) = planned().await;
        bed.does("ALTER TABLE audit_log ALTER COLUMN action TYPE varchar(50)").await;
        let read = bed.source.read(&id("acme"), &between(&at.bound, &hi), None, 1000).await;
        assert!(matches!(read, Err(SourceError::Rewritten(_))), "{read:?}");
    });
}

/// A window of days is longer than what is looked at: its older rows come once, whatever
/// happens to them meanwhile.
#[test]
fn a_long_window_gives_no_row_twice() {
    run(async {
        let bed = Bed::hour().await;
        for hours in (1..10).rev() {
            bed.does(&insert(&format!("{hours}"), &format!("{hours} hours"))).await;
        }
        let at = watermark(bed.source.beginning());
        let hi = bed.pin(&at).await.unwrap();
        let set = between(&at.bound, &hi);
        let (mut cursor, mut names) = (None, Vec::new());
        let ended = loop {
            match bed.source.read(&id("acme"), &set, cursor.as_ref(), 1).await {
                Ok(page) if page.is_empty() => break Ok(()),
                Ok(page) => {
                    for (position, record) in page {
                        cursor = Some(position);
                        names.push(record.email);
                    }
                }
                Err(error) => break Err(error),
            }
            if names.len() == 3 {
                bed.does("UPDATE audit_log SET action = 'y'").await;
            }
        };
        assert!(matches!(ended, Err(SourceError::Rewritten(_))), "{ended:?}");
        let mut once = names.clone();
        once.dedup();
        assert_eq!(names, once);
        assert!(names.len() >= 3);
    });
}

#[test]
fn what_a_person_accepts_comes_again_and_the_account_goes_on() {
    run(async {
        let (bed, at) = delivered().await;
        bed.does("UPDATE audit_log SET action = 'y' WHERE email IN ('a', 'c')").await;
        bed.does(&insert("late", "90 minutes")).await;
        bed.does(&insert("new", "0 seconds")).await;
        bed.pin(&at).await.unwrap_err();
        let at = watermark(bed.source.forgive(&at.bound).unwrap());
        let hi = bed.pin(&at).await.unwrap();
        assert_eq!(bed.names(&between(&at.bound, &hi)).await, ["late", "a", "c", "new"]);
        let at = watermark(hi);
        let hi = bed.pin(&at).await.unwrap();
        assert_eq!(bed.names(&between(&at.bound, &hi)).await, NONE);
    });
}

/// What was there before the export began is not its business.
#[test]
fn rows_from_before_the_start_are_watched_too() {
    run(async {
        let bed = Bed::hour().await;
        bed.does(&insert("before", "1 minute")).await;
        let start = bed.source.pin(&id("acme"), None, &bed.capture().await).await.unwrap();
        bed.does("UPDATE audit_log SET action = 'y'").await;
        let error = bed.pin(&watermark(start)).await.unwrap_err();
        assert!(matches!(error, SourceError::Rewritten(_)), "{error}");
    });
}
