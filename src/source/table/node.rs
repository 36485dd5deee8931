//! The server that answers: how far its transactions are, and which one it is.

use jiff::Timestamp;
use sqlx::Row as _;

use super::point::{Point, next_id};
use crate::base::database::Session;
use crate::base::sql_time::SqlTime;
use crate::source::patience::Backend;
use crate::source::{Result, SourceError};

/// A server at one snapshot.
pub(super) struct Node {
    /// Every transaction below has finished, and its rows are seen or will never be.
    pub(super) horizon: i64,
    /// Above every transaction whose rows are seen.
    pub(super) top: i64,
    /// No later than the snapshot. A standby has the time of what it has replayed.
    pub(super) at: Timestamp,
    pub(super) cluster: String,
    pub(super) timeline: i64,
    standby: bool,
    /// Which process of it answers.
    pub(super) backend: Backend,
}

impl Node {
    /// Asks in the transaction's first statement, so that `now()` is earlier than its snapshot.
    pub(super) async fn ask(tx: &mut Session) -> Result<Self> {
        let row = sqlx::query(
            "SELECT pg_snapshot_xmin(snapshot)::text::bigint AS horizon, \
             pg_snapshot_xmax(snapshot)::text::bigint AS top, standby, \
             CASE WHEN standby THEN least(now(), coalesce(pg_last_xact_replay_timestamp(), \
             (SELECT checkpoint_time FROM pg_control_checkpoint()))) ELSE now() END AS at, \
             (SELECT system_identifier::text FROM pg_control_system()) AS cluster, \
             CASE WHEN standby THEN (SELECT timeline_id::bigint FROM pg_control_checkpoint()) \
             ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint END AS timeline, \
             pg_backend_pid() AS backend FROM (SELECT pg_current_snapshot() AS snapshot, pg_is_in_recovery() AS standby) AS captured",
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(Self {
            horizon: row.try_get("horizon")?,
            top: row.try_get("top")?,
            at: row.try_get::<SqlTime, _>("at")?.0,
            cluster: row.try_get("cluster")?,
            timeline: row.try_get("timeline")?,
            standby: row.try_get("standby")?,
            backend: Backend(row.try_get("backend")?),
        })
    }

    /// The next transaction id; asked after `at`.
    pub(super) async fn next_id(&self, tx: &mut Session) -> Result<i64> {
        let age: i32 = sqlx::query_scalar("SELECT age('3'::xid)").fetch_one(&mut *tx).await?;
        Ok(next_id(age, self.top))
    }

    /// The end of the log, behind every commit that the snapshot sees. None on a standby, which
    /// replays only what its primary has on disk.
    pub(super) async fn end_of_log(&self, tx: &mut Session) -> Result<Option<String>> {
        if self.standby {
            return Ok(None);
        }
        let lsn = sqlx::query_scalar("SELECT pg_current_wal_insert_lsn()::text");
        Ok(Some(lsn.fetch_one(&mut *tx).await?))
    }

    /// That this server can show what lies below a point.
    pub(super) fn check(&self, point: &Point) -> Result<()> {
        if self.cluster != point.cluster {
            return Err(SourceError::Rewound(format!(
                "it is the PostgreSQL cluster {}, and records were exported from cluster {}: it was restored from a \
                 dump, upgraded, or source.url was changed",
                self.cluster, point.cluster
            )));
        }
        if self.horizon >= point.horizon {
            return Ok(());
        }
        if self.standby {
            return Err(SourceError::Behind(format!(
                "it has come to transaction {}, and at {} the source had come to {}",
                self.horizon, point.at, point.horizon
            )));
        }
        Err(super::behind(self.horizon, point))
    }
}
