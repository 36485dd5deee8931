//! The ledger on SQLite, for one worker.

use std::fs::{File, TryLockError};
use std::path::Path;

use sqlx::migrate::MigrateError;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::{LedgerError, Result};
use crate::base::database;

#[path = "sql/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "the statements are compiled once for each database")]
mod sql;

type Backend = SqliteLedger;
type Connection = sqlx::SqliteConnection;
type Db = Sqlite;
type Pool = SqlitePool;
type Row = sqlx::sqlite::SqliteRow;

/// Every transaction begins as the only writer, so rows need no lock of their own.
const FOR_UPDATE: &str = "";

/// The same.
const SKIP_LOCKED: &str = "";

/// Before and after a further condition: `$1` owner, `$2` now by the worker's clock, `$3` microseconds, `$4` how many, `$5` the
/// endpoints to pass over.
const CLAIM: [&str; 2] = [
    "UPDATE account SET lease_owner = $1, lease_epoch = lease_epoch + 1 + abs(random() % 4294967296), \
    lease_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + $3 \
    WHERE id IN (SELECT id FROM account WHERE due_at <= $2 AND (lease_until IS NULL \
                   OR lease_until < CAST(unixepoch('subsec') * 1000000 AS INTEGER)) \
                 AND endpoint NOT IN (SELECT value FROM json_each($5))",
    "ORDER BY due_at LIMIT $4)",
];

/// The time now.
const NOW: &str = "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)";

/// That something is none of the strings of a JSON array.
const NOT_IN_1: &str = "NOT IN (SELECT value FROM json_each($1))";

/// That something is one of the strings of a JSON array.
const IS_IN_1: &str = "IN (SELECT value FROM json_each($1))";

/// When a lease of `held.micros` ends that is renewed now.
const LEASE_END: &str = "CAST(unixepoch('subsec') * 1000000 AS INTEGER) + held.micros";

/// The table in which the ledger's applied migrations are kept.
const MIGRATIONS: &str = "auditferry_ledger_migrations";

pub(super) struct SqliteLedger {
    pool: SqlitePool,
    steps: sql::Steps,
    /// Held by the one worker for as long as it lives; the system frees it when the process dies.
    _lock: Option<File>,
}

impl SqliteLedger {
    pub(super) async fn open(url: &str, exclusive: bool) -> Result<Self> {
        let file = database::sqlite_file(url);
        let lock = match file.filter(|_| exclusive) {
            Some(file) => Some(lock_beside(&file)?),
            None => None,
        };
        let pool = database::sqlite(url).await.map_err(LedgerError::Url)?;
        let ledger = Self { steps: sql::Steps::new(&pool), pool, _lock: lock };
        if exclusive {
            ledger.drop_leases().await?;
        }
        Ok(ledger)
    }

    /// Whoever holds the file's lock is the only worker: leases of a dead one end at once.
    async fn drop_leases(&self) -> Result<()> {
        let exists: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'account'")
                .fetch_optional(&self.pool)
                .await?;
        if exists.is_some() {
            sqlx::query(
                "UPDATE account SET lease_owner = NULL, lease_until = NULL WHERE lease_owner IS NOT NULL",
            )
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        begin(&self.pool).await
    }

    async fn reading(&self) -> Result<PoolConnection<Sqlite>> {
        reading(&self.pool).await
    }

    async fn run_migrations(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        match migrator().run_direct(None, &mut *tx, false).await {
            Err(MigrateError::VersionMissing(version)) => return Err(LedgerError::Newer(version)),
            other => other?,
        }
        Ok(tx.commit().await?)
    }

    async fn check_schema(&self) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        super::schema_result(database::schema_state(&migrator(), &mut *connection).await?)
    }
}

async fn begin(pool: &Pool) -> Result<Transaction<'static, Sqlite>> {
    Ok(pool.begin_with("BEGIN IMMEDIATE").await?)
}

/// A connection that only reads; it waits for no writer.
async fn reading(pool: &Pool) -> Result<PoolConnection<Sqlite>> {
    Ok(pool.acquire().await?)
}

fn migrator() -> sqlx::migrate::Migrator {
    database::migrator(
        &[
            ("ledger", include_str!("../../migrations/sqlite/ledger/0001_ledger.sql")),
            ("pause and suspend", include_str!("../../migrations/sqlite/ledger/0002_pause_and_suspend.sql")),
            ("sealed secrets", include_str!("../../migrations/sqlite/ledger/0003_sealed_secrets.sql")),
            ("fairness", include_str!("../../migrations/sqlite/ledger/0004_fairness.sql")),
            ("change log", include_str!("../../migrations/sqlite/ledger/0005_change_log.sql")),
            ("replays", include_str!("../../migrations/sqlite/ledger/0006_replays.sql")),
            ("planning", include_str!("../../migrations/sqlite/ledger/0007_planning.sql")),
            ("credentials end", include_str!("../../migrations/sqlite/ledger/0008_credentials_end.sql")),
            ("external id", include_str!("../../migrations/sqlite/ledger/0009_external_id.sql")),
            ("ownership", include_str!("../../migrations/sqlite/ledger/0010_ownership.sql")),
            ("change outbox", include_str!("../../migrations/sqlite/ledger/0011_change_outbox.sql")),
            ("place of attempts", include_str!("../../migrations/sqlite/ledger/0012_place_of_attempts.sql")),
            ("skipped records", include_str!("../../migrations/sqlite/ledger/0013_skipped_records.sql")),
            ("start", include_str!("../../migrations/sqlite/ledger/0014_start.sql")),
            ("schedule syntax", include_str!("../../migrations/sqlite/ledger/0015_schedule_syntax.sql")),
            ("actors", include_str!("../../migrations/sqlite/ledger/0016_actors.sql")),
            ("left out", include_str!("../../migrations/sqlite/ledger/0017_left_out.sql")),
            ("store ids", include_str!("../../migrations/sqlite/ledger/0018_store_ids.sql")),
            ("workers", include_str!("../../migrations/sqlite/ledger/0019_workers.sql")),
            ("API", include_str!("../../migrations/sqlite/ledger/0020_api.sql")),
            ("notifications", include_str!("../../migrations/sqlite/ledger/0021_notifications.sql")),
            ("jobs", include_str!("../../migrations/sqlite/ledger/0022_jobs.sql")),
            ("sessions", include_str!("../../migrations/sqlite/ledger/0023_sessions.sql")),
            ("portal", include_str!("../../migrations/sqlite/ledger/0024_portal.sql")),
            ("downloads", include_str!("../../migrations/sqlite/ledger/0025_downloads.sql")),
            ("mails about downloads", include_str!("../../migrations/sqlite/ledger/0026_download_mails.sql")),
        ],
        MIGRATIONS,
    )
}

fn lock_beside(file: &Path) -> Result<File> {
    // The file itself, by whatever links it was named.
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mut path = file.as_os_str().to_owned();
    path.push(".lock");
    let lock = File::create(&path).map_err(|error| {
        LedgerError::Url(format!(
            "{} cannot be made: {error}; choose a folder that the worker may write",
            path.display()
        ))
    })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LedgerError::InUse(file.display().to_string())),
        Err(TryLockError::Error(error)) => {
            Err(LedgerError::Url(format!("{} cannot be locked: {error}", path.display())))
        }
    }
}
