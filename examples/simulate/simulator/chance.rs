//! Chance from a seed. Every step of a run has a word of its own, from which all
//! choices within the step come. So a step can be left out, when a failure is
//! shortened, without the others choosing differently.

/// The finalizer of SplitMix64.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The word of the `step`-th step of a seed.
pub(crate) fn word(seed: u64, step: u64) -> u64 {
    mix(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The choices of one step.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(word: u64) -> Self {
        Self(word)
    }

    /// 0 up to but not `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let high = mix(self.0) >> 32;
        usize::try_from((high * n as u64) >> 32).unwrap_or(0)
    }

    /// 0 up to but not `n`, as a time.
    pub(crate) fn seconds(&mut self, n: i64) -> i64 {
        i64::try_from(self.below(usize::try_from(n).unwrap_or(0))).unwrap_or(0)
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
