//! Deflate (RFC 1951), whole or in pieces.
//!
//! Content that is one piece goes to libdeflate, which takes half the time of others and
//! gives fewer bytes, but must see all of it; at level 1 to `swift.rs`, which takes three quarters of
//! libdeflate's time there. Larger content is cut into pieces of a fixed
//! size, so that all cores work on one object and none of it is in memory for long. Each
//! piece knows the last bytes of the one before, as if it had been deflated with it, and
//! ends at a whole byte; one after the other they are one stream.

use std::cell::RefCell;
use std::io;

use flate2::{Compress, Compression, FlushCompress, Status};
use libdeflater::{CompressionLvl, Compressor};

use super::container::AROUND;

mod bits;
mod huffman;
mod swift;

use swift::Swift;

/// How far back deflate looks.
const WINDOW: usize = 32 * 1024;
/// The level of `compression = "fast"`.
const SWIFT: u32 = 1;
/// What an output buffer grows by.
const STEP: usize = 64 * 1024;

/// A piece of an object's content.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// The end of the piece before.
    pub(super) before: Vec<u8>,
    /// 1 to 9; 0 stores.
    pub(super) level: u32,
    /// Whether the content ends with it.
    pub(super) last: bool,
}

/// What the piece after this one must know.
pub(super) fn dictionary(bytes: &[u8]) -> Vec<u8> {
    bytes[bytes.len().saturating_sub(WINDOW)..].to_vec()
}

/// Deflates a piece. The same piece gives the same bytes.
pub(super) fn deflate(piece: &Piece) -> io::Result<Vec<u8>> {
    if piece.last && piece.before.is_empty() { deflate_whole(piece) } else { deflate_part(piece) }
}

thread_local! {
    /// A compressor is half a megabyte of tables: too much to make for each small object.
    static COMPRESSOR: RefCell<Option<(u32, Compressor)>> = const { RefCell::new(None) };
    /// So is this one, of places and of what it has found.
    static SWIFTLY: RefCell<Swift> = RefCell::new(Swift::new());
}

fn deflate_whole(piece: &Piece) -> io::Result<Vec<u8>> {
    let mut out = if piece.level == SWIFT {
        SWIFTLY.with_borrow_mut(|swift| swift.deflate(&piece.bytes))
    } else {
        COMPRESSOR.with_borrow_mut(|kept| deflate_at_once(piece, kept))?
    };
    out.shrink_to(out.len() + AROUND);
    Ok(out)
}

/// Content as `swift.rs` deflates it, whatever its size.
pub fn swiftly(content: &[u8]) -> Vec<u8> {
    Swift::new().deflate(content)
}

fn deflate_at_once(piece: &Piece, kept: &mut Option<(u32, Compressor)>) -> io::Result<Vec<u8>> {
    let (_, compressor) = match kept {
        Some(kept) if kept.0 == piece.level => kept,
        _ => kept.insert((piece.level, compressor(piece.level)?)),
    };
    // The bound is more than the content. Records shrink to a fifth or a quarter.
    let mut out = vec![0; piece.bytes.len() / 3 + STEP];
    let length = compressor.deflate_compress(&piece.bytes, &mut out).or_else(|_| {
        out = vec![0; compressor.deflate_compress_bound(piece.bytes.len())];
        compressor.deflate_compress(&piece.bytes, &mut out)
    });
    out.truncate(length.map_err(io::Error::other)?);
    Ok(out)
}

fn compressor(level: u32) -> io::Result<Compressor> {
    let level = i32::try_from(level).ok().and_then(|level| CompressionLvl::new(level).ok());
    level.map(Compressor::new).ok_or_else(|| io::Error::other("no deflate level"))
}

fn deflate_part(piece: &Piece) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::new(piece.level), false);
    if !piece.before.is_empty() {
        compress.set_dictionary(&piece.before).map_err(io::Error::other)?;
    }
    let flush = if piece.last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut out = Vec::with_capacity(piece.bytes.len() / 4 + STEP);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = piece.bytes.get(read..).unwrap_or_default();
        let status = compress.compress_vec(rest, &mut out, flush).map_err(io::Error::other)?;
        let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        // A flush is complete when it leaves room in the buffer.
        if status == Status::StreamEnd
            || (!piece.last && read == piece.bytes.len() && out.len() < out.capacity())
        {
            return Ok(out);
        }
        out.reserve(STEP);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn stream(content: &[u8], size: usize, level: u32) -> Vec<u8> {
        let (mut out, mut before) = (Vec::new(), Vec::new());
        let mut rest = content;
        loop {
            let (bytes, next) = rest.split_at(rest.len().min(size));
            let piece = Piece { bytes: bytes.to_vec(), before, level, last: next.is_empty() };
            out.extend(deflate(&piece).expect("deflated"));
            before = dictionary(bytes);
            rest = next;
            if piece.last {
                return out;
            }
        }
    }

    pub(super) fn inflated(stream: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut reader = flate2::bufread::DeflateDecoder::new(stream);
        reader.read_to_end(&mut out).expect("deflate");
        assert!(reader.into_inner().is_empty(), "nothing stands after the end");
        out
    }

    #[test]
    fn pieces_make_one_stream_that_knows_what_came_before() {
        let content: Vec<u8> =
            (0..40_000_u32).flat_map(|n| format!("record {n} of many\n").into_bytes()).collect();
        let large = stream(&content, 500_000, 6);
        let pieces = stream(&content, 100_000, 6);
        assert_eq!(inflated(&pieces), content);
        assert!(pieces.len() < large.len() * 102 / 100, "{} of {}", pieces.len(), large.len());
        assert_eq!(pieces, stream(&content, 100_000, 6));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_content_in_pieces_of_any_size_comes_back(
            content in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200_000),
                prop::collection::vec(0_u8..3, 0..200_000),
            ],
            size in 1_usize..150_000,
            level in 0_u32..=9,
        ) {
            let size = size.max(content.len() / 20);
            prop_assert_eq!(inflated(&stream(&content, size, level)), content);
        }
    }
}
