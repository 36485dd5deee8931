//! What became of a replay and of each of its objects.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use auditferry_core::model::account::AccountId;

/// What became of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// Whose objects.
    pub account: AccountId,
    /// The replay's number; none with `--dry-run`.
    pub replay: Option<u64>,
    /// Whether an earlier command began it.
    pub gone_on: bool,
    /// Where the objects went.
    pub destination: String,
    /// How many there are.
    pub total: u64,
    /// Of how many what was asked for is there.
    pub done: u64,
    /// Each of them, in order.
    pub objects: Vec<ReportedObject>,
    /// How many are not among them, because there are so many. All of those are done if any that is done is named.
    #[serde(default)]
    pub left_out: u64,
}

impl Report {
    /// Whether everything is there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done == self.total
    }

    /// Adds an object.
    pub(super) fn add(&mut self, object: ReportedObject) {
        self.total += 1;
        self.done += u64::from(object.outcome.is_done());
        self.objects.push(object);
    }

    /// With at most so many objects; those that are not done come before the others.
    #[must_use]
    pub fn bounded(mut self, most: usize) -> Self {
        if self.objects.len() > most {
            self.objects.sort_by_key(|object| object.outcome.is_done());
            self.objects.truncate(most);
            self.objects.sort_by_key(|object| (object.window, object.ordinal));
            self.left_out = self.total.saturating_sub(most as u64);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_objects_those_that_failed_are_named() {
        let mut report = Report {
            account: "acme".parse().expect("id"),
            replay: None,
            gone_on: false,
            destination: String::new(),
            total: 0,
            done: 0,
            objects: Vec::new(),
            left_out: 0,
        };
        for window in 1..=10 {
            report.add(ReportedObject {
                window,
                ordinal: 1,
                slot: Timestamp::UNIX_EPOCH,
                key: window.to_string(),
                put_as: None,
                records: 1,
                outcome: if window % 4 == 0 { ReplayOutcome::Missing } else { ReplayOutcome::Restored },
                message: None,
            });
        }
        assert_eq!(report.clone().bounded(10), report);
        let bounded = report.bounded(3);
        let named: Vec<u64> = bounded.objects.iter().map(|object| object.window).collect();
        assert_eq!((named, bounded.total, bounded.done, bounded.left_out), (vec![1, 4, 8], 10, 8, 7));
        assert!(!bounded.is_done());
    }
}
