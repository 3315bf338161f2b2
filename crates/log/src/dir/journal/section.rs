//! The sections of a journal: written in turn, each over again once what it names was synced.

use super::block::{Touched, UNIT};
use std::collections::VecDeque;

/// Sections of a journal file.
pub(super) const SECTIONS: u64 = 4;

/// A section that is full.
pub(super) struct Full {
    /// Number of its last block.
    pub(super) last: u64,
    pub(super) touched: Vec<Touched>,
}

/// Where the next block goes, and what has to be synced before its place is free.
pub(super) struct Sections {
    /// Bytes of each.
    size: u64,
    current: u64,
    /// Bytes used of the current one.
    used: u64,
    last: u64,
    touched: Vec<Touched>,
    /// Full ones, oldest first.
    full: VecDeque<Full>,
    /// Blocks up to this one are of no further use.
    settled: u64,
}

impl Sections {
    /// Sections of `size` bytes of which `current` is written next, all blocks up to `settled` being of no further use.
    pub(super) fn new(size: u64, current: u64, settled: u64) -> Sections {
        Sections {
            size: size / UNIT as u64 * UNIT as u64,
            current: current % SECTIONS,
            used: 0,
            last: settled,
            touched: Vec::new(),
            full: VecDeque::new(),
            settled,
        }
    }

    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether a block of `size` bytes needs the next section.
    pub(super) fn is_full_for(&self, size: u64) -> bool {
        self.used + size > self.size
    }

    /// Whether the next section is still needed by what it holds.
    pub(super) fn next_is_needed(&self) -> bool {
        self.full.len() as u64 + 1 >= SECTIONS
    }

    /// Goes on with the next section.
    pub(super) fn advance(&mut self) {
        self.full.push_back(Full { last: self.last, touched: std::mem::take(&mut self.touched) });
        self.current = (self.current + 1) % SECTIONS;
        self.used = 0;
    }

    /// Place in the file of a block of `size` bytes.
    pub(super) fn place(&mut self, number: u64, size: u64, touched: &mut Vec<Touched>) -> u64 {
        let at = self.current * self.size + self.used;
        self.used += size;
        self.last = number;
        for file in touched.drain(..) {
            if !self.touched.iter().any(|known| known.id == file.id) {
                self.touched.push(file);
            }
        }
        at
    }

    /// The files that the oldest full section names, and its last block.
    pub(super) fn oldest(&self) -> Option<(u64, Vec<Touched>)> {
        self.full.front().map(|full| (full.last, full.touched.clone()))
    }

    /// Everything that was written, for a stop.
    pub(super) fn all(&self) -> (u64, Vec<Touched>) {
        let mut touched = self.touched.clone();
        touched.extend(self.full.iter().flat_map(|full| full.touched.iter().cloned()));
        (self.last, touched)
    }

    /// Says that all that blocks up to `last` name was synced.
    pub(super) fn settle(&mut self, last: u64) {
        self.settled = self.settled.max(last);
        while self.full.front().is_some_and(|full| full.last <= self.settled) {
            self.full.pop_front();
        }
    }
}
