//! Huffman codes of a block (RFC 1951, sections 3.2.2 and 3.2.7).

use super::bits::{Bits, Code};

/// Symbols of literals, of the end of a block and of lengths.
pub(super) const LITERALS: usize = 286;
/// Symbols of distances.
pub(super) const DISTANCES: usize = 30;
/// Longest code that we make. The format allows one bit more; so four literals fit into [`Bits`].
const LONGEST: usize = 14;
/// Symbols in which the lengths of codes are written, and their longest code.
const LENGTHS: usize = 19;
const LONGEST_OF_LENGTHS: usize = 7;
/// In which order the lengths of their codes stand.
const ORDER: [usize; LENGTHS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The codes of a block.
pub(super) struct Codes {
    pub(super) literals: [Code; LITERALS],
    pub(super) distances: [Code; DISTANCES],
}

impl Codes {
    /// Short ones for symbols that are there so often.
    pub(super) fn of(literals: &[u32; LITERALS], distances: &[u32; DISTANCES]) -> Self {
        Self { literals: codes(&lengths(literals, LONGEST)), distances: codes(&lengths(distances, LONGEST)) }
    }

    /// Writes the beginning of a block, with the lengths of its codes.
    pub(super) fn write(&self, last: bool, bits: &mut Bits) {
        let used = |codes: &[Code]| codes.iter().rposition(|code| code.bits > 0).map_or(0, |place| place + 1);
        let (literals, distances) = (used(&self.literals).max(257), used(&self.distances).max(1));
        let written = self.literals[..literals].iter().chain(&self.distances[..distances]);
        let runs = runs(&written.map(|code| code.bits as usize).collect::<Vec<_>>());
        let mut counts = [0; LENGTHS];
        for run in &runs {
            counts[run.symbol] += 1;
        }
        let codes = codes(&self::lengths(&counts, LONGEST_OF_LENGTHS));
        let in_order = ORDER.map(|symbol| codes[symbol]);
        let written = used(&in_order).max(4);
        bits.push(u64::from(last), 1);
        // Codes of its own.
        bits.push(2, 2);
        bits.push(literals as u64 - 257, 5);
        bits.push(distances as u64 - 1, 5);
        bits.push(written as u64 - 4, 4);
        bits.flush();
        for code in &in_order[..written] {
            bits.push(u64::from(code.bits), 3);
            bits.flush();
        }
        for run in &runs {
            bits.push_code(codes[run.symbol]);
            bits.push(run.more, run.bits);
            bits.flush();
        }
    }
}

/// Code lengths that follow each other, as a symbol and the bits after it.
struct Run {
    symbol: usize,
    more: u64,
    bits: u32,
}

fn runs(lengths: &[usize]) -> Vec<Run> {
    let mut runs = Vec::new();
    for same in lengths.chunk_by(|one, next| one == next) {
        let (length, mut left) = (same[0], same.len());
        if length > 0 {
            runs.push(Run { symbol: length, more: 0, bits: 0 });
            left -= 1;
        }
        while left > 0 {
            let (symbol, least, most, bits) = match (length, left) {
                (0, 11..) => (18, 11, 138, 7),
                (0, 3..) => (17, 3, 10, 3),
                (1.., 3..) => (16, 3, 6, 2),
                _ => (length, 1, 1, 0),
            };
            let taken = left.min(most);
            runs.push(Run { symbol, more: (taken - least) as u64, bits });
            left -= taken;
        }
    }
    runs
}

/// Lengths of the best code, or of a good one if the best has some above `longest`. Always a complete
/// code, which all readers take: of one symbol or none it has one or two that nobody needs.
fn lengths<const N: usize>(counts: &[u32; N], longest: usize) -> [usize; N] {
    let (mut symbols, absent): (Vec<_>, Vec<_>) =
        counts.iter().copied().zip(0..N).partition(|(count, _)| *count > 0);
    symbols.extend_from_slice(&absent[..absent.len().min(2_usize.saturating_sub(symbols.len()))]);
    symbols.sort_unstable();
    let mut left = how_many(&symbols, longest);
    let mut lengths = [0; N];
    let mut length = longest;
    // The rarest have the longest.
    for (_, symbol) in symbols {
        while left[length] == 0 && length > 1 {
            length -= 1;
        }
        left[length] -= 1;
        lengths[symbol] = length;
    }
    lengths
}

/// How many symbols have a code of each length.
fn how_many(symbols: &[(u32, usize)], longest: usize) -> Vec<u64> {
    // Of two queues, both in order, the two rarest become one node, until one is left.
    let count = symbols.len();
    let mut weights: Vec<u64> = symbols.iter().map(|(count, _)| u64::from(*count)).collect();
    let mut above = vec![0; 2 * count - 1];
    let (mut symbol, mut node) = (0, count);
    while weights.len() < above.len() {
        let mut weight = 0;
        for _ in 0..2 {
            let next = if symbol < count && (node == weights.len() || weights[symbol] <= weights[node]) {
                &mut symbol
            } else {
                &mut node
            };
            weight += weights[*next];
            above[*next] = weights.len();
            *next += 1;
        }
        weights.push(weight);
    }
    let root = above.len() - 1;
    let mut depths = vec![0; above.len()];
    for place in (0..root).rev() {
        depths[place] = depths[above[place]] + 1;
    }
    let mut left = vec![0; longest + 1];
    for depth in &depths[..count] {
        left[longest.min(*depth)] += 1;
    }
    // Whoever was cut shorter takes room, in units of the longest code: others must become longer.
    let room = 1_u64 << longest;
    let mut taken: u64 = (1..=longest).map(|length| left[length] << (longest - length)).sum();
    while taken > room {
        let Some(length) = (1..longest).rev().find(|length| left[*length] > 0) else { break };
        left[longest] -= 1;
        left[length] -= 1;
        left[length + 1] += 2;
        taken -= 1;
    }
    left
}

/// The codes that these lengths stand for.
fn codes<const N: usize>(lengths: &[usize; N]) -> [Code; N] {
    let mut next = [0_u32; LONGEST + 2];
    for length in lengths.iter().filter(|length| **length > 0) {
        next[length + 1] += 1;
    }
    // The first code of each length.
    for length in 1..next.len() {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    lengths.map(|length| {
        let Ok(bits @ 1..) = u32::try_from(length) else { return Code::default() };
        let code = next[length];
        next[length] += 1;
        // They are read from their other end.
        Code { code: code.reverse_bits() >> (u32::BITS - bits), bits }
    })
}
