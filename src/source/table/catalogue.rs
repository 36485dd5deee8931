//! The real table, as the database's catalogue shows it, against what the settings say.
//!
//! Whatever could make the export wrong in silence is refused here, with the fix.

use sqlx::Row as _;

use super::columns::Columns;
use crate::base::database::Session;
use crate::settings::TableSettings;
use crate::source::{Result, SourceError};
use auditferry_core::text::nearest;

/// A refusal that names its setting.
fn refuse<T>(setting: &str, problem: &str) -> Result<T> {
    Err(SourceError::Table(format!("source.table.{setting}: {problem}")))
}

/// A column of the table.
#[derive(Debug)]
struct Column {
    name: String,
    /// The name of its type; a domain's is that of what it is made of.
    kind: String,
    /// The type as people write it.
    shown: String,
    is_enum: bool,
    /// The type is one of PostgreSQL's own, and not another of the same name.
    built_in: bool,
    /// The name of a collation for which texts that differ can be equal.
    loose_collation: Option<String>,
    not_null: bool,
    readable: bool,
}

impl Column {
    fn is_text(&self) -> bool {
        matches!(self.kind.as_str(), "text" | "varchar" | "bpchar" | "citext" | "name")
    }

    fn is_whole_number(&self) -> bool {
        matches!(self.kind.as_str(), "int2" | "int4" | "int8")
    }

    /// Whether two values are equal only when their bytes are: an account would else take another's rows,
    /// or lose some of its own.
    fn is_exact(&self) -> bool {
        self.built_in && (matches!(self.kind.as_str(), "text" | "varchar" | "uuid") || self.is_whole_number())
    }

    fn has_text_form(&self) -> bool {
        self.is_text()
            || self.is_whole_number()
            || self.is_enum
            || matches!(self.kind.as_str(), "uuid" | "json" | "jsonb")
    }
}

/// Looks the table up and says how it is read.
///
/// # Errors
/// [`SourceError::Table`] with the setting, its problem and the fix.
pub(super) async fn look_up(tx: &mut Session, settings: &TableSettings) -> Result<Columns> {
    let oid = table(tx, settings).await?;
    let columns = columns(tx, oid).await?;
    let find = |setting: &str, name: &str| find(&columns, setting, name, settings);
    let account = find("account", &settings.account)?;
    let key = find("key", &settings.key)?;
    let time = find("time", &settings.time)?;
    for (setting, column) in [("account", account), ("key", key)] {
        let alter = format!("ALTER TABLE {}.{} ALTER COLUMN {}", settings.schema, settings.name, column.name);
        if !column.is_exact() {
            let problem = format!(
                "the column {} is of type {}, which is not compared byte by byte; name one that is text, uuid or a whole \
                 number, or run {alter} TYPE text",
                column.name, column.shown
            );
            return refuse(setting, &problem);
        }
        if let Some(collation) = &column.loose_collation {
            let problem = format!(
                "the column {} of type {} has the collation {collation}, for which texts that differ can be equal; name \
                 another column, or run {alter} TYPE text COLLATE \"C\"",
                column.name, column.shown
            );
            return refuse(setting, &problem);
        }
    }
    check_time(time, settings.time_is_utc)?;
    for (setting, column) in [("key", key), ("time", time)] {
        if !column.not_null {
            let problem = format!(
                "the column {0} may be NULL, and such a row could not be exported; run ALTER TABLE {1}.{2} \
                 ALTER COLUMN {0} SET NOT NULL, or name another column",
                column.name, settings.schema, settings.name
            );
            return refuse(setting, &problem);
        }
    }
    let text = |setting: &str, name: &str| {
        let column = find(setting, name)?;
        let inet = setting == "ip_address" && matches!(column.kind.as_str(), "inet" | "cidr");
        if column.has_text_form() || inet {
            return Ok(Some((column.name.clone(), inet)));
        }
        let problem = format!("the column {} is of type {}, which is no text", column.name, column.shown);
        refuse(setting, &problem)
    };
    let optional = |setting: &str, name: &str| if name.is_empty() { Ok(None) } else { text(setting, name) };
    check_indexes(tx, oid, settings).await?;
    Ok(Columns::new(
        (&settings.schema, &settings.name),
        (&account.name, &account.kind),
        (&key.name, &key.kind),
        (&time.name, time.kind == "timestamp"),
        [
            text("email", &settings.email)?,
            text("action", &settings.action)?,
            optional("action_id", &settings.action_id)?,
            text("description", &settings.description)?,
            optional("ip_address", &settings.ip_address)?,
        ],
    ))
}

