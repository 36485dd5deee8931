//! An `audit_log` that a vendor has made of partitions: whoever deletes from a partition fires the
//! triggers of that partition alone.

use crate::source_contract::bed::{Bed, at, record};
use crate::source_contract::rights::{as_worker, refused};
use crate::support::run;
use auditferry_core::model::record::Record;

/// Our table again, in two partitions, one of which has another below it.
const DIVIDED: &str = "ALTER TABLE audit_log RENAME TO kept; ALTER INDEX audit_log_window RENAME TO kept_window; \
    CREATE SEQUENCE audit_log_seq; \
    CREATE TABLE audit_log (LIKE kept INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (occurred_at); \
    ALTER TABLE audit_log ALTER seq SET DEFAULT nextval('audit_log_seq'), ADD PRIMARY KEY (seq, occurred_at); \
    CREATE INDEX audit_log_window ON audit_log (account_id, tx, seq); \
    CREATE TABLE early PARTITION OF audit_log FOR VALUES FROM (MINVALUE) TO ('2026-11-21 04:00Z'); \
    CREATE TABLE late PARTITION OF audit_log FOR VALUES FROM ('2026-11-21 04:00Z') TO (MAXVALUE) \
    PARTITION BY RANGE (occurred_at); \
    CREATE TABLE latest PARTITION OF late DEFAULT; \
    GRANT SELECT ON audit_log TO auditferry_worker; \
    CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log \
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();";

fn guarded(part: &str) -> String {
    format!(
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {part} FOR EACH STATEMENT \
         EXECUTE FUNCTION audit_log_is_append_only()"
    )
}

/// The partitions with their triggers, and then a change.
fn all_guarded(change: &str) -> String {
    let guards = ["early", "late", "latest"].map(guarded).join("; ");
    format!("{DIVIDED} {guards}; {change}")
}

refused! {
    a_partition_without_the_trigger: DIVIDED =>
        "early is a part of audit_log without its append-only trigger",
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON early FOR EACH STATEMENT \
         EXECUTE FUNCTION audit_log_is_append_only()";
    a_partition_of_a_partition_without_the_trigger:
        &format!("{DIVIDED} {}; {}", guarded("early"), guarded("late")) => "latest is a part of audit_log without";
    a_partition_whose_trigger_is_off: &all_guarded("ALTER TABLE late DISABLE TRIGGER audit_log_append_only") =>
        "late is a part of audit_log without its append-only trigger";
    a_partition_whose_trigger_leaves_truncate_out:
        &all_guarded("DROP TRIGGER audit_log_append_only ON early; CREATE TRIGGER audit_log_append_only \
         BEFORE UPDATE OR DELETE ON early FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()") =>
        "early is a part of audit_log without its append-only trigger";
    a_divided_table_without_the_trigger: &all_guarded("DROP TRIGGER audit_log_append_only ON audit_log") =>
        "audit_log is a part of audit_log without its append-only trigger";
    an_unlogged_partition: &all_guarded("ALTER TABLE early SET UNLOGGED") => "early is unlogged";
}

/// The SQL of each refusal is run until there is none; then nothing can be removed, and all is read.
#[test]
fn partitions_with_the_trigger_are_read() {
    run(async {
        let bed = Bed::postgres().await;
        let worker = as_worker(&bed).await;
        let mut owner = bed.application().await;
        owner.execute(DIVIDED).await.unwrap();
        for part in ["early", "late", "latest"] {
            let problem = worker.source.check().await.unwrap_err().to_string();
            assert!(problem.starts_with(part), "{problem}");
            owner.execute(problem.split_once("; run ").unwrap().1).await.unwrap();
        }
        worker.source.check().await.unwrap();
        let records = ["03:00", "05:00"].map(|time| Record { occurred_at: at(time), ..record(time) });
        bed.insert(&records).await;
        for part in ["early", "late", "latest", "audit_log"] {
            for sql in [format!("DELETE FROM {part}"), format!("TRUNCATE {part}")] {
                let error = owner.execute(&sql).await.expect_err(&sql).to_string();
                assert!(error.contains("append-only"), "{sql}: {error}");
            }
        }
        assert_eq!(worker.everything().await, records);
    });
}
