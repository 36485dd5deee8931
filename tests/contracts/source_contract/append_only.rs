//! What is in the log stays there, whoever holds the connection.

use crate::source_contract::bed::{Bed, record};
use crate::support::run;

impl Bed {
    /// That a statement is refused with these words, and changes nothing.
    async fn assert_refused(&self, sql: &str, words: &str) {
        let error = self.application().await.execute(sql).await.expect_err(sql).to_string();
        assert!(error.contains(words), "{sql}: {error}");
        assert_eq!(self.everything().await, [record("1"), record("2")], "{sql}");
    }
}

pub(crate) async fn records_are_not_changed(bed: Bed) {
    bed.insert(&[record("1"), record("2")]).await;
    for sql in [
        "UPDATE audit_log SET email = 'x' WHERE email = '1'",
        "UPDATE audit_log SET account_id = 'other'",
        "UPDATE audit_log SET description = description",
    ] {
        bed.assert_refused(sql, "append-only").await;
    }
}

pub(crate) async fn records_are_not_deleted(bed: Bed) {
    bed.insert(&[record("1"), record("2")]).await;
    bed.assert_refused("DELETE FROM audit_log", "append-only").await;
    bed.assert_refused("DELETE FROM audit_log WHERE email = '1'", "append-only").await;
    if bed.is_postgres() {
        bed.assert_refused("TRUNCATE audit_log", "append-only").await;
        bed.assert_refused("TRUNCATE audit_log RESTART IDENTITY CASCADE", "append-only").await;
    }
}

pub(crate) async fn an_account_id_must_be_one(bed: Bed) {
    let mut application = bed.application().await;
    application.insert("", &record("x")).await.unwrap_err();
    application.insert(&"x".repeat(201), &record("x")).await.unwrap_err();
    application.insert(&"é".repeat(101), &record("x")).await.unwrap_err();
    application.insert(&"é".repeat(100), &record("x")).await.unwrap();
}

/// On SQLite a row can also be replaced, and a chosen `seq` would break the order.
#[test]
fn nobody_chooses_a_place_on_sqlite() {
    run(async {
        let bed = Bed::sqlite().await;
        bed.insert(&[record("1"), record("2")]).await;
        for columns in ["seq", "rowid", "_rowid_", "oid"] {
            for verb in ["INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR ABORT"] {
                for seq in ["1", "100", "0"] {
                    let sql = format!(
                        "{verb} INTO audit_log ({columns}, account_id, email, action) \
                         VALUES ({seq}, 'acme', 'x', 'x')"
                    );
                    bed.assert_refused(&sql, "seq is given by the database").await;
                }
            }
        }
        let minus_one =
            "INSERT INTO audit_log (seq, account_id, email, action) VALUES (-1, 'acme', 'x', 'x')";
        bed.assert_refused(minus_one, "CHECK").await;
        let upsert = "INSERT INTO audit_log (seq, account_id, email, action) VALUES (1, 'acme', 'x', 'x') \
                      ON CONFLICT (seq) DO UPDATE SET email = 'x'";
        bed.assert_refused(upsert, "seq is given by the database").await;
    });
}

/// Nor its transaction, not even where another server's rows are applied.
#[test]
fn nobody_chooses_a_transaction_on_postgres() {
    run(async {
        let bed = Bed::postgres().await;
        let bound = bed.capture().await;
        let mut application = bed.application().await;
        for role in ["origin", "replica"] {
            for tx in ["'1'::xid8", "'999999999'::xid8", "NULL"] {
                let sql = format!(
                    "SET session_replication_role = {role}; INSERT INTO audit_log \
                     (tx, account_id, occurred_at, email, action, action_id, description, ip_address) VALUES \
                     ({tx}, 'acme', '2026-11-21 04:00Z', '1', 'login', '7', 'signed in', '192.0.2.1')"
                );
                application.execute(&sql).await.unwrap();
            }
        }
        let set = crate::source_contract::bed::between(&bound, &bed.capture().await);
        assert_eq!(bed.read(&set).await, vec![record("1"); 6]);
    });
}

/// On Postgres the database gives `seq` to everybody.
#[test]
fn nobody_chooses_a_place_on_postgres() {
    run(async {
        let bed = Bed::postgres().await;
        bed.insert(&[record("1"), record("2")]).await;
        let sql = "INSERT INTO audit_log (seq, account_id, email, action) VALUES (1, 'acme', 'x', 'x')";
        bed.assert_refused(sql, "seq").await;
    });
}
