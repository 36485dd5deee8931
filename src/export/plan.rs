//! Plans windows: of one account when it is its turn, or of many that wait for theirs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{ExportError, Exporter};
use crate::capture::{Captured, capture};
use crate::failpoint::around;
use crate::ledger::{Account, Claim, Lease, NewWindow};
use crate::schedule::{Calendar, Schedule};
use crate::source::SourceError;

/// What is to be done for an account that has no open window.
enum Next {
    /// Its slot has come.
    Window(NewWindow),
    /// None has.
    Wait(Option<jiff::Timestamp>),
}

impl Exporter {
    /// Stores the window of the newest slot that has come. False: none has.
    pub(super) async fn plan(&self, claim: &Claim, captured: Option<&Captured>) -> Result<bool, ExportError> {
        match self.next(&claim.account, captured)? {
            Next::Window(new) => {
                for bound in claim.account.watermark.bounds() {
                    self.source.recognise(bound).await?;
                }
                self.source.check_order(&claim.account.watermark.bound, &new.hi)?;
                around!("plan", self.ledger.plan(&claim.lease, &new)).await?;
                Ok(true)
            }
            Next::Wait(until) => {
                self.ledger.postpone(&claim.lease, until, None).await?;
                Ok(false)
            }
        }
    }

    fn next(&self, account: &Account, captured: Option<&Captured>) -> Result<Next, ExportError> {
        let zone = self.zones.find(&account.zone)?;
        let schedule = Schedule::parse(&account.schedule)?;
        let calendar = Calendar { schedule: &schedule, zone: &zone, addon: &account.addon };
        let now = self.clock.now();
        let (Some(due), Some(captured)) = (calendar.due(account.last_slot, now), captured) else {
            return Ok(Next::Wait(calendar.next_after(account.last_slot.max(now))));
        };
        Ok(Next::Window(NewWindow {
            slot: due.slot,
            hi: captured.bound.clone(),
            to: captured.at,
            until: due.until,
            next_slot: calendar.next_after(due.slot),
        }))
    }

    /// Plans the windows of up to `limit` accounts that are due and wait for a place, with
    /// one bound and in one transaction, and gives the accounts back. What cannot be
    /// planned is left for its turn, and told there. Returns how many were planned.
    ///
    /// # Errors
    /// When a database failed, or the ledger has gone back.
    pub async fn plan_ahead(&self, lease: Duration, limit: u32) -> Result<usize, ExportError> {
        let claims = self.ledger.claim_unplanned(&self.owner, self.clock.now(), lease, limit).await?;
        if claims.is_empty() {
            return Ok(0);
        }
        let planned = self.plan_all(&claims).await;
        let leases: Vec<Lease> = claims.into_iter().map(|claim| claim.lease).collect();
        self.ledger.release_all(&leases).await?;
        planned
    }

    async fn plan_all(&self, claims: &[Claim]) -> Result<usize, ExportError> {
        let captured = capture(&*self.ledger, &*self.source, &*self.clock).await?;
        let known = self.recognised(claims).await?;
        let mut plans = Vec::new();
        for Claim { account, lease } in claims {
            let recognised = account.watermark.bounds().all(|bound| known.contains(bound.0.as_str()));
            let in_order = self.source.check_order(&account.watermark.bound, &captured.bound).is_ok();
            if let Ok(Next::Window(new)) = self.next(account, Some(&captured))
                && recognised
                && in_order
            {
                plans.push((lease.clone(), new));
            }
        }
        let planned = around!("plan", self.ledger.plan_all(&plans)).await?;
        Ok(planned.iter().filter(|planned| planned.is_ok()).count())
    }

    /// The bounds of many accounts that the source recognises, each looked for once.
    async fn recognised<'c>(&self, claims: &'c [Claim]) -> Result<BTreeSet<&'c str>, ExportError> {
        let bounds = claims.iter().flat_map(|claim| claim.account.watermark.bounds());
        let distinct: std::collections::BTreeMap<_, _> =
            bounds.map(|bound| (bound.0.as_str(), bound)).collect();
        let mut known = BTreeSet::new();
        for (text, bound) in distinct {
            match self.source.recognise(bound).await {
                Ok(()) => {
                    known.insert(text);
                }
                Err(SourceError::Database(error)) => return Err(SourceError::Database(error).into()),
                // Its accounts are held when it is their turn.
                Err(_) => {}
            }
        }
        Ok(known)
    }
}
