//! The ledger on PostgreSQL, for any number of workers.

use sqlx::Postgres;
use sqlx::migrate::MigrateError;

use super::{LedgerError, Result};
use crate::base::database::{self, Connect, Pg, Session};

#[path = "sql/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "the statements are compiled once for each database")]
mod sql;

type Backend = PostgresLedger;
type Connection = Session;
type Db = Postgres;
type Pool = Pg;
type Row = sqlx::postgres::PgRow;

/// Locks the rows that a statement reads until the transaction ends.
const FOR_UPDATE: &str = " FOR UPDATE";

/// The same, and passes over rows that somebody else has locked.
const SKIP_LOCKED: &str = " FOR UPDATE SKIP LOCKED";

/// Before and after a further condition: `$1` owner, `$2` now by the worker's clock, `$3`
/// microseconds, `$4` how many, `$5` the endpoints to pass over. Rows that another worker is
/// claiming are skipped, not waited for. Materialized, so that the limit holds whatever plan
/// the update gets.
const CLAIM: [&str; 2] = [
    "WITH due AS MATERIALIZED ( \
        SELECT id FROM account WHERE due_at <= $2 AND (lease_until IS NULL OR lease_until < now()) \
        AND endpoint NOT IN (SELECT jsonb_array_elements_text($5))",
    "ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED) \
    UPDATE account SET lease_owner = $1, lease_epoch = lease_epoch + 1 + floor(random() * 4294967296)::bigint, \
    lease_until = now() + $3 * interval '1 microsecond' WHERE id IN (SELECT id FROM due)",
];

/// The time now, within a transaction too.
const NOW: &str = "SELECT clock_timestamp()";

/// That something is none of the strings of a JSON array.
const NOT_IN_1: &str = "NOT IN (SELECT jsonb_array_elements_text($1))";

/// That something is one of the strings of a JSON array. An array, and not the rows of a
/// subquery: those Postgres compares with all open windows instead of looking each up.
const IS_IN_1: &str = "= ANY (ARRAY(SELECT jsonb_array_elements_text($1)))";

/// When a lease of `held.micros` ends that is renewed now.
const LEASE_END: &str = "now() + held.micros * interval '1 microsecond'";

/// The table in which the ledger's applied migrations are kept.
const MIGRATIONS: &str = "auditferry_ledger_migrations";

pub(super) struct PostgresLedger {
    pool: Pg,
    steps: sql::Steps,
}

impl PostgresLedger {
    pub(super) fn open(url: &str, connect: Connect) -> Result<Self> {
        let pool = database::postgres(url, connect).map_err(LedgerError::Url)?;
        Ok(Self { steps: sql::Steps::new(&pool), pool })
    }

    async fn begin(&self) -> Result<Session> {
        begin(&self.pool).await
    }

    async fn reading(&self) -> Result<Session> {
        reading(&self.pool).await
    }

    async fn run_migrations(&self) -> Result<()> {
        match database::migrate_postgres(&self.pool, &migrator()).await {
            Err(MigrateError::VersionMissing(version)) => Err(LedgerError::Newer(version)),
            other => Ok(other?),
        }
    }

    async fn check_schema(&self) -> Result<()> {
        let mut tx = database::begin(&self.pool).await?;
        // Tables in a schema that this role does not look into are named, instead of missed.
        database::settle_schema(&mut tx, &migrator()).await?;
        super::schema_result(database::schema_state(&migrator(), &mut tx).await?)
    }
}

async fn begin(pool: &Pool) -> Result<Session> {
    Ok(database::begin_bounded(pool).await?)
}

/// A transaction that only reads; it is not committed.
async fn reading(pool: &Pool) -> Result<Session> {
    begin(pool).await
}

fn migrator() -> sqlx::migrate::Migrator {
    database::migrator(
        &[
            ("ledger", include_str!("../../migrations/postgres/ledger/0001_ledger.sql")),
            (
                "pause and suspend",
                include_str!("../../migrations/postgres/ledger/0002_pause_and_suspend.sql"),
            ),
            ("sealed secrets", include_str!("../../migrations/postgres/ledger/0003_sealed_secrets.sql")),
            ("fairness", include_str!("../../migrations/postgres/ledger/0004_fairness.sql")),
            ("change log", include_str!("../../migrations/postgres/ledger/0005_change_log.sql")),
            ("replays", include_str!("../../migrations/postgres/ledger/0006_replays.sql")),
            ("planning", include_str!("../../migrations/postgres/ledger/0007_planning.sql")),
            ("credentials end", include_str!("../../migrations/postgres/ledger/0008_credentials_end.sql")),
            ("external id", include_str!("../../migrations/postgres/ledger/0009_external_id.sql")),
            ("ownership", include_str!("../../migrations/postgres/ledger/0010_ownership.sql")),
            ("change outbox", include_str!("../../migrations/postgres/ledger/0011_change_outbox.sql")),
            (
                "place of attempts",
                include_str!("../../migrations/postgres/ledger/0012_place_of_attempts.sql"),
            ),
            ("skipped records", include_str!("../../migrations/postgres/ledger/0013_skipped_records.sql")),
            ("start", include_str!("../../migrations/postgres/ledger/0014_start.sql")),
            ("schedule syntax", include_str!("../../migrations/postgres/ledger/0015_schedule_syntax.sql")),
            ("actors", include_str!("../../migrations/postgres/ledger/0016_actors.sql")),
            ("left out", include_str!("../../migrations/postgres/ledger/0017_left_out.sql")),
            ("store ids", include_str!("../../migrations/postgres/ledger/0018_store_ids.sql")),
            ("workers", include_str!("../../migrations/postgres/ledger/0019_workers.sql")),
            ("API", include_str!("../../migrations/postgres/ledger/0020_api.sql")),
            ("notifications", include_str!("../../migrations/postgres/ledger/0021_notifications.sql")),
            ("jobs", include_str!("../../migrations/postgres/ledger/0022_jobs.sql")),
            ("sessions", include_str!("../../migrations/postgres/ledger/0023_sessions.sql")),
            ("portal", include_str!("../../migrations/postgres/ledger/0024_portal.sql")),
            ("downloads", include_str!("../../migrations/postgres/ledger/0025_downloads.sql")),
            (
                "mails about downloads",
                include_str!("../../migrations/postgres/ledger/0026_download_mails.sql"),
            ),
        ],
        MIGRATIONS,
    )
}
