//! The settings against the real catalogue: whatever could make the export wrong is named.

use std::time::Duration;

use auditferry::settings::TableSettings;
use auditferry::source::SourceError;

use crate::source_contract::bed::{Bed, at, between, id};
use crate::source_contract::counting::watermark;
use crate::support::{run, vendor};

const DAY: Duration = Duration::from_secs(86_400);

/// A database with tables of these statements, which the reader may read.
async fn made(statements: &[&str], settings: &TableSettings) -> Bed {
    let cluster = vendor::cluster();
    let database = cluster.create().await;
    vendor::sql(cluster, &database, statements).await;
    vendor::grant(cluster, &database, "ALL TABLES IN SCHEMA public").await;
    Bed::reading(cluster, &database, settings)
}

/// The usual table with a change; what the check says of it.
async fn problem(changes: &[&str], change: impl FnOnce(&mut TableSettings)) -> String {
    let mut settings = vendor::settings(DAY);
    change(&mut settings);
    let cluster = vendor::cluster();
    let database = cluster.create().await;
    vendor::make(cluster, &database).await;
    vendor::sql(cluster, &database, changes).await;
    let bed = Bed::reading(cluster, &database, &settings);
    match bed.source.check().await.expect_err("the check refuses it") {
        SourceError::Table(problem) => problem,
        other => panic!("{other}"),
    }
}

macro_rules! refused {
    ($($name:ident: $changes:expr, $change:expr => $($says:literal),+;)*) => {
        $(#[test]
        fn $name() {
            run(async {
                let problem = problem(&$changes, $change).await;
                for says in [$($says),+] {
                    assert!(problem.contains(says), "{problem:?} does not say {says:?}");
                }
            });
        })*
    };
}

