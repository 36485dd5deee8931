//! Changes of an account that become records of its own audit log.

use sqlx::Connection as _;

use crate::cli::databases::change;
use crate::support::bench::Bench;

/// Email, action, action id and description of each record of `acme`.
fn records(bench: &Bench) -> Vec<(String, String, String, String)> {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql = "SELECT email, action, action_id, description FROM audit_log WHERE account_id = 'acme' ORDER BY seq";
        let rows = sqlx::query_as(sql).fetch_all(&mut database).await.unwrap();
        database.close().await.unwrap();
        rows
    })
}

#[test]
fn each_change_becomes_one_record_even_across_a_crash() {
    let bench = Bench::with_acme().env("AUDITFERRY__AUDIT__SELF_RECORDS", "true");
    bench.does("addon enable acme --reason trial");
    bench.does("run --until-idle");
    let told = records(&bench);
    let actions: Vec<&str> = told.iter().map(|record| record.1.as_str()).collect();
    assert_eq!(actions, ["auditferry.account_added", "auditferry.add_on_changed"]);
    assert!(told[1].0.contains("uid") && told[1].2.starts_with("auditferry-change-"), "{told:?}");
    assert!(told[1].3.contains("addon.enabled false -> true"), "{told:?}");

    // The source has them, and the ledger has not stored that: as after a crash in between.
    change(&bench, "INSERT INTO change_outbox (seq) SELECT seq FROM change_log");
    bench.does("run --until-idle");
    assert_eq!(records(&bench), told);
    assert_eq!(bench.json("changes ls acme").as_array().unwrap().len(), 2);
}

#[test]
fn without_the_setting_changes_never_become_records() {
    let bench = Bench::with_acme();
    bench.does("run --until-idle");
    assert!(records(&bench).is_empty());
    let told = bench.with("AUDITFERRY__AUDIT__SELF_RECORDS", "true");
    assert_eq!(told.run("run --until-idle").code, Some(0));
    assert!(records(&bench).is_empty());
}

#[test]
fn a_table_of_the_vendors_own_is_not_written_to() {
    let bench = Bench::new()
        .env("AUDITFERRY__SOURCE__KIND", "table")
        .env("AUDITFERRY__SOURCE__URL", "postgres://localhost/app")
        .env("AUDITFERRY__AUDIT__SELF_RECORDS", "true");
    bench.run("check").is_refusal(2, &["audit.self_records", "we only read", "set it to false"]);
}
