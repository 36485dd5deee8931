//! `Delivery` on either database.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::super::{Backend, accounts, leases, sealed, steps, windows};
use crate::base::database::in_time;
use crate::ledger::{
    Claim, Delivery, Failure, Lease, NewWindow, OpenWindow, Result, SealOutcome, Trouble, Wait,
};
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::account::AccountId;
use auditferry_core::protocol::{Attempt, Denied, Hold};
use auditferry_core::store::{Receipt, StoreIds};

#[async_trait]
impl Delivery for Backend {
    async fn claim(
        &self,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
        full: &[String],
    ) -> Result<Vec<Claim>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let claims = leases::claim(&mut tx, owner, now, ttl, limit, full).await?;
            tx.commit().await?;
            Ok(claims)
        })
        .await
    }

    async fn claim_unplanned(
        &self,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<Claim>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let claims = leases::claim_unplanned(&mut tx, owner, now, ttl, limit).await?;
            tx.commit().await?;
            Ok(claims)
        })
        .await
    }

    async fn next_due(&self, full: &[String]) -> Result<Option<Timestamp>> {
        in_time(async { leases::next_due(self.reading().await?.as_mut(), full).await }).await
    }

    async fn retry_now(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        leases::retry_now(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let lost = leases::renew(&mut tx, leases).await?;
            tx.commit().await?;
            Ok(lost)
        })
        .await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.steps.ask(steps::Release { lease: lease.clone() }).await
    }

    async fn release_all(&self, leases: &[Lease]) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            leases::release(&mut tx, leases).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn set_next_slot(&self, lease: &Lease, next_slot: Option<Timestamp>) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            // A person may have set another slot since this one was computed.
            if !leases::is_changed(&mut tx, lease).await? {
                account.next_slot = next_slot;
            }
            accounts::write(&mut tx, &account).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn postpone(&self, lease: &Lease, wait: Wait) -> Result<Option<Denied<Timestamp>>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            let Wait { trouble, retry_at, blame } = wait;
            // A person may have set another destination since this one failed.
            if !leases::is_changed(&mut tx, lease).await? {
                account.blame(blame, trouble.at);
            }
            account.failures = account.failures.saturating_add(1);
            account.trouble = Some(trouble);
            account.retry_at = Some(retry_at);
            accounts::write(&mut tx, &account).await?;
            tx.commit().await?;
            Ok(account.denied)
        })
        .await
    }

    async fn end_suspension(&self, lease: &Lease) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            account.clear_trouble();
            accounts::write(&mut tx, &account).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn plan(&self, lease: &Lease, new: &NewWindow) -> Result<()> {
        self.steps.ask(steps::Plan::new(lease, new)).await
    }

    async fn plan_all(&self, plans: &[(Lease, NewWindow)]) -> Result<Vec<Result<()>>> {
        let plans: Vec<_> = plans.iter().map(|(lease, new)| steps::Plan::new(lease, new)).collect();
        let mut tx = self.begin().await?;
        let planned = steps::plan_all(&mut tx, &plans).await?;
        tx.commit().await?;
        Ok(planned)
    }

    async fn open_window(&self, id: &AccountId) -> Result<Option<OpenWindow>> {
        self.steps.look(id).await
    }

    async fn repoint(&self, lease: &Lease, window: u64) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            let account = leases::fenced(&mut tx, lease).await?;
            windows::repoint(&mut tx, &account, window).await?;
            sealed::forget_replaced(&mut tx, &lease.account).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn seal(
        &self,
        lease: &Lease,
        window: u64,
        facts: &SealedFacts,
        at: Timestamp,
    ) -> Result<SealOutcome> {
        let facts = facts.clone();
        self.steps.ask(steps::Seal { lease: lease.clone(), window, facts, at }).await
    }

    async fn journal(
        &self,
        lease: &Lease,
        window: u64,
        facts: &SealedFacts,
        owner: &str,
        at: Timestamp,
    ) -> Result<Attempt> {
        let (facts, owner) = (facts.clone(), owner.to_owned());
        self.steps.ask(steps::Journal { lease: lease.clone(), window, facts, owner, at }).await
    }

    async fn fail(
        &self,
        lease: &Lease,
        attempt: &Attempt,
        failure: &Failure,
    ) -> Result<Option<Denied<Timestamp>>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            windows::fail(&mut tx, &lease.account, attempt, failure).await?;
            account.failures = account.failures.saturating_add(1);
            // The next try counts at once when the destination was replaced meanwhile.
            let version = windows::destination_version(&mut tx, &lease.account, attempt.window).await?;
            let newest = account.destination_version == Some(version);
            account.retry_at = newest.then_some(failure.retry_at);
            if newest {
                account.blame(failure.blame, failure.at);
            }
            account.trouble = Some(Trouble {
                kind: failure.kind.clone(),
                message: failure.message.clone(),
                at: failure.at,
            });
            accounts::write(&mut tx, &account).await?;
            tx.commit().await?;
            Ok(account.denied)
        })
        .await
    }

    async fn commit(&self, lease: &Lease, receipt: Receipt, at: Timestamp) -> Result<bool> {
        let (attempt, ids) = (receipt.attempt().clone(), receipt.ids().clone());
        let window = attempt.window;
        self.steps
            .ask(steps::Ending { lease: lease.clone(), window, delivered: Some(attempt), ids, at })
            .await
    }

    async fn close(&self, lease: &Lease, window: u64, at: Timestamp) -> Result<()> {
        let ids = StoreIds::default();
        self.steps.ask(steps::Ending { lease: lease.clone(), window, delivered: None, ids, at }).await?;
        Ok(())
    }

    async fn hold(&self, lease: &Lease, hold: Hold, trouble: Trouble) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            account.held = Some(hold);
            account.trouble = Some(trouble);
            accounts::write(&mut tx, &account).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
