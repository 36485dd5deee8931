//! A swift deflate, for `compression = "fast"`: a third quicker than libdeflate at its quickest level
//! and, from some records on, smaller. Each block has codes of its own, which cost sixty bytes.
//!
//! It looks at one earlier place for each position, and at one more for the next. What processors
//! are slow at are branches that they cannot foresee, so whatever is random in records (whether an
//! earlier place is near enough, how long a match is) is calculated and not branched on.

use super::bits::{Bits, Code};
use super::huffman::{Codes, DISTANCES, LITERALS};

/// How far back a match may lie.
const WINDOW_BITS: u32 = 15;
/// Earlier places are found by the hash of five bytes, of so many bits.
const HASH_BITS: u32 = 15;
/// Of a match: what the format can say, and what is worth saying.
const LONGEST: usize = 258;
const SHORTEST: usize = 4;
/// A match of so many bytes is taken without a look at the next place.
const GOOD: usize = 32;
/// After `1 << PATIENCE` places without a match every second is looked at, then every third.
const PATIENCE: u32 = 3;
/// Content of a block, which has codes of its own.
const BLOCK: usize = 128 * 1024;
/// So near its end no matches are looked for: the eight bytes here and at the next place are there.
const MARGIN: usize = 9;
/// Literals that are copied without a question how many there are.
const FEW: usize = 16;

