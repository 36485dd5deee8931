//! What follows a failure: a wait, a suspension or a hold, stored where `account show` finds it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Delivering, ExportError, Exporter, Finish};
use crate::base::failpoint::with_failpoints;
use crate::destinations::fix::fix;
use crate::ledger::{Account, Blame, Claim, Failure, Lease, LedgerError, Trouble, TroubleKind, Wait};
use auditferry_core::archive::Sealed;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::schedule::Schedule;
use auditferry_core::model::window::Window;
use auditferry_core::protocol::{Attempt, Denied, Effect, Hold, Stop, backoff, decide};
use auditferry_core::store::PutError;

impl Exporter {
    /// Stores a failed attempt with the instant of the next one, and logs it.
    pub(super) async fn fail(
        &self,
        claim: &Claim,
        window: &Window,
        sealed: &Sealed,
        attempt: &Attempt,
        error: &PutError,
        kind: TroubleKind,
    ) -> Result<(), ExportError> {
        let now = self.clock.now();
        let (retry_at, blame) = if error.kind.needs_customer() {
            (self.next_regular_slot(&claim.account, now), self.customer())
        } else {
            (self.after_a_wait(&claim.account, now, error.retry_after), Blame::Nobody)
        };
        self.metrics.failed(kind.as_str());
        tracing::warn!(account = %window.account, slot = %window.slot, key = %sealed.facts.key,
            attempt = attempt.number, kind = kind.as_str(), error = %error,
            fix = fix(&kind), retry_at = %retry_at, "put failed");
        let doubtful = error.kind.answer().leaves_doubt();
        let (message, request_id) = (error.to_string(), error.request_id.clone());
        let failure = Failure { kind, message, request_id, doubtful, at: now, retry_at, blame };
        let denied = with_failpoints!("fail", self.ledger.fail(&claim.lease, attempt, &failure)).await?;
        log_suspension(&claim.account, denied);
        Ok(())
    }

    /// Something other than a put failed.
    pub(super) async fn interrupted(&self, claim: &Claim, error: ExportError) -> Result<Finish, ExportError> {
        match decide::<Delivering>(error.event()) {
            Effect::Stop(Stop::Held(hold)) => {
                self.metrics.failed(error.kind().as_str());
                self.hold(claim, hold, error.to_string()).await?;
                Ok(Finish::Held)
            }
            Effect::Stop(Stop::Later(_)) => self.set_back(claim, error).await,
            _ if matches!(error, ExportError::Ledger(LedgerError::Changed(_))) => Ok(Finish::Done),
            _ => Err(error),
        }
    }

    /// Stores what went wrong, where `account show` finds it, and when to try again.
    async fn set_back(&self, claim: &Claim, error: ExportError) -> Result<Finish, ExportError> {
        self.metrics.failed(error.kind().as_str());
        let now = self.clock.now();
        let (retry_at, blame) = match error {
            ExportError::Open(ref problem) if !problem.passes() => {
                self.stores.forget(&claim.account.id);
                (self.next_regular_slot(&claim.account, now), self.customer())
            }
            _ => (self.after_a_wait(&claim.account, now, None), Blame::Nobody),
        };
        tracing::warn!(account = %claim.account.id, kind = error.kind().as_str(), error = %error,
            fix = fix(&error.kind()), retry_at = %retry_at, "export failed");
        let trouble = Trouble { kind: error.kind(), message: error.to_string(), at: now };
        let denied = self.postpone(&claim.lease, Wait { trouble, retry_at, blame }).await?;
        log_suspension(&claim.account, denied);
        Ok(Finish::Later)
    }

    pub(super) async fn hold(&self, claim: &Claim, hold: Hold, message: String) -> Result<(), ExportError> {
        tracing::error!(account = %claim.account.id, hold = hold.as_str(), problem = message, "account held");
        let trouble = Trouble { kind: TroubleKind::Held(hold), message, at: self.clock.now() };
        Ok(with_failpoints!("hold", self.ledger.hold(&claim.lease, hold, trouble)).await?)
    }

    pub(super) async fn postpone(
        &self,
        lease: &Lease,
        wait: Wait,
    ) -> Result<Option<Denied<Timestamp>>, LedgerError> {
        with_failpoints!("postpone", self.ledger.postpone(lease, wait)).await
    }

    fn customer(&self) -> Blame {
        Blame::Customer { suspend_after: self.waits.suspend_after }
    }

    fn after_a_wait(&self, account: &Account, now: Timestamp, asked: Option<Duration>) -> Timestamp {
        let failures = account.failures.saturating_add(1);
        let wait = backoff(failures, self.waits.first, self.waits.longest, asked, jitter(&account.id));
        now.checked_add(wait).unwrap_or(now)
    }

    pub(super) fn next_regular_slot(&self, account: &Account, now: Timestamp) -> Timestamp {
        let zone = self.zones.find(&account.zone);
        let schedule = Schedule::parse(&account.schedule);
        match (zone, schedule) {
            (Ok(zone), Ok(schedule)) => schedule.next_after(zone.rules(), now),
            _ => None,
        }
        .unwrap_or_else(|| self.after_a_wait(account, now, None))
    }
}

/// Logs that an account has just been suspended.
fn log_suspension(at_claim: &Account, denied: Option<Denied<Timestamp>>) {
    if let Some(Denied { since, suspended_at: Some(_) }) = denied
        && !at_claim.is_suspended()
    {
        tracing::error!(account = %at_claim.id, since = %since, "account suspended: its destination has \
            refused everything since then; it is probed at each slot, and goes on when a probe succeeds");
    }
}

/// Jitter of an account's waits, 0 to 1: from its id, so that it is the same each time.
pub(super) fn jitter(id: &AccountId) -> f64 {
    let sum = id.as_str().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    f64::from(sum % 1000) / 1000.0
}
