//! Records as an application inserts them, and as they must come out of the objects.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use crate::daemon::app::App;
use crate::daemon::bucket::{Bucket, Object};
use crate::support::{eventually, folder};

/// A row of `audit_log`, in the columns that an application writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) account: String,
    pub(crate) at: Timestamp,
    pub(crate) email: String,
    pub(crate) action: String,
    pub(crate) action_id: Option<String>,
    pub(crate) description: String,
    pub(crate) ip: Option<String>,
}

/// Ordinary rows; `label` tells them from others.
pub(crate) fn rows(account: &str, label: &str, count: usize) -> Vec<Row> {
    let now = Timestamp::from_microsecond(Timestamp::now().as_microsecond()).expect("now");
    (0..count)
        .map(|index| Row {
            account: account.to_owned(),
            at: now + SignedDuration::from_micros(1_337 * index as i64),
            email: format!("{label}-{index}@acme.example"),
            action: "role.granted".to_owned(),
            action_id: index.is_multiple_of(2).then(|| format!("ACT-{index}")),
            description: format!("{label}: granted \"admin\" to number {index}"),
            ip: (!index.is_multiple_of(3)).then(|| format!("203.0.113.{}", index % 250)),
        })
        .collect()
}

impl Row {
    /// What an object must say of it.
    pub(crate) fn json(&self, zone: &TimeZone) -> Value {
        let date = self.at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
        json!({
            "Date": date,
            "Email": known(&self.email),
            "Action": known(&self.action),
            "Action ID": self.action_id.as_deref().and_then(known),
            "Description": known(&self.description),
            "IP Address": self.ip.as_deref().and_then(known),
        })
    }
}

/// An empty text is as good as none.
fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

const COLUMNS: &str = "account_id, occurred_at, email, action, action_id, description, ip_address";

/// Inserts in a transaction that is open already.
pub(crate) async fn insert_on(connection: &mut PgConnection, rows: &[Row]) {
    let sql = format!("INSERT INTO audit_log ({COLUMNS}) VALUES ($1, $2::timestamptz, $3, $4, $5, $6, $7)");
    for row in rows {
        sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(&row.account)
            .bind(row.at.to_string())
            .bind(&row.email)
            .bind(&row.action)
            .bind(&row.action_id)
            .bind(&row.description)
            .bind(&row.ip)
            .execute(&mut *connection)
            .await
            .expect("a row");
    }
}

/// A connection of an application's to a SQLite file.
pub(crate) async fn sqlite(url: &str) -> SqliteConnection {
    let options: SqliteConnectOptions = url.parse().expect("a URL");
    options.busy_timeout(Duration::from_secs(60)).connect().await.expect("SQLite")
}

impl App {
    /// Inserts in one transaction.
    pub(crate) async fn insert(&self, rows: &[Row]) {
        if self.url.starts_with("postgres:") {
            let mut connection = PgConnection::connect(&self.url).await.expect("Postgres");
            let mut tx = connection.begin().await.expect("a transaction");
            insert_on(&mut tx, rows).await;
            tx.commit().await.expect("a commit");
            return;
        }
        let mut connection = sqlite(&self.url).await;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
        let sql = format!("INSERT INTO audit_log ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)");
        for row in rows {
            sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(&row.account)
                .bind(row.at.to_string())
                .bind(&row.email)
                .bind(&row.action)
                .bind(&row.action_id)
                .bind(&row.description)
                .bind(&row.ip)
                .execute(&mut *tx)
                .await
                .expect("a row");
        }
        tx.commit().await.expect("a commit");
    }

    /// Waits until a bucket holds so many records of an account.
    pub(crate) async fn delivered(&self, bucket: &Bucket, account: &str, count: usize) {
        let mut known = BTreeMap::new();
        let what = format!("{count} records of {account}");
        eventually(&what, async || {
            for key in keys_of(bucket, account).await {
                if let Entry::Vacant(new) = known.entry(key) {
                    let records = unpack(bucket, new.key()).await.records.len();
                    new.insert(records);
                }
            }
            if known.values().sum::<usize>() >= count {
                return Some(());
            }
            // moto and Azurite need their time for other things than listings.
            tokio::time::sleep(Duration::from_millis(30)).await;
            None
        })
        .await;
    }

    /// That a bucket holds exactly these rows of an account, each once and in order, and
    /// that the history says the same. Returns the objects.
    pub(crate) async fn verify(&self, bucket: &Bucket, account: &str, rows: &[Row]) -> Vec<Unpacked> {
        let mut objects = Vec::new();
        for key in keys_of(bucket, account).await {
            objects.push(unpack(bucket, &key).await);
        }
        self.compare(account, &objects, rows);
        objects
    }