refused! {
    a_table_that_is_not_there: [], |s| s.name = "audit_logs".into() =>
        "source.table.name", "has no table public.audit_logs", "did you mean public.audit_log?";
    a_schema_that_is_not_there: [], |s| s.schema = "publik".into() =>
        "has no table publik.audit_log", "did you mean public.audit_log?";
    a_view: ["CREATE VIEW v AS SELECT * FROM audit_log"], |s| s.name = "v".into() =>
        "source.table.name", "public.v is a view", "name the table below it";
    a_materialized_view: ["CREATE MATERIALIZED VIEW v AS SELECT * FROM audit_log"], |s| s.name = "v".into() =>
        "public.v is a view";
    an_index: [], |s| s.name = "audit_log_pkey".into() => "is no table";
    an_unlogged_table: ["ALTER TABLE audit_log SET UNLOGGED"], |_| {} => "audit_log is unlogged";
    a_parent_of_other_tables: ["CREATE TABLE child () INHERITS (audit_log)"], |_| {} =>
        "other tables inherit from public.audit_log", "use partitions";
    a_column_that_is_not_there: [], |s| s.email = "emial".into() =>
        "source.table.email", "public.audit_log has no column emial", "did you mean email?";
    a_name_that_is_sql: [], |s| s.email = "email\" FROM audit_log; --".into() =>
        "source.table.email", "has no column email\" FROM audit_log; --";
    a_key_without_a_unique_index: ["ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey"], |_| {} =>
        "source.table.key", "no unique index of public.audit_log tells rows apart by id";
    a_key_that_is_unique_with_another_column:
        ["ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey, ADD UNIQUE (id, email)"], |_| {} =>
        "no unique index of public.audit_log tells rows apart by id";
    a_key_that_is_unique_in_a_part:
        ["ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey",
         "CREATE UNIQUE INDEX ON audit_log (id) WHERE account_id <> 'x'"], |_| {} =>
        "no unique index of public.audit_log tells rows apart by id";
    a_key_that_may_be_null:
        ["ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey, ADD UNIQUE (id)",
         "ALTER TABLE audit_log ALTER COLUMN id DROP IDENTITY, ALTER COLUMN id DROP NOT NULL"], |_| {} =>
        "source.table.key", "the column id may be NULL", "ALTER COLUMN id SET NOT NULL";
    a_key_of_a_type_without_order: ["ALTER TABLE audit_log ADD COLUMN k float8"], |s| s.key = "k".into() =>
        "source.table.key", "double precision", "text, uuid or a whole number";
    an_account_that_ignores_case:
        ["CREATE EXTENSION citext", "ALTER TABLE audit_log ALTER account_id TYPE citext"], |_| {} =>
        "source.table.account", "the column account_id is of type citext", "not compared byte by byte",
        "ALTER TABLE public.audit_log ALTER COLUMN account_id TYPE text";
    an_account_whose_collation_ignores_case:
        ["CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
         "ALTER TABLE audit_log ALTER account_id TYPE text COLLATE loose"], |_| {} =>
        "source.table.account", "the column account_id of type text has the collation loose",
        "ALTER COLUMN account_id TYPE text COLLATE \"C\"";
    a_key_whose_domain_ignores_case:
        ["CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
         "CREATE DOMAIN loose_text AS text COLLATE loose",
         "ALTER TABLE audit_log ADD COLUMN k loose_text NOT NULL UNIQUE"], |s| s.key = "k".into() =>
        "source.table.key", "the column k of type loose_text has the collation loose";
    an_account_that_is_padded: ["ALTER TABLE audit_log ALTER account_id TYPE char(20)"], |_| {} =>
        "source.table.account", "of type character(20)", "not compared byte by byte";
    a_key_with_a_fraction: ["ALTER TABLE audit_log ADD COLUMN k numeric NOT NULL UNIQUE"], |s| s.key = "k".into() =>
        "source.table.key", "of type numeric", "not compared byte by byte";
    a_domain_over_a_domain_over_a_padded_type:
        ["CREATE DOMAIN inner_id AS char(20)", "CREATE DOMAIN outer_id AS inner_id",
         "ALTER TABLE audit_log ALTER account_id TYPE outer_id"], |_| {} =>
        "source.table.account", "of type outer_id", "not compared byte by byte";
    another_type_of_the_same_name:
        ["CREATE SCHEMA own", "CREATE TYPE own.text AS ENUM ('acme')",
         "ALTER TABLE audit_log ALTER account_id TYPE own.text USING account_id::own.text"], |_| {} =>
        "source.table.account", "of type own.text", "not compared byte by byte";
    a_time_without_an_index: ["DROP INDEX audit_log_account_id_occurred_at_idx"], |_| {} =>
        "source.table.time", "begins with occurred_at, or with account_id and occurred_at",
        "CREATE INDEX CONCURRENTLY ON public.audit_log (account_id, occurred_at)";
    a_time_that_may_be_null: ["ALTER TABLE audit_log ALTER COLUMN occurred_at DROP NOT NULL"], |_| {} =>
        "source.table.time", "may be NULL", "SET NOT NULL";
    a_time_of_another_type: ["ALTER TABLE audit_log ADD COLUMN day date NOT NULL"], |s| s.time = "day".into() =>
        "source.table.time", "of type date", "name a timestamptz";
    a_time_without_a_zone:
        ["ALTER TABLE audit_log ALTER COLUMN occurred_at TYPE timestamp USING occurred_at AT TIME ZONE 'UTC'"], |_| {} =>
        "source.table.time", "without time zone", "time_is_utc = true";
    a_zone_that_is_there_already: [], |s| s.time_is_utc = true => "source.table.time_is_utc", "leave it out";
    an_account_of_another_type: [], |s| s.account = "occurred_at".into() =>
        "source.table.account", "timestamp with time zone", "text, uuid or a whole number";
    a_text_that_is_none: ["ALTER TABLE audit_log ADD COLUMN blob bytea"], |s| s.description = "blob".into() =>
        "source.table.description", "of type bytea", "is no text";
    a_table_that_we_may_not_read: ["REVOKE ALL ON audit_log FROM auditferry_reader"], |_| {} =>
        "may not read all of public.audit_log", "GRANT SELECT ON public.audit_log";
    a_column_that_we_may_not_read:
        ["REVOKE ALL ON audit_log FROM auditferry_reader",
         "GRANT SELECT (xmin, id, account_id, occurred_at, action) ON audit_log TO auditferry_reader"], |_| {} =>
        "source.table.email", "may not read the column email";
    a_schema_that_we_may_not_use:
        ["CREATE SCHEMA closed", "ALTER TABLE audit_log SET SCHEMA closed"], |s| s.schema = "closed".into() =>
        "source.table.schema", "may not use the schema closed", "GRANT USAGE ON SCHEMA closed";
    a_policy_that_hides_rows:
        ["ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY",
         "CREATE POLICY some_rows ON audit_log USING (account_id = 'acme')"], |_| {} =>
        "row-level security hides rows of public.audit_log", "BYPASSRLS";
}

/// Switched on while the worker runs: the reading fails, and never gives a part of the rows.
#[test]
fn a_policy_that_comes_later_hides_nothing_in_silence() {
    run(async {
        let bed = Bed::table().await;
        bed.insert_at(&["01:00", "02:00"]).await;
        let set = between(&bed.source.beginning(), &bed.capture().await);
        let mut owner = bed.application().await;
        owner.execute("ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY").await.unwrap();
        owner.execute("CREATE POLICY some_rows ON audit_log USING (email = '01:00')").await.unwrap();
        let error = bed.source.read(&id("acme"), &set, None, 1000).await.unwrap_err();
        assert!(error.to_string().contains("row-level security"), "{error}");
    });
}

