//! Why an account is held.

/// Why an account is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// A foreign object stands under our key.
    ForeignObject,
    /// A rebuilt object has another content hash than the one that was attempted.
    ContentChanged,
    /// The source has gone back behind a bound that it gave before, or is another one.
    SourceRewound,
    /// Rows of the source that were exported are not what they were.
    SourceRewritten,
    /// The ledger has gone back: it was restored from an older backup.
    LedgerRewound,
    /// A record of the source cannot be exported as it is.
    BadRecord,
}

impl Hold {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ForeignObject,
        Self::ContentChanged,
        Self::SourceRewound,
        Self::SourceRewritten,
        Self::LedgerRewound,
        Self::BadRecord,
    ];

    /// The name in the ledger, the metrics and listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForeignObject => "foreign_object",
            Self::ContentChanged => "content_changed",
            Self::SourceRewound => "source_rewound",
            Self::SourceRewritten => "source_rewritten",
            Self::LedgerRewound => "ledger_rewound",
            Self::BadRecord => "bad_record",
        }
    }

    /// The hold of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hold| hold.as_str() == name)
    }

    /// Whether the account can go on as a new generation.
    #[must_use]
    pub fn ends_with_rewind(self) -> bool {
        matches!(self, Self::SourceRewound | Self::SourceRewritten | Self::LedgerRewound)
    }

    /// What has happened, in a sentence.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::ForeignObject => {
                "an object that this installation did not put stands under the key; it is not overwritten \
                 and not counted as delivered"
            }
            Self::ContentChanged => {
                "the records of the window are not those that were read before: rows were changed or \
                 deleted, or the time zone's rules were; nothing further is put"
            }
            Self::SourceRewound => "the source has gone back behind a bound that it gave before",
            Self::SourceRewritten => {
                "rows of the source that were exported have been changed, deleted or added since"
            }
            Self::LedgerRewound => {
                "the ledger has gone back: the source holds marks that this ledger does not know to have left. \
                 It was restored from an older backup, and what was delivered since then is not in it"
            }
            Self::BadRecord => "a record of the source cannot be exported as it is",
        }
    }
}
