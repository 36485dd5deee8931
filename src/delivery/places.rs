//! The places of a worker, each the right to run one export, shared with the exports that have them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auditferry_core::protocol::admission::{Admission, Pace};

/// Gives out places as the admission says.
pub(crate) struct Places(Arc<Mutex<Admission>>);

impl Places {
    pub(crate) fn new(admission: Admission) -> Self {
        Self(Arc::new(Mutex::new(admission)))
    }

    /// A place for an account of an endpoint, if there is one.
    pub(crate) fn admit(&self, endpoint: &str) -> Option<Place> {
        let admitted = self.look().admit(endpoint);
        admitted.then(|| Place { admission: Arc::clone(&self.0), endpoint: endpoint.to_owned() })
    }

    /// Locks the admission.
    pub(crate) fn look(&self) -> MutexGuard<'_, Admission> {
        lock(&self.0)
    }
}

/// A place; dropped, it is free again.
pub(crate) struct Place {
    admission: Arc<Mutex<Admission>>,
    endpoint: String,
}

impl Place {
    /// Tells the admission how fast the endpoint answered a put.
    pub(crate) fn record_pace(&self, pace: Pace) {
        lock(&self.admission).record_pace(&self.endpoint, pace);
    }

    /// Whether the account must give its place up after an object, and queue again.
    pub(crate) fn must_yield(&self) -> bool {
        lock(&self.admission).must_yield(&self.endpoint)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.admission).release(&self.endpoint);
    }
}

fn lock(admission: &Mutex<Admission>) -> MutexGuard<'_, Admission> {
    admission.lock().unwrap_or_else(PoisonError::into_inner)
}