/// Domains over the exact types are exact.
#[test]
fn an_account_of_a_domain_over_text_is_read() {
    run(async {
        let statements = [
            "CREATE DOMAIN inner_id AS varchar(20)",
            "CREATE DOMAIN outer_id AS inner_id",
            "CREATE TABLE audit_log (id bigint PRIMARY KEY, account_id outer_id, occurred_at timestamptz NOT NULL, \
             email text, action text, action_id text, description text, ip_address cidr)",
            "CREATE INDEX ON audit_log (account_id, occurred_at)",
            "INSERT INTO audit_log VALUES (1, 'acme', '2026-11-21 04:00Z', '1', NULL, NULL, NULL, '10.0.0.1/32'), \
             (2, 'Acme', '2026-11-21 04:00Z', '2', NULL, NULL, NULL, NULL), \
             (3, 'acme', '2026-11-21 04:00Z', '3', NULL, NULL, NULL, '10.1.0.0/16')",
        ];
        let bed = made(&statements, &vendor::settings(DAY)).await;
        bed.source.check().await.unwrap();
        let set = between(&bed.source.beginning(), &bed.capture().await);
        let read = bed.read(&set).await;
        let shown: Vec<_> =
            read.iter().map(|r| (r.email.as_str(), r.ip_address.as_deref().unwrap())).collect();
        assert_eq!(shown, [("1", "10.0.0.1"), ("3", "10.1.0.0/16")]);
    });
}

/// A fault of the data is told with the row's key and its column; the others of the table go on.
#[test]
fn a_time_that_no_record_can_have_is_told_with_its_row() {
    run(async {
        for time in ["infinity", "-infinity", "10000-01-01Z", "0004-01-01Z BC"] {
            let bed = Bed::table().await;
            bed.insert_at(&["01:00"]).await;
            let sql = format!(
                "INSERT INTO audit_log (id, account_id, occurred_at, email, action) VALUES (77, 'acme', '{time}', '', '')"
            );
            bed.application().await.execute(&sql).await.unwrap();
            let set = between(&bed.source.beginning(), &bed.capture().await);
            let error = bed.source.read(&id("acme"), &set, None, 10).await.unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, SourceError::BadRecord { .. }), "{text}");
            assert!(
                text.contains("record 77 of") && text.contains("its occurred_at is infinity, or not"),
                "{text}"
            );
            let waiting = bed.source.waiting(&id("acme"), &watermark(set.lo)).await.unwrap();
            assert_eq!((waiting.records, waiting.oldest), (2, Some(at("01:00"))), "{time}");
        }
    });
}

#[test]
fn a_database_that_is_not_utf8_is_refused() {
    run(async {
        for encoding in ["LATIN1", "SQL_ASCII"] {
            let (cluster, database) = (vendor::cluster(), format!("in_{}", encoding.to_lowercase()));
            let create =
                format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'");
            vendor::sql(cluster, "postgres", &[&create]).await;
            let own = crate::source_contract::bed::open(&cluster.url(&database)).await;
            let mut told = vec![own.migrate().await.unwrap_err()];
            vendor::make(cluster, &database).await;
            let bed = Bed::reading(cluster, &database, &vendor::settings(DAY));
            told.push(bed.source.check().await.unwrap_err());
            for error in told {
                let text = error.to_string();
                assert!(matches!(error, SourceError::Unfit(_)), "{text}");
                let says = format!("the source's database {database} is encoded in {encoding}");
                assert!(text.contains(&says) && text.contains("ENCODING 'UTF8'"), "{text}");
            }
        }
    });
}

