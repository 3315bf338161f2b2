//! Opening a log: what is on disk becomes a writer and a view.

mod leftovers;
mod load;

use super::Log;
use super::active::Active;
use super::replay::snapshots_among;
use crate::config::LogConfig;
use crate::dir::boot::LastEnd;
use crate::dir::checkpoint;
use crate::dir::entries::Entries;
use crate::dir::meta::parse_partition_metadata;
use crate::dir::names::{FileKind, LEADER_EPOCHS, PARTITION_METADATA, PartitionName};
use crate::dir::{LogDir, SMALL_FILE_MAX};
use crate::epochs::Epochs;
use crate::home::Home;
use crate::producers::Producers;
use crate::segment::{Segment, entry};
use crate::view::View;
use load::Check;
use ottla_host::WallClock;
use ottla_wire::Uuid;
use ottla_wire::ids::Offset;
use std::io;
use std::sync::Arc;

/// Largest segment there can be: positions are 31 bits wide.
const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// What is known of a log before it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening {
    /// How the last use ended, which decides what is checked.
    pub last_end: LastEnd,
    /// Everything below is on the device; 0 when it is not known.
    pub recovery_point: Offset,
    /// First offset that may be read; the first segment's base when it is lower.
    pub log_start: Offset,
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its files could not be read or written.
    #[error("open {partition}: {error}")]
    Io {
        /// The partition.
        partition: PartitionName,
        /// What went wrong.
        error: io::Error,
    },
    /// A segment is larger than positions can say.
    #[error("open {partition}: segment {base} has {size} bytes, at most 2147483647 are possible")]
    TooLarge {
        /// The partition.
        partition: PartitionName,
        /// Base offset of the segment.
        base: Offset,
        /// Bytes of its file.
        size: u64,
    },
}

impl Opening {
    /// What the log directory's own files say.
    #[must_use]
    pub fn of(dir: &LogDir, name: &PartitionName) -> Opening {
        Opening {
            last_end: dir.last_end(),
            recovery_point: dir.recovery_point(name).unwrap_or(Offset(0)),
            log_start: dir.log_start(name).unwrap_or(Offset(0)),
        }
    }
}

/// A segment's file as found.
#[derive(Clone, Copy, Debug)]
struct Stored {
    base: i64,
    size: u64,
    /// Base of the segment behind it, or the largest number.
    next_base: i64,
}

impl Log {
    /// Opens the log in the directory `dir_name`; see [`Opening::of`] for what to pass.
    pub fn open(
        dir: &Arc<LogDir>,
        (name, dir_name): (&PartitionName, &str),
        opening: Opening,
        config: Arc<LogConfig>,
        now: WallClock,
    ) -> Result<Log, OpenError> {
        let home = Home::new(Arc::clone(dir), name.clone(), dir_name);
        let failed = |error| OpenError::Io { partition: name.clone(), error };
        let names = leftovers::settle(&home).map_err(failed)?;
        let stored = stored_segments(&home, &names).map_err(failed)?;
        if let Some(large) = stored.iter().find(|stored| stored.size > SEGMENT_BYTES_MAX) {
            let Stored { base, size, .. } = *large;
            return Err(OpenError::TooLarge { partition: name.clone(), base: Offset(base), size });
        }
        let found = Found { stored, snapshots: snapshots_among(names.iter().map(String::as_str)) };
        let log = open_stored(home, found, opening, config, now).map_err(failed)?;
        dir.note_opened(name);
        Ok(log)
    }
}

/// What a log's directory holds, as it was listed.
struct Found {
    /// Segments, rising.
    stored: Vec<Stored>,
    /// Offsets of producer snapshots, rising.
    snapshots: Vec<i64>,
}

fn open_stored(
    home: Home,
    Found { mut stored, mut snapshots }: Found,
    opening: Opening,
    config: Arc<LogConfig>,
    now: WallClock,
) -> io::Result<Log> {
    let epochs = read_epochs(&home)?;
    let topic_id = read_topic_id(&home)?;
    let start = opening.log_start.0.max(0);
    let first = stored.first().map_or(start, |first| first.base);
    let mut log = Log {
        view: Arc::new(View::new(home, Vec::new(), epochs, start.max(first), start.max(first))),
        config,
        topic_id,
        active: None,
        producers: Producers::default(),
        snapshot: 0,
        has_snapshot: !snapshots.is_empty(),
        recovery_point: 0,
        last_flush: now,
        epochs_dirty: false,
        entries: Entries::default(),
        flushes: 0,
        flush_limit: i64::MAX,
        is_removed: false,
    };
    if matches!(opening.last_end, LastEnd::Lost | LastEnd::SyncFailed) {
        log.drop_passed(&mut stored, now)?;
    }
    let checked_from = log.load_segments(&stored, opening, now)?;
    if log.end() < start {
        tracing::warn!(partition = %log.view.name(), end = log.end(), start, "log ends before its start, emptied");
        log.truncate_fully(Offset(start), now)?;
        return Ok(log);
    }
    // Of what was not synced a snapshot may be there that a truncation had removed: it tells of records that are not.
    let last_true = log.end().min(checked_from);
    for offset in snapshots.split_off(snapshots.partition_point(|offset| *offset <= last_true)) {
        log.home().disk().remove_file(&log.home().file_path(offset, FileKind::Snapshot))?;
    }
    // The file may be gone with a loss of power that put one in its place that was not synced, or may be from a start that
    // was raised and is forgotten.
    if log.view.epoch_of(log.view.start()).is_none() {
        log.replay_epochs()?;
    }
    log.restore_memory((opening, checked_from), snapshots, now)?;
    let end = log.end();
    log.recovery_point = match opening.last_end {
        LastEnd::Clean => end,
        LastEnd::Killed | LastEnd::Lost | LastEnd::SyncFailed => opening.recovery_point.0.clamp(0, end),
    };
    if opening.last_end != LastEnd::Clean {
        log.entries.change();
    }
    log.sync_for_journal(opening.last_end, now)?;
    log.check();
    Ok(log)
}

