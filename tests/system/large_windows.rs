//! Large windows on PostgreSQL: what COPY sends, the pipeline makes and the worker puts is
//! what PostgreSQL itself says of the records, whatever their sizes.

use crate::support::by;
use std::io::{Cursor, Read as _};
use std::time::Duration;

use crate::support::rig::{Rig, at, bucket};
use crate::support::{folder, postgres, run, secret};
use auditferry::delivery::worker::Mode;
use auditferry::demo::bucket::EmbeddedBucket;
use auditferry::source;
use auditferry_core::model::format::{Container, Format, MAX_WHOLE};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

/// Sizes that jump, so that the mean misleads and readings are broken off: most records have
/// some hundred bytes, some 64 KB, and a row of them 29 KB.
const INSERT: &str = "INSERT INTO audit_log (account_id, occurred_at, email, action, action_id, description) \
    SELECT '{account}', timestamptz '2026-11-20T23:00:00Z' + i * interval '1 second', 'person ' || i, 'login', \
    CASE WHEN i % 3 = 0 THEN 'say \"' || i || E'\" \\n\\\\' END, \
    repeat(md5(i::text), CASE WHEN i % 97 = 0 THEN 2000 WHEN i BETWEEN 2000 AND 2100 THEN 900 ELSE i % 9 END) \
    FROM generate_series(1, 4000) AS i ORDER BY i";

/// The lines as PostgreSQL writes them.
const LINES: &str = "SELECT '{\"Date\":\"' || to_char(occurred_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS+00:00') \
    || '\",\"Email\":' || to_json(email) || ',\"Action\":' || to_json(action) || ',\"Action ID\":' \
    || coalesce(to_json(action_id)::text, 'null') || ',\"Description\":' \
    || coalesce(to_json(nullif(description, ''))::text, 'null') || ',\"IP Address\":null}' FROM audit_log WHERE account_id = 'acme' ORDER BY seq";

/// The contents of the objects that a window of the records becomes, and its lines.
async fn delivered(name: &str, format: Format) -> (Vec<String>, Vec<String>) {
    let (mut objects, lines) = delivered_at_once(name, format, &["acme"], 8).await;
    (objects.remove(0), lines)
}

/// The same records of several accounts, which are due at once: the contents of each one's
/// objects, and the lines of one.
async fn delivered_at_once(
    name: &str,
    format: Format,
    accounts: &[&str],
    connections: u32,
) -> (Vec<Vec<String>>, Vec<String>) {
    let cluster = postgres::cluster();
    let url = cluster.url(&cluster.create().await);
    let mut rig = Rig::open(&url).await;
    rig.source = source::open(&url, connections).await.unwrap();
    let (root, key, any) = (folder(name), "secret", "127.0.0.1:0".parse().unwrap());
    let server = EmbeddedBucket::start(&root, "all", "AKIA", key, any).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("SET TIME ZONE 'UTC'").execute(&mut connection).await.unwrap();
    for account in accounts {
        let id = rig.add(account).await;
        let mut change = |account: &mut auditferry::ledger::Account| {
            account.format = format.clone();
            Ok(())
        };
        rig.ledger.edit_account(&by(), &id, &mut change).await.unwrap();
        let destination = bucket("all", &server.endpoint(), secret(key));
        rig.ledger.set_destination(&by(), &id, &destination, &[]).await.unwrap();
        let insert = INSERT.replace("{account}", account);
        sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut connection).await.unwrap();
    }
    rig.clock.set(at("04:00"));
    let worker = rig.worker("test", Duration::from_secs(60));
    let failed = worker.run(Mode::UntilIdle, CancellationToken::new()).await.unwrap();
    assert!(failed.is_empty(), "{failed:?}");

    let content = |path: &std::path::PathBuf| {
        let mut text = String::new();
        let bytes = std::fs::read(path).unwrap();
        if format.container == Container::None {
            return String::from_utf8(bytes).unwrap();
        }
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        zip.by_index(0).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let contents = accounts.iter().map(|account| {
        let folder = std::fs::read_dir(root.join("all/audit").join(account)).unwrap();
        let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
        files.sort();
        files.iter().map(content).collect()
    });
    let lines = sqlx::query_scalar(LINES).fetch_all(&mut connection).await.unwrap();
    (contents.collect(), lines)
}

fn assert_same(objects: &[String], lines: &[String]) {
    let found: Vec<&str> = objects.iter().flat_map(|object| object.lines()).collect();
    assert_eq!(found.len(), lines.len());
    for (found, line) in found.into_iter().zip(lines) {
        assert!(found == line, "{found:.200} is not {line:.200}");
    }
}

#[test]
fn objects_that_are_limited_in_bytes_hold_every_record_once() {
    run(async {
        let format = Format { max_bytes: 150_000, ..Format::default() };
        let (objects, lines) = delivered("by-bytes", format).await;
        assert_same(&objects, &lines);
        assert!(objects.len() > 30, "{} objects", objects.len());
        // Full as far as the next record lets them be.
        for pair in objects.windows(2) {
            let next = pair[1].lines().next().unwrap().len();
            assert!(pair[0].len() <= 150_000 && pair[0].len() + next + 4 > 150_000, "{}", pair[0].len());
        }
    });
}

#[test]
fn objects_that_are_limited_in_records_are_filled_to_the_last() {
    run(async {
        let format = Format { max_records: 800, container: Container::None, ..Format::default() };
        let (objects, lines) = delivered("by-records", format).await;
        assert_same(&objects, &lines);
        assert_eq!(objects.iter().map(|object| object.lines().count()).collect::<Vec<_>>(), [800; 5]);
    });
}

#[test]
fn a_large_object_is_complete_whether_it_is_deflated_whole_or_in_pieces() {
    run(async {
        for (name, max_bytes) in [("whole", MAX_WHOLE), ("in-pieces", MAX_WHOLE + 1)] {
            let format = Format { max_bytes, ..Format::default() };
            let (objects, lines) = delivered(name, format).await;
            assert_same(&objects, &lines);
            assert!(objects.len() == 1 && objects[0].len() > 5 << 20, "{} bytes", objects[0].len());
        }
    });
}

#[test]
fn more_large_objects_at_once_than_may_be_in_memory_are_all_delivered() {
    run(async {
        // One connection, which nobody may keep while others with much content wait for it.
        let accounts = ["acme", "bravo", "coral", "delta", "ember", "flint", "gamma", "hazel"];
        let (objects, lines) = delivered_at_once("many", Format::default(), &accounts, 1).await;
        for objects in objects {
            assert_same(&objects, &lines);
        }
    });
}
