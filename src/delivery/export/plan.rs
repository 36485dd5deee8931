//! Plans windows: of one account when it is its turn, or of many that wait for theirs.

use std::collections::HashMap;
use std::time::Duration;

use tracing::{Instrument as _, Span};

use super::setback::jitter;
use super::{ExportError, Exporter};
use crate::base::failpoint::with_failpoints;
use crate::delivery::capture::{Captured, capture};
use crate::ledger::{Account, Claim, Lease, LedgerError, NewWindow};
use crate::observe::traces;
use crate::source::SourceError;
use auditferry_core::model::account::AddOnState;
use auditferry_core::model::schedule::{Calendar, Schedule, begins};
use auditferry_core::protocol::slot_to_plan;

/// What is to be done for an account that has no open window.
enum Next {
    /// Its slot has come.
    Window(NewWindow),
    /// None has.
    Wait(Option<jiff::Timestamp>),
}

impl Exporter {
    /// Stores the window of the newest slot that has come. Whether its delivery may begin.
    pub(super) async fn plan(&self, claim: &Claim, captured: Option<&Captured>) -> Result<bool, ExportError> {
        match self.next(&claim.account, captured)? {
            Next::Window(mut new) => {
                let Account { id, watermark, .. } = &claim.account;
                let permit = self.read_ahead.source_permit().await;
                new.hi = self.source.pin(id, Some(watermark), &new.hi).await?;
                drop(permit);
                let span = traces::plan(id, new.slot);
                let plan = async { with_failpoints!("plan", self.ledger.plan(&claim.lease, &new)).await };
                match plan.instrument(span).await {
                    // Delivered when a clock was ahead. Its records come with the next one.
                    Err(LedgerError::SlotTaken(..)) => {
                        tracing::warn!(account = %id, slot = %new.slot, "the slot was used when a clock was ahead; \
                            the next one takes its records");
                        self.set_next_slot(&claim.lease, new.next_slot).await?;
                        return Ok(false);
                    }
                    planned => planned?,
                }
                Ok(new.begins.is_none_or(|begins| begins <= self.clock.now()))
            }
            Next::Wait(until) => {
                self.set_next_slot(&claim.lease, until).await?;
                Ok(false)
            }
        }
    }

    fn next(&self, account: &Account, captured: Option<&Captured>) -> Result<Next, ExportError> {
        let zone = self.zones.find(&account.zone)?;
        let schedule = Schedule::parse(&account.schedule)?;
        let calendar = Calendar { schedule: &schedule, zone: &zone, addon: &account.addon };
        let now = self.clock.now();
        let due = calendar.due(account.last_slot, now);
        let scheduled = due.map(|due| due.slot);
        let next = account.next_slot.filter(|_| account.addon.state(now) == AddOnState::Active);
        let slot = slot_to_plan(scheduled, account.last_slot, now, next);
        let (Some(slot), Some(captured)) = (slot, captured) else {
            return Ok(Next::Wait(calendar.next_after(account.last_slot.max(now))));
        };
        let next_slot = calendar.next_after(slot);
        // Who asks for a slot waits for it: only those of the schedule are spread.
        let spread = if scheduled == Some(slot) { self.spread } else { Duration::ZERO };
        Ok(Next::Window(NewWindow {
            slot,
            hi: captured.bound.clone(),
            to: captured.at,
            until: due.filter(|due| due.slot == slot).and_then(|due| due.until),
            next_slot,
            begins: begins(slot, next_slot, spread, jitter(&account.id)),
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
        let mut plans = Vec::new();
        let mut pinned = HashMap::new();
        for Claim { account, lease } in claims {
            let Ok(Next::Window(mut new)) = self.next(account, Some(&captured)) else { continue };
            // Accounts that stand at the same bounds are looked at once.
            let stands: Vec<&str> = account.watermark.bounds().map(|bound| bound.0.as_str()).collect();
            let known = pinned.get(&stands).filter(|_| self.source.shares_bounds()).cloned();
            new.hi = match known {
                Some(hi) => hi,
                None => match self.source.pin(&account.id, Some(&account.watermark), &new.hi).await {
                    Ok(hi) => hi,
                    Err(SourceError::Database(error)) => return Err(SourceError::Database(error).into()),
                    Err(_) => continue,
                },
            };
            pinned.insert(stands, new.hi.clone());
            plans.push((lease.clone(), new));
        }
        let spans: Vec<Span> =
            plans.iter().map(|(lease, new)| traces::plan(&lease.account, new.slot)).collect();
        let planned = with_failpoints!("plan", self.ledger.plan_all(&plans)).await?;
        drop(spans);
        if self.source.shares_bounds() {
            // All of this capture's windows are stored: one confirmation is enough for them.
            self.confirm().await?;
            self.confirmations.remember(captured.bound);
        }
        Ok(planned.iter().filter(|planned| planned.is_ok()).count())
    }
}
