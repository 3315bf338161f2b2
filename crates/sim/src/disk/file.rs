//! Open files of a simulated disk, and the lock of a directory on it.

use super::content::{Capture, PAGE};
use super::fault::{Fault, Operation};
use super::world::{World, eio, enospc};
use ottla_host::disk::{DirLock, File, Open};
use parking_lot::{Mutex, MutexGuard};
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that one life of the node has opened.
pub(super) struct SimFile {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) id: u64,
    pub(super) path: PathBuf,
    pub(super) how: Open,
    pub(super) generation: u64,
}

impl fmt::Debug for SimFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SimFile({})", self.path.display())
    }
}

impl SimFile {
    fn world(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.world.lock();
        if world.check_up()? != self.generation {
            return Err(io::Error::other("the file was opened by a process that is dead"));
        }
        Ok(world)
    }

    fn writable(&self) -> io::Result<MutexGuard<'_, World>> {
        match self.how {
            Open::Read => Err(io::ErrorKind::PermissionDenied.into()),
            Open::Write | Open::Create | Open::CreateNew | Open::Durable => self.world(),
        }
    }

    /// What a sync that starts now puts on the device; what is written until it ends is no part of it.
    pub(super) fn begin_sync(&self) -> io::Result<Capture> {
        Ok(self.world()?.content(self.id)?.begin_sync())
    }

    pub(super) fn end_sync(&self, capture: Capture) -> io::Result<()> {
        let mut world = self.world()?;
        match world.begin(Operation::Sync, &self.path) {
            Ok(None) => {
                world.content(self.id)?.end_sync(capture);
                Ok(())
            }
            Ok(Some(_)) => {
                world.fail_sync(self.id, capture)?;
                Err(eio())
            }
            Err(how) => Err(world.crash_in(Operation::Sync, &self.path, how)),
        }
    }

    fn check_alignment(&self, parts: &[IoSlice<'_>], at: usize) -> io::Result<()> {
        let aligned = |part: &IoSlice<'_>| part.len().is_multiple_of(PAGE) && part.as_ptr().addr().is_multiple_of(PAGE);
        let is_durable = self.how == Open::Durable;
        if is_durable && (!at.is_multiple_of(PAGE) || !parts.iter().all(aligned)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a durable write is not aligned to 4096"));
        }
        Ok(())
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut world = self.world()?;
        world.take_planned(&self.path, |fault| fault == Fault::ReadError).map_or(Ok(()), |_| Err(eio()))?;
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let content = world.content(self.id)?;
        Ok(if self.how == Open::Durable { content.read_device(at, buffer) } else { content.read(at, buffer) })
    }

    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let mut world = self.writable()?;
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.check_alignment(parts, at)?;
        let bytes = parts.concat_bytes();
        let fault = world.begin(Operation::Write, &self.path);
        let is_durable = self.how == Open::Durable;
        let unit = if is_durable { PAGE } else { 1 };
        let taken = match fault {
            Ok(None) => bytes.len(),
            Ok(Some(Fault::ShortWrite)) if bytes.len() > unit => {
                unit * (1 + world.random.index(bytes.len() / unit - 1))
            }
            Ok(Some(Fault::ShortWrite)) => bytes.len(),
            // Which sectors of a durable write are there is drawn when it is torn.
            Err(_) if is_durable => bytes.len(),
            Ok(Some(_)) | Err(_) => unit * world.random.index(bytes.len() / unit + 1),
        };
        let room = world.room_for(self.id, at + taken);
        let taken = if at + taken <= room { taken } else { room.saturating_sub(at).min(taken) };
        let is_full = taken < bytes.len() && at + taken >= room;
        world.store(self.id, at, &bytes[..taken], is_durable, fault.is_err())?;
        match fault {
            Err(how) => Err(world.crash_in(Operation::Write, &self.path, how)),
            Ok(Some(Fault::WriteError)) => Err(eio()),
            Ok(Some(Fault::NoSpace)) => Err(enospc()),
            Ok(_) if is_full && taken == 0 && !bytes.is_empty() => {
                world.meet(Fault::NoSpace.name());
                Err(enospc())
            }
            Ok(_) => Ok(taken),
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.world()?.content(self.id)?.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut world = self.writable()?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        match world.begin(Operation::SetLen, &self.path) {
            Ok(Some(_)) => Err(eio()),
            Ok(None) => {
                world.content(self.id)?.set_len(len);
                Ok(())
            }
            Err(how) => {
                if world.random.coin() {
                    world.content(self.id)?.set_len(len);
                }
                Err(world.crash_in(Operation::SetLen, &self.path, how))
            }
        }
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let mut world = self.writable()?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        match world.begin(Operation::Reserve, &self.path) {
            Ok(None) if world.room_for(self.id, len) >= len => Ok(()),
            Ok(_) => Err(enospc()),
            Err(how) => Err(world.crash_in(Operation::Reserve, &self.path, how)),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let capture = self.begin_sync()?;
        self.world()?.pass_sync_time();
        self.end_sync(capture)
    }

    fn start_writeback(&self, at: u64, len: u64) -> io::Result<()> {
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.world()?.write_back(self.id, at..at.saturating_add(len))
    }

    fn read_ahead(&self, _at: u64, _len: u64) -> io::Result<()> {
        self.world().map(drop)
    }

    fn is_cached(&self, _at: u64, _len: u64) -> bool {
        let Ok(mut world) = self.world() else { return true };
        let rate = world.rates.cold_read;
        let is_cold = world.random.chance(rate);
        if is_cold {
            world.meet("cold read");
        }
        !is_cold
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

trait ConcatBytes {
    fn concat_bytes(&self) -> Vec<u8>;
}

impl ConcatBytes for [IoSlice<'_>] {
    fn concat_bytes(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.iter().map(|part| part.len()).sum());
        self.iter().for_each(|part| all.extend_from_slice(part));
        all
    }
}

/// The lock of a directory, free again when its node has died.
pub(super) struct SimLock {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) dir: PathBuf,
    pub(super) generation: u64,
}

impl fmt::Debug for SimLock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SimLock({})", self.dir.display())
    }
}

impl DirLock for SimLock {
    fn covers(&self, _path: &Path) -> bool {
        true
    }

    fn sync_file_system(&self) -> io::Result<()> {
        let mut world = self.world.lock();
        if world.check_up()? != self.generation {
            return Err(io::Error::other("the lock was taken by a process that is dead"));
        }
        world.pass_sync_time();
        world.sync_everything(&self.dir)
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        if world.generation == self.generation {
            world.locks.remove(&self.dir);
        }
    }
}
