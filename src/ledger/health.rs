//! The health of accounts: what keeps an export going or stopped, and since when.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Account;
use auditferry_core::model::account::{AccountId, AddOnState};
use auditferry_core::protocol::is_unattended;

/// What keeps an account's export going or stopped.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It waits for a person.
    Held,
    /// It is due, and no worker takes it.
    Unattended,
    /// No worker runs, so that nothing will be delivered.
    NoWorker,
    /// A wrong clock has planned slots to come: it waits for them.
    ClockAhead,
    /// The customer's side has refused for so long that it is only probed.
    Suspended,
    /// The last try failed; the next comes by itself.
    Retrying,
    /// There is nowhere to deliver to.
    NoDestination,
    /// Support has paused it.
    Paused,
    /// The add-on has ended.
    Expired,
    /// Support has switched the add-on off.
    Disabled,
    /// It runs on schedule.
    Running,
}

impl Health {
    /// All of them, the worst first.
    pub const ALL: [Self; 11] = [
        Self::Held,
        Self::Unattended,
        Self::NoWorker,
        Self::ClockAhead,
        Self::Suspended,
        Self::Retrying,
        Self::NoDestination,
        Self::Paused,
        Self::Expired,
        Self::Disabled,
        Self::Running,
    ];

    /// Those in which nothing is delivered although it should be.
    pub const FAILING: [Self; 6] =
        [Self::Held, Self::Unattended, Self::NoWorker, Self::ClockAhead, Self::Suspended, Self::Retrying];

    /// Whether nothing is delivered although it should be.
    #[must_use]
    pub fn is_failing(self) -> bool {
        Self::FAILING.contains(&self)
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
            Self::NoWorker => "no_worker",
            Self::NoDestination => "no_destination",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|health| health.as_str() == name)
    }
}

/// What the health of accounts is judged by, besides themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// The instant.
    pub now: Timestamp,
    /// Whether no worker runs, see [`Presence::is_gone`].
    ///
    /// [`Presence::is_gone`]: auditferry_core::model::worker::Presence::is_gone
    pub no_worker: bool,
}

/// The health of an account: the first thing that somebody must mend. `attended`: whether a worker has it
/// now, or a person has just changed it. The ledger has the same rule as SQL, and a contract test that
/// compares the two.
#[must_use]
pub fn health(account: &Account, around: Circumstances, attended: bool) -> Health {
    let Circumstances { now, no_worker } = around;
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
    } else if no_worker && account.due_at().is_some() {
        Health::NoWorker
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
        Health::Running
        | Health::ClockAhead
        | Health::NoDestination
        | Health::NoWorker
        | Health::Disabled => None,
    }
}

/// In which order accounts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountOrder {
    /// By id.
    #[default]
    Id,
    /// Those first that are in their state for the longest; those last of which that is not known.
    Oldest,
}

/// After which account a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountCursor {
    /// The last account of the page before.
    pub account: AccountId,
    /// Since when it was in its state; counts in [`AccountOrder::Oldest`].
    pub since: Option<Timestamp>,
}

impl JudgedAccount {
    /// Where the page after it begins.
    #[must_use]
    pub fn cursor(&self) -> AccountCursor {
        AccountCursor { account: self.account.id.clone(), since: self.since }
    }
}

/// Which accounts are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Only those of such health; empty: of any.
    pub health: Vec<Health>,
    /// Only those whose add-on is on, and ends within such a time.
    pub ending_within: Option<SignedDuration>,
    /// Only those with this in their id, in whatever case.
    pub text: Option<String>,
    /// Only these, for who may see no other; none: all.
    pub only: Option<Vec<AccountId>>,
    /// Their order.
    pub order: AccountOrder,
}

impl AccountFilter {
    /// Only those whose export does not run although it should.
    #[must_use]
    pub fn failing() -> Self {
        Self { health: Health::FAILING.to_vec(), ..Self::default() }
    }
}

/// A page of accounts.
#[derive(Debug, Clone)]
pub struct AccountPage {
    /// Which.
    pub filter: AccountFilter,
    /// After which one.
    pub after: Option<AccountCursor>,
    /// At most so many.
    pub limit: u32,
}

/// An account and its health.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedAccount {
    /// The account.
    pub account: Account,
    /// Its health.
    pub health: Health,
    /// Since when, as far as that is known.
    pub since: Option<Timestamp>,
}
