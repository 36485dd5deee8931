//! Where the content of large objects is.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use auditferry_core::archive::MAPPED;

/// Where large content is. The memory of one is used again for the next: of each page that it
/// gives, the system first clears four kilobytes, which took a seventh of the worker's time.
#[derive(Debug)]
pub(super) struct Rooms {
    free: Arc<Semaphore>,
    left: Mutex<Left>,
}

#[derive(Debug, Default)]
struct Left {
    used: usize,
    memory: Vec<Vec<u8>>,
}

/// The right to hold much content, and memory for it.
#[derive(Debug)]
pub(super) struct Room {
    rooms: Arc<Rooms>,
    pub(super) memory: Vec<u8>,
    _right: OwnedSemaphorePermit,
}

impl Rooms {
    /// Room for the content of `objects` large objects at the same time.
    pub(super) fn new(objects: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(objects)), left: Mutex::default() }
    }

    pub(super) async fn enter(self: &Arc<Self>) -> Option<Room> {
        let right = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.used += 1;
        Some(Room { rooms: Arc::clone(self), memory: left.memory.pop().unwrap_or_default(), _right: right })
    }
}

impl Room {
    /// Gives its memory back.
    pub(super) fn leave(&mut self, memory: Vec<u8>) {
        self.memory = memory;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut left = self.rooms.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.used -= 1;
        if self.memory.capacity() > 0 {
            // A record that is larger by itself has its memory once.
            self.memory.clear();
            self.memory.shrink_to(MAPPED);
            left.memory.push(std::mem::take(&mut self.memory));
        }
        // Nobody else is there who could use it soon.
        if left.used == 0 {
            left.memory.clear();
        }
    }
}
