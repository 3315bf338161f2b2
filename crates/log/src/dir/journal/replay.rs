//! What a journal says after a loss of power, put into the files; and the end of its use after any other stop.

use super::JOURNAL;
use super::block::{Block, BlockHeader, HEADER, UNIT};
use super::entry::{Entry, Kind};
use super::section::SECTIONS;
use crate::dir::boot::LastEnd;
use crate::dir::names::{DirKind, FileKind};
use ottla_host::disk::{Open, read_exact_at, write_all_at};
use ottla_host::{Disk, File};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a replay has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Replayed {
    /// Blocks put into the files, or synced with them.
    pub blocks: u64,
    /// Bytes of batches among them.
    pub bytes: u64,
}

/// Where a journal ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Found {
    /// Number of its last block.
    pub(crate) last: u64,
    /// Section that holds it.
    pub(crate) section: u64,
}

/// A block on the device.
#[derive(Clone, Copy, Debug)]
struct Stored {
    header: BlockHeader,
    at: u64,
    section: u64,
}

/// Brings files and journal together when a directory is opened. After a loss of power the entries that are not settled
/// are written into the files; in any case but a clean stop all files that they name are synced. Then they are settled.
pub(crate) fn settle_at_start(disk: &dyn Disk, dir: &Path, last_end: LastEnd) -> io::Result<(Found, Replayed)> {
    let path = dir.join(JOURNAL);
    if disk.stat(&path)?.is_none() {
        return Ok((Found::default(), Replayed::default()));
    }
    let file = disk.open(&path, Open::Read)?;
    let section_size = file.len()? / SECTIONS / UNIT as u64 * UNIT as u64;
    let blocks = chain(&*file, section_size)?;
    let Some(last) = blocks.last().copied() else { return Ok((Found::default(), Replayed::default())) };
    let settled = blocks.iter().map(|block| block.header.settled).max().unwrap_or(0);
    let mut found = Found { last: last.header.number, section: last.section };
    if settled >= found.last {
        return Ok((found, Replayed::default()));
    }
    let mut target = Target::new(disk, dir, matches!(last_end, LastEnd::Lost | LastEnd::SyncFailed));
    if last_end != LastEnd::Clean {
        for block in blocks.iter().filter(|block| block.header.number > settled) {
            if !target.block(&*file, block)? {
                break;
            }
        }
        target.sync()?;
    }
    // The mark goes to the next section: what is there is older than all that this section holds.
    found = Found { last: found.last + 1, section: (found.section + 1) % SECTIONS };
    let durable = disk.open(&path, Open::Durable)?;
    write_all_at(&*durable, Block::new(found.last).seal(found.last), found.section * section_size)?;
    Ok((found, target.replayed))
}

/// All blocks up to the last one, each numbered one above the one before.
fn chain(file: &dyn File, section_size: u64) -> io::Result<Vec<Stored>> {
    let mut sections = Vec::new();
    for section in 0..SECTIONS {
        let blocks = blocks_of(file, section, section_size)?;
        if let Some(first) = blocks.first() {
            sections.push((first.header.number, blocks));
        }
    }
    sections.sort_by_key(|(first, _)| *first);
    let mut chained: Vec<Stored> = Vec::new();
    for (first, blocks) in sections {
        if chained.last().is_some_and(|last| last.header.number + 1 != first) {
            // What comes before the gap is older than all that was still needed.
            chained.clear();
        }
        chained.extend(blocks);
    }
    Ok(chained)
}

fn blocks_of(file: &dyn File, section: u64, section_size: u64) -> io::Result<Vec<Stored>> {
    let mut blocks: Vec<Stored> = Vec::new();
    let (mut at, end) = (section * section_size, (section + 1) * section_size);
    while at + HEADER as u64 <= end {
        let mut bytes = [0; HEADER];
        read_exact_at(file, &mut bytes, at)?;
        let Some(header) = BlockHeader::read(&bytes) else { break };
        let follows = blocks.last().is_none_or(|last| last.header.number + 1 == header.number);
        if !follows || at + header.size() as u64 > end {
            break;
        }
        blocks.push(Stored { header, at, section });
        at += header.size() as u64;
    }
    Ok(blocks)
}

/// The files that entries go to.
struct Target<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    /// Whether the files have to be brought up to date, or only synced.
    writes: bool,
    open: BTreeMap<PathBuf, Arc<dyn File>>,
    dirs: BTreeSet<PathBuf>,
    replayed: Replayed,
}

