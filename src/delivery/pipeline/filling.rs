//! An object that is being filled with the records of a read, piece by piece.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::buffers::Buffer;
use super::{ObjectError, ReadAhead};
use crate::source::{Taken, Taker};
use auditferry_core::archive::{ObjectBuilder, Offer, PackedPiece, Sealed, Unsealed};
use auditferry_core::model::record::RecordRef;

/// Objects up to this size, in bytes, are hashed on the spot: a fifth of a millisecond.
const HASHED: usize = 256 * 1024;

/// Bytes of content that an object never holds without a buffer, however large its records turn out.
const TOO_LARGE: u64 = 4 << 20;

pub(super) type Piece = JoinHandle<io::Result<PackedPiece>>;

/// An object that is being filled.
pub(super) struct Filling {
    pub(super) builder: ObjectBuilder,
    compressing: Arc<Semaphore>,
    /// Those that are not in the object yet, in their order.
    pub(super) pieces: VecDeque<Piece>,
    /// What it may hold large content in.
    pub(super) buffer: Option<Buffer>,
    /// Whether it took no more because it needs a buffer first.
    pub(super) needs_buffer: bool,
    pub(super) full: bool,
    pub(super) failed: Option<ObjectError>,
}

impl Filling {
    pub(super) fn new(builder: ObjectBuilder, read_ahead: &ReadAhead) -> Self {
        Self {
            builder,
            compressing: Arc::clone(&read_ahead.compressing),
            pieces: VecDeque::new(),
            buffer: None,
            needs_buffer: false,
            full: false,
            failed: None,
        }
    }
}

#[async_trait]
impl Taker for Filling {
    fn take(&mut self, record: &RecordRef<'_>) -> Taken {
        self.needs_buffer |= self.buffer.is_none() && self.builder.kept_bytes() >= Some(TOO_LARGE);
        if self.needs_buffer {
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
        let permit = Arc::clone(&self.compressing).acquire_owned().await;
        self.pieces.push_back(tokio::task::spawn_blocking(move || {
            let _permit = permit;
            piece.pack()
        }));
        while self.pieces.front().is_some_and(JoinHandle::is_finished) {
            let Some(piece) = self.pieces.pop_front() else { return };
            match piece.await {
                Ok(Ok(compressed)) => self.builder.append(compressed),
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
            Ok(compressed) => unsealed.append(compressed),
            Err(error) => return Err(unsealed.failed(error).into()),
        }
    }
    if unsealed.size() <= HASHED {
        return Ok(unsealed.seal()?);
    }
    // Hashing takes a while: not on a thread that serves others.
    Ok(tokio::task::spawn_blocking(|| unsealed.seal()).await??)
}
