//! Our own tables, as the database's catalogue shows them. What could lose records in silence, or
//! let them be removed past the triggers, is refused here, with the fix.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::base::database::Session;
use crate::source::{Result, SourceError};

/// Everything that an export reads or leaves, and with which right.
const TABLES: &str = "(VALUES ('audit_log', 'SELECT', \
    '{account_id,tx,seq,occurred_at,email,action,action_id,description,ip_address}'::text[]), \
    ('auditferry_mark', 'SELECT', '{ledger,number}'), ('auditferry_mark', 'INSERT', '{ledger,number}'), \
    ('auditferry_cluster', 'SELECT', '{number,cluster,label,shift}')) \
    AS wanted (name, privilege, columns)";

/// The bits of `tgtype`: before, delete, update, truncate.
const APPEND_ONLY: i16 = 2 + 8 + 16 + 32;

fn refuse<T>(problem: String) -> Result<T> {
    Err(SourceError::Unfit(problem))
}

/// That our tables give all of their rows to our role, and keep them.
///
/// # Errors
/// [`SourceError::Unfit`] with the table, its problem and the fix.
pub(super) async fn check(tx: &mut Session) -> Result<()> {
    for part in parts(tx).await? {
        part.check()?;
    }
    let sql = format!(
        "SELECT wanted.name, wanted.privilege, quote_ident(current_user) AS role, c.oid::regclass::text AS shown, \
         row_security_active(c.oid) AS filtered, (SELECT string_agg(quote_ident(name), ', ' ORDER BY place) \
         FROM unnest(wanted.columns) WITH ORDINALITY AS a (name, place) WHERE NOT EXISTS ( \
         SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = a.name AND NOT attisdropped \
         AND has_column_privilege(c.oid, attnum, wanted.privilege))) AS lacking \
         FROM {TABLES} JOIN pg_class AS c ON c.oid = to_regclass(wanted.name) \
         WHERE wanted.privilege = 'SELECT' OR NOT pg_is_in_recovery()"
    );
    for row in sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *tx).await? {
        check_rights(&row)?;
    }
    Ok(())
}

fn check_rights(row: &PgRow) -> Result<()> {
    let (table, role): (String, String) = (row.try_get("shown")?, row.try_get("role")?);
    if row.try_get("filtered")? {
        return refuse(format!(
            "row-level security hides rows of {table} from our role {role}, and they would never be exported; run \
             ALTER ROLE {role} BYPASSRLS, or ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
        ));
    }
    if let Some(columns) = row.try_get::<Option<String>, _>("lacking")? {
        let privilege: String = row.try_get("privilege")?;
        return refuse(format!(
            "our role {role} has no {privilege} on the columns {columns} of {table}, or they are not there; run \
             GRANT {privilege} ON {table} TO {role} (scripts/sql/postgres-roles.sql)"
        ));
    }
    Ok(())
}

/// What a person should know of tables that work.
pub(super) async fn advice(tx: &mut Session) -> Result<Vec<String>> {
    let mut advice = Vec::new();
    let others: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.relname = 'audit_log' AND n.nspname = ANY (current_schemas(true)) \
         AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.oid <> to_regclass('audit_log') ORDER BY 1",
    )
    .fetch_all(&mut *tx)
    .await?;
    let parts = parts(tx).await?;
    let Some(root) = parts.first() else { return Ok(advice) };
    if !others.is_empty() {
        advice.push(format!(
            "search_path has more than one audit_log. {}.audit_log is exported, and records in {} are not; see that \
             the application writes to the one that is exported",
            root.schema,
            others.join(", ")
        ));
    }
    if !root.append_only {
        advice.push(format!(
            "{0} is not append-only: its triggers are gone or disabled; run ALTER TABLE {0} ENABLE TRIGGER ALL",
            root.name
        ));
    }
    Ok(advice)
}

