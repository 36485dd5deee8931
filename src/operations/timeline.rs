//! The slots of an account over a span of time, and what became of each.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use self::past::Past;
use self::verdict::Slots;
use super::admin::{Admin, AdminError};
use super::explanation::Explanation;
use crate::ledger::{Account, Change, ChangeFilter, SlotRange, SlotWindow};
use auditferry_core::model::account::AccountId;

pub(super) mod past;
pub(super) mod verdict;

pub use self::verdict::SlotState;

/// How many days are shown, with the present one.
pub const DAYS: i32 = 14;

/// How many of the slots to come are shown.
pub const NEXT_SLOTS: usize = 5;

/// Most slots that are shown: more than the default schedule has in these days.
pub const MOST_SLOTS: usize = 100;

/// Most changes that are read: beyond them an account is taken for what it was then.
const MOST_CHANGES: u32 = 1_000;

/// The slots of an account's last days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Timeline {
    /// The account's zone, in which days begin.
    pub zone: String,
    /// The midnight from which it tells.
    pub from: Timestamp,
    /// The slots, the oldest first.
    pub slots: Vec<SlotFate>,
    /// That older slots of these days are left out.
    pub cut: bool,
    /// The next slots, at most five.
    pub next: Vec<Timestamp>,
}

/// A slot, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SlotFate {
    /// The instant.
    pub slot: Timestamp,
    /// What became of it.
    pub state: SlotState,
    /// Whether it was on the schedule; otherwise somebody asked for it, or it ended the add-on or left a gap.
    pub scheduled: bool,
    /// Its own window, or the one that its records went into.
    pub window: Option<u64>,
    /// The slot of the window that its records went into, when that is another.
    pub into: Option<Timestamp>,
    /// Delivered objects of its own window.
    pub objects: u64,
    /// Records in them.
    pub records: u64,
    /// When all of its own window was delivered.
    pub delivered_at: Option<Timestamp>,
}

/// What is read of an account's past.
pub(super) struct Read {
    pub(super) past: Past,
    /// The oldest first.
    pub(super) windows: Vec<SlotWindow>,
    /// The newest first.
    pub(super) changes: Vec<Change>,
    /// That windows of the span were left out, which are older than the first.
    pub(super) cut: bool,
}

impl Read {
    /// The slots between two instants, the oldest first, at most `most` of them; and whether some were left out.
    pub(super) fn slots(&self, span: (Timestamp, Timestamp), most: usize) -> (Vec<(Timestamp, bool)>, bool) {
        // Of what lies before the windows that were read nothing is known.
        let oldest = self.windows.first().filter(|_| self.cut).map(|window| window.slot);
        let span = (oldest.map_or(span.0, |oldest| oldest.max(span.0)), span.1);
        let (scheduled, cut) = self.past.slots(span, most);
        let mut slots: Vec<(Timestamp, bool)> = scheduled.into_iter().map(|slot| (slot, true)).collect();
        let first = slots.last().map(|(slot, _)| *slot).filter(|_| cut);
        for window in &self.windows {
            let within = window.slot >= span.0 && window.slot <= span.1;
            let shown = within && first.is_none_or(|first| window.slot >= first);
            if shown && !slots.iter().any(|(slot, _)| *slot == window.slot) {
                slots.push((window.slot, false));
            }
        }
        slots.sort_unstable();
        let more = slots.len().saturating_sub(most);
        (slots.split_off(more), cut || more > 0 || self.cut)
    }

    pub(super) fn fate(&self, account: &Account, slot: Timestamp, scheduled: bool) -> SlotFate {
        let judged = Slots { windows: &self.windows, failing: is_failing(account) };
        let (state, window) = judged.judge(slot, self.past.at(slot));
        let own = window.filter(|window| window.slot == slot);
        SlotFate {
            slot,
            state,
            scheduled,
            window: window.map(|window| window.window),
            into: window.filter(|window| window.slot != slot).map(|window| window.slot),
            objects: own.map_or(0, |window| window.objects),
            records: own.map_or(0, |window| window.records),
            delivered_at: own.and_then(|window| window.closed_at),
        }
    }
}

fn is_failing(account: &Account) -> bool {
    account.held.is_some() || account.trouble.is_some()
}

/// The first moment of the day that lies `DAYS - 1` days before an instant's, where the account is.
fn begin(zone: &TimeZone, now: Timestamp) -> Timestamp {
    let today = now.to_zoned(zone.clone()).date();
    let first = today.checked_sub((DAYS - 1).days()).unwrap_or(today);
    first.to_zoned(zone.clone()).map_or(now - SignedDuration::from_hours(14 * 24), |day| day.timestamp())
}

/// Everything that `account show` tells.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccountView {
    /// Why its export runs or does not.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// What became of its last slots.
    pub last_days: Timeline,
}

impl Admin {
    /// Why an account's export runs or does not, and what became of its last slots.
    ///
    /// # Errors
    /// As [`Admin::explain`] and [`Admin::timeline`].
    pub async fn view(&self, id: &AccountId) -> Result<AccountView, AdminError> {
        Ok(AccountView { explanation: self.explain(id).await?, last_days: self.timeline(id).await? })
    }

    /// What became of the slots of an account's last days.
    ///
    /// # Errors
    /// When there is no such account, its zone is not known here, or the ledger fails.
    pub async fn timeline(&self, id: &AccountId) -> Result<Timeline, AdminError> {
        let account = self.ledger.account(id).await?;
        let now = self.clock.now();
        let zone = self.zones.find(&account.zone)?;
        let from = begin(zone.rules(), now).max(account.created_at);
        let range = SlotRange {
            account: id.clone(),
            from,
            to: Timestamp::MAX,
            newest_first: true,
            limit: u32::try_from(MOST_SLOTS).unwrap_or(u32::MAX),
        };
        let read = self.read_past(&account, &range).await?;
        let (slots, cut) = read.slots((from, now), MOST_SLOTS);
        let slots = slots.into_iter().map(|(slot, scheduled)| read.fate(&account, slot, scheduled)).collect();
        let next = self.upcoming(&account, NEXT_SLOTS);
        Ok(Timeline { zone: account.zone, from, slots, cut, next })
    }

    /// What is needed to judge the slots of a range.
    pub(super) async fn read_past(&self, account: &Account, range: &SlotRange) -> Result<Read, AdminError> {
        let mut windows = self.ledger.slot_windows(range).await?;
        let cut = range.newest_first && windows.len() >= range.limit as usize;
        windows.sort_by_key(|window| window.slot);
        let filter = ChangeFilter {
            account: Some(account.id.clone()),
            since: Some(range.from),
            without_portal: true,
            limit: MOST_CHANGES,
            ..ChangeFilter::default()
        };
        let changes = self.ledger.changes(&filter).await?;
        let past = Past::of(account, &changes, &self.zones);
        Ok(Read { past, windows, changes, cut })
    }
}
