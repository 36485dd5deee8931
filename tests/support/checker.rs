//! An independent checker of what was delivered. It knows SQL, Python's `zipfile` and
//! `json`, and the promise; nothing of our library. Problems are returned as texts, so
//! that a test can print its seed beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

/// Unzips each object and reads its lines. One entry, named like the object; the six
/// fields in their order, the time as milliseconds since 1970.
const UNZIP: &str = r#"
import datetime, hashlib, json, sys, zipfile
epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
fields = ["Date", "Email", "Action", "Action ID", "Description", "IP Address"]
for key, path in json.load(sys.stdin):
    data = open(path, "rb").read()
    with zipfile.ZipFile(path) as archive:
        [entry] = archive.namelist()
        assert entry == key.rsplit("/", 1)[1].removesuffix(".zip") + ".json", entry
        assert archive.testzip() is None
        content = archive.read(entry)
    rows = []
    for line in content.decode("utf-8").splitlines():
        pairs = json.loads(line, object_pairs_hook=list)
        assert [name for name, _ in pairs] == fields, line
        values = [value for _, value in pairs]
        at = datetime.datetime.fromisoformat(values[0]) - epoch
        rows.append([at // datetime.timedelta(milliseconds=1)] + values[1:])
    sha = lambda data: hashlib.sha256(data).hexdigest()
    print(json.dumps({"key": key, "object": sha(data), "content": sha(content), "rows": rows}))
"#;

/// The database that holds source and ledger.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

/// The objects of a bucket by key.
pub type Objects = BTreeMap<String, Vec<u8>>;

impl Database {
    /// As `ledger.url` has it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    pub async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(_) => drop(sql.execute(&mut self.sqlite().await).await.expect("SQL")),
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.expect("Postgres");
                sql.execute(&mut connection).await.expect("SQL");
                connection.close().await.expect("closes");
            }
        }
    }

    async fn sqlite(&self) -> SqliteConnection {
        let connection = SqliteConnection::connect(&self.url()).await;
        let mut connection = connection.expect("SQLite");
        sqlx::raw_sql("PRAGMA busy_timeout = 30000").execute(&mut connection).await.expect("pragma");
        connection
    }

    /// The rows of a query, each as a list of JSON values.
    pub async fn rows(&self, columns: &str, rest: &str) -> Vec<Vec<Value>> {
        let texts: Vec<String> = match self {
            Self::Sqlite(_) => {
                let sql = format!("SELECT json_array({columns}) {rest}");
                let query = sqlx::query_scalar(AssertSqlSafe(sql));
                query.fetch_all(&mut self.sqlite().await).await.expect("SQL")
            }
            Self::Postgres(url) => {
                let sql = format!("SELECT json_build_array({columns})::text {rest}");
                let mut connection = PgConnection::connect(url).await.expect("Postgres");
                let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
                connection.close().await.expect("closes");
                rows.expect("SQL")
            }
        };
        texts.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
    }

    async fn number(&self, what: &str, rest: &str) -> i64 {
        self.rows(what, rest).await[0][0].as_i64().expect("a number")
    }

    /// Records in the source, records in delivered objects, and windows in delivery.
    pub async fn progress(&self) -> (i64, i64, i64) {
        let source = self.number("count(*)", "FROM audit_log").await;
        let delivered = "CAST(coalesce(sum(records), 0) AS bigint)";
        let delivered = self.number(delivered, "FROM delivery WHERE state = 'delivered'").await;
        let open = self.number("count(*)", "FROM account WHERE open_window IS NOT NULL").await;
        (source, delivered, open)
    }

    /// The committed records of each account, in the order of their commits as far as
    /// the database can tell it.
    async fn records(&self) -> BTreeMap<String, Vec<Value>> {
        let (at, order) = match self {
            Self::Sqlite(_) => ("CAST(round(unixepoch(occurred_at, 'subsec') * 1000) AS INTEGER)", "seq"),
            Self::Postgres(_) => ("floor(extract(epoch FROM occurred_at) * 1000)::bigint", "tx, seq"),
        };
        let texts = ["email", "action", "action_id", "description", "ip_address"];
        let texts = texts.map(|text| format!("nullif({text}, '')")).join(", ");
        let columns = format!("account_id, {at}, {texts}");
        let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for mut row in self.rows(&columns, &format!("FROM audit_log ORDER BY {order}")).await {
            let account = text(&row.remove(0));
            records.entry(account).or_default().push(Value::Array(row));
        }
        records
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub records: usize,
    pub objects: usize,
    pub windows: usize,
    pub attempts: usize,
    /// Empty when every promise is kept.
    pub problems: Vec<String>,
}

