//! The encoding of a source's database on PostgreSQL.

use sqlx::Row as _;

use super::{Result, SourceError};
use crate::base::database::Session;

/// That texts in the database are UTF-8. `SQL_ASCII` keeps any bytes, and others have no place for all
/// characters: an export would stop at a record in the middle.
///
/// # Errors
/// [`SourceError::Unfit`] with the database, its encoding and the fix.
pub(super) async fn check(tx: &mut Session) -> Result<()> {
    let sql = "SELECT current_database()::text AS name, current_setting('server_encoding') AS encoding";
    let row = sqlx::query(sql).fetch_one(&mut *tx).await?;
    let (name, encoding): (String, String) = (row.try_get("name")?, row.try_get("encoding")?);
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(SourceError::Unfit(format!(
        "the source's database {name} is encoded in {encoding}, and objects are UTF-8; make a database with CREATE \
         DATABASE … ENCODING 'UTF8' TEMPLATE template0, move the data there (pg_dump), and set source.url to it"
    )))
}
