//! A segment: a file of batches with sparse indexes, as readers see it while one writer appends to it.
//!
//! ```text
//! base ── entries in the index files ── entries in the tail ── batches not indexed ── tip
//! ```

pub(crate) mod aborted;
pub(crate) mod device;
pub(crate) mod entry;
pub(crate) mod lookup;
pub(crate) mod scan;
pub(crate) mod tail;

use crate::dir::files::Slot;
use crate::dir::names::FileKind;
use crate::home::Home;
use ottla_host::File;
use ottla_host::disk::Open;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tail::Tail;

/// Places of known batch boundaries kept per segment.
const HINTS: usize = 8;
/// A count that has to be asked from the file.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// Both ends of what a segment holds: offset after the last record, relative to the base, and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tip {
    pub(crate) end: u32,
    pub(crate) size: u32,
}

impl Tip {
    fn pack(self) -> u64 {
        (u64::from(self.end) << 32) | u64::from(self.size)
    }

    fn unpack(packed: u64) -> Tip {
        Tip { end: (packed >> 32) as u32, size: packed as u32 }
    }
}

/// A segment. A truncation ends its life: the log goes on with a new value for what is left of the file.
#[derive(Debug)]
pub(crate) struct Segment {
    base: i64,
    /// Both ends in one word, so that a reader never pairs the end of one append with the size of another.
    tip: AtomicU64,
    /// Bytes that stay as they are for ever; lowered by a truncation before the file is cut.
    valid: AtomicU64,
    /// Offset boundaries (relative, plus one) with their positions; any of them may be overwritten at any time.
    hints: [AtomicU64; HINTS],
    /// Largest timestamp, `i64::MIN` until it is read from the time index.
    max_timestamp: AtomicI64,
    /// Entries of the transaction index, `UNKNOWN` until the file is asked.
    aborted: AtomicU32,
    /// A leaf of the lock order, held without system calls.
    tail: RwLock<Tail>,
    log: Arc<Slot>,
    offsets: Arc<Slot>,
    times: Arc<Slot>,
    /// Whether the directory entries of its files were synced.
    entries_synced: AtomicBool,
}

impl Segment {
    /// A segment without a file, at `base`.
    pub(crate) fn empty(base: i64) -> Segment {
        let segment = Segment::stored(base, Tip { end: 0, size: 0 }, Tail::default());
        segment.max_timestamp.store(-1, Ordering::Relaxed);
        segment.aborted.store(0, Ordering::Relaxed);
        segment
    }

    /// A segment whose files hold what `tip` says, with index entries in `tail` or, when it says `UNKNOWN`, in files.
    pub(crate) fn stored(base: i64, tip: Tip, tail: Tail) -> Segment {
        Segment {
            base,
            tip: AtomicU64::new(tip.pack()),
            valid: AtomicU64::new(u64::MAX),
            hints: Default::default(),
            max_timestamp: AtomicI64::new(i64::MIN),
            aborted: AtomicU32::new(UNKNOWN),
            tail: RwLock::new(tail),
            log: Arc::default(),
            offsets: Arc::default(),
            times: Arc::default(),
            entries_synced: AtomicBool::new(false),
        }
    }

    /// Whether the entry of the directory is on the device that leads to the file of batches.
    pub(crate) fn entry_is_synced(&self) -> bool {
        self.entries_synced.load(Ordering::Acquire)
    }

    /// Says that the directory was synced since the file was made.
    pub(crate) fn note_entry_synced(&self) {
        self.entries_synced.store(true, Ordering::Release);
    }

    /// First offset that the segment may hold.
    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// What is readable.
    pub(crate) fn tip(&self) -> Tip {
        Tip::unpack(self.tip.load(Ordering::Acquire))
    }

    /// Bytes of batches.
    pub(crate) fn size(&self) -> u64 {
        u64::from(self.tip().size)
    }

    /// Offset after the last record.
    pub(crate) fn end(&self) -> i64 {
        self.base + i64::from(self.tip().end)
    }

    /// Makes what was written readable.
    pub(crate) fn publish(&self, tip: Tip) {
        debug_assert!(tip.end >= self.tip().end && tip.size >= self.tip().size, "a segment only grows");
        self.hint(tip.end, tip.size);
        self.tip.store(tip.pack(), Ordering::Release);
    }

    /// Whether the first `upto` bytes are still what they were when this value was read.
    pub(crate) fn is_valid(&self, upto: u64) -> bool {
        upto <= self.valid.load(Ordering::Acquire)
    }

    /// Says that bytes from `size` on will change. Called before they do.
    pub(crate) fn cut(&self, size: u64) {
        self.valid.fetch_min(size, Ordering::AcqRel);
    }

    /// Closes the files; readers that hold them keep them.
    pub(crate) fn close_files(&self) {
        self.log.close();
        self.offsets.close();
        self.times.close();
    }

    pub(crate) fn tail(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tail_mut(&self) -> RwLockWriteGuard<'_, Tail> {
        self.tail.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of batches, which exists.
    pub(crate) fn log_file(&self, home: &Home) -> io::Result<Arc<dyn File>> {
        home.open(&self.log, self.base, FileKind::Log, Open::Write)
    }

    /// The file of batches, made if it does not exist. What an unknown past left under its name is emptied.
    pub(crate) fn create_log_file(&self, home: &Home) -> io::Result<Arc<dyn File>> {
        if let Some(file) = self.log.get() {
            return Ok(file);
        }
        if self.size() > 0 {
            return self.log_file(home);
        }
        let file = home.open(&self.log, self.base, FileKind::Log, Open::Create)?;
        if !file.is_empty()? {
            file.set_len(0)?;
        }
        Ok(file)
    }

    /// An index file; None if it does not exist.
    pub(crate) fn index_file(&self, home: &Home, kind: FileKind) -> io::Result<Option<Arc<dyn File>>> {
        let slot = if kind == FileKind::TimeIndex { &self.times } else { &self.offsets };
        match home.open(slot, self.base, kind, Open::Write) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An index file, made if it does not exist.
    pub(crate) fn create_index_file(&self, home: &Home, kind: FileKind) -> io::Result<Arc<dyn File>> {
        let slot = if kind == FileKind::TimeIndex { &self.times } else { &self.offsets };
        home.open(slot, self.base, kind, Open::Create)
    }

    /// Notes that a batch begins at `position` and that no offset from `relative` on lies before it.
    pub(crate) fn hint(&self, relative: u32, position: u32) {
        let packed = (u64::from(relative.wrapping_add(1)) << 32) | u64::from(position);
        self.hints[hint_slot(relative)].store(packed, Ordering::Relaxed);
    }

    /// Position noted for exactly this offset.
    pub(crate) fn hinted(&self, relative: u32) -> Option<u32> {
        let packed = self.hints[hint_slot(relative)].load(Ordering::Relaxed);
        ((packed >> 32) as u32 == relative.wrapping_add(1)).then_some(packed as u32)
    }

    /// Largest timestamp if it is known without a file.
    pub(crate) fn known_max_timestamp(&self) -> Option<i64> {
        Some(self.max_timestamp.load(Ordering::Acquire)).filter(|known| *known != i64::MIN)
    }

    /// Sets the largest timestamp.
    pub(crate) fn set_max_timestamp(&self, timestamp: i64) {
        self.max_timestamp.store(timestamp, Ordering::Release);
    }
}

/// Spreads offsets over the hints; runs of offsets that rise by a fixed step do not meet in one place.
fn hint_slot(relative: u32) -> usize {
    (relative.wrapping_mul(0x9e37_79b1) >> 29) as usize % HINTS
}
