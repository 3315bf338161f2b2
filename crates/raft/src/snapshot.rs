//! Snapshots of the metadata log, `<offset>-<epoch>.checkpoint`: names, writer, reader (KIP-630, KIP-853).

use crate::records::{BATCH_BYTES_MAX, Batch, Content, ControlRecord, ReadError, VersionedRecord};
use crate::records::{control_batch, data_batch};
use crate::state::ids::{KraftVersion, OffsetAndEpoch, VoterSet};
use ottla_host::Disk;
use ottla_host::disk::{File, Open, read_exact_at, write_all_at};
use ottla_wire::EncodeError;
use ottla_wire::batch::{BatchError, BatchHeader, HEADER_SIZE};
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::io;
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".checkpoint";
const PARTIAL: &str = ".checkpoint.part";
const DELETED: &str = ".checkpoint.deleted";

/// Records of one batch of a snapshot; keeps batches far below [`BATCH_BYTES_MAX`] and memory bounded.
const BATCH_RECORDS: usize = 1_024;

/// What a file of the metadata directory is to its snapshots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotFile {
    /// A whole snapshot.
    Whole(OffsetAndEpoch),
    /// One that was being written or fetched, or one that is on its way out.
    Remnant,
}

/// A loaded snapshot.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    /// Timestamp of the last record it contains, in ms since 1970.
    pub last_timestamp_ms: i64,
    /// `kraft.version` and voters, with dynamic voters.
    pub kraft: Option<Kraft>,
    /// The metadata.
    pub records: Vec<VersionedRecord>,
}

/// The dynamic quorum as a snapshot states it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kraft {
    /// `kraft.version`, one with dynamic voters.
    pub version: KraftVersion,
    /// The voters; None in the directory of a node that is to join later.
    pub voters: Option<VoterSet>,
}

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk failed.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A batch of it is damaged or unknown.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: ReadError,
    },
    /// It does not begin with a header or end with a footer.
    #[error("{path} is not a whole snapshot: {what}")]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
}

/// Name of a snapshot's file.
#[must_use]
pub fn file_name(id: OffsetAndEpoch) -> String {
    format!("{:020}-{:010}{SUFFIX}", id.offset.0, id.epoch.0)
}

/// What a file name says; None for files that have nothing to do with snapshots.
#[must_use]
pub fn parse_name(name: &str) -> Option<SnapshotFile> {
    if name.ends_with(PARTIAL) || name.ends_with(DELETED) {
        return Some(SnapshotFile::Remnant);
    }
    let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    if offset.len() != 20 || epoch.len() != 10 {
        return None;
    }
    let (offset, epoch) = (Offset(offset.parse().ok()?), LeaderEpoch(epoch.parse().ok()?));
    Some(SnapshotFile::Whole(OffsetAndEpoch { epoch, offset }))
}

/// What goes into a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The place right behind what it contains.
    pub id: OffsetAndEpoch,
    /// Timestamp of the last record it contains, in ms since 1970.
    pub last_timestamp_ms: i64,
    /// Now, in ms since 1970.
    pub now_ms: i64,
    /// The dynamic quorum; None with static voters.
    pub kraft: Option<&'a Kraft>,
    /// The metadata.
    pub records: &'a [VersionedRecord],
}

/// Why a snapshot could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A record cannot be written in its version.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Writes a snapshot under a partial name, syncs it, gives it its name. Blocks.
pub fn write(disk: &dyn Disk, dir: &Path, contents: Contents<'_>) -> Result<(), WriteError> {
    disk.create_dir_all(dir)?;
    let name = file_name(contents.id);
    let aside = dir.join(format!("{}-ottla{PARTIAL}", name.trim_end_matches(SUFFIX)));
    let file = disk.open(&aside, Open::Create)?;
    file.set_len(0)?;
    write_batches(&*file, contents)?;
    file.sync()?;
    disk.rename(&aside, &dir.join(name))?;
    disk.sync_dir(dir)?;
    Ok(())
}

fn write_batches(file: &dyn File, contents: Contents<'_>) -> Result<(), WriteError> {
    let Contents { id, last_timestamp_ms, now_ms, kraft, records } = contents;
    let mut head = vec![ControlRecord::SnapshotHeader { last_timestamp_ms }];
    if let Some(kraft) = kraft {
        head.push(ControlRecord::KraftVersion(kraft.version));
        head.extend(kraft.voters.clone().map(ControlRecord::Voters));
    }
    let mut next = Offset(0);
    let mut at = 0;
    let mut put = |batch: Vec<u8>, count: usize, next: &mut Offset| -> io::Result<()> {
        write_all_at(file, &batch, at)?;
        at += batch.len() as u64;
        *next = next.plus(count as i64);
        Ok(())
    };
    put(control_batch(next, id.epoch, now_ms, &head)?, head.len(), &mut next)?;
    for chunk in records.chunks(BATCH_RECORDS) {
        put(data_batch(next, id.epoch, now_ms, chunk)?, chunk.len(), &mut next)?;
    }
    put(control_batch(next, id.epoch, now_ms, &[ControlRecord::SnapshotFooter])?, 1, &mut next)?;
    Ok(())
}

