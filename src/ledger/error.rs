//! What an operation of the ledger could not do.

use std::sync::Arc;

use jiff::Timestamp;

use auditferry_core::model::account::AccountId;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// What an operation of the ledger could not do.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another worker has taken the account over; stop working on it.
    #[error("the lease of account {0} has passed to another worker")]
    LeaseLost(AccountId),
    /// The account was changed by somebody since it was claimed; look at it again.
    #[error("account {0} was changed meanwhile")]
    Changed(AccountId),
    /// The account is not as the request has seen it.
    #[error("account {0}: it was changed since it was read; read it again, and decide anew")]
    Stale(AccountId),
    /// There is no such account.
    #[error("account {0}: there is none with this id; `auditferry account ls` shows all")]
    NoAccount(String),
    /// An account of this id exists.
    #[error("account {0}: it exists already; change it with `auditferry account set`")]
    AccountExists(AccountId),
    /// A window of this slot is there already, of before the clock was set right.
    #[error("account {0}: a window of the slot {1} is there already")]
    SlotTaken(AccountId, Timestamp),
    /// The request contradicts the account's state.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ledger was written by a newer binary.
    #[error(
        "the ledger's schema is newer than this binary (migration {0} is unknown to it); \
         run the version of auditferry that wrote it, or a newer one"
    )]
    Newer(i64),
    /// The ledger's schema is older than this binary.
    #[error(
        "the ledger's schema is not current; run `auditferry migrate` (the worker, and a command that changes something, \
         does it by itself while ledger.migrate is true)"
    )]
    Outdated,
    /// Another worker runs on the same SQLite file.
    #[error(
        "{0} is in use by another worker; SQLite serves one worker at a time: \
         stop the other, or use PostgreSQL for several"
    )]
    InUse(String),
    /// The address of the ledger cannot be used.
    #[error("ledger.url: {0}")]
    Url(String),
    /// The database failed.
    #[error("the ledger's database: {}", crate::base::database::words(.0))]
    Database(#[from] sqlx::Error),
    /// The transaction failed in which this step was done with those of other accounts.
    #[error("{0}")]
    Together(Arc<LedgerError>),
    /// What is stored is not what this version stores.
    #[error("the ledger holds what cannot be: {0}; was a row changed by hand?")]
    Stored(String),
    /// The part of the worker that asks the database has ended.
    #[error("the ledger's tasks have ended; the worker is shutting down")]
    Stopped,
    /// A migration failed.
    #[error("migrating the ledger: {}", crate::base::database::migration_words(.0))]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl LedgerError {
    /// Whether the request or the settings are wrong, rather than the database away.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Changed(_)
            | Self::Stale(_)
            | Self::NoAccount(_)
            | Self::AccountExists(_)
            | Self::SlotTaken(..)
            | Self::Refused(_)
            | Self::Newer(_)
            | Self::Outdated
            | Self::InUse(_)
            | Self::Url(_) => true,
            Self::LeaseLost(_) | Self::Database(_) | Self::Migrate(_) | Self::Stored(_) | Self::Stopped => {
                false
            }
            Self::Together(error) => error.is_usage(),
        }
    }

    /// A stable word for a program.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::LeaseLost(_) => "lease_lost",
            Self::Changed(_) => RefusalCode::ChangedMeanwhile.as_str(),
            Self::Stale(_) => "stale",
            Self::NoAccount(_) => "no_such_account",
            Self::AccountExists(_) => "account_exists",
            Self::SlotTaken(..) => "slot_taken",
            Self::Refused(refusal) => refusal.code.as_str(),
            Self::Newer(_) => "ledger_newer",
            Self::Outdated => "ledger_outdated",
            Self::InUse(_) => "ledger_in_use",
            Self::Url(_) => "ledger_url",
            Self::Database(_) => "ledger_database",
            Self::Stored(_) => "ledger_content",
            Self::Stopped => "ledger_stopped",
            Self::Together(error) => error.code(),
            Self::Migrate(_) => "ledger_migration",
        }
    }
}

/// What the ledger's operations give.
pub type Result<T> = std::result::Result<T, LedgerError>;
