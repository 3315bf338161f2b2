//! Seeded mutation of inputs, for runs that must be the same each time.

/// A stream of changes that depends on nothing but its seed.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
}

/// Bytes that ends of ranges, lengths and varints are made of.
const EDGES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x3f];

impl Mutator {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Mutator {
        Mutator { state: seed }
    }

    /// The next number (SplitMix64).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, 0 when that is 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of the `seeds` with one to four changes.
    #[must_use]
    pub fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds.get(self.below(seeds.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, seeds);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len());
        match self.below(7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.next() as u8),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => self.splice(bytes, at, seeds),
            4 => {
                let edge = EDGES[self.below(EDGES.len())];
                bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = edge);
            }
            5 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (self.state % 8)),
            _ => {
                let edge = EDGES[self.below(EDGES.len())];
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = edge);
            }
        }
    }

    /// Replaces what follows `at` by the end of another seed.
    fn splice(&mut self, bytes: &mut Vec<u8>, at: usize, seeds: &[Vec<u8>]) {
        let other = seeds.get(self.below(seeds.len())).cloned().unwrap_or_default();
        let from = self.below(other.len());
        bytes.truncate(at);
        bytes.extend_from_slice(&other[from.min(other.len())..]);
    }
}
