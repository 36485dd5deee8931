//! An account as the ledger holds it: what was configured, and how far it is.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Blame, Trouble};
use auditferry_core::model::account::{AccountId, AddOn};
use auditferry_core::model::bound::Watermark;
use auditferry_core::model::format::Format;
use auditferry_core::protocol::{self, Denied, Hold};

/// That support has paused an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Why, for the next person who looks.
    pub reason: Option<String>,
}

/// What an export is, apart from its destination and add-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions {
    /// The IANA name of the account's zone.
    pub zone: String,
    /// A cron expression in local civil time.
    pub schedule: String,
    /// How objects are made.
    pub format: Format,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The vendor's id.
    pub id: AccountId,
    /// The IANA name of its time zone.
    pub zone: String,
    /// Its cron expression in local civil time.
    pub schedule: String,
    /// How the expression was written before days of the week were counted as in cron, if it was.
    pub schedule_before: Option<String>,
    /// How its objects are made.
    pub format: Format,
    /// When it was added.
    pub created_at: Timestamp,
    /// The paid entitlement.
    pub addon: AddOn,
    /// The version of its destination, counted over all it ever had; absent: none now.
    pub destination_version: Option<u64>,
    /// Up to where its records are delivered.
    pub watermark: Watermark,
    /// Whether its records count from the first enablement of the add-on, which has not come yet.
    pub starts_when_enabled: bool,
    /// The number of its newest window; 0 before the first.
    pub windows: u64,
    /// 1, and more after the source or the ledger went back.
    pub generation: u32,
    /// The newest slot that was planned; at first, the creation.
    pub last_slot: Timestamp,
    /// The next slot.
    pub next_slot: Option<Timestamp>,
    /// The number of the window in delivery.
    pub open_window: Option<u64>,
    /// Failures in a row.
    pub failures: u32,
    /// Not before this instant, after a failure.
    pub retry_at: Option<Timestamp>,
    /// What went wrong last.
    pub trouble: Option<Trouble>,
    /// Why it waits for a person.
    pub held: Option<Hold>,
    /// Where its destination is, see [`Destination::endpoint`]; empty: not known.
    ///
    /// [`Destination::endpoint`]: auditferry_core::model::destination::Destination::endpoint
    pub endpoint: String,
    /// The open window's place among those that wait, once it is not its slot any more: when
    /// its newest object was delivered, or when its delivery may begin.
    pub served_at: Option<Timestamp>,
    /// Whether support has paused it.
    pub paused: Option<Pause>,
    /// Whether the customer's side refuses every put.
    pub denied: Option<Denied<Timestamp>>,
}

impl Account {
    /// An account that has not exported anything: no destination, no add-on, no slot planned
    /// since `created_at`.
    #[must_use]
    pub fn new(id: AccountId, options: ExportOptions, created_at: Timestamp, watermark: Watermark) -> Self {
        Self {
            id,
            zone: options.zone,
            schedule: options.schedule,
            schedule_before: None,
            format: options.format,
            created_at,
            addon: AddOn::default(),
            destination_version: None,
            watermark,
            starts_when_enabled: false,
            windows: 0,
            generation: 1,
            last_slot: created_at,
            next_slot: None,
            open_window: None,
            failures: 0,
            retry_at: None,
            trouble: None,
            held: None,
            endpoint: String::new(),
            served_at: None,
            paused: None,
            denied: None,
        }
    }

    /// Gives it another schedule; the same one stays as it was written.
    pub fn set_schedule(&mut self, schedule: &str) {
        if self.schedule != schedule {
            schedule.clone_into(&mut self.schedule);
            self.schedule_before = None;
        }
    }

    /// When a worker must look at it next; none while nothing may start.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let stopped = self.held.is_some() || self.paused.is_some();
        let may_start = self.addon.enabled && self.destination_version.is_some() && !stopped;
        // Its slot has come; after each object it stands behind those that wait already.
        let open = self.open_window.map(|_| self.served_at.unwrap_or(self.last_slot));
        protocol::due_at(may_start, open, self.next_slot, self.retry_at)
    }

    /// Whether its newest slot lies in the future: a clock was wrong when it was planned.
    #[must_use]
    pub fn clock_was_ahead(&self, now: Timestamp) -> bool {
        protocol::is_clock_ahead(self.last_slot.duration_since(now))
    }

    /// Forgets what went wrong, so that the next try is at once.
    pub fn clear_trouble(&mut self) {
        self.failures = 0;
        self.retry_at = None;
        self.trouble = None;
        self.denied = None;
    }

    /// Counts a failure of its newest destination, or of what it needs to open that.
    pub(super) fn blame(&mut self, blame: Blame, at: Timestamp) {
        if let Blame::Customer { suspend_after } = blame {
            let too_long = |since| {
                at.duration_since(since)
                    >= SignedDuration::try_from(suspend_after).unwrap_or(SignedDuration::MAX)
            };
            self.denied = Some(protocol::record_denial(self.denied, at, too_long));
        }
    }

    /// Whether its destination is only probed, until a probe succeeds.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        protocol::is_suspended(self.denied.as_ref())
    }
}
