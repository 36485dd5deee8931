//! A source that moves to another PostgreSQL cluster, with PostgreSQL's own tools.

use crate::support::by;
use std::process::{Command, Output};

use auditferry::source::SourceError;
use auditferry_core::protocol::Hold;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::source_copies::wait_for;
use super::*;

impl Rig {
    /// `auditferry source adopt`, the real program.
    fn adopt(&self, of: &Installation, options: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_auditferry"))
            .args(["source", "adopt"])
            .args(options)
            .env("AUDITFERRY__LEDGER__URL", &of.ledger)
            .env("AUDITFERRY__SOURCE__URL", &of.source)
            .output()
            .unwrap()
    }

    fn adopts(&self, of: &Installation) -> String {
        let output = self.adopt(of, &[]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Why it is refused.
    fn refuses(&self, of: &Installation) -> String {
        let output = self.adopt(of, &[]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Held, because the cluster is another one; what was advised before leads nowhere.
    async fn is_held(&self, of: &Installation, clock: &str) {
        let account = self.work(of, clock).await;
        assert_eq!(account.held, Some(Hold::SourceRewound), "{:?}", self.objects());
        let message = account.trouble.unwrap().message;
        assert!(message.contains("run `auditferry source adopt`"), "{message}");
        let admin = self.admin(of, clock).await;
        admin.rewind(&by(), &acme(), None).await.expect_err("none of the watermarks is recognised");
        admin.release(&by(), &acme()).await.expect_err("nothing has changed");
    }

    async fn waiting(&self, of: &Installation) -> u64 {
        let admin = self.admin(of, "00:00").await;
        let watermark = admin.ledger.account(&acme()).await.unwrap().watermark;
        admin.source.waiting(&acme(), &watermark).await.unwrap().records
    }
}

async fn execute(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await.unwrap();
}

fn record(email: &str) -> String {
    format!("INSERT INTO audit_log (account_id, email, action) VALUES ('acme', '{email}', 'x')")
}

/// An account that has delivered `a`, and for which `late` and `b` wait. `late` began before the bound
/// of `a` and committed after it, so that its number lies below the bound's end.
async fn delivered(rig: &Rig, cluster: &Cluster) -> (String, Installation) {
    let database = cluster.create().await;
    let here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
    let mut late = cluster.connect(&database).await;
    execute(&mut late, &format!("BEGIN; {}", record("late"))).await;
    insert(&here.source, "a", "").await;
    rig.works(&here, "04:00").await;
    execute(&mut late, "COMMIT").await;
    late.close().await.unwrap();
    insert(&here.source, "b", "").await;
    (database, here)
}

#[test]
fn after_pg_upgrade_everything_goes_on() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("to-upgrade", &[]);
        let (database, mut here) = delivered(&rig, &cluster).await;
        let cluster = cluster.upgrade("upgraded");
        here.source = cluster.url(&database);
        insert(&here.source, "c", "").await;
        rig.is_held(&here, "08:00").await;

        let said = rig.adopts(&here);
        assert!(
            said.contains("(pg_upgrade): its transaction ids continue") && said.contains("acme continues"),
            "{said}"
        );
        insert(&here.source, "d", "").await;
        rig.works(&here, "12:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "120000Z: late b c d"]);
        // Once more, with what was captured here.
        assert!(rig.adopts(&here).contains("nothing was to be adopted"));
        let cluster = cluster.upgrade("upgraded-again");
        here.source = cluster.url(&database);
        rig.is_held(&here, "16:00").await;
        rig.adopts(&here);
        insert(&here.source, "e", "").await;
        rig.works(&here, "20:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "120000Z: late b c d", "200000Z: e"]);
    });
}

#[test]
fn after_dump_and_restore_into_lower_ids_everything_goes_on() {
    run(async {
        let rig = Rig::new().await;
        let first = Cluster::start("to-dump", &[]);
        first.spend_ids(3_000).await;
        let (database, mut here) = delivered(&rig, &first).await;
        let second = Cluster::start("restored", &[]);
        let database_there = second.create().await;
        first.dump_into(&database, &second, &database_there, &[], &[]);
        drop(first);
        here.source = second.url(&database_there);
        assert_eq!(rig.waiting(&here).await, 2, "whatever their transaction ids");
        // The application goes on before anybody knows; one of its records behind a savepoint.
        insert(&here.source, "c", "").await;
        let mut application = second.connect(&database_there).await;
        execute(&mut application, &format!("BEGIN; SAVEPOINT s; {}; RELEASE s; COMMIT", record("d"))).await;
        rig.is_held(&here, "08:00").await;
        let advice = rig.admin(&here, "08:00").await.source.advice().await.unwrap().join("\n");
        assert!(
            advice.contains("4 records have transaction ids that") || advice.contains("3 records have"),
            "{advice}"
        );

        let said = rig.adopts(&here);
        assert!(said.contains("Numbered anew: 2 records that came since then"), "{said}");
        assert!(rig.admin(&here, "08:00").await.source.advice().await.unwrap().is_empty());
        assert_eq!(rig.waiting(&here).await, 4);
        insert(&here.source, "e", "").await;
        rig.works(&here, "12:00").await;
        insert(&here.source, "f", "").await;
        rig.works(&here, "16:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "120000Z: late b c d e", "160000Z: f"]);

        // A third cluster; the command ends after the source was changed, and is run again.
        let third = Cluster::start("restored-again", &[]);
        let database_third = third.create().await;
        second.dump_into(&database_there, &third, &database_third, &[], &["--single-transaction"]);
        here.source = third.url(&database_third);
        insert(&here.source, "g", "").await;
        rig.is_held(&here, "20:00").await;
        let admin = rig.admin(&here, "20:00").await;
        let account = admin.ledger.account(&acme()).await.unwrap();
        let standing = auditferry::source::Standing {
            account: acme(),
            bounds: account.watermark.bounds().cloned().collect(),
            earlier: Vec::new(),
            delivered: None,
        };
        admin.source.adopt(&[standing], false).await.unwrap();
        assert_eq!(rig.work(&here, "20:00").await.held, Some(Hold::SourceRewound));
        let said = rig.adopts(&here);
        assert!(said.contains("nothing was to be adopted") && said.contains("acme continues"), "{said}");
        rig.works(&here, "20:00").await;
        assert_eq!(rig.objects()[3..], ["200000Z: g"]);

        // And back into the second one, under another name: nothing of its earlier life is taken for now.
        let database_back = second.create().await;
        third.dump_into(&database_third, &second, &database_back, &[], &[]);
        here.source = second.url(&database_back);
        insert(&here.source, "h", "").await;
        rig.is_held(&here, "24T04:00").await;
        rig.adopts(&here);
        rig.works(&here, "24T08:00").await;
        assert_eq!(rig.objects()[4..], ["20261124T080000Z: h"]);
        // The append-only trigger is there, and tx is still given.
        let mut owner = second.connect(&database_back).await;
        sqlx::raw_sql("UPDATE audit_log SET email = 'z'").execute(&mut owner).await.expect_err("refused");
    });
}

#[test]
fn a_copy_that_lacks_a_mark_is_not_adopted() {
    run(async {
        let rig = Rig::new().await;
        let first = Cluster::start("old-dump", &[]);
        let (database, mut here) = delivered(&rig, &first).await;
        let second = Cluster::start("old-copy", &[]);
        let database_there = second.create().await;
        first.dump_into(&database, &second, &database_there, &[], &[]);
        rig.works(&here, "08:00").await;
        here.source = second.url(&database_there);
        insert(&here.source, "c", "").await;
        rig.is_held(&here, "12:00").await;
        let said = rig.refuses(&here);
        assert!(said.contains("account acme: the mark") && said.contains("Nothing was changed"), "{said}");
        rig.is_held(&here, "12:00").await;

        // Accepted, the ids go on, and the account is rewound to where both agree.
        let accepted = rig.adopt(&here, &["--accept"]);
        let text = String::from_utf8(accepted.stdout).unwrap();
        assert!(
            text.contains("Not proved, and held: account acme: the mark")
                && accepted.status.code() == Some(1),
            "{text}"
        );
        rig.rewind(&here, "13:00").await;
        rig.works(&here, "16:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: late b", "160000Z_g0002: late b c"]);
    });
}

/// Rewound by hand instead: what was restored may have been delivered before the move.
#[test]
fn restored_records_of_an_account_that_was_rewound_here_are_not_taken_for_new() {
    run(async {
        let rig = Rig::new().await;
        let first = Cluster::start("rewound-dump", &[]);
        first.spend_ids(3_000).await;
        let (database, mut here) = delivered(&rig, &first).await;
        let second = Cluster::start("rewound-copy", &[]);
        let database_there = second.create().await;
        first.dump_into(&database, &second, &database_there, &[], &[]);
        here.source = second.url(&database_there);
        rig.is_held(&here, "08:00").await;
        rig.admin(&here, "08:00").await.rewind(&by(), &acme(), Some(Start::Now)).await.unwrap();
        insert(&here.source, "c", "").await;
        rig.works(&here, "12:00").await;
        let said = rig.refuses(&here);
        assert!(
            said.contains("may have been delivered from there") && said.contains("Nothing was changed"),
            "{said}"
        );
        insert(&here.source, "d", "").await;
        rig.works(&here, "16:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "120000Z_g0002: c", "160000Z_g0002: d"]);
    });
}

#[test]
fn what_cannot_be_told_apart_is_not_adopted() {
    run(async {
        let rig = Rig::new().await;
        let first = Cluster::start("inexact-dump", &[]);
        first.spend_ids(3_000).await;
        let (database, mut here) = delivered(&rig, &first).await;
        let second = Cluster::start("inexact-copy", &[]);
        // Each row by a transaction of its own: nothing tells it from one of the application's.
        let by_inserts = second.create().await;
        first.dump_into(&database, &second, &by_inserts, &["--inserts"], &[]);
        here.source = second.url(&by_inserts);
        let said = rig.refuses(&here);
        assert!(said.contains("pg_dump --inserts"), "{said}");
        // Rows into a table that was there: its trigger numbers them as if they were new.
        let data_only = second.create().await;
        here.source = second.url(&data_only);
        rig.admin(&here, "04:00").await.source.migrate().await.unwrap();
        let tables = ["--data-only", "--table=audit_log", "--table=auditferry_mark"];
        first.dump_into(&database, &second, &data_only, &tables, &[]);
        let said = rig.refuses(&here);
        assert!(said.contains("account acme: its window 1 had 1 records, and 0 of them are here"), "{said}");
        // Another database altogether.
        let other = second.create().await;
        here.source = second.url(&other);
        let said = rig.refuses(&here);
        assert!(said.contains("the mark"), "{said}");
        assert_eq!(rig.objects(), ["040000Z: a"]);
    });
}

#[test]
fn a_role_that_does_not_own_the_table_is_told() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("adopted-by-worker", &[]);
        let database = cluster.create().await;
        let here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
        let worker =
            Installation { source: cluster.with_roles(&database).await, ledger: here.ledger.clone() };
        rig.works(&worker, "04:00").await;
        let source = rig.admin(&worker, "04:00").await.source;
        let error = source.adopt(&[], false).await.expect_err("refused");
        let said = error.to_string();
        assert!(
            matches!(error, SourceError::Unfit(_)) && said.contains("as postgres, the role that runs"),
            "{said}"
        );
    });
}

/// Rows whose ids no transaction of this cluster has had, as a replication left them before the trigger.
#[test]
fn records_with_ids_to_come_are_counted_told_and_adopted() {
    run(async {
        let rig = Rig::new().await;
        let cluster = Cluster::start("ids-to-come", &[]);
        let database = cluster.create().await;
        let here = rig.install(rig.sqlite("ledger.db"), cluster.url(&database)).await;
        let mut owner = cluster.connect(&database).await;
        execute(
            &mut owner,
            "ALTER TABLE audit_log DISABLE TRIGGER audit_log_gives_tx; INSERT INTO audit_log (account_id, email, \
             action, tx) VALUES ('acme', 'far', 'x', '1000000'), ('zebra', 'other', 'x', '1000001'); \
             ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_gives_tx",
        )
        .await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        assert_eq!(rig.objects(), ["040000Z: a"]);
        assert_eq!(rig.waiting(&here).await, 1);
        let advice = rig.admin(&here, "04:00").await.source.advice().await.unwrap().join("\n");
        assert!(
            advice.contains("2 records have transaction ids") && advice.contains("source adopt"),
            "{advice}"
        );
        let said = rig.adopts(&here);
        assert!(said.contains("2 records whose transaction id no transaction here has had"), "{said}");
        rig.works(&here, "08:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "080000Z: far"]);
        assert!(rig.adopts(&here).contains("nothing was to be adopted"));
    });
}

#[test]
fn records_that_a_subscription_applies_are_delivered() {
    run(async {
        let rig = Rig::new().await;
        let publisher = Cluster::start("publisher", &["wal_level=logical"]);
        publisher.spend_ids(3_000).await;
        let published = publisher.create().await;
        let there = Installation { ledger: String::new(), source: publisher.url(&published) };
        source::open(&there.source, 2).await.unwrap().migrate().await.unwrap();
        insert(&there.source, "before", "").await;
        let mut owner = publisher.connect(&published).await;
        execute(&mut owner, "CREATE PUBLICATION audit FOR TABLE audit_log").await;

        let subscriber = Cluster::start("subscriber", &[]);
        let database = subscriber.create().await;
        let here = rig.install(rig.sqlite("ledger.db"), subscriber.url(&database)).await;
        let mut reader = subscriber.connect(&database).await;
        let port = publisher.address().port();
        let connection = format!("host=127.0.0.1 port={port} user=postgres dbname={published}");
        execute(
            &mut reader,
            &format!("CREATE SUBSCRIPTION audit CONNECTION '{connection}' PUBLICATION audit"),
        )
        .await;
        let arrived = async |count: i32| {
            wait_for(&subscriber, &database, &format!("(SELECT count(*) FROM audit_log) = {count}")).await;
        };
        arrived(1).await;
        rig.works(&here, "04:00").await;
        for email in ["one", "two", "three"] {
            insert(&there.source, email, "").await;
        }
        arrived(4).await;
        rig.works(&here, "08:00").await;
        assert_eq!(rig.objects(), ["040000Z: before", "080000Z: one two three"]);
        assert_eq!(rig.waiting(&here).await, 0);
        execute(&mut reader, "DROP SUBSCRIPTION audit").await;
    });
}
