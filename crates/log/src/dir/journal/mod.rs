//! The durable journal of a log directory: what was appended and cut, on the device before it is acknowledged.
//!
//! ```text
//! appends ─┬─ segment files (page cache) ──────────── synced behind ─┐
//!          └─ filling block → lane → `.ottla-journal` (O_DSYNC)      └─ section settled, written over again
//! ```
//! One plain file, preallocated and recycled in sections. Each write is a block with a number one above the one before
//! it, so that a replay sees where a loss of power has ended it. A section is written over when every file that its
//! blocks name was synced.

mod block;
mod entry;
mod replay;
mod section;
mod write;

pub(crate) use entry::{Entry, Kind};
pub use replay::Replayed;
pub(crate) use replay::{Found, settle_at_start};

use crate::dir::LogDir;
use block::{BLOCK_MAX, Block};
use ottla_host::File;
use ottla_host::planted::{self, Bug};
use section::Sections;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Name of the journal in a log directory. A plain file, which Apache Kafka passes over.
pub const JOURNAL: &str = ".ottla-journal";
/// Blocks that may wait for the device; whoever appends waits for room beyond.
const WAITING_MAX: usize = 32;
/// Blocks that still wait when those who wait for room are called.
const WAITING_LOW: usize = WAITING_MAX / 2;

/// Bytes of each of the four sections unless configured: settling one in the background takes less time than filling
/// the other three.
pub const SECTION_BYTES: u64 = 32 << 20;

/// A log as its journal sees it.
pub(crate) trait JournalledLog: Send + Sync {
    /// The log is on the device up to `end`, if it was not truncated since `generation`.
    fn journalled_to(&self, end: i64, generation: u64);

    /// Truncations of the log so far.
    fn generation(&self) -> u64;
}

/// A file of a log as the journal sees it, which syncs it before it forgets what it wrote for it.
pub(crate) trait JournalledFile: Send + Sync {
    /// The file; `NotFound` when it is gone, and when its log is: that was closed then, or the partition removed.
    fn open(&self) -> io::Result<Arc<dyn File>>;

    /// Whether the directory of the file has been synced since the file was made.
    fn entry_is_synced(&self) -> bool;

    /// Says that it has been. Only afterwards: two syncs of a section may be under way.
    fn note_entry_synced(&self);

    /// The directory of the file; None when its log is gone.
    fn directory(&self) -> Option<PathBuf>;
}

/// What is called once, when there is room in a journal.
pub type Wake = Box<dyn FnOnce() + Send>;

/// A place in a file that an entry has changed.
pub(crate) struct Change<'a> {
    pub(crate) log: &'a Arc<dyn JournalledLog>,
    /// What tells the file from the others that are held.
    pub(crate) file_id: usize,
    /// The file of that id; while it is held, no other has the id.
    pub(crate) file: &'a dyn Fn() -> Arc<dyn JournalledFile>,
    /// Offset of the log's end once this is on the device.
    pub(crate) end: i64,
}

/// The journal of one log directory.
pub struct Journal {
    lane: String,
    dir: Weak<LogDir>,
    file: Arc<dyn File>,
    /// Blocks whose number is at most this are on the device.
    durable: AtomicU64,
    /// Taken by whoever appends, for a copy, and by the lane, for an exchange of buffers. Below the writer of a log and
    /// above nothing.
    state: Mutex<State>,
    /// Taken by the lane alone and by what settles a section. A leaf.
    sections: Mutex<Sections>,
}

struct State {
    filling: Block,
    waiting: VecDeque<Block>,
    spare: Vec<Block>,
    /// Whether the lane is at work, or has been told to be.
    writing: bool,
    next_number: u64,
    failed: bool,
    /// Called once when fewer blocks wait. As many as there are logs that wait, at most.
    for_room: Vec<Wake>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("lane", &self.lane).field("durable", &self.durable).finish_non_exhaustive()
    }
}

impl Journal {
    /// Whether more may be appended now. Where too much waits for the device, what `wake` makes is called once when it
    /// has caught up, on the journal's thread. A journal that has failed has room: what comes is refused.
    pub(crate) fn has_room_or_wakes(&self, wake: impl FnOnce() -> Wake) -> bool {
        let mut state = self.state();
        let has_room = state.failed || state.waiting.len() < WAITING_MAX;
        if !has_room {
            state.for_room.push(wake());
        }
        has_room
    }

    /// Whether the device has failed: nothing more is taken.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// Takes an entry with the bytes in `parts`; the view's journalled end follows when it is on the device.
    pub(crate) fn append(self: &Arc<Journal>, change: &Change<'_>, entry: &Entry<'_>, parts: &[IoSlice<'_>]) {
        if planted::active(Bug::AckBeforeFlush) {
            change.log.journalled_to(change.end, change.log.generation());
        }
        let mut state = self.state();
        let mut rest = entry::Parts::new(parts);
        let mut at = entry.position;
        loop {
            let room = state.filling.room_for(entry);
            if room == 0 || (rest.left() > 0 && room < rest.left().min(4096)) {
                self.next_block(&mut state);
                continue;
            }
            let taken = rest.left().min(room);
            state.filling.push(&Entry { position: at, ..*entry }, &mut rest, taken);
            at += taken as u64;
            state.filling.touches(change);
            if rest.left() == 0 {
                break;
            }
        }
        state.filling.completes(change);
        let sleeps = !state.writing && !state.failed;
        state.writing |= sleeps;
        drop(state);
        if sleeps {
            self.wake();
        }
    }

    fn next_block(&self, state: &mut State) {
        let number = state.next_number;
        state.next_number += 1;
        let fresh = match state.spare.pop() {
            Some(mut block) => {
                block.restart(number);
                block
            }
            None => Block::new(number),
        };
        let full = std::mem::replace(&mut state.filling, fresh);
        state.waiting.push_back(full);
    }

    /// Puts the lane to work.
    fn wake(self: &Arc<Journal>) {
        let Some(dir) = self.dir.upgrade() else { return };
        let journal = Arc::clone(self);
        // The work runs on whether or not anybody waits for it.
        drop(dir.host().tasks.offload(&self.lane, Box::new(move || journal.write_all())));
    }

    /// Number of the last block on the device.
    #[must_use]
    pub fn durable_block(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sections(&self) -> MutexGuard<'_, Sections> {
        self.sections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const _: () = assert!(BLOCK_MAX.is_multiple_of(block::UNIT), "blocks are written past the page cache");
