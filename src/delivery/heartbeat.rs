//! Keeps the leases of running exports: reading and sealing a large object may take
//! longer than a lease lasts, and another worker would begin the same work, for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::base::failpoint;
use crate::ledger::{Delivery, Lease};
use auditferry_core::model::account::AccountId;

/// Renewals within a lease: two may fail before it is lost.
const BEATS_PER_LEASE: u32 = 3;
/// The shortest wait between two renewals.
const SHORTEST_BEAT: Duration = Duration::from_millis(10);

type Held = Arc<Mutex<HashMap<AccountId, (Lease, CancellationToken)>>>;

/// Renews the leases that are kept, all of them in one statement; ends when dropped.
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
    /// Begins to beat, for leases that last `ttl`.
    pub(crate) fn start(ledger: Arc<dyn Delivery>, ttl: Duration) -> Self {
        let held = Held::default();
        let beat = (ttl / BEATS_PER_LEASE).max(SHORTEST_BEAT);
        let task = tokio::spawn(renew(ledger, Arc::clone(&held), beat));
        Self { held, task }
    }

    /// Renews a lease until what is returned is dropped.
    pub(crate) fn keep(&self, lease: &Lease) -> Kept {
        let lost = CancellationToken::new();
        let before = lock(&self.held).insert(lease.account.clone(), (lease.clone(), lost.clone()));
        // This worker itself may have taken over what it could not renew in time.
        if let Some((_, token)) = before {
            token.cancel();
        }
        Kept { held: Arc::clone(&self.held), lease: lease.clone(), lost }
    }

    /// The leases that are kept now.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        leases(&self.held)
    }
}

/// A lease that is renewed.
pub(crate) struct Kept {
    held: Held,
    lease: Lease,
    lost: CancellationToken,
}

impl Kept {
    /// Waits until another worker has taken the account over.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for Kept {
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

async fn renew(ledger: Arc<dyn Delivery>, held: Held, beat: Duration) {
    loop {
        tokio::time::sleep(beat).await;
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
            Err(error) => tracing::warn!(error = %error, leases = leases.len(), "leases are not renewed"),
        }
    }
}
