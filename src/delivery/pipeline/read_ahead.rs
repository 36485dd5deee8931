//! What all exports of a worker share, so that its memory is bounded.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::beginnings::Beginnings;
use super::rooms::Rooms;

/// What memory is counted in.
const UNIT: u64 = 1024;

/// What all exports of a worker share, so that its memory is bounded.
#[derive(Clone)]
pub struct ReadAhead {
    /// Content of objects that are made before they are asked for, in [`UNIT`]s.
    pub(super) ahead: Arc<Semaphore>,
    pub(super) capacity: u32,
    /// Pieces that are being wrapped.
    pub(super) wrapping: Arc<Semaphore>,
    /// Objects that are large and have all their content in memory. Not counted with the
    /// pieces: who fills an object waits for a connection, who wraps a piece may hold one.
    pub(super) rooms: Arc<Rooms>,
    /// Threads that wrap objects without a room. Windows that begin together are ready together, and
    /// with a thread for each there would be as many compressors.
    pub(super) threads: Arc<Semaphore>,
    /// Uses of the source's connections.
    pub(super) turns: Arc<Semaphore>,
    /// Windows whose first records wait for such a use.
    pub(super) beginnings: Arc<Beginnings>,
}

impl ReadAhead {
    /// At most `bytes` of content ahead; 0 makes each object when it is asked for. All but one
    /// of the source's `connections` are for exports, which wait for their turn as long as it
    /// takes: who waits for a connection itself takes a source that is busy for one that is away.
    #[must_use]
    pub fn new(bytes: u64, connections: u32) -> Self {
        let capacity = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4);
        // One more than can run, so that none waits for the next.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            ahead: Arc::new(Semaphore::new(capacity as usize)),
            capacity,
            wrapping: Arc::new(Semaphore::new(cores + 1)),
            rooms: Arc::new(Rooms::new(cores + 1)),
            threads: Arc::new(Semaphore::new(cores + 1)),
            turns: Arc::new(Semaphore::new(connections.saturating_sub(1).max(1) as usize)),
            beginnings: Arc::new(Beginnings::new(cores)),
        }
    }

    /// The right to use the source, until it is dropped. Nobody who has it waits for it again.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// The right to make an object of at most `bytes` ahead. Never comes when it does not fit.
    pub(super) async fn reserve(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        if units > self.capacity {
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.ahead).acquire_many_owned(units).await.ok()
    }
}
