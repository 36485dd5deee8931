//! An object that is being filled from a reading, piece by piece.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::rooms::Room;
use super::{ObjectError, ReadAhead};
use crate::source::{Taken, Taker};
use auditferry_core::archive::{ObjectBuilder, Offer, PackedPiece, Sealed, Unsealed};
use auditferry_core::model::record::RecordRef;

/// Bytes of an object that are hashed at once: a fifth of a millisecond.
const HASHED: usize = 256 * 1024;

/// Content that it never has without that right, whatever was expected of its records.
const TOO_LARGE: u64 = 4 << 20;

pub(super) type Piece = JoinHandle<io::Result<PackedPiece>>;

/// An object that is being filled.
pub(super) struct Filling {
    pub(super) builder: ObjectBuilder,
    wrapping: Arc<Semaphore>,
    /// Those that are not in the object yet, in their order.
    pub(super) pieces: VecDeque<Piece>,
    /// The right to hold much content.
    pub(super) room: Option<Room>,
    /// Whether it took no more because it lacks that right.
    pub(super) crowded: bool,
    pub(super) full: bool,
    pub(super) failed: Option<ObjectError>,
}

impl Filling {
    pub(super) fn new(builder: ObjectBuilder, read_ahead: &ReadAhead) -> Self {
        Self {
            builder,
            wrapping: Arc::clone(&read_ahead.wrapping),
            pieces: VecDeque::new(),
            room: None,
            crowded: false,
            full: false,
            failed: None,
        }
    }
}

#[async_trait]
impl Taker for Filling {
    fn take(&mut self, record: &RecordRef<'_>) -> Taken {
        self.crowded |= self.room.is_none() && self.builder.kept_bytes() >= Some(TOO_LARGE);
        if self.crowded {
            return Taken::No;
        }
        if self.failed.is_some() || self.builder.offer(record) == Offer::Full {
            self.full = true;
            return Taken::No;
        }
        if self.builder.must_cut() { Taken::Pause } else { Taken::Yes }
    }

    async fn pause(&mut self) {
        let Some(piece) = self.builder.cut() else { return };
        let turn = Arc::clone(&self.wrapping).acquire_owned().await;
        self.pieces.push_back(tokio::task::spawn_blocking(move || {
            let _turn = turn;
            piece.pack()
        }));
        while self.pieces.front().is_some_and(JoinHandle::is_finished) {
            let Some(piece) = self.pieces.pop_front() else { return };
            match piece.await {
                Ok(Ok(wrapped)) => self.builder.append(wrapped),
                Ok(Err(error)) => self.failed = Some(self.builder.failed(error).into()),
                Err(error) => self.failed = Some(error.into()),
            }
        }
    }
}

/// Waits for the pieces and seals the object.
pub(super) async fn finish(pieces: VecDeque<Piece>, mut unsealed: Unsealed) -> Result<Sealed, ObjectError> {
    for piece in pieces {
        match piece.await? {
            Ok(wrapped) => unsealed.append(wrapped),
            Err(error) => return Err(unsealed.failed(error).into()),
        }
    }
    if unsealed.size() <= HASHED {
        return Ok(unsealed.seal()?);
    }
    // Hashing takes a while: not on a thread that serves others.
    Ok(tokio::task::spawn_blocking(|| unsealed.seal()).await??)
}
