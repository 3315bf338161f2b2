//! Many submitters, one writer at a time, nobody waits: whoever finds the writer free writes for all.
//!
//! Why no entry is left behind: a submitter first puts its entry into the queue and then tries the writer's lock. If
//! it fails, the holder has not unlocked yet; the holder looks at the queue again *after* unlocking, and so sees the
//! entry. Lock order: `writer` (only tried), then `queue` (held for a few instructions).
//!
//! Where the device is behind, the queue is parked: nothing is taken until `unpark`, which is called by whoever has said
//! that there is no room, and then drives. It may come while the writer is still locked and find nothing to do; the
//! holder therefore looks at the mark again after unlocking, too.

use super::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};
use std::collections::VecDeque;

/// Most entries that wait for the writer of one partition.
pub(crate) const QUEUE_ENTRIES_MAX: usize = 256;
/// Most bytes that wait for the writer of one partition; a larger entry is taken when it is alone.
pub(crate) const QUEUE_BYTES_MAX: usize = 16 << 20;
/// Most entries that one write takes.
pub(crate) const GROUP_ENTRIES_MAX: usize = 64;
/// Most bytes that one write takes; a larger entry is written alone.
pub(crate) const GROUP_BYTES_MAX: usize = 1 << 20;

/// Something with a size in bytes.
pub(crate) trait Weigh {
    /// Bytes to be written.
    fn size(&self) -> usize;
}

/// A bounded queue in front of a writer that is locked by trying only.
pub(crate) struct Submit<T, W> {
    queue: Mutex<Queue<T>>,
    /// Entries in `queue`, so that looking at an empty queue takes no lock.
    queued: AtomicUsize,
    /// Nothing is written until the device has room. Set by the holder of `writer` alone.
    parked: AtomicBool,
    /// A simulated thread holds the writer.
    held: AtomicBool,
    writer: Mutex<W>,
}

struct Queue<T> {
    entries: VecDeque<T>,
    bytes: usize,
}

impl<T: Weigh, W> Submit<T, W> {
    /// An empty queue before `writer`.
    pub(crate) fn new(writer: W) -> Submit<T, W> {
        let queue = Queue { entries: VecDeque::new(), bytes: 0 };
        Submit {
            queue: Mutex::new(queue),
            queued: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            held: AtomicBool::new(false),
            writer: Mutex::new(writer),
        }
    }

    /// Puts an entry at the end of the queue, or gives it back when the queue is full.
    pub(crate) fn submit(&self, entry: T) -> Result<(), T> {
        let size = entry.size();
        let mut queue = self.queue.lock();
        let alone = queue.entries.is_empty();
        let full = queue.entries.len() >= QUEUE_ENTRIES_MAX || queue.bytes + size > QUEUE_BYTES_MAX;
        if full && !alone {
            return Err(entry);
        }
        queue.bytes += size;
        queue.entries.push_back(entry);
        self.queued.store(queue.entries.len(), Ordering::SeqCst);
        Ok(())
    }

    /// Writes what waits, in groups, unless another thread is writing: that one then takes these entries too. Before
    /// each group `has_room` is asked; once it has said no, nothing is written until somebody unparks and drives.
    pub(crate) fn drive(
        &self,
        mut has_room: impl FnMut(&mut W) -> bool,
        mut write: impl FnMut(&mut W, &mut VecDeque<T>),
    ) {
        while self.has_entries() {
            let Some(mut writer) = self.try_writer() else { return };
            let mut group = VecDeque::new();
            while self.has_entries() && self.may_write(|| has_room(&mut writer)) && self.take_group(&mut group) {
                write(&mut writer, &mut group);
                group.clear();
            }
            self.put_back_storage(group);
            drop(writer);
            if self.parked.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    fn has_entries(&self) -> bool {
        self.queued.load(Ordering::SeqCst) > 0
    }

    /// Whether a group may be written. The mark is set before the question: who unparks may be quicker than the answer.
    fn may_write(&self, has_room: impl FnOnce() -> bool) -> bool {
        if self.parked.swap(true, Ordering::SeqCst) {
            return false;
        }
        let has_room = has_room();
        if has_room {
            self.unpark();
        }
        has_room
    }

    /// Lets writing go on. The caller drives afterwards.
    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::SeqCst);
    }

    /// Runs `work` with the writer if it is free. The caller drives afterwards: entries may have come meanwhile.
    pub(crate) fn with_writer<R>(&self, work: impl FnOnce(&mut W) -> R) -> Option<R> {
        let mut writer = self.try_writer()?;
        Some(work(&mut writer))
    }

    fn try_writer(&self) -> Option<impl std::ops::DerefMut<Target = W>> {
        let is_held = cfg!(any(debug_assertions, feature = "planted")) && self.held.load(Ordering::SeqCst);
        if is_held { None } else { self.writer.try_lock() }
    }

    /// Takes the writer away from everybody until `release`, unless somebody has it.
    #[cfg(any(debug_assertions, feature = "planted"))]
    pub(crate) fn hold(&self) -> bool {
        let is_free = self.try_writer().is_some();
        if is_free {
            self.held.store(true, Ordering::SeqCst);
        }
        is_free
    }

    /// Gives the writer back; whether entries have come meanwhile. The caller drives afterwards, as every holder does.
    #[cfg(any(debug_assertions, feature = "planted"))]
    pub(crate) fn release(&self) -> bool {
        self.held.store(false, Ordering::SeqCst);
        self.has_entries()
    }

    fn take_group(&self, group: &mut VecDeque<T>) -> bool {
        let mut queue = self.queue.lock();
        if queue.entries.len() <= GROUP_ENTRIES_MAX && queue.bytes <= GROUP_BYTES_MAX {
            std::mem::swap(group, &mut queue.entries);
            queue.bytes = 0;
        } else {
            let mut bytes = 0;
            while let Some(entry) = queue.entries.front() {
                let size = entry.size();
                if !group.is_empty() && (group.len() == GROUP_ENTRIES_MAX || bytes + size > GROUP_BYTES_MAX) {
                    break;
                }
                bytes += size;
                group.extend(queue.entries.pop_front());
            }
            queue.bytes -= bytes;
        }
        self.queued.store(queue.entries.len(), Ordering::SeqCst);
        !group.is_empty()
    }

    /// Keeps the small storage of a busy queue and frees that of a burst.
    fn put_back_storage(&self, group: VecDeque<T>) {
        let mut queue = self.queue.lock();
        if queue.entries.capacity() == 0 && group.capacity() <= 16 {
            queue.entries = group;
        }
    }
}
