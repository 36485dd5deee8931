//! Windows by their slots, as a look at a span of time needs them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use auditferry_core::model::account::AccountId;

/// What became of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowState {
    /// It is in delivery.
    Open,
    /// Its watermark has moved.
    Delivered,
    /// A gap: never delivered, on an operator's word.
    Skipped,
    /// Given up by a rewind.
    Abandoned,
}

impl WindowState {
    /// What a stored word means; none when it is no word of a ledger.
    #[must_use]
    pub fn stored(word: &str) -> Option<Self> {
        match word {
            "open" => Some(Self::Open),
            "delivered" => Some(Self::Delivered),
            "skipped" => Some(Self::Skipped),
            "abandoned" => Some(Self::Abandoned),
            _ => None,
        }
    }
}

/// A window, and when it was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SlotWindow {
    /// Counted from 1.
    pub window: u64,
    /// The instant that names it; of a gap: when it was left.
    pub slot: Timestamp,
    /// What became of it.
    pub state: WindowState,
    /// When its lower bound was captured.
    pub from: Timestamp,
    /// When its upper bound was captured.
    pub to: Timestamp,
    /// When it was stored that all of it is delivered.
    pub closed_at: Option<Timestamp>,
    /// Delivered objects.
    pub objects: u64,
    /// Records in them.
    pub records: u64,
    /// Of a gap: how many records it leaves out, if they were counted.
    pub left_out: Option<u64>,
}

/// Which windows of an account are asked for.
#[derive(Debug, Clone)]
pub struct SlotRange {
    /// Whose.
    pub account: AccountId,
    /// From this slot on.
    pub from: Timestamp,
    /// Up to this slot, with it.
    pub to: Timestamp,
    /// Whether the newest are read first, and not the oldest.
    pub newest_first: bool,
    /// At most so many.
    pub limit: u32,
}
