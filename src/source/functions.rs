//! The functions of PostgreSQL that a source is read with. Managed databases take some of them from
//! everybody, and then no bound can be captured.

use sqlx::Row as _;

use super::{Result, SourceError};
use crate::base::database::Session;

/// What every source on PostgreSQL asks.
const ALWAYS: [&str; 8] = [
    "pg_backend_pid()",
    "pg_control_system()",
    "pg_current_snapshot()",
    "pg_current_wal_flush_lsn()",
    "pg_current_wal_insert_lsn()",
    "pg_current_xact_id()",
    "pg_is_in_recovery()",
    "pg_snapshot_xmin(pg_snapshot)",
];
/// Our own table besides.
pub(super) const OWN: [&str; 2] =
    ["pg_snapshot_xmax(pg_snapshot)", "pg_visible_in_snapshot(xid8, pg_snapshot)"];
/// A vendor's table besides.
pub(super) const VENDORS: [&str; 4] = [
    "pg_control_checkpoint()",
    "pg_last_xact_replay_timestamp()",
    "pg_snapshot_xmax(pg_snapshot)",
    "pg_walfile_name(pg_lsn)",
];

/// That our role may call all of them.
///
/// # Errors
/// [`SourceError::Unfit`] with those that it may not, and the GRANT.
pub(super) async fn check(tx: &mut Session, besides: &[&str]) -> Result<()> {
    let all: Vec<String> = ALWAYS.iter().chain(besides).map(|name| format!("pg_catalog.{name}")).collect();
    let row = sqlx::query(
        "SELECT string_agg(name::regprocedure::text, ', ' ORDER BY name) AS lacking, quote_ident(current_user) AS role \
         FROM unnest($1::text[]) AS f (name) WHERE NOT has_function_privilege(name, 'EXECUTE')",
    )
    .bind(all)
    .fetch_one(&mut *tx)
    .await?;
    match row.try_get::<Option<String>, _>("lacking")? {
        None => Ok(()),
        Some(lacking) => {
            let role: String = row.try_get("role")?;
            Err(SourceError::Unfit(format!(
                "our role {role} may not call {lacking}, without which no bound is captured; run, as who administers the \
                 server, GRANT EXECUTE ON FUNCTION {lacking} TO {role}"
            )))
        }
    }
}
