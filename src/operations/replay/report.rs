//! What became of a replay and of each of its objects.

use jiff::Timestamp;
use serde::Serialize;

use auditferry_core::model::account::AccountId;

/// What became of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayOutcome {
    /// It was missing and is there again, under its own name.
    Restored,
    /// It was put under a name in present time.
    Created,
    /// An object stands under its own name, and was left.
    Exists,
    /// With `--dry-run`: the source still gives what was delivered.
    Reproducible,
    /// The source does not hold all of its records any more.
    Missing,
    /// The source gives other content than was delivered.
    Differs,
    /// Its window is still being delivered, by a worker.
    InDelivery,
    /// The put failed, for sure.
    Failed,
    /// Nobody knows whether the put created it.
    Unknown,
    /// Nothing was tried, because of what came before.
    NotTried,
}

impl ReplayOutcome {
    /// The name in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Created => "created",
            Self::Exists => "exists",
            Self::Reproducible => "reproducible",
            Self::Missing => "missing",
            Self::Differs => "differs",
            Self::InDelivery => "in_delivery",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NotTried => "not_tried",
        }
    }

    /// Whether the operator has what was asked for.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(self, Self::Restored | Self::Created | Self::Exists | Self::Reproducible)
    }

    /// Whether the same command, run again, may do better.
    pub(super) fn may_do_better(self) -> bool {
        matches!(self, Self::InDelivery | Self::Failed | Self::Unknown | Self::NotTried)
    }
}

/// One object of a report.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedObject {
    /// The window's number.
    pub window: u64,
    /// The object's place within the window.
    pub ordinal: u32,
    /// The slot that names it.
    pub slot: Timestamp,
    /// The name under which it was delivered.
    pub key: String,
    /// The name under which it was put, or would have been.
    pub put_as: Option<String>,
    /// Records in it.
    pub records: u64,
    /// What became of it.
    pub outcome: ReplayOutcome,
    /// Why it was not put, in a sentence.
    pub message: Option<String>,
}

/// What became of a replay.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whose objects.
    pub account: AccountId,
    /// The replay's number; none with `--dry-run`.
    pub replay: Option<u64>,
    /// Whether an earlier command began it.
    pub gone_on: bool,
    /// Where the objects went.
    pub destination: String,
    /// Each of them, in order.
    pub objects: Vec<ReportedObject>,
}

impl Report {
    /// Whether everything is there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.objects.iter().all(|object| object.outcome.is_done())
    }
}
