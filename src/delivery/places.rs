//! The places of a worker, shared with the exports that have them.

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

    /// What the admission knows, under lock.
    pub(crate) fn look(&self) -> MutexGuard<'_, Admission> {
        lock(&self.0)
    }
}

/// A place, until it is dropped.
pub(crate) struct Place {
    admission: Arc<Mutex<Admission>>,
    endpoint: String,
}

impl Place {
    /// Tells how the endpoint took a put.
    pub(crate) fn record_pace(&self, pace: Pace) {
        lock(&self.admission).record_pace(&self.endpoint, pace);
    }

    /// Whether the account goes back to the end of the queue after an object.
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
