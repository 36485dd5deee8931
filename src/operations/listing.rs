//! Listings: the first rows, how many there are, and all of them when that is asked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::admin::{Admin, AdminError};
use crate::ledger::{AccountFilter, AccountPage, Circumstances, Health, JudgedAccount};
use auditferry_core::model::account::AccountId;

/// How many rows are shown unless the caller says.
pub const SHOWN: u32 = 50;

/// Rows are counted up to this number; beyond it a listing says "more than".
const COUNTED: u32 = 1_000;

/// How many accounts are read at once.
const PAGE: u32 = 500;

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

    /// How many more are wanted when there are so many.
    fn left(self, there: usize) -> u32 {
        match self {
            Self::First(shown) => shown.saturating_sub(u32::try_from(there).unwrap_or(u32::MAX)),
            Self::All => u32::MAX,
        }
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

/// An account in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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

impl From<JudgedAccount> for AccountRow {
    fn from(JudgedAccount { account, health, since }: JudgedAccount) -> Self {
        Self {
            account: account.id,
            health,
            since,
            zone: account.zone,
            addon_until: account.addon.until,
            next_slot: account.next_slot,
            watermark_at: account.watermark.at,
            windows: account.windows,
            error: account.trouble.map(|trouble| trouble.kind.as_str().to_owned()),
        }
    }
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
        let around = self.circumstances().await?;
        let mut page = AccountPage { filter, after: None, limit: 0 };
        let mut rows: Vec<AccountRow> = Vec::new();
        loop {
            page.limit = extent.left(rows.len()).min(PAGE);
            if page.limit == 0 {
                break;
            }
            let got = self.ledger.judged_accounts(around, &page).await?;
            let ended = got.len() < page.limit as usize;
            page.after = got.last().map(JudgedAccount::cursor);
            rows.extend(got.into_iter().map(AccountRow::from));
            if ended {
                let total = Total::Exactly(rows.len() as u64);
                return Ok(Listing { rows, total });
            }
        }
        let total = Total::Exactly(self.ledger.count_accounts(around, &page.filter).await?);
        Ok(Listing { rows, total })
    }

    /// What the health of accounts is judged by now.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn circumstances(&self) -> Result<Circumstances, AdminError> {
        let no_worker = self.presence().await?.is_gone();
        Ok(Circumstances { now: self.clock.now(), no_worker })
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
