//! A record: one audit event.

use jiff::{SignedDuration, Timestamp};

/// The six field names, in the order in which they are written.
pub const FIELDS: [&str; 6] = ["Date", "Email", "Action", "Action ID", "Description", "IP Address"];

/// The newest version of the content. Each window stores the one that it was planned with
/// ([`Format::content_version`]), so that a window planned by an older binary keeps its bytes.
///
/// [`Format::content_version`]: crate::model::format::Format::content_version
pub const CONTENT_VERSION: u32 = 3;

/// One audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Who did it; empty when nobody is known. An empty text of any field is as good as none.
    pub email: String,
    /// What was done.
    pub action: String,
    /// The vendor's id of the action.
    pub action_id: Option<String>,
    /// What a person reads about it.
    pub description: String,
    /// From where it was done.
    pub ip_address: Option<String>,
}

/// A [`Record`] whose texts lie elsewhere: in it, or in what a database has just sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// What its source knows it by.
    pub key: RecordKey<'a>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub email: &'a str,
    /// What was done.
    pub action: &'a str,
    /// The vendor's id of the action.
    pub action_id: Option<&'a str>,
    /// What a person reads about it.
    pub description: &'a str,
    /// From where it was done.
    pub ip_address: Option<&'a str>,
}

/// What a source knows a record by: with its account and its time it is the record's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKey<'a> {
    /// It was not read where it has one, as from a file.
    Unknown,
    /// A number.
    Number(i64),
    /// Anything else.
    Text(&'a str),
}

impl Record {
    /// The record with its texts left where they are.
    #[must_use]
    pub fn borrow(&self) -> RecordRef<'_> {
        RecordRef {
            key: RecordKey::Unknown,
            occurred_at: self.occurred_at,
            email: &self.email,
            action: &self.action,
            action_id: self.action_id.as_deref(),
            description: &self.description,
            ip_address: self.ip_address.as_deref(),
        }
    }
}

impl<'a> RecordRef<'a> {
    /// The record as its source knows it.
    #[must_use]
    pub fn keyed(self, key: RecordKey<'a>) -> Self {
        Self { key, ..self }
    }
    /// Its five texts, in the order in which they are written; empty when there is none.
    #[must_use]
    pub fn texts(&self) -> [&str; 5] {
        let (action_id, ip_address) =
            (self.action_id.unwrap_or_default(), self.ip_address.unwrap_or_default());
        [self.email, self.action, action_id, self.description, ip_address]
    }

    /// The record with texts of its own.
    #[must_use]
    pub fn to_owned(&self) -> Record {
        Record {
            occurred_at: self.occurred_at,
            email: self.email.to_owned(),
            action: self.action.to_owned(),
            action_id: self.action_id.map(str::to_owned),
            description: self.description.to_owned(),
            ip_address: self.ip_address.map(str::to_owned),
        }
    }
}

/// Earliest and latest instants that a record may carry: four-digit years in every zone.
#[must_use]
pub fn allowed_instants() -> std::ops::Range<Timestamp> {
    let day = SignedDuration::from_hours(48);
    let first = Timestamp::constant(-62_135_596_800, 0);
    let last = Timestamp::constant(253_402_207_200, 0);
    first + day..last - day
}
