//! What readers of a log see: published by its one writer, read without locks.
//!
//! ```text
//! log_start ≤ stable ≤ high watermark ≤ end        high watermark and stable are the reader's business: `upto`
//! ```

mod timestamps;

use crate::dir::LogDir;
use crate::dir::names::PartitionName;
use crate::epochs::{EpochEnd, Epochs};
use crate::home::Home;
use crate::segment::Segment;
use crate::segment::aborted::AbortedTransaction;
use crate::segment::lookup::Found;
use arc_swap::ArcSwap;
use ottla_host::File;
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Times that a read begins anew because a truncation or removal passed it.
const ATTEMPTS: usize = 8;
/// There is no first unstable offset.
pub(crate) const STABLE: i64 = i64::MAX;

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// OFFSET_OUT_OF_RANGE.
    #[error("offset {offset} is outside of {start} to {end}")]
    OutOfRange {
        /// Asked for.
        offset: Offset,
        /// First readable.
        start: Offset,
        /// After the last readable.
        end: Offset,
    },
    /// The bytes in the file are no batches (KAFKA_STORAGE_ERROR); the partition should go offline.
    #[error("segment {segment} is damaged at byte {position}")]
    Damaged {
        /// Base offset of the segment.
        segment: Offset,
        /// Byte in its file.
        position: u64,
    },
    /// The disk failed (KAFKA_STORAGE_ERROR).
    #[error("read segment: {0}")]
    Io(#[from] io::Error),
}

/// Whole batches in a segment's file.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The file; None when the slice is empty.
    pub file: Option<Arc<dyn File>>,
    /// Byte at which the first batch begins.
    pub position: u64,
    /// Bytes of the batches.
    pub length: u32,
    /// Where the first batch lies: the offset asked for is in it or, in a compacted log, before it.
    pub first_offset: Offset,
    segment: Option<Arc<Segment>>,
}

impl Slice {
    fn empty(offset: Offset) -> Slice {
        Slice { file: None, position: 0, length: 0, first_offset: offset, segment: None }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether the bytes in the file are still those that were found. A sender asks this after it has sent: bytes sent
    /// while it turned false may be foreign, and the connection has to be closed.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.segment.as_ref().is_none_or(|segment| segment.is_valid(self.position + u64::from(self.length)))
    }
}

/// A record found by its timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampOffset {
    /// Timestamp of the record, ms since 1970.
    pub timestamp: i64,
    /// Its offset.
    pub offset: Offset,
    /// Epoch of the leader that wrote it; -1 where it is not known.
    pub leader_epoch: LeaderEpoch,
}

/// The readers' side of a log. Shared and cheap; a slice outlives segments, log and file name.
#[derive(Debug)]
pub struct View {
    home: Home,
    segments: ArcSwap<Vec<Arc<Segment>>>,
    epochs: ArcSwap<Epochs>,
    log_start: AtomicI64,
    end: AtomicI64,
    unstable: AtomicI64,
    journalled: AtomicI64,
    /// Counts truncations.
    generation: AtomicU64,
    /// Told when the journalled end has moved.
    on_journalled: OnceLock<Hook>,
}

