//! Listings: the first rows, how many there are, and all of them when that is asked for.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::admin::{Admin, AdminError};
use super::health::{Health, health, since};
use crate::ledger::Account;
use auditferry_core::model::account::AccountId;
use auditferry_core::protocol::UNATTENDED_AFTER;

/// How many rows are shown unless the caller says.
pub const SHOWN: u32 = 50;

/// Rows are counted up to this number; beyond it a listing says "more than".
const COUNTED: u32 = 1_000;

/// How much of a listing is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// At most this many rows.
    First(u32),
    /// All of it.
    All,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// Exactly this many.
    Exactly(u64),
    /// More than were counted.
    MoreThan(u64),
}

/// What is shown of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// The rows that are shown.
    pub rows: Vec<T>,
    /// How many there are.
    pub total: Total,
}

impl Extent {
    /// How many rows are asked for, so that those that are left out can be counted.
    #[must_use]
    pub fn asked(self) -> u32 {
        match self {
            Self::First(shown) => shown.max(COUNTED).saturating_add(1),
            Self::All => u32::MAX,
        }
    }

    /// What is shown of the rows that were got.
    #[must_use]
    pub fn of<T>(self, mut rows: Vec<T>) -> Listing<T> {
        let got = rows.len() as u64;
        let total = match self {
            Self::First(_) if got >= u64::from(self.asked()) => Total::MoreThan(got - 1),
            _ => Total::Exactly(got),
        };
        self.cut(&mut rows);
        Listing { rows, total }
    }

    fn cut<T>(self, rows: &mut Vec<T>) {
        if let Self::First(shown) = self {
            rows.truncate(shown as usize);
        }
    }
}

impl<T> Listing<T> {
    /// What a person or a program has to know when not all is shown.
    #[must_use]
    pub fn rest(&self) -> Option<String> {
        let shown = self.rows.len() as u64;
        let total = match self.total {
            Total::Exactly(total) if total == shown => return None,
            Total::Exactly(total) => total.to_string(),
            Total::MoreThan(counted) => format!("more than {counted}"),
        };
        Some(format!("{shown} of {total} shown; --all shows the rest"))
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

/// Which accounts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountFilter {
    /// Only those whose export does not run although it should.
    pub failing: bool,
    /// Only those whose add-on ends within such a time.
    pub ending_within: Option<SignedDuration>,
    /// Their order.
    pub order: AccountOrder,
}

/// An account in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountRow {
    /// Its id.
    pub account: AccountId,
    /// Whether it runs, and if not, why.
    pub health: Health,
    /// Since when, as far as that is known.
    pub since: Option<Timestamp>,
    /// Its zone.
    pub zone: String,
    /// The add-on's end.
    pub addon_until: Option<Timestamp>,
    /// The next slot.
    pub next_slot: Option<Timestamp>,
    /// When its watermark was captured.
    pub watermark_at: Timestamp,
    /// The number of its newest window.
    pub windows: u64,
    /// The kind of what went wrong last.
    pub error: Option<String>,
}

impl AccountRow {
    fn of(account: &Account, now: Timestamp, attended: bool) -> Self {
        let health = health(account, now, attended);
        Self {
            account: account.id.clone(),
            health,
            since: since(account, health),
            zone: account.zone.clone(),
            addon_until: account.addon.until,
            next_slot: account.next_slot,
            watermark_at: account.watermark.at,
            windows: account.windows,
            error: account.trouble.as_ref().map(|trouble| trouble.kind.as_str().to_owned()),
        }
    }
}

impl AccountFilter {
    fn takes(&self, account: &Account, row: &AccountRow, now: Timestamp) -> bool {
        let ends = |within| {
            let latest = now.checked_add(within).unwrap_or(Timestamp::MAX);
            account.addon.enabled && account.addon.until.is_some_and(|until| until > now && until <= latest)
        };
        (!self.failing || row.health.is_failing()) && self.ending_within.is_none_or(ends)
    }
}

/// What has changed since then may not have been seen by a worker.
#[must_use]
pub fn lately(now: Timestamp) -> Timestamp {
    now.checked_sub(UNATTENDED_AFTER).unwrap_or(now)
}

impl Admin {
    /// Lists accounts.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn list_accounts(
        &self,
        filter: AccountFilter,
        extent: Extent,
    ) -> Result<Listing<AccountRow>, AdminError> {
        let now = self.clock.now();
        let attended = self.ledger.attended(lately(now)).await?;
        let mut rows = Vec::new();
        for account in self.all_accounts().await? {
            let row = AccountRow::of(&account, now, attended.contains(&account.id));
            if filter.takes(&account, &row, now) {
                rows.push(row);
            }
        }
        if filter.order == AccountOrder::Oldest {
            rows.sort_by_key(|row| row.since.unwrap_or(Timestamp::MAX));
        }
        let total = Total::Exactly(rows.len() as u64);
        extent.cut(&mut rows);
        Ok(Listing { rows, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let listed = |extent: Extent, there: u32| extent.of((0..there.min(extent.asked())).collect());
        assert_eq!(listed(Extent::First(50), 50).rest(), None);
        let rest = |extent, there| listed(extent, there).rest();
        assert_eq!(rest(Extent::First(50), 64).as_deref(), Some("50 of 64 shown; --all shows the rest"));
        assert_eq!(
            rest(Extent::First(50), 5_000).as_deref(),
            Some("50 of more than 1000 shown; --all shows the rest")
        );
        assert_eq!(rest(Extent::First(1_000), 1_000), None);
        assert_eq!(rest(Extent::All, 5_000), None);
    }
}
