//! What support and customers do to an account in the ledger.

use auditferry_core::protocol::{is_suspended, may_add_slot, may_skip};

use super::ledger::Account;
use super::source::Bound;
use super::time::{Time, slot_after};

impl Account {
    /// New credentials for the same bucket, a bucket of before, or a new one.
    pub(crate) fn replace_destination(&mut self, same_bucket: bool, back: bool) {
        let bucket = self.buckets[self.state.destination];
        let newest = self.buckets.iter().copied().max().unwrap_or(0);
        self.buckets.push(match (same_bucket, back) {
            (true, _) => bucket,
            (false, true) => self.buckets[0],
            (false, false) => newest + 1,
        });
        self.state.destination = self.buckets.len() - 1;
        self.state.clear_trouble();
    }

    pub(crate) fn set_enabled(&mut self, enabled: bool) {
        self.state.enabled = enabled;
        self.state.next_slot = enabled.then(|| slot_after(self.state.last_slot));
    }

    /// Skips what is not delivered, unless a window is open or (`seen`) one was planned
    /// since the bound was captured.
    pub(crate) fn skip_to(&mut self, bound: Bound, now: Time, seen: Option<u64>) -> bool {
        if !may_skip(self.state.open, seen.unwrap_or(self.state.windows), self.state.windows) {
            return false;
        }
        self.state.windows += 1;
        self.state.watermark = bound;
        self.state.last_slot = self.state.last_slot.max(now);
        self.state.next_slot = Some(slot_after(self.state.last_slot));
        true
    }

    /// A slot at the present time, beside the schedule.
    pub(crate) fn add_slot(&mut self, now: Time) -> bool {
        let state = &mut self.state;
        let stopped = !state.enabled || state.held.is_some() || is_suspended(state.denied.as_ref());
        if stopped || !may_add_slot(state.open, &state.last_slot, &now) {
            return false;
        }
        state.next_slot = Some(now);
        state.retry_at = None;
        true
    }

    /// A person lets a held account go on.
    pub(crate) fn let_go(&mut self) {
        self.state.held = None;
        self.state.clear_trouble();
    }
}
