//! What is asked and told when a source has moved to another database server.

use std::fmt;

use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, RecordSet};

/// Where an account stands in a source that was moved.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The account whose bounds these are.
    pub account: AccountId,
    /// Every bound that it needs: of its watermark and of the window in delivery.
    pub bounds: Vec<Bound>,
    /// Where it stood before, if some records have ids to come: see `Source::has_ids_to_come`.
    pub earlier: Vec<Bound>,
    /// Its newest delivered window with records, which must be there still.
    pub delivered: Option<Delivered>,
}

/// A window that was delivered.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Its number.
    pub window: u64,
    /// Its records.
    pub set: RecordSet,
    /// How many they were.
    pub records: u64,
}

/// How a source came to where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// It was not moved, or that is known already.
    None,
    /// Its files were taken over (`pg_upgrade`): the ids of its transactions go on.
    Upgraded,
    /// It was dumped and restored: the ids of the new cluster are shifted above the old ones.
    Restored {
        /// By how much.
        shift: u64,
        /// Records that came since then and were numbered anew.
        renumbered: u64,
    },
}

/// What an adoption has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// How it came here.
    pub moved: Move,
    /// Records whose ids no transaction here could have had, numbered anew: nobody had delivered them.
    pub stamped: u64,
    /// What could not be proved.
    pub unproved: Vec<Unproved>,
}

/// An account of which it cannot be proved that nothing of it was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    /// The account whose bounds these are.
    pub account: AccountId,
    /// What was found.
    pub problem: String,
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}: {}", self.account, self.problem)
    }
}
