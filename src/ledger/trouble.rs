//! What went wrong last for an account, in words that programs match on.

use std::fmt;

use jiff::Timestamp;

use auditferry_core::protocol::Hold;
use auditferry_core::store::PutErrorKind;

/// The last thing that went wrong for an account, until something goes right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it was.
    pub kind: TroubleKind,
    /// What happened, without secrets.
    pub message: String,
    /// When it happened.
    pub at: Timestamp,
}

/// What went wrong. The words are stable: they are in the ledger, the metrics and the listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TroubleKind {
    /// The destination did not take an object.
    Put(PutErrorKind),
    /// The account is held until a person has looked.
    Held(Hold),
    /// The lease has passed to another worker.
    LeaseLost,
    /// The ledger's database failed.
    Ledger,
    /// The source's database failed.
    Source,
    /// The source cannot be read as the settings say.
    SourceSettings,
    /// A key that seals secrets is out of reach.
    Keys,
    /// The account's zone or schedule is not known any more.
    Schedule,
    /// The window was planned by a version that this one does not know.
    ContentVersion,
    /// A fault of ours.
    Internal,
    /// A word that another version has stored.
    Other(Box<str>),
}

impl TroubleKind {
    /// All kinds of this version that are neither a put's nor a hold.
    const OWN: [Self; 8] = [
        Self::LeaseLost,
        Self::Ledger,
        Self::Source,
        Self::SourceSettings,
        Self::Keys,
        Self::Schedule,
        Self::ContentVersion,
        Self::Internal,
    ];

    /// The kind of a stored word.
    #[must_use]
    pub fn stored(word: &str) -> Self {
        let put = PutErrorKind::parse(word).map(Self::Put);
        put.or_else(|| Hold::parse(word).map(Self::Held))
            .or_else(|| Self::OWN.into_iter().find(|kind| kind.as_str() == word))
            .unwrap_or_else(|| Self::Other(word.into()))
    }

    /// Its word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Put(kind) => kind.as_str(),
            Self::Held(hold) => hold.as_str(),
            Self::LeaseLost => "lease_lost",
            Self::Ledger => "ledger",
            Self::Source => "source",
            Self::SourceSettings => "source_settings",
            Self::Keys => "keys",
            Self::Schedule => "schedule",
            Self::ContentVersion => "content_version",
            Self::Internal => "internal",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for TroubleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_its_kind() {
        let puts = PutErrorKind::ALL.into_iter().map(TroubleKind::Put);
        let holds = Hold::ALL.into_iter().map(TroubleKind::Held);
        for kind in puts.chain(holds).chain(TroubleKind::OWN) {
            assert_eq!(TroubleKind::stored(kind.as_str()), kind);
        }
        assert_eq!(TroubleKind::stored("of_tomorrow").as_str(), "of_tomorrow");
    }
}