/// `audit_log`, or a table below or above it.
struct Part {
    name: String,
    schema: String,
    /// How far below; -1 is above.
    depth: i32,
    kind: String,
    persistence: String,
    /// A partition, and no child of another kind.
    partition: bool,
    append_only: bool,
    /// Whether anything lies below `audit_log`.
    divided: bool,
}

/// `audit_log` first.
async fn parts(tx: &mut Session) -> Result<Vec<Part>> {
    let rows = sqlx::query(
        "WITH RECURSIVE below (oid, depth) AS (SELECT to_regclass('audit_log')::oid, 0 \
         UNION ALL SELECT inhrelid, depth + 1 FROM pg_inherits JOIN below ON inhparent = below.oid), \
         part AS (SELECT * FROM below UNION ALL SELECT inhparent, -1 FROM pg_inherits \
         WHERE inhrelid = to_regclass('audit_log')) \
         SELECT c.oid::regclass::text AS name, quote_ident(n.nspname) AS schema, part.depth, c.relkind::text AS kind, \
         c.relpersistence::text AS persistence, c.relispartition AS partition, \
         coalesce((SELECT bit_or(t.tgtype) & $1 = $1 FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid \
         WHERE t.tgrelid = c.oid AND p.proname = 'audit_log_is_append_only' AND t.tgenabled IN ('O', 'A') \
         AND t.tgqual IS NULL AND t.tgattr = ''::int2vector AND t.tgtype & 2 = 2), false) AS append_only, \
         (SELECT max(depth) > 0 FROM below) AS divided \
         FROM part JOIN pg_class AS c ON c.oid = part.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         ORDER BY part.depth < 0, part.depth, 1",
    )
    .bind(APPEND_ONLY)
    .fetch_all(&mut *tx)
    .await?;
    let part = |row: &PgRow| {
        Ok(Part {
            name: row.try_get("name")?,
            schema: row.try_get("schema")?,
            depth: row.try_get("depth")?,
            kind: row.try_get("kind")?,
            persistence: row.try_get("persistence")?,
            partition: row.try_get("partition")?,
            append_only: row.try_get("append_only")?,
            divided: row.try_get("divided")?,
        })
    };
    rows.iter().map(part).collect()
}

impl Part {
    fn check(&self) -> Result<()> {
        let name = &self.name;
        if self.depth < 0 {
            return refuse(format!(
                "audit_log is a part of {name}, and a DELETE on {name} passes by its triggers; run ALTER TABLE {name} \
                 DETACH PARTITION audit_log, or ALTER TABLE audit_log NO INHERIT {name}"
            ));
        }
        match self.kind.as_str() {
            "r" | "p" => {}
            "v" | "m" => {
                return refuse(format!(
                    "{name} is a view, which can hide rows and has no triggers that keep them; let source.url and its \
                     search_path lead to the table below it"
                ));
            }
            "f" => {
                return refuse(format!(
                    "{name} is a foreign table, whose transactions are another server's; set source.url to the server \
                     that holds its rows"
                ));
            }
            _ => {
                return refuse(format!(
                    "{name} is no table; let source.url lead to the one of our migrations"
                ));
            }
        }
        if self.persistence != "p" {
            return refuse(format!(
                "{name} is unlogged or temporary, and a crash empties it; run ALTER TABLE {name} SET LOGGED"
            ));
        }
        if self.depth > 0 && !self.partition {
            return refuse(format!(
                "the table {name} inherits from audit_log, and nothing keeps its rows apart; make it a partition, or run \
                 ALTER TABLE {name} NO INHERIT audit_log"
            ));
        }
        // Whoever deletes from a partition fires the triggers of that partition alone.
        if self.divided && !self.append_only {
            return refuse(format!(
                "{name} is a part of audit_log without its append-only trigger, so that its records can be changed and \
                 removed; run CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} FOR \
                 EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()"
            ));
        }
        Ok(())
    }
}