impl Log {
    /// In durable mode what is there counts as journalled, so it has to be on the device before anybody sees it.
    fn sync_for_journal(&mut self, last_end: LastEnd, now: WallClock) -> io::Result<()> {
        if self.journal().is_some()
            && last_end != LastEnd::Clean
            && let Some(flush) = self.flush(true)?
        {
            self.home().log_dir().sync_now(&flush).map_err(io::Error::other)?;
            self.flushed(flush.through, now);
        }
        self.view.all_journalled();
        Ok(())
    }

    /// Removes an empty last segment whose base the one before has passed: it was begun on a full disk and removed again,
    /// which a loss of power has undone. One that the batches before end at stays, and with it the end of the log.
    fn drop_passed(&self, stored: &mut Vec<Stored>, now: WallClock) -> io::Result<()> {
        let [.., before, last] = stored.as_slice() else { return Ok(()) };
        if last.size > 0 {
            return Ok(());
        }
        let before = Stored { next_base: i64::MAX, ..*before };
        let loaded = self.load_segment(before, Check::Tail, now)?;
        if loaded.active.segment.end() > last.base {
            self.drop_stored(std::slice::from_ref(last))?;
            stored.truncate(stored.len() - 2);
            stored.push(before);
        }
        Ok(())
    }

    /// Loads all segments, checking as much as the last end demands. Answers from which offset on they were checked.
    fn load_segments(&mut self, stored: &[Stored], opening: Opening, now: WallClock) -> io::Result<i64> {
        let unsynced = match opening.last_end {
            LastEnd::Clean | LastEnd::Killed => i64::MAX,
            LastEnd::Lost | LastEnd::SyncFailed => {
                let floor = stored.partition_point(|stored| stored.base <= opening.recovery_point.0);
                stored.get(floor.saturating_sub(1)).map_or(i64::MAX, |stored| stored.base)
            }
        };
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(stored.len());
        let mut last: Option<Active> = None;
        let count = stored.len();
        for at in 0..count {
            let here = stored[at];
            let is_last = at + 1 == count;
            let closed_well = self.is_closed_well(here, opening)?;
            let check = match opening.last_end {
                _ if !closed_well => Check::All { from_device: false },
                _ if here.base >= unsynced => Check::All { from_device: opening.last_end == LastEnd::SyncFailed },
                LastEnd::Clean => Check::Nothing,
                LastEnd::Killed | LastEnd::Lost | LastEnd::SyncFailed => Check::Tail,
            };
            // After a loss of power the ends of all are looked at: a recovery point from before a truncation says too much.
            let is_trusted = matches!(opening.last_end, LastEnd::Clean | LastEnd::Killed);
            if !is_last && is_trusted && self.has_index(here)? {
                segments.push(Arc::new(load::closed(here)));
                continue;
            }
            if !is_trusted && here.base > opening.recovery_point.0 && self.is_behind_gap(&segments, here) {
                let previous = segments.pop().expect("a gap has a segment before it");
                tracing::warn!(partition = %self.view.name(), end = previous.end(), base = here.base, "gap, log cut there");
                self.drop_stored(&stored[at..])?;
                last = Some(self.reload_segment(previous.base(), previous.size(), now)?);
                break;
            }
            if here.base >= unsynced {
                load::drop_aborted(here.base, self.home())?;
            }
            let load::Loaded { mut active, is_damaged } = self.load_segment(here, check, now)?;
            // Behind the end of a segment may lie what a truncation took back that did not reach the device.
            let is_whole = !is_damaged || active.segment.end() == here.next_base;
            if !is_last && is_whole {
                active.seal(self.home())?;
                segments.push(Arc::clone(&active.segment));
                continue;
            }
            if !is_last {
                tracing::warn!(partition = %self.view.name(), segment = here.base, "damage, log cut there");
                self.drop_stored(&stored[at + 1..])?;
            }
            last = Some(active);
            break;
        }
        if let Some(active) = last {
            if unsynced < i64::MAX {
                active.segment.truncate_aborted(self.home(), active.segment.end())?;
            }
            self.install(&segments, active);
            self.entries.promise().done();
        }
        Ok(unsynced)
    }