/// What is called when a journalled end moves.
struct Hook(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

impl View {
    pub(crate) fn new(home: Home, segments: Vec<Arc<Segment>>, epochs: Epochs, log_start: i64, end: i64) -> View {
        View {
            home,
            segments: ArcSwap::from_pointee(segments),
            epochs: ArcSwap::from_pointee(epochs),
            log_start: AtomicI64::new(log_start),
            end: AtomicI64::new(end),
            unstable: AtomicI64::new(STABLE),
            journalled: AtomicI64::new(end),
            generation: AtomicU64::new(0),
            on_journalled: OnceLock::new(),
        }
    }

    /// The partition.
    #[must_use]
    pub fn name(&self) -> &PartitionName {
        self.home.name()
    }

    /// The log directory that holds it.
    #[must_use]
    pub fn log_dir(&self) -> &Arc<LogDir> {
        self.home.log_dir()
    }

    /// The partition's directory.
    #[must_use]
    pub fn path(&self) -> Arc<PathBuf> {
        self.home.path()
    }

    /// First offset that may be read.
    #[must_use]
    pub fn start(&self) -> Offset {
        Offset(self.log_start.load(Ordering::Acquire))
    }

    /// First offset that lies on this disk; the start as long as nothing is tiered.
    #[must_use]
    pub fn local_start(&self) -> Offset {
        let first = self.segments.load().first().map(|segment| segment.base());
        first.map_or_else(|| self.start(), |base| Offset(base).max(self.start()))
    }

    /// Offset after the last record.
    #[must_use]
    pub fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    /// Offset after the last record that the journal holds; meaningful in durable mode.
    #[must_use]
    pub fn journalled_end(&self) -> Offset {
        Offset(self.journalled.load(Ordering::Acquire)).min(self.end())
    }

    /// Calls `hook` on the journal's thread whenever the journalled end has moved. It must be short. Only the first
    /// hook of a log counts.
    pub fn on_journalled(&self, hook: Box<dyn Fn() + Send + Sync>) {
        let _ = self.on_journalled.set(Hook(hook));
    }

    /// Last stable offset under a high watermark: no record below it belongs to a transaction with an open outcome.
    #[must_use]
    pub fn stable(&self, high_watermark: Offset) -> Offset {
        let unstable = self.unstable.load(Ordering::Acquire);
        Offset(unstable.max(self.log_start.load(Ordering::Acquire))).min(high_watermark)
    }

    /// How often the log was truncated.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.size()).sum()
    }

    /// Number of segments.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.load().len()
    }

    /// Where a leader's epoch ends here (OffsetForLeaderEpoch); None if the log cannot tell.
    #[must_use]
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        self.epochs.load().end_of(epoch, self.end())
    }

    /// The newest leader epoch that wrote here.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.load().latest().map(|entry| entry.epoch)
    }

    /// The leader epoch that wrote `offset`.
    #[must_use]
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.load().of_offset(offset)
    }

    /// Whole batches from the one that holds `from`, below `upto` (high watermark, last stable offset or end), of at most
    /// `max_bytes`; the first one even if it is larger when `at_least_one`. Decodes and copies nothing.
    pub fn read(&self, from: Offset, upto: Offset, max_bytes: u32, at_least_one: bool) -> Result<Slice, ReadError> {
        let mut damage = (Offset(0), 0);
        for _ in 0..ATTEMPTS {
            let (start, end) = (self.start(), self.end());
            if from < start || from > end {
                return Err(ReadError::OutOfRange { offset: from, start, end });
            }
            let upto = upto.min(end);
            if from >= upto {
                return Ok(Slice::empty(from));
            }
            let read = Read { from: from.0, upto: upto.0, max_bytes, at_least_one };
            match self.read_segments(&read) {
                Ok(Attempt::Done(slice)) => return Ok(slice),
                Ok(Attempt::Damaged(segment, position)) => {
                    damage = (Offset(segment.base()), position);
                    if segment.is_valid(u64::MAX) {
                        break;
                    }
                }
                // A segment that was removed or cut meanwhile: the next attempt sees the new ones.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(ReadError::Io(error)),
            }
        }
        Err(ReadError::Damaged { segment: damage.0, position: damage.1 })
    }

    fn read_segments(&self, read: &Read) -> io::Result<Attempt> {
        let segments = self.segments.load();
        let first = segments.partition_point(|segment| segment.base() <= read.from).saturating_sub(1);
        for segment in &segments[first..] {
            if segment.base() >= read.upto {
                break;
            }
            match segment.position_of(&self.home, read.from)? {
                Found::At(position) => return self.read_segment(segment, position, read),
                Found::Behind => {}
                Found::Damaged(position) => return Ok(Attempt::Damaged(Arc::clone(segment), position)),
            }
        }
        Ok(Attempt::Done(Slice::empty(Offset(read.from))))
    }

    fn read_segment(&self, segment: &Arc<Segment>, position: u64, read: &Read) -> io::Result<Attempt> {
        let tip = segment.tip();
        let end = match read.upto >= segment.base() + i64::from(tip.end) {
            true => u64::from(tip.size),
            false => match segment.position_of(&self.home, read.upto)? {
                Found::At(end) => end,
                Found::Behind => u64::from(tip.size),
                Found::Damaged(position) => return Ok(Attempt::Damaged(Arc::clone(segment), position)),
            },
        };
        let mut slice_end = end;
        let limit = position + u64::from(read.max_bytes);
        if end > limit {
            let Some((first, last)) = segment.whole_batches(&self.home, position, limit, end)? else {
                return Ok(Attempt::Damaged(Arc::clone(segment), position));
            };
            slice_end = if last > position || !read.at_least_one { last } else { first };
        }
        if slice_end <= position {
            return Ok(Attempt::Done(Slice::empty(Offset(read.from))));
        }
        Ok(Attempt::Done(Slice {
            file: Some(segment.log_file(&self.home)?),
            position,
            length: u32::try_from(slice_end - position).unwrap_or(u32::MAX),
            first_offset: Offset(read.from.max(segment.base())),
            segment: Some(Arc::clone(segment)),
        }))
    }

    /// Transactions aborted in the range, for a reader that sees committed records alone; sorted by their markers.
    pub fn aborted_transactions(&self, from: Offset, upto: Offset) -> Result<Vec<AbortedTransaction>, ReadError> {
        let segments = self.segments.load();
        let first = segments.partition_point(|segment| segment.base() <= from.0).saturating_sub(1);
        let mut found = Vec::new();
        for segment in segments.get(first..).unwrap_or_default() {
            for entry in segment.all_aborted(&self.home)? {
                if entry.last_offset >= from && entry.first_offset < upto {
                    found.push(entry);
                }
                if entry.last_stable_offset >= upto {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        self.segments.load_full()
    }

    /// The leader epochs with their first offsets.
    #[must_use]
    pub fn epochs(&self) -> Arc<Epochs> {
        self.epochs.load_full()
    }

    pub(crate) fn set_segments(&self, segments: Vec<Arc<Segment>>) {
        self.segments.store(Arc::new(segments));
    }

    pub(crate) fn set_epochs(&self, epochs: Epochs) {
        self.epochs.store(Arc::new(epochs));
    }

    pub(crate) fn set_start(&self, start: i64) {
        self.log_start.store(start, Ordering::Release);
    }

    pub(crate) fn set_end(&self, end: i64) {
        self.end.store(end, Ordering::Release);
    }

    pub(crate) fn set_unstable(&self, unstable: Option<i64>) {
        self.unstable.store(unstable.unwrap_or(STABLE), Ordering::Release);
    }

    /// Says that the log was cut and ends at `end`: what the journal completes later does not reach beyond.
    pub(crate) fn truncated(&self, end: i64) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.journalled.fetch_min(end, Ordering::SeqCst);
    }

    /// Says that the journal holds everything below `end`, as of a count of truncations.
    pub(crate) fn journalled_to(&self, end: i64, generation: u64) {
        if self.generation.load(Ordering::SeqCst) != generation {
            return;
        }
        let before = self.journalled.fetch_max(end, Ordering::SeqCst);
        if self.generation.load(Ordering::SeqCst) != generation {
            // A truncation has come between: the smaller of both is certain.
            self.journalled.fetch_min(before, Ordering::SeqCst);
        }
        if let Some(hook) = self.on_journalled.get() {
            (hook.0)();
        }
    }

    /// Says that everything below the end is on the device.
    pub(crate) fn all_journalled(&self) {
        self.journalled.store(self.end().0, Ordering::Release);
    }
}

/// What a reader wants.
struct Read {
    from: i64,
    upto: i64,
    max_bytes: u32,
    at_least_one: bool,
}

/// What one attempt gave.
enum Attempt {
    Done(Slice),
    Damaged(Arc<Segment>, u64),
}
