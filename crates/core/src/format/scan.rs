//! The search for bytes that cannot be copied as they are.

/// Where the first byte stands that is wanted. Sixteen at once: the compiler makes vector code of it, as long as
/// `wanted` has no branches.
#[inline]
pub(super) fn first(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks::<16>();
    for (number, block) in blocks.iter().enumerate() {
        if block.iter().fold(false, |any, byte| any | wanted(*byte)) {
            return block.iter().position(|byte| wanted(*byte)).map(|place| number * 16 + place);
        }
    }
    rest.iter().position(|byte| wanted(*byte)).map(|place| blocks.len() * 16 + place)
}
