//! What a source counts for a person to see.

use jiff::Timestamp;

/// Most undelivered records that are counted for a person to see.
pub const WAITING_LIMIT: u32 = 10_000;

/// Records that have finished committing and are not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Waiting {
    /// How many; never more than [`WAITING_LIMIT`].
    pub records: u64,
    /// When the first of them occurred.
    pub oldest: Option<Timestamp>,
}

/// What a table must keep for an account, and what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Rows that occurred before may be deleted; later ones once two further windows are delivered.
    pub needed_since: Timestamp,
    /// When the account's oldest row occurred.
    pub oldest: Option<Timestamp>,
    /// Rows whose time is before all that a record can have, such as `-infinity`; never more than
    /// [`WAITING_LIMIT`]. They are in no window after the first.
    pub early: u64,
}
