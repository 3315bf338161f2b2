//! Chance from a seed, so that a failure names all it takes to repeat it.

/// A SplitMix64 stream.
pub(crate) struct Chance(u64);

impl Chance {
    /// The stream for a message, a version and a round.
    pub(crate) fn new(name: &str, version: i16, round: u64) -> Chance {
        let seed = name.bytes().fold(round, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Chance(seed.wrapping_mul(97).wrapping_add(version as u64))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True once in `among` times.
    pub(crate) fn once_in(&mut self, among: usize) -> bool {
        self.below(among) == 0
    }
}
