//! The records of a run, made by PostgreSQL from a seed, and the text that must be in the
//! objects, made by PostgreSQL too: nothing of our code takes part in it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::Command;

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::Result;
use crate::bed::succeed;
use crate::content::{Content, Contents};

/// The account of one large window.
pub(crate) const LARGE: &str = "large";
/// The zone of the accounts.
pub(crate) const ZONE: &str = "Asia/Kolkata";
/// Records of one transaction.
const BATCH: u64 = 10_000;

/// Records of a run, numbered from 0.
#[derive(Clone, Copy)]
pub(crate) struct Records<'a> {
    pub(crate) count: u64,
    /// SQL of the account's id, from the record's number `i`.
    pub(crate) account: &'a str,
    pub(crate) seed: u64,
}

/// SQL of the id of the account with a number.
pub(crate) fn small(number: &str) -> String {
    format!("'acct-' || lpad(({number})::text, 7, '0')")
}

/// One field of choices, picked by some bits of the row's hash.
fn pick(shift: u32, choices: &str) -> String {
    let count = choices.split(',').count();
    format!("('{{{choices}}}'::text[])[1 + ((h >> {shift}) & 1023) % {count}]")
}

/// Inserts all records, and lets Postgres do the housekeeping of a table that has
/// been there for a while.
pub(crate) async fn insert(url: &str, records: &Records<'_>) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    for from in (0..records.count).step_by(usize::try_from(BATCH)?) {
        insert_some(&mut connection, records, from..records.count.min(from + BATCH)).await?;
    }
    for sql in ["VACUUM (ANALYZE, FREEZE) audit_log", "CHECKPOINT"] {
        sqlx::raw_sql(sql).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

/// Inserts some records in one transaction.
pub(crate) async fn insert_some(
    connection: &mut PgConnection,
    records: &Records<'_>,
    numbers: Range<u64>,
) -> Result<()> {
    let Records { account, seed, .. } = records;
    let Range { start, end } = numbers;
    let name = pick(0, "ana,li,omar,eva,jon,priya,chen,fatima,lukas,nina,marco,sofia,ivan,mei,tariq,zoë");
    let company = pick(10, "acme,north-bank,globex");
    let action = pick(
        20,
        "login,logout,role.granted,role.revoked,document.shared,document.viewed,payment.approved,\
         export.created,key.rotated,user.invited",
    );
    let verb = pick(30, "opened,changed,approved,sent");
    let thing = pick(
        40,
        "the quarterly report,invoice,the customer list,a payment batch,the API key of the billing service,\
         the retention policy,the access group for auditors,a report on open cases",
    );
    let special = "CASE i % 100 WHEN 1 THEN ' \"quoted\" \\ and' WHEN 2 THEN E' line\\nbreak' \
        WHEN 3 THEN U&' \\2028 \\0085 \\+01F98A' ELSE '' END";
    let sql = format!(
        "INSERT INTO audit_log (account_id, occurred_at, email, action, action_id, description, ip_address) \
         SELECT {account}, timestamptz '2026-11-01T00:00:00Z' + i * interval '37123 microseconds', \
         {name} || '.' || (h >> 5) % 500 || '@' || {company} || '.example', {action}, \
         CASE WHEN i % 10 <> 0 THEN 'ACT-' || (h >> 7) % 10000 END, \
         {name} || ' ' || {verb} || ' ' || {thing} || {special} || ', request ' || \
         md5(i || '/{seed}')::uuid || ' in session ' || (h >> 3) % 1000000, \
         CASE WHEN i % 20 <> 0 THEN '10.' || (h >> 9) % 4 || '.' || (h >> 13) % 256 || '.' || (h >> 23) % 256 END \
         FROM (SELECT i, hashint8extended(i, {seed}) & x'7fffffffffffffff'::bigint AS h \
               FROM generate_series({start}::bigint, {end}::bigint - 1) AS i) AS made ORDER BY i"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// The lines of all accounts as PostgreSQL writes them, in the order of commits.
fn lines_sql() -> String {
    let text = |column: &str| {
        format!(
            "replace(replace(replace(coalesce(to_json(nullif({column}, ''))::text, 'null'), U&'\\0085', '\\u0085'), \
             U&'\\2028', '\\u2028'), U&'\\2029', '\\u2029')"
        )
    };
    format!(
        "SELECT account_id, '{{\"Date\":\"' || to_char(occurred_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MSTZH:TZM') \
         || '\",\"Email\":' || {} || ',\"Action\":' || {} || ',\"Action ID\":' || {} \
         || ',\"Description\":' || {} || ',\"IP Address\":' || {} || '}}' AS line \
         FROM audit_log ORDER BY audit_log.account_id, audit_log.tx, audit_log.seq",
        text("email"),
        text("action"),
        text("action_id"),
        text("description"),
        text("ip_address"),
    )
}

/// What each account's objects must hold, with times in one zone. Leaves all records on disk,
/// so that nobody who is measured pays for that.
pub(crate) async fn expected(url: &str, zone: &str) -> Result<Contents> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("SET TIME ZONE '{zone}'"))).execute(&mut connection).await?;
    let sql = lines_sql();
    let mut lines = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(sql)).fetch(&mut connection);
    let (mut contents, mut hashes) = (Contents::new(), BTreeMap::<String, Sha256>::new());
    while let Some((account, line)) = lines.try_next().await? {
        let content = contents.entry(account.clone()).or_insert_with(Content::nothing);
        content.records += 1;
        content.bytes += line.len() as u64 + 1;
        let sha256 = hashes.entry(account).or_default();
        sha256.update(line.as_bytes());
        sha256.update(b"\n");
    }
    drop(lines);
    sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await?;
    connection.close().await?;
    succeed(&mut Command::new("sync"))?;
    for (account, sha256) in hashes {
        if let Some(content) = contents.get_mut(&account) {
            content.sha256 = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        }
    }
    Ok(contents)
}
