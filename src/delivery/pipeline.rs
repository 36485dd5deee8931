//! The objects of a window, made ahead of the one that is put: while one is on its way, the
//! next is read, written as JSON and deflated, on all cores. That is preparation and has no
//! effect anywhere; what is stored and put, and in which order, is decided by the protocol.
//!
//! Memory is bounded: content exists in a few pieces, and objects are made ahead only within
//! [`ReadAhead`]. The source's transaction is never open while a store is waited for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{Instrument as _, Span};

use crate::observe::traces;
use crate::source::{Source, SourceError};
use auditferry_core::archive::{ArchiveError, ObjectBuilder, Sealed};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::model::window::Window;

mod read_ahead;
mod buffers;
mod filling;
mod beginnings;

pub use self::read_ahead::ReadAhead;

use beginnings::Begun;
use filling::{Filling, finish};

/// How many records the first read of a window asks for: nothing is known of their size yet.
const FIRST: u64 = 1_000;

/// A read asks for at least this many records.
const FEWEST: u64 = 64;

/// Content up to this size is compressed on the spot: less than half a millisecond of work.
const INLINE_COMPRESS_BYTES: usize = 32 * 1024;

/// Bytes of content from which an object needs a buffer of the pool.
const LARGE: u64 = 1 << 20;

/// Why an object could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Compressing failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A task of the worker panicked or was cancelled.
    #[error("a task of the worker failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// The task that reads ended early.
    #[error("the task that reads the source ended before the window did")]
    Gone,
}

/// An object in the making, and the memory that is reserved for it.
struct Pending {
    object: JoinHandle<Result<Sealed, ObjectError>>,
    reserved: Option<OwnedSemaphorePermit>,
    last: bool,
}

/// What the maker sends: an object, none at the end of the window, or why it cannot continue.
type Made = Result<Option<Pending>, ObjectError>;

/// Where a window's objects begin.
pub(crate) struct Begin {
    pub(crate) window: Arc<Window>,
    pub(crate) writer: Writer,
    /// The number of the first object.
    pub(crate) ordinal: u32,
    /// Its name, if it has one already.
    pub(crate) key: Option<ObjectKey>,
    /// The record after which it begins.
    pub(crate) cursor: Option<Cursor>,
    /// The window's span, below which reading and archiving stand.
    pub(crate) traced: Span,
}

/// The objects of a window, in their order.
pub(crate) struct Objects {
    pending: mpsc::Receiver<Made>,
    /// The number up to which objects were asked for.
    asked: watch::Sender<u32>,
    maker: JoinHandle<()>,
    /// The object that was given out last keeps its memory until the next is asked for.
    reserved: Option<OwnedSemaphorePermit>,
    ended: bool,
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.maker.abort();
    }
}

impl Objects {
    /// Starts to make them, the first one at once.
    pub(crate) fn begin(source: Arc<dyn Source>, begin: Begin, read_ahead: ReadAhead) -> Self {
        let (send, pending) = mpsc::channel(1);
        let (asked, heard) = watch::channel(begin.ordinal - 1);
        let maker = Maker { source, begin, read_ahead, asked: heard, mean: 0 };
        Self { pending, asked, maker: tokio::spawn(maker.run(send)), reserved: None, ended: false }
    }

    /// The next object; none when the window holds no more.
    pub(crate) async fn next(&mut self) -> Result<Option<Sealed>, ObjectError> {
        self.reserved = None;
        if self.ended {
            return Ok(None);
        }
        self.asked.send_modify(|number| *number += 1);
        // A maker that is gone is no end: the window would be closed without its records.
        let Some(pending) = self.pending.recv().await.ok_or(ObjectError::Gone)?? else {
            self.ended = true;
            return Ok(None);
        };
        self.reserved = pending.reserved;
        let sealed = pending.object.await??;
        self.ended = pending.last;
        Ok(Some(sealed))
    }
}

/// Reads a window and makes its objects.
struct Maker {
    source: Arc<dyn Source>,
    begin: Begin,
    read_ahead: ReadAhead,
    asked: watch::Receiver<u32>,
    /// Mean size of a record in the object before; 0 when there is none.
    mean: u64,
}

impl Maker {
    async fn run(mut self, send: mpsc::Sender<Made>) {
        loop {
            let reserved = self.asked().await;
            let made = self.make(reserved).await;
            let more = matches!(&made, Ok(Some(Pending { last: false, .. })));
            if send.send(made).await.is_err() || !more {
                return;
            }
        }
    }