/// Compares the objects with the source, and the ledger with both. `folder` is for the
/// unpacking. `in_one_order`: one writer wrote, so that an account's records stand in
/// one order across objects too.
pub async fn check(database: &Database, objects: &Objects, folder: &Path, in_one_order: bool) -> Report {
    let mut report = Report { objects: objects.len(), ..Report::default() };
    let unzipped = match unzip(objects, folder) {
        Ok(unzipped) => unzipped,
        Err(problem) => {
            report.problems.push(problem);
            return report;
        }
    };
    let records = database.records().await;
    report.records = records.values().map(Vec::len).sum();
    every_record_once(&records, &unzipped, in_one_order, &mut report.problems);
    history(database, &unzipped, &mut report).await;
    report
}

/// What is wrong while an account is held because of an object of somebody else's under
/// `key`: nothing of it may count as delivered, and the others must have everything.
pub async fn check_held(
    database: &Database,
    mut objects: Objects,
    folder: &Path,
    account: &str,
    key: &str,
) -> Vec<String> {
    let mut problems = Vec::new();
    let states = database
        .rows("held, trouble_kind, open_window", &format!("FROM account WHERE id = '{account}'"))
        .await;
    if states != [[json!("foreign_object"), json!("foreign_object"), json!(1)]] {
        problems.push(format!("{account} is not held in its first window: {states:?}"));
    }
    let of_key = format!("FROM delivery WHERE account = '{account}'");
    let deliveries = database.rows("key, state", &of_key).await;
    if deliveries != [[json!(key), json!("sealed")]] {
        problems.push(format!("{account}: the ledger says {deliveries:?} of {key}"));
    }
    let delivered = format!("FROM attempt WHERE account = '{account}' AND outcome = 'delivered'");
    if database.number("count(*)", &delivered).await != 0 {
        problems.push(format!("{account}: an attempt counts as delivered"));
    }
    objects.retain(|name, _| name != key);
    let mut records = database.records().await;
    records.remove(account);
    match unzip(&objects, folder) {
        Ok(unzipped) => every_record_once(&records, &unzipped, true, &mut problems),
        Err(problem) => problems.push(problem),
    }
    problems
}

/// Objects of before that are gone or are not what they were.
pub fn changed(before: &Objects, after: &Objects) -> Vec<String> {
    let changed = before.iter().filter(|(key, bytes)| after.get(*key) != Some(bytes));
    changed.map(|(key, _)| format!("{key} was changed or removed after it had been put")).collect()
}