/// How many bits follow the symbol of a match's length, and of its distance (RFC 1951, section 3.2.5).
const LENGTH_BITS: [u32; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BITS: [u32; DISTANCES] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
/// The first value of each symbol. The longest match has a symbol of its own.
const LENGTHS: [usize; 29] = {
    let mut firsts = firsts(3, &LENGTH_BITS);
    firsts[28] = LONGEST;
    firsts
};
const FAR: [usize; DISTANCES] = firsts(1, &DISTANCE_BITS);
/// The symbol of a block's end, before those of lengths.
const END: usize = 256;

/// Some literals and a match after them.
struct Match {
    literals: usize,
    length: usize,
    distance: usize,
}

/// The compressor, with memory that it uses again.
pub(super) struct Swift {
    /// The newest place of each hash.
    places: Vec<u32>,
    matches: Vec<Match>,
    literals: Vec<u8>,
    /// The symbol of each length from 3 on, and of each distance from 1 on: below 256 of each, then of
    /// each 128th.
    length_symbols: [u8; 256],
    distance_symbols: [u8; 512],
}

impl Swift {
    pub(super) fn new() -> Self {
        let symbol = |firsts: &[usize], value| {
            let place = firsts.iter().rposition(|first| *first <= value);
            place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
        };
        Self {
            places: Vec::new(),
            matches: Vec::new(),
            literals: Vec::new(),
            length_symbols: std::array::from_fn(|place| symbol(&LENGTHS, place + 3)),
            distance_symbols: std::array::from_fn(|place| match place {
                0..256 => symbol(&FAR, place + 1),
                _ => symbol(&FAR, (place - 256) * 128 + 1),
            }),
        }
    }

    /// Deflates content. The same content gives the same bytes, whatever came before.
    pub(super) fn deflate(&mut self, content: &[u8]) -> Vec<u8> {
        self.places.clear();
        self.places.resize(1 << HASH_BITS, 0);
        // Records shrink to a fifth or a quarter.
        let mut bits = Bits::new(content.len() / 4 + BLOCK / 4);
        let mut begin = 0;
        loop {
            let end = self.find(content, begin);
            self.write(content, begin, end, &mut bits);
            if end == content.len() {
                return bits.end();
            }
            begin = end;
        }
    }

    /// Finds the matches of the block that begins here. Returns where it ends.
    fn find(&mut self, content: &[u8], begin: usize) -> usize {
        self.matches.clear();
        let places = &mut self.places[..1 << HASH_BITS];
        let searched = content.len().saturating_sub(MARGIN);
        let stop = searched.min(begin + BLOCK);
        let (mut anchor, mut at) = (begin, begin);
        let mut missed = 0;
        while at < stop {
            let here = eight(content, at);
            let mut earlier = newest(places, here, at);
            if differs(content, earlier, at, here) {
                at += 1 + (missed >> PATIENCE);
                missed += 1;
                continue;
            }
            missed = 0;
            let mut length = SHORTEST + same(content, earlier + SHORTEST, at + SHORTEST);
            if length < GOOD {
                let here = eight(content, at + 1);
                let other = newest(places, here, at + 1);
                if !differs(content, other, at + 1, here) {
                    let longer = SHORTEST + same(content, other + SHORTEST, at + 1 + SHORTEST);
                    if longer > length + 1 {
                        (at, earlier, length) = (at + 1, other, longer);
                    }
                }
            }
            if earlier >= 8 {
                let unlike = eight(content, at - 8) ^ eight(content, earlier - 8);
                let before = (unlike.leading_zeros() as usize / 8).min(at - anchor);
                (at, earlier, length) = (at - before, earlier - before, length + before);
            }
            length = length.min(LONGEST);
            self.matches.push(Match { literals: at - anchor, length, distance: at - earlier });
            let next = at + length;
            for place in [at + 2, next - 3, next - 1] {
                newest(places, eight(content, place), place);
            }
            (anchor, at) = (next, next);
        }
        if stop == searched { content.len() } else { at.min(searched).max(anchor) }
    }

    /// Writes a block.
    fn write(&mut self, content: &[u8], begin: usize, end: usize, bits: &mut Bits) {
        let Self { matches, literals, length_symbols, distance_symbols, .. } = self;
        let length_symbol = |length: usize| usize::from(length_symbols[(length - 3) & 255]);
        let distance_symbol = |distance: usize| {
            let before = distance - 1;
            let place = if before < 256 { before } else { 256 + before / 128 };
            usize::from(distance_symbols[place & 511])
        };
        literals.clear();
        let (mut counts, mut distances) = ([0; LITERALS], [0; DISTANCES]);
        counts[END] = 1;
        let mut at = begin;
        for Match { literals: few, length, distance } in &*matches {
            match content.get(at..at + FEW) {
                Some(more) if *few <= FEW => {
                    let there = literals.len();
                    literals.extend_from_slice(more);
                    literals.truncate(there + few);
                }
                _ => literals.extend_from_slice(&content[at..at + few]),
            }
            counts[END + 1 + length_symbol(*length)] += 1;
            distances[distance_symbol(*distance)] += 1;
            at += few + length;
        }
        literals.extend_from_slice(&content[at..end]);
        count(literals, &mut counts);
        let codes = Codes::of(&counts, &distances);
        // At most 14 bits for a literal, 19 for a length and 27 for a distance; 320 codes before them.
        bits.reserve(literals.len() * 2 + matches.len() * 6 + 1024);
        codes.write(end == content.len(), bits);
        let lengths: [Code; 256] = std::array::from_fn(|place| {
            let symbol = length_symbol(place + 3);
            extended(codes.literals[END + 1 + symbol], place + 3 - LENGTHS[symbol], LENGTH_BITS[symbol])
        });
        let mut rest = &literals[..];
        for Match { literals: few, length, distance } in &*matches {
            let (these, others) = rest.split_at(*few);
            rest = others;
            let (fours, few) = these.as_chunks::<4>();
            for four in fours {
                four.iter().for_each(|literal| bits.push_code(codes.literals[usize::from(*literal)]));
                bits.flush();
            }
            few.iter().for_each(|literal| bits.push_code(codes.literals[usize::from(*literal)]));
            bits.flush();
            bits.push_code(lengths[(length - 3) & 255]);
            let symbol = distance_symbol(*distance);
            bits.push_code(extended(codes.distances[symbol], distance - FAR[symbol], DISTANCE_BITS[symbol]));
            bits.flush();
        }
        for literal in rest {
            bits.push_code(codes.literals[usize::from(*literal)]);
            bits.flush();
        }
        bits.push_code(codes.literals[END]);
        bits.flush();
    }
}

/// The first value of each symbol, when so many bits follow it.
const fn firsts<const N: usize>(least: usize, bits: &[u32; N]) -> [usize; N] {
    let mut firsts = [least; N];
    let mut symbol = 1;
    while symbol < N {
        firsts[symbol] = firsts[symbol - 1] + (1 << bits[symbol - 1]);
        symbol += 1;
    }
    firsts
}

/// A code with the bits that follow it.
fn extended(Code { code, bits }: Code, value: usize, more: u32) -> Code {
    Code { code: code | u32::try_from(value).unwrap_or(0) << bits, bits: bits + more }
}

/// Eight bytes of content; none is read past its end.
fn eight(content: &[u8], at: usize) -> u64 {
    content.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The newest place of the hash of what is here; this is the newest one now.
fn newest(places: &mut [u32], here: u64, at: usize) -> usize {
    let hash = (here << 24).wrapping_mul(0x9e37_79b1_85eb_ca87) >> (u64::BITS - HASH_BITS);
    let Some(place) = usize::try_from(hash).ok().and_then(|hash| places.get_mut(hash)) else { return at };
    let earlier = *place;
    *place = u32::try_from(at).unwrap_or(u32::MAX);
    earlier as usize
}

/// Whether an earlier place is too far away, or not the same in its first four bytes.
fn differs(content: &[u8], earlier: usize, at: usize, here: u64) -> bool {
    let unlike = (eight(content, earlier) ^ here) & 0xffff_ffff;
    let far = at.wrapping_sub(earlier).wrapping_sub(1) >> WINDOW_BITS;
    // Two conditions would be two branches.
    unlike | far as u64 != 0
}

/// How many bytes are the same from here on, within the longest match.
fn same(content: &[u8], earlier: usize, at: usize) -> usize {
    let end = content.len().min(at + LONGEST - SHORTEST);
    let sixteen =
        |at: usize| content.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u128::from_le_bytes(*b));
    let mut length = 0;
    while at + length + 16 <= end {
        let unlike = sixteen(earlier + length) ^ sixteen(at + length);
        if unlike != 0 {
            return length + unlike.trailing_zeros() as usize / 8;
        }
        length += 16;
    }
    while at + length < end && content[earlier + length] == content[at + length] {
        length += 1;
    }
    length
}

/// Counts literals; in four places, because each would else wait for the one before.
fn count(literals: &[u8], counts: &mut [u32; LITERALS]) {
    let mut found = [[0_u32; 256]; 4];
    let (fours, few) = literals.as_chunks::<4>();
    for four in fours {
        for (found, literal) in found.iter_mut().zip(four) {
            found[usize::from(*literal)] += 1;
        }
    }
    for literal in few {
        found[0][usize::from(*literal)] += 1;
    }
    for found in found {
        counts.iter_mut().zip(found).for_each(|(count, found)| *count += found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::inflated;
    use super::*;

    /// Libdeflate's decoder is another one, and strict about codes that are not complete.
    fn inflated_strictly(stream: &[u8], length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        let count = libdeflater::Decompressor::new().deflate_decompress(stream, &mut out).expect("deflate");
        assert_eq!(count, length);
        out
    }

    fn assert_comes_back(swift: &mut Swift, content: &[u8]) -> usize {
        let stream = swift.deflate(content);
        assert!(inflated(&stream) == content, "{} bytes", content.len());
        assert!(inflated_strictly(&stream, content.len()) == content, "{} bytes", content.len());
        assert!(Swift::new().deflate(content) == stream, "what came before matters");
        stream.len()
    }

    /// Pieces of earlier content, as records are; from near and from the edge of the window.
    fn repeating() -> impl Strategy<Value = Vec<u8>> {
        let step = (any::<prop::sample::Index>(), 1_usize..700, prop::collection::vec(any::<u8>(), 0..40));
        prop::collection::vec(step, 1..900).prop_map(|steps| {
            let mut content = b"the first bytes of the content".to_vec();
            for (place, length, new) in steps {
                let near = content.len().saturating_sub((1 << WINDOW_BITS) + 100);
                let from = near + place.index(content.len() - near);
                for place in from..from + length {
                    content.push(content[place]);
                }
                content.extend(new);
            }
            content
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn any_content_comes_back(
            content in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..3_000),
                prop::collection::vec(0_u8..3, 0..40_000),
                prop::collection::vec(prop_oneof![30 => Just(0_u8), 1 => any::<u8>()], 0..40_000),
                repeating(),
            ],
        ) {
            assert_comes_back(&mut Swift::new(), &content);
        }

        #[test]
        fn counts_that_differ_by_far_give_codes_that_are_short_enough(
            powers in prop::collection::vec(0_u32..28, 0..40),
        ) {
            let mut counts = [0; LITERALS];
            counts.iter_mut().zip(&powers).for_each(|(count, power)| *count = 1 << power);
            let codes = Codes::of(&counts, &[0; DISTANCES]);
            let used = codes.literals.iter().filter(|code| code.bits > 0);
            prop_assert!(used.clone().all(|code| code.bits <= 14));
            // A complete code (Kraft), so that no reader refuses it.
            prop_assert_eq!(used.map(|code| 1_u32 << (14 - code.bits)).sum::<u32>(), 1 << 14);
        }
    }

    #[test]
    fn sizes_around_every_limit_come_back() {
        let mut swift = Swift::new();
        let record =
            |number: usize| format!("{{\"id\":{number},\"text\":\"row {}\"}}\n", number * 7919 % 1000);
        let content: Vec<u8> = (0..40_000).flat_map(|number| record(number).into_bytes()).collect();
        let noise: Vec<u8> =
            (0..700_000_u32).map(|n| (n.wrapping_mul(0x9e37_79b1) >> 13).to_le_bytes()[0]).collect();
        let around = |limit: usize| limit - 3..=limit + 3;
        for size in (0..=80).chain(around(BLOCK)).chain(around(BLOCK + MARGIN)).chain(around(2 * BLOCK)) {
            assert_comes_back(&mut swift, &content[..size]);
            assert_comes_back(&mut swift, &noise[..size]);
            assert_comes_back(&mut swift, &vec![b'x'; size]);
        }
        assert_comes_back(&mut swift, &[]);
        let small = assert_comes_back(&mut swift, &content);
        assert!(small * 6 < content.len(), "{small} of {}", content.len());
        let large = assert_comes_back(&mut swift, &noise);
        assert!(large < noise.len() * 101 / 100, "{large} of {}", noise.len());
    }

    #[test]
    fn a_match_as_far_as_the_window_is_found_and_none_beyond() {
        let word = b"a word that stands nowhere else in this";
        for (distance, found) in [(1 << WINDOW_BITS, true), ((1 << WINDOW_BITS) + 1, false)] {
            let between: Vec<u8> =
                (0..distance - word.len()).map(|n| (n * n / 7 + n / 3).to_le_bytes()[0] | 0x80).collect();
            let content = [word.as_slice(), &between, word, &[b'.'; MARGIN]].concat();
            let mut swift = Swift::new();
            assert_comes_back(&mut swift, &content);
            let seen = swift.matches.iter().any(|found| found.distance == distance);
            assert_eq!(seen, found, "{distance}");
        }
    }
}
