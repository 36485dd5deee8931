//! The limits that all exports of a worker share: content in memory, threads, connections to the source.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::beginnings::Beginnings;
use super::buffers::BufferPool;

/// What memory is counted in.
const UNIT: u64 = 1024;

/// What all exports of a worker share, so that its memory is bounded.
#[derive(Clone)]
pub struct ReadAhead {
    /// Content of objects that are made before they are asked for, in [`UNIT`]s.
    pub(super) ahead: Arc<Semaphore>,
    pub(super) capacity: u32,
    /// Pieces that are being compressed.
    pub(super) compressing: Arc<Semaphore>,
    /// Buffers of objects that are large and have all their content in memory. Not counted with the
    /// pieces: whoever fills an object waits for a connection, whoever compresses a piece may hold one.
    pub(super) buffers: Arc<BufferPool>,
    /// Threads that compress objects without a buffer. Windows that begin together are ready together,
    /// and with a thread for each there would be as many compressors.
    pub(super) threads: Arc<Semaphore>,
    /// Permits to use a connection of the source.
    pub(super) source_permits: Arc<Semaphore>,
    /// Windows whose first records wait for such a permit.
    pub(super) beginnings: Arc<Beginnings>,
}

impl ReadAhead {
    /// At most `bytes` of content are made ahead; with 0 each object is made when it is asked for. All
    /// but one of the source's `connections` are for exports. They wait for a permit as long as it
    /// takes, and not for a connection: that wait has a time-out, after which a busy source would look
    /// like one that is down.
    #[must_use]
    pub fn new(bytes: u64, connections: u32) -> Self {
        let capacity = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4);
        // One more than can run, so that none waits for the next.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            ahead: Arc::new(Semaphore::new(capacity as usize)),
            capacity,
            compressing: Arc::new(Semaphore::new(cores + 1)),
            buffers: Arc::new(BufferPool::new(cores + 1)),
            threads: Arc::new(Semaphore::new(cores + 1)),
            source_permits: Arc::new(Semaphore::new(connections.saturating_sub(1).max(1) as usize)),
            beginnings: Arc::new(Beginnings::new(cores)),
        }
    }

    /// A permit to use the source, until it is dropped. Whoever has one must not ask for another, or all
    /// could wait for each other.
    pub(crate) async fn source_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.source_permits).acquire_owned().await.ok()
    }

    /// Reserves memory for an object of at most `bytes`, to be made ahead. Never returns when that is
    /// more than there is.
    pub(super) async fn reserve(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        if units > self.capacity {
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.ahead).acquire_many_owned(units).await.ok()
    }
}