fn unzip(objects: &Objects, folder: &Path) -> Result<Vec<Value>, String> {
    std::fs::create_dir_all(folder).expect("folder");
    let mut list = Vec::new();
    for (number, (key, bytes)) in objects.iter().enumerate() {
        let path = folder.join(number.to_string());
        std::fs::write(&path, bytes).expect("object");
        list.push(json!([key, path]));
    }
    let mut python = Command::new("python3")
        .args(["-c", UNZIP])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut input = python.stdin.take().expect("stdin");
    input.write_all(Value::Array(list).to_string().as_bytes()).expect("python3 reads");
    drop(input);
    let output = python.wait_with_output().expect("python3");
    let _ = std::fs::remove_dir_all(folder);
    if !output.status.success() {
        return Err(format!("an object cannot be read: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    Ok(lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

/// The account of `[prefix/]audit/ACCOUNT/audit_ACCOUNT_….zip`; the tests' ids need no encoding.
fn account_of(object: &Value) -> String {
    text(&object["key"]).rsplit('/').nth(1).unwrap_or_default().to_owned()
}

fn every_record_once(
    records: &BTreeMap<String, Vec<Value>>,
    unzipped: &[Value],
    in_one_order: bool,
    problems: &mut Vec<String>,
) {
    // The objects are in the order of their keys.
    let mut found: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    let places: BTreeMap<String, usize> = records
        .values()
        .flat_map(|records| records.iter().enumerate())
        .map(|(place, record)| (record.to_string(), place))
        .collect();
    for object in unzipped {
        let account = account_of(object);
        let rows = object["rows"].as_array().expect("rows");
        if !rows.iter().filter_map(|row| places.get(&row.to_string())).is_sorted() {
            problems.push(format!("{}: its records are not in order", object["key"]));
        }
        found.entry(account).or_default().extend(rows);
    }
    for account in records.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let mut counts: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        let wanted = records.get(account).map(Vec::as_slice).unwrap_or_default();
        let got = found.get(account).map(Vec::as_slice).unwrap_or_default();
        wanted.iter().for_each(|record| counts.entry(record.to_string()).or_default().0 += 1);
        got.iter().for_each(|record| counts.entry(record.to_string()).or_default().1 += 1);
        for (record, (committed, delivered)) in counts {
            if committed != 1 || delivered != 1 {
                problems.push(format!(
                    "{account}: {record} is {committed} times in the source, delivered {delivered} times"
                ));
            }
        }
        if in_one_order && !wanted.iter().eq(got.iter().copied()) {
            problems.push(format!("{account}: the records are not in one order across its objects"));
        }
    }
}

/// The ledger tells the same story: every window delivered, each where the one before
/// ended, the watermark at the end, and of each object what stands in the bucket.
async fn history(database: &Database, unzipped: &[Value], report: &mut Report) {
    let problems = &mut report.problems;
    let columns = "account, number, state, CAST(record_set AS text), objects, records";
    let windows = database.rows(columns, "FROM export_window ORDER BY account, number").await;
    report.windows = windows.len();
    let mut ends: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for window in &windows {
        let (account, number) = (text(&window[0]), window[1].as_i64().unwrap_or_default());
        let set: Value = serde_json::from_str(&text(&window[3])).expect("JSON");
        if window[2] != "delivered" {
            problems.push(format!("{account}: window {number} is {}", window[2]));
        }
        if let Some((before, end)) = ends.get(&account)
            && (before + 1 != number || *end != text(&set["lo"]))
        {
            problems.push(format!("{account}: window {number} does not begin where {before} ended"));
        }
        ends.insert(account, (number, text(&set["hi"])));
    }
    let columns = "id, windows, watermark, open_window, held, trouble_kind, CAST(suspended_at AS text)";
    for account in database.rows(columns, "FROM account").await {
        let id = text(&account[0]);
        let end = ends.get(&id).map(|(number, end)| (*number, end.clone()));
        if end != Some((account[1].as_i64().unwrap_or_default(), text(&account[2]))) {
            problems.push(format!("{id}: the watermark {} is not the end of {end:?}", account[2]));
        }
        if account[3..5].iter().any(|value| !value.is_null()) {
            problems.push(format!("{id}: window {} is open, held: {}", account[3], account[4]));
        }
        if !account[6].is_null() {
            problems.push(format!("{id}: it is suspended since {}", account[6]));
        }
    }
    let columns = "delivery.account, number, ordinal, key, state, records, object_sha256, content_sha256, \
                   doubtful, (SELECT count(*) FROM attempt WHERE attempt.account = delivery.account \
                   AND attempt.number = delivery.number AND attempt.ordinal = delivery.ordinal \
                   AND outcome = 'delivered')";
    let deliveries = database.rows(columns, "FROM delivery ORDER BY account, number, ordinal").await;
    let in_bucket: BTreeMap<String, &Value> =
        unzipped.iter().map(|object| (text(&object["key"]), object)).collect();
    let mut before: BTreeMap<String, String> = BTreeMap::new();
    for delivery in &deliveries {
        let (account, key) = (text(&delivery[0]), text(&delivery[3]));
        let object = in_bucket.get(&key);
        let rows = object.and_then(|object| object["rows"].as_array()).map(Vec::len);
        let as_stored = object
            .is_some_and(|object| object["object"] == delivery[6] && object["content"] == delivery[7])
            && rows.and_then(|rows| i64::try_from(rows).ok()) == delivery[5].as_i64();
        let settled =
            delivery[4] == "delivered" && (delivery[8] == false || delivery[8] == 0) && delivery[9] == 1;
        if !as_stored || !settled {
            problems.push(format!("{key}: the ledger says {}, the bucket {rows:?} rows", json!(delivery)));
        }
        if let Some(earlier) = before.insert(account, key.clone())
            && earlier >= key
        {
            problems.push(format!("{key} sorts before {earlier}, which was delivered earlier"));
        }
    }
    let known: BTreeSet<String> = deliveries.iter().map(|delivery| text(&delivery[3])).collect();
    for key in in_bucket.keys().filter(|key| !known.contains(*key)) {
        problems.push(format!("{key} is in the bucket and not in the ledger"));
    }
    report.attempts = usize::try_from(database.number("count(*)", "FROM attempt").await).unwrap_or(0);
}