    /// Waits until the next object is asked for, or may be made ahead.
    async fn asked(&mut self) -> Option<OwnedSemaphorePermit> {
        let ordinal = self.begin.ordinal;
        let ahead = self.read_ahead.reserve(self.begin.window.format.max_bytes);
        tokio::select! {
            biased;
            _ = self.asked.wait_for(|asked| *asked >= ordinal) => None,
            reserved = ahead => reserved,
        }
    }

    /// Makes the next object; none when nothing is to be put.
    async fn make(&mut self, reserved: Option<OwnedSemaphorePermit>) -> Made {
        let read = traces::read(&self.begin.traced, self.begin.ordinal);
        self.read(reserved).instrument(read).await
    }

    async fn read(&mut self, reserved: Option<OwnedSemaphorePermit>) -> Made {
        let Begin { window, writer, ordinal, key, cursor, traced } = &mut self.begin;
        let key = key.take().unwrap_or_else(|| window.key(*ordinal));
        let empty = || {
            let builder = ObjectBuilder::named(Arc::clone(window), writer.clone(), *ordinal, key.clone());
            Filling::new(builder, &self.read_ahead)
        };
        let begun = if cursor.is_none() && window.set.is_whole() {
            self.read_ahead.begin(&self.source, window, &empty).await
        } else {
            None
        };
        let (mut filling, mut progress) = match begun {
            Some(Begun { filling, progress }) => (filling, Some(progress?)),
            None => (empty(), None),
        };
        let last = loop {
            let progress = match progress.take() {
                Some(progress) => progress,
                None => {
                    let limit = limit(&filling.builder, self.mean, filling.buffer.is_some());
                    let _permit = self.read_ahead.source_permit().await;
                    let (account, set) = (&window.account, &window.set);
                    self.source.hand_over(account, set, cursor.as_ref(), limit, &mut filling).await?
                }
            };
            if let Some(error) = filling.failed {
                return Err(error);
            }
            if progress.cursor.is_some() {
                *cursor = progress.cursor;
            }
            if !filling.needs_buffer && (filling.full || progress.exhausted) {
                break !filling.full;
            }
            if filling.buffer.is_none() && filling.builder.kept_bytes() >= Some(LARGE) {
                // Not while the source waits: the objects that would free a buffer need a connection.
                let mut buffer = self.read_ahead.buffers.acquire().await.ok_or(ObjectError::Gone)?;
                filling.needs_buffer = false;
                filling.builder.reserve(std::mem::take(&mut buffer.memory));
                filling.buffer = Some(buffer);
            }
        };
        if filling.builder.is_void() {
            return Ok(None);
        }
        self.mean = filling.builder.mean();
        let archive = traces::archive(traced, *ordinal);
        *ordinal += 1;
        let Filling { builder, mut pieces, buffer, .. } = filling;
        let (rest, unsealed) = builder.finish(cursor.clone(), last);
        pieces.push_back(if rest.len() <= INLINE_COMPRESS_BYTES {
            tokio::spawn(async { rest.pack() })
        } else if let Some(mut buffer) = buffer {
            tokio::task::spawn_blocking(move || {
                let (compressed, memory) = rest.pack_and_leave()?;
                buffer.give_back(memory);
                Ok(compressed)
            })
        } else {
            let threads = Arc::clone(&self.read_ahead.threads);
            tokio::spawn(async move {
                let _thread = threads.acquire_owned().await;
                tokio::task::spawn_blocking(|| rest.pack()).await?
            })
        });
        Ok(Some(Pending {
            object: tokio::spawn(finish(pieces, unsealed).instrument(archive)),
            reserved,
            last,
        }))
    }
}

/// How many records to ask for: those that fit, and one that tells whether the window goes on.
/// Short of `max_bytes`, so that what the source sends is not sent for nothing.
fn limit(builder: &ObjectBuilder, mean_before: u64, may_be_large: bool) -> u32 {
    let mean = if builder.mean() > 0 { builder.mean() } else { mean_before };
    let bytes = match builder.kept_bytes() {
        Some(kept) if !may_be_large => builder.room_bytes().min((2 * LARGE).saturating_sub(kept)),
        _ => builder.room_bytes(),
    };
    let fitting = match bytes.checked_div(mean) {
        None => FIRST,
        Some(fitting) => (fitting - fitting / 16).max(FEWEST),
    };
    let wanted = builder.room().saturating_add(1).min(fitting);
    u32::try_from(wanted).unwrap_or(u32::MAX)
}
