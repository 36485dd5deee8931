//! Zstandard (RFC 8878): all of an object's content as one frame, because many readers end after
//! the first. The frame says how long the content is and carries its checksum, so that a reader
//! notices what is cut or damaged. One thread makes it, and no dictionary is needed.

use std::io;

use zstd::bulk::Compressor;

/// Content as one frame. The same content and level give the same bytes.
///
/// # Errors
/// When zstd fails.
pub fn frame(content: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let level = i32::try_from(level.max(1)).unwrap_or(i32::MAX);
    let mut compressor = Compressor::new(level)?;
    compressor.include_checksum(true)?;
    compressor.compress(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_content_is_one_frame_that_comes_back(
            content in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200_000),
                prop::collection::vec(0_u8..3, 0..200_000),
            ],
            level in 1_u32..=9,
        ) {
            let frame = frame(&content, level).expect("a frame");
            prop_assert_eq!(zstd::zstd_safe::find_frame_compressed_size(&frame), Ok(frame.len()));
            let said = zstd::zstd_safe::get_frame_content_size(&frame).expect("a frame");
            prop_assert_eq!(said, Some(content.len() as u64));
            prop_assert_eq!(zstd::bulk::decompress(&frame, content.len()).expect("read"), content);
        }
    }

    /// Most that a reader must keep in memory, as a power of two: the 8 MiB that RFC 8878, section 3.1.1.1.2,
    /// recommends every reader to support.
    const WINDOW_LOG: u32 = 23;

    #[test]
    fn a_frame_needs_little_memory_and_notices_damage() {
        let content: Vec<u8> =
            (0..1_500_000_u32).flat_map(|n| format!("record {n}\n").into_bytes()).collect();
        for level in 1..=9 {
            let mut frame = frame(&content, level).expect("a frame");
            let mut reader = zstd::stream::read::Decoder::new(&frame[..]).expect("a reader");
            reader.window_log_max(WINDOW_LOG).expect("a limit");
            assert!(
                std::io::copy(&mut reader, &mut std::io::sink())
                    .is_ok_and(|read| read == content.len() as u64)
            );
            // The checksum is the last of it.
            *frame.last_mut().expect("a byte") ^= 1;
            assert!(zstd::bulk::decompress(&frame, content.len()).is_err());
        }
    }
}
