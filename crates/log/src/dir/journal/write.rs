//! The lane of a journal: blocks to the device, completions to the views, sections settled behind.

use super::block::{Block, Touched, UNIT};
use super::replay::Found;
use super::section::{SECTIONS, Sections};
use super::{Journal, State, WAITING_LOW};
use crate::dir::LogDir;
use ottla_host::File;
use ottla_host::disk::{Open, write_all_at};
use ottla_host::planted::{self, Bug};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Buffers kept for reuse.
const SPARE_MAX: usize = 2;
/// Least bytes of a section: two of the largest blocks.
const SECTION_MIN: u64 = 2 * (super::BLOCK_MAX + UNIT) as u64;

impl Journal {
    /// Opens the journal of a directory with sections of `section_bytes`, made and filled with zeros if need be, so that
    /// writes change no metadata of the file system. What an earlier use left was replayed when the directory was opened.
    pub(crate) fn open(dir: &Arc<LogDir>, found: Found, section_bytes: u64) -> io::Result<Arc<Journal>> {
        let size = section_bytes.max(SECTION_MIN).next_multiple_of(UNIT as u64);
        let file = dir.disk().open(&dir.path().join(super::JOURNAL), Open::Durable)?;
        if file.len()? != size * SECTIONS {
            fill(&*file, size * SECTIONS)?;
        }
        // Its name too, whoever made it: a journal that a loss of power takes away has promised nothing.
        dir.disk().sync_dir(dir.path())?;
        let first = found.last + 1;
        let state = State {
            filling: Block::new(first),
            waiting: VecDeque::new(),
            spare: Vec::new(),
            writing: false,
            next_number: first + 1,
            failed: false,
            for_room: Vec::new(),
        };
        Ok(Arc::new(Journal {
            lane: format!("journal {}", dir.path().display()),
            dir: Arc::downgrade(dir),
            file,
            durable: AtomicU64::new(found.last),
            state: Mutex::new(state),
            sections: Mutex::new(Sections::new(size, found.section + 1, found.last)),
        }))
    }

    /// Writes all blocks there are. Runs on the journal's thread, once at a time.
    pub(super) fn write_all(self: &Arc<Journal>) {
        while let Some(mut block) = self.take() {
            match self.write(&mut block) {
                Ok(()) => self.complete(block),
                Err(error) => return self.fail(&error),
            }
        }
    }

    /// The next block to write; None when there is nothing, and the lane is to be woken again.
    fn take(&self) -> Option<Block> {
        let mut state = self.state();
        if state.waiting.is_empty() && !state.filling.is_empty() {
            self.next_block(&mut state);
        }
        let block = state.waiting.pop_front();
        state.writing = block.is_some();
        let has_room = state.waiting.len() <= WAITING_LOW;
        let woken = if has_room { std::mem::take(&mut state.for_room) } else { Vec::new() };
        drop(state);
        woken.into_iter().for_each(|wake| wake());
        block
    }

    fn write(self: &Arc<Journal>, block: &mut Block) -> io::Result<()> {
        let settled = self.sections().settled();
        let number = block.number;
        let mut touched = std::mem::take(&mut block.touched);
        let bytes = block.seal(settled);
        if self.sections().is_full_for(bytes.len() as u64) {
            if self.sections().next_is_needed() {
                self.settle_oldest()?;
            }
            self.sections().advance();
            self.settle_behind();
        }
        let at = self.sections().place(number, bytes.len() as u64, &mut touched);
        write_all_at(&*self.file, bytes, at)
    }

    fn complete(&self, block: Block) {
        self.durable.store(block.number, Ordering::Release);
        for completion in &block.completions {
            if let Some(log) = completion.log.upgrade() {
                log.journalled_to(completion.end, completion.generation);
            }
        }
        let mut state = self.state();
        if state.spare.len() < SPARE_MAX {
            state.spare.push(block);
        }
    }

