//! Several servers of PostgreSQL in one URL, and servers that are away or not as they should be.

use auditferry::demo::bucket::EmbeddedBucket;
use sqlx::{Connection as _, PgConnection};

use crate::support::bench::Bench;
use crate::support::postgres::Cluster;
use crate::support::{eventually, folder, run};

const LEDGER: &str = "AUDITFERRY__LEDGER__URL";

fn on(bench: &Bench, url: &str, line: &str) -> String {
    let answer = bench.with(LEDGER, url).run(line);
    assert_eq!(answer.code, Some(0), "{answer}");
    answer.out
}

/// A primary and its standby, with a database that is on both.
async fn two(name: &str) -> (Cluster, Cluster, String) {
    let primary = Cluster::start(name, &["listen_addresses=127.0.0.1,::1"]);
    let database = primary.create().await;
    let standby = primary.standby(&format!("{name}-standby"));
    standby.connect(&database).await.close().await.expect("closes");
    (primary, standby, database)
}

async fn sql(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.expect(sql);
}

#[test]
fn the_first_server_that_does_is_used() {
    run(async {
        let (primary, standby, database) = two("servers").await;
        let bench = Bench::new();
        let (a, b) = (primary.address(), standby.address());
        let url = |hosts: &str, more: &str| format!("postgres://postgres@{hosts}/{database}{more}");

        on(&bench, &url(&format!("[::1]:{}", a.port()), ""), "migrate");
        // Nothing listens at the first.
        on(&bench, &url(&format!("127.0.0.1:1,{a}"), ""), "account add alpha --zone UTC");
        // The first is a standby.
        let writing = url(&format!("127.0.0.1:1,{b},{a}"), "?target_session_attrs=read-write");
        on(&bench, &writing, "account add beta --zone UTC");
        on(
            &bench,
            &url(&format!("{b},{a}"), "?target_session_attrs=primary"),
            "account add gamma --zone UTC",
        );
        assert!(on(&bench, &writing, "check").contains("ok      ledger"));
        let answer = bench.with(LEDGER, &url(&format!("{b},{a}"), "")).run("account add delta --zone UTC");
        assert!(answer.err.contains("target_session_attrs=read-write"), "{answer}");

        // A standby reads.
        let listed = eventually("the standby has replayed", async || {
            let standbys = url(&format!("{a},{b}"), "?target_session_attrs=standby");
            Some(on(&bench, &standbys, "account ls")).filter(|listed| listed.contains("gamma"))
        });
        listed.await;
        let answer =
            bench.with(LEDGER, &url(&b.to_string(), "?target_session_attrs=primary")).run("account ls");
        let name = format!("{b}/{database}: it is a standby");
        answer.is_refusal(1, &["none of the servers can be used", &name]);
        let none = url("127.0.0.1:1,127.0.0.1:2", "?target_session_attrs=read-write");
        let answer = bench.with(LEDGER, &none).run("account ls");
        answer.is_refusal(1, &["127.0.0.1:1/", "127.0.0.1:2/", "the connection is refused"]);
        let shown = bench.with(LEDGER, &url("127.0.0.1:1,127.0.0.1:2", "")).run("check").out;
        assert!(
            shown.contains(&format!("ledger.url = postgres://postgres@127.0.0.1:1,127.0.0.1:2/{database}")),
            "{shown}"
        );
    });
}

async fn insert_a_record(cluster: &Cluster, database: &str) {
    let mut connection = cluster.connect(database).await;
    let record = "INSERT INTO audit_log (account_id, occurred_at, email, action) \
                  VALUES ('acme', now(), 'a@b.c', 'login')";
    sql(&mut connection, record).await;
    connection.close().await.expect("closes");
}

