//! `auditferry source adopt`: a source that was moved to another database server goes on.
//!
//! The source is changed in one transaction, then each held account is released by a look at the
//! source. So a command that ended in between has lost nothing, and is run again.

use super::{Admin, AdminError, LedgerError};
use crate::ledger::{Account, Trouble, TroubleKind};
use crate::source::{Adopted, Delivered, Standing, Unproved};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::protocol::Hold;

/// How many windows are looked through for one with records.
const WINDOWS: u32 = 200;

/// What became of an account that was held because the source went back or is another one.
#[derive(Debug)]
pub struct AdoptedAccount {
    /// An account that was held.
    pub account: AccountId,
    /// Why it stays held; none: it goes on.
    pub stays_held: Option<String>,
}

/// What an adoption has done.
#[derive(Debug)]
pub struct Adoption {
    /// To the source.
    pub source: Adopted,
    /// To the accounts that were held.
    pub accounts: Vec<AdoptedAccount>,
}

impl Admin {
    /// Lets a source go on that was moved, and the accounts that are held because of that.
    ///
    /// # Errors
    /// When it cannot be proved that nothing was lost, or a database is away.
    pub async fn adopt(&self, by: &By, accept: bool) -> Result<Adoption, AdminError> {
        let accounts = self.all_accounts().await?;
        let mut standings = Vec::with_capacity(accounts.len());
        let ids_to_come = self.source.has_ids_to_come().await?;
        for account in &accounts {
            standings.push(self.standing(account, ids_to_come).await?);
        }
        let source = self.source.adopt(&standings, accept).await?;
        for unproved in &source.unproved {
            self.hold(by, unproved).await?;
        }
        let doubtful = |id: &AccountId| source.unproved.iter().any(|unproved| unproved.account == *id);
        let mut adopted = Vec::new();
        for account in accounts.into_iter().filter(|account| account.held == Some(Hold::SourceRewound)) {
            if doubtful(&account.id) {
                continue;
            }
            let stays_held = match self.release(by, &account.id).await {
                Ok(_) => None,
                Err(error @ (AdminError::Refused(_) | AdminError::Ledger(LedgerError::Changed(_)))) => {
                    Some(error.to_string())
                }
                Err(error) => return Err(error),
            };
            adopted.push(AdoptedAccount { account: account.id, stays_held });
        }
        Ok(Adoption { source, accounts: adopted })
    }

    /// Holds an account of which not everything is proved, for a person to rewind or to release.
    async fn hold(&self, by: &By, unproved: &Unproved) -> Result<(), AdminError> {
        let message =
            format!("the source was moved and adopted without proof for this account: {}", unproved.problem);
        let at = self.clock.now();
        let mut hold = |account: &mut Account| {
            let kind = Hold::SourceRewound;
            account.held = Some(account.held.unwrap_or(kind));
            account.trouble = Some(Trouble { kind: TroubleKind::Held(kind), message: message.clone(), at });
            Ok(())
        };
        self.ledger.edit_account(by, &unproved.account, &mut hold).await?;
        Ok(())
    }

    async fn standing(&self, account: &Account, with_earlier: bool) -> Result<Standing, AdminError> {
        let open = self.ledger.open_window(&account.id).await?;
        let bounds = account.watermark.bounds().chain(open.iter().flat_map(|open| open.window.set.bounds()));
        let earlier = if with_earlier {
            let watermarks = self.ledger.watermarks(&account.id, super::rewind::REWIND_LIMIT).await?;
            watermarks.into_iter().map(|watermark| watermark.bound).collect()
        } else {
            Vec::new()
        };
        Ok(Standing {
            earlier,
            account: account.id.clone(),
            bounds: bounds.cloned().collect(),
            delivered: self.newest_delivered(&account.id).await?,
        })
    }

    /// The newest delivered window that had records.
    async fn newest_delivered(&self, id: &AccountId) -> Result<Option<Delivered>, AdminError> {
        let windows = self.ledger.windows(id, None, WINDOWS).await?;
        let Some(newest) = windows.iter().find(|window| window.state == "delivered" && window.records > 0)
        else {
            return Ok(None);
        };
        let (slots, before) = ((newest.slot, newest.slot), newest.window.saturating_sub(1));
        let past = self.ledger.past_windows(id, slots, before, 1).await?.into_iter().next();
        let past = past.filter(|past| past.window.number == newest.window);
        Ok(past.map(|past| Delivered {
            window: newest.window,
            set: past.window.set,
            records: newest.records,
        }))
    }
}