    /// Nothing more is acknowledged: the journal cannot say what is on the device.
    fn fail(&self, error: &io::Error) {
        let mut state = self.state();
        state.failed = true;
        state.writing = false;
        let woken = std::mem::take(&mut state.for_room);
        drop(state);
        if let Some(dir) = self.dir.upgrade() {
            dir.sync_failed(error);
        }
        woken.into_iter().for_each(|wake| wake());
    }

    /// Syncs what the oldest full section names, so that it can be written over.
    fn settle_oldest(&self) -> io::Result<()> {
        let Some((last, touched)) = self.sections().oldest() else { return Ok(()) };
        let Some(dir) = self.dir.upgrade() else { return Ok(()) };
        let (files, dirs) = files_of(&dir, &touched)?;
        files.iter().try_for_each(|file| file.sync())?;
        dir.sync_dirs(&dirs)?;
        touched.iter().for_each(|touched| touched.file.note_entry_synced());
        self.sections().settle(last);
        Ok(())
    }

    /// Starts syncing what the oldest full section names, beside the writing.
    fn settle_behind(self: &Arc<Journal>) {
        let Some(dir) = self.dir.upgrade() else { return };
        let Some((last, touched)) = self.sections().oldest() else { return };
        if planted::active(Bug::EarlyRecycle) {
            return self.sections().settle(last);
        }
        let journal = Arc::clone(self);
        let tasks = Arc::clone(&dir.host().tasks);
        let work = async move {
            let (files, dirs) = match files_of(&dir, &touched) {
                Ok(found) => found,
                Err(error) => return journal.fail(&error),
            };
            let (through, dirs) = (ottla_wire::ids::Offset(0), dirs.into_iter().collect());
            let mut flush = [crate::dir::Flush { through, files, dirs, entries: None }];
            if dir.sync(&mut flush).await.is_ok() {
                touched.iter().for_each(|touched| touched.file.note_entry_synced());
                journal.sections().settle(last);
            }
        };
        tasks.spawn("journal settle", Box::pin(work));
    }

    /// Says that everything was synced, at a clean stop: nothing will be replayed. Blocks: when all logs are closed.
    pub(crate) fn close(&self) -> io::Result<()> {
        let (last, _) = self.sections().all();
        let number = {
            let mut state = self.state();
            if state.failed || !state.waiting.is_empty() || !state.filling.is_empty() {
                return Ok(());
            }
            state.failed = true;
            state.filling.number
        };
        self.sections().settle(last);
        let mut block = Block::new(number);
        let bytes = block.seal(number);
        let mut sections = self.sections();
        if sections.is_full_for(bytes.len() as u64) {
            sections.advance();
        }
        let at = sections.place(number, bytes.len() as u64, &mut Vec::new());
        write_all_at(&*self.file, bytes, at)
    }
}

type Files = (Vec<Arc<dyn File>>, BTreeSet<std::path::PathBuf>);

/// The files of segments that are still there, and the directories whose entries may not be on the device.
fn files_of(dir: &LogDir, touched: &[Touched]) -> io::Result<Files> {
    let (mut files, mut dirs) = (Vec::new(), BTreeSet::new());
    for Touched { file, .. } in touched {
        match file.open() {
            Ok(file) => files.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if !file.entry_is_synced()
            && let Some(path) = file.directory()
            && dir.disk().stat(&path)?.is_some()
        {
            dirs.insert(path);
            dirs.insert(dir.path().to_owned());
        }
    }
    Ok((files, dirs))
}

/// Fills the file with zeros up to `len`.
fn fill(file: &dyn File, len: u64) -> io::Result<()> {
    let zeros = vec![0; super::BLOCK_MAX + UNIT];
    let start = zeros.as_ptr().align_offset(UNIT);
    let zeros = &zeros[start..start + super::BLOCK_MAX];
    file.set_len(0)?;
    let mut at = 0;
    while at < len {
        let part = usize::try_from(len - at).unwrap_or(zeros.len()).min(zeros.len());
        write_all_at(file, &zeros[..part], at)?;
        at += part as u64;
    }
    file.sync()
}