/// That the table is there, and is one whose rows carry their transaction.
async fn table(tx: &mut Session, settings: &TableSettings) -> Result<i64> {
    let (schema, name) = (&settings.schema, &settings.name);
    let found = sqlx::query(
        "SELECT c.oid::bigint AS oid, c.relkind::text AS kind, has_schema_privilege(n.oid, 'USAGE') AS usable, \
         c.relkind IN ('r', 'p') AND has_column_privilege(c.oid, 'xmin', 'SELECT') AS readable, row_security_active(c.oid) AS filtered, \
         c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid) AS inherited \
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2",
    )
    .bind(schema)
    .bind(name)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return missing(tx, settings).await };
    match found.try_get::<String, _>("kind")?.as_str() {
        "r" | "p" => {}
        "v" | "m" => {
            let problem = format!(
                "{schema}.{name} is a view, and its rows carry no transaction; name the table below it"
            );
            return refuse("name", &problem);
        }
        "f" => {
            let problem = format!(
                "{schema}.{name} is a foreign table; set source.url to the server that holds its rows"
            );
            return refuse("name", &problem);
        }
        _ => return refuse("name", &format!("{schema}.{name} is no table; name a table")),
    }
    if !found.try_get::<bool, _>("usable")? {
        let problem = format!("our role may not use the schema {schema}; run GRANT USAGE ON SCHEMA {schema}");
        return refuse("schema", &problem);
    }
    if found.try_get::<bool, _>("filtered")? {
        let problem = format!(
            "row-level security hides rows of {schema}.{name} from our role; run ALTER ROLE … BYPASSRLS for it"
        );
        return refuse("name", &problem);
    }
    if found.try_get::<bool, _>("inherited")? {
        let problem = format!(
            "other tables inherit from {schema}.{name}, and nothing keeps their rows apart; use partitions"
        );
        return refuse("name", &problem);
    }
    if !found.try_get::<bool, _>("readable")? {
        let problem =
            format!("our role may not read all of {schema}.{name}; run GRANT SELECT ON {schema}.{name}");
        return refuse("name", &problem);
    }
    let oid = found.try_get("oid")?;
    check_storage(tx, oid).await?;
    Ok(oid)
}

/// The table is not there: which could be meant?
async fn missing<T>(tx: &mut Session, settings: &TableSettings) -> Result<T> {
    let known: Vec<String> = sqlx::query_scalar(
        "SELECT concat(n.nspname, '.', c.relname) FROM pg_class AS c \
         JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
         ORDER BY 1 LIMIT 10000",
    )
    .fetch_all(&mut *tx)
    .await?;
    let wanted = format!("{}.{}", settings.schema, settings.name);
    let near = nearest::hint(&wanted, &known);
    refuse("name", &format!("the database has no table {wanted}{near}"))
}

/// That the table and each of its partitions is an ordinary, logged table.
async fn check_storage(tx: &mut Session, oid: i64) -> Result<()> {
    let strange: Option<String> = sqlx::query_scalar(
        "WITH RECURSIVE part (oid) AS ( \
         SELECT $1::bigint::oid UNION ALL SELECT inhrelid FROM pg_inherits JOIN part ON inhparent = part.oid) \
         SELECT c.oid::regclass::text FROM part JOIN pg_class AS c ON c.oid = part.oid \
         LEFT JOIN pg_am AS am ON am.oid = c.relam \
         WHERE c.relkind NOT IN ('r', 'p') OR c.relpersistence <> 'p' OR (c.relkind = 'r' AND am.amname <> 'heap') \
         LIMIT 1",
    )
    .bind(oid)
    .fetch_optional(&mut *tx)
    .await?;
    match strange {
        None => Ok(()),
        Some(part) => {
            let problem = format!(
                "{part} is unlogged, temporary, foreign or not stored as a heap, so that its rows may go or carry \
                 no transaction; use ordinary tables"
            );
            refuse("name", &problem)
        }
    }
}

