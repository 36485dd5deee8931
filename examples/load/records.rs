//! The records of a run, made by PostgreSQL from a seed, and the text that must be in the
//! objects, made by PostgreSQL too: nothing of our code takes part in it.

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::Result;

/// The one account.
pub(crate) const ACCOUNT: &str = "large";
/// Its zone.
pub(crate) const ZONE: &str = "Asia/Kolkata";
/// Records of one transaction.
const BATCH: u64 = 10_000;

/// One field of choices, picked by some bits of the row's hash.
fn pick(shift: u32, choices: &str) -> String {
    let count = choices.split(',').count();
    format!("('{{{choices}}}'::text[])[1 + ((h >> {shift}) & 1023) % {count}]")
}

/// Inserts records `0..count`, and lets Postgres do the housekeeping of a table that has
/// been there for a while.
pub(crate) async fn insert(url: &str, count: u64, seed: u64) -> Result<()> {
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
    let mut connection = PgConnection::connect(url).await?;
    for from in (0..count).step_by(usize::try_from(BATCH)?) {
        let to = count.min(from + BATCH);
        let sql = format!(
            "INSERT INTO audit_log (account_id, occurred_at, email, action, action_id, description, ip_address) \
             SELECT '{ACCOUNT}', timestamptz '2026-11-01T00:00:00Z' + i * interval '37123 microseconds', \
             {name} || '.' || (h >> 5) % 500 || '@' || {company} || '.example', {action}, \
             CASE WHEN i % 10 <> 0 THEN 'ACT-' || (h >> 7) % 10000 END, \
             {name} || ' ' || {verb} || ' ' || {thing} || {special} || ', request ' || \
             md5(i || '/{seed}')::uuid || ' in session ' || (h >> 3) % 1000000, \
             CASE WHEN i % 20 <> 0 THEN '10.' || (h >> 9) % 4 || '.' || (h >> 13) % 256 || '.' || (h >> 23) % 256 END \
             FROM (SELECT i, hashint8extended(i, {seed}) & x'7fffffffffffffff'::bigint AS h \
                   FROM generate_series({from}::bigint, {to}::bigint - 1) AS i) AS made ORDER BY i"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    }
    for sql in ["VACUUM (ANALYZE, FREEZE) audit_log", "CHECKPOINT"] {
        sqlx::raw_sql(sql).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

/// The account's lines as PostgreSQL writes them.
pub(crate) fn lines_sql(order: &str) -> String {
    let text = |column: &str| {
        format!(
            "replace(replace(replace(coalesce(to_json({column})::text, 'null'), U&'\\0085', '\\u0085'), \
             U&'\\2028', '\\u2028'), U&'\\2029', '\\u2029')"
        )
    };
    format!(
        "SELECT '{{\"Date\":\"' || to_char(occurred_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MSTZH:TZM') \
         || '\",\"Email\":' || {} || ',\"Action\":' || {} || ',\"Action ID\":' || {} \
         || ',\"Description\":' || {} || ',\"IP Address\":' || {} || '}}' AS line \
         FROM audit_log WHERE account_id = '{ACCOUNT}' {order}",
        text("email"),
        text("action"),
        text("action_id"),
        text("description"),
        text("ip_address"),
    )
}

/// Bytes and SHA-256 of all lines, in the order of commits.
pub(crate) async fn expected(url: &str) -> Result<(u64, String)> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("SET TIME ZONE '{ZONE}'"))).execute(&mut connection).await?;
    let sql = lines_sql("ORDER BY audit_log.tx, audit_log.seq");
    let mut lines = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch(&mut connection);
    let (mut bytes, mut sha256) = (0, Sha256::new());
    while let Some(line) = lines.try_next().await? {
        sha256.update(line.as_bytes());
        sha256.update(b"\n");
        bytes += line.len() as u64 + 1;
    }
    Ok((bytes, hex(&sha256.finalize())))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