    /// Whether records are missing before a segment that was not synced whole: the file that held them, or its end, was
    /// lost. Only compaction leaves gaps by intent. Where all was synced, the topic was compacted once.
    fn is_behind_gap(&self, before: &[Arc<Segment>], here: Stored) -> bool {
        !self.config.compact && before.last().is_some_and(|previous| previous.end() != here.base)
    }

    /// Whether the indexes of a closed segment are whole. One that ends at the recovery point may have been closed after
    /// the sync that the point speaks of, and a loss of power may have torn what was written then.
    fn is_closed_well(&self, stored: Stored, opening: Opening) -> io::Result<bool> {
        let is_lost = matches!(opening.last_end, LastEnd::Lost | LastEnd::SyncFailed);
        if !is_lost || stored.next_base != opening.recovery_point.0 {
            return Ok(true);
        }
        let read = |kind| self.home().disk().read(&self.home().file_path(stored.base, kind), SEGMENT_BYTES_MAX);
        let offsets = read(FileKind::OffsetIndex)?.unwrap_or_default();
        let times = read(FileKind::TimeIndex)?.unwrap_or_default();
        Ok(entry::offsets_rise(&offsets) && entry::times_rise(&times))
    }

    fn has_index(&self, stored: Stored) -> io::Result<bool> {
        let stat = self.home().disk().stat(&self.home().file_path(stored.base, FileKind::OffsetIndex))?;
        Ok(stat.is_some_and(|stat| stat.len % 8 == 0 && stat.len / 8 <= stored.size / 61 + 1))
    }

    fn drop_stored(&self, stored: &[Stored]) -> io::Result<()> {
        for segment in stored {
            for kind in FileKind::ALL {
                self.home().disk().remove_file(&self.home().file_path(segment.base, kind))?;
            }
        }
        Ok(())
    }

    /// Producer state and epochs: the newest snapshot, and a replay of what follows it.
    fn restore_memory(
        &mut self,
        (opening, checked_from): (Opening, i64),
        snapshots: Vec<i64>,
        now: WallClock,
    ) -> io::Result<()> {
        // What was not synced is replayed whole, so that transaction indexes and epochs are complete. The file of epochs may
        // be from before a truncation: what it says of those records, they say themselves.
        let limit = self.end().min(checked_from);
        self.update_epochs(|epochs| epochs.truncate_end(Offset(limit)));
        let start = self.view.start();
        self.update_epochs(|epochs| epochs.truncate_start(start));
        // What the file says too much is taken out at once: a term may begin anew before it. What it lacks, the next start
        // finds as this one does.
        self.write_epochs()?;
        if self.active.is_none() {
            self.forget_producers();
            return Ok(());
        }
        if opening.last_end == LastEnd::Clean && snapshots.is_empty() {
            // As in Kafka: a log closed without a snapshot has no producers.
            self.snapshot = self.view.local_start().0;
            return Ok(());
        }
        let from = self.load_snapshot(snapshots, limit, now)?;
        self.replay(from)?;
        self.update_epochs(|epochs| epochs.truncate_start(start));
        Ok(())
    }
}

fn stored_segments(home: &Home, names: &[String]) -> io::Result<Vec<Stored>> {
    let mut stored = Vec::new();
    for name in names {
        if let Some((base, FileKind::Log)) = FileKind::parse(name)
            && let Some(stat) = home.disk().stat(&home.path().join(name))?
        {
            stored.push(Stored { base, size: stat.len, next_base: i64::MAX });
        }
    }
    stored.sort_unstable_by_key(|stored| stored.base);
    drop_unused(home, &mut stored)?;
    for at in 1..stored.len() {
        stored[at - 1].next_base = stored[at].base;
    }
    Ok(stored)
}

/// Removes empty segments from the middle of a log: they were begun on a full disk, and the one before went on. Its
/// batches may lie behind their bases.
fn drop_unused(home: &Home, stored: &mut Vec<Stored>) -> io::Result<()> {
    let middle = 1..stored.len().saturating_sub(1);
    for segment in stored.get(middle.clone()).unwrap_or_default().iter().filter(|segment| segment.size == 0) {
        for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex] {
            home.disk().remove_file(&home.file_path(segment.base, kind))?;
        }
    }
    let mut at = 0;
    stored.retain(|segment| {
        at += 1;
        segment.size > 0 || !middle.contains(&(at - 1))
    });
    Ok(())
}

fn read_epochs(home: &Home) -> io::Result<Epochs> {
    let path = home.path().join(LEADER_EPOCHS);
    let Some(bytes) = home.disk().read(&path, SMALL_FILE_MAX)? else { return Ok(Epochs::default()) };
    match checkpoint::read_epochs(&String::from_utf8_lossy(&bytes)) {
        Ok(entries) => Ok(Epochs::from_entries(entries)),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "leader epochs unreadable, taken from the batches");
            Ok(Epochs::default())
        }
    }
}

fn read_topic_id(home: &Home) -> io::Result<Option<Uuid>> {
    let bytes = home.disk().read(&home.path().join(PARTITION_METADATA), SMALL_FILE_MAX)?;
    Ok(bytes.and_then(|bytes| parse_partition_metadata(&String::from_utf8_lossy(&bytes))))
}
