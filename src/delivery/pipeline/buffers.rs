//! Reusable buffers for the content of large objects.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use auditferry_core::archive::MAPPED;

/// Buffers for large content. Their memory is used again, because the system clears each page that it
/// hands out, which took a seventh of the worker's time.
#[derive(Debug)]
pub(super) struct BufferPool {
    free: Arc<Semaphore>,
    spare: Mutex<Spare>,
}

/// What no buffer uses.
#[derive(Debug, Default)]
struct Spare {
    /// How many buffers are in use.
    used: usize,
    memory: Vec<Vec<u8>>,
}

/// A buffer in use; dropped, it goes back to the pool.
#[derive(Debug)]
pub(super) struct Buffer {
    buffers: Arc<BufferPool>,
    pub(super) memory: Vec<u8>,
    _right: OwnedSemaphorePermit,
}

impl BufferPool {
    /// At most `objects` buffers in use at the same time.
    pub(super) fn new(objects: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(objects)), spare: Mutex::default() }
    }

    /// Waits for a buffer; none when the pool is closed, which it never is.
    pub(super) async fn acquire(self: &Arc<Self>) -> Option<Buffer> {
        let right = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.used += 1;
        Some(Buffer {
            buffers: Arc::clone(self),
            memory: spare.memory.pop().unwrap_or_default(),
            _right: right,
        })
    }
}

impl Buffer {
    /// Returns the memory that was taken out of it, to be used again.
    pub(super) fn give_back(&mut self, memory: Vec<u8>) {
        self.memory = memory;
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut spare = self.buffers.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.used -= 1;
        if self.memory.capacity() > 0 {
            // One very large record must not keep its memory for good.
            self.memory.clear();
            self.memory.shrink_to(MAPPED);
            spare.memory.push(std::mem::take(&mut self.memory));
        }
        // No other buffer is in use, so nobody would need it soon.
        if spare.used == 0 {
            spare.memory.clear();
        }
    }
}