/// Reads a whole snapshot, batch by batch.
pub fn read(disk: &dyn Disk, path: &Path) -> Result<Snapshot, SnapshotError> {
    let io = |error| SnapshotError::Io { path: path.to_owned(), error };
    let file = disk.open(path, Open::Read).map_err(io)?;
    let mut batches = FileBatches { file: &*file, at: 0, len: file.len().map_err(io)? };
    let mut snapshot = Snapshot::default();
    let mut seen = Seen::default();
    while let Some(bytes) = batches.next().map_err(|error| SnapshotError::Read { path: path.to_owned(), error })? {
        let batch = Batch::read(&bytes).map_err(|error| SnapshotError::Read { path: path.to_owned(), error })?;
        seen.take(batch, &mut snapshot).map_err(|what| SnapshotError::Incomplete { path: path.to_owned(), what })?;
    }
    if seen.footer { Ok(snapshot) } else { Err(SnapshotError::Incomplete { path: path.to_owned(), what: "no footer" }) }
}

/// Timestamp of the last record that a snapshot contains, out of its header.
pub fn last_timestamp(disk: &dyn Disk, path: &Path) -> Result<i64, SnapshotError> {
    let io = |error| SnapshotError::Io { path: path.to_owned(), error };
    let damaged = |error| SnapshotError::Read { path: path.to_owned(), error };
    let file = disk.open(path, Open::Read).map_err(io)?;
    let mut batches = FileBatches { file: &*file, at: 0, len: file.len().map_err(io)? };
    let mut snapshot = Snapshot::default();
    let mut seen = Seen::default();
    if let Some(bytes) = batches.next().map_err(damaged)? {
        let batch = Batch::read(&bytes).map_err(damaged)?;
        seen.take(batch, &mut snapshot).map_err(|what| SnapshotError::Incomplete { path: path.to_owned(), what })?;
    }
    Ok(snapshot.last_timestamp_ms)
}

/// Reads the records of a `bootstrap.checkpoint`, which has no header or footer.
pub fn read_old_bootstrap(disk: &dyn Disk, path: &Path) -> Result<Vec<VersionedRecord>, SnapshotError> {
    let io = |error| SnapshotError::Io { path: path.to_owned(), error };
    let damaged = |error| SnapshotError::Read { path: path.to_owned(), error };
    let file = disk.open(path, Open::Read).map_err(io)?;
    let mut batches = FileBatches { file: &*file, at: 0, len: file.len().map_err(io)? };
    let mut found = Vec::new();
    while let Some(bytes) = batches.next().map_err(damaged)? {
        if let Content::Data(records) = Batch::read(&bytes).map_err(damaged)?.content {
            found.extend(records);
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Seen {
    header: bool,
    footer: bool,
}

impl Seen {
    fn take(&mut self, batch: Batch, snapshot: &mut Snapshot) -> Result<(), &'static str> {
        if self.footer {
            return Err("a batch follows the footer");
        }
        match batch.content {
            Content::Data(records) if self.header => snapshot.records.extend(records),
            Content::Data(_) => return Err("no header"),
            Content::Control(records) => {
                for record in records {
                    self.control(record, snapshot)?;
                }
            }
        }
        Ok(())
    }

    fn control(&mut self, record: ControlRecord, snapshot: &mut Snapshot) -> Result<(), &'static str> {
        match record {
            ControlRecord::SnapshotHeader { last_timestamp_ms } if !self.header => {
                self.header = true;
                snapshot.last_timestamp_ms = last_timestamp_ms;
            }
            _ if !self.header => return Err("no header"),
            ControlRecord::SnapshotHeader { .. } => return Err("two headers"),
            ControlRecord::SnapshotFooter => self.footer = true,
            ControlRecord::KraftVersion(version) if version.has_dynamic_voters() => {
                snapshot.kraft = Some(Kraft { version, voters: None });
            }
            ControlRecord::Voters(voters) => {
                let version = snapshot.kraft.as_ref().map_or(KraftVersion::DYNAMIC, |kraft| kraft.version);
                snapshot.kraft = Some(Kraft { version, voters: Some(voters) });
            }
            ControlRecord::KraftVersion(_) | ControlRecord::LeaderChange { .. } | ControlRecord::Other(_) => {}
        }
        Ok(())
    }
}

/// Whole batches of a file, each read into memory of its own; none larger than [`BATCH_BYTES_MAX`] and some room.
struct FileBatches<'a> {
    file: &'a dyn File,
    at: u64,
    len: u64,
}

impl FileBatches<'_> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        if self.at >= self.len {
            return Ok(None);
        }
        let fail = |error| ReadError::Batch { base: Offset(-1), error };
        let left = self.len - self.at;
        let mut head = [0; HEADER_SIZE];
        let short = |have: u64| fail(BatchError::Short { needed: HEADER_SIZE, have: have as usize });
        read_exact_at(self.file, &mut head, self.at).map_err(|_| short(left))?;
        let size = BatchHeader::read(&head).map_err(fail)?.size();
        if size as u64 > left || size > 2 * BATCH_BYTES_MAX {
            return Err(fail(BatchError::Short { needed: size, have: left as usize }));
        }
        let mut bytes = vec![0; size];
        read_exact_at(self.file, &mut bytes, self.at).map_err(|_| short(left))?;
        self.at += size as u64;
        Ok(Some(bytes))
    }
}
