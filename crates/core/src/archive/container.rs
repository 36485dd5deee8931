//! What stands around the compressed content: zip, gzip or nothing. The zip crate takes no
//! deflate data that is there already, so the few bytes are written here, as APPNOTE 6.3.10
//! of PKWARE has them: one entry, its sizes in front, no extra fields.

use std::io;

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::model::format::Container;
use crate::model::window::Window;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const END_OF_CENTRAL_DIRECTORY: u32 = 0x0605_4b50;
/// Made on Unix, by version 2.0 of the format; 2.0 is needed to read it.
const MADE_BY: u16 = (3 << 8) | 20;
const NEEDED: u16 = 20;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// A file that all may read and its owner may write: 0o100644, in the upper half.
const ATTRIBUTES: u32 = 0o100_644 << 16;
/// Where CRC and sizes stand in the local header.
const LATE_FIELDS: std::ops::Range<usize> = 14..26;

/// Bytes that mostly are enough for what stands before and after the content.
pub(super) const AROUND: usize = 1024;

/// What is known of the content once all of it has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) crc32: u32,
    pub(super) bytes: u64,
}

/// How content is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not at all.
    Stored,
    /// In pieces, or all of it at once.
    Deflate,
    /// All of it at once, with its own beginning and end.
    Zstd,
    /// All of it at once, as the columns of a Parquet file.
    Columns,
}

/// An object in the making: what stands before the content, and the content so far.
#[derive(Debug)]
pub(super) struct Body {
    bytes: Vec<u8>,
    container: Container,
    name: String,
    method: u16,
    time: u32,
    /// Where the content begins.
    begin: usize,
}

impl Body {
    /// Writes what stands before the content.
    pub(super) fn begin(window: &Window, entry_name: String) -> Self {
        let container = window.format.container;
        // As `zip -0` does, level 0 stores.
        let method = if window.format.compression == 0 { STORED } else { DEFLATED };
        let mut body = Self {
            bytes: Vec::new(),
            container,
            name: entry_name,
            method,
            time: dos_time(window.slot),
            begin: 0,
        };
        match container {
            Container::None | Container::Zstd | Container::Parquet => {}
            Container::Gzip => {
                // RFC 1952: deflate, no flags. The time has 32 bits; 0 means that there is none.
                let time = u32::try_from(window.slot.as_second()).unwrap_or(0);
                body.bytes.extend_from_slice(&[0x1f, 0x8b, 8, 0]);
                body.bytes.extend_from_slice(&time.to_le_bytes());
                body.bytes.extend_from_slice(&[0, UNKNOWN_SYSTEM]);
            }
            Container::Zip => {
                body.u32(LOCAL_HEADER);
                body.entry(Content { crc32: 0, bytes: 0 }, 0);
                body.bytes.extend_from_slice(body.name.clone().as_bytes());
            }
        }
        body.begin = body.bytes.len();
        body
    }

    /// Its bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How the content is compressed.
    pub(super) fn coding(&self) -> Coding {
        match self.container {
            Container::Zip if self.method == STORED => Coding::Stored,
            Container::Zip | Container::Gzip => Coding::Deflate,
            Container::Zstd => Coding::Zstd,
            Container::Parquet => Coding::Columns,
            Container::None => Coding::Stored,
        }
    }

    /// Adds content, wrapped as it must be. The first becomes the object, if it has room for
    /// [`AROUND`]: a large object needs no second memory.
    pub(super) fn append(&mut self, wrapped: Vec<u8>) {
        if self.bytes.len() == self.begin && wrapped.capacity() - wrapped.len() >= AROUND {
            let before = std::mem::replace(&mut self.bytes, wrapped);
            self.bytes.splice(..0, before);
        } else {
            self.bytes.extend_from_slice(&wrapped);
        }
    }

    /// Writes what stands after the content.
    pub(super) fn end(mut self, content: Content) -> io::Result<Vec<u8>> {
        let wrapped = self.bytes.len() - self.begin;
        match self.container {
            Container::None | Container::Zstd | Container::Parquet => {}
            Container::Gzip => {
                self.u32(content.crc32);
                // The length modulo 2^32.
                self.u32(u32::try_from(content.bytes % (1 << 32)).unwrap_or(0));
            }
            Container::Zip => {
                let wrapped = fits(wrapped as u64)?;
                fits(content.bytes)?;
                let mut late = content.crc32.to_le_bytes().to_vec();
                late.extend_from_slice(&wrapped.to_le_bytes());
                late.extend_from_slice(&fits(content.bytes)?.to_le_bytes());
                if let Some(fields) = self.bytes.get_mut(LATE_FIELDS) {
                    fields.copy_from_slice(&late);
                }
                self.central_directory(content, wrapped)?;
            }
        }
        Ok(self.bytes)
    }

    fn central_directory(&mut self, content: Content, wrapped: u32) -> io::Result<()> {
        let begin = fits(self.bytes.len() as u64)?;
        self.u32(CENTRAL_HEADER);
        self.u16(MADE_BY);
        self.entry(content, wrapped);
        // No comment, the first disk, not known to be text.
        self.bytes.extend_from_slice(&[0; 6]);
        self.u32(ATTRIBUTES);
        // The local header is at the beginning.
        self.u32(0);
        self.bytes.extend_from_slice(self.name.clone().as_bytes());
        let size = fits(self.bytes.len() as u64)? - begin;
        self.u32(END_OF_CENTRAL_DIRECTORY);
        // The only disk; one entry, on it and in all.
        self.bytes.extend_from_slice(&[0, 0, 0, 0, 1, 0, 1, 0]);
        self.u32(size);
        self.u32(begin);
        // No comment.
        self.u16(0);
        Ok(())
    }

    /// What the local header and the central directory have in common.
    fn entry(&mut self, content: Content, wrapped: u32) {
        self.u16(NEEDED);
        // No flags: names are ASCII (`account.rs`).
        self.u16(0);
        self.u16(self.method);
        self.u32(self.time);
        self.u32(content.crc32);
        self.u32(wrapped);
        self.u32(u32::try_from(content.bytes).unwrap_or(u32::MAX));
        self.u16(u16::try_from(self.name.len()).unwrap_or(u16::MAX));
        // No extra fields.
        self.u16(0);
    }

    fn u16(&mut self, number: u16) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }
}

/// What wrote a gzip member, when it does not say.
const UNKNOWN_SYSTEM: u8 = 255;

/// A size in a zip without the extension for large ones: `max_bytes` is far below, and a
/// record that is larger by itself is refused.
fn fits(size: u64) -> io::Result<u32> {
    u32::try_from(size).map_err(|_| io::Error::other(format!("{size} bytes do not fit into a zip entry")))
}

/// Time and date of MS-DOS, which have no zone: the slot in UTC. They count from 1980 to
/// 2107, in steps of two seconds.
fn dos_time(slot: Timestamp) -> u32 {
    let at = Offset::UTC.to_datetime(slot);
    let years = u32::try_from(i32::from(at.year()) - 1980).unwrap_or(0).min(127);
    let part = |value: i8| u32::try_from(value).unwrap_or(0);
    let date = (years << 9) | (part(at.month()) << 5) | part(at.day());
    (date << 16) | (part(at.hour()) << 11) | (part(at.minute()) << 5) | (part(at.second()) / 2)
}
