//! The objects of a window, made ahead of the one that is put: while one is on its way, the
//! next is read, written as JSON and deflated, on all cores. That is preparation and has no
//! effect anywhere; what is stored and put, and in which order, is decided by the protocol.
//!
//! Memory is bounded: content exists in a few pieces, and objects are made ahead only within
//! [`ReadAhead`]. The source's transaction is never open while a store is waited for.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use crate::source::{Source, SourceError, Taken, Taker};
use auditferry_core::archive::{ArchiveError, MAPPED, ObjectBuilder, Offer, PackedPiece, Sealed, Unsealed};
use auditferry_core::format::writer::Writer;
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::model::record::RecordRef;
use auditferry_core::model::window::Window;

mod beginnings;

use beginnings::{Beginnings, Begun};

/// Records of the first reading of a window: nothing is known of their size yet.
const FIRST: u64 = 1_000;
/// Least records of a reading.
const FEWEST: u64 = 64;
/// Content that is wrapped at once: less than half a millisecond of work.
const INLINE_COMPRESS_BYTES: usize = 32 * 1024;
/// Bytes of an object that are hashed at once: a fifth of a millisecond.
const HASHED: usize = 256 * 1024;
/// Content that an object may hold before it needs the right to hold much.
const LARGE: u64 = 1 << 20;
/// Content that it never has without that right, whatever was expected of its records.
const TOO_LARGE: u64 = 4 << 20;
/// What memory is counted in.
const UNIT: u64 = 1024;

/// Why an object could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The wrapping failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A part of the worker failed.
    #[error("a task: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// The part of the worker that reads is gone.
    #[error("the task that reads the source ended before the window did")]
    Gone,
}

/// What all exports of a worker share, so that its memory is bounded.
#[derive(Clone)]
pub struct ReadAhead {
    /// Content of objects that are made before they are asked for, in [`UNIT`]s.
    ahead: Arc<Semaphore>,
    capacity: u32,
    /// Pieces that are being wrapped.
    wrapping: Arc<Semaphore>,
    /// Objects that are large and have all their content in memory. Not counted with the
    /// pieces: who fills an object waits for a connection, who wraps a piece may hold one.
    rooms: Arc<Rooms>,
    /// Threads that wrap objects without a room. Windows that begin together are ready together, and
    /// with a thread for each there would be as many compressors.
    threads: Arc<Semaphore>,
    /// Uses of the source's connections.
    turns: Arc<Semaphore>,
    /// Windows whose first records wait for such a use.
    beginnings: Arc<Beginnings>,
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
            rooms: Arc::new(Rooms { free: Arc::new(Semaphore::new(cores + 1)), left: Mutex::default() }),
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
    async fn reserve(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        if units > self.capacity {
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.ahead).acquire_many_owned(units).await.ok()
    }
}

/// Where large content is. The memory of one is used again for the next: of each page that it
/// gives, the system first clears four kilobytes, which took a seventh of the worker's time.
#[derive(Debug)]
struct Rooms {
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
struct Room {
    rooms: Arc<Rooms>,
    memory: Vec<u8>,
    _right: OwnedSemaphorePermit,
}

impl Rooms {
    async fn enter(self: &Arc<Self>) -> Option<Room> {
        let right = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.used += 1;
        Some(Room { rooms: Arc::clone(self), memory: left.memory.pop().unwrap_or_default(), _right: right })
    }
}

impl Room {
    /// Gives its memory back.
    fn leave(&mut self, memory: Vec<u8>) {
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

/// An object in the making, and the memory that is reserved for it.
struct Coming {
    object: JoinHandle<Result<Sealed, ObjectError>>,
    reserved: Option<OwnedSemaphorePermit>,
    last: bool,
}

/// What the maker sends: an object, that there is none any more, or why it cannot go on.
type Made = Result<Option<Coming>, ObjectError>;

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
}

/// The objects of a window, in their order.
pub(crate) struct Objects {
    coming: mpsc::Receiver<Made>,
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
    /// Begins to make them, the first at once.
    pub(crate) fn begin(source: Arc<dyn Source>, begin: Begin, read_ahead: ReadAhead) -> Self {
        let (send, coming) = mpsc::channel(1);
        let (asked, heard) = watch::channel(begin.ordinal - 1);
        let maker = Maker { source, begin, read_ahead, asked: heard, mean: 0 };
        Self { coming, asked, maker: tokio::spawn(maker.run(send)), reserved: None, ended: false }
    }

    /// The next object; none when the window holds no more.
    pub(crate) async fn next(&mut self) -> Result<Option<Sealed>, ObjectError> {
        self.reserved = None;
        if self.ended {
            return Ok(None);
        }
        self.asked.send_modify(|number| *number += 1);
        // A maker that is gone is no end: the window would be closed without its records.
        let Some(coming) = self.coming.recv().await.ok_or(ObjectError::Gone)?? else {
            self.ended = true;
            return Ok(None);
        };
        self.reserved = coming.reserved;
        let sealed = coming.object.await??;
        self.ended = coming.last;
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
            let more = matches!(&made, Ok(Some(Coming { last: false, .. })));
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

    /// Reads the next object; none when nothing is to be put.
    async fn make(&mut self, reserved: Option<OwnedSemaphorePermit>) -> Made {
        let Begin { window, writer, ordinal, key, cursor } = &mut self.begin;
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
                    let limit = limit(&filling.builder, self.mean, filling.room.is_some());
                    let _turn = self.read_ahead.turn().await;
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
            if !filling.crowded && (filling.full || progress.exhausted) {
                break !filling.full;
            }
            if filling.room.is_none() && filling.builder.kept_bytes() >= Some(LARGE) {
                // Here and not while the source waits: those who leave room need a connection.
                let mut room = self.read_ahead.rooms.enter().await.ok_or(ObjectError::Gone)?;
                filling.crowded = false;
                filling.builder.reserve(std::mem::take(&mut room.memory));
                filling.room = Some(room);
            }
        };
        if filling.builder.is_void() {
            return Ok(None);
        }
        self.mean = filling.builder.mean();
        *ordinal += 1;
        let Filling { builder, mut pieces, room, .. } = filling;
        let (rest, unsealed) = builder.finish(cursor.clone(), last);
        pieces.push_back(if rest.len() <= INLINE_COMPRESS_BYTES {
            tokio::spawn(async { rest.pack() })
        } else if let Some(mut room) = room {
            tokio::task::spawn_blocking(move || {
                let (wrapped, memory) = rest.pack_and_leave()?;
                room.leave(memory);
                Ok(wrapped)
            })
        } else {
            let threads = Arc::clone(&self.read_ahead.threads);
            tokio::spawn(async move {
                let _thread = threads.acquire_owned().await;
                tokio::task::spawn_blocking(|| rest.pack()).await?
            })
        });
        Ok(Some(Coming { object: tokio::spawn(finish(pieces, unsealed)), reserved, last }))
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

type Piece = JoinHandle<io::Result<PackedPiece>>;

/// An object that is being filled.
struct Filling {
    builder: ObjectBuilder,
    wrapping: Arc<Semaphore>,
    /// Those that are not in the object yet, in their order.
    pieces: VecDeque<Piece>,
    /// The right to hold much content.
    room: Option<Room>,
    /// Whether it took no more because it lacks that right.
    crowded: bool,
    full: bool,
    failed: Option<ObjectError>,
}

impl Filling {
    fn new(builder: ObjectBuilder, read_ahead: &ReadAhead) -> Self {
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
async fn finish(pieces: VecDeque<Piece>, mut unsealed: Unsealed) -> Result<Sealed, ObjectError> {
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