impl<'a> Target<'a> {
    fn new(disk: &'a dyn Disk, dir: &'a Path, writes: bool) -> Target<'a> {
        Target { disk, dir, writes, open: BTreeMap::new(), dirs: BTreeSet::new(), replayed: Replayed::default() }
    }

    /// Takes the entries of a block; false when it is torn and nothing behind it counts.
    fn block(&mut self, file: &dyn File, block: &Stored) -> io::Result<bool> {
        let mut payload = vec![0; block.header.payload];
        read_exact_at(file, &mut payload, block.at + HEADER as u64)?;
        let mut rest = &payload[..];
        while let Some((entry, data, after)) = Entry::read(block.header.number, rest) {
            self.entry(&entry, data)?;
            rest = after;
        }
        self.replayed.blocks += 1;
        Ok(rest.is_empty())
    }

    fn entry(&mut self, entry: &Entry<'_>, data: &[u8]) -> io::Result<()> {
        if entry.name.contains(['/', '\0']) || DirKind::parse(entry.name).is_none() {
            return Ok(());
        }
        let home = self.dir.join(entry.name);
        match entry.kind {
            Kind::Append => self.append(&home, entry, data),
            Kind::Cut => self.cut(&home, entry),
            Kind::Restart => self.restart(&home, entry.base),
            Kind::Gone => self.remove_files(&home, |base, kind| base < entry.base && kind != FileKind::Snapshot),
            Kind::Removed => self.remove(&home),
        }
    }

    fn append(&mut self, home: &Path, entry: &Entry<'_>, data: &[u8]) -> io::Result<()> {
        self.replayed.bytes += data.len() as u64;
        match self.file(home, entry.base)? {
            Some(file) if self.writes => write_all_at(&*file, data, entry.position),
            Some(_) | None => Ok(()),
        }
    }

    fn cut(&mut self, home: &Path, entry: &Entry<'_>) -> io::Result<()> {
        // Snapshots behind it may tell of what was cut; the segments say it all again.
        self.remove_files(home, |base, _| base > entry.base)?;
        match self.file(home, entry.base)? {
            Some(file) if self.writes && file.len()? > entry.position => file.set_len(entry.position),
            Some(_) | None => Ok(()),
        }
    }

    fn restart(&mut self, home: &Path, base: i64) -> io::Result<()> {
        self.remove_files(home, |_, _| true)?;
        self.file(home, base).map(|_| ())
    }

    fn remove(&mut self, home: &Path) -> io::Result<()> {
        self.open.retain(|path, _| !path.starts_with(home));
        self.dirs.remove(home);
        match self.writes && self.disk.stat(home)?.is_some() {
            true => self.disk.remove_dir_all(home),
            false => Ok(()),
        }
    }

    /// A segment's file. When files are written it is made, with its directory: their entries may be lost.
    fn file(&mut self, home: &Path, base: i64) -> io::Result<Option<Arc<dyn File>>> {
        let path = home.join(FileKind::Log.name(base));
        if let Some(file) = self.open.get(&path) {
            return Ok(Some(Arc::clone(file)));
        }
        if self.writes {
            self.disk.create_dir_all(home)?;
        }
        let how = if self.writes { Open::Create } else { Open::Write };
        let file = match self.disk.open(&path, how) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        self.dirs.insert(home.to_owned());
        self.open.insert(path, Arc::clone(&file));
        Ok(Some(file))
    }

    fn remove_files(&mut self, home: &Path, which: impl Fn(i64, FileKind) -> bool) -> io::Result<()> {
        let gone = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(FileKind::parse);
            path.parent() == Some(home) && name.is_some_and(|(base, kind)| which(base, kind))
        };
        self.open.retain(|path, _| !gone(path));
        if !self.writes || self.disk.stat(home)?.is_none() {
            return Ok(());
        }
        for entry in self.disk.list(home)? {
            match FileKind::parse(&entry.name) {
                Some((base, kind)) if which(base, kind) => {
                    self.disk.remove_file(&home.join(&entry.name))?;
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.open.values().try_for_each(|file| file.sync())?;
        self.dirs.iter().try_for_each(|dir| self.disk.sync_dir(dir))?;
        self.disk.sync_dir(self.dir)
    }
}
