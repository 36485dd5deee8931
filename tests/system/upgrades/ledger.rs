//! Ledgers of past schemas. `ledger.json` and `source.json` hold what an installation of the release
//! before migration 12 held, written by that release (see `README.md`). A ledger of an earlier schema
//! is what of it that schema had: its tables, its columns, and the accounts that need no later one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqlSafeStr as _, SqliteConnection};

use crate::support::postgres::cluster;

/// The server of that time.
const OLD_SERVER: &str = "127.0.0.1:18999";

/// The schema from which on there can be such an account; the others always could be.
const SINCE: [(&str, usize); 5] = [("paused", 2), ("suspended", 2), ("vault", 3), ("role", 9), ("proof", 10)];

/// Referenced tables stand before those that refer to them.
const TABLES: [&str; 12] = [
    "ledger_identity",
    "account",
    "destination",
    "sealed_secret",
    "export_window",
    "delivery",
    "attempt",
    "change_log",
    "change_outbox",
    "replay",
    "replayed_object",
    "awaited_proof",
];

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/upgrades")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// The scripts of its ledger's migrations, in their order.
    pub(crate) fn migrations(self) -> Vec<PathBuf> {
        let kind = if self == Self::Sqlite { "sqlite" } else { "postgres" };
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(kind).join("ledger");
        let mut scripts: Vec<_> =
            std::fs::read_dir(scripts).unwrap().map(|entry| entry.unwrap().path()).collect();
        scripts.sort();
        scripts
    }

    /// The first so many of them, as the program applies them.
    fn migrator(self, version: usize) -> Migrator {
        let migrations = (1..).zip(self.migrations().into_iter().take(version)).map(|(number, path)| {
            let sql = AssertSqlSafe(std::fs::read_to_string(path).unwrap()).into_sql_str();
            Migration::new(number, format!("{number}").into(), MigrationType::Simple, sql, false)
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.set_locking(false).dangerous_set_table_name("auditferry_ledger_migrations");
        migrator
    }
}

type Rows = BTreeMap<String, Vec<Map<String, Value>>>;

fn read(name: &str) -> Rows {
    serde_json::from_str(&std::fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

/// A ledger of a past schema, with what is in it.
pub(crate) struct Past {
    url: String,
    rows: Rows,
    _folder: tempfile::TempDir,
}

impl Past {
    /// Makes it, with its destinations at another server.
    pub(crate) async fn new(kind: Kind, version: usize, endpoint: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = read("ledger.json");
        let later: BTreeSet<&str> =
            SINCE.iter().filter(|(_, since)| *since > version).map(|(name, _)| *name).collect();
        let server = endpoint.strip_prefix("http://").unwrap();
        for row in rows.values_mut().flatten() {
            let sealed = row.get("account").is_some_and(|account| account == "vault");
            for text in row.values_mut().filter_map(|value| match value {
                Value::String(text) if !sealed => Some(text),
                _ => None,
            }) {
                *text = text.replace(OLD_SERVER, server);
                for bucket in ["lost", "flaky", "plain", "deny", "held"] {
                    *text = text.replace(&format!("\"bucket\":\"{bucket}\""), "\"bucket\":\"acme\"");
                }
            }
        }
        for (table, rows) in &mut rows {
            let owner = if table == "account" { "id" } else { "account" };
            rows.retain(|row| {
                row.get(owner).and_then(Value::as_str).is_none_or(|account| !later.contains(account))
            });
        }
        let url = match kind {
            Kind::Sqlite => format!("sqlite:{}", folder.path().join("ledger.db").display()),
            Kind::Postgres => cluster().url(&cluster().create().await),
        };
        match kind {
            Kind::Sqlite => {
                let mut connection = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
                kind.migrator(version).run_direct(None, &mut connection, false).await.unwrap();
                for table in TABLES {
                    let sql = format!("SELECT name, type FROM pragma_table_info('{table}')");
                    let columns = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
                    let columns =
                        columns.iter().map(|column| (column.get("name"), column.get("type"))).collect();
                    let sql = filled(table, &columns, &mut rows);
                    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
                }
                connection.close().await.unwrap();
            }
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&url).await.unwrap();
                kind.migrator(version).run_direct(None, &mut connection, false).await.unwrap();
                for table in TABLES {
                    let sql = format!(
                        "SELECT column_name::text AS name, data_type::text AS type \
                         FROM information_schema.columns WHERE table_name = '{table}'"
                    );
                    let columns = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
                    let columns =
                        columns.iter().map(|column| (column.get("name"), column.get("type"))).collect();
                    let sql = filled(table, &columns, &mut rows);
                    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
                }
                connection.close().await.unwrap();
            }
        }
        Self { url, rows, _folder: folder }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What it held in a table.
    pub(crate) fn rows(&self, table: &str) -> &[Map<String, Value>] {
        &self.rows[table]
    }

    /// The ids of its accounts, in their order.
    pub(crate) fn accounts(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.rows["account"].iter().map(|row| row["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn knows(&self, account: &str) -> bool {
        self.accounts().contains(&account)
    }

    /// The row of an account; what it lacks is null.
    pub(crate) fn account(&self, id: &str) -> Value {
        Value::Object(self.rows["account"].iter().find(|row| row["id"] == id).unwrap().clone())
    }

    pub(crate) fn has_destination(&self, account: &str) -> bool {
        !self.account(account)["destination_version"].is_null()
    }

    pub(crate) fn windows(&self, account: &str) -> usize {
        self.rows["export_window"].iter().filter(|row| row["account"] == account).count()
    }

    /// How many windows are in delivery whose account is not held.
    pub(crate) fn open_windows(&self) -> usize {
        let open = |row: &&Map<String, Value>| row["state"] == "open" && row["account"] != "held";
        self.rows["export_window"].iter().filter(open).count()
    }
}

/// What fills a table with those of its rows' columns that it has. A table that is not there has none.
fn filled(table: &str, columns: &BTreeMap<String, String>, rows: &mut Rows) -> String {
    if columns.is_empty() {
        rows.insert(table.to_owned(), Vec::new());
        return String::new();
    }
    let mut sql = String::new();
    if table == "ledger_identity" {
        sql.push_str("DELETE FROM ledger_identity; ");
    }
    for row in &rows[table] {
        // Given by the database: 1, 2, 3 … as there.
        let given = |name: &str| table == "change_log" && name == "seq";
        let known = row.iter().filter(|(name, _)| columns.contains_key(*name) && !given(name));
        let (names, values): (Vec<_>, Vec<_>) =
            known.map(|(name, value)| (name.as_str(), literal(value, &columns[name]))).unzip();
        sql.push_str(&format!("INSERT INTO {table} ({}) VALUES ({}); ", names.join(", "), values.join(", ")));
    }
    sql
}

fn literal(value: &Value, kind: &str) -> String {
    match (value, kind) {
        (Value::Number(number), "timestamp with time zone") => {
            format!("timestamptz 'epoch' + {number} * interval '1 microsecond'")
        }
        (Value::Number(number), "boolean") => (number.as_i64() == Some(1)).to_string(),
        (Value::Number(number), _) => number.to_string(),
        (Value::String(text), _) => format!("'{}'", text.replace('\'', "''")),
        (Value::Object(blob), "bytea") => format!("'\\x{}'", blob["hex"].as_str().unwrap()),
        (Value::Object(blob), _) => format!("x'{}'", blob["hex"].as_str().unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Fills a migrated source, which is always on SQLite: PostgreSQL's transaction ids cannot be brought back.
pub(crate) async fn fill_source(url: &str) {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    for (table, rows) in read("source.json") {
        for mut row in rows {
            // Given by the table: 1, 2, 3 … as there.
            row.remove("seq");
            let (names, values): (Vec<_>, Vec<_>) =
                row.iter().map(|(name, value)| (name.as_str(), literal(value, "text"))).unzip();
            let sql = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "));
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
    }
    connection.close().await.unwrap();
}
