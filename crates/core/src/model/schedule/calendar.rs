//! When an account is due.

use jiff::Timestamp;

use super::{Schedule, Zone};
use crate::model::account::AddOn;

/// When an account is due: its schedule in its zone, until its add-on ends.
#[derive(Debug, Clone, Copy)]
pub struct Calendar<'a> {
    /// The cron expression.
    pub schedule: &'a Schedule,
    /// The account's zone.
    pub zone: &'a Zone,
    /// The paid entitlement.
    pub addon: &'a AddOn,
}

/// A slot that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The instant that names the window.
    pub slot: Timestamp,
    /// Set for the last window of an add-on: only what occurred before this instant.
    pub until: Option<Timestamp>,
}

impl Calendar<'_> {
    /// The first slot later than `after`, which is the add-on's end when that comes
    /// first; none once the add-on has ended or is disabled.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        if !self.addon.enabled {
            return None;
        }
        let regular = self.schedule.next_after(self.zone.rules(), after);
        match self.addon.until {
            None => regular,
            Some(until) if until <= after => None,
            Some(until) => Some(regular.map_or(until, |slot| slot.min(until))),
        }
    }

    /// The newest slot that has come since `after`: missed slots are not replayed one by one.
    #[must_use]
    pub fn due(&self, after: Timestamp, now: Timestamp) -> Option<Due> {
        if !self.addon.enabled {
            return None;
        }
        let due = match self.addon.until {
            Some(until) if until <= now => Due { slot: until, until: Some(until) },
            _ => Due { slot: self.schedule.newest_at(self.zone.rules(), now)?, until: None },
        };
        (due.slot > after).then_some(due)
    }
}
