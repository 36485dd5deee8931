//! One binary COPY in one transaction. The table of a vendor and our own are read with it.

use futures_util::TryStreamExt as _;

use crate::base::database::{self, Pg, Pooled};
use crate::source::copy::{Copy, CopyError, Row};
use crate::source::patience::{Backend, patiently};
use crate::source::{Result, SourceError, Taken};

/// Most rows that are read and thrown away to the end of a COPY that nobody wants any
/// more. With more of them the connection is closed instead.
const THROWN_AWAY: u32 = 64;

/// A policy that would hide rows becomes an error.
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL row_security = off";

/// What takes rows as they come.
pub(super) trait Rows<const N: usize>: Send {
    /// Takes a row, or does not.
    fn row(&mut self, row: &Row<'_, N>) -> Result<Taken>;
    /// Makes room.
    fn pause(&mut self) -> impl Future<Output = ()> + Send;
}

/// A transaction that only reads. A connection on which a COPY did not come to its end is
/// closed: given back to the pool, it would first have to read the rest.
pub(super) struct Reading {
    pool: Pg,
    connection: Pooled,
    whole: bool,
}

impl Drop for Reading {
    fn drop(&mut self) {
        if !self.whole {
            self.connection.close_on_drop();
        }
    }
}

impl Reading {
    pub(super) async fn begin(pool: &Pg) -> Result<Self> {
        let connection = database::acquire(pool).await?;
        let mut reading = Self { pool: pool.clone(), connection, whole: false };
        database::in_time(sqlx::raw_sql(BEGIN).execute(&mut reading.connection)).await?;
        Ok(reading)
    }

    pub(super) fn connection(&mut self) -> &mut Pooled {
        &mut self.connection
    }

    /// Hands over the rows of a COPY that has at most `limit`, and ends the transaction. It may take
    /// any time, as long as the server works; the time of `rows` does not count. Returns how many the server has sent: `limit`, too, when more of them were not wanted.
    pub(super) async fn copy<const N: usize>(
        mut self,
        backend: Backend,
        sql: &str,
        limit: u32,
        rows: &mut impl Rows<N>,
    ) -> Result<u32> {
        let mut sent = 0;
        let mut wanted = true;
        let mut messages = patiently(&self.pool, backend, self.connection.copy_out(sql)).await?;
        let mut copy = Copy::default();
        while let Some(message) = patiently(&self.pool, backend, messages.try_next()).await? {
            let mut found = copy.rows::<N>(&message).map_err(malformed)?;
            while let Some(row) = found.next_row().map_err(malformed)? {
                sent += 1;
                if !wanted {
                    continue;
                }
                match rows.row(&row)? {
                    Taken::Yes => {}
                    Taken::Pause => rows.pause().await,
                    Taken::No if limit.saturating_sub(sent) <= THROWN_AWAY => wanted = false,
                    Taken::No => return Ok(limit),
                }
            }
        }
        copy.end().map_err(malformed)?;
        drop(messages);
        database::in_time(sqlx::raw_sql("COMMIT").execute(&mut self.connection)).await?;
        self.whole = true;
        Ok(if wanted { sent } else { limit })
    }
}

/// A COPY that is not one.
pub(super) fn malformed(error: CopyError) -> SourceError {
    SourceError::Database(sqlx::Error::Protocol(format!("a COPY from the source is damaged: {error}")))
}