async fn columns(tx: &mut Session, oid: i64) -> Result<Vec<Column>> {
    let rows = sqlx::query(
        "SELECT a.attname::text AS name, base.typname::text AS kind, \
         format_type(a.atttypid, a.atttypmod) AS shown, t.typtype = 'e' AS is_enum, a.attnotnull AS not_null, \
         base.typnamespace = 'pg_catalog'::regnamespace AS built_in, \
         (SELECT quote_ident(collname) FROM pg_collation WHERE oid = a.attcollation AND NOT collisdeterministic) \
         AS loose_collation, has_column_privilege($1::bigint::oid, a.attnum, 'SELECT') AS readable \
         FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid \
         CROSS JOIN LATERAL (WITH RECURSIVE under AS (SELECT t.* \
         UNION ALL SELECT below.* FROM under JOIN pg_type AS below ON below.oid = under.typbasetype) \
         SELECT * FROM under WHERE typbasetype = 0) AS base \
         WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    )
    .bind(oid)
    .fetch_all(&mut *tx)
    .await?;
    let column = |row: &sqlx::postgres::PgRow| {
        Ok(Column {
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            shown: row.try_get("shown")?,
            is_enum: row.try_get("is_enum")?,
            built_in: row.try_get("built_in")?,
            loose_collation: row.try_get("loose_collation")?,
            not_null: row.try_get("not_null")?,
            readable: row.try_get("readable")?,
        })
    };
    rows.iter().map(column).collect()
}

fn find<'c>(
    columns: &'c [Column],
    setting: &str,
    name: &str,
    settings: &TableSettings,
) -> Result<&'c Column> {
    let TableSettings { schema, name: table, .. } = settings;
    let Some(column) = columns.iter().find(|column| column.name == name) else {
        let known: Vec<&String> = columns.iter().map(|column| &column.name).collect();
        let near = nearest::hint(name, &known);
        return refuse(setting, &format!("{schema}.{table} has no column {name}{near}"));
    };
    if !column.readable {
        let problem =
            format!("our role may not read the column {name}; run GRANT SELECT ON {schema}.{table}");
        return refuse(setting, &problem);
    }
    Ok(column)
}

fn check_time(time: &Column, is_utc: bool) -> Result<()> {
    match (time.kind.as_str(), is_utc) {
        ("timestamptz", false) | ("timestamp", true) => Ok(()),
        ("timestamptz", true) => {
            refuse("time_is_utc", "it is true, but the column has a time zone; leave it out")
        }
        ("timestamp", false) => {
            let problem = format!(
                "the column {} is a timestamp without time zone; if its values are UTC, set time_is_utc = true, \
                 otherwise change its type to timestamptz",
                time.name
            );
            refuse("time", &problem)
        }
        _ => {
            let problem = format!("the column {} is of type {}; name a timestamptz", time.name, time.shown);
            refuse("time", &problem)
        }
    }
}

/// What a person should know: that pages of records read more rows than they show.
pub(super) async fn advice(tx: &mut Session, settings: &TableSettings) -> Result<Option<String>> {
    let TableSettings { schema, name, account, key, time, .. } = settings;
    let oid = table(tx, settings).await?;
    let indexes = indexes(tx, oid).await?;
    if indexes.iter().any(|(_, columns)| columns.len() > 1 && columns[..2] == [account.clone(), time.clone()])
    {
        return Ok(None);
    }
    Ok(Some(format!(
        "no index of {schema}.{name} begins with {account} and {time}, so that pages of one account's records read \
         through those of all; CREATE INDEX CONCURRENTLY ON {schema}.{name} ({account}, {time}, {key}) makes them fast"
    )))
}

/// The indexes that hold every row: whether each is unique, and its columns.
async fn indexes(tx: &mut Session, oid: i64) -> Result<Vec<(bool, Vec<String>)>> {
    let rows = sqlx::query(
        "SELECT i.indisunique AS is_unique, (SELECT array_agg(coalesce(a.attname::text, '') ORDER BY k.place) \
         FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) \
         LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0 \
         WHERE k.place <= i.indnkeyatts) AS columns \
         FROM pg_index AS i WHERE i.indrelid = $1::bigint::oid AND i.indisvalid AND i.indpred IS NULL",
    )
    .bind(oid)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("is_unique")?, row.try_get("columns")?))).collect()
}

/// That rows can be told apart, and recent ones found without reading all.
async fn check_indexes(tx: &mut Session, oid: i64, settings: &TableSettings) -> Result<()> {
    let TableSettings { schema, name, account, key, time, .. } = settings;
    let (mut unique, mut recent) = (false, false);
    for (is_unique, columns) in &indexes(tx, oid).await? {
        let tells_apart = columns.contains(key) && columns.iter().all(|c| [key, account, time].contains(&c));
        unique |= *is_unique && tells_apart;
        recent |= columns.first() == Some(time)
            || (columns.len() > 1 && columns[..2] == [account.clone(), time.clone()]);
    }
    if !unique {
        let problem = format!(
            "no unique index of {schema}.{name} tells rows apart by {key} (alone, or with {account} or {time}); \
             make one, or name the primary key"
        );
        return refuse("key", &problem);
    }
    if !recent {
        let problem = format!(
            "no index of {schema}.{name} begins with {time}, or with {account} and {time}; run \
             CREATE INDEX CONCURRENTLY ON {schema}.{name} ({account}, {time})"
        );
        return refuse("time", &problem);
    }
    Ok(())
}
