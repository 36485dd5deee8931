//! What a source could not do.

use auditferry_core::model::account::AccountId;

/// What a source could not do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source has gone back behind a stored bound, or is another one.
    #[error("the source has gone back or is another one: {0}. Nothing is exported until a person decides")]
    Rewound(String),
    /// Rows up to a stored bound are not what they were.
    #[error(
        "rows that were exported have been changed, deleted or added in the source: {0}. Nothing is exported until \
         a person decides"
    )]
    Rewritten(String),
    /// A standby has not replayed what a stored bound covers.
    #[error("the standby that answers is behind: {0}; it is tried again")]
    Behind(String),
    /// The source's commits up to a bound did not reach its disk in time.
    #[error("the source did not write its log up to {0} to disk in time; it is tried again")]
    NotFlushed(String),
    /// A bound or cursor in the ledger is not of this source.
    #[error("{0:?} is not a bound of this source; was source.url changed?")]
    Foreign(String),
    /// A record cannot be exported as it is.
    #[error("record {key} of the source: {problem}")]
    BadRecord {
        /// Its key: the `seq` of our own table, what `source.table.key` names of a vendor's.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An account's id cannot be one in the source.
    #[error("account {account}: {problem}")]
    Account {
        /// The account whose id the source cannot hold.
        account: AccountId,
        /// What is wrong with its id.
        problem: String,
    },
    /// A vendor's table cannot be read as the settings say.
    #[error("{0}")]
    Table(String),
    /// Our own tables are not as they must be, or not ours to read as a whole.
    #[error("{0}")]
    Unfit(String),
    /// It cannot be proved that nothing was lost when the source was moved.
    #[error("the source cannot be adopted: {0}")]
    Unproved(String),
    /// The source was migrated by a newer binary, or not at all.
    #[error("the source's schema is {0}")]
    Schema(&'static str),
    /// The address of the source cannot be used.
    #[error("source.url: {0}")]
    Url(String),
    /// A search took longer than a page may wait.
    #[error("the search took longer than {} s; choose fewer days, or filters that more records pass", .0.as_secs())]
    TooSlow(std::time::Duration),
    /// A page goes on at a place that is none.
    #[error("the place from which the page goes on is no record's place in this source; open it without one")]
    NoPlace,
    /// The database failed.
    #[error("the source's database: {}", crate::base::database::words(.0))]
    Database(#[from] sqlx::Error),
    /// A migration failed.
    #[error("migrating the source: {}", crate::base::database::migration_words(.0))]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl SourceError {
    /// Whether the settings or the source's tables are wrong, rather than the database away.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Account { .. }
            | Self::Table(_)
            | Self::Unfit(_)
            | Self::Schema(_)
            | Self::Url(_)
            | Self::NoPlace => true,
            Self::Rewound(_)
            | Self::Rewritten(_)
            | Self::Behind(_)
            | Self::NotFlushed(_)
            | Self::Foreign(_)
            | Self::BadRecord { .. }
            | Self::Unproved(_)
            | Self::TooSlow(_)
            | Self::Database(_)
            | Self::Migrate(_) => false,
        }
    }

    /// A stable word for a program.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rewound(_) => "source_rewound",
            Self::Rewritten(_) => "source_rewritten",
            Self::Behind(_) => "source_behind",
            Self::NotFlushed(_) => "source_not_flushed",
            Self::Foreign(_) => "source_foreign",
            Self::BadRecord { .. } => "bad_record",
            Self::Account { .. } => "source_account",
            Self::Table(_) => "source_table",
            Self::Unfit(_) => "source_unfit",
            Self::Unproved(_) => "source_unproved",
            Self::Schema(_) => "source_schema",
            Self::Url(_) => "source_url",
            Self::TooSlow(_) => "source_too_slow",
            Self::NoPlace => "no_such_place",
            Self::Database(_) => "source_database",
            Self::Migrate(_) => "source_migration",
        }
    }
}

/// What a source gives.
pub type Result<T> = std::result::Result<T, SourceError>;
