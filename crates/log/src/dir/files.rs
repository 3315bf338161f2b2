//! A bounded cache of open files: an idle partition holds no descriptor.

use arc_swap::ArcSwapOption;
use ottla_host::File;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Files kept open per directory when nothing else is configured.
pub const OPEN_FILES_MAX: usize = 512;

/// Where one file is kept while it is open.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    file: ArcSwapOption<Opened>,
    used: AtomicBool,
}

#[derive(Debug)]
struct Opened(Arc<dyn File>);

impl Slot {
    /// The file if it is open.
    pub(crate) fn get(&self) -> Option<Arc<dyn File>> {
        let opened = self.file.load();
        let file = Arc::clone(&opened.as_ref()?.0);
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        Some(file)
    }

    /// Forgets the file; readers that hold it keep it.
    pub(crate) fn close(&self) {
        self.file.store(None);
    }
}

/// The open files of a directory, the least used closed first.
#[derive(Debug)]
pub(crate) struct FileCache {
    max: usize,
    /// In the order of opening. A leaf of the lock order, held without system calls but the closing of one file.
    open: Mutex<VecDeque<Weak<Slot>>>,
}

impl FileCache {
    pub(crate) fn new(max: usize) -> FileCache {
        FileCache { max: max.max(8), open: Mutex::new(VecDeque::new()) }
    }

    /// The slot's file, opened by `open` if need be. Two callers may open the same file at once; both handles work.
    pub(crate) fn get(
        &self,
        slot: &Arc<Slot>,
        open: impl FnOnce() -> io::Result<Arc<dyn File>>,
    ) -> io::Result<Arc<dyn File>> {
        if let Some(file) = slot.get() {
            return Ok(file);
        }
        let file = open()?;
        slot.file.store(Some(Arc::new(Opened(Arc::clone(&file)))));
        self.remember(slot);
        Ok(file)
    }

    fn remember(&self, slot: &Arc<Slot>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push_back(Arc::downgrade(slot));
        // Each slot gets one second chance, so that twice the length suffices.
        let mut turns = 2 * open.len();
        while open.len() > self.max && turns > 0 {
            turns -= 1;
            let Some(oldest) = open.pop_front() else { return };
            let Some(slot) = oldest.upgrade() else { continue };
            match slot.used.swap(false, Ordering::Relaxed) {
                true => open.push_back(oldest),
                false => slot.close(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FileCache, Slot};
    use ottla_host::Disk as _;
    use ottla_host::disk::Open;
    use ottla_sim::SimDisk;
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn the_least_used_files_are_closed_beyond_the_bound() {
        let (disk, cache) = (SimDisk::new(1), FileCache::new(8));
        let slots: Vec<Arc<Slot>> = (0..20).map(|_| Arc::default()).collect();
        for (at, slot) in slots.iter().enumerate() {
            cache.get(slot, || disk.open(Path::new(&format!("/{at}")), Open::Create)).unwrap();
            assert!(slots[0].get().is_some(), "it is used again and again");
        }
        let open = slots.iter().filter(|slot| slot.get().is_some()).count();
        assert_eq!(open, 8);
        assert!(slots[19].get().is_some() && slots[1].get().is_none());
    }
}
