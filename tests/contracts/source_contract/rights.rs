//! Our own tables on PostgreSQL, read as the project's own role for workers: what would hide records
//! from it, or lose them, is refused.

use auditferry::source::SourceError;

use crate::source_contract::bed::{Bed, between, id, open, record};
use crate::source_contract::counting::watermark;
use crate::source_contract::together::{Taking, begin};
use crate::support::postgres::cluster;
use crate::support::run;

/// The same source as the worker's role sees it.
pub(crate) async fn as_worker(bed: &Bed) -> Bed {
    let url = cluster().with_roles(bed.url.rsplit('/').next().unwrap()).await;
    Bed { source: open(&url).await, url: bed.url.clone(), vendor: false, reader: None }
}

/// What the check says after these changes.
pub(crate) async fn problem(changes: &str) -> String {
    let bed = Bed::postgres().await;
    let worker = as_worker(&bed).await;
    worker.source.check().await.expect("the tables are as they must be");
    bed.application().await.execute(changes).await.unwrap();
    match worker.source.check().await.expect_err("the check refuses it") {
        SourceError::Unfit(problem) => problem,
        other => panic!("{other}"),
    }
}

macro_rules! refused {
    ($($name:ident: $changes:expr => $($says:literal),+;)*) => {
        $(#[test]
        fn $name() {
            $crate::support::run(async {
                let problem = $crate::source_contract::rights::problem($changes).await;
                for says in [$($says),+] {
                    assert!(problem.contains(says), "{problem:?} does not say {says:?}");
                }
            });
        })*
    };
}
pub(crate) use refused;

refused! {
    a_policy_that_hides_records:
        "ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY application ON audit_log TO auditferry_app USING (true)" =>
        "row-level security hides rows of audit_log from our role auditferry_worker",
        "ALTER ROLE auditferry_worker BYPASSRLS", "ALTER TABLE audit_log DISABLE ROW LEVEL SECURITY";
    a_policy_that_hides_marks: "ALTER TABLE auditferry_mark ENABLE ROW LEVEL SECURITY" =>
        "row-level security hides rows of auditferry_mark from our role auditferry_worker";
    a_view:
        "ALTER TABLE audit_log RENAME TO kept; CREATE VIEW audit_log AS SELECT * FROM kept; \
         GRANT SELECT ON audit_log TO auditferry_worker" =>
        "audit_log is a view", "the table below it";
    a_foreign_table:
        "ALTER TABLE audit_log RENAME TO kept; CREATE FOREIGN DATA WRAPPER none; \
         CREATE SERVER none FOREIGN DATA WRAPPER none; CREATE FOREIGN TABLE audit_log (seq bigint) SERVER none; \
         GRANT SELECT ON audit_log TO auditferry_worker" =>
        "audit_log is a foreign table", "set source.url";
    an_unlogged_table: "ALTER TABLE audit_log SET UNLOGGED" =>
        "audit_log is unlogged", "ALTER TABLE audit_log SET LOGGED";
    a_table_that_inherits_from_it: "CREATE TABLE child () INHERITS (audit_log)" =>
        "the table child inherits from audit_log", "NO INHERIT audit_log";
    a_table_that_it_inherits_from: "CREATE TABLE parent (email text); ALTER TABLE audit_log INHERIT parent" =>
        "audit_log is a part of parent", "ALTER TABLE audit_log NO INHERIT parent";
    a_column_that_our_role_may_not_read:
        "REVOKE ALL ON audit_log FROM auditferry_worker; \
         GRANT SELECT (account_id, tx, seq, occurred_at, email, action, action_id) ON audit_log TO auditferry_worker" =>
        "auditferry_worker has no SELECT on the columns description, ip_address of audit_log",
        "GRANT SELECT ON audit_log TO auditferry_worker";
    marks_that_our_role_may_not_leave: "REVOKE INSERT ON auditferry_mark FROM auditferry_worker" =>
        "auditferry_worker has no INSERT on the columns ledger, number of auditferry_mark";
}

/// Switched on while the worker runs: each way of reading fails, and none gives a part of the rows.
#[test]
fn a_policy_that_comes_later_hides_nothing_in_silence() {
    run(async {
        let bed = Bed::postgres().await;
        let worker = as_worker(&bed).await;
        let lo = worker.capture().await;
        bed.insert(&[record("1"), record("2")]).await;
        let set = between(&lo, &worker.capture().await);
        let mut owner = bed.application().await;
        let policy = "CREATE POLICY application ON audit_log TO auditferry_app USING (true)";
        owner.execute(policy).await.unwrap();
        owner.execute("ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY").await.unwrap();
        let told = |error: SourceError| {
            assert!(error.to_string().contains("row-level security"), "{error}");
        };
        let (acme, brook) = (id("acme"), id("brook"));
        told(worker.source.read(&acme, &set, None, 1000).await.unwrap_err());
        let mut taking = Taking::of("acme", &set);
        told(worker.source.hand_over(&acme, &set, None, 1000, &mut taking).await.unwrap_err());
        let mut both = [Taking::of("acme", &set), Taking::of("brook", &set)];
        told(begin(&worker, 100, &mut both).await.unwrap_err());
        told(worker.source.waiting(&brook, &watermark(lo.clone())).await.unwrap_err());

        owner.execute("ALTER TABLE audit_log DISABLE ROW LEVEL SECURITY").await.unwrap();
        owner.execute("ALTER TABLE auditferry_mark ENABLE ROW LEVEL SECURITY").await.unwrap();
        told(worker.source.recognise(&acme, &set.hi).await.unwrap_err());
        told(worker.source.newest_mark("ledger").await.unwrap_err());
        told(worker.source.capture(&crate::source_contract::bed::mark()).await.unwrap_err());
        told(worker.source.hand_over(&acme, &set, None, 1000, &mut taking).await.unwrap_err());

        owner.execute("ALTER TABLE auditferry_mark DISABLE ROW LEVEL SECURITY").await.unwrap();
        assert_eq!(worker.read(&set).await, [record("1"), record("2")]);
    });
}

#[test]
fn another_audit_log_in_the_search_path_is_told() {
    run(async {
        let bed = Bed::postgres().await;
        let worker = as_worker(&bed).await;
        let database = bed.url.rsplit('/').next().unwrap();
        let sql = format!(
            "CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO auditferry_worker; \
             CREATE TABLE other.audit_log (email text); ALTER DATABASE {database} SET search_path = public, other"
        );
        bed.application().await.execute(&sql).await.unwrap();
        worker.source.check().await.unwrap();
        let advice = worker.source.advice().await.unwrap();
        let told = "public.audit_log is exported, and records in other.audit_log are not";
        assert!(matches!(&advice[..], [advice] if advice.contains(told)), "{advice:?}");
    });
}

#[test]
fn triggers_that_are_off_are_told() {
    run(async {
        let bed = Bed::postgres().await;
        assert_eq!(bed.source.advice().await.unwrap(), [] as [String; 0]);
        bed.application().await.execute("ALTER TABLE audit_log DISABLE TRIGGER ALL").await.unwrap();
        let advice = bed.source.advice().await.unwrap();
        assert!(matches!(&advice[..], [advice] if advice.contains("ENABLE TRIGGER ALL")), "{advice:?}");
    });
}