/// Names that must be quoted, and the types that other vendors have.
#[test]
fn a_table_of_other_types_is_read() {
    run(async {
        let name = r#"Audit "Events"; DROP TABLE x; --"#;
        let quoted = name.replace('"', "\"\"");
        let settings = TableSettings {
            name: name.to_owned(),
            account: "Tenant".to_owned(),
            key: "uid".to_owned(),
            time: "created_at".to_owned(),
            time_is_utc: true,
            email: "actor".to_owned(),
            action: "kind".to_owned(),
            action_id: "number".to_owned(),
            description: "details".to_owned(),
            ip_address: "ip".to_owned(),
            ..vendor::settings(DAY)
        };
        let table = format!(
            "CREATE TABLE \"{quoted}\" (\"Tenant\" integer, uid uuid NOT NULL UNIQUE, created_at timestamp NOT NULL, \
             actor varchar(50), kind kind NOT NULL, number int, details jsonb, ip inet)"
        );
        let index = format!("CREATE INDEX ON \"{quoted}\" (created_at)");
        let rows = format!(
            "INSERT INTO \"{quoted}\" VALUES \
             (42, 'b0000000-0000-0000-0000-000000000000', '2026-11-21 04:00', NULL, 'login', 7, '{{\"a\": 1}}', '203.0.113.7'), \
             (42, 'a0000000-0000-0000-0000-000000000000', '2026-11-21 04:00', 'ana', 'logout', NULL, NULL, '2001:db8::1/64'), \
             (NULL, gen_random_uuid(), '2026-11-21 04:00', 'nobody', 'login', NULL, NULL, NULL)"
        );
        let bed =
            made(&["CREATE TYPE kind AS ENUM ('login', 'logout')", &table, &index, &rows], &settings).await;
        bed.source.check().await.unwrap();
        let set = between(&bed.source.beginning(), &bed.capture().await);
        let read = bed.read_in_pages(&id("42"), &set, 1).await;
        let shown: Vec<_> = read
            .iter()
            .map(|r| {
                assert_eq!(r.occurred_at, at("04:00"));
                [
                    &r.email,
                    &r.action,
                    r.action_id.as_deref().unwrap_or("-"),
                    &r.description,
                    r.ip_address.as_deref().unwrap(),
                ]
                .join(" ")
            })
            .collect();
        assert_eq!(shown, ["ana logout -  2001:db8::1/64", " login 7 {\"a\": 1} 203.0.113.7"]);
        for not_one in ["042", "acme", "99999999999999999999"] {
            let error = bed.source.read(&id(not_one), &set, None, 10).await.unwrap_err();
            assert!(error.to_string().contains("the column Tenant is a whole number"), "{error}");
        }
    });
}

#[test]
fn a_partitioned_table_is_read() {
    run(async {
        let table = "CREATE TABLE audit_log (id bigint NOT NULL, account_id uuid, occurred_at timestamptz NOT NULL, \
            email text, action text, action_id text, description text, ip_address text, PRIMARY KEY (id, occurred_at)) \
            PARTITION BY RANGE (occurred_at)";
        let statements = [
            table,
            "CREATE TABLE old PARTITION OF audit_log FOR VALUES FROM (MINVALUE) TO ('2026-11-21 02:00Z')",
            "CREATE TABLE new PARTITION OF audit_log FOR VALUES FROM ('2026-11-21 02:00Z') TO (MAXVALUE)",
            "CREATE INDEX ON audit_log (account_id, occurred_at)",
            "INSERT INTO audit_log SELECT n, '0ab7f1e5-6f0e-4c77-9d33-111111111111', '2026-11-21 00:00Z'::timestamptz \
             + n * interval '1 hour', n::text FROM generate_series(1, 4) AS n",
        ];
        let years = Duration::from_secs(100 * 365 * 86_400);
        let bed = made(&statements, &vendor::settings(years)).await;
        bed.source.check().await.unwrap();
        let account = id("0ab7f1e5-6f0e-4c77-9d33-111111111111");
        let beginning = watermark(bed.source.beginning());
        let hi = bed.source.pin(&account, Some(&beginning), &bed.capture().await).await.unwrap();
        let read = bed.read_in_pages(&account, &between(&beginning.bound, &hi), 3).await;
        assert_eq!(read.iter().map(|r| r.email.as_str()).collect::<Vec<_>>(), ["1", "2", "3", "4"]);
        // Rows that were loaded elsewhere before they become a part of the table are noticed.
        let mut owner = bed.application().await;
        owner.execute("ALTER TABLE audit_log DETACH PARTITION old").await.unwrap();
        let error = bed.source.recognise(&account, &hi).await.unwrap_err();
        assert!(error.to_string().contains("4 were there, and now 3 are"), "{error}");
        owner.execute("ALTER TABLE audit_log ATTACH PARTITION old FOR VALUES FROM (MINVALUE) TO ('2026-11-21 02:00Z')").await.unwrap();
        bed.source.recognise(&account, &hi).await.unwrap();
    });
}

#[test]
fn nothing_is_ever_written() {
    run(async {
        let bed = Bed::table().await;
        bed.source.migrate().await.unwrap();
        let error = bed.source.import(&id("acme")).await.err().expect("refused").to_string();
        assert!(error.contains("public.audit_log is your own table"), "{error}");
    });
}