    /// The same for objects of several buckets.
    pub(crate) fn compare(&self, account: &str, objects: &[Unpacked], rows: &[Row]) {
        let zone =
            self.show(account)["zone"].as_str().map(|name| TimeZone::get(name).expect("a zone")).unwrap();
        let found: Vec<&Value> = objects.iter().flat_map(|object| &object.records).collect();
        let expected: Vec<Value> = rows.iter().map(|row| row.json(&zone)).collect();
        let name = |record: &Value| record["Email"].as_str().unwrap_or_default().to_owned();
        let names: Vec<String> = found.iter().map(|record| name(record)).collect();
        assert_eq!(names, expected.iter().map(name).collect::<Vec<_>>(), "{account}: who is in the objects");
        for (found, expected) in found.into_iter().zip(&expected) {
            assert_eq!(found, expected, "{account}");
            let fields: Vec<&String> = found.as_object().expect("an object").keys().collect();
            assert_eq!(fields, expected.as_object().unwrap().keys().collect::<Vec<_>>(), "{account}");
        }
        let history: Vec<(String, u64)> = self
            .deliveries(account)
            .iter()
            .inspect(|row| assert_eq!(row["state"], "delivered", "{row}"))
            .map(|row| (row["key"].as_str().unwrap().to_owned(), row["records"].as_u64().unwrap()))
            .collect();
        let objects: Vec<(String, u64)> =
            objects.iter().map(|object| (object.key.clone(), object.records.len() as u64)).collect();
        assert_eq!(history, objects, "{account}: the history and the objects, in order of keys");
    }
}

/// The encoding of an account id in keys, written a second time from its description.
pub(crate) fn encoded(account: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    account
        .bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!(".{byte:02x}") })
        .collect()
}

/// The keys of an account, in order.
pub(crate) async fn keys_of(bucket: &Bucket, account: &str) -> Vec<String> {
    let account = encoded(account);
    let mut keys = bucket.keys().await;
    keys.retain(|key| key.rsplit('/').next().unwrap().starts_with(&format!("audit_{account}_")));
    keys
}

/// The slot in a key, such as `20261121T040000Z`.
pub(crate) fn slot_of(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap();
    let at = name.match_indices('T').map(|(at, _)| at).rfind(|at| name.as_bytes().get(at + 7) == Some(&b'Z'));
    let at = at.unwrap_or_else(|| panic!("{key} names no slot"));
    &name[at - 8..at + 8]
}

/// An object that was read.
pub(crate) struct Unpacked {
    pub(crate) key: String,
    pub(crate) object: Object,
    pub(crate) content: Vec<u8>,
    pub(crate) records: Vec<Value>,
}

/// Reads an object with tools that are not ours, and checks its shape.
pub(crate) async fn unpack(bucket: &Bucket, key: &str) -> Unpacked {
    let object = bucket.get(key).await;
    let extension = key.rsplit_once('Z').map(|(_, rest)| rest.split_once('.').unwrap().1).unwrap();
    if extension == "parquet" {
        let file = folder("parquet").join(key.replace('/', "+"));
        std::fs::write(&file, &object.body).expect("a file");
        let records = crate::daemon::siem_readers::columns("pyarrow", &[file.to_str().unwrap().to_owned()]);
        return Unpacked { key: key.to_owned(), object, content: Vec::new(), records };
    }
    let content = match extension {
        "zip" => unzip(key, &object.body),
        "jsonl.gz" | "json.gz" => filter(&["gunzip", "-c"], &object.body),
        "jsonl.zst" | "json.zst" => filter(&["zstd", "-dcq"], &object.body),
        _ => object.body.clone(),
    };
    assert_eq!(format!("{:x}", Sha256::digest(&content)), object.sha256, "{key}: its metadata");
    let text = std::str::from_utf8(&content).expect("UTF-8");
    let breaks = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];
    assert!(!text.contains(breaks), "{key}: a character at which readers split lines");
    assert!(!text.starts_with('\u{feff}'), "{key}: a byte order mark");
    let records = match extension {
        "zip" | "jsonl.gz" | "jsonl.zst" | "jsonl" => {
            assert!(text.is_empty() || text.ends_with('\n'), "{key}: the last line has no end");
            text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
        }
        _ => {
            let script = "import json, sys; json.dump(json.load(sys.stdin), sys.stdout)";
            serde_json::from_slice(&filter(&["python3", "-c", script], &content)).expect("an array")
        }
    };
    Unpacked { key: key.to_owned(), object, content, records }
}

/// The one entry of a zip.
fn unzip(key: &str, body: &[u8]) -> Vec<u8> {
    // Tests share names of objects.
    let file = folder("zips").join(format!("{:x}.zip", Sha256::digest([key.as_bytes(), body].concat())));
    std::fs::write(&file, body).expect("a file");
    let path = file.to_str().expect("UTF-8");
    let listed = filter(&["unzip", "-Z1", path], b"");
    let name = Path::new(key).file_stem().unwrap().to_str().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed), format!("{name}.json\n"), "the one entry of {key}");
    filter(&["unzip", "-p", path], b"")
}

/// Runs a program over some bytes.
pub(crate) fn filter(words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let mut pipe = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || pipe.write_all(input));
        child.wait_with_output().expect("its output")
    });
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The emails of some objects, for cases that compare sets.
pub(crate) fn emails(objects: &[Unpacked]) -> BTreeSet<String> {
    let records = objects.iter().flat_map(|object| &object.records);
    records.map(|record| record["Email"].as_str().expect("text").to_owned()).collect()
}
