//! The health of an account: whether its export runs, why not, and since when.

use jiff::Timestamp;
use serde::Serialize;

use crate::ledger::Account;
use auditferry_core::model::account::AddOnState;
use auditferry_core::protocol::is_unattended;

/// The state of an account's export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It runs on schedule.
    Running,
    /// The last try failed; the next comes by itself.
    Retrying,
    /// The customer's side has refused for so long that it is only probed.
    Suspended,
    /// It is held until a person has looked.
    Held,
    /// Support has paused it.
    Paused,
    /// A worker whose clock was ahead planned slots in the future; it waits until they have passed.
    ClockAhead,
    /// It is due, and no worker takes it.
    Unattended,
    /// There is nowhere to deliver to.
    NoDestination,
    /// The add-on has ended.
    Expired,
    /// Support has switched the add-on off.
    Disabled,
}

impl Health {
    /// Whether nothing is delivered although it should be.
    #[must_use]
    pub fn is_failing(self) -> bool {
        matches!(self, Self::Retrying | Self::Suspended | Self::Held | Self::ClockAhead | Self::Unattended)
    }

    /// The name in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Suspended => "suspended",
            Self::Held => "held",
            Self::Paused => "paused",
            Self::ClockAhead => "clock_ahead",
            Self::Unattended => "unattended",
            Self::NoDestination => "no_destination",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        }
    }
}

/// The health of an account at an instant. Where several states apply, it is the one to fix first.
/// `attended`: whether a worker has the account now, or a person has just changed it.
#[must_use]
pub fn health(account: &Account, now: Timestamp, attended: bool) -> Health {
    let due_for = account.due_at().map(|due| now.duration_since(due));
    let addon = account.addon.state(now);
    if addon == AddOnState::Disabled {
        Health::Disabled
    } else if account.held.is_some() {
        Health::Held
    } else if account.paused.is_some() {
        Health::Paused
    } else if account.destination_version.is_none() {
        Health::NoDestination
    } else if account.clock_was_ahead(now) {
        Health::ClockAhead
    } else if is_unattended(due_for, attended) {
        Health::Unattended
    } else if account.is_suspended() {
        Health::Suspended
    } else if account.failures > 0 {
        Health::Retrying
    } else if addon == AddOnState::Expired && account.open_window.is_none() && account.next_slot.is_none() {
        Health::Expired
    } else {
        Health::Running
    }
}

/// Since when an account is in its state of health, as far as that is known.
#[must_use]
pub fn since(account: &Account, health: Health) -> Option<Timestamp> {
    match health {
        Health::Retrying => {
            let denied = account.denied.map(|denied| denied.since);
            denied.or_else(|| account.open_window.map(|_| account.last_slot)).or(account.next_slot)
        }
        Health::Suspended => account.denied.and_then(|denied| denied.suspended_at),
        Health::Held => account.trouble.as_ref().map(|trouble| trouble.at),
        Health::Paused => account.paused.as_ref().map(|pause| pause.at),
        Health::Unattended => account.due_at(),
        Health::Expired => account.addon.until,
        Health::Running | Health::ClockAhead | Health::NoDestination | Health::Disabled => None,
    }
}