#[test]
fn a_worker_goes_on_where_its_standby_was_promoted() {
    run(async {
        let (primary, standby, database) = two("promotion").await;
        // Nothing that was committed is lost: a mark that is gone would hold the account, as it should.
        let mut connection = primary.connect(&database).await;
        sql(&mut connection, "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        sql(&mut connection, "SELECT pg_reload_conf()").await;
        connection.close().await.expect("closes");

        let hosts = format!("{},{}", primary.address(), standby.address());
        let url = format!("postgres://postgres@{hosts}/{database}?target_session_attrs=read-write");
        let bench = Bench::new().env(LEDGER, &url).env("AUDITFERRY__WORKER__POLL_INTERVAL", "200ms");
        let any = "127.0.0.1:0".parse().expect("address");
        let root = folder("promotion-s3");
        let bucket = EmbeddedBucket::start(&root, "promotion", "AKIA", "secret", any).await.expect("starts");
        bench.file("secret", "secret");
        bench.does("account add acme --zone UTC --start beginning --schedule '* * * * * *'");
        bench.does("addon enable acme");
        bench.does(&format!(
            "destination set acme --kind s3 --bucket promotion --region us-east-1 --endpoint {} --allow-http \
             --access-key-id AKIA --secret-access-key-file secret",
            bucket.endpoint()
        ));
        let worker = bench.worker("");
        let delivered = async || -> usize {
            let answer = bench.run("deliveries ls acme --json");
            answer.out.matches("\"key\"").count()
        };
        insert_a_record(&primary, &database).await;
        eventually("the first record", async || (delivered().await == 1).then_some(())).await;

        drop(primary);
        let mut connection = standby.connect(&database).await;
        sql(&mut connection, "SELECT pg_promote()").await;
        connection.close().await.expect("closes");
        insert_a_record(&standby, &database).await;
        eventually("the second record", async || (delivered().await == 2).then_some(())).await;
        let log = std::fs::read_to_string(bench.path("worker.log")).expect("log");
        assert!(log.contains("the database is used on another server"), "{log}");
        drop(worker);
    });
}

#[test]
fn a_server_that_is_away_is_named_at_once() {
    let bench = Bench::new();
    for (url, says) in [
        ("postgres://ana:HUSH@127.0.0.1:1/x", "127.0.0.1:1/x cannot be reached: the connection is refused"),
        (
            "postgres://ana:HUSH@db.invalid/x",
            "db.invalid:5432/x cannot be reached: the name db.invalid cannot be resolved",
        ),
    ] {
        for (key, name) in [(LEDGER, "ledger"), ("AUDITFERRY__SOURCE__URL", "source")] {
            let answer = bench.with(key, url).run("check");
            let line = format!("FAILED  {name}: {says}");
            assert!(answer.code == Some(1) && answer.out.contains(&line), "{answer}");
            assert!(!answer.out.contains("HUSH"), "{answer}");
        }
        // These words come from a look at the server alone, and not from a pool that has waited for it.
        for command in ["account ls", "account add acme --zone UTC"] {
            bench.with(LEDGER, url).run(command).is_refusal(1, &["ledger: ", says]);
        }
        bench
            .with("AUDITFERRY__SOURCE__URL", url)
            .run("account add acme --zone UTC")
            .is_refusal(1, &["source: ", says]);
        bench
            .with(LEDGER, url)
            .run("run --until-idle")
            .is_refusal(1, &[says.split(' ').next().unwrap(), "see that it runs"]);
    }
}

#[test]
fn what_a_url_must_not_say_is_refused() {
    let bench = Bench::with_acme();
    bench.file("auditferry.toml", "[ledger]\nurl = \"postgres://ana:HUSH/x@db/x\"\n");
    bench
        .run("--config auditferry.toml account ls")
        .is_refusal(2, &["ledger.url", "percent-encoding", "%2F"]);
    for key in [LEDGER, "AUDITFERRY__SOURCE__URL"] {
        let name = if key == LEDGER { "ledger.url" } else { "source.url" };
        for (url, says) in [
            ("postgres://ana:HU@SH/x@db/x", "percent-encoding"),
            ("postgres://ana:HUSH@db/x?channel_binding=require", "\"channel_binding\" cannot be kept"),
            ("postgres://ana:HUSH@db/x?sslmode=require&sslrootcert=system", "sslmode=verify-full"),
            ("postgres://ana:HUSH@db/x?target_session_attrs=leader", "read-write"),
        ] {
            let answer = bench.with(key, url).run("account ls");
            answer.is_refusal(2, &[name, says]);
            assert!(!answer.err.contains("HUSH") && !answer.err.contains("SH/x"), "{answer}");
        }
    }
}

#[test]
fn a_refusal_of_postgres_ends_without_a_line_of_its_source() {
    run(async {
        let cluster = crate::support::postgres::cluster();
        let bench = Bench::new();
        let url = format!("postgres://postgres@{}/nowhere?connect_timeout=3", cluster.address());
        let check = bench.with(LEDGER, &url).run("check");
        assert!(
            check.out.contains("database \"nowhere\" does not exist; see user, password and database"),
            "{check}"
        );
        assert!(!check.out.contains("at line"), "{check}");
        assert!(
            check.out.contains("note    ledger: the parameter \"connect_timeout\" has no effect"),
            "{check}"
        );
        let run = bench.with(LEDGER, &url).run("run --until-idle");
        assert!(run.err.contains("does not exist") && !run.err.contains("at line"), "{run}");
    });
}

#[test]
fn functions_that_the_role_may_not_call_are_named() {
    run(async {
        let cluster = crate::support::postgres::cluster();
        let database = cluster.create().await;
        let bench = Bench::new();
        on(&bench, &cluster.url(&database), "migrate");
        let worker = cluster.with_roles(&database).await;
        assert!(on(&bench, &worker, "check").contains("ok      source"));
        let mut connection = cluster.connect(&database).await;
        sql(&mut connection, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC").await;
        sql(&mut connection, "REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn() FROM PUBLIC").await;
        let missing = "pg_control_system(), pg_current_wal_insert_lsn()";
        let says = format!("auditferry_worker may not call {missing}");
        let grant = format!("GRANT EXECUTE ON FUNCTION {missing} TO auditferry_worker");
        let check = bench.with(LEDGER, &worker).run("check");
        assert!(check.code == Some(1) && check.out.contains(&says) && check.out.contains(&grant), "{check}");
        let run =
            bench.with(LEDGER, &worker).and("AUDITFERRY__LEDGER__MIGRATE", "false").run("run --until-idle");
        assert!(run.err.contains(&says), "{run}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(grant))
            .execute(&mut connection)
            .await
            .expect("the GRANT as it is told");
        assert!(on(&bench, &worker, "check").contains("ok      source"));

        // A vendor's table is read with others.
        let reader = "CREATE TABLE events (id bigint PRIMARY KEY, who text NOT NULL, at timestamptz NOT NULL, what text \
                      NOT NULL); CREATE INDEX ON events (who, at); GRANT SELECT ON events TO auditferry_worker; \
                      REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC";
        sql(&mut connection, reader).await;
        let table =
            |name: &str, value: &str| (format!("AUDITFERRY__SOURCE__TABLE__{name}"), value.to_owned());
        let mut vendors = Bench::new().env(LEDGER, &worker).env("AUDITFERRY__SOURCE__KIND", "table");
        for (name, value) in [
            table("NAME", "events"),
            table("ACCOUNT", "who"),
            table("KEY", "id"),
            table("TIME", "at"),
            table("EMAIL", "who"),
            table("ACTION", "what"),
            table("DESCRIPTION", "what"),
        ] {
            vendors = vendors.env(&name, &value);
        }
        let check = vendors.run("check");
        let says = "FAILED  source: our role auditferry_worker may not call pg_walfile_name(pg_lsn)";
        assert!(check.out.contains(says), "{check}");
        sql(&mut connection, "GRANT EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) TO auditferry_worker").await;
        let check = vendors.run("check");
        assert!(check.out.contains("ok      source"), "{check}");
        connection.close().await.expect("closes");
    });
}
