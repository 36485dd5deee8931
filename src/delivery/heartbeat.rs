//! Renews the leases of running exports. Reading and sealing a large object may take longer than a
//! lease lasts; without renewal another worker would begin the same work, and so on for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::base::failpoint;
use crate::ledger::{Delivery, Lease};
use auditferry_core::model::account::AccountId;

/// Renewals within the time of a lease: two may fail before it expires.
const RENEWALS_PER_LEASE: u32 = 3;
/// The shortest wait between two renewals.
const MIN_RENEWAL_INTERVAL: Duration = Duration::from_millis(10);

type Held = Arc<Mutex<HashMap<AccountId, (Lease, CancellationToken)>>>;

/// Renews the leases that have a guard, all of them in one statement; stops when dropped.
pub(crate) struct Heartbeat {
    held: Held,
    task: JoinHandle<()>,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Heartbeat {
    /// Starts renewing, for leases that last `ttl`.
    pub(crate) fn start(ledger: Arc<dyn Delivery>, ttl: Duration) -> Self {
        let held = Held::default();
        let interval = (ttl / RENEWALS_PER_LEASE).max(MIN_RENEWAL_INTERVAL);
        let task = tokio::spawn(renew(ledger, Arc::clone(&held), interval));
        Self { held, task }
    }

    /// Renews a lease until the guard is dropped.
    pub(crate) fn keep(&self, lease: &Lease) -> LeaseGuard {
        let lost = CancellationToken::new();
        let before = lock(&self.held).insert(lease.account.clone(), (lease.clone(), lost.clone()));
        // This worker itself may have taken over what it could not renew in time.
        if let Some((_, token)) = before {
            token.cancel();
        }
        LeaseGuard { held: Arc::clone(&self.held), lease: lease.clone(), lost }
    }

    /// The leases that are being renewed.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        leases(&self.held)
    }
}

/// A lease that is being renewed; dropped, it no longer is.
pub(crate) struct LeaseGuard {
    held: Held,
    lease: Lease,
    lost: CancellationToken,
}

impl LeaseGuard {
    /// Waits until another worker has taken the account over.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        if held.get(&self.lease.account).is_some_and(|(lease, _)| lease.epoch == self.lease.epoch) {
            held.remove(&self.lease.account);
        }
    }
}

fn lock(held: &Held) -> MutexGuard<'_, HashMap<AccountId, (Lease, CancellationToken)>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn leases(held: &Held) -> Vec<Lease> {
    lock(held).values().map(|(lease, _)| lease.clone()).collect()
}

async fn renew(ledger: Arc<dyn Delivery>, held: Held, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let leases = leases(&held);
        if leases.is_empty() || failpoint::stands_still() {
            continue;
        }
        match ledger.renew(&leases).await {
            Ok(lost) => {
                for lease in lost {
                    if let Some((now, token)) = lock(&held).get(&lease.account)
                        && now.epoch == lease.epoch
                    {
                        token.cancel();
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, leases = leases.len(),
                    "leases could not be renewed; other workers take the accounts over if this goes on");
            }
        }
    }
}
